"""lens: augmented copies, features of the frozen network, the heads, and a whole training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from genrelens import Classifier
from genrelens.acoustics.room import ROOMS
from genrelens.data.folders import read_folder
from genrelens.errors import DataError
from genrelens.features import extract_segments
from genrelens.library import audio_digest
from genrelens.metadata import ModelMetadata, StyleTag
from genrelens.train.recipe import HeadConfig
from genrelens.training_audio import TrainingAudio
from support import tiny, tiny_musicnn

if TYPE_CHECKING:
    from genrelens.train.lens.embeddings import ClipFeatures, Embedder

HEAD = HeadConfig(renditions=1, rendition_seconds=1.0, hidden=8, epochs=2, batch_size=8)

# ------------------------------------------------------------------- augmented copies


@pytest.mark.parametrize("seed", range(12))
def test_augmentation_gives_a_waveform_of_similar_length(seed: int) -> None:
    from genrelens.train.acoustic_augment import augment_waveform

    y = tiny.sound("chords", 1.5).astype(np.float64)
    other = [tiny.sound("noise", 0.5).astype(np.float64)]
    augmented = augment_waveform(y, tiny.RATE, np.random.default_rng(seed), other)
    assert len(augmented) == pytest.approx(len(y), rel=0.065)
    assert np.isfinite(augmented).all()
    assert 0 < np.abs(augmented).max() <= 1.01
    again = augment_waveform(y, tiny.RATE, np.random.default_rng(seed), other)
    np.testing.assert_array_equal(augmented, again)


def test_augmented_silence_stays_below_the_noise_of_a_sound_card() -> None:
    from genrelens.train.acoustic_augment import augment_waveform

    for seed in range(6):
        augmented = augment_waveform(np.zeros(4000), tiny.RATE, np.random.default_rng(seed))
        assert np.abs(augmented).max() < 1e-3


def test_training_uses_no_room_of_the_robustness_tests() -> None:
    from genrelens.train.acoustic_augment import random_rooms

    assert {room.size for room in ROOMS}.isdisjoint({room.size for room in random_rooms()})


# --------------------------------------------------------------------------- features


def embedder(folder: Path, **changes: object) -> Embedder:
    from genrelens.train.lens.embeddings import Embedder

    settings = {"copies": 2, "seconds": 1.0, "backgrounds": (), "directory": folder, **changes}
    return Embedder(tiny_musicnn.network(), tiny.LENS, **settings)  # type: ignore[arg-type]


def test_features_are_cached_and_an_incomplete_entry_is_replaced(tmp_path: Path) -> None:
    import torch

    from genrelens.train.lens.embeddings import frozen_features

    clip = tmp_path / "clip.wav"
    soundfile.write(clip, tiny.sound("chords", 1.5), tiny.RATE)
    (tmp_path / "no.wav").write_bytes(b"")
    failed: list[Path] = []
    paths = [clip, tmp_path / "no.wav"]
    first = embedder(tmp_path / "c").embed(paths, lambda p, e: failed.append(p) if e else None)
    assert (list(first), failed) == ([clip], [tmp_path / "no.wav"])
    assert sorted(set(first[clip].copies.tolist())) == [0, 1, 2]
    whole = extract_segments(tiny.sound("chords", 1.5), tiny.LENS)
    assert len(whole) == 3
    segments = torch.from_numpy(whole[:2])  # the third overlaps: no frame counts twice
    plain = first[clip].features[first[clip].copies == 0]
    expected = frozen_features(tiny_musicnn.network(), segments).numpy()
    assert plain.shape == (len(segments), tiny_musicnn.N_FEATURES)
    np.testing.assert_allclose(plain, expected, rtol=2e-3, atol=2e-2)  # 16 bits, and a file's

    (entry,) = (tmp_path / "c").rglob("*.npz")
    content = entry.read_bytes()
    entry.write_bytes(content[: len(content) // 2])
    again = embedder(tmp_path / "c").embed([clip])[clip]
    np.testing.assert_array_equal(again.features, first[clip].features)
    stamp = entry.stat().st_mtime_ns
    embedder(tmp_path / "c").embed([clip])
    assert entry.stat().st_mtime_ns == stamp
    embedder(tmp_path / "c", copies=1).embed([clip])
    assert len(list((tmp_path / "c").iterdir())) == 2


def test_cache_of_a_former_version_is_used(tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, tiny.sound("chords", 1.0), tiny.RATE)
    cache = tmp_path / "cache"
    embedder(cache, copies=0).embed([clip])
    (folder,) = cache.iterdir()
    former = folder.rename(cache / folder.name.replace("embeddings-", "heard-"))
    (entry,) = former.iterdir()
    stamp = entry.stat().st_mtime_ns
    embedder(cache, copies=0).embed([clip])
    assert list(cache.iterdir()) == [folder]
    assert (folder / entry.name).stat().st_mtime_ns == stamp


# ------------------------------------------------------------------------------- heads


def clip_features(rows: object) -> ClipFeatures:
    from genrelens.train.lens.embeddings import ClipFeatures

    features = np.zeros((len(rows), tiny_musicnn.N_FEATURES), np.float16)  # type: ignore[arg-type]
    features[:, 0] = rows  # type: ignore[call-overload]
    return ClipFeatures(features, np.zeros(len(features), np.int64))


def test_segments_are_drawn_by_clip_and_class() -> None:
    from genrelens.train.lens.heads import HeadBatches

    clips = [clip_features([1.0, 2.0]), clip_features([3.0]), clip_features([4.0])]
    batches = HeadBatches(clips, [0, 0, 1], 2)
    weights = batches.weights.numpy()
    np.testing.assert_allclose(weights, [0.5 / 2**0.7, 0.5 / 2**0.7, 1 / 2**0.7, 1.0])
    assert batches.classes.tolist() == [0, 0, 0, 1]
    assert [len(classes) for _, classes in batches] == [2, 2]


def test_weights_of_clips_change_the_draw() -> None:
    from genrelens.train.lens.heads import HeadBatches

    clips = [clip_features([1.0, 2.0]), clip_features([3.0]), clip_features([4.0])]
    plain = HeadBatches(clips, [0, 0, 1], 2).weights.numpy()
    weighted = HeadBatches(clips, [0, 0, 1], 2, np.array([0.5, 1, 2])).weights.numpy()
    np.testing.assert_allclose(weighted / plain, [0.5, 0.5, 1, 2])


def test_music_head_separates_music_from_other_sounds() -> None:
    import torch

    from genrelens.train.lens.heads import fit_music_head

    rng = np.random.default_rng(0)
    music, other = ([clip_features(rng.normal(mean, 1, 20)) for _ in range(4)] for mean in (4, -4))
    layer = fit_music_head(music, other)
    logits = layer(torch.tensor(np.stack([h.features[0] for h in (*music, *other)])).float())
    assert (logits[:4] > 0).all()
    assert (logits[4:] < 0).all()


def test_a_style_is_assigned_to_the_expected_number_of_clips() -> None:
    """By hand: probabilities 0.9, 0.8, 0.2, 0.1 add up to 2, so two clips get the style."""
    import torch
    from torch import nn

    from genrelens.train.lens.embeddings import ClipFeatures
    from genrelens.train.lens.heads import MUSICNN_STYLES, style_thresholds

    network = tiny_musicnn.network()
    network.tags = nn.Linear(200, 50)
    with torch.no_grad():
        network.tags.weight.zero_()
        network.tags.weight[:, 0] = 1.0
        network.tags.bias.zero_()
    clips = []
    for p in (0.9, 0.1, 0.8, 0.2):
        features = np.zeros((2, tiny_musicnn.N_FEATURES), np.float16)
        features[:, -200] = [np.log(p / (1 - p)), 9.0]
        clips.append(ClipFeatures(features, np.array([0, 1])))  # a copy does not count
    thresholds = style_thresholds(network, clips)
    assert set(thresholds) == set(MUSICNN_STYLES)
    assert all(value == pytest.approx(0.5, abs=1e-3) for value in thresholds.values())


# ------------------------------------------------------------------------------- whole


def test_the_model_file_has_all_outputs_of_the_network(tmp_path: Path) -> None:
    import torch
    from torch import nn

    from genrelens.train.export import export_model
    from genrelens.train.lens.heads import MUSICNN_STYLES, GenreHead, Lens

    torch.manual_seed(0)
    head = GenreHead(
        torch.zeros(tiny_musicnn.N_FEATURES),
        torch.ones(tiny_musicnn.N_FEATURES),
        n_classes=3,
        config=HEAD,
    )
    music = nn.Linear(tiny_musicnn.N_FEATURES, 1)
    nn.init.normal_(music.weight, std=1e-3)
    metadata = ModelMetadata(
        name="tiny",
        labels=tiny.GENRES,
        features=tiny.LENS,
        window_segments=5,
        styles=tuple(StyleTag(name, 0.5) for name in MUSICNN_STYLES),
        music_threshold=0.5,
    )
    path = tmp_path / "lens.onnx"
    export_model(
        Lens(tiny_musicnn.network(), head, music).eval(), metadata, path
    )  # it compares with torch
    prediction = Classifier.load(path).classify_waveform(tiny.sound("chords", 2.0), tiny.RATE)
    assert len(prediction.styles) == len(MUSICNN_STYLES)
    assert prediction.embedding is not None
    assert prediction.embedding.shape == (200,)
    assert prediction.music is not None


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genrelens.train.job import Run
    from genrelens.train.recipe import Recipe
    from genrelens.train.train_model import train
    from genrelens.train.trainer import Hardware

    data = tiny.write_clips(tmp_path / "data", per_genre=3)
    beside = tmp_path / "beside"
    (beside / "music").mkdir(parents=True)
    soundfile.write(beside / "talk.wav", tiny.sound("noise", 2.0, seed=9), tiny.RATE)
    soundfile.write(beside / "music" / "song.wav", tiny.sound("chords", 2.0, seed=9), tiny.RATE)
    monkeypatch.setattr("genrelens.train.lens.fit.read_musicnn", lambda *_: tiny_musicnn.weights())
    recipe = Recipe(name="tiny", network="musicnn", features=tiny.LENS, head=HEAD)
    clips = [replace(clip, part="train") for clip in read_folder(data)]
    run = Run(
        recipe=recipe,
        folder=tmp_path / "run",
        cache_dir=tmp_path / "cache",
        hardware=Hardware(device="cpu", progress=False),
        musicnn=Path("wheel"),
        not_music=beside,
    )
    metadata = Classifier.load(train(run, clips)).metadata
    assert metadata.labels == tiny.GENRES
    assert metadata.music_threshold == 0.5
    audio = TrainingAudio.from_provenance(metadata.provenance)
    assert audio is not None
    everything = [*beside.rglob("*.wav"), *data.rglob("*.wav")]
    assert len(audio) == len(everything) == 11
    assert all(audio_digest(path) in audio for path in everything)
    plain = replace(run, folder=tmp_path / "plain", not_music=None)
    assert Classifier.load(train(plain, clips)).metadata.music_threshold is None


def test_each_folder_needs_its_weight(tmp_path: Path) -> None:
    from genrelens.train.job import Run, class_labels
    from genrelens.train.recipe import HeadConfig, Recipe

    head = HeadConfig(data_weights=(0.5, 1, 1))
    recipe = Recipe(name="tiny", network="musicnn", features=tiny.LENS, head=head)
    run = Run(recipe=recipe, folder=tmp_path / "run")
    clips = read_folder(tiny.write_clips(tmp_path / "data", per_genre=2))
    assert class_labels(run, clips) == list(tiny.GENRES)  # weights of one folder change nothing
    two = [replace(clip, source=index % 2) for index, clip in enumerate(clips)]
    with pytest.raises(DataError, match="data_weights for 3 folders, and the clips are from 2"):
        class_labels(run, two)


def test_training_needs_the_wheel_of_musicnn(tmp_path: Path) -> None:
    from genrelens.train.job import Run
    from genrelens.train.recipe import Recipe
    from genrelens.train.train_model import train

    data = tiny.write_clips(tmp_path / "data", per_genre=1)
    recipe = Recipe(name="tiny", network="musicnn", features=tiny.LENS, head=HEAD)
    clips = [replace(clip, part="train") for clip in read_folder(data)]
    run = Run(recipe=recipe, folder=tmp_path / "run", cache_dir=tmp_path / "cache")
    with pytest.raises(DataError, match="needs its pre-trained weights"):
        train(run, clips)
    assert not (tmp_path / "run").exists()

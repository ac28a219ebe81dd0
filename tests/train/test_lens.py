"""lens: features of the frozen network, the heads, and a whole training."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from genrelens import Classifier
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.errors import AudioError, DataError, ModelError
from genrelens.features import extract_segments
from genrelens.library import audio_digest
from genrelens.metadata import ModelMetadata, StyleTag
from genrelens.model_file import SET_HEAD_KEY, ModelFile
from genrelens.train.recipe import HeadConfig
from genrelens.training_audio import TrainingAudio
from support import tiny, tiny_musicnn

if TYPE_CHECKING:
    from genrelens.train.lens.embeddings import ClipFeatures, Embedder
    from genrelens.train.lens.heads import SetNetwork

HEAD = HeadConfig(
    copies=("plain", "microphone", "mixture"),
    copy_seconds=1.0,
    run_lengths=(1, 2),
    hidden=8,
    epochs=2,
    batch_size=8,
    discriminant=0.3,
    styles={"humming": "chords"},
)

# --------------------------------------------------------------------------- features


def embedder(folder: Path, **changes: object) -> Embedder:
    from genrelens.train.lens.embeddings import Embedder

    settings = {
        "copies": ("plain", "room"),
        "seconds": 1.0,
        "backgrounds": (),
        "directory": folder,
        **changes,
    }
    return Embedder(tiny_musicnn.network(), tiny.LENS, **settings)  # type: ignore[arg-type]


def test_features_are_cached_and_an_incomplete_entry_is_replaced(tmp_path: Path) -> None:
    import torch

    from genrelens.train.lens.embeddings import frozen_features

    clip = tmp_path / "clip.wav"
    soundfile.write(clip, tiny.sound("chords", 1.5), tiny.RATE)
    (tmp_path / "no.wav").write_bytes(b"")
    failed: list[Path] = []
    paths = [clip, tmp_path / "no.wav"]
    first = embedder(tmp_path / "c").embed(
        paths, on_path=lambda p, e: failed.append(p) if e else None
    )
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
    embedder(tmp_path / "c", copies=("room",)).embed([clip])
    assert len(list((tmp_path / "c").iterdir())) == 2


def test_each_pool_of_noise_has_an_entry_of_its_own(tmp_path: Path) -> None:
    from genrelens.train.lens.embeddings import NoisePool

    clip = tmp_path / "clip.wav"
    soundfile.write(clip, tiny.sound("chords", 1.5), tiny.RATE)
    noise = [tiny.sound("noise", 2.0).astype(np.float64)]
    with_noise = embedder(tmp_path / "c", copies=("microphone",))
    found = with_noise.embed([clip], {clip: NoisePool("crowd", noise)})[clip]
    assert -8 <= found.snr[-1] <= 15
    assert found.snr[0] == np.inf
    other = with_noise.embed([clip])[clip]
    assert not np.array_equal(found.features, other.features)
    names = sorted(path.stem.partition("-")[2] for path in (tmp_path / "c").rglob("*.npz"))
    assert names == ["", "crowd"]


# ------------------------------------------------------------------------------- heads


def clip_features(rows: object, copies: object = None, snr: float = np.inf) -> ClipFeatures:
    from genrelens.train.lens.embeddings import ClipFeatures

    n = len(rows)  # type: ignore[arg-type]
    features = np.zeros((n, tiny_musicnn.N_FEATURES), np.float16)
    features[:, 0] = rows  # type: ignore[call-overload]
    numbers = np.zeros(n, np.int64) if copies is None else np.asarray(copies)
    return ClipFeatures(features, numbers, np.where(numbers > 0, snr, np.inf).astype(np.float32))


def labelled(label: str, folder: str, source: int, name: str = "clip") -> LabelledClip:
    original = None if folder == label else folder
    return LabelledClip(Path(f"{name}.wav"), label, "train", None, original, source)


def test_sets_are_whole_clips_and_runs() -> None:
    from genrelens.train.lens.sets import draw_sets

    clips = [clip_features([1, 2, 3, 4, 5, 7], [0, 0, 0, 0, 1, 1], snr=6.0)]
    sets = draw_sets(clips, (1, 2, 9), np.random.default_rng(0), most=3)
    assert sets.whole.tolist() == [True, True, False, False, True, False]
    assert sets.copies.tolist() == [0, 0, 0, 0, 1, 1]
    assert sets.rows[[0, 1, 4], 0].tolist() == [1.5, 3.5, 6.0]
    assert sets.snr.tolist() == [np.inf] * 4 + [6.0] * 2
    numbers = np.exp(sets.rows[:, -1].astype(float)).round().tolist()
    assert numbers == [2, 2, 1, 2, 2, 1]


def test_joint_classes_are_folders_and_microphones_have_the_first_class_of_their_genre() -> None:
    from genrelens.train.lens.sets import clip_weights, joint_classes

    clips = [
        labelled("pop", "pop", 0),
        labelled("pop", "k-pop", 1),
        labelled("rock", "rock", 1),
        labelled("pop", "pop", 2, "pop.00003-snippet-10-0"),
    ]
    joint = joint_classes(clips, ["pop", "rock"])
    assert joint.names == ((0, "pop"), (1, "k-pop"), (1, "rock"))
    assert joint.genres.tolist() == [0, 0, 1]
    assert joint.targets.tolist() == [0, 1, 2, 0]
    assert joint.membership(2).tolist() == [[1, 0], [1, 0], [0, 1]]
    assert joint.penalties([0.5]).tolist() == [0.5, 0, 0]
    np.testing.assert_allclose(clip_weights(clips, 0.5), [2**-0.5, 2**-0.5, 1, 2**-0.5])


def test_sets_are_drawn_by_clip() -> None:
    from genrelens.train.lens.sets import SetBatches, draw_sets

    clips = [clip_features([1, 2, 5], [0, 0, 1]), clip_features([4])]
    sets = draw_sets(clips, (1,), np.random.default_rng(0), most=10)
    config = replace(HEAD, clean_share=0.75, batch_size=2)
    batches = SetBatches(sets, np.array([1, 0]), np.array([1.0, 2.0]), config)
    np.testing.assert_allclose(batches.weights, [0.375, 0.375, 0.25, 1.5])
    assert batches.classes.tolist() == [1, 1, 1, 0]
    assert [len(classes) for _, classes in batches] == [2, 2]


def test_the_mean_of_two_heads_is_one_head() -> None:
    import torch

    from genrelens.train.lens.heads import JointHead, averaged

    torch.manual_seed(0)
    mean, std = torch.randn(5), torch.rand(5) + 0.5
    heads = [JointHead(mean, std, n_classes=4, config=HEAD).eval() for _ in range(2)]
    x = torch.randn(6, 5)
    both = averaged(heads, HEAD)(x)
    torch.testing.assert_close(both, (heads[0](x) + heads[1](x)) / 2)


def test_genres_are_sums_of_joint_classes() -> None:
    import torch

    from genrelens.train.lens.heads import JointHead, SetNetwork

    torch.manual_seed(0)
    head = JointHead(torch.zeros(3), torch.ones(3), n_classes=3, config=HEAD).eval()
    x = torch.randn(4, 3)
    shares = torch.softmax(head(x) - torch.tensor([1.0, 0.0, 0.0]), 1)
    network = SetNetwork(
        head,
        membership=torch.tensor([[1.0, 0], [1, 0], [0, 1]]),
        styles=torch.tensor([[0.0], [1], [0]]),
        penalties=torch.tensor([1.0, 0, 0]),
    )
    with torch.inference_mode():
        genres, styles, music, snr = network(x)
    torch.testing.assert_close(genres.exp(), torch.stack([shares[:, :2].sum(1), shares[:, 2]], 1))
    torch.testing.assert_close(styles.sigmoid(), shares[:, 1:2])
    assert music is snr is None


def test_music_head_separates_music_from_other_sounds() -> None:
    import torch

    from genrelens.train.lens.linear import fit_music_head
    from genrelens.train.lens.sets import draw_sets

    rng = np.random.default_rng(0)
    music, other = (
        draw_sets([clip_features(rng.normal(m, 1, 6)) for _ in range(4)], (1,), rng, most=3)
        for m in (4, -4)
    )
    n = music.rows.shape[1]
    layer = fit_music_head(
        [(music, np.ones(len(music.rows)))], [other], torch.zeros(n), torch.ones(n)
    )
    assert (layer(torch.from_numpy(music.rows).float()) > 0).all()
    assert (layer(torch.from_numpy(other.rows).float()) < 0).all()


def test_noise_head_estimates_the_ratio() -> None:
    """The first feature is the ratio, a tenth of it; of microphone recordings it is unknown."""
    import torch

    from genrelens.train.lens.linear import fit_snr_head
    from genrelens.train.lens.sets import draw_sets

    rng = np.random.default_rng(0)
    ratios = rng.uniform(-15, 30, 300)
    clips = [clip_features([3.0, r / 10], [0, 1], snr=float(r)) for r in ratios]
    clips.append(clip_features([-100.0]))
    sets = draw_sets(clips, (), rng, most=3)
    known = np.append(np.ones(300, bool), False)
    n = sets.rows.shape[1]
    layer = fit_snr_head(sets, known, torch.zeros(n), torch.ones(n))
    row = torch.zeros(1, n)
    row[0, 0] = 1.0
    with torch.inference_mode():
        assert layer(row).item() == pytest.approx(10, abs=3)


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
        snr = np.full(2, np.inf, np.float32)
        clips.append(ClipFeatures(features, np.array([0, 1]), snr))  # a copy does not count
    thresholds = style_thresholds(network, clips)
    assert set(thresholds) == set(MUSICNN_STYLES)
    assert all(value == pytest.approx(0.5, abs=1e-3) for value in thresholds.values())


# ------------------------------------------------------------------------------- whole


def set_network() -> SetNetwork:
    """Return an untrained set head with a discriminant."""
    import torch
    from torch import nn

    from genrelens.train.lens.heads import JointHead, SetNetwork

    torch.manual_seed(0)
    n = 2 * tiny_musicnn.N_FEATURES + 1
    head = JointHead(torch.zeros(n), torch.full((n,), 9.0), n_classes=4, config=HEAD)
    music, snr, linear = nn.Linear(n, 1), nn.Linear(n, 1), nn.Linear(n, 4)
    for layer in (music, snr, linear):
        nn.init.normal_(layer.weight, std=1e-3)
    head.blend(linear, 0.5)
    return SetNetwork(
        head,
        membership=torch.eye(3)[[0, 0, 1, 2]],
        styles=torch.eye(4)[:, :1],
        penalties=torch.zeros(4),
        music=music,
        snr=snr,
    ).eval()


def write_lens(path: Path, **changes: object) -> Path:
    """Write an untrained model with a set head."""
    from genrelens.train.export import export_model
    from genrelens.train.lens.heads import MUSICNN_STYLES, Lens

    tags = list(MUSICNN_STYLES)
    values = {
        "name": "tiny",
        "labels": tiny.GENRES,
        "features": tiny.LENS,
        "window_segments": 5,
        "temperatures": {1: 1.5, 5: 1.0},
        "styles": (*(StyleTag(tag, 0.5) for tag in tags), StyleTag("humming", 0.5, "chords")),
        "music_threshold": 0.01,
        "noise_rule": ((-15.0, 0.9), (12.0, 0.5)),
        **changes,
    }
    metadata = ModelMetadata(**values)  # type: ignore[arg-type]
    export_model(Lens(tiny_musicnn.network(), tags), metadata, path, set_network())  # compares
    return path


def test_the_exported_set_head_gives_the_numbers_of_torch(tmp_path: Path) -> None:
    import torch

    exported = ModelFile.load(write_lens(tmp_path / "lens.onnx")).set_head
    assert exported is not None
    sets = torch.randn(6, 2 * exported.n_features + 1) * 20
    with torch.inference_mode():
        expected = set_network()(sets)
    for got, want in zip(exported(sets.numpy()), expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-4, atol=1e-4)


def test_the_model_file_has_all_outputs_of_both_networks(tmp_path: Path) -> None:
    path = write_lens(tmp_path / "lens.onnx")
    prediction = Classifier.load(path).classify_waveform(tiny.sound("chords", 2.0), tiny.RATE)
    assert {style.path for style in prediction.styles} >= {"house", "chords > humming"}
    assert prediction.embedding is not None
    assert prediction.embedding.shape == (200,)
    assert prediction.music is not None
    assert prediction.snr is not None
    again = pickle.loads(pickle.dumps(prediction))
    assert again.sections == prediction.sections
    assert prediction.restricted(["chords", "noise"]).sections


def test_metadata_is_replaced_without_the_set_head(tmp_path: Path) -> None:
    from genrelens.train.export import replace_metadata

    path = write_lens(tmp_path / "lens.onnx")
    metadata = ModelFile.load(path).metadata
    replace_metadata(path, replace(metadata, name="other"), tmp_path / "other.onnx")
    other = ModelFile.load(tmp_path / "other.onnx")
    assert other.metadata.name == "other"
    assert other.set_head is not None


def test_a_damaged_set_head_is_an_error(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(str(write_lens(tmp_path / "lens.onnx")))
    entry = next(each for each in model.metadata_props if each.key == SET_HEAD_KEY)
    whole = entry.value
    for value, expected in (("!", "set head is damaged"), (whole[:400], "set head is damaged")):
        entry.value = value
        onnx.save(model, str(tmp_path / "damaged.onnx"))
        with pytest.raises(ModelError, match=expected):
            ModelFile.load(tmp_path / "damaged.onnx")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genrelens.train.job import Run
    from genrelens.train.recipe import Recipe
    from genrelens.train.train_model import train
    from genrelens.train.trainer import Hardware

    data = tiny.write_clips(tmp_path / "data", per_genre=3)
    beside = tmp_path / "beside"
    (beside / "music").mkdir(parents=True)
    (beside / "speech").mkdir()
    soundfile.write(beside / "speech" / "talk.wav", tiny.sound("noise", 2.0, seed=9), tiny.RATE)
    soundfile.write(beside / "music" / "song.wav", tiny.sound("chords", 2.0, seed=9), tiny.RATE)
    monkeypatch.setattr("genrelens.train.lens.fit.read_musicnn", lambda *_: tiny_musicnn.weights())
    recipe = Recipe(name="tiny", network="musicnn", features=tiny.LENS, head=HEAD)
    clips = [replace(clip, part="train") for clip in read_folder(data)]
    broken = replace(clips[4], path=tmp_path / "broken.wav")
    broken.path.write_text("no audio")
    clips.insert(4, broken)
    read: list[tuple[LabelledClip, AudioError | None]] = []
    run = Run(
        recipe=recipe,
        folder=tmp_path / "run",
        cache_dir=tmp_path / "cache",
        hardware=Hardware(device="cpu", progress=False),
        musicnn=Path("wheel"),
        not_music=beside,
        on_clip=lambda clip, error: read.append((clip, error)),
    )
    metadata = Classifier.load(train(run, clips)).metadata
    assert [clip for clip, _ in read] == clips
    assert [clip for clip, error in read if error] == [broken]
    assert metadata.labels == tiny.GENRES
    assert metadata.music_threshold == 0.4
    assert metadata.styles[-1] == StyleTag("humming", 0.25, "chords")
    audio = TrainingAudio.from_provenance(metadata.provenance)
    assert audio is not None
    assert not list((tmp_path / "cache").rglob("*.npy"))  # no frames, only features
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

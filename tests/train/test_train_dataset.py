"""Datasets: the segments of clips, and the fingerprint of a set of clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genrelens.audio import load_audio
from genrelens.data.folders import LabelledClip, read_folder
from genrelens.data.protocols import random_split
from genrelens.errors import AudioError, DataError
from genrelens.features import FeatureConfig, extract_segments
from support import tiny
from support.processes import PATIENCE

if TYPE_CHECKING:
    from genrelens.train.dataset import TrainingClip

OVERLAPPING = replace(tiny.MEL, segment_hop=7)


def numbered(n_frames: int, *, first: int = 0) -> NDArray[np.float32]:
    """Return frames that hold their own number."""
    return np.repeat(np.arange(first, first + n_frames, dtype=np.float32)[:, None], 16, axis=1)


# ----------------------------------------------------------------------------- segments


@pytest.mark.parametrize("config", [tiny.MEL, OVERLAPPING, tiny.MFCC])
@pytest.mark.parametrize("seconds", [0.05, 1.0, 2.3])
def test_no_crops_gives_the_segments_of_the_front_end(
    config: FeatureConfig, seconds: float, tmp_path: Path
) -> None:
    import torch

    from genrelens.train.cache import FeatureCache
    from genrelens.train.dataset import ClipDataset, SegmentDataset

    path = tmp_path / "clip.wav"
    soundfile.write(path, tiny.sound("chords", seconds), tiny.RATE)
    expected = extract_segments(load_audio(path, sample_rate=tiny.RATE), config)
    clip = tiny.training_clip(np.array(FeatureCache(tmp_path, config).load(path)), target=2)
    dataset = SegmentDataset([clip], config, 0)
    got = [dataset[i] for i in range(len(dataset))]
    np.testing.assert_array_equal(torch.stack([segment for segment, _ in got]), expected)
    assert {target for _, target in got} == {2}
    whole, target = ClipDataset([clip], config)[0]
    np.testing.assert_array_equal(whole, expected)
    assert target == 2


def test_crops_start_at_random_positions_of_each_clip() -> None:
    import torch

    from genrelens.train.dataset import SegmentDataset

    clips = [tiny.training_clip(numbered(60, first=1000 * i), target=i) for i in range(3)]
    dataset = SegmentDataset(clips, tiny.MEL, 200)
    assert len(dataset) == 600
    torch.manual_seed(0)
    starts: list[set[int]] = [set(), set(), set()]
    for index in range(len(dataset)):
        segment, target = dataset[index]
        start = int(segment[0, 0])
        np.testing.assert_array_equal(segment, numbered(20, first=start))
        starts[target].add(start - 1000 * target)
    assert [(min(found), max(found)) for found in starts] == [(0, 40)] * 3  # 60 - 20, both ends
    assert min(len(found) for found in starts) > 35


@pytest.mark.parametrize("crops_per_clip", [0, 7])
@pytest.mark.parametrize(("batch_size", "sizes"), [(4, 5 * [4]), (50, [21])])
def test_a_loader_yields_each_segment_once(
    batch_size: int, sizes: list[int], crops_per_clip: int
) -> None:
    """An incomplete last batch is dropped, unless it is the only one."""
    import torch

    from genrelens.train.dataset import SegmentDataset

    clips = [tiny.training_clip(numbered(140, first=1000 * i), target=i) for i in range(3)]
    loader = SegmentDataset(clips, tiny.MEL, crops_per_clip).loader(batch_size)
    batches = list(loader)
    assert [len(classes) for _, classes in batches] == sizes
    segments, classes = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert segments.dtype == torch.float32
    first = segments[:, 0, 0].long()
    assert torch.equal(first // 1000, classes)
    assert torch.equal(segments[:, -1, 0].long(), first + 19)
    assert (len(set(first.tolist())) == len(first)) or crops_per_clip
    assert len(set(classes.tolist())) == 3
    second = torch.cat([batch[1] for batch in loader])
    assert not torch.equal(classes, second)


def test_clip_of_one_segment_has_one_crop() -> None:
    from genrelens.train.dataset import SegmentDataset

    dataset = SegmentDataset([tiny.training_clip(numbered(20))], tiny.MEL, 3)
    assert len(dataset) == 3
    for index in range(3):
        np.testing.assert_array_equal(dataset[index][0], numbered(20))


def test_datasets_do_not_touch_the_cache() -> None:
    from genrelens.train.dataset import ClipDataset, SegmentDataset

    frames = numbered(60)
    frames.flags.writeable = False
    clip = tiny.training_clip(frames)
    SegmentDataset([clip], tiny.MEL, 0)[0][0].zero_()
    ClipDataset([clip], tiny.MEL)[0][0].zero_()
    np.testing.assert_array_equal(frames, numbered(60))


@pytest.mark.parametrize(
    ("offset", "starts"), [(0, [0, 20, 40]), (7, [7, 27, 39]), (40, [40]), (55, [40])]
)
def test_whole_clip_from_an_offset(offset: int, starts: list[int]) -> None:
    from genrelens.train.dataset import ClipDataset

    dataset = ClipDataset([tiny.training_clip(numbered(60))], tiny.MEL)
    assert dataset.segments(0, offset=offset)[:, 0, 0].tolist() == starts


def test_no_clip_has_segments_in_both_parts(tmp_path: Path) -> None:
    from genrelens.train.cache import FeatureCache
    from genrelens.train.dataset import SegmentDataset, load_clips

    clips = random_split(read_folder(tiny.write_clips(tmp_path / "clips")), seed=3)
    loaded = load_clips(clips, tiny.GENRES, FeatureCache(tmp_path / "cache", tiny.MEL))
    segments = {
        part: {
            segment.numpy().tobytes()
            for segment, _ in SegmentDataset(
                [clip for clip in loaded if clip.clip.part == part], tiny.MEL, 0
            )  # type: ignore[attr-defined]
        }
        for part in ("train", "valid")
    }
    assert len(segments["train"]) > len(segments["valid"]) > 10
    assert not segments["train"] & segments["valid"]


# -------------------------------------------------------------------------------- clips


def test_clips_are_loaded_in_order_and_bad_ones_reported(tmp_path: Path) -> None:
    from genrelens.train.cache import FeatureCache
    from genrelens.train.dataset import load_clips

    clips = read_folder(tiny.write_clips(tmp_path / "clips", per_genre=2))
    clips[2].path.write_text("no audio")
    clips[4].path.unlink()
    results: list[tuple[LabelledClip, AudioError | None]] = []
    loaded = load_clips(
        clips,
        tiny.GENRES,
        FeatureCache(tmp_path / "cache", tiny.MEL),
        on_clip=lambda clip, error: results.append((clip, error)),
    )
    assert [clip.clip for clip in loaded] == [clips[i] for i in (0, 1, 3, 5)]
    assert [clip.target for clip in loaded] == [0, 0, 1, 2]
    assert [clip for clip, _ in results] == clips
    assert [i for i, (_, error) in enumerate(results) if error] == [2, 4]
    assert str(clips[2].path) in str(results[2][1])


def test_stopping_does_not_wait_for_the_rest(tmp_path: Path) -> None:
    from genrelens.train.cache import FeatureCache
    from genrelens.train.dataset import load_clips

    read = count(1)
    stopped = Event()

    class Cache(FeatureCache):
        def load(self, path: Path, digest: str | None = None) -> NDArray[np.float32]:
            next(read)  # the others wait, so that none is faster than whoever stops
            assert path == first.path or stopped.wait(PATIENCE)
            return super().load(path, digest)

    def stop(clip: LabelledClip, error: AudioError | None) -> None:
        stopped.set()
        raise KeyboardInterrupt

    first, *_, other = read_folder(tiny.write_clips(tmp_path / "clips", per_genre=1))
    clips = [first] + [other] * 5000
    with pytest.raises(KeyboardInterrupt):
        load_clips(clips, tiny.GENRES, Cache(tmp_path / "cache", tiny.MEL), on_clip=stop)
    assert next(read) < 4000


def test_unwritable_cache_ends_the_run(tmp_path: Path) -> None:
    from genrelens.train.cache import FeatureCache
    from genrelens.train.dataset import load_clips

    clips = read_folder(tiny.write_clips(tmp_path / "clips", per_genre=1))
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match="cache"):
        load_clips(clips, tiny.GENRES, FeatureCache(tmp_path / "cache", tiny.MEL))


# -------------------------------------------------------------------------- fingerprint


def some_clips() -> list[TrainingClip]:
    frames = numbered(20)
    return [
        tiny.training_clip(frames, label="a", part="train", digest="1"),
        tiny.training_clip(frames, label="b", part="train", digest="2"),
        tiny.training_clip(frames, label="b", part="valid", digest="3"),
    ]


def with_clip(clip: TrainingClip, **changes: Any) -> TrainingClip:
    return replace(clip, clip=replace(clip.clip, **changes))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda clips: clips[::-1], True),
        (lambda clips: [with_clip(clip, path=Path("/elsewhere/x.mp3")) for clip in clips], True),
        (lambda clips: [with_clip(clip, group="band") for clip in clips], True),
        (lambda clips: [with_clip(clips[0], label="b"), *clips[1:]], False),
        (lambda clips: [with_clip(clips[0], part="valid"), *clips[1:]], False),
        (lambda clips: [with_clip(clips[0], source=1), *clips[1:]], False),
        (lambda clips: [replace(clips[0], digest="9"), *clips[1:]], False),
        (lambda clips: clips[1:], False),
        (lambda clips: [*clips, clips[0]], False),
    ],
)
def test_fingerprint_is_of_content_label_and_part(
    change: Callable[[list[TrainingClip]], list[TrainingClip]], same: bool
) -> None:
    from genrelens.train.dataset import split_fingerprint

    clips = some_clips()
    assert (split_fingerprint(change(clips)) == split_fingerprint(clips)) is same


def test_fingerprint_takes_any_folder_name() -> None:
    from genrelens.train.dataset import split_fingerprint

    odd = tiny.training_clip(numbered(20), label="caf\udce9")  # bytes that are no UTF-8
    assert len(split_fingerprint([odd])) == 16


# ------------------------------------------------------------------------ class weights


def test_class_weights_by_hand() -> None:
    import torch

    from genrelens.train.dataset import class_weights

    clips = [tiny.training_clip(numbered(20), target=target) for target in (0, 0, 0, 1, 2, 2)]
    # 6 clips / (3 classes * 3, 1 or 2 clips)
    torch.testing.assert_close(class_weights(clips, "abc"), torch.tensor([2 / 3, 2.0, 1.0]))


def test_class_without_a_clip_is_named() -> None:
    from genrelens.train.dataset import class_weights

    with pytest.raises(DataError, match="no readable clip to train on for jazz, rock"):
        class_weights([tiny.training_clip(numbered(20))], ["blues", "jazz", "rock"])


def test_weight_of_a_clip_is_that_of_its_folder() -> None:
    from genrelens.train.dataset import draw_weights

    clips = [with_clip(tiny.training_clip(numbered(20)), source=source) for source in (0, 2, 1, 0)]
    assert draw_weights(clips, (0.5, 1, 2)).tolist() == [0.5, 2, 1, 0.5]
    assert draw_weights(clips, ()).tolist() == [1, 1, 1, 1]


# ----------------------------------------------------------------- sequences of logits


@pytest.mark.parametrize("shuffle", [False, True])
def test_sequences_of_a_batch_have_one_length(shuffle: bool) -> None:
    import torch

    from genrelens.train.original.fit import equal_length_loader

    torch.manual_seed(0)
    lengths = [3, 5, 3, 3, 5, 1, 3, 3]
    sequences = [(torch.full((n, 2), float(i)), i) for i, n in enumerate(lengths)]
    loader = equal_length_loader(sequences, 2, shuffle=shuffle)
    batches = list(loader)
    assert len(loader) == len(batches) == 5  # 3 + 1 + 1
    seen = [int(i) for _, classes in batches for i in classes]
    assert sorted(seen) == list(range(8))
    assert (seen == [0, 2, 3, 6, 7, 1, 4, 5]) is not shuffle
    for logits, classes in batches:
        assert len(logits) == len(classes) <= 2
        assert {lengths[int(i)] for i in classes} == {logits.shape[1]}
        np.testing.assert_array_equal(logits[:, 0, 0], classes)
    first_lengths = {next(iter(loader))[0].shape[1] for _ in range(20)}
    assert (first_lengths == {3}) is not shuffle

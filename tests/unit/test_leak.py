"""The leak: the wrong protocol leaks, the right ones do not; features and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from genrelens.data.folders import LabelledClip
from genrelens.errors import AudioError, DataError
from genrelens.evaluation.leak import (
    Leak,
    SegmentTable,
    _shares,
    leak_splits,
    measure_leak,
    plot_leak,
    tabulate,
)
from genrelens.evaluation.metrics import wilson_interval
from support import synth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N_GENRES, N_ALBUMS, N_CLIPS, N_SEGMENTS = 4, 6, 3, 8
PER_GENRE = N_ALBUMS * N_CLIPS


def clips_of(n_genres: int, per_genre: int, per_group: int | None = None) -> list[LabelledClip]:
    return [
        LabelledClip(
            Path(f"{genre}.{number}x.wav"),
            f"genre{genre}",
            group=f"album {genre}.{number // per_group}" if per_group else None,
        )
        for genre in range(n_genres)
        for number in range(per_genre)
    ]


def signatures(genre: float, album: float, clip: float, *, seed: int = 0) -> SegmentTable:
    """Return segments with signatures of genre, album and clip, of these strengths."""
    rng = np.random.default_rng(seed)
    of_genre = genre * rng.standard_normal((N_GENRES, 1, 1, 1, 80))
    of_album = album * rng.standard_normal((N_GENRES, N_ALBUMS, 1, 1, 80))
    of_clip = clip * rng.standard_normal((N_GENRES, N_ALBUMS, N_CLIPS, 1, 80))
    noise = rng.standard_normal((N_GENRES, N_ALBUMS, N_CLIPS, N_SEGMENTS, 80))
    values = (of_genre + of_album + of_clip + noise).reshape(-1, 80)
    owner = np.repeat(np.arange(N_GENRES * PER_GENRE), N_SEGMENTS)
    return SegmentTable(tuple(clips_of(N_GENRES, PER_GENRE, N_CLIPS)), owner, values)


def accuracies(leak: Leak) -> dict[str, float]:
    return {score.protocol: score.segments.accuracy.value for score in leak.scores}


# ------------------------------------------------------------------------------- protocols


def test_album_and_clip_leak() -> None:
    """Without information on the genre, only the split by group is at chance: one in four."""
    leak = measure_leak(signatures(genre=0, album=0.7, clip=0.7), n_folds=3, resamples=200)
    found = accuracies(leak)
    assert found["segment"] > 0.9
    assert 0.4 < found["clip"] < found["segment"] - 0.1
    assert abs(found["group"] - 0.25) < 0.15
    by_artist = leak.scores[2].clips
    assert by_artist is not None
    assert by_artist.accuracy.low < 0.25 < by_artist.accuracy.high


def test_clip_alone_leaks() -> None:
    """Without signatures of albums, the splits by clip and by album agree."""
    found = accuracies(measure_leak(signatures(genre=0, album=0, clip=1), n_folds=3, resamples=20))
    assert found["segment"] > 0.9
    assert abs(found["clip"] - 0.25) < 0.15
    assert abs(found["group"] - 0.25) < 0.15


def test_no_leak_without_signatures() -> None:
    """Information in the music is found under every protocol."""
    leak = measure_leak(signatures(genre=0.3, album=0, clip=0), n_folds=3, resamples=20)
    found = accuracies(leak)
    assert min(found.values()) > 0.8
    assert max(found.values()) - min(found.values()) < 0.1
    assert leak.scores[0].clips is None  # no clip is on one side
    for score in leak.scores[1:]:
        assert score.clips is not None
        assert score.clips.accuracy.value > score.segments.accuracy.value


def test_same_as_scikit_learn() -> None:
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    table = signatures(genre=0.1, album=0.3, clip=0.3)
    true = np.repeat(np.arange(N_GENRES), PER_GENRE * N_SEGMENTS)
    model = make_pipeline(StandardScaler(), SVC(break_ties=True))
    leak = measure_leak(table, n_folds=3, seed=5, resamples=20)
    folds = StratifiedKFold(3, shuffle=True, random_state=5)
    expected = cross_val_score(model, table.values, true, cv=folds)
    assert leak.scores[0].folds == pytest.approx(expected)
    parts = [np.isin(table.owner, test) for _, test in folds.split(true[::8], true[::8])]
    pairs = [(np.flatnonzero(~test), np.flatnonzero(test)) for test in parts]
    expected = cross_val_score(model, table.values, true, cv=pairs)
    assert leak.scores[1].folds == pytest.approx(expected)
    assert leak.n_train == len(true) * 2 // 3


def test_all_folds_have_equally_many_training_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Albums of different sizes make folds of different sizes."""
    from sklearn.svm import SVC

    clips = clips_of(2, 20)
    sizes = np.repeat(np.arange(6), [1, 2, 3, 4, 5, 5])
    clips = [
        LabelledClip(clip.path, clip.label, group=f"{clip.label} {sizes[i % 20]}")
        for i, clip in enumerate(clips)
    ]
    owner = np.repeat(np.arange(40), 3)
    values = np.random.default_rng(0).standard_normal((120, 80))
    sizes_seen: list[int] = []
    fit = SVC.fit
    monkeypatch.setattr(SVC, "fit", lambda self, x, y: sizes_seen.append(len(x)) or fit(self, x, y))
    leak = measure_leak(SegmentTable(tuple(clips), owner, values), n_folds=3, resamples=20)
    assert sizes_seen == [leak.n_train] * 9
    assert leak.n_train < 80


def test_two_genres() -> None:
    """For two classes scikit-learn returns one column; far apart, all are right."""
    table = SegmentTable(
        tuple(clips_of(2, 4)),
        np.repeat(np.arange(8), 2),
        np.repeat([-1.0, 1.0], 8)[:, None] + 0.01 * np.random.default_rng(0).random((16, 80)),
    )
    leak = measure_leak(table, n_folds=2, resamples=50)
    assert accuracies(leak) == {"segment": 1, "clip": 1}
    assert leak.scores[1].clips is not None
    assert leak.scores[1].clips.accuracy == (1, *wilson_interval(8, 8))


def test_shares_by_hand() -> None:
    """3 of 4 and 1 of 2: accuracy 4 of 6, macro recall 5 of 8."""
    right = np.array([True, True, True, False, True, False])
    shares = _shares(right, np.array([0, 0, 0, 0, 1, 1]), list("aabbcc"), resamples=500, seed=0)
    assert shares.accuracy == pytest.approx((4 / 6, *wilson_interval(2, 3)))  # three groups
    assert shares.macro_recall.value == pytest.approx(5 / 8)
    many = 4  # times as many groups: resamples of three kinds, drawn together
    units = [f"{letter}{i}" for i in range(many) for letter in "aabbcc"]
    true = np.tile([0, 0, 0, 0, 1, 1], many)
    drawn = _shares(np.tile(right, many), true, units, resamples=500, seed=0).accuracy
    assert drawn.method == "bootstrap"
    assert (drawn.low, drawn.high) == (pytest.approx(0.54, abs=0.05), pytest.approx(0.79, abs=0.05))


def test_intervals_are_of_groups() -> None:
    """Clips of one album are not independent: the interval is wider than that of clips."""
    table = signatures(genre=0.1, album=0.5, clip=0.1)
    bare = SegmentTable(
        tuple(LabelledClip(clip.path, clip.label) for clip in table.clips),
        table.owner,
        table.values,
    )
    with_groups, without = (measure_leak(each, n_folds=3) for each in (table, bare))
    assert (with_groups.n_groups, without.n_groups) == (N_GENRES * N_ALBUMS, None)
    assert [score.protocol for score in without.scores] == ["segment", "clip"]
    wide, narrow = (leak.scores[1].segments.accuracy for leak in (with_groups, without))
    assert wide.value == narrow.value
    assert wide.high - wide.low > narrow.high - narrow.low


def test_only_the_seed_is_random() -> None:
    table = signatures(genre=0.1, album=0.3, clip=0.3)
    first, again, other = (
        measure_leak(table, n_folds=2, seed=seed, resamples=20).to_dict() for seed in (1, 1, 2)
    )
    assert first == again
    assert first["protocols"] != other["protocols"]


def test_impossible_splits() -> None:
    with pytest.raises(DataError, match=r"genre 'genre0' has only 4 clips"):
        leak_splits(clips_of(2, 4), 5)
    with pytest.raises(DataError, match=r"genre 'genre[01]' has only 2 groups"):
        leak_splits(clips_of(2, 8, 4), 4)
    assert list(leak_splits(clips_of(2, 4), 4)) == ["clip"]


# -------------------------------------------------------------------------------- segments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, seconds in (("long", 10.0), ("short", 2.0)):
        (tmp_path / f"{name}.wav").write_bytes(synth.write(synth.music(seconds, 22_050), 22_050))
    (tmp_path / "bad.wav").write_bytes(b"no music")
    return tmp_path


def coefficients(path: Path) -> NDArray[np.float64]:
    """20 MFCCs as librosa has them, (n_frames, 20)."""
    import librosa
    import soundfile

    y, rate = soundfile.read(path)
    y = soxr.resample(y, rate, 16_000)
    mel = librosa.feature.melspectrogram(
        y=y,
        sr=16_000,
        n_fft=512,
        hop_length=171,
        n_mels=40,
        fmin=0,
        fmax=8000,
        pad_mode="constant",
    )
    return np.asarray(librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=20).T)


def test_tabulate(folder: Path) -> None:
    """Three segments of 3 s, then one of 2 s, neither padded."""
    clips = [LabelledClip(folder / f"{name}.wav", "a") for name in ("bad", "long", "short")]
    seen: list[bool] = []
    table = tabulate(clips, jobs=2, on_clip=lambda clip, error: seen.append(error is None))
    assert seen == [False, True, True]
    assert isinstance(table.failed[0], AudioError)
    assert table.clips == (clips[1], clips[2])
    assert table.owner.tolist() == [0, 0, 0, 1]
    long, short = (coefficients(clip.path) for clip in table.clips)
    for row, frames in ((1, long[280:560]), (3, short)):
        steps = np.diff(frames, axis=0)
        expected = np.concatenate([frames.mean(0), frames.std(0), steps.mean(0), steps.std(0)])
        assert table.values[row] == pytest.approx(expected, abs=0.02)  # dB


def test_no_clip_can_be_read(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no clip of 1 could be read; the first: .*bad\.wav"):
        tabulate([LabelledClip(folder / "bad.wav", "a")])


def test_a_clip_of_one_frame(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(synth.write(np.ones(10, np.float32), 16_000))
    values = tabulate([LabelledClip(tmp_path / "x.wav", "a")]).values
    assert values.shape == (1, 80)
    assert not values[:, 20:].any()  # constant


# --------------------------------------------------------------------------------- results


def test_to_dict_is_json() -> None:
    leak = measure_leak(signatures(0.3, 0, 0), n_folds=2, resamples=20)
    values = json.loads(json.dumps(leak.to_dict(), allow_nan=False))
    assert values["labels"] == [f"genre{i}" for i in range(N_GENRES)]
    assert (values["n_clips"], values["n_segments"], values["n_groups"]) == (72, 576, 24)
    segment, clip, _ = values["protocols"]
    assert segment["clips"] is None
    assert clip["clips"]["accuracy"]["value"] == leak.scores[1].clips.accuracy.value  # type: ignore[union-attr]
    assert len(segment["folds"]) == 2


def test_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    figures: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, path, **options: figures.append(self) or save(self, path)
    )
    leak = measure_leak(signatures(0.1, 0.3, 0.3), n_folds=2, resamples=20)
    plot_leak(leak, tmp_path / "leak.png")
    axes = figures[0].axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "by segment\n(a leak)",
        "by clip",
        "by artist",
    ]
    segments, clips = axes.containers[0], axes.containers[2]
    widths = [bar.get_width() / 100 for bar in segments]  # type: ignore[attr-defined]
    assert widths == pytest.approx(list(accuracies(leak).values()))
    assert len(clips) == 2
    assert (tmp_path / "leak.png").read_bytes().startswith(b"\x89PNG")

"""Audio fingerprints, which identify copies of a recording in any codec, level or sample rate.

Source: Haitsma & Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002). Each frame
yields a word of 32 bits. A bit is set if the energy difference between two neighbouring bands fell
since the previous frame. Copies share enough whole words to be found in a sorted index. A match is
then verified by the share of equal bits, frame by frame.

Recognised: another codec, bit rate, sample rate or level, an equaliser, a compressor, a shifted
start, an excerpt, and a recording that contains a part of another. Not recognised: another
performance, a mix of two recordings, and a speed or pitch that differs by more than about 0.5 %.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from genrelens.features import FeatureConfig, iter_features

__all__ = ["Match", "audio_fingerprint", "connected", "find_matches"]

Words = NDArray[np.uint32]
Int64 = NDArray[np.int64]

# Codecs and telephones pass 300 to 2000 Hz. Frames of 0.4 s start every 12.8 ms, so a shift by
# half a step changes little. With such a small c, log(1 + c x) is nearly c x: plain energy.
_BANDS = FeatureConfig(
    kind="mel",
    sample_rate=5000,
    n_fft=2048,
    hop_length=64,
    n_mels=33,
    f_min=300,
    f_max=2000,
    log_scale=1e-9,
)
_FRAME_SECONDS = _BANDS.hop_length / _BANDS.sample_rate
_SILENCE = 1e-9 * 3e-6  # mean energy of a band in white noise of -80 dBFS

_NO_WORD = 0  # the word of a silent frame, which is ignored
_NEIGHBOURS = 16  # largest distance of a pair in the index; bounds time and memory
_MIN_VOTES = 4  # equal words with the same shift that a pair needs; true pairs had 12 or more
_WINDOW = 100  # frames (1.3 s) over which bits are compared
_MAX_ERROR = 0.25  # share of different bits; measured: at most 0.13 for copies, else at least 0.34
_CHANCE = 16  # bits of 32 that differ between unrelated frames


class Match(NamedTuple):
    """Two recordings that share audio.

    Attributes:
        first: index of one recording.
        second: index of the other, above ``first``.
        shift: seconds by which the shared audio is later in the second recording; can be negative.
        seconds: length of the shared audio in seconds.
        similarity: share of equal fingerprint bits in the shared audio: 1 for equal audio, 0.5 by
            chance.

    Example::

        for match in find_matches(prints):
            print(match.first, match.second, f"{match.seconds:.0f} s in common")

    """

    first: int
    second: int
    shift: float
    seconds: float
    similarity: float


def audio_fingerprint(blocks: Iterable[NDArray[np.float32]], *, sample_rate: int) -> Words:
    """Compute the fingerprint of a recording from its samples in blocks.

    Args:
        blocks: consecutive blocks of one waveform, each (n,) float32, full scale 1.0.
        sample_rate: sample rate of the blocks in Hz; below 4 kHz the upper bands are empty.

    Returns:
        (n,) uint32: 78.1 words per second, 0 for silent frames.

    Example::

        blocks = stream_audio("song.mp3", sample_rate=22_050)
        words = audio_fingerprint(blocks, sample_rate=22_050)

    """
    words = list(_iter_words(_resampled(blocks, sample_rate)))
    return np.concatenate(words) if words else np.empty(0, np.uint32)


def _resampled(
    blocks: Iterable[NDArray[np.float32]], sample_rate: int
) -> Iterator[NDArray[np.float32]]:
    resampler = soxr.ResampleStream(sample_rate, _BANDS.sample_rate, 1, dtype="float32")
    for block in blocks:
        yield np.asarray(resampler.resample_chunk(block))
    yield np.asarray(resampler.resample_chunk(np.empty(0, np.float32), last=True))
    yield np.zeros(1, np.float32)  # silence after the end, so that there is at least one frame


def _iter_words(blocks: Iterable[NDArray[np.float32]]) -> Iterator[Words]:
    last = np.empty((0, _BANDS.n_mels), np.float32)
    for features in iter_features(blocks, _BANDS):
        energy = np.concatenate([last, features])  # (n, 33)
        fallen = np.diff(np.diff(energy, axis=1), axis=0) < 0  # (n - 1, 32)
        words = np.packbits(fallen, axis=1).view(np.uint32)[:, 0]
        words[energy[1:].mean(axis=1) < _SILENCE] = _NO_WORD
        yield words
        last = energy[-1:]


# ------------------------------------------------------------------------------- matches


def find_matches(prints: Sequence[Words]) -> list[Match]:
    """Find the recordings that share at least 1.3 s of audio.

    Time and memory grow with the total length of the recordings, not with the number of pairs. If
    many recordings share the same audio, some pairs are missed, but each recording is in a match
    with some of the others.

    Args:
        prints: results of :func:`audio_fingerprint`, one for each recording.

    Returns:
        At most one match for each pair, sorted by ``first`` and ``second``.

    Example::

        prints = [
            audio_fingerprint(stream_audio(path, sample_rate=22_050), sample_rate=22_050)
            for path in paths
        ]
        matches = find_matches(prints)

    """
    if not sum(map(len, prints)):
        return []
    verified = (
        _verify(prints, int(first), int(second), int(shift))
        for first, second, shift in _candidates(prints)
    )
    return [match for match in verified if match is not None]


def _candidates(prints: Sequence[Words]) -> Int64:
    """Return (first, second, shift) for pairs with common words, (n, 3), sorted.

    The shift is the most frequent one of the pair.
    """
    reach = max(map(len, prints))  # shifts are in -reach..reach
    keys = _votes(prints, reach)
    keys, counts = np.unique(keys, return_counts=True)
    if not len(keys):
        return np.empty((0, 3), np.int64)
    adjacent = np.diff(keys) == 1  # a shift between two frames counts for both
    votes = counts.copy()
    votes[:-1] += np.where(adjacent, counts[1:], 0)
    votes[1:] += np.where(adjacent, counts[:-1], 0)
    pairs = keys // (2 * reach + 1)
    best = np.lexsort((votes, pairs))
    best = best[np.append(np.diff(pairs[best]) > 0, True)]  # the row with most votes
    best = best[votes[best] >= _MIN_VOTES]
    shifts = keys[best] % (2 * reach + 1) - reach
    first, second = np.divmod(pairs[best], len(prints))
    return np.stack([first, second, shifts], axis=1)


def _votes(prints: Sequence[Words], reach: int) -> Int64:
    """Return a number that encodes both indices and the shift, for each word that a pair shares."""
    words = np.concatenate(prints)
    owners = np.repeat(np.arange(len(prints)), [len(words) for words in prints])
    positions = np.concatenate([np.arange(len(words)) for words in prints])
    used = words != _NO_WORD
    used[1:] &= words[1:] != words[:-1]  # a sustained note is one event
    index = np.flatnonzero(used)
    index = index[np.argsort(words[index], kind="stable")]
    words, owners, positions = words[index], owners[index], positions[index]
    found: list[Int64] = [np.empty(0, np.int64)]
    for lag in range(1, min(_NEIGHBOURS, len(words) - 1) + 1):
        common = np.flatnonzero((words[lag:] == words[:-lag]) & (owners[lag:] != owners[:-lag]))
        pairs = owners[common] * len(prints) + owners[common + lag]
        shifts = positions[common + lag] - positions[common]
        found.append(pairs * (2 * reach + 1) + shifts + reach)
    return np.concatenate(found)


def _verify(prints: Sequence[Words], first: int, second: int, shift: int) -> Match | None:
    near = (_compare(prints[first], prints[second], shift + by) for by in (-1, 0, 1))
    n_frames, similarity, shift = max(near)
    if not n_frames:
        return None
    return Match(first, second, shift * _FRAME_SECONDS, n_frames * _FRAME_SECONDS, similarity)


def _compare(a: Words, b: Words, shift: int) -> tuple[int, float, int]:
    """Compare ``a[i]`` with ``b[i + shift]``.

    Returns:
        The number of matching frames, the share of equal bits in them, and ``shift``.

    """
    start, stop = max(0, -shift), min(len(a), len(b) - shift)
    if stop - start < _WINDOW:
        return 0, 0.0, shift
    a, b = a[start:stop], b[start + shift : stop + shift]
    errors = np.bitwise_count(a ^ b).astype(np.int64)
    errors[(a == _NO_WORD) | (b == _NO_WORD)] = _CHANCE
    total = np.concatenate([[0], np.cumsum(errors)])
    alike = total[_WINDOW:] - total[:-_WINDOW] <= _MAX_ERROR * 32 * _WINDOW
    shared = np.pad(
        alike, (_WINDOW // 2, (_WINDOW - 1) // 2), mode="edge"
    )  # from windows to frames
    if shared.sum() < _WINDOW:
        return 0, 0.0, shift
    return int(shared.sum()), 1 - float(errors[shared].mean()) / 32, shift


def connected(n: int, links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the connected components of a graph with nodes below ``n``.

    Args:
        n: number of nodes.
        links: pairs of nodes.

    Returns:
        The components of two nodes or more, each sorted.

    """
    parent = list(range(n))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second in links:
        a, b = root(first), root(second)
        parent[max(a, b)] = min(a, b)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index in range(n):
        groups[root(index)].append(index)
    return [members for members in groups.values() if len(members) > 1]

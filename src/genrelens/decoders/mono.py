"""The mono mix: the mean of the channels, except where they cancel each other.

Two things make channels cancel that are alike. Both are rare in ordinary stereo music, which gets
the plain mean; ``scripts/judge_mono.py`` measures how rare.

- *Opposed* channels: one is inverted (faulty cables, karaoke rips). A second is opposed where the
  channels' sum has less than half of the power of channels that have nothing in common, over the
  five seconds around it; for two channels as loud as each other this is a correlation below -0.5.
  Each channel is then added with the sign of its correlation with the loudest one.
- *Delayed* copies: a channel is the loudest one again, 0.1 to 50 ms earlier or later, which makes
  a comb filter of the mean. It is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_of", "mixed"]

Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]
Complexes = NDArray[np.complexfloating]

_OPPOSED = 0.5  # power of the sum over the sum of the powers, below which channels cancel
_AROUND = 5  # seconds that decide about the one in their middle
_FADE = 0.02  # seconds, from the weights of one second to those of the next
_MOST_NUMBERS = 2**19  # in a "second", all channels together, so that memory is bounded

_COPY = 0.95  # correlation from which on a channel is a copy of another
_DELAYS = (0.0001, 0.05)  # seconds; what is shorter changes only the highest frequencies
_COARSE_RATE = 8000  # Hz, at which delays are looked for
_HIGHEST = 0.7  # share of that rate's band that is looked at
_WORTH_A_LOOK = 0.6  # correlation between samples of that rate that may be 0.95 in between


def mixed(blocks: Iterable[Float32], sample_rate: int, longest: int) -> Iterator[Float32]:
    """Mix the channels of a recording that arrives in blocks.

    Seconds are counted from the first sample, so the mix does not depend on how the recording is
    cut into blocks. It is behind the blocks by up to five seconds.

    Args:
        blocks: consecutive pieces, each (n_channels, n) float32. The number of channels may
            change; counting begins anew there.
        sample_rate: in Hz.
        longest: samples in a block of the mix.

    Yields:
        (n,) float32, 1 <= n <= ``longest``: together as many samples as came in.

    """
    for n_channels, run in groupby(blocks, key=len):
        mixes: Iterator[Float32]
        if n_channels == 1:
            mixes = (block[0] for block in run)
        else:
            mixes = _Mixer(n_channels, sample_rate).mix(run)
        for mix in mixes:
            yield from (mix[start : start + longest] for start in range(0, len(mix), longest))


def mean_of(channels: Float32) -> Float32:
    """Average channels (c, n); what is not finite stays so, without a warning.

    Rows that lie apart are averaged four times as fast as pairs of neighbours, and two rows added
    twice as fast again.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if len(channels) == 2:
            return np.asarray(np.add(*channels, dtype=np.float32) * np.float32(0.5))
        return np.asarray(np.ascontiguousarray(channels).mean(axis=0, dtype=np.float32))


class _Mixer:
    """Mixes blocks of a fixed number of channels, second by second.

    Attributes:
        waiting: samples that are not mixed yet, (c, n).
        powers: of each second so far, the power of the channels' sum and the sum of their
            powers, (2, n_seconds).
        done: number of seconds that are mixed.
        weights: of the channels in the last of these, 1, -1 or 0; None before the first.
        copies: the channels that are delayed copies of another one, in these five seconds.

    """

    def __init__(self, n_channels: int, sample_rate: int) -> None:
        self._rate = sample_rate
        self._size = max(1, min(sample_rate, _MOST_NUMBERS // n_channels))
        self.waiting = np.empty((n_channels, 0), np.float32)
        self.powers = np.empty((2, 0))
        self.done = 0
        self.weights: Float32 | None = None
        self.copies = np.zeros(n_channels, np.bool_)

    def mix(self, blocks: Iterable[Float32]) -> Iterator[Float32]:
        """Yield the mix of ``blocks``, each (c, n)."""
        for block in _joined(blocks, _AROUND * self._size):
            self._take(block)
            if self._n_known >= _AROUND:
                yield from self._mix_until(self._n_known - _AROUND // 2)
        n_measured = (self._n_known - self.done) * self._size
        if n_measured < self.waiting.shape[1]:  # the last second is a shorter one
            self._measure(self.waiting[:, None, n_measured:])
        yield from self._mix_until(self._n_known)

    @property
    def _n_known(self) -> int:
        return int(self.powers.shape[1])

    def _take(self, block: Float32) -> None:
        """Take in a block, and measure the seconds that it completes."""
        n_waiting = self.waiting.shape[1]
        joined = np.empty((len(block), n_waiting + block.shape[1]), np.float32)
        joined[:, :n_waiting], joined[:, n_waiting:] = self.waiting, block
        self.waiting = joined  # rows that lie apart, however the block lies
        start = (self._n_known - self.done) * self._size
        n_new = (self.waiting.shape[1] - start) // self._size
        if n_new:
            seconds = self.waiting[:, start : start + n_new * self._size]
            self._measure(seconds.reshape(len(seconds), n_new, self._size))

    def _measure(self, seconds: Float32) -> None:
        """Measure the powers of seconds (c, k, n)."""
        with np.errstate(over="ignore", invalid="ignore"):
            total = seconds.sum(axis=0)
            of_sum = np.einsum("kn,kn->k", total, total)
            of_channels = np.einsum("ckn,ckn->ck", seconds, seconds).sum(axis=0, dtype=np.float64)
        self.powers = np.concatenate([self.powers, [of_sum, of_channels]], axis=1)

    def _mix_until(self, stop: int) -> Iterator[Float32]:
        """Mix the seconds before number ``stop`` that are not mixed yet."""
        if stop <= self.done:
            return
        plain = self.weights is None or self.weights.min() == 1
        opposed = self._opposed()
        weights = [self._weights(index, opposed[index]) for index in range(self.done, stop)]
        n_samples = min((stop - self.done) * self._size, self.waiting.shape[1])
        channels, self.waiting = np.split(self.waiting, [n_samples], axis=1)
        self.done = stop
        if plain and np.min(weights) == 1:
            self.weights = weights[-1]
            yield mean_of(channels)
        else:
            seconds = np.split(channels, range(self._size, n_samples, self._size), axis=1)
            yield np.concatenate(list(map(self._mix_second, seconds, weights)))

    def _opposed(self) -> Bools:
        """Decide for all seconds that are known: (n_seconds,).

        The five seconds around the first and the last two are the first and the last five.
        """
        n = self._n_known
        width = min(_AROUND, n)
        sums = np.cumsum(np.pad(self.powers, ((0, 0), (1, 0))), axis=1)
        around = sums[:, width:] - sums[:, :-width]  # (2, n - width + 1)
        centres = np.clip(np.arange(n) - _AROUND // 2, 0, n - width)
        return np.asarray(around[0] < _OPPOSED * around[1])[centres]

    def _weights(self, number: int, opposed: np.bool_) -> Float32:
        """Find the weights of the channels in a second that is not mixed yet."""
        if number % _AROUND == 0:
            middle = self._second(min(number + _AROUND // 2, self._n_known - 1))
            if 2 * middle.shape[1] >= self._size:  # else it is too short to tell
                self.copies = _delayed_copies(middle, self._rate)
        weights = np.ones(len(self.waiting), np.float32)
        if opposed:
            weights = _signs(self._second(number))
        weights[self.copies] = 0
        return weights

    def _second(self, number: int) -> Float32:
        start = (number - self.done) * self._size
        return self.waiting[:, start : start + self._size]

    def _mix_second(self, channels: Float32, weights: Float32) -> Float32:
        """Mix a second (c, n); its beginning is a fade from the weights of the one before."""
        before = weights if self.weights is None else self.weights
        if weights @ before < 0:
            weights = -weights  # a polarity of the whole is as good as the other
        mix, self.weights = _weighted_mean(channels, weights), weights
        if not np.array_equal(before, weights):
            start = channels[:, : round(_FADE * self._size)]
            ramp = np.linspace(0, 1, start.shape[1], endpoint=False, dtype=np.float32)
            mix[: len(ramp)] *= ramp
            mix[: len(ramp)] += (1 - ramp) * _weighted_mean(start, before)
        return mix


def _joined(blocks: Iterable[Float32], size: int) -> Iterator[Float32]:
    """Join small blocks (c, n) to some of at least ``size`` samples; the last may be shorter."""
    pending: list[Float32] = []
    n_samples = 0
    for block in blocks:
        pending.append(block)
        n_samples += block.shape[1]
        if n_samples >= size:
            yield pending[0] if len(pending) == 1 else np.concatenate(pending, axis=1)
            pending, n_samples = [], 0
    if pending:
        yield np.concatenate(pending, axis=1)


def _signs(channels: Float32) -> Float32:
    """Find the sign of each channel's correlation with the loudest one: (c, n) -> (c,)."""
    products = np.einsum("cn,n->c", channels, channels[_loudest(channels)], dtype=np.float64)
    return np.where(products < 0, -1, 1).astype(np.float32)


def _loudest(channels: Float32) -> int:
    return int(np.einsum("cn,cn->c", channels, channels, dtype=np.float64).argmax())


def _weighted_mean(channels: Float32, weights: Float32) -> Float32:
    """Average the channels (c, n) whose weight is not 0; the weights are 1 or -1."""
    kept = weights != 0
    return mean_of(channels[kept] * weights[kept, None])


# ------------------------------------------------------------------------------- delays


def _delayed_copies(channels: Float32, sample_rate: int) -> Bools:
    """Find the channels that are a delayed copy of the loudest one: (c, n) -> (c,)."""
    found = np.zeros(len(channels), np.bool_)
    factor = max(1, sample_rate // _COARSE_RATE)
    n = channels.shape[1] // factor
    with np.errstate(over="ignore", invalid="ignore"):
        coarse = np.zeros((len(channels), n), np.float32)
        for start in range(factor):
            coarse += channels[:, start : n * factor : factor]
        spectra = _flat_spectra(coarse)
        lengths = np.sqrt(np.square(np.abs(spectra)).sum(axis=1))
    if not np.isfinite(lengths).all():
        return found
    loudest = int(lengths.argmax())
    for index, length in enumerate(lengths):
        if index != loudest and length > 0:
            cross = spectra[index] * spectra[loudest].conj() / (length * lengths[loudest])
            found[index] = _is_delayed(cross, n, sample_rate / factor)
    return found


def _flat_spectra(coarse: Float32) -> Complexes:
    """Transform channels (c, n) to spectra (c, k), the bass weakened and the treble left out.

    Without the first the bass would decide alone; the second holds what folded over.
    """
    n = coarse.shape[1]
    spectra = np.fft.rfft(coarse, 1 << int(n * (1 + 2 * _DELAYS[1])).bit_length(), axis=1)
    ramp = np.arange(spectra.shape[1]) / spectra.shape[1]
    return np.asarray(spectra * np.where(ramp < _HIGHEST, ramp, 0))


def _is_delayed(cross: Complexes, n: int, rate: float) -> bool:
    """Decide by the cross spectrum of n samples; the sum of its absolute values is 1 at most."""
    size = 2 * (len(cross) - 1)
    furthest = int(_DELAYS[1] * rate)
    lags = np.arange(-furthest, furthest + 1)
    overlap = n / (n - np.abs(lags))
    near = np.abs(np.fft.irfft(cross)[lags]) * (size / 2) * overlap
    best = int(lags[near.argmax()])
    if best == 0 or near.max() < _WORTH_A_LOOK:
        return False
    used = int(_HIGHEST * len(cross)) + 1
    between = best + np.linspace(-1, 1, 33)
    turns = np.exp(2j * np.pi / size * np.outer(between, np.arange(used)))
    values = np.abs((turns @ cross[:used]).real) * overlap[near.argmax()]
    delay, value = abs(between[values.argmax()]) / rate, float(values.max())
    together = abs(float(cross.real.sum()))
    return delay >= _DELAYS[0] and value >= _COPY and 1 - value < (1 - together) / 2

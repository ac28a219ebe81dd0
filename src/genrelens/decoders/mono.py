"""The mono mix: the mean of the channels, except where they cancel each other.

Similar channels cancel each other in two cases. Both are rare in ordinary stereo music, whose mix
is the plain mean; ``scripts/judge_mono.py`` measures how rare.

- *Opposed* channels: one is inverted (faulty cables, karaoke rips). A second is opposed if, over
  the five seconds around it, the power of the sum of the channels is less than half of the sum of
  their powers; for two equally loud channels this is a correlation below -0.5. Each channel is
  then added with the sign of its correlation with the loudest one.
- *Delayed* copies: a channel repeats the loudest one 0.1 to 50 ms earlier or later, so that the
  mean is a comb filter. Such a channel is ignored.
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
_CONTEXT = 5  # seconds of context: the weights of a second depend on the five around it
_FADE = 0.02  # seconds of the transition between the weights of two seconds
_MAX_VALUES = 2**19  # in a "second", all channels together; bounds the memory

_COPY = 0.95  # correlation above which a channel is a copy of another one
_DELAYS = (0.0001, 0.05)  # seconds; shorter delays change only the highest frequencies
_COARSE_RATE = 8000  # Hz; delays are searched at this sample rate
_USED_BAND = 0.7  # fraction of the band at that rate that is used
_CANDIDATE = 0.6  # correlation at a whole sample of that rate; between samples it can reach 0.95


def mixed(blocks: Iterable[Float32], sample_rate: int, longest: int) -> Iterator[Float32]:
    """Mix the channels of a recording in blocks.

    Seconds are counted from the first sample, so the mix does not depend on the blocks. It lags
    behind the blocks by up to five seconds.

    Args:
        blocks: consecutive blocks, each (n_channels, n) float32. The number of channels may
            change; seconds are then counted from the change.
        sample_rate: in Hz.
        longest: largest number of samples in a block of the mix.

    Yields:
        (n,) float32 with 1 <= n <= ``longest``; in total as many samples as in a channel.

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
    """Return the mean of channels (c, n); values that are not finite cause no warning.

    The mean of contiguous rows is four times as fast as that of interleaved samples, and the sum
    of two rows is twice as fast again.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if len(channels) == 2:
            return np.asarray(np.add(*channels, dtype=np.float32) * np.float32(0.5))
        return np.asarray(np.ascontiguousarray(channels).mean(axis=0, dtype=np.float32))


class _Mixer:
    """Mixes blocks of a fixed number of channels, second by second.

    Attributes:
        waiting: samples that are not mixed yet, (c, n).
        powers: power of the sum of the channels and sum of their powers, for each second so far,
            (2, n_seconds).
        done: number of seconds that are mixed.
        weights: weight of each channel in the last mixed second, 1, -1 or 0; None at the start.
        copies: whether each channel is a delayed copy of another one, in the current five seconds.

    """

    def __init__(self, n_channels: int, sample_rate: int) -> None:
        self._rate = sample_rate
        self._size = max(1, min(sample_rate, _MAX_VALUES // n_channels))
        self.waiting = np.empty((n_channels, 0), np.float32)
        self.powers = np.empty((2, 0))
        self.done = 0
        self.weights: Float32 | None = None
        self.copies = np.zeros(n_channels, np.bool_)

    def mix(self, blocks: Iterable[Float32]) -> Iterator[Float32]:
        """Yield the mix of ``blocks``, each (c, n)."""
        for block in _joined(blocks, _CONTEXT * self._size):
            self._append(block)
            if self._n_measured >= _CONTEXT:
                yield from self._mix_until(self._n_measured - _CONTEXT // 2)
        start = (self._n_measured - self.done) * self._size
        if start < self.waiting.shape[1]:  # the last second is incomplete
            self._measure(self.waiting[:, None, start:])
        yield from self._mix_until(self._n_measured)

    @property
    def _n_measured(self) -> int:
        return int(self.powers.shape[1])

    def _append(self, block: Float32) -> None:
        """Append a block and measure the seconds that it completes."""
        n_waiting = self.waiting.shape[1]
        joined = np.empty((len(block), n_waiting + block.shape[1]), np.float32)
        joined[:, :n_waiting], joined[:, n_waiting:] = self.waiting, block
        self.waiting = joined  # contiguous rows, for any layout of the block
        start = (self._n_measured - self.done) * self._size
        n_new = (self.waiting.shape[1] - start) // self._size
        if n_new:
            seconds = self.waiting[:, start : start + n_new * self._size]
            self._measure(seconds.reshape(len(seconds), n_new, self._size))

    def _measure(self, seconds: Float32) -> None:
        """Append the powers of seconds (c, k, n)."""
        with np.errstate(over="ignore", invalid="ignore"):
            total = seconds.sum(axis=0)
            of_sum = np.einsum("kn,kn->k", total, total)
            of_channels = np.einsum("ckn,ckn->ck", seconds, seconds).sum(axis=0, dtype=np.float64)
        self.powers = np.concatenate([self.powers, [of_sum, of_channels]], axis=1)

    def _mix_until(self, stop: int) -> Iterator[Float32]:
        """Mix the seconds before number ``stop`` that are not mixed yet."""
        if stop <= self.done:
            return
        is_plain = self.weights is None or self.weights.min() == 1
        opposed = self._opposed()
        weights = [self._weights(index, opposed[index]) for index in range(self.done, stop)]
        n_samples = min((stop - self.done) * self._size, self.waiting.shape[1])
        channels, self.waiting = np.split(self.waiting, [n_samples], axis=1)
        self.done = stop
        if is_plain and np.min(weights) == 1:
            self.weights = weights[-1]
            yield mean_of(channels)
        else:
            seconds = np.split(channels, range(self._size, n_samples, self._size), axis=1)
            yield np.concatenate(list(map(self._mix_second, seconds, weights)))

    def _opposed(self) -> Bools:
        """Return whether the channels are opposed in each measured second, (n_seconds,).

        The first two seconds use the first five, the last two the last five.
        """
        n = self._n_measured
        width = min(_CONTEXT, n)
        sums = np.cumsum(np.pad(self.powers, ((0, 0), (1, 0))), axis=1)
        context = sums[:, width:] - sums[:, :-width]  # (2, n - width + 1)
        centres = np.clip(np.arange(n) - _CONTEXT // 2, 0, n - width)
        return np.asarray(context[0] < _OPPOSED * context[1])[centres]

    def _weights(self, number: int, opposed: np.bool_) -> Float32:
        """Return the weights of the channels in a second that is not mixed yet, (c,)."""
        if number % _CONTEXT == 0:
            middle = self._second(min(number + _CONTEXT // 2, self._n_measured - 1))
            if 2 * middle.shape[1] >= self._size:  # else it is too short
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
        """Mix a second (c, n), with a fade from the weights of the previous one at the start."""
        before = weights if self.weights is None else self.weights
        if weights @ before < 0:
            weights = -weights  # the polarity of the mix is arbitrary; avoid a jump
        mix, self.weights = _weighted_mean(channels, weights), weights
        if not np.array_equal(before, weights):
            start = channels[:, : round(_FADE * self._size)]
            ramp = np.linspace(0, 1, start.shape[1], endpoint=False, dtype=np.float32)
            mix[: len(ramp)] *= ramp
            mix[: len(ramp)] += (1 - ramp) * _weighted_mean(start, before)
        return mix


def _joined(blocks: Iterable[Float32], size: int) -> Iterator[Float32]:
    """Join blocks (c, n) to blocks of at least ``size`` samples; the last can be shorter."""
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
    """Return the sign of each channel's correlation with the loudest one: (c, n) -> (c,)."""
    products = np.einsum("cn,n->c", channels, channels[_loudest(channels)], dtype=np.float64)
    return np.where(products < 0, -1, 1).astype(np.float32)


def _loudest(channels: Float32) -> int:
    return int(np.einsum("cn,cn->c", channels, channels, dtype=np.float64).argmax())


def _weighted_mean(channels: Float32, weights: Float32) -> Float32:
    """Return the mean of the channels (c, n) with weight 1 or -1, ignoring those with weight 0."""
    kept = weights != 0
    return mean_of(channels[kept] * weights[kept, None])


# ------------------------------------------------------------------------------- delays


def _delayed_copies(channels: Float32, sample_rate: int) -> Bools:
    """Return which channels are a delayed copy of the loudest one: (c, n) -> (c,)."""
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
    """Return spectra (c, k) of channels (c, n) with weakened bass and without treble.

    Strong bass would dominate the correlation. The treble contains aliases.
    """
    spectra = np.fft.rfft(coarse, _fast_length(int(coarse.shape[1] * (1 + 2 * _DELAYS[1]))), axis=1)
    ramp = np.arange(spectra.shape[1], dtype=np.float32) / np.float32(spectra.shape[1])
    return np.asarray(spectra * np.where(ramp < _USED_BAND, ramp, np.float32(0)))


def _fast_length(n: int) -> int:
    """Return the shortest even length above ``n`` of the form 4, 5 or 6 * 2**k."""
    return min(factor << max(1, (n // factor).bit_length()) for factor in (4, 5, 6))


def _is_delayed(cross: Complexes, n: int, rate: float) -> bool:
    """Return whether one channel is a delayed copy of the other.

    Args:
        cross: cross spectrum of the channels; the sum of its absolute values is at most 1.
        n: number of samples of each channel.
        rate: sample rate in Hz.

    """
    size = 2 * (len(cross) - 1)
    max_lag = int(_DELAYS[1] * rate)
    lags = np.arange(-max_lag, max_lag + 1)
    overlap = n / (n - np.abs(lags))
    correlations = np.abs(np.fft.irfft(cross)[lags]) * (size / 2) * overlap
    best = int(lags[correlations.argmax()])
    if best == 0 or correlations.max() < _CANDIDATE:
        return False
    n_used = int(_USED_BAND * len(cross)) + 1
    between = best + np.linspace(-1, 1, 33)  # lags between two samples
    phases = np.exp(2j * np.pi / size * np.outer(between, np.arange(n_used)))
    values = np.abs((phases @ cross[:n_used]).real) * overlap[correlations.argmax()]
    delay, value = abs(between[values.argmax()]) / rate, float(values.max())
    undelayed = abs(float(cross.real.sum()))
    return delay >= _DELAYS[0] and value >= _COPY and 1 - value < (1 - undelayed) / 2

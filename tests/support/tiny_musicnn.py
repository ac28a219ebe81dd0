"""An untrained ``musicnn`` with the shapes of the real one: its weights are random."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from genrelens.train.lens.musicnn import Musicnn

N_BANDS = 96
SCALE = 10_000.0

KERNELS = {
    "conv2d": (7, 38, 1, 204),
    "conv2d_1": (7, 67, 1, 204),
    "conv2d_2": (128, 1, 1, 51),
    "conv2d_3": (64, 1, 1, 51),
    "conv2d_4": (32, 1, 1, 51),
    "conv2d_5": (7, 561, 1, 64),
    "conv2d_6": (7, 64, 1, 64),
    "conv2d_7": (7, 64, 1, 64),
    "dense": (1506, 200),
    "dense_1": (200, 50),
}
LIVE = (68, 68, 17, 17, 17)  # filters of each kernel of the front end that have weights
N_FEATURES = 2 * (sum(LIVE) + 3 * 64) + 200
NORMS = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)


@functools.cache
def weights(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return weights by their names in TensorFlow; every other slope of a norm is negative.

    One of three filters of the front end has weights; the others are zero, as after weight decay.
    """
    rng = np.random.default_rng(seed)
    drawn: dict[str, NDArray[np.float64]] = {}
    for name, shape in KERNELS.items():
        drawn[f"{name}/kernel"] = rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))
        if shape[-1] in (204, 51):
            drawn[f"{name}/kernel"][..., np.arange(shape[-1]) % 3 != 0] *= 1e-9
        drawn[f"{name}/bias"] = 0.1 * rng.standard_normal(shape[-1])
    for number, size in enumerate(NORMS):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        drawn[f"{name}/gamma"] = rng.uniform(0.5, 1.5, size) * (-1.0) ** np.arange(size)
        drawn[f"{name}/beta"] = 0.1 * rng.standard_normal(size)
        drawn[f"{name}/moving_mean"] = 0.5 * rng.standard_normal(size)
        drawn[f"{name}/moving_variance"] = rng.uniform(0.2, 1.5, size)
    return {name: values.astype(np.float32) for name, values in drawn.items()}


def network(seed: int = 0) -> Musicnn:
    """Return the network with the weights of :func:`weights`, in eval mode."""
    from genrelens.train.lens.musicnn import Musicnn

    return Musicnn(weights(seed), scale=SCALE).eval().requires_grad_(False)


def mel_power(n: int = 2, n_frames: int = 40, *, seed: int = 0) -> NDArray[np.float32]:
    """Return mel power spectra (n, t, 96) that are as uneven as those of music."""
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(-3, 1.5, (n, n_frames, N_BANDS))).astype(np.float32)


def segments(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compress power as the front end does."""
    return np.log1p(SCALE * power.astype(np.float64)).astype(np.float32)

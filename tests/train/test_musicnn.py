"""musicnn against a direct implementation of its paper and of TensorFlow's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from support import tiny_musicnn

if TYPE_CHECKING:
    from torch import Tensor

    from genrelens.train.lens.musicnn import Musicnn

LEVEL = 0.16  # mean mel power that a segment is brought to
FRONT = sum(tiny_musicnn.LIVE)


@pytest.fixture(scope="module")
def network() -> Musicnn:
    return tiny_musicnn.network()


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    import torch

    return {name: torch.from_numpy(values) for name, values in tiny_musicnn.weights().items()}


# ------------------------------------------------------------------------ the reference


def norm(x: Tensor, w: dict[str, Tensor], number: int) -> Tensor:
    """TensorFlow's batch norm of the channels, which come second; its epsilon is 1e-3."""
    import torch

    name = f"batch_normalization_{number}" if number else "batch_normalization"
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    shape = (1, -1, *[1] * (x.ndim - 2))
    gamma, beta, mean, variance = (w[f"{name}/{part}"].view(shape) for part in parts)
    return gamma * (x - mean) / torch.sqrt(variance + 1e-3) + beta


def layer(x: Tensor, w: dict[str, Tensor], number: int) -> Tensor:
    """A convolution without padding and the rectifier: (n, channels, t, b)."""
    import torch
    from torch.nn.functional import conv2d

    name = f"conv2d_{number}" if number else "conv2d"
    kernel = w[f"{name}/kernel"].permute(3, 2, 0, 1)  # TensorFlow's: (height, width, in, out)
    return torch.relu(conv2d(x, kernel, w[f"{name}/bias"]))


def front_end(compressed: Tensor, w: dict[str, Tensor]) -> Tensor:
    """(n, t, b) -> (n, 561, t): the largest over the bands of what follows each batch norm."""
    import torch
    from torch.nn.functional import pad

    x = norm(compressed.unsqueeze(1), w, 0)  # (n, 1, t, b)
    responses = []
    for number, (before, after) in enumerate([(3, 3), (3, 3), (63, 64), (31, 32), (15, 16)]):
        y = layer(pad(x, (0, 0, before, after)), w, number)
        responses.append(norm(y, w, number + 1).amax(dim=3))
    return torch.cat(responses, dim=1)


def feature_map(power: NDArray[np.float32], w: dict[str, Tensor]) -> Tensor:
    """(n, t, b), at one level already -> (n, 753, t)."""
    import torch
    from torch.nn.functional import pad

    x = front_end(torch.log10(1 + 10_000 * torch.from_numpy(power)), w)
    channels = [x]
    for number in (5, 6, 7):
        tall = channels[-1].transpose(1, 2).unsqueeze(1)  # (n, 1, t, channels): one tall image
        y = layer(pad(tall, (0, 0, 3, 3)), w, number).squeeze(3)  # the kernel spans all channels
        y = norm(y, w, number + 1)
        channels.append(y if number == 5 else y + channels[-1])
    return torch.cat(channels, dim=1)


def pooled(features: Tensor) -> Tensor:
    """Return the largest and the mean of each channel, interleaved: (n, 1506)."""
    import torch

    return torch.stack([features.amax(dim=2), features.mean(dim=2)], dim=2).flatten(1)


def live(network: Musicnn) -> Tensor:
    """Return a mask of the features of live filters among the paper's 1506."""
    import torch

    kept = torch.ones(753, dtype=torch.bool)
    kept[network.front.dead] = False
    return kept.repeat_interleave(2)


def embedded(features: Tensor, w: dict[str, Tensor]) -> Tensor:
    import torch

    hidden = norm(features, w, 9) @ w["dense/kernel"] + w["dense/bias"]
    return norm(torch.relu(hidden), w, 10)


def levelled(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale segments to the level of the network's input."""
    return power * (LEVEL / power.mean(axis=(1, 2), keepdims=True))


def outputs_of(network: Musicnn, power: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    import torch

    pooled_features, embeddings = network(torch.from_numpy(tiny_musicnn.segments(power)))
    return pooled_features, embeddings


def close(got: Tensor, expected: Tensor, tolerance: float = 1e-3) -> None:
    import torch

    torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance)


# ----------------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("n_frames", [1, 40, 187])
def test_front_end_is_that_of_the_paper(n_frames: int, weights: dict[str, Tensor]) -> None:
    """Half of the slopes are negative, so that the smallest response becomes the largest value."""
    import torch

    from genrelens.train.lens.musicnn import FrontEnd

    compressed = torch.from_numpy(tiny_musicnn.mel_power(2, n_frames, seed=1)).mul(1e4).log1p()
    front = FrontEnd(tiny_musicnn.weights()).eval()
    got, expected = front(compressed), front_end(compressed, weights)
    assert got.shape == (2, FRONT, n_frames)
    close(got, expected[:, front.live], 1e-4)
    close(front.fixed[:, None].expand(2, -1, n_frames), expected[:, front.dead], 1e-4)


def test_features_and_embeddings_are_those_of_the_paper(
    network: Musicnn, weights: dict[str, Tensor]
) -> None:
    from genrelens.train.lens.musicnn import EMBEDDING_SIZE

    power = tiny_musicnn.mel_power(2)
    features, embeddings = outputs_of(network, power)
    expected = pooled(feature_map(levelled(power), weights))
    assert features.shape == (2, network.pooled_size)
    assert embeddings.shape == (2, EMBEDDING_SIZE)
    close(features, expected[:, live(network)])
    close(embeddings, embedded(expected, weights))
    tags = embeddings @ weights["dense_1/kernel"] + weights["dense_1/bias"]
    close(network.tags(embeddings), tags)


def test_a_batch_gives_what_its_segments_give_one_by_one(network: Musicnn) -> None:
    power = tiny_musicnn.mel_power(3)
    together = outputs_of(network, power)
    for number, one in enumerate(power):
        for all_of_them, alone in zip(together, outputs_of(network, one[None]), strict=True):
            close(alone[0], all_of_them[number], 1e-4)


# ----------------------------------------------------------------------- level and silence


def test_level_ignores_silent_frames() -> None:
    """Two of four frames have a mean of 4; the gain is 0.04, also for silent frames."""
    import torch

    from genrelens.train.lens.musicnn import at_one_level

    power = torch.tensor([[[2.0, 2.0], [0.0, 0.0], [4.0, 8.0], [0.0, 0.0]]])
    audible = torch.tensor([[True, False, True, False]])
    expected = torch.tensor([[[0.08, 0.08], [0.0, 0.0], [0.16, 0.32], [0.0, 0.0]]])
    torch.testing.assert_close(at_one_level(power, audible), expected)


def test_very_quiet_segments_are_not_raised_to_the_level_of_music() -> None:
    """The largest gain is 50 dB."""
    import torch

    from genrelens.train.lens.musicnn import at_one_level

    power = torch.full((1, 3, 2), 1e-9)
    got = at_one_level(power, torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(got, torch.full((1, 3, 2), 1e-4))


@pytest.mark.parametrize("decibels", [-20, 15])
def test_level_does_not_change_the_output(decibels: float, network: Musicnn) -> None:
    import torch

    power = tiny_musicnn.mel_power(2)
    loud, quiet = (
        outputs_of(network, power),
        outputs_of(network, np.float32(10 ** (decibels / 10)) * power),
    )
    for one, other in zip(loud, quiet, strict=True):
        close(other, one, 1e-2)
    assert not torch.allclose(loud[1][0], loud[1][1], rtol=0.1, atol=0.1)  # or it would be easy


def test_pooling_ignores_silent_frames(network: Musicnn, weights: dict[str, Tensor]) -> None:
    import torch

    power = np.concatenate([levelled(tiny_musicnn.mel_power(1, 30)), np.zeros((1, 12, 96))], axis=1)
    got, _ = outputs_of(network, power.astype(np.float32))
    features = feature_map(power.astype(np.float32), weights)
    close(got, pooled(features[:, :, :30])[:, live(network)])
    assert not torch.allclose(got, pooled(features)[:, live(network)], rtol=1e-2, atol=1e-2)


def test_padding_with_silence_changes_only_the_frames_near_it() -> None:
    """To this front end silence is zero, as beyond the ends; the layers after it are 3 frames wide.

    So the front end's features do not change at all, and those of three layers by what 3, 6 and 9
    of 60 frames can do to a mean.
    """
    import torch

    from genrelens.train.lens.musicnn import Musicnn

    values = dict(tiny_musicnn.weights())
    values["batch_normalization/moving_mean"] = np.zeros(1, np.float32)
    values["batch_normalization/beta"] = np.zeros(1, np.float32)
    network = Musicnn(values, scale=tiny_musicnn.SCALE).eval()
    power = tiny_musicnn.mel_power(1, 60)
    longer = np.pad(power, ((0, 0), (0, 25), (0, 0)))
    with torch.inference_mode():
        (one, _), (other, _) = outputs_of(network, power), outputs_of(network, longer)
    close(other[:, : 2 * FRONT], one[:, : 2 * FRONT], 1e-4)
    mean, mean_padded = one[0, 2 * FRONT + 1 :: 2], other[0, 2 * FRONT + 1 :: 2]
    assert 1e-3 < float((mean - mean_padded).abs().max()) < 1


@pytest.mark.parametrize("silent", [[True, True], [True, False]], ids=["all", "one"])
def test_silence_gives_finite_numbers(silent: list[bool], network: Musicnn) -> None:
    import torch

    power = tiny_musicnn.mel_power(2)
    power[silent] = 0
    features, embeddings = outputs_of(network, power)
    assert torch.isfinite(features).all()
    assert torch.isfinite(embeddings).all()
    assert float(features.abs().max()) < 1e3  # not the value that stands for a frame left out

"""The networks against the table of the original system, layer for layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from torch import fx

from genrelens.features import ORIGINAL_MEL, ORIGINAL_MFCC
from genrelens.train.original.networks import MeanOverSegments
from support import tiny

if TYPE_CHECKING:
    from torch import Tensor, nn

    from genrelens.train.original.networks import MelCNN, MfccLSTM, SegmentLSTM


def mel_cnn(n_classes: int = 9, *, input_norm: bool = False) -> MelCNN:
    import torch

    from genrelens.train.original.networks import MelCNN

    torch.manual_seed(0)
    return MelCNN(n_classes=n_classes, segment_frames=41, n_bins=128, input_norm=input_norm).eval()


def mfcc_lstm(n_classes: int = 9, *, input_norm: bool = False) -> MfccLSTM:
    import torch

    from genrelens.train.original.networks import MfccLSTM

    torch.manual_seed(0)
    return MfccLSTM(n_classes=n_classes, n_bins=20, input_norm=input_norm).eval()


def segment_lstm(n_classes: int = 9) -> SegmentLSTM:
    import torch

    from genrelens.train.original.networks import SegmentLSTM

    torch.manual_seed(0)
    return SegmentLSTM(n_classes=n_classes).eval()


def layers(network: nn.Module) -> list[str]:
    """Return the operations of a network in order."""
    graph = _Tracer().trace(network)
    words = (_describe(node, network) for node in graph.nodes)
    return [word for word in words if word]


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        from genrelens.train.original.networks import InputNorm

        return isinstance(m, InputNorm) or super().is_leaf_module(m, module_qualified_name)


def _describe(node: fx.Node, network: nn.Module) -> str:
    from torch import nn

    if node.op != "call_module":
        name = getattr(node.target, "__name__", str(node.target))
        return (
            ""
            if name in {"input", "output", "segments", "segment_logits", "unsqueeze", "getitem"}
            else name
        )
    layer: Any = network.get_submodule(str(node.target))
    match layer:
        case nn.Conv2d():
            return (
                f"conv {layer.in_channels}->{layer.out_channels} kernel {layer.kernel_size} "
                f"stride {layer.stride} padding {layer.padding}"
            )
        case nn.MaxPool2d():
            return f"max pool {layer.kernel_size} stride {layer.stride} padding {layer.padding}"
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return f"batch norm {layer.num_features}"
        case nn.Linear():
            return f"linear {layer.in_features}->{layer.out_features}"
        case nn.LSTM():
            assert layer.num_layers == 1
            assert not layer.bidirectional
            return f"lstm {layer.input_size}->{layer.hidden_size}"
        case nn.Dropout():
            return f"dropout {layer.p}"
        case nn.Identity():
            return ""
    return type(layer).__name__


def conv(channels_in: int, channels_out: int) -> str:
    return f"conv {channels_in}->{channels_out} kernel (3, 3) stride (1, 1) padding (2, 2)"


def block(channels_in: int, channels_out: int) -> list[str]:
    pool = "max pool 3 stride 3 padding 0"
    return [
        conv(channels_in, channels_out),
        "relu",
        conv(channels_out, channels_out),
        "relu",
        pool,
        f"batch norm {channels_out}",
        "relu",
    ]


# ------------------------------------------------------------------------------- layers


@pytest.mark.parametrize("n_classes", [9, 10])
def test_mel_cnn_has_the_original_layers(n_classes: int) -> None:
    blocks = [*block(1, 32), *block(32, 64), *block(64, 128), *block(128, 256)]
    head = ["linear 1536->1024", "relu", "dropout 0.5", f"linear 1024->{n_classes}"]
    assert layers(mel_cnn(n_classes)) == [*blocks, "flatten", *head]


@pytest.mark.parametrize("n_classes", [9, 10])
def test_mfcc_lstm_has_the_original_layers(n_classes: int) -> None:
    expected = ["lstm 20->450", "dropout 0.5", f"linear 450->{n_classes}"]
    assert layers(mfcc_lstm(n_classes)) == expected


@pytest.mark.parametrize("n_classes", [9, 10])
def test_segment_lstm_has_the_original_layers(n_classes: int) -> None:
    expected = [
        f"lstm {n_classes}->16",
        "dropout 0.3",
        "lstm 16->32",
        "dropout 0.3",
        f"linear 32->{n_classes}",
    ]
    assert layers(segment_lstm(n_classes)) == expected


def test_mel_cnn_shapes_after_each_block() -> None:
    import torch

    network, shapes = mel_cnn(), []
    for part in (*network.blocks, network.hidden):
        part.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape)))
    logits = network(torch.rand(2, 41, 128))
    assert shapes == [(2, 32, 15, 44), (2, 64, 6, 16), (2, 128, 3, 6), (2, 256, 2, 3), (2, 1024)]
    assert logits.shape == (2, 9)


MEL_CNN_PARAMETERS = (
    (320 + 9_248 + 64)  # 9*1*32 + 32, 9*32*32 + 32, two for each channel's norm
    + (18_496 + 36_928 + 128)
    + (73_856 + 147_584 + 256)
    + (295_168 + 590_080 + 512)
    + 1_573_888  # 1536 * 1024 + 1024
)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (mel_cnn(9), MEL_CNN_PARAMETERS + 9_225),
        (mel_cnn(10), MEL_CNN_PARAMETERS + 10_250),
        (mel_cnn(9, input_norm=True), MEL_CNN_PARAMETERS + 9_225 + 256),
        (mfcc_lstm(9), 849_600 + 4_059),  # 4 * 450 * (20 + 450 + 2), 450 * 9 + 9
        (mfcc_lstm(10), 849_600 + 4_510),
        (segment_lstm(9), 1_728 + 6_400 + 297),  # 4*16*(9+16+2), 4*32*(16+32+2), 32*9 + 9
        (segment_lstm(10), 1_792 + 6_400 + 330),
    ],
)
def test_number_of_parameters(network: nn.Module, expected: int) -> None:
    assert sum(weights.numel() for weights in network.parameters()) == expected


def test_names_of_the_weights_are_unchanged() -> None:
    """Checkpoints of interrupted runs depend on them."""
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    lstm = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    ends = ["weight", "bias"]
    block_parts = {"conv1": ends, "conv2": ends, "norm": norm}
    blocks = {f"blocks.{i}.{part}": names for i in range(4) for part, names in block_parts.items()}
    expected: list[tuple[nn.Module, dict[str, list[str]]]] = [
        (mel_cnn(input_norm=True), {"input_norm": norm, **blocks, "hidden": ends, "output": ends}),
        (mfcc_lstm(input_norm=True), {"input_norm": norm, "lstm": lstm, "output": ends}),
        (segment_lstm(), {"lstm1": lstm, "lstm2": lstm, "output": ends}),
    ]
    for network, parts in expected:
        names = {f"{part}.{name}" for part, names in parts.items() for name in names}
        assert set(network.state_dict()) == names


def test_recipes_build_the_networks_for_the_original_segments() -> None:
    import torch

    from genrelens.train.original.fit import build_segment_network
    from genrelens.train.recipe import Recipe

    cnn = build_segment_network(Recipe.load("mel-cnn-lstm"), 9)
    assert layers(cnn) == layers(mel_cnn())
    assert cnn(torch.rand(1, 41, ORIGINAL_MEL.n_bins)).shape == (1, 9)
    lstm = build_segment_network(Recipe.load("mfcc-lstm"), 9)
    assert layers(lstm)[1:] == layers(mfcc_lstm())
    assert lstm.eval()(torch.rand(1, 41, ORIGINAL_MFCC.n_bins)).shape == (1, 9)


# -------------------------------------------------------------------------- input norm


@pytest.mark.parametrize(("build", "n_bins"), [(mel_cnn, 128), (mfcc_lstm, 20)])
def test_input_norm_is_the_only_addition(build: Any, n_bins: int) -> None:
    import torch
    from torch import nn

    plain, normed = build(), build(input_norm=True)
    added = set(normed.state_dict()) - set(plain.state_dict())
    assert {name.split(".")[0] for name in added} == {"input_norm"}
    plain.load_state_dict({k: v for k, v in normed.state_dict().items() if k not in added})
    nn.init.constant_(normed.input_norm.running_mean, 3.0)
    nn.init.constant_(normed.input_norm.running_var, 4.0)
    segments = 10 * torch.rand(2, 41, n_bins)
    # (x - 3) / 2, up to the norm's epsilon of 1e-5
    torch.testing.assert_close(normed(segments), plain((segments - 3) / 2), atol=1e-4, rtol=1e-4)


def test_input_norm_normalises_each_bin_over_segments_and_frames() -> None:
    import torch

    from genrelens.train.original.networks import InputNorm

    bins = torch.arange(1.0, 7.0)
    normalised = InputNorm(6).train()(5 * bins + bins * torch.randn(4, 30, 6))
    torch.testing.assert_close(normalised.mean(dim=(0, 1)), torch.zeros(6), atol=1e-4, rtol=0)
    deviation = normalised.std(dim=(0, 1), correction=0)
    torch.testing.assert_close(deviation, torch.ones(6), atol=1e-4, rtol=0)


# ----------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("name", ["mel-cnn", "mfcc-lstm"])
def test_a_batch_equals_its_segments_one_by_one(name: str) -> None:
    import torch

    network = tiny.network(name).segment_network
    segments = tiny.random_segments(7, tiny.MFCC if name == "mfcc-lstm" else tiny.MEL)
    one_by_one = torch.cat([network(segment.unsqueeze(0)) for segment in segments])
    torch.testing.assert_close(network(segments), one_by_one, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 31, 200])
def test_segment_lstm_takes_any_number_of_segments(n: int) -> None:
    import torch

    network, logits = segment_lstm(), torch.randn(3, n, 9)
    assert network(logits).shape == (3, 9)
    one_by_one = torch.cat([network(sequence.unsqueeze(0)) for sequence in logits])
    torch.testing.assert_close(network(logits), one_by_one, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("network", "steps", "shape"),
    [(mfcc_lstm(), "lstm", (2, 41, 20)), (segment_lstm(), "lstm2", (2, 31, 9))],
)
def test_only_the_last_step_is_used(network: nn.Module, steps: str, shape: tuple[int, ...]) -> None:
    import torch

    seen: list[Tensor] = []
    network.get_submodule(steps).register_forward_hook(lambda _, __, out: seen.append(out[0]))
    logits = network(torch.randn(shape))
    output = network.get_submodule("output")
    torch.testing.assert_close(logits, output(seen[0][:, -1]))
    assert not torch.allclose(logits, output(seen[0][:, -2]))


def test_mean_over_segments_is_the_mean_of_the_probabilities() -> None:
    import torch

    logits = 5 * torch.randn(3, 31, 9, dtype=torch.float64)
    mean = MeanOverSegments()(logits).softmax(dim=-1)
    torch.testing.assert_close(mean, logits.softmax(dim=-1).mean(dim=1))


def test_mean_over_segments_stays_finite() -> None:
    import torch

    logits = MeanOverSegments()(torch.tensor([[[1000.0, -1000.0]]]))
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("aggregator", [MeanOverSegments(), segment_lstm(3)])
def test_clip_network_is_the_chain_of_both(aggregator: nn.Module) -> None:
    import torch

    from genrelens.train.original.networks import ClipNetwork

    segment_network = tiny.network("mel-cnn").segment_network
    segments = tiny.random_segments(6)
    clip_logits, segment_logits = ClipNetwork(segment_network, aggregator)(segments)
    torch.testing.assert_close(segment_logits, segment_network(segments))
    torch.testing.assert_close(clip_logits, aggregator(segment_logits.unsqueeze(0))[0])
    assert clip_logits.shape == (3,)

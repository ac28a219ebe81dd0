"""Training in bfloat16 on a CPU: refused on processors that do not support it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from support import tiny
from support.processes import PATIENCE

if TYPE_CHECKING:
    from support.runs import Start

REFUSED = "this processor cannot train the network in bfloat16; use precision 32-true or a GPU"


def lstm_in_bfloat16() -> bool:
    """Return whether this processor runs an LSTM under autocast."""
    import torch

    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.nn.LSTM(4, 8)(torch.zeros(3, 2, 4))
    except RuntimeError:
        return False
    return True


@pytest.fixture
def lstm(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Make the LSTM behave as on a processor with or without bfloat16."""
    import torch

    from genrelens.train.original.networks import MfccLSTM

    forward = MfccLSTM.forward

    def changed(network: MfccLSTM, segments: torch.Tensor, *, able: bool) -> torch.Tensor:
        if torch.is_autocast_enabled("cpu") and not able:
            raise RuntimeError("could not create a primitive descriptor. Run workload with ...")
        with torch.autocast("cpu", enabled=False):
            return forward(network, segments)

    def change(able: bool) -> None:
        monkeypatch.setattr(MfccLSTM, "forward", lambda *args: changed(*args, able=able))

    return change


def check_trained(folder: Path) -> None:
    """Check for one epoch with finite figures and weights of 32 bits."""
    import torch

    from genrelens.train.trainer import read_history
    from support.runs import weights

    [epoch] = read_history(folder / "segments")
    assert np.isfinite([epoch["train_loss"], epoch["val_loss"]]).all()
    kept = {values.dtype for values in weights(folder / "segments").values()}
    assert kept <= {torch.float32, torch.int64}


def recipe(network: str, precision: str = "bf16-mixed") -> str:
    return tiny.recipe_text(network, epochs=1, precision=precision)


def test_a_network_of_convolutions(start: Start, tmp_path: Path) -> None:
    """Every processor supports it; the LSTM of the second stage is trained in 32 bits."""
    start(tmp_path / "run", recipe("mel-cnn-lstm"))
    check_trained(tmp_path / "run")


def test_an_lstm_on_this_processor(start: Start, tmp_path: Path) -> None:
    from genrelens.errors import RecipeError

    if lstm_in_bfloat16():
        start(tmp_path / "run", recipe("mfcc-lstm"))
        check_trained(tmp_path / "run")
    else:
        with pytest.raises(RecipeError, match=REFUSED):
            start(tmp_path / "run", recipe("mfcc-lstm"))


def test_an_lstm_on_a_processor_with_bfloat16(
    start: Start, lstm: Callable[[bool], None], tmp_path: Path
) -> None:
    lstm(True)
    start(tmp_path / "run", recipe("mfcc-lstm"))
    check_trained(tmp_path / "run")


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_an_lstm_on_a_processor_without_bfloat16(
    precision: str, start: Start, lstm: Callable[[bool], None], tmp_path: Path
) -> None:
    """It is refused before any clip is read. On a CPU Lightning uses bfloat16 for 16-mixed."""
    from genrelens.errors import RecipeError

    lstm(False)
    read: list[Any] = []
    with pytest.raises(RecipeError) as refused:
        start(
            tmp_path / "run",
            recipe("mfcc-lstm", precision),
            on_clip=lambda clip, error: read.append(clip),
        )
    assert str(refused.value) == (
        f"precision '{precision}': {REFUSED} (could not create a primitive descriptor)"
    )
    assert read == []
    assert not (tmp_path / "run").exists()


def test_32_bits_on_a_processor_without_bfloat16(
    start: Start, lstm: Callable[[bool], None], tmp_path: Path
) -> None:
    lstm(False)
    start(tmp_path / "run", recipe("mfcc-lstm", "32-true"))
    check_trained(tmp_path / "run")


@pytest.mark.slow
@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN can limit itself on x86 alone"
)
def test_the_command_with_avx2_only(tmp_path: Path) -> None:
    """oneDNN behaves as on such a processor: a sentence and exit code 2, no traceback."""
    tiny.write_clips(tmp_path / "clips")
    (tmp_path / "tiny.toml").write_text(recipe("mfcc-lstm"))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "genrelens",
            "train",
            "tiny.toml",
            "--data",
            "clips",
            "--out",
            "run",
            "--cache",
            "cache",
            "--device",
            "cpu",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: precision 'bf16-mixed': {REFUSED}")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()

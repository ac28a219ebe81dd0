"""One stage of training: a Lightning module fitted in a folder, resumable after a kill."""

from __future__ import annotations

import csv
import logging
import math
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    RichProgressBar,
)
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.plugins import TorchCheckpointIO
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor, nn

from genrelens.errors import RecipeError
from genrelens.files import replaced
from genrelens.plots import plot_curves
from genrelens.train.modules import NetworkModule

__all__ = ["Hardware", "Stage", "read_history"]

_WEIGHTS = "weights.pt"
_LAST = "last.ckpt"
_SECONDS_BETWEEN_CURVES = 20.0  # a picture takes longer than an epoch of a small network


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a run may use.

    Attributes:
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        devices: how many of them; several train data-parallel.
        progress: show a progress bar on stderr.

    """

    device: str = "auto"
    devices: int = 1
    progress: bool = True

    def __post_init__(self) -> None:
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device={self.device!r} must be auto, cpu or cuda")
        if self.devices < 1:
            raise ValueError(f"devices={self.devices} must be at least 1")

    @property
    def torch_device(self) -> torch.device:
        """Where a network runs outside of Lightning."""
        uses_gpu = self.device != "cpu" and torch.cuda.is_available()
        return torch.device("cuda" if uses_gpu else "cpu")

    def check(self) -> None:
        """Raise ``RecipeError`` if this machine has no such hardware."""
        if self.device == "cuda" and not torch.cuda.is_available():
            raise RecipeError("device 'cuda': torch finds no GPU here; choose 'auto' or 'cpu'")
        n_gpus = torch.cuda.device_count()
        if self.torch_device.type == "cuda" and self.devices > n_gpus:
            raise RecipeError(f"{self.devices} devices were asked for; torch finds {n_gpus} GPUs")

    def check_precision(self, network: nn.Module, segments: Tensor, precision: str) -> None:
        """Raise ``RecipeError`` if this processor cannot train a network in a mixed precision.

        Whether it can depends on the layers, on the processor and on how torch was built: oneDNN
        has LSTMs in bfloat16 only for processors with AVX-512. So one step is tried on the CPU,
        where Lightning takes bfloat16 for ``"16-mixed"`` too. A GPU is not tried.

        Args:
            network: an untrained copy; it is changed.
            segments: a batch of its inputs, (n, t, b).
            precision: Lightning's name of the arithmetic.

        """
        if precision == "32-true" or self.torch_device.type != "cpu":
            return
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = network(segments)
            logits.float().sum().backward()
        except RuntimeError as error:
            raise RecipeError(
                f"precision {precision!r}: this processor cannot train the network in bfloat16; "
                f"use precision 32-true or a GPU ({str(error).split('. ')[0]})"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Settings of one stage.

    Attributes:
        folder: checkpoints, metrics and curves go there; a stage that has finished there is not
            trained again.
        epochs: at most so many.
        patience: epochs without a lower validation loss before it stops; 0 never stops.
        precision: Lightning's name of the arithmetic.
        ema_decay: of averaged weights; 0 keeps the last ones.
        hardware: what it may use.

    """

    folder: Path
    epochs: int
    patience: int = 0
    precision: str = "32-true"
    ema_decay: float = 0.0
    hardware: Hardware

    def fit(self, module: NetworkModule, train: Any, valid: Any | None) -> None:
        """Train ``module.network``; it holds the chosen weights afterwards.

        With validation data these are the weights of the epoch with the lowest validation loss,
        without it those of the last epoch.
        """
        weights = self.folder / _WEIGHTS
        if not weights.exists():
            self._train(module, train, valid)
            chosen = self.folder / ("best.ckpt" if valid is not None else _LAST)
            state = torch.load(chosen, map_location="cpu", weights_only=True)["state_dict"]
            prefix = "network."
            network = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            with replaced(weights) as file:
                torch.save(network, file)
        module.network.load_state_dict(torch.load(weights, weights_only=True))
        module.network.eval()

    def _train(self, module: NetworkModule, train: Any, valid: Any | None) -> None:
        last = self.folder / _LAST
        trainer = None
        handler = signal.getsignal(signal.SIGINT)
        try:
            with _quiet():
                trainer = self._trainer(validates=valid is not None)
                checkpoint = last if last.exists() else None
                trainer.fit(module, train, valid, ckpt_path=checkpoint, weights_only=True)
        except SIGTERMException as error:  # Lightning would exit with code 0
            raise SystemExit(128 + signal.SIGTERM) from error
        except SystemExit as error:  # what Lightning makes of Ctrl-C; it also ignores the next
            if trainer is None or not trainer.interrupted:
                raise
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from error

    def _trainer(self, *, validates: bool) -> pl.Trainer:
        device = "gpu" if self.hardware.device == "cuda" else self.hardware.device
        return pl.Trainer(
            accelerator=device,
            devices=self.hardware.devices,
            strategy="ddp_spawn" if self.hardware.devices > 1 else "auto",
            precision=self.precision,  # type: ignore[arg-type]
            max_epochs=self.epochs,
            default_root_dir=self.folder,
            plugins=_AtomicCheckpoints(),
            gradient_clip_val=5.0,
            logger=[
                CSVLogger(self.folder, name="csv", flush_logs_every_n_steps=1),
                TensorBoardLogger(self.folder, name="tensorboard"),
            ],
            callbacks=self._callbacks(validates=validates),
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=self.hardware.progress,
            log_every_n_steps=10,
        )

    def _callbacks(self, *, validates: bool) -> list[Callback]:
        callbacks: list[Callback] = [_Curves(self.folder)]
        if self.hardware.progress:
            callbacks.append(RichProgressBar(leave=True, console_kwargs={"stderr": True}))
        if self.ema_decay:
            callbacks.append(EMAWeightAveraging(decay=self.ema_decay))
        if validates and self.patience:
            callbacks.append(EarlyStopping("val_loss", patience=self.patience))
        # Two, because one that watches a figure writes its "last" only when the figure improves.
        if validates:
            callbacks.append(
                ModelCheckpoint(
                    self.folder, filename="best", monitor="val_loss", enable_version_counter=False
                )
            )
        callbacks.append(
            ModelCheckpoint(self.folder, filename="last", enable_version_counter=False)
        )
        return callbacks


class _AtomicCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place, then moves it there: a kill leaves no torn one.

    Lightning's own writes to the folder for temporary files, often on another disk, whence the
    move is a copy.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Save a checkpoint as ``path``."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as file:
            torch.save(checkpoint, file)


class _Curves(Callback):
    """Redraws ``curves.png`` after an epoch, now and then, and in the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drawn = -math.inf

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw what has been logged so far."""
        if time.monotonic() - self._drawn >= _SECONDS_BETWEEN_CURVES:
            self._draw(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the finished curves."""
        self._draw(trainer)

    def _draw(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero and (history := read_history(self._folder)):
            plot_curves(history, self._folder / "curves.png")
            self._drawn = time.monotonic()


def read_history(folder: Path) -> list[dict[str, float]]:
    """Read a stage's figures for each epoch, over all its attempts, from Lightning's CSV files.

    Returns:
        One dictionary for each epoch, in order: ``epoch``, ``train_loss``, ``train_error`` and,
        where there was validation, ``val_loss`` and ``val_error``.

    """
    epochs: dict[int, dict[str, float]] = {}
    files = folder.glob("csv/version_*/metrics.csv")
    for path in sorted(files, key=lambda path: int(path.parent.name.removeprefix("version_"))):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                figures = {
                    key: float(value)
                    for key, value in row.items()
                    if value and key and key.startswith(("train_", "val_"))
                }
                if figures and row.get("epoch"):  # a kill may tear the last row
                    entry = epochs.setdefault(int(row["epoch"]), {"epoch": int(row["epoch"])})
                    entry.update(figures)
    return [epochs[epoch] for epoch in sorted(epochs)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice (more workers, tips, hardware found) from the user's screen."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_)?lightning.*|torch\..*")
            yield
    finally:
        logger.setLevel(level)

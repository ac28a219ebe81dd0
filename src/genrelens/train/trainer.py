"""Train one stage with Lightning; an interrupted or killed training can be resumed."""

from __future__ import annotations

import csv
import logging
import math
import signal
import time
import warnings
from collections.abc import Callable, Iterator
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

from genrelens import plots
from genrelens.errors import RecipeError
from genrelens.files import replaced
from genrelens.train.recipe import SegmentLstmConfig, TrainingConfig

__all__ = ["Hardware", "NetworkModule", "cosine_schedule", "fit_module", "read_history"]

_WEIGHTS = "weights.pt"
_FINAL_SHARE = 0.01  # share of the learning rate at the end of a cosine schedule
_BEST, _LAST = "best.ckpt", "last.ckpt"
_SECONDS_BETWEEN_CURVES = 20.0  # drawing takes longer than an epoch of a small network


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The hardware that a run uses.

    Example::

        >>> from genrelens.train import Hardware
        >>> Hardware(device="cpu", progress=False).torch_device
        device(type='cpu')

    Attributes:
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        devices: number of devices; with several, training is data-parallel.
        progress: show a progress bar on standard error.

    Raises:
        ValueError: ``device`` or ``devices`` is invalid.

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
        """The device of a network that runs outside of Lightning."""
        uses_gpu = self.device != "cpu" and torch.cuda.is_available()
        return torch.device("cuda" if uses_gpu else "cpu")

    def check(self) -> None:
        """Raise ``RecipeError`` if this machine lacks the hardware."""
        if self.device == "cuda" and not torch.cuda.is_available():
            raise RecipeError("device 'cuda': torch finds no GPU here; choose 'auto' or 'cpu'")
        n_gpus = torch.cuda.device_count()
        if self.torch_device.type == "cuda" and self.devices > n_gpus:
            raise RecipeError(f"{self.devices} devices were requested; torch finds {n_gpus} GPUs")

    def check_precision(self, network: nn.Module, segments: Tensor, precision: str) -> None:
        """Raise ``RecipeError`` if this processor cannot train a network in a mixed precision.

        Support depends on the layers, the processor and the build of torch: oneDNN, for instance,
        supports LSTMs in bfloat16 only on processors with AVX-512. Therefore this method runs one
        step on the CPU, where Lightning uses bfloat16 also for ``"16-mixed"``. GPUs are not tested.

        Args:
            network: an untrained copy of the network; the step changes its gradients.
            segments: a batch of inputs, (n, t, b).
            precision: precision of the arithmetic, in Lightning's terms.

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


class NetworkModule(pl.LightningModule):
    """Base of the modules that train a network: class weights, logging and optimiser.

    Args:
        network: the network to train.
        weights: weights of the classes in the loss, (c,), or None.

    """

    network: nn.Module
    class_weights: Tensor | None

    def __init__(self, network: nn.Module, weights: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("class_weights", weights)

    def log_part(self, part: str, loss: Tensor, wrong: Tensor, n: int) -> None:
        """Log loss and error of a part (``train`` or ``val``), averaged over the epoch."""
        for name, value in (("loss", loss), ("error", wrong.float().mean())):
            self.log(
                f"{part}_{name}",
                value,
                on_step=False,
                on_epoch=True,
                batch_size=n,
                prog_bar=True,
                sync_dist=True,
            )

    def adamw(self, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
        """Return AdamW over all weights."""
        return torch.optim.AdamW(self.parameters(), lr=learning_rate, weight_decay=weight_decay)

    def scheduled_adamw(self, config: TrainingConfig | SegmentLstmConfig) -> Any:
        """Return AdamW with the schedule of a recipe, for ``configure_optimizers``."""
        optimizer = self.adamw(config.learning_rate, config.weight_decay)
        if config.schedule == "constant":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        share = cosine_schedule(steps, warm_up=max(1, steps // config.epochs))
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def cosine_schedule(steps: int, *, warm_up: int) -> Callable[[int], float]:
    """Return the share of the learning rate at each step.

    Args:
        steps: number of steps; at the end the share is 1 %.
        warm_up: number of steps until the share is 1.

    """

    def share(step: int) -> float:
        if step < warm_up:
            return (step + 1) / (warm_up + 1)
        progress = min(1.0, (step - warm_up) / max(1, steps - warm_up))
        return _FINAL_SHARE + (1 - _FINAL_SHARE) * (1 + math.cos(math.pi * progress)) / 2

    return share


def fit_module(
    module: NetworkModule,
    train: Any,
    valid: Any | None,
    *,
    folder: Path,
    hardware: Hardware,
    epochs: int,
    patience: int = 0,
    precision: str = "32-true",
    ema_decay: float = 0.0,
) -> None:
    """Train ``module.network`` in place; resume an interrupted training in ``folder``.

    With validation data, the network gets the weights of the epoch with the lowest validation loss;
    without, those of the last epoch. It is in eval mode afterwards. If the training in ``folder``
    is complete, its weights are loaded instead.

    Args:
        module: network, loss and optimiser.
        train: batches for training.
        valid: batches for validation, or None.
        folder: folder for checkpoints, metrics and curves.
        hardware: the hardware to use.
        epochs: maximum number of epochs.
        patience: stop after this many epochs without a lower validation loss; 0 never stops early.
        precision: precision of the arithmetic, in Lightning's terms.
        ema_decay: decay per step of the moving average of the weights; 0 uses the last weights.

    Raises:
        KeyboardInterrupt: the user interrupted the training.
        SystemExit: the process received SIGTERM.

    """
    weights = folder / _WEIGHTS
    if not weights.exists():
        validates = valid is not None
        with _quiet():
            callbacks = _callbacks(folder, hardware, patience, ema_decay, validates=validates)
            trainer = _trainer(folder, hardware, callbacks, epochs=epochs, precision=precision)
            _run(trainer, module, train, valid, folder / _LAST)
        _save_weights(folder / (_BEST if validates else _LAST), weights)
    module.network.load_state_dict(torch.load(weights, weights_only=True))
    module.network.eval()


def _callbacks(
    folder: Path, hardware: Hardware, patience: int, ema_decay: float, *, validates: bool
) -> list[Callback]:
    callbacks: list[Callback] = [_Curves(folder)]
    if ema_decay:
        # Without a device, Lightning keeps the average on the CPU, where the network is at first.
        callbacks.append(EMAWeightAveraging(hardware.torch_device, decay=ema_decay))
    if validates and patience:
        callbacks.append(EarlyStopping("val_loss", patience=patience))
    # Two callbacks: one that monitors a figure writes "last" only when the figure improves.
    if validates:
        best = Path(_BEST).stem
        callbacks.append(
            ModelCheckpoint(folder, filename=best, monitor="val_loss", enable_version_counter=False)
        )
    last = Path(_LAST).stem
    callbacks.append(ModelCheckpoint(folder, filename=last, enable_version_counter=False))
    return callbacks


def _trainer(
    folder: Path, hardware: Hardware, callbacks: list[Callback], *, epochs: int, precision: str
) -> pl.Trainer:
    if hardware.progress:
        callbacks.append(RichProgressBar(leave=True, console_kwargs={"stderr": True}))
    return pl.Trainer(
        accelerator="gpu" if hardware.device == "cuda" else hardware.device,
        devices=hardware.devices,
        strategy="ddp_spawn" if hardware.devices > 1 else "auto",
        precision=precision,  # type: ignore[arg-type]
        max_epochs=epochs,
        default_root_dir=folder,
        plugins=_AtomicCheckpoints(),
        gradient_clip_val=5.0,
        logger=[
            CSVLogger(folder, name="csv", flush_logs_every_n_steps=1),
            TensorBoardLogger(folder, name="tensorboard"),
        ],
        callbacks=callbacks,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=hardware.progress,
        log_every_n_steps=10,
    )


def _run(
    trainer: pl.Trainer, module: NetworkModule, train: Any, valid: Any | None, last: Path
) -> None:
    """Run the trainer, from the checkpoint ``last`` if it exists."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        checkpoint = last if last.exists() else None
        trainer.fit(module, train, valid, ckpt_path=checkpoint, weights_only=True)
    except SIGTERMException as error:  # Lightning would exit with code 0
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        if not trainer.interrupted:
            raise
        # Lightning exits on the first Ctrl-C and ignores further ones.
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from error


def _save_weights(checkpoint: Path, target: Path) -> None:
    """Copy the weights of the network from a checkpoint to a separate file."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    prefix = "network."
    network = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    with replaced(target) as file:
        torch.save(network, file)


class _AtomicCheckpoints(TorchCheckpointIO):
    """Write a checkpoint beside its target and rename it, so that a kill leaves no partial file.

    Lightning writes to the folder for temporary files, which is often on another disk, and copies
    the file from there.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Save a checkpoint as ``path``."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as file:
            torch.save(checkpoint, file)


class _Curves(Callback):
    """Redraw ``curves.png`` after epochs, at most every 20 s, and at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drawn = time.monotonic()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the figures logged so far, unless the last drawing is recent."""
        if time.monotonic() - self._drawn >= _SECONDS_BETWEEN_CURVES:
            self._draw(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the complete curves."""
        self._draw(trainer)

    def _draw(self, trainer: pl.Trainer) -> None:
        if trainer.is_global_zero and (history := read_history(self._folder)):
            plots.plot_curves(history, self._folder / "curves.png")
            self._drawn = time.monotonic()


def read_history(folder: Path) -> list[dict[str, float]]:
    """Return the figures of each epoch of a stage, over all attempts.

    Example::

        from pathlib import Path

        from genrelens.train import read_history

        for epoch in read_history(Path("runs/mine/segments")):
            print(epoch["epoch"], epoch["train_loss"], epoch.get("val_loss"))

    Args:
        folder: folder of the stage with Lightning's CSV files, such as ``runs/mine/segments``.

    Returns:
        One dictionary per epoch, in order: ``epoch``, ``train_loss`` in nats, ``train_error``
        (share of wrong answers, 0..1) and, with validation, ``val_loss`` and ``val_error``.

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
                if figures and row.get("epoch"):  # after a kill, the last row can be incomplete
                    entry = epochs.setdefault(int(row["epoch"]), {"epoch": int(row["epoch"])})
                    entry.update(figures)
    return [epochs[epoch] for epoch in sorted(epochs)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Lightning's advice (more workers, tips, hardware found)."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_)?lightning.*|torch\..*")
            yield
    finally:
        logger.setLevel(level)

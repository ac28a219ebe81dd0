"""``genrelens features``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from genrelens.audio import AudioInfo, load_audio, probe, stream_audio
from genrelens.cli.console import (
    Bar,
    display_name,
    out,
    print_note,
    progress,
    warnings_as_notes,
)
from genrelens.features import ORIGINAL_MEL, ORIGINAL_MFCC, FeatureConfig, iter_segments
from genrelens.files import replaced
from genrelens.model_file import ModelFile
from genrelens.quiet import quiet_libraries

_LONGEST_PICTURE = 120.0


def features(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording.")],
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE", help="Draw waveform, spectrogram, mel spectrogram and MFCC."
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write each front end's segments into an .npz file."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="MODEL", help="Also show what this model hears."),
    ] = None,
    offset: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Where to start.")] = 0.0,
    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0.001, help="How much to read.")
    ] = None,
) -> None:
    """Show a recording as numbers and pictures: what the networks hear."""
    if plot is not None:
        from genrelens.plots import check_picture

        check_picture(plot)
    configs = {"original mel": ORIGINAL_MEL, "original MFCC": ORIGINAL_MFCC}
    if model is not None:
        metadata = ModelFile.load(model).metadata
        configs[metadata.name] = metadata.features
    with quiet_libraries(), warnings_as_notes():
        info = probe(file)
        heard = (info.seconds or 0.0) if duration is None else duration
        with progress("Listening", heard * len(configs), shown=heard > 60) as bar:
            passage = _Passage(file, offset, duration, bar)
            summaries = {
                name: _summarise(passage, config, keep=save is not None)
                for name, config in configs.items()
            }
        _print_summaries(file, info, configs, summaries)
        if save is not None:
            _save(save, summaries)
        if plot is not None:
            _plot(passage, plot)


@dataclass(frozen=True, slots=True)
class _Passage:
    file: Path
    offset: float
    duration: float | None
    bar: Bar

    def blocks(self, sample_rate: int) -> Iterator[NDArray[np.float32]]:
        for block in stream_audio(
            self.file, sample_rate=sample_rate, offset=self.offset, duration=self.duration
        ):
            yield block
            self.bar(len(block) / sample_rate)


@dataclass(slots=True)
class _Summary:
    """Segments, counted and measured as they come; kept only where they are to be saved."""

    n: int = 0
    low: float = np.inf
    high: float = -np.inf
    kept: list[NDArray[np.float32]] = field(default_factory=list)


def _summarise(passage: _Passage, config: FeatureConfig, *, keep: bool) -> _Summary:
    summary = _Summary()
    for segments in iter_segments(passage.blocks(config.sample_rate), config):
        summary.n += len(segments)
        summary.low = min(summary.low, float(segments.min()))
        summary.high = max(summary.high, float(segments.max()))
        if keep:
            summary.kept.append(segments)
    return summary


def _print_summaries(
    file: Path, info: AudioInfo, configs: dict[str, FeatureConfig], summaries: dict[str, _Summary]
) -> None:
    from rich.table import Table

    seconds = "of unknown length" if info.seconds is None else f"{info.seconds:.2f} s"
    channels = "1 channel" if info.channels == 1 else f"{info.channels} channels"
    out.print(
        f"{display_name(str(file))}: {seconds}, {info.sample_rate} Hz, {channels}, "
        f"read by {info.decoder}\n",
        soft_wrap=True,
    )
    table = Table(
        "front end",
        "rate",
        "window",
        "hop",
        "range",
        "segments",
        "one segment",
        "values",
        box=None,
        pad_edge=False,
    )
    for name, config in configs.items():
        summary = summaries[name]
        table.add_row(
            name,
            f"{config.sample_rate} Hz",
            str(config.n_fft),
            str(config.hop_length),
            f"{config.f_min:g} to {config.f_max:g} Hz",
            str(summary.n),
            f"{config.segment_frames} x {config.n_bins} ({config.segment_seconds:.2f} s)",
            f"{summary.low:.2f} to {summary.high:.2f}",
        )
    out.print(table)


def _save(path: Path, summaries: dict[str, _Summary]) -> None:
    arrays: dict[str, Any] = {
        name.replace(" ", "_"): np.concatenate(summary.kept) for name, summary in summaries.items()
    }
    with replaced(path) as file:
        np.savez_compressed(file, **arrays)


def _plot(passage: _Passage, picture: Path) -> None:
    from genrelens.plots import plot_features

    rate, wanted = ORIGINAL_MEL.sample_rate, passage.duration or np.inf
    y = load_audio(
        passage.file,
        sample_rate=rate,
        offset=passage.offset,
        duration=min(wanted, _LONGEST_PICTURE),
    )
    plot_features(y, ORIGINAL_MEL, ORIGINAL_MFCC, picture, offset=passage.offset)
    if len(y) >= _LONGEST_PICTURE * rate and wanted > _LONGEST_PICTURE:
        print_note(
            f"the picture shows {_LONGEST_PICTURE:.0f} s; choose which with --offset and --duration"
        )

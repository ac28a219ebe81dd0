"""``genrelens features``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from genrelens.cli.endings import check_ending
from genrelens.counts import count_of
from genrelens.features import ORIGINAL_MEL, ORIGINAL_MFCC, FeatureConfig, iter_segments
from genrelens.files import replaced
from genrelens.model_file import ModelFile
from genrelens.quiet import quiet_libraries

_LONGEST_PLOT = 120.0  # seconds

Float32 = NDArray[np.float32]


def features(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording.")],
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw waveform, spectrogram, mel spectrogram and MFCC as a PNG, PDF or SVG file.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the segments of each front end to an .npz file."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="Also show the front end of this model."
        ),
    ] = None,
    offset: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Start of the part to read.")
    ] = 0.0,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.001,
            help="Length of the part to read.",
            show_default="to the end",
        ),
    ] = None,
) -> None:
    """Show the features of a recording: the input of the networks.

    Examples:
        genrelens features song.mp3
            Show rate, window, hop and number of segments of each front end.
        genrelens features song.mp3 --plot song.png --offset 60 --duration 30
            Draw 30 seconds as waveform, spectrogram, mel spectrogram and MFCC.
        genrelens features song.mp3 --model lens --save song.npz
            Write the segments as NumPy arrays, including those of the default model.

    """
    if plot is not None:
        from genrelens.plots import check_image_path

        check_image_path(plot)
    check_ending(save, "npz", "--save")
    configs = {"original mel": ORIGINAL_MEL, "original MFCC": ORIGINAL_MFCC}
    if model is not None:
        metadata = ModelFile.load(model).metadata
        configs[metadata.name] = metadata.features
    with quiet_libraries(), warnings_as_notes():
        info = probe(file)
        seconds = (info.seconds or 0.0) if duration is None else duration
        summaries: dict[str, _Summary] = {}
        with progress("Reading", seconds * len(configs), shown=seconds > 60) as bar:
            for name, config in configs.items():
                blocks = _blocks(file, config.sample_rate, offset, duration, bar)
                summaries[name] = _Summary(config, keep=save is not None)
                summaries[name].add_all(iter_segments(blocks, config))
        _print_summaries(file, info, summaries)
        if save is not None:
            _save(save, summaries)
        if plot is not None:
            _plot(file, plot, offset, duration)


def _blocks(
    file: Path, sample_rate: int, offset: float, duration: float | None, bar: Bar
) -> Iterator[Float32]:
    for block in stream_audio(file, sample_rate=sample_rate, offset=offset, duration=duration):
        yield block
        bar(len(block) / sample_rate)


class _Summary:
    """Number and range of the segments of one front end; also the segments if ``keep`` is true."""

    def __init__(self, config: FeatureConfig, *, keep: bool) -> None:
        self.config = config
        self.n, self.low, self.high = 0, np.inf, -np.inf
        self.kept: list[Float32] | None = [] if keep else None

    def add_all(self, blocks: Iterator[Float32]) -> None:
        for segments in blocks:
            self.n += len(segments)
            self.low = min(self.low, float(segments.min()))
            self.high = max(self.high, float(segments.max()))
            if self.kept is not None:
                self.kept.append(segments)


def _print_summaries(file: Path, info: AudioInfo, summaries: Mapping[str, _Summary]) -> None:
    from rich.table import Table

    seconds = "of unknown length" if info.seconds is None else f"{info.seconds:.2f} s"
    out.print(
        f"{display_name(str(file))}: {seconds}, {info.sample_rate} Hz, "
        f"{count_of(info.channels, 'channel')}, decoded by {info.decoder}\n",
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
    for name, summary in summaries.items():
        config = summary.config
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


def _save(path: Path, summaries: Mapping[str, _Summary]) -> None:
    arrays: dict[str, Any] = {
        name.replace(" ", "_"): np.concatenate(summary.kept or [])
        for name, summary in summaries.items()
    }
    with replaced(path) as file:
        np.savez_compressed(file, **arrays)


def _plot(file: Path, image: Path, offset: float, duration: float | None) -> None:
    from genrelens.plots import plot_features

    rate, wanted = ORIGINAL_MEL.sample_rate, duration or np.inf
    y = load_audio(file, sample_rate=rate, offset=offset, duration=min(wanted, _LONGEST_PLOT))
    plot_features(y, ORIGINAL_MEL, ORIGINAL_MFCC, image, offset=offset)
    if len(y) >= _LONGEST_PLOT * rate and wanted > _LONGEST_PLOT:
        print_note(f"the plot shows the first {_LONGEST_PLOT:.0f} s of this part; see --offset")

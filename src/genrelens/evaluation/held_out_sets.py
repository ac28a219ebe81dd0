"""The outputs of a set head for sets of segments of clips that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from genrelens.data.folders import LabelledClip, original_clip
from genrelens.errors import DataError
from genrelens.files import reason, replaced
from genrelens.prediction import Prediction

__all__ = ["RUN_LENGTHS", "HeldOutSets"]

RUN_LENGTHS = (1, 2, 3, 4, 6, 8)
"""Numbers of segments of the runs that are evaluated, in addition to whole clips."""
_MOST_RUNS = 3  # runs of one length in a clip
_FULL_SHARE = 0.5  # no run contains a segment whose new share is smaller

Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.str_]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOutSets:
    """Results for whole clips and for runs of their segments, without calibration.

    Shapes: ``m`` sets, ``c`` genres.

    Attributes:
        labels: the genres, (c,).
        true: index of the genre of the clip of each set, (m,).
        clips: name of the clip of each set, (m,).
        groups: group of the clip of each set, (m,); the name of the clip if it has no group.
        sources: index of the folder of data that contains the clip, (m,).
        folders: genre of the clip before relabelling, (m,).
        microphone: whether the clip is a microphone recording of another clip, (m,).
        rounds: round of the cross-validation, (m,).
        sizes: number of segments, (m,).
        whole: whether the set is the whole clip, (m,).
        logits: genre logits, (m, c).
        styles: probabilities of the set head's styles, (m, n_styles).
        music: probability of music, (m,); NaN if the set head does not estimate it.
        snr: estimated signal-to-noise ratio in dB, (m,); NaN if the set head does not estimate
            it.

    """

    labels: Texts
    true: Ints
    clips: Texts
    groups: Texts
    sources: Ints
    folders: Texts
    microphone: Bools
    rounds: Ints
    sizes: Float64
    whole: Bools
    logits: Float64
    styles: Float64
    music: Float64
    snr: Float64

    @classmethod
    def of_prediction(
        cls, prediction: Prediction, clip: LabelledClip, name: str, *, number: int
    ) -> Self | None:
        """Evaluate the sets of a clip.

        Args:
            prediction: prediction for the clip by a model with a set head.
            clip: the clip.
            name: name of the clip, see :func:`~genrelens.data.folders.clip_names`.
            number: number of the round.

        Returns:
            The results; None if the model has no set head, or the clip is silent.

        """
        sets = prediction.sets
        if sets is None or prediction.silent:
            return None
        runs = _runs(prediction)
        outputs, sizes = sets.evaluate(runs)
        m, nothing = len(runs), np.full(len(runs), np.nan)
        music = nothing if outputs.music_logits is None else outputs.music_logits
        return cls(
            labels=np.array(prediction.labels),
            true=np.full(m, prediction.labels.index(clip.label)),
            clips=np.full(m, name),
            groups=np.full(m, name if clip.group is None else clip.group),
            sources=np.full(m, clip.source),
            folders=np.full(m, clip.folder),
            microphone=np.full(m, original_clip(clip.path.stem) is not None),
            rounds=np.full(m, number),
            sizes=sizes,
            whole=np.arange(m) == 0,
            logits=outputs.genre_logits.astype(np.float64),
            styles=1 / (1 + np.exp(-outputs.style_logits.astype(np.float64))),
            music=1 / (1 + np.exp(-music.astype(np.float64))),
            snr=nothing if outputs.snr is None else outputs.snr.astype(np.float64),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join the results for several clips or rounds, at least one."""
        joined = {
            entry.name: np.concatenate([getattr(part, entry.name) for part in parts])
            for entry in fields(cls)
            if entry.name != "labels"
        }
        return cls(labels=parts[0].labels, **joined)

    def select(self, chosen: Bools) -> Self:
        """Return some of the sets.

        Args:
            chosen: whether each set is returned, (m,) bool.

        """
        kept = {
            entry.name: getattr(self, entry.name)[chosen]
            for entry in fields(self)
            if entry.name != "labels"
        }
        return type(self)(labels=self.labels, **kept)

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file.

        Raises:
            DataError: the file cannot be written.

        """
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        with replaced(path) as file:
            np.savez_compressed(file, **values)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of :meth:`save`.

        Raises:
            DataError: the file cannot be read, or its content is not of this kind.

        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return cls(**{entry.name: stored[entry.name] for entry in fields(cls)})
        except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
            raise DataError(f"contains no held-out sets ({reason(error)})", path=path) from error


def _runs(prediction: Prediction) -> list[NDArray[np.intp]]:
    """Return the segments of the whole clip, and of runs of each length."""
    n = len(prediction.segments)
    loud = np.flatnonzero(~prediction.silent_segments)
    shares = prediction.segment_weights
    full = loud if shares is None else loud[shares[loud] >= _FULL_SHARE]
    runs = [loud[: prediction.metadata.window_segments + 1]]
    for length in RUN_LENGTHS:
        if length < n:
            starts = range(0, len(full) - length + 1, length)
            runs += [full[start : start + length] for start in starts][:_MOST_RUNS]
    return runs

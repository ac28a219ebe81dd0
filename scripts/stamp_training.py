"""Store in a model file of a former version the recordings that it was trained on.

    python scripts/stamp_training.py model.onnx DATA/audio
    python scripts/stamp_training.py mfcc-lstm.onnx DATA/audio --split DATA/clips.csv

New trainings store them themselves. The file already has a fingerprint of its clips, from content,
label and part; nothing is written unless the given clips have the same fingerprint. The graph is
not changed. Recordings of the training that are not labelled clips (``genrelens train
--not-music``) have no fingerprint: give their folder with ``--not-music``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from genrelens.data.folders import LabelledClip, find_audio, read_folder
from genrelens.data.splits import split_by_file
from genrelens.errors import DataError
from genrelens.metadata import ModelMetadata
from genrelens.model_file import ModelFile
from genrelens.train.cache import file_digest
from genrelens.train.dataset import TrainingClip, split_fingerprint
from genrelens.train.export import replace_metadata
from genrelens.train.job import data_fingerprints, training_audio

_NO_FRAMES = np.empty((0, 0), np.float32)


def stamp(model: Path, clips: Sequence[LabelledClip], not_music: Sequence[Path] = ()) -> int:
    """Store the hashes and the fingerprints of the training in the model file.

    Args:
        model: an ``.onnx`` file, changed in place.
        clips: labelled as in its training, each with its part, ``train`` or ``valid``.
        not_music: recordings that are not labelled clips.

    Returns:
        The number of recordings.

    Raises:
        DataError: the model was trained on other clips, or has no fingerprint.

    """
    metadata = ModelFile.load(model).metadata
    labels = list(metadata.labels)
    hashed = [
        TrainingClip(clip, labels.index(clip.label), _NO_FRAMES, file_digest(clip.path))
        for clip in clips
    ]
    _check(model, metadata, hashed)
    audio = training_audio(hashed, not_music)
    data = {
        **metadata.provenance["data"],
        **data_fingerprints([(each.digest, each.clip) for each in hashed]),
    }
    provenance = {**metadata.provenance, "data": data, **audio.to_provenance()}
    replace_metadata(model, replace(metadata, provenance=provenance), model)
    return len(audio)


def _check(model: Path, metadata: ModelMetadata, clips: Sequence[TrainingClip]) -> None:
    data = metadata.provenance.get("data", {})
    stored, found = data.get("fingerprint"), split_fingerprint(clips)
    if "fingerprints" in data:  # stored before, or by a new training
        found = data_fingerprints([(each.digest, each.clip) for each in clips])["fingerprints"]
        stored = data["fingerprints"]
    if stored != found:
        raise DataError(
            f"was trained on other clips (their fingerprint is {stored}, here it is {found})",
            path=model,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path, help="folder of genre/file")
    parser.add_argument("--split", type=Path, help="CSV file (clip, split); default: all are train")
    parser.add_argument("--not-music", type=Path, help="folder of other recordings")
    options = parser.parse_args()
    clips = read_folder(options.folder, label_map=ModelFile.load(options.model).metadata.label_map)
    parts = split_by_file(options.split, clips) if options.split else clips
    chosen = [clip if options.split else replace(clip, part="train") for clip in parts]
    others = find_audio(options.not_music) if options.not_music else []
    used = [clip for clip in chosen if clip.part in ("train", "valid")]
    try:
        print(f"{options.model}: {stamp(options.model, used, others)} recordings")
    except DataError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()

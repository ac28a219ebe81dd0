"""Labelled clips: read folders, split them, find duplicates and bad files, and get GTZAN.

Example::

    from pathlib import Path
    from genrelens.data import inspect_clips, read_folder, read_groups, split_clips

    clips = read_folder(Path("clips"))                     # clips/jazz/01.mp3 is labelled jazz
    found = inspect_clips(clips, jobs=4)
    print(len(found.duplicates), "groups of duplicates")
    clips = read_groups(Path("artists.csv"), clips, column="artist")
    split = split_clips(clips, "grouped", folds=5)         # no artist in two folds
    split.save(Path("folds.csv"))
    for number, round_clips in enumerate(split, start=1):
        test = [clip for clip in round_clips if clip.part == "test"]
"""

from genrelens.data.fingerprint import Match, audio_fingerprint, find_matches
from genrelens.data.folders import (
    LabelledClip,
    clip_names,
    label_set,
    original_clip,
    read_folder,
    read_folders,
)
from genrelens.data.gtzan import GTZAN, GTZAN_ORIGINAL, Archive, GtzanReport, fetch_gtzan
from genrelens.data.protocols import (
    filtered_split,
    grouped_folds,
    grouped_split,
    random_draws,
    random_folds,
    random_split,
    split_clips,
)
from genrelens.data.quality import (
    ClipIssue,
    Duplicates,
    Inspection,
    inspect_clips,
    torn_duplicates,
    ungrouped_duplicates,
)
from genrelens.data.relabel import applied_label_map, read_label_map
from genrelens.data.splits import Split, read_groups, split_by_file

__all__ = [
    "GTZAN",
    "GTZAN_ORIGINAL",
    "Archive",
    "ClipIssue",
    "Duplicates",
    "GtzanReport",
    "Inspection",
    "LabelledClip",
    "Match",
    "Split",
    "applied_label_map",
    "audio_fingerprint",
    "clip_names",
    "fetch_gtzan",
    "filtered_split",
    "find_matches",
    "grouped_folds",
    "grouped_split",
    "inspect_clips",
    "label_set",
    "original_clip",
    "random_draws",
    "random_folds",
    "random_split",
    "read_folder",
    "read_folders",
    "read_groups",
    "read_label_map",
    "split_by_file",
    "split_clips",
    "torn_duplicates",
    "ungrouped_duplicates",
]

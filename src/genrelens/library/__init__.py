"""Classify a music library, search the results, write genre tags, and restore the old tags.

A **catalogue** (:class:`Catalog`) stores the files of a library and their predictions. A scan
(:func:`scan_files`) fills it; :meth:`Catalog.query` searches it; :func:`export_entries` and
:func:`export_playlists` write its entries as CSV, JSON, JSON Lines, Parquet or M3U8, and
:func:`export_collection` as collections of DJ programs; :func:`library_stats` counts them;
:func:`audit_library` compares the predictions with the genre tags. :func:`similar_recordings` and
:func:`make_playlist` find recordings that sound alike, and :func:`map_library` draws them on a map.
:func:`plan_changes` decides by the rules of a :class:`Policy` which genres to write,
:func:`apply_changes` writes them, and :func:`undo` restores the files.

Example::

    from genrelens.library import (
        Catalog, Policy, apply_changes, find_files, plan_changes, scan_files, undo
    )

    if __name__ == "__main__":  # worker processes import this script
        with Catalog.open() as catalog:
            for scanned in scan_files(catalog, find_files(["Music"], on_problem=print)):
                print(scanned.path, scanned.status)
            for entry in catalog.query(genre="jazz", minimum=0.6):
                print(entry.path, entry.prediction.probability)
            plan = plan_changes(catalog, ["Music"], Policy(max_genres=2))
            result = apply_changes(plan, catalog=catalog)
            undo(result.run, catalog=catalog)

Errors are ``LibraryError`` with the path of the file and the reason. Names that are not in
``__all__`` are private and may change.
"""

from genrelens.discovery.find import Found, find_files
from genrelens.discovery.sources import find_sources, in_shard
from genrelens.library.audit import Audit, TagMismatch, audit_library, audit_page
from genrelens.library.catalog import Catalog
from genrelens.library.dataset import Dataset, import_library, open_library
from genrelens.library.dataset_scan import scan_to_dataset
from genrelens.library.digest import audio_digest
from genrelens.library.dj.write import ExportedCollection, export_collection
from genrelens.library.export import export_entries, export_playlists
from genrelens.library.likeness import Similar, similar_recordings
from genrelens.library.map import LibraryMap, map_library, map_page
from genrelens.library.playlist import make_playlist
from genrelens.library.records import Entry, Failure, StoredPrediction
from genrelens.library.scan import Scanned, prune, scan_files
from genrelens.library.stats import LibraryStats, dataset_stats, library_stats
from genrelens.library.tagging.apply import Outcome, Result, apply_changes
from genrelens.library.tagging.journal import TagRun
from genrelens.library.tagging.plan import Plan, plan_changes, read_plan, write_plan
from genrelens.library.tagging.policy import Change, GenreMapping, Policy, decide, read_mapping
from genrelens.library.tagging.undo import list_runs, undo

__all__ = [
    "Audit",
    "Catalog",
    "Change",
    "Dataset",
    "Entry",
    "ExportedCollection",
    "Failure",
    "Found",
    "GenreMapping",
    "LibraryMap",
    "LibraryStats",
    "Outcome",
    "Plan",
    "Policy",
    "Result",
    "Scanned",
    "Similar",
    "StoredPrediction",
    "TagMismatch",
    "TagRun",
    "apply_changes",
    "audio_digest",
    "audit_library",
    "audit_page",
    "dataset_stats",
    "decide",
    "export_collection",
    "export_entries",
    "export_playlists",
    "find_files",
    "find_sources",
    "import_library",
    "in_shard",
    "library_stats",
    "list_runs",
    "make_playlist",
    "map_library",
    "map_page",
    "open_library",
    "plan_changes",
    "prune",
    "read_mapping",
    "read_plan",
    "scan_files",
    "scan_to_dataset",
    "similar_recordings",
    "undo",
    "write_plan",
]

"""A whole library: scan it, tag it, and be able to take it back.

::

    from genrelens.library import (
        Catalog, Policy, apply_changes, find_files, plan_changes, scan_files, undo
    )

    with Catalog.open() as catalog:
        for scanned in scan_files(catalog, find_files(["Music"], on_problem=print)):
            print(scanned.path, scanned.status)
        plan = plan_changes(catalog, ["Music"], Policy(max_genres=2))
        result = apply_changes(plan, catalog=catalog)
        undo(result.run, catalog=catalog)
"""

from genrelens.discovery.find import Found, find_files
from genrelens.library.audit import Audit, TagMismatch, audit_library
from genrelens.library.catalog import Catalog, Query
from genrelens.library.digest import audio_digest
from genrelens.library.export import export, export_playlists
from genrelens.library.records import Entry, Failure, StoredPrediction
from genrelens.library.scan import Scanned, scan_files
from genrelens.library.tagging.apply import Outcome, Result, apply_changes
from genrelens.library.tagging.plan import Plan, plan_changes, read_plan, write_plan
from genrelens.library.tagging.policy import Change, Policy, Skip, Words, decide, read_words
from genrelens.library.tagging.undo import list_runs, undo

__all__ = [
    "Audit",
    "Catalog",
    "Change",
    "Entry",
    "Failure",
    "Found",
    "Outcome",
    "Plan",
    "Policy",
    "Query",
    "Result",
    "Scanned",
    "Skip",
    "StoredPrediction",
    "TagMismatch",
    "Words",
    "apply_changes",
    "audio_digest",
    "audit_library",
    "decide",
    "export",
    "export_playlists",
    "find_files",
    "list_runs",
    "plan_changes",
    "read_plan",
    "read_words",
    "scan_files",
    "undo",
    "write_plan",
]

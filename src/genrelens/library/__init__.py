"""A whole library: scan it, tag it, and be able to take it back.

::

    from genrelens.library import Catalog, Policy, apply_changes, plan_changes, undo

    with Catalog.open() as catalog:
        plan = plan_changes(catalog, ["Music"], Policy(max_genres=2))
        result = apply_changes(plan, catalog=catalog)
        undo(result.run, catalog=catalog)
"""

from genrelens.library.apply import Outcome, Result, apply_changes
from genrelens.library.audit import Audit, Finding, audit_library
from genrelens.library.catalog import Catalog, Query
from genrelens.library.plan import Plan, plan_changes, read_plan, write_plan
from genrelens.library.policy import Change, Policy, Skip, Words, decide, read_words
from genrelens.library.undo import list_runs, undo

__all__ = [
    "Audit",
    "Catalog",
    "Change",
    "Finding",
    "Outcome",
    "Plan",
    "Policy",
    "Query",
    "Result",
    "Skip",
    "Words",
    "apply_changes",
    "audit_library",
    "decide",
    "list_runs",
    "plan_changes",
    "read_plan",
    "read_words",
    "undo",
    "write_plan",
]

"""Damaged files never end the process, and never raise an error of another kind.

``scripts/mutants.py`` does the same with more of them.
"""

from __future__ import annotations

from genrelens.audio import load_audio
from support import mutants

SEED = 11


def test_damaged_files_are_read_or_refused() -> None:
    report = mutants.run(0, 300, SEED)
    assert not report.faults, "\n".join(report.faults)
    assert report.n == 300
    assert set(report.outcomes) == set(mutants.CALLS)
    for call, outcomes in report.outcomes.items():
        assert outcomes["read"] > 30, call  # not all mutants are too damaged to be read


def test_a_mutant_is_the_same_in_every_run() -> None:
    assert mutants.mutant(SEED, 7) == mutants.mutant(SEED, 7)
    assert mutants.mutant(SEED, 7) != mutants.mutant(SEED, 7 + len(mutants.seeds()))


def test_the_files_are_in_order_before_they_are_damaged() -> None:
    for content in mutants.seeds().values():
        assert len(load_audio(content, sample_rate=8000)) > 0.9 * mutants.SECONDS * 8000


def test_each_kind_of_damage_and_format_occurs() -> None:
    names = {mutants.mutant(SEED, n)[0] for n in range(len(mutants.seeds()))}
    assert names == set(mutants.seeds())
    assert len(names) >= 12

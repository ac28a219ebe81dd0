"""Numbers with their nouns: "1 file", never "1 files"."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

from genrelens.counts import count_of, plural
from genrelens.library.audit import Audit

SOURCE = Path(__file__).resolve().parents[2] / "src" / "genrelens"
NOUNS = (
    "bytes|channels|clips|columns|entries|files|folders|folds|genres|groups|labels|models|names|"
    "processes|recordings|rows|sections|seeds|segments|styles|times|tracks|values"
)

# Here the number cannot be 1.
NEVER_ONE = {
    "audio.py": ["{samples.shape[-1]} channels"],
    "cli/classify.py": ["{len(sources)} recordings"],
    "cli/evaluate.py": ["{scores.bootstrap['resamples']} times"],
    "data/protocols.py": ["{fewest} folds", "{n_folds} folds"],
    "decoders/base.py": ["{channels} channels"],
    "evaluation/calibration.py": ["{table.n} clips", "{table.n} clips"],
    "evaluation/model_calibration.py": ["{n_clips} clips"],
    "evaluation/prediction_table.py": ["{all_or_some} clips"],
    "evaluation/run.py": ["{len(clips)} clips"],
    "tags/raw.py": ["{n_bytes} bytes"],
}


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 copies"), (1, "1 copy"), (2, "2 copies"), (1001, "1001 copies")]
)
def test_numbers_with_nouns(n: int, text: str) -> None:
    assert count_of(n, "copy", "copies") == text
    assert plural(n, "file") == ("file" if n == 1 else "files")


def plurals_in(path: Path) -> list[str]:
    """Return the numbers in f-strings that are followed by a plural, as source code."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, text in itertools.pairwise(parts):
            if not isinstance(value, ast.FormattedValue) or not isinstance(text, ast.Constant):
                continue
            noun = re.match(rf" (training |test )?({NOUNS})\b", str(text.value))
            number = ast.unparse(value.value)
            if noun and not (number.isupper() or number.startswith(("count_of", "plural"))):
                found.append(f"{{{number}}}{noun[0]}")
    return found


def test_messages_of_python() -> None:
    found = {str(path.relative_to(SOURCE)): plurals_in(path) for path in SOURCE.rglob("*.py")}
    assert {name: plurals for name, plurals in found.items() if plurals} == NEVER_ONE


def test_messages_of_pages() -> None:
    for path in [*SOURCE.rglob("*.js"), *SOURCE.rglob("*.html")]:
        numbers = re.findall(rf"(\$\{{[^}}]*\}}|\{{\{{[^}}]*\}}\}}) ({NOUNS})\b", path.read_text())
        assert [
            each for each in numbers if not re.search("name|total|resamples|bands", each[0])
        ] == [], path


def test_the_scan_finds_a_plural(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text('f"{len(found)} files"; f"{n} test clips"; f"{LEAST} files"')
    assert plurals_in(tmp_path / "x.py") == ["{len(found)} files", "{n} test clips"]


@pytest.mark.parametrize(
    ("counts", "summary"),
    [
        ({"disagrees": 1}, "1 file: 1 disagrees"),
        ({"has no genre": 1, "changes": 2}, "3 files: 1 has no genre, 2 change their genre"),
        ({"agrees": 2, "no result": 1}, "3 files: 2 agree, 1 could not be classified"),
    ],
)
def test_the_summary_of_an_audit(counts: dict[str, int], summary: str) -> None:
    found = Audit(mismatches=(), counts=counts, unknown={}, unscanned=(), problems=(), outdated={})
    assert found.summary == summary

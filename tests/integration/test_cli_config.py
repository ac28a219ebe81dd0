"""The configuration file, environment variables for options, and ``genrelens config``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from genrelens.cli.commands import GROUPS
from genrelens.cli.config_file import SETTABLE, all_commands, config_path, long_name
from support.commands import Result, run

Genrelens = Callable[..., Result]


@pytest.fixture
def genrelens(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Genrelens:
    monkeypatch.setenv("COLUMNS", "300")  # Typer folds no message
    return lambda *args: run(capsys, *args)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write the configuration file that genrelens uses."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("GENRELENS_CONFIG", str(path))

    def write(text: str) -> Path:
        path.write_text(text)
        return path

    return write


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The settings with which ``genrelens scan`` was called; no file is scanned."""
    settings: dict[str, Any] = {}

    def note(catalog: Any, files: Any, **given: Any) -> Iterator[Any]:
        settings.update(given, db=catalog.path)
        yield from ()

    monkeypatch.setenv("GENRELENS_DB", str(tmp_path / "variable.sqlite"))
    monkeypatch.setattr("genrelens.cli.scan.scan_files", note)
    return settings


def values(result: Result) -> dict[str, tuple[Any, str]]:
    """The settings that ``config --json`` prints: value and source by command and option."""
    assert (result.code, result.err) == (0, "")
    return {
        f"{each['command']} {each['option']}": (each["value"], each["source"])
        for each in json.loads(result.out)["settings"]
    }


# ----------------------------------------------------------------------------- precedence


def test_what_counts_more(
    genrelens: Genrelens,
    write: Callable[[str], Path],
    scanned: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Each step adds a source that counts more than those before."""
    folder = tmp_path / "music"
    folder.mkdir()

    def jobs(*args: str) -> int:
        scanned.clear()
        result = genrelens("scan", folder, *args)
        assert (result.code, result.err) == (0, "")
        return int(scanned["jobs"])

    write("")
    assert jobs() >= 1
    write("[default]\njobs = 11")
    assert jobs() == 11
    write("[default]\njobs = 11\n[scan]\njobs = 12")
    assert jobs() == 12
    monkeypatch.setenv("GENRELENS_JOBS", "13")
    assert jobs() == 13
    monkeypatch.setenv("GENRELENS_SCAN_JOBS", "14")
    assert jobs() == 14
    assert jobs("--jobs", "15") == 15
    assert jobs("-j15") == 15


def test_every_kind_of_value_reaches_the_command(
    genrelens: Genrelens, write: Callable[[str], Path], scanned: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "music" / "Podcasts").mkdir(parents=True)
    (tmp_path / "music" / "Podcasts" / "a.mp3").write_bytes(b"not audio")
    write('[scan]\nfast = true\ntimeout = 5\nexclude = ["Podcasts"]\nmodel = "mfcc-lstm"')
    result = genrelens("scan", tmp_path / "music")
    assert result.code == 0
    assert scanned["fast"] is True
    assert scanned["timeout"] == 5.0
    assert scanned["model"] == "mfcc-lstm"
    assert scanned["db"] == tmp_path / "variable.sqlite"


def test_variables(genrelens: Genrelens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRELENS_SCAN_FAST", "1")
    monkeypatch.setenv("GENRELENS_SCAN_EXCLUDE", "Podcasts *.wma")
    monkeypatch.setenv("GENRELENS_DATA_CHECK_JOBS", "3")
    monkeypatch.setenv("GENRELENS_TAG_MIN_CONFIDENCE", "0.75")
    assert values(genrelens("config", "--json")) == {
        "scan fast": (True, "$GENRELENS_SCAN_FAST"),
        "scan exclude": (["Podcasts", "*.wma"], "$GENRELENS_SCAN_EXCLUDE"),
        "data check jobs": (3, "$GENRELENS_DATA_CHECK_JOBS"),
        "tag min-confidence": (0.75, "$GENRELENS_TAG_MIN_CONFIDENCE"),
    }


def test_paths_start_at_the_folder_of_the_file(
    genrelens: Genrelens,
    write: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = write('[tag]\nwords = "my.toml"\ndb = "~/c.sqlite"\n[classify]\nmodel = "m.onnx"')
    assert values(genrelens("config", "--json")) == {
        "classify model": (str(tmp_path / "m.onnx"), str(path)),
        "tag words": (str(tmp_path / "my.toml"), str(path)),
        "tag db": (str(tmp_path / "home" / "c.sqlite"), str(path)),
    }


def test_a_plan_is_applied_in_spite_of_a_policy_in_the_file(
    genrelens: Genrelens, write: Callable[[str], Path], tmp_path: Path
) -> None:
    write("[tag]\nmin-confidence = 0.9")
    plan = tmp_path / "plan.jsonl"
    plan.write_text('{"genrelens_plan": 1}\n')
    in_file, in_line = (genrelens("tag", plan, *args) for args in ([], ["--max-genres", "2"]))
    assert "cannot be combined" not in in_file.err
    assert "a plan cannot be combined" in in_line.err


# --------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[scan]\njbos = 2", "[scan] 'jbos' cannot be set; did you mean jobs?"),
        ("[scna]\njobs = 2", "[scna] is not a command; did you mean scan?"),
        ("[default]\nmin_confidence = 1", "did you mean min-confidence?"),
        ("[scan]\nport = 80", "[scan] has no option 'port'"),
        ("jobs = 2", "'jobs' is outside of a section"),
        ('[scan]\njobs = "2"', "jobs = '2' must be a whole number"),
        ("[scan]\njobs = true", "jobs = true must be a whole number"),
        ('[default]\ndb = ""', 'db = "" must not be empty'),
        ("[scan]\nout = 'x'", "'out' cannot be set; it is only for the command line\n"),
        ("[default]\nformat = 'x'", "'format' cannot be set; it is only for the command line\n"),
        ("[data.chekc]\njobs = 2", "[data.chekc] is not a command; did you mean check?"),
        ("[data]\njobs = 2", "[data] 'jobs' belongs to the section of a command: [data.check], "),
        ("[data]\ncheck = 2", "'check' is a command: its options belong to a section [data.check]"),
        ("[scan]\nxyzzy = 2", "[scan] 'xyzzy' cannot be set\n"),
        ("[scan]\nfast = 1", "fast = 1 must be true or false"),
        ('[scan]\nexclude = "x"', "exclude = 'x' must be a list"),
        ("[scan]\nexclude = [1]", "exclude = [1] must be a list"),
        ("[tag]\nid3 = 2.4", "id3 = 2.4 must be text in quotes"),
        ('[scan]\ntimeout = "1"', "timeout = '1' must be a number"),
        ("[scan]\njobs = -1", "'--jobs' / '-j': must be at least 0 (in "),
        ("[tag]\nexisting = 'add'", "'add' is not one of 'keep', 'append', 'replace'. (in "),
        ("[scan\njobs = 1", "at line 1"),
        ("[scan]\njobs = 1\njobs = 2", "Cannot overwrite a value"),
    ],
)
def test_errors_name_the_file(
    genrelens: Genrelens, write: Callable[[str], Path], tmp_path: Path, text: str, words: str
) -> None:
    path = write(text)
    for command in ["config"], ["tag" if "[tag]" in text else "scan", str(tmp_path)]:
        result = genrelens(*command)
        assert result.code == 2
        assert result.out == ""
        assert words in result.err
        assert str(path) in result.err


@pytest.mark.parametrize(
    "option", ["yes", "apply", "prune", "retry", "plan", "out", "json", "html", "resume", "force"]
)
def test_options_that_choose_what_is_done_cannot_be_set(
    genrelens: Genrelens,
    write: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
) -> None:
    assert option not in SETTABLE
    write(f"[default]\n{option} = true")
    result = genrelens("config")
    assert result.code == 2
    assert f"[default] '{option}' cannot be set" in result.err
    write("")
    for command in ("TAG", "SCAN", "LIST", "AUDIT", "CALIBRATE", "TRAIN"):
        monkeypatch.setenv(f"GENRELENS_{command}_{option.upper()}", "1")
    result = genrelens("config", "--json")
    assert (result.code, json.loads(result.out)["settings"]) == (0, [])
    assert f"$GENRELENS_TAG_{option.upper()} sets no option that can be set" in result.err
    assert result.err.count("\n") == 6


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_and_env_work_with_a_broken_file(
    genrelens: Genrelens, write: Callable[[str], Path], option: str
) -> None:
    write("[scan\njobs = 1")
    assert genrelens("scan", option).code == 0
    result = genrelens("env")
    assert result.code == 0
    assert re.search(r"settings: +error: GenrelensError: .*at line 1", result.out)


def test_values_of_variables_that_are_not_valid(
    genrelens: Genrelens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENRELENS_SCAN_JOBS", "many")
    result = genrelens("scan", ".")
    assert result.code == 2
    assert "'--jobs' / '-j': must be a whole number (in $GENRELENS_SCAN_JOBS)" in result.err
    monkeypatch.setenv("GENRELENS_SCAN_JOBS", "")  # as if it were not set
    monkeypatch.setenv("GENRELENS_SCAN_FAST", "maybe")
    assert "'--fast': must be 1 or 0 (in $GENRELENS_SCAN_FAST)" in genrelens("scan", ".").err


@pytest.mark.parametrize("name", ["gone.toml", "folder", "bytes.toml", "a\nb\u202e.toml"])
def test_files_that_cannot_be_read(genrelens: Genrelens, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes.toml").write_bytes(b"[scan]\nexclude = ['\xff']")
    path = tmp_path / name
    result = genrelens("--config", path, "scan", tmp_path)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {tmp_path}")
    assert result.err.count("\n") == 1


def test_a_wrong_name_of_a_model(
    genrelens: Genrelens, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('[scan]\nmodel = "nono"')
    words = "model = 'nono' is neither a file nor a packaged model (lens, "
    result = genrelens("config")
    assert result.code == 2
    assert f"{path}: {words}" in result.err
    write("")
    monkeypatch.setenv("GENRELENS_MODEL", "nono")
    assert f"$GENRELENS_MODEL: {words}" in genrelens("config").err


def test_files_that_are_no_text_or_too_large(genrelens: Genrelens, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"[scan]\nexclude = ['\xff']")
    assert "x.toml: is not text in UTF-8 (line 2)\n" in genrelens("--config", path, "config").err
    path.write_bytes(b"#" * (2**20 + 1))
    result = genrelens("--config", path, "config")
    assert result.code == 2
    assert "x.toml: is larger than 1 MiB, so it is not a configuration file\n" in result.err
    path.write_bytes(b"#" * 2**20)
    assert genrelens("--config", path, "config").code == 0


# --------------------------------------------------------------------- genrelens config


def test_the_example_has_every_option_and_is_valid(
    genrelens: Genrelens, write: Callable[[str], Path]
) -> None:
    text = genrelens("config", "--example").out
    assert text == (resources.files("genrelens.cli") / "config_example.toml").read_text()
    path = write(text)
    assert values(genrelens("config", "--json")) == {}
    write(re.sub(r"^# ([a-z0-9-]+ = )", r"\1", text, flags=re.MULTILINE))
    shown = values(genrelens("config", "--json"))
    assert {source for _, source in shown.values()} == {str(path)}
    assert {option.split()[-1] for option in shown} == SETTABLE
    assert shown["scan exclude"] == (["Podcasts", "*.wma"], str(path))


def test_the_example_has_every_section(genrelens: Genrelens, write: Callable[[str], Path]) -> None:
    """Each command has its section, with all its options that [default] does not have."""
    text = genrelens("config", "--example").out
    lines = re.findall(r"^(?:\[([a-z.]+)\]|# ([a-z0-9-]+) = )", text, re.MULTILINE)
    shown: dict[str, set[str]] = {}
    for section, option in lines:
        if section:
            shown[section] = set()
        else:
            shown[list(shown)[-1]].add(option)
    common = shown.pop("default")
    options = {
        name.replace(" ", "."): SETTABLE & {long_name(param) for param in command.params}
        for name, command in all_commands()
    }
    assert set(shown) == {name for name, each in options.items() if each}
    for name, each in shown.items():
        assert each - common == options[name] - common, name
        assert each, name
        assert each <= options[name], name


def test_groups_are_listed() -> None:
    found = {name for name, _ in all_commands() if " " in name}
    assert found == {f"{group} {name}" for group, names in GROUPS.items() for name in names}


def test_sections_of_groups(genrelens: Genrelens, write: Callable[[str], Path]) -> None:
    write('[catalog.import]\ndb = "all.sqlite"\n[data.check]\njobs = 3\n')
    shown = values(genrelens("config", "--json"))
    assert {"catalog import db", "data check jobs"} == set(shown)


def test_the_guide_is_right(
    genrelens: Genrelens, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "configure.md"
    text = guide.read_text()
    (example,) = re.findall(r"^```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    path = write(example)
    shown = values(genrelens("config", "--json"))
    assert shown["data check jobs"] == (2, str(path))
    assert shown["evaluate jobs"] == (4, str(path))
    for name, value in re.findall(
        r"^export (\w+)=\"?([^\"\n]*?)\"?(?: +#.*)?$", guide.read_text(), re.M
    ):
        monkeypatch.setenv(name, value)
    sources = [source for _, source in values(genrelens("config", "--json")).values()]
    assert {source for source in sources if source != str(path)} == {
        *("$GENRELENS_DB", "$GENRELENS_SCAN_JOBS", "$GENRELENS_DATA_CHECK_JOBS"),
        *("$GENRELENS_SCAN_FAST", "$GENRELENS_SCAN_EXCLUDE"),
    }


def test_settings_as_text(genrelens: Genrelens, write: Callable[[str], Path]) -> None:
    path = write("[scan]\nfast = true\nnice = 5")
    lines = genrelens("config").out.splitlines()
    assert [line.split() for line in lines] == [
        ["scan", "--fast", "true", str(path)],
        ["scan", "--nice", "5", str(path)],
    ]
    everything = genrelens("config", "--all").out
    assert re.search(r"^scan --timeout +600.0 +default$", everything, re.MULTILINE)
    assert len(everything.splitlines()) > 40


def test_path_of_the_file(
    genrelens: Genrelens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert genrelens("config", "--path").out == "\n"  # the tests use no file
    monkeypatch.delenv("GENRELENS_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert genrelens("config", "--path").out == f"{config_path()}\n"
    result = genrelens("config")
    assert (result.code, result.out) == (0, "")
    assert "no configuration file: " in result.err
    assert genrelens("--config", "~/x.toml", "config", "--path").out == f"{Path.home()}/x.toml\n"


def test_only_one_kind_of_output(genrelens: Genrelens) -> None:
    result = genrelens("config", "--path", "--json")
    assert result.code == 2
    assert "cannot be combined" in result.err

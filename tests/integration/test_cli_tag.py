"""``genrelens tag``, ``undo`` and ``audit``."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens.library import Catalog, Outcome, audio_digest
from genrelens.tags import read_tags
from support.commands import Result, as_seen, at_terminal, command, run
from support.library_folder import medley, several
from support.shelf import contents, shelve, song

Genrelens = Callable[..., Result]


@pytest.fixture
def genrelens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Genrelens:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("GENRELENS_DB", str(tmp_path / "catalog.sqlite"))
    monkeypatch.setenv("GENRELENS_JOURNAL", str(tmp_path / "journal.sqlite"))
    return lambda *args: run(capsys, *args)


@pytest.fixture
def music(genrelens: Genrelens, tmp_path: Path) -> Path:
    """Three songs predicted as jazz: without a genre, with a wrong one, with the right one."""
    folder = tmp_path / "music"
    with Catalog.open() as catalog:
        shelve(catalog, song(folder, "a.mp3", "mp3"), "jazz", 0.9)
        shelve(catalog, song(folder, "b.flac", "flac", "Rock"), "jazz", 0.8)
        shelve(catalog, song(folder, "c.m4a", "m4a", "Jazz"), "jazz", 0.7)
    return folder


def test_a_plan_is_shown_and_nothing_written(genrelens: Genrelens, music: Path) -> None:
    before = contents(music)
    result = genrelens("tag", "music", "--existing", "replace")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        f" 90 %  (none) -> Jazz  {music / 'a.mp3'}",
        f" 80 %  Rock   -> Jazz  {music / 'b.flac'}",
        "",
        "1 unchanged (has these genres: 1)",
        "2 to write; nothing was written: add --apply",
    ]
    assert contents(music) == before


def test_several_genres_are_written_and_a_medley_is_not(
    genrelens: Genrelens, tmp_path: Path
) -> None:
    both, mix = song(tmp_path / "music", "a.mp3"), song(tmp_path / "music", "b.flac", "flac")
    with Catalog.open() as catalog:
        for path, prediction in (
            (both, several("pop", 0.6, pop=0.8, rnb=0.7, rock=0.1)),
            (mix, medley("classical", "metal")),
        ):
            status, digest = path.stat(), audio_digest(path)
            facts = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "digest": digest}
            catalog.record(path, tags=read_tags(path), prediction=prediction, **facts)
    result = genrelens("tag", "music", "--max-genres", "3", "--apply")
    assert (result.code, result.err) == (0, "")
    assert "1 unchanged (changes its genre: 1)" in result.out
    assert (read_tags(both).genres, read_tags(mix).genres) == (("Pop", "R&B"), ())


def test_files_that_have_a_genre_are_kept_by_default(genrelens: Genrelens, music: Path) -> None:
    result = genrelens("tag", "music", "--apply")
    assert result.code == 0
    assert result.out.endswith("1 written; to undo this: genrelens undo 1\n")
    assert [read_tags(path).genres for path in sorted(music.iterdir())] == [
        ("Jazz",),
        ("Rock",),
        ("Jazz",),
    ]
    again = genrelens("tag", "music", "--apply")
    assert (again.code, again.out.splitlines()) == (
        0,
        ["3 unchanged (has a genre: 3)", "nothing to write"],
    )


def test_tags_are_written_and_restored(genrelens: Genrelens, music: Path) -> None:
    before = contents(music)
    assert genrelens("tag", "music", "--existing", "append", "--apply", "--id3", "2.3").code == 0
    assert read_tags(music / "b.flac").genres == ("Rock", "Jazz")
    assert read_tags(music / "a.mp3").format == "ID3v2.3"
    listed = genrelens("undo", "--list")
    assert "2 written, 0 restored" in listed.out
    result = genrelens("undo")
    assert (result.code, result.out) == (0, "run 1: 2 of 2 files restored\n")
    assert contents(music) == before
    [shown] = json.loads(genrelens("undo", "--list", "--json").out)
    assert (shown["id"], shown["written"], shown["undone"], shown["model"]) == (1, 0, 2, "small")
    nothing = genrelens("undo")
    assert (nothing.code, nothing.out) == (2, "")
    assert "there is nothing to undo" in nothing.err
    assert genrelens("undo", "1").out == "run 1: already restored\n"
    assert genrelens("undo", "1", "--list").code == 2


def test_an_edited_plan_is_applied(genrelens: Genrelens, music: Path) -> None:
    result = genrelens("tag", "music", "--existing", "replace", "--plan", "plan.jsonl")
    assert result.out.endswith(
        "the plan is in plan.jsonl; to apply it: genrelens tag --apply plan.jsonl\n"
    )
    header, _, second = Path("plan.jsonl").read_text().splitlines()
    edited = json.loads(second) | {"after": ["Bebop", "Swing"]}
    Path("plan.jsonl").write_text(f"{header}\n{json.dumps(edited)}\n")
    shown = genrelens("tag", "plan.jsonl")
    assert "Rock -> Bebop; Swing" in shown.out
    assert genrelens("tag", "--apply", "plan.jsonl").code == 0
    assert read_tags(music / "b.flac").genres == ("Bebop", "Swing")
    assert read_tags(music / "a.mp3").genres == ()
    late = genrelens("tag", "--apply", "plan.jsonl")
    assert late.code == 1
    assert f"error: {music / 'b.flac'}: was changed since the plan was made" in late.err
    assert genrelens("tag", "plan.jsonl", "--max-genres", "2").code == 2
    Path("plan.jsonl").write_text('{"genrelens_plan": 7}')
    wrong = genrelens("tag", "--apply", "plan.jsonl")
    assert (wrong.code, wrong.out) == (2, "")
    assert "line 1: a plan of version 7" in wrong.err


@pytest.mark.parametrize("content", ["hello\n", "", "[1, 2]\n", "\0", "{"])
@pytest.mark.parametrize("name", ["q.jsonl", "q.JSON"])
def test_a_plan_with_a_damaged_first_line_is_not_taken_for_a_recording(
    genrelens: Genrelens, music: Path, name: str, content: str
) -> None:
    Path(name).write_text(content)
    result = genrelens("tag", name, "--apply", "--yes")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {name}: is not a ")


def test_the_users_mapping(genrelens: Genrelens, music: Path) -> None:
    Path("words.toml").write_text('[genre_words]\njazz = "JaZZ"\njaz = "x"\n')
    result = genrelens("tag", "music", "--words", "words.toml")
    assert "-> JaZZ" in result.out
    assert result.err == "warning: words.toml: no model has the genre 'jaz'\n"
    Path("words.toml").write_text("x = 1")
    wrong = genrelens("tag", "music", "--words", "words.toml")
    assert (wrong.code, wrong.err) == (
        2,
        "error: words.toml: 'x' is neither genre_words nor whitelist\n",
    )


def test_files_without_a_prediction_are_counted(genrelens: Genrelens, music: Path) -> None:
    song(music, "new.mp3")
    os.utime(music / "a.mp3", ns=(1, 1))
    for name in ("tag", "audit"):
        result = genrelens(name, "music")
        assert result.code == 0
        assert result.err == (
            "warning: 2 of 4 files have not been classified, or have changed since: run genrelens "
            "scan\n"
        )


def test_missing_inputs(genrelens: Genrelens, music: Path) -> None:
    for name in ("tag", "audit"):
        result = genrelens(name, "nowhere")
        assert result.code == 1
        assert result.err == "error: nowhere: No such file or directory\n"
    Path("catalog.sqlite").unlink()
    result = genrelens("tag", "music")
    assert result.code == 2
    assert "there is no catalogue yet; genrelens scan makes one" in result.err


def test_failed_files_are_reported_and_the_others_written(
    genrelens: Genrelens, music: Path
) -> None:
    (music / "a.mp3").chmod(0o444)
    (music / "other").hardlink_to(music / "b.flac")
    result = genrelens("tag", "music", "--existing", "replace", "--apply")
    assert result.code == 1
    assert result.err.splitlines() == [
        f"error: {music / 'a.mp3'}: is read-only",
        f"note: {music / 'b.flac'}: had 1 other name (a hard link), which keeps the old content",
    ]
    assert result.out.endswith("1 written; to undo this: genrelens undo 1\n")
    nothing = genrelens("tag", "music", "--apply")  # only the read-only file is left
    assert (nothing.code, nothing.out.splitlines()[-1]) == (1, "0 written")
    (music / "b.flac").unlink()
    result = genrelens("undo")
    assert (result.code, result.out) == (1, "run 1: 0 of 1 file restored\n")
    assert result.err == f"error: {music / 'b.flac'}: no longer exists\n"


def test_json(genrelens: Genrelens, music: Path) -> None:
    song(music, "new.mp3")
    document = json.loads(genrelens("tag", "music", "--json").out)
    assert [(each["path"], each["after"]) for each in document["changes"]] == [
        (str(music / "a.mp3"), ["Jazz"])
    ]
    assert {each["reason"] for each in document["skipped"]} == {"has a genre"}
    assert document["unheard"] == [{"path": str(music / "new.mp3")}]
    assert (document["problems"], document["result"]) == ([], None)
    done = json.loads(genrelens("tag", "music", "--json", "--apply").out)["result"]
    assert done == {
        "run": 1,
        "files": [{"path": str(music / "a.mp3"), "done": True, "reason": ""}],
    }
    assert json.loads(genrelens("undo", "--json").out) == done


def test_writing_asks_at_a_terminal(music: Path) -> None:
    for answer, expected in (("n", ()), ("y", ("Jazz",))):
        terminal = at_terminal(command("tag", "music", "--apply"))
        # The keyboard of a terminal is the other end of its screen.
        seen = terminal.read(until=b"[y/N]")
        os.write(terminal.screen, f"{answer}\n".encode())
        seen += terminal.read()
        assert ("nothing was written" in seen) == (answer == "n")
        assert read_tags(music / "a.mp3").genres == expected


@pytest.mark.parametrize("key", ["Ctrl-C", "Ctrl-D"])
def test_an_interrupted_question_writes_nothing(music: Path, key: str) -> None:
    terminal = at_terminal(command("tag", "music", "--apply"))
    terminal.read(until=b"[y/N]")
    if key == "Ctrl-C":
        terminal.ctrl_c()
    else:
        os.write(terminal.screen, b"\x04")
    assert "nothing was written" in as_seen(terminal.read())
    assert terminal.process.returncode == 130
    assert read_tags(music / "a.mp3").genres == ()


def test_an_interrupted_undo_can_be_continued(
    genrelens: Genrelens, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(music)
    genrelens("tag", "music", "--existing", "replace", "--apply")

    def stop(outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("genrelens.cli.undo.print_outcome", stop)
        result = genrelens("undo")
    assert (result.code, result.err.splitlines()[0]) == (
        130,
        "stopped; run the same command again to restore the remaining files",
    )
    assert genrelens("undo").out == "run 1: 1 of 1 file restored\n"
    assert contents(music) == before


# --------------------------------------------------------------------------------- audit


def test_audit(genrelens: Genrelens, music: Path) -> None:
    result = genrelens("audit", "music")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "tag          predicted    file",
        f"Rock 10 %    jazz 80 %    {music / 'b.flac'}",
        "",
        "3 files: 1 disagrees, 1 agrees, 1 has no genre",
    ]
    assert genrelens("audit", "music", "--min", "0.9").out.startswith("3 files")


def test_audit_for_programs(genrelens: Genrelens, music: Path) -> None:
    [row] = csv.DictReader(genrelens("audit", "music", "--csv").out.splitlines())
    assert (row["path"], row["tag"], row["heard"]) == (str(music / "b.flac"), "Rock", "jazz")
    assert float(row["score"]) == pytest.approx(0.7)
    document = json.loads(genrelens("audit", "music", "--json").out)
    assert document["counts"] == {"agrees": 1, "disagrees": 1, "has no genre": 1}
    [finding] = document["findings"]
    assert (finding["genres"], finding["probabilities"]["jazz"]) == (["Rock"], pytest.approx(0.8))
    assert genrelens("audit", "music", "--json", "--csv").code == 2


def test_audit_as_a_page(genrelens: Genrelens, music: Path) -> None:
    assert genrelens("audit", "music", "--html", "page.html").code == 0
    assert 'src="music/b.flac"' in Path("page.html").read_text()
    result = genrelens("audit", "music", "--html", "no/page.html")
    assert result.code == 2
    assert "no/page.html: cannot be written" in result.err

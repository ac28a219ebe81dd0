"""From the arguments of ``genrelens classify`` to recordings: folders, patterns, odd names."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens.cli import inputs
from genrelens.cli.console import display_name
from support import synth, tiny
from support.commands import Result, run

Genrelens = Callable[..., Result]

CHORDS, CLICKS, NOISE = "music/b/deep/chords.wav", "music/b/clicks.wav", "music/a/noise.wav"
IN_ORDER = [NOISE, CLICKS, CHORDS]  # as a walk through the folder finds them


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["music"], IN_ORDER),
        (["music/b"], [CLICKS, CHORDS]),
        ([CHORDS, CHORDS], [CHORDS, CHORDS]),
        (["music/*/*.wav"], [NOISE, CLICKS]),
        (["music/*"], IN_ORDER),  # folders, and a cover that nobody meant
        (["music/**"], IN_ORDER),  # each file once, though its folder matches too
        (["text.*"], ["text.mp3"]),
        (["music/*.jpg"], ["music/cover.jpg"]),  # nothing else matches, so it is meant
    ],
)
def test_what_arguments_name(music: Path, arguments: list[str], found: list[str]) -> None:
    assert inputs.expand(arguments, Counter()) == found


@pytest.mark.skipif(sys.platform == "win32", reason="links take rights there")
def test_a_link_upwards_names_nothing_twice(music: Path) -> None:
    (music / "b" / "up").symlink_to("..", target_is_directory=True)
    found = inputs.expand(["music/**/*.wav"], Counter())
    assert sorted(found, key=str) == sorted(IN_ORDER)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("music/empty", "music/empty: is a folder without audio files"),
        ("*.flac", "*.flac: matches no file"),
        ("gone/*", "gone/*: matches no file"),
        ("gone.wav", "gone.wav: No such file or directory"),
        ("", "'': is not the name of a file"),
        ("zero.wav", "zero.wav: is empty"),
        ("/dev/null", "/dev/null: is a device, not a recording"),
        ("a" * 5000, f"{'a' * 5000}: File name too long"),
        ("[red]x[/red]", "[red]x[/red]: matches no file"),
    ],
)
def test_what_names_no_recording(
    classify: Genrelens, music: Path, argument: str, message: str
) -> None:
    result = classify(argument)
    assert (result.code, result.out, result.err) == (1, "", f"error: {message}\n")


@pytest.mark.parametrize("argument", ["music", "music/**", "mus*"])
def test_skipped_files_are_counted_by_extension(
    classify: Genrelens, music: Path, argument: str
) -> None:
    others = ["a/x.jpg", "a/x.JPG", "b/deep/y.cue", "b/notes.TXT", "b/z", "b/.hidden.txt"]
    for name in others:
        (music / name).write_bytes(b"")
    result = classify(argument, "--json")
    assert len(json.loads(result.out)) == len(IN_ORDER)
    assert result.err.splitlines()[-1] == (
        "skipped files without an audio extension: 3 .jpg, 1 without extension, 1 .cue, 1 .txt"
    )


def test_only_the_commonest_extensions_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    inputs.note_skipped(Counter({f".x{n}": n for n in range(1, 9)}))
    expected = "8 .x8, 7 .x7, 6 .x6, 5 .x5, 4 .x4, 6 with other extensions"
    assert capsys.readouterr().err == f"skipped files without an audio extension: {expected}\n"
    inputs.note_skipped(Counter())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("argument", ["music/b", "music/*"])
def test_a_folder_that_cannot_be_listed_is_reported_and_the_others_classified(
    classify: Genrelens, music: Path, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    """Simulated, because root can list every folder."""
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if Path(folder).name == "b":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    result = classify(argument, NOISE, "--json")
    assert "error: music/b: Permission denied\n" in result.err
    assert json.loads(result.out)[-1]["genre"] == "noise"


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
def test_links_to_nothing_and_pipes_in_a_folder_are_reported(
    classify: Genrelens, music: Path
) -> None:
    (music / "a" / "dangling.mp3").symlink_to("gone.mp3")
    os.mkfifo(music / "a" / "pipe.mp3")
    result = classify("music/a", "--json")
    assert result.code == 1
    assert result.err.splitlines()[:2] == [
        "error: music/a/dangling.mp3: No such file or directory",
        "error: music/a/pipe.mp3: is not a file",
    ]
    assert [each["path"] for each in json.loads(result.out)] == [
        "music/a/dangling.mp3",
        NOISE,
        "music/a/pipe.mp3",
    ]


def test_a_playlist_names_its_files(music: Path) -> None:
    (music / "list.m3u8").write_text("b/clicks.wav\nhttp://radio.example/x\ngone.wav\n")
    first, second = inputs.expand(["music/list.m3u8"], Counter())
    assert first == str(music / "b" / "clicks.wav")
    assert str(second) == f"{music / 'gone.wav'}: No such file or directory"


@pytest.mark.parametrize(
    ("uris", "note"),
    [
        (["spotify:track:1"], "skipped 1 entry that is not a file on this computer"),
        (
            ["http://radio.example/x.mp3", "mms:x", "spotify:track:1"],
            "skipped 3 entries that are not files on this computer",
        ),
    ],
)
@pytest.mark.parametrize("command", ["classify", "scan"])
def test_entries_that_are_no_files_are_counted(
    capsys: pytest.CaptureFixture[str],
    music: Path,
    model: Path,
    tmp_path: Path,
    command: str,
    uris: list[str],
    note: str,
) -> None:
    (music / "list.m3u").write_text("\n".join(["b/clicks.wav", *uris]))
    options = ["--db", tmp_path / "c.sqlite", "-j1"] if command == "scan" else []
    result = run(capsys, command, music / "list.m3u", "--model", model, *options)
    assert (result.code, result.err) == (0, f"{note}\n")


def test_a_file_uri_is_an_argument(classify: Genrelens, music: Path) -> None:
    (music / "a b.wav").write_bytes(Path(CLICKS).read_bytes())
    result = classify((music / "a b.wav").as_uri(), music.as_uri(), "--json")
    paths = [each["path"] for each in json.loads(result.out)]
    assert paths[0] == str(music / "a b.wav")
    assert len(paths) == 1 + 1 + len(IN_ORDER)


@pytest.mark.skipif(sys.platform == "win32", reason="drives are names of files elsewhere only")
def test_arguments_that_cannot_be_files_here(classify: Genrelens) -> None:
    result = classify("spotify:track:1", "https://x.example/a.mp3", r"C:\Music\a.mp3", "AC:DC.mp3")
    assert result.code == 1
    assert result.err.splitlines()[:4] == [
        "error: spotify:track:1: is a URI (spotify:), not a file on this computer",
        "error: https://x.example/a.mp3: is a URI (https:), not a file on this computer",
        r"error: C:\Music\a.mp3: is a Windows path, and this computer does not run Windows",
        "error: AC:DC.mp3: No such file or directory",
    ]


def test_standard_input(classify: Genrelens, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.open(CLICKS, os.O_RDONLY)) as stdin:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", stdin)
        result = classify("-", CHORDS, "--json")
    first, second = json.loads(result.out)
    assert (first["genre"], second["path"]) == ("clicks", CHORDS)


@pytest.mark.parametrize("stdin", ["absent", "terminal"])
def test_nothing_on_standard_input(
    classify: Genrelens, monkeypatch: pytest.MonkeyPatch, stdin: str
) -> None:
    """It must not wait for somebody to type an MP3."""
    if stdin == "terminal":
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    else:
        monkeypatch.setattr(sys, "stdin", None)
    result = classify("-")
    assert result.code == 2
    assert "cat song.mp3" in result.err


NAMES = {
    "with space.wav": "with space.wav",
    "new\nline.wav": r"new\x0aline.wav",
    "esc\x1b[31mred.wav": r"esc\x1b[31mred.wav",
    "caf\udce9.wav": r"caf\xe9.wav",  # Latin-1 bytes, no UTF-8
    "turned\u202e.wav": r"turned\u202e.wav",
    "[red]x[bold].wav": "[red]x[bold].wav",
    ":smile:.wav": ":smile:.wav",
    "日本.wav": "日本.wav",
    "-n.wav": "-n.wav",
}


@pytest.mark.parametrize("name", NAMES)
def test_odd_names(classify: Genrelens, tmp_path: Path, name: str) -> None:
    """Programs get the name as it is, people one line that does nothing to their terminal."""
    (tmp_path / name).write_bytes(synth.write(tiny.sound("noise", 1), tiny.RATE))
    assert display_name(name) == NAMES[name]
    assert classify(tmp_path).out.startswith(f"{tmp_path}/{NAMES[name]} (1.0 s)\n")
    assert json.loads(classify(tmp_path, "--json").out)[0]["path"] == f"{tmp_path}/{name}"
    (tmp_path / name).write_bytes(b"text")
    assert classify(tmp_path).err.startswith(f"error: {tmp_path}/{NAMES[name]}: is not audio")
    assert len(classify(tmp_path).err.splitlines()) == 1

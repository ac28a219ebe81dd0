"""The API with real recordings: the answers of the command line, and clear errors."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from genrelens import Classifier, __version__
from genrelens import worker_pool as isolation
from genrelens.features import extract_segments, mel_band_centres
from genrelens.web.settings import Settings
from genrelens.worker_pool import Limits
from support import misbehaviour, synth, tiny
from support.commands import Result
from support.serving import FORM, Local, form

RATE = 48_000
PATH = "/v1/classify"
SOUND = synth.music(3, RATE)
WAV = synth.write(tiny.sound("clicks", 2), tiny.RATE)

FORMATS: dict[str, Callable[[], bytes]] = {
    "song.wav": lambda: synth.write(SOUND, RATE),
    "song.flac": lambda: synth.write(SOUND, RATE, "FLAC"),
    "song.ogg": lambda: synth.write(SOUND, RATE, "OGG", "VORBIS"),
    "song.opus": lambda: synth.write(SOUND, RATE, "OGG", "OPUS"),
    "song.mp3": lambda: synth.write(SOUND, RATE, "MP3"),
    "song.aiff": lambda: synth.write(SOUND, RATE, "AIFF"),
    "song.au": lambda: synth.write(SOUND, RATE, "AU"),
    "song.m4a": lambda: synth.encode(SOUND, RATE, "aac", "ipod"),
    "recording.webm": lambda: synth.encode(SOUND, RATE, "libopus", "webm"),
    "recording.mp4": lambda: synth.encode(SOUND, RATE, "aac", "mp4"),
    "song.wma": lambda: synth.encode(SOUND, RATE, "wmav2", "asf"),
    "film.mkv": lambda: synth.encode(SOUND, RATE, "aac", "matroska", video=True),
}


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def client(model: Path, temporary: Path) -> Iterator[Local]:
    limits = Limits(seconds=60)
    settings = Settings(model=str(model), workers=1, max_upload=2**20, limits=limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(temporary))
        client = Local(settings)
        yield client
        client.close()
    assert list(temporary.iterdir()) == []


@pytest.fixture(autouse=True)
def _nothing_is_left(temporary: Path) -> Iterator[None]:
    yield
    assert list(temporary.glob("*/*")) == []


def send(client: Local, content: bytes, name: str = "a.wav", **query: Any) -> httpx.Response:
    return client.post(PATH, files={"file": (name, content)}, params=query)


def assert_problem(response: httpx.Response, status: int) -> str:
    """Check the form of an error; return what it says."""
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document.keys() == {"type", "title", "status", "detail"}
    assert (document["type"], document["title"]) == ("about:blank", HTTPStatus(status).phrase)
    assert response.status_code == document["status"] == status
    assert "Traceback" not in response.text
    return str(document["detail"])


# -------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("name", FORMATS)
def test_formats(client: Local, model: Path, name: str) -> None:
    content = FORMATS[name]()
    expected = Classifier.load(model, threads=1).classify(content).to_dict()
    response = send(client, content, name)
    assert response.status_code == 200
    assert response.json() == {**expected, "path": name}
    assert list(response.json()["probabilities"]) == list(expected["probabilities"])


def test_the_same_as_the_command_line(
    client: Local, classify: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "clicks.wav"
    path.write_bytes(WAV)
    (document,) = json.loads(classify(path, "--json", "--timeline").out)
    answer = send(client, WAV, "clicks.wav", timeline=True).json()
    assert answer == {**document, "path": "clicks.wav"}
    assert len(answer["timeline"]) == 7


def test_a_body_that_is_the_recording(client: Local) -> None:
    """Whatever type it says it has, and if it says none."""
    expected = {**send(client, WAV).json(), "path": "recording"}
    for kind in ("audio/wav", "application/octet-stream", "text/plain", None):
        headers = {"content-type": kind} if kind else {}
        assert client.post(PATH, content=WAV, headers=headers).json() == expected


def test_spectrogram(client: Local) -> None:
    """Each column is the mean of an eighth of a segment, on a scale of 256 steps."""
    wav = synth.write(tiny.sound("chords", 3), tiny.RATE)
    picture = send(client, wav, spectrogram=True).json()["spectrogram"]
    y, _ = soundfile.read(io.BytesIO(wav), dtype="float32")
    segments = extract_segments(y, tiny.MEL)
    bounds = np.cumsum([0, 3, 3, 3, 3, 2, 2, 2, 2])  # 20 frames do not divide by 8
    columns = [segment[a:b].mean(axis=0) for segment in segments for a, b in pairwise(bounds)]
    expected = np.stack([*columns[:72], *columns[77:]])  # the tenth segment adds 7 of 20 frames
    low, high = picture["minimum"], picture["maximum"]
    assert (low, high) == pytest.approx((expected.min(), expected.max()), rel=1e-5)
    shape = (picture["columns"], picture["bands"])
    assert shape == expected.shape
    data = np.frombuffer(base64.b64decode(picture["data"]), np.uint8).reshape(shape)
    decoded = low + data / 255 * (high - low)
    np.testing.assert_allclose(decoded, expected, atol=0.51 * (high - low) / 255)
    assert picture["kind"] == "mel"
    assert picture["seconds_per_column"] == pytest.approx(20 * 128 / 8000 / 8)
    assert picture["hz"] == pytest.approx(mel_band_centres(tiny.MEL), abs=0.05)


def test_nothing_is_added_unasked(client: Local) -> None:
    assert send(client, WAV).json().keys() == {
        "path",
        "answer",
        "verdict",
        "genre",
        "probabilities",
        "styles",
        "music",
        "level",
        "duration",
        "heard",
        "padded",
        "model",
    }


def test_a_damaged_recording_is_noted(client: Local) -> None:
    flac = synth.write(synth.music(4, tiny.RATE), tiny.RATE, "FLAC")
    (note,) = send(client, flac[: len(flac) * 3 // 4], "a.flac").json()["notes"]
    assert note.startswith("a.flac: is damaged; ")


def test_the_model(client: Local) -> None:
    (document,) = client.get("/v1/models").json()
    assert (document["name"], document["labels"]) == ("tiny", list(tiny.GENRES))
    assert (document["sample_rate"], document["segment_seconds"]) == (8000, 0.32)
    thresholds = (document["music_threshold"], document["sure_threshold"])
    assert (document["styles"], thresholds) == ([], (None, None))


def test_what_is_allowed(client: Local) -> None:
    assert client.get("/v1/limits").json() == {
        "max_upload": 2**20,
        "seconds": 60,
        "sample_rate": 384_000,
        "channels": 32,
        "timeout": 60,
    }


def test_the_clips_to_try(client: Local) -> None:
    clips = client.get("/v1/examples").json()
    assert [clip["name"] for clip in clips] == [
        "ambient-cave",
        "bach-prelude",
        "between-genres",
        "blues-shuffle",
        "country-two-step",
        "disco-groove",
        "hip-hop-verse",
        "jazz-quartet",
        "metal-war-of-freedom",
        "pachelbel-canon",
        "reggae-one-drop",
        "rock-riff",
        "trance",
    ]
    assert clips[1]["title"] == "Bach prelude"
    for clip in clips:
        content = client.get(clip["url"])
        assert content.status_code == 200
        assert content.content.startswith(b"OggS")


def test_version(client: Local) -> None:
    assert client.get("/openapi.json").json()["info"]["version"] == __version__


# ------------------------------------------------------------------------------ file names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"../../etc/passwd", "passwd"),
        (b"/etc/passwd", "passwd"),
        (rb"C:\\Users\\me\\song.mp3", "song.mp3"),
        ("Motörhead, Überfahrt 🎸.mp3".encode(), "Motörhead, Überfahrt 🎸.mp3"),
        (b"a\0b.mp3", "a\0b.mp3"),
        (b"caf\xe9.mp3", "café.mp3"),
        (b"<script>alert(1)</script>.mp3", "script>.mp3"),
        (b"x" * 3000, "x" * 255),
        (b"", "recording"),
        (b"/", "recording"),
    ],
)
def test_names_of_clients(
    client: Local, temporary: Path, monkeypatch: pytest.MonkeyPatch, name: bytes, shown: str
) -> None:
    """Are for the answer, without their folders; the file on disk has a name of ours."""
    opened: list[Path] = []
    submit = isolation.ClassifierPool.submit

    def watched(self: Any, path: Path, *args: Any, **kwargs: Any) -> Any:
        opened.extend(temporary.rglob("*"))
        assert path in opened
        return submit(self, path, *args, **kwargs)

    monkeypatch.setattr(isolation.ClassifierPool, "submit", watched)
    answer = client.post(PATH, content=form(WAV, name), headers={"content-type": FORM})
    assert answer.status_code == 200
    assert answer.json()["path"] == shown
    folder, file = opened
    assert (folder.parent, file.parent) == (temporary, folder)
    assert file.name.startswith("tmp")
    assert len(file.name) < 20


def test_a_name_that_is_no_text(client: Local) -> None:
    """UTF-7 can spell half a character, which JSON could not be sent with."""
    kind = f"{FORM}; charset=utf-7"
    answer = client.post(PATH, content=form(WAV, b"+2AA-.wav"), headers={"content-type": kind})
    assert answer.status_code == 200
    assert answer.json()["path"].endswith(".wav")


# --------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"This is a text.", "is not audio that any decoder can read"),
        (synth.png(), "is not audio that any decoder can read"),
        (synth.wav_header(44_100, 2, 1000), "holds no audio samples"),
        (WAV[:20], "is not audio that any decoder can read"),
    ],
    ids=["text", "picture", "a head alone", "half a head"],
)
def test_what_is_no_recording(client: Local, content: bytes, words: str) -> None:
    for answer in (send(client, content, "x"), client.post(PATH, content=content)):
        detail = assert_problem(answer, 422)
        assert words in detail
        assert detail.startswith(("x: ", "recording: "))
        assert "/" not in detail.partition("(")[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (synth.write(np.zeros((500, 192), np.float32), 8000), "has 192 channels; 32 are allowed"),
        (
            synth.write(np.zeros(500, np.float32), 500_000),
            "has 500000 Hz of sample rate; 384000 are allowed",
        ),
        (
            synth.write(np.zeros(61 * 8000, np.int16), 8000, "FLAC"),
            "has 61 s of audio; 60 are allowed",
        ),
    ],
)
def test_what_is_too_much(client: Local, content: bytes, words: str) -> None:
    detail = assert_problem(send(client, content), 422)
    assert detail == f"a.wav: {words}"


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"", "audio/wav", "the recording is empty"),
        (form(b""), FORM, "the recording is empty"),
        (form(WAV, field="recording"), FORM, "the form has no file in its field 'file'"),
        (form(WAV, closed=False), FORM, "the form has no file in its field 'file'"),
        (b"", FORM, "the form has no file in its field 'file'"),
        (b"no form", FORM, ""),
        (form(WAV), "multipart/form-data", "Missing boundary in multipart."),
        (form(WAV, b"x" * 10_000), FORM, "Invalid multipart data."),
    ],
)
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")  # Starlette's, of the cut one
def test_what_is_no_request(client: Local, content: bytes, kind: str, words: str) -> None:
    answer = client.post(PATH, content=content, headers={"content-type": kind})
    assert words in assert_problem(answer, 400)


def test_two_files(client: Local) -> None:
    files = [("file", ("a.wav", WAV)), ("file", ("b.wav", WAV))]
    answer = client.post(PATH, files=files)
    assert "Too many files" in assert_problem(answer, 400)


def test_a_field_that_is_no_file(client: Local) -> None:
    body = form(WAV).replace(b'; filename="clip.wav"', b"")
    answer = client.post(PATH, content=body, headers={"content-type": FORM})
    assert "has no file in its field" in assert_problem(answer, 400)


def test_a_kind_of_form_that_holds_no_files(client: Local) -> None:
    answer = client.post(PATH, data={"file": "x"})
    assert_problem(answer, 415)


@pytest.mark.parametrize("length", ["1048577", "99999999999999999999"])
def test_too_large(client: Local, length: str) -> None:
    answer = client.post(PATH, content=b"x", headers={"content-length": length})
    detail = assert_problem(answer, 413)
    assert detail == "the recording is larger than 1 MiB, the limit here"
    assert answer.headers["connection"] == "close"


def test_a_wrong_parameter(client: Local) -> None:
    detail = assert_problem(send(client, WAV, timeline="perhaps"), 422)
    assert detail.startswith("query.timeline: ")


@pytest.mark.parametrize("path", ["/nowhere", "/v1/classify/x", "/static/../app.py", "/%2e%2e/"])
def test_nothing_there(client: Local, path: str) -> None:
    assert_problem(client.get(path), 404)


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("PUT", PATH), ("POST", "/healthz")])
def test_a_method_that_does_not_exist(client: Local, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert_problem(answer, 405)
    assert answer.headers["allow"] == ("POST" if path == PATH else "GET, HEAD")


@pytest.mark.parametrize("crash", [misbehaviour.die, misbehaviour.leave])
def test_a_recording_that_crashes_its_decoder(
    client: Local, monkeypatch: pytest.MonkeyPatch, crash: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(isolation, "_judge", crash)
        answer = send(client, WAV)
    assert assert_problem(answer, 422) == "a.wav: crashed its decoder"
    assert send(client, WAV).status_code == 200


def test_a_fault_of_ours(client: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(isolation, "_judge", misbehaviour.raise_plainly)
        answer = send(client, WAV)
    detail = assert_problem(answer, 500)
    assert detail == "genrelens failed; its log says more"
    assert send(client, WAV).status_code == 200

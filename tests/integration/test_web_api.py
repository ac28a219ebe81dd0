"""The API with real recordings: the same results as the command line, and clear errors."""

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

from genrelens import Classifier, __version__, worker_pool
from genrelens.features import extract_segments, mel_band_centres
from genrelens.web.settings import Settings
from genrelens.worker_pool import Limits
from support import misbehaviour, synth, tiny
from support.asgi import LocalClient
from support.commands import Result
from support.serving import FORM, form

RATE = 48_000
PATH = "/v1/classify"
SOUND = synth.music(3, RATE)
WAV = synth.write(tiny.sound("clicks", 2), tiny.RATE)

ENCODERS: dict[str, Callable[[], bytes]] = {
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
def client(model: Path, temporary: Path) -> Iterator[LocalClient]:
    limits = Limits(seconds=60)
    settings = Settings(model=str(model), workers=1, max_upload=2**20, limits=limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(temporary))
        client = LocalClient(settings)
        yield client
        client.close()
    assert list(temporary.iterdir()) == []


@pytest.fixture(autouse=True)
def no_file_is_left(temporary: Path) -> Iterator[None]:
    yield
    assert list(temporary.glob("*/*")) == []


def send(client: LocalClient, content: bytes, name: str = "a.wav", **query: Any) -> httpx.Response:
    return client.post(PATH, files={"file": (name, content)}, params=query)


def assert_problem(response: httpx.Response, status: int) -> str:
    """Check the format of an error and return its detail."""
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document.keys() == {"type", "title", "status", "detail"}
    assert (document["type"], document["title"]) == ("about:blank", HTTPStatus(status).phrase)
    assert response.status_code == document["status"] == status
    assert "Traceback" not in response.text
    return str(document["detail"])


# -------------------------------------------------------------------------------- responses


@pytest.mark.parametrize("name", ENCODERS)
def test_formats(client: LocalClient, model: Path, name: str) -> None:
    content = ENCODERS[name]()
    expected = Classifier.load(model, threads=1).classify(content).to_dict()
    response = send(client, content, name)
    assert response.status_code == 200
    assert response.json() == {**expected, "path": name}
    assert list(response.json()["probabilities"]) == list(expected["probabilities"])


def test_the_response_equals_the_output_of_the_command_line(
    client: LocalClient, classify: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "clicks.wav"
    path.write_bytes(WAV)
    (document,) = json.loads(classify(path, "--json", "--timeline").out)
    answer = send(client, WAV, "clicks.wav", timeline=True).json()
    assert answer == {**document, "path": "clicks.wav"}
    assert len(answer["timeline"]) == 7


def test_a_recording_as_the_body(client: LocalClient) -> None:
    """The media type does not matter."""
    expected = {**send(client, WAV).json(), "path": "recording"}
    for kind in ("audio/wav", "application/octet-stream", "text/plain", None):
        headers = {"content-type": kind} if kind else {}
        assert client.post(PATH, content=WAV, headers=headers).json() == expected


def test_spectrogram(client: LocalClient) -> None:
    """Each column is the mean of an eighth of a segment, in 256 steps."""
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


def test_fields_without_options(client: LocalClient) -> None:
    assert send(client, WAV).json().keys() == {
        "path",
        "answer",
        "verdict",
        "genre",
        "probabilities",
        "genres",
        "changes",
        "styles",
        "music",
        "snr",
        "noisy",
        "level",
        "duration",
        "heard",
        "padded",
        "model",
    }


def test_a_choice_of_genres(client: LocalClient, model: Path) -> None:
    answer = client.post(f"{PATH}?genres=Noise,, chords&timeline=true", content=WAV).json()
    restricted = Classifier.load(model, threads=1).classify(WAV).restricted(["chords", "noise"])
    assert answer == {**restricted.to_dict(timeline=True), "path": "recording"}
    assert answer["labels"] == ["chords", "noise"]


@pytest.mark.parametrize(
    ("genres", "words"),
    [
        ("noise,choords", "no genre 'choords' (did you mean 'chords'?)"),
        ("noise", "at least 2"),
        ("noise,noise", "at least 2"),
        ("", "no genres were given"),
    ],
)
def test_an_impossible_choice_of_genres(client: LocalClient, genres: str, words: str) -> None:
    response = client.post(f"{PATH}?genres={genres}", content=WAV)
    assert words in assert_problem(response, 422)


def test_a_damaged_recording_has_a_note(client: LocalClient) -> None:
    flac = synth.write(synth.music(4, tiny.RATE), tiny.RATE, "FLAC")
    (note,) = send(client, flac[: len(flac) * 3 // 4], "a.flac").json()["notes"]
    assert note.startswith("a.flac: is damaged; ")


def test_list_of_models(client: LocalClient) -> None:
    (document,) = client.get("/v1/models").json()
    assert (document["name"], document["labels"]) == ("tiny", list(tiny.GENRES))
    assert (document["sample_rate"], document["segment_seconds"]) == (8000, 0.32)
    thresholds = (document["music_threshold"], document["sure_threshold"])
    assert (document["styles"], thresholds) == ([], (None, None))


def test_limits(client: LocalClient) -> None:
    assert client.get("/v1/limits").json() == {
        "max_upload": 2**20,
        "seconds": 60,
        "sample_rate": 384_000,
        "channels": 32,
        "timeout": 60,
    }


def test_bundled_clips(client: LocalClient) -> None:
    clips = client.get("/v1/examples").json()
    assert [clip["name"] for clip in clips] == [
        "ambient-cave",
        "bach-prelude",
        "between-genres",
        "blues-shuffle",
        "country-two-step",
        "disco-groove",
        "folk-horizons",
        "hip-hop-verse",
        "jazz-quartet",
        "metal-war-of-freedom",
        "pachelbel-canon",
        "punk-chords",
        "reggae-one-drop",
        "rock-riff",
        "trance",
    ]
    assert clips[1]["title"] == "Bach prelude"
    for clip in clips:
        content = client.get(clip["url"])
        assert content.status_code == 200
        assert content.content.startswith(b"OggS")


def test_version(client: LocalClient) -> None:
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
def test_file_names_of_clients(
    client: LocalClient, temporary: Path, monkeypatch: pytest.MonkeyPatch, name: bytes, shown: str
) -> None:
    """They appear only in the response, without folders; the file has another name."""
    opened: list[Path] = []
    submit = worker_pool.ClassifierPool.submit

    def watched(self: Any, path: Path, *args: Any, **kwargs: Any) -> Any:
        opened.extend(temporary.rglob("*"))
        assert path in opened
        return submit(self, path, *args, **kwargs)

    monkeypatch.setattr(worker_pool.ClassifierPool, "submit", watched)
    answer = client.post(PATH, content=form(WAV, name), headers={"content-type": FORM})
    assert answer.status_code == 200
    assert answer.json()["path"] == shown
    folder, file = opened
    assert (folder.parent, file.parent) == (temporary, folder)
    assert file.name.startswith("tmp")
    assert len(file.name) < 20


def test_a_file_name_that_is_not_valid_text(client: LocalClient) -> None:
    """UTF-7 can encode half a character, which JSON cannot contain."""
    kind = f"{FORM}; charset=utf-7"
    answer = client.post(PATH, content=form(WAV, b"+2AA-.wav"), headers={"content-type": kind})
    assert answer.status_code == 200
    assert answer.json()["path"].endswith(".wav")


# --------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"This is a text.", "is not audio that any decoder can read"),
        (synth.png(), "is not audio that any decoder can read"),
        (synth.wav_header(44_100, 2, 1000), "contains no audio samples"),
        (WAV[:20], "is not audio that any decoder can read"),
    ],
    ids=["text", "image", "header only", "half a header"],
)
def test_files_that_are_not_recordings(client: LocalClient, content: bytes, reason: str) -> None:
    for answer in (send(client, content, "x"), client.post(PATH, content=content)):
        detail = assert_problem(answer, 422)
        assert reason in detail
        assert detail.startswith(("x: ", "recording: "))
        assert "/" not in detail.partition("(")[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (synth.write(np.zeros((500, 192), np.float32), 8000), "has 192 channels; the limit is 32"),
        (
            synth.write(np.zeros(500, np.float32), 500_000),
            "has a sample rate of 500000 Hz; the limit is 384000",
        ),
        (
            synth.write(np.zeros(61 * 8000, np.int16), 8000, "FLAC"),
            "has 61 s of audio; the limit is 60",
        ),
    ],
)
def test_recordings_beyond_the_limits(client: LocalClient, content: bytes, reason: str) -> None:
    detail = assert_problem(send(client, content), 422)
    assert detail == f"a.wav: {reason}"


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
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
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")  # by Starlette
def test_invalid_requests(client: LocalClient, content: bytes, kind: str, reason: str) -> None:
    answer = client.post(PATH, content=content, headers={"content-type": kind})
    assert reason in assert_problem(answer, 400)


def test_two_files(client: LocalClient) -> None:
    files = [("file", ("a.wav", WAV)), ("file", ("b.wav", WAV))]
    answer = client.post(PATH, files=files)
    assert "Too many files" in assert_problem(answer, 400)


def test_a_field_that_is_not_a_file(client: LocalClient) -> None:
    body = form(WAV).replace(b'; filename="clip.wav"', b"")
    answer = client.post(PATH, content=body, headers={"content-type": FORM})
    assert "has no file in its field" in assert_problem(answer, 400)


def test_a_form_type_without_files(client: LocalClient) -> None:
    answer = client.post(PATH, data={"file": "x"})
    assert_problem(answer, 415)


@pytest.mark.parametrize("length", ["1048577", "99999999999999999999"])
def test_too_large(client: LocalClient, length: str) -> None:
    answer = client.post(PATH, content=b"x", headers={"content-length": length})
    detail = assert_problem(answer, 413)
    assert detail == "the recording is larger than the limit of 1 MiB"
    assert answer.headers["connection"] == "close"


def test_an_invalid_parameter(client: LocalClient) -> None:
    detail = assert_problem(send(client, WAV, timeline="perhaps"), 422)
    assert detail.startswith("query.timeline: input should be a valid boolean")


@pytest.mark.parametrize("path", ["/nowhere", "/v1/classify/x", "/static/../app.py", "/%2e%2e/"])
def test_unknown_paths(client: LocalClient, path: str) -> None:
    assert_problem(client.get(path), 404)


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("PUT", PATH), ("POST", "/healthz")])
def test_unsupported_methods(client: LocalClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert_problem(answer, 405)
    assert answer.headers["allow"] == ("POST" if path == PATH else "GET, HEAD")


@pytest.mark.parametrize("crash", [misbehaviour.die, misbehaviour.leave])
def test_a_recording_that_crashes_its_decoder(
    client: LocalClient, monkeypatch: pytest.MonkeyPatch, crash: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker_pool, "_classify_file", crash)
        answer = send(client, WAV)
    assert assert_problem(answer, 422) == "a.wav: crashed its decoder"
    assert send(client, WAV).status_code == 200


def test_an_internal_error(client: LocalClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker_pool, "_classify_file", misbehaviour.raise_plainly)
        answer = send(client, WAV)
    detail = assert_problem(answer, 500)
    assert detail == "internal error; see the log of the server"
    assert send(client, WAV).status_code == 200

"""The documents that the API answers with, for its description, and the small ones themselves."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from genrelens.model_file import ModelMetadata
from genrelens.segmentation import VerdictName
from genrelens.web.problems import PROBLEM


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class Segment(BaseModel):
    """The genres of one segment."""

    start: float = Field(description="In seconds.")
    end: float = Field(description="In seconds.")
    genre: str
    probabilities: list[float] = Field(description="In the order of `labels`.")
    music: float | None = Field(
        None, description="Probability that it is music; absent if the model has no such output."
    )


class Section(BaseModel):
    """A stretch of the timeline with one genre."""

    start: float = Field(description="In seconds.")
    end: float = Field(description="In seconds.")
    verdict: VerdictName
    genre: str = Field(description="The likeliest genre, whatever the verdict is.")
    probability: float = Field(description="Of that genre, the mean over the segments.")


class Style(BaseModel):
    """A style of the recording; it may have several, and none."""

    name: str
    probability: float
    applies: bool = Field(description="The probability reaches the style's threshold.")


class Spectrogram(BaseModel):
    """The network's input as an image; with `fast` the excerpts stand side by side."""

    kind: str = Field(description="`mel` or `mfcc`.")
    columns: int
    bands: int
    seconds_per_column: float
    hz: list[float] | None = Field(description="Centre of each band; null for `mfcc`.")
    minimum: float = Field(description="Value of the byte 0.")
    maximum: float = Field(description="Value of the byte 255.")
    data: str = Field(description="Base64: bytes column by column, the lowest band first.")


class PredictionDocument(BaseModel):
    """The genres of a recording."""

    path: str = Field(description="The client's name of the recording.")
    answer: str = Field(description="The verdict for people, as `not sure: rock 31 %, pop 28 %`.")
    verdict: VerdictName = Field(description="Only with `genre` should you rely on the genre.")
    genre: str = Field(description="The likeliest genre, whatever the verdict is.")
    probabilities: dict[str, float] = Field(description="Of all genres, in descending order.")
    styles: list[Style] = Field(description="All styles of the model, the likeliest first.")
    music: float | None = Field(
        description="Probability that the recording is music; null if the model has no such output."
    )
    level: float = Field(description="RMS of the loudest segment in dBFS, -120 at least.")
    duration: float = Field(description="Of the recording, in seconds.")
    heard: float = Field(description="Seconds of it that were classified; fewer with `fast`.")
    padded: bool = Field(description="The recording was shorter than a segment.")
    model: str
    labels: list[str] | None = None
    timeline: list[Segment] | None = None
    sections: list[Section] | None = Field(
        None, description="The timeline with its change points; comes with `timeline`."
    )
    embedding: list[float] | None = Field(
        None, description="A vector of length 1; the dot product of two is their similarity."
    )
    notes: list[str] | None = Field(None, description="Problems of the recording.")
    spectrogram: Spectrogram | None = None


class ModelDocument(BaseModel):
    """A model."""

    name: str
    description: str
    license: str
    labels: list[str]
    styles: list[str] = Field(description="Predicted besides the genres; often empty.")
    music_threshold: float | None = Field(
        description="A recording that is music with less probability is `not music`."
    )
    sure_threshold: float | None = Field(
        description="Below this probability of the likeliest genre the answer is `not sure`."
    )
    sample_rate: int = Field(description="Of the network's input, in Hz.")
    segment_seconds: float


class LimitsDocument(BaseModel):
    """The limits for recordings and requests."""

    max_upload: int = Field(description="Bytes of a request.")
    seconds: float
    sample_rate: int
    channels: int
    timeout: float = Field(description="Seconds that a request may take.")


class ExampleDocument(BaseModel):
    """A bundled clip."""

    name: str
    title: str
    url: str


def _problems(**words: str) -> dict[int | str, dict[str, Any]]:
    content = {PROBLEM: {"schema": ProblemDocument.model_json_schema()}}
    return {
        int(status.removeprefix("s")): {"description": text, "content": content}
        for status, text in words.items()
    }


_BINARY = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": _BINARY}}

CLASSIFY: dict[str, Any] = {
    "response_model": PredictionDocument,
    "responses": _problems(
        s400="There is no recording in the request, or it broke off.",
        s403="The request comes from a page of another site.",
        s408="The recording arrives too slowly.",
        s413="The recording is too large.",
        s415="The body is of a kind that cannot be a recording.",
        s421="The name in Host is not one of this server.",
        s422="The recording cannot be read, or is longer than allowed; or a parameter is wrong.",
        s429="The server is busy; Retry-After says when to come back.",
        s500="A fault of genrelens.",
        s503="The server lost its workers or has no space; Retry-After says when to come back.",
        s504="It took too long.",
    ),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "description": "The recording: in the form's field `file`, or as the body itself.",
            "content": {
                "multipart/form-data": {"schema": _FORM},
                "application/octet-stream": {"schema": _BINARY},
            },
        }
    },
}
MODELS: dict[str, Any] = {"response_model": list[ModelDocument]}
LIMITS: dict[str, Any] = {"response_model": LimitsDocument}
EXAMPLES: dict[str, Any] = {"response_model": list[ExampleDocument]}
HEALTH: dict[str, Any] = {"response_model": dict[str, str]}


def describe(model: ModelMetadata) -> dict[str, Any]:
    """Return the description of a model."""
    return {
        "name": model.name,
        "description": model.description,
        "license": model.license,
        "labels": list(model.labels),
        "styles": [style.name for style in model.styles],
        "music_threshold": model.music_threshold,
        "sure_threshold": model.sure_threshold,
        "sample_rate": model.features.sample_rate,
        "segment_seconds": model.features.segment_seconds,
    }


def examples_folder() -> Path:
    """Return the folder of the bundled clips: in the package or, in a checkout, beside it."""
    inside = Path(str(resources.files("genrelens"))) / "examples"
    return inside if inside.is_dir() else inside.parents[2] / "examples"


def examples(root_path: str = "") -> list[dict[str, str]]:
    """List the bundled clips, with their addresses below a prefix."""
    return [
        {
            "name": path.stem,
            "title": path.stem.replace("-", " ").capitalize(),
            "url": f"{root_path}/examples/{path.name}",
        }
        for path in sorted(examples_folder().glob("*.ogg"))
    ]

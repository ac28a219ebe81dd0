"""The JSON documents of the API, described for OpenAPI.

The prediction itself comes from :meth:`genrelens.Prediction.to_dict`, the documents of models and
examples from :mod:`genrelens.web.information`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from genrelens.segmentation import SectionVerdict, VerdictName
from genrelens.web.problems import PROBLEM


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str = Field(description="Name of the status code.")
    status: int = Field(description="HTTP status code.")
    detail: str = Field(description="What is wrong with the request, in a sentence.")


class Segment(BaseModel):
    """The genre of one segment."""

    start: float = Field(description="Start in seconds.")
    end: float = Field(description="End in seconds.")
    genre: str
    probabilities: list[float] = Field(
        description="Probability of each genre, in the order of `labels`."
    )
    music: float | None = Field(
        None,
        description="Probability that the segment is music; absent if the model has no such "
        "output.",
    )
    snr: float | None = Field(
        None,
        description="Estimated signal-to-noise ratio in dB; null for silence, absent if the model "
        "does not estimate it.",
    )


class Section(BaseModel):
    """A stretch of the timeline with one genre."""

    start: float = Field(description="Start in seconds.")
    end: float = Field(description="End in seconds.")
    verdict: SectionVerdict
    genre: str = Field(description="The most probable genre, for any verdict.")
    probability: float = Field(
        description="Probability of that genre. A section that is the whole recording has the "
        "probability of the recording."
    )


class Genre(BaseModel):
    """The probability that a genre applies; several genres can apply to a recording."""

    name: str
    probability: float = Field(
        description="Probability that the genre applies, independently of other genres if the "
        "model has a rule for each. These need not sum to 1; those of `probabilities` do. A genre "
        "of `changes` has at least the probability of its surest section."
    )
    applies: bool = Field(description="Whether the genre applies to the recording.")


class Style(BaseModel):
    """A style; several styles or none can apply to a recording."""

    name: str
    probability: float
    applies: bool = Field(description="Whether the probability reaches the threshold of the style.")
    parent: str | None = Field(
        None, description="Genre that the style is a kind of, such as `electronic` for `house`."
    )


class Spectrogram(BaseModel):
    """The network's input as an image. With `fast`, the excerpts are side by side."""

    kind: str = Field(description="`mel` or `mfcc`.")
    columns: int
    bands: int
    seconds_per_column: float
    hz: list[float] | None = Field(description="Centre of each band in Hz; null for `mfcc`.")
    minimum: float = Field(description="Value of the byte 0.")
    maximum: float = Field(description="Value of the byte 255.")
    data: str = Field(description="Bytes in Base64, column by column, the lowest band first.")


class PredictionDocument(BaseModel):
    """The prediction for a recording."""

    path: str = Field(description="File name that the client sent.")
    answer: str = Field(description="The result as text, such as `not sure: rock 31 %, pop 28 %`.")
    verdict: VerdictName = Field(
        description="Rely on `genre` only if the verdict is `genre`; with `changes`, see `changes`."
    )
    genre: str = Field(description="The most probable genre, for any verdict.")
    probabilities: dict[str, float] = Field(
        description="Probability of each genre, in descending order."
    )
    genres: list[Genre] = Field(
        description="All genres, each with the probability that it applies, in descending order."
    )
    changes: list[str] = Field(
        description="The genres of a recording that changes, such as a mix, in order of "
        "appearance; empty if it does not change."
    )
    styles: list[Style] = Field(
        description="All styles of the model, in descending order of probability."
    )
    music: float | None = Field(
        description="Probability that the recording is music; null if the model has no such output."
    )
    snr: float | None = Field(
        description="Estimated signal-to-noise ratio in dB; null if the model does not estimate it."
    )
    noisy: bool = Field(description="Whether noise is the reason for the verdict `not sure`.")
    level: float = Field(description="RMS level of the loudest segment in dBFS, at least -120.")
    duration: float = Field(description="Duration of the recording in seconds.")
    heard: float = Field(
        description="Seconds of the recording that were classified; with `fast` often fewer than "
        "`duration`."
    )
    padded: bool = Field(
        description="Whether the recording was shorter than a segment and was padded."
    )
    model: str = Field(description="Name of the model.")
    labels: list[str] | None = Field(None, description="All genres; present with `timeline`.")
    timeline: list[Segment] | None = Field(None, description="The genre of each segment.")
    sections: list[Section] | None = Field(
        None, description="Stretches of the timeline with one genre; present with `timeline`."
    )
    embedding: list[float] | None = Field(
        None,
        description="A vector of norm 1; the dot product of two embeddings is their similarity.",
    )
    notes: list[str] | None = Field(None, description="Warnings about the recording.")
    spectrogram: Spectrogram | None = Field(None, description="The network's input.")


class ModelDocument(BaseModel):
    """A model."""

    name: str
    description: str
    license: str
    labels: list[str] = Field(description="The genres; `genres` of a request chooses among them.")
    styles: list[str] = Field(
        description="Styles that the model predicts besides the genres; may be empty."
    )
    music_threshold: float | None = Field(
        description="Below this probability of being music, the verdict is `not music`."
    )
    sure_threshold: float | None = Field(
        description="Below this probability of the most probable genre, the verdict is `not sure`."
    )
    sample_rate: int = Field(description="Sample rate of the network's input in Hz.")
    segment_seconds: float = Field(description="Duration of a segment in seconds.")


class LimitsDocument(BaseModel):
    """The limits for recordings and requests."""

    max_upload: int = Field(description="Largest body of a request in bytes.")
    seconds: float = Field(description="Longest recording in seconds.")
    sample_rate: int = Field(description="Highest sample rate in Hz.")
    channels: int = Field(description="Largest number of channels.")
    timeout: float = Field(description="Longest time that a request may take, in seconds.")


class ExampleDocument(BaseModel):
    """A bundled clip."""

    name: str
    title: str
    url: str = Field(description="Address of the audio file.")


def _problems(descriptions: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    content = {PROBLEM: {"schema": ProblemDocument.model_json_schema()}}
    return {
        status: {"description": text, "content": content} for status, text in descriptions.items()
    }


_BINARY = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": _BINARY}}

CLASSIFY: dict[str, Any] = {
    "response_model": PredictionDocument,
    "responses": {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}
    | _problems(
        {
            400: "The request contains no recording, or the upload was interrupted.",
            403: "The request comes from a page of another site.",
            408: "The recording arrives too slowly.",
            413: "The recording is too large.",
            415: "The media type of the body cannot be that of a recording.",
            421: "The name in `Host` is not a name of this server.",
            422: "The recording cannot be decoded or is too long, or a parameter is invalid.",
            429: "The server is busy; try again after the time in `Retry-After`.",
            500: "Internal error of genrelens.",
            503: "The worker processes ended, or the disk is full; try again after the time in "
            "`Retry-After`.",
            504: "The recording was not classified in time.",
        }
    ),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "description": "The recording, as the field `file` of a form or as the body itself.",
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

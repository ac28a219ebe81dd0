"""The ASGI application: the API, the page and the middleware around them."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from functools import lru_cache
from os import PathLike, stat_result
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pebble import ProcessExpired
from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from genrelens import __version__
from genrelens.files import sha256
from genrelens.metadata import genre_names
from genrelens.model_file import ModelFile
from genrelens.web import information, schemas
from genrelens.web.admission import Admission, RequestBodies
from genrelens.web.metrics import Metrics, RequestMetrics
from genrelens.web.middleware import (
    Addressing,
    BodyLimit,
    Compression,
    InternalErrors,
    OwnSite,
    RequestLog,
    SecurityHeaders,
)
from genrelens.web.problems import Problem, install_problems
from genrelens.web.settings import Settings
from genrelens.web.streaming import Job, streamed, while_connected
from genrelens.web.uploads import received_file
from genrelens.worker_pool import ClassifierPool, ProgressFile, WorkerError, WorkerResult

__all__ = ["RevalidatedFiles", "create_app"]

_STATIC = Path(__file__).parent / "static"
_MAX_STORED = 20  # recordings of the largest size that may be on the disk at once
_KILLED = (-9, 15)  # exit codes of a worker after SIGKILL and SIGTERM


def create_app(settings: Settings, *, loopback: bool = False) -> FastAPI:
    """Return the ASGI application. Its worker processes start and end with its lifespan.

    Example::

        app = create_app(Settings(workers=4))  # then: uvicorn module:app

    Args:
        settings: settings of the server.
        loopback: whether the server can only be reached from its own machine. Then requests
            whose ``Host`` is another name are refused.

    Raises:
        ModelError: the model is missing, damaged, of another version, or not a model.

    """
    service = _Service(settings)
    app = FastAPI(
        title="genrelens",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        summary="Predicts the genre of a recording.",
        lifespan=service.lifespan,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    install_problems(app)
    _add_classify(app, service)
    _add_information(app, service)
    _add_page(app)
    _add_middleware(app, service, loopback=loopback)
    return app


def _add_middleware(app: FastAPI, service: _Service, *, loopback: bool) -> None:
    """Add the middleware; requests pass it in reverse order."""
    settings = service.settings
    app.add_middleware(Compression)
    app.add_middleware(OwnSite, loopback=loopback, allow_hosts=settings.allow_hosts)
    app.add_middleware(BodyLimit, limit=settings.max_upload)
    app.add_middleware(InternalErrors)
    app.add_middleware(RequestMetrics, metrics=service.metrics)
    app.add_middleware(Addressing, root_path=settings.root_path)
    app.add_middleware(SecurityHeaders)
    if settings.log_level == "info":
        app.add_middleware(RequestLog)


class _Service:
    """The state that requests share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model = ModelFile.load(settings.model).metadata  # fails at the start, not in a worker
        self.admission = Admission(settings.workers, settings.queue)
        self.bodies = RequestBodies(settings.uploads, _MAX_STORED * settings.max_upload)
        self.metrics = Metrics(self.admission, self.bodies)
        self._pool: ClassifierPool | None = None
        self._folder: Path | None = None

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Start the workers, and end them after the last response."""
        settings = self.settings
        with tempfile.TemporaryDirectory(prefix="genrelens-") as folder:
            self._folder = Path(folder)
            self._pool = ClassifierPool(
                settings.model, workers=settings.workers, limits=settings.limits
            )
            try:
                yield
            finally:
                await asyncio.to_thread(self._pool.close)

    def chosen_genres(self, text: str | None) -> tuple[str, ...]:
        """Return the genres of a request, separated by commas; none if it has no such parameter.

        Raises:
            Problem: the model does not have a genre, or there are fewer than two.

        """
        if text is None:
            return ()
        genres = genre_names(text)
        try:
            self.model.restricted(genres)
        except ValueError as error:
            raise Problem(422, f"query.genres: {error}") from error
        return genres

    async def classify(self, request: Request, job: Job) -> WorkerResult:
        """Receive a recording and classify it within the time that a request may take.

        The request occupies a slot of the queue only once its recording has arrived. If no slot
        is free when the request begins, it is refused before the upload. If the client disconnects,
        the recording leaves the queue, or its worker is ended and replaced.
        """
        assert self._folder is not None  # the lifespan has begun
        self.admission.check()
        try:
            async with (
                asyncio.timeout(self.settings.timeout),
                received_file(request, self._folder, self.bodies) as (path, name),
            ):
                return await while_connected(request, self._classify_file(path, name, job))
        except TimeoutError as error:
            raise Problem(
                504, f"the recording was not classified within {self.settings.timeout:g} s"
            ) from error

    async def _classify_file(self, path: Path, name: str, job: Job) -> WorkerResult:
        with self.admission.slot():
            async with self.admission.free_worker:
                started = time.monotonic()
                with job.progress_file(path, name) as progress:
                    result = await self._run(path, name, job, progress)
        self.admission.record_duration(time.monotonic() - started)
        if isinstance(result, WorkerError):
            raise Problem(422, str(result))
        return result

    async def _run(
        self, path: Path, name: str, job: Job, progress: ProgressFile | None
    ) -> WorkerResult | WorkerError:
        """Classify in a worker process; use a second one if the first one ends.

        The first worker may have been killed by an administrator, or by the kernel when it was
        out of memory. A recording is reported as the cause only if the second worker crashes. A job
        that is cancelled is not repeated.
        """
        assert self._pool is not None
        alone = self.admission.in_progress == 1
        for is_last in (False, True):
            future = self._pool.submit(
                path, name, fast=job.fast, image=job.image, alone=alone, progress=progress
            )
            try:
                return await job.followed(asyncio.wrap_future(future), progress)
            except ProcessExpired as error:
                if is_last and error.exitcode not in _KILLED:
                    raise Problem(422, f"{name}: crashed its decoder") from error
                cause: Exception = error
            except BrokenProcessPool as error:
                cause = error
        raise Problem(503, "the worker processes ended", {"Retry-After": "1"}) from cause


# ------------------------------------------------------------------------------- routes


def _add_classify(app: FastAPI, service: _Service) -> None:
    @app.post("/v1/classify", **schemas.CLASSIFY)
    async def classify(
        request: Request,
        timeline: Annotated[
            bool, Query(description="Include the genre of each segment, and the sections.")
        ] = False,
        fast: Annotated[
            bool,
            Query(
                description="Classify only three short excerpts of a recording longer than 90 s."
            ),
        ] = False,
        genres: Annotated[
            str | None,
            Query(
                description="Choose only among these genres of the model, separated by commas; "
                "at least two.",
                examples=["jazz,pop,rock"],
            ),
        ] = None,
        embedding: Annotated[bool, Query(description="Include the embedding.")] = False,
        spectrogram: Annotated[
            bool, Query(description="Include the network's input as an image.")
        ] = False,
        stream: Annotated[
            bool,
            Query(
                description="Send server-sent events: `partial`, the result for the part that was "
                "classified so far (with sections), any number of times; then `result` or "
                "`problem`. An error before the first event is an ordinary response."
            ),
        ] = False,
    ) -> Response:
        """Predict the genre of a recording."""
        job = Job(service.chosen_genres(genres), fast=fast, image=spectrogram)

        async def document() -> dict[str, Any]:
            result = await service.classify(request, job)
            service.metrics.count(job.restricted(result.prediction))
            return job.document(result, timeline=timeline, embedding=embedding)

        return await streamed(document, job) if stream else JSONResponse(await document())


def _add_information(app: FastAPI, service: _Service) -> None:
    settings = service.settings

    @app.get("/v1/models", **schemas.MODELS)
    async def list_models() -> list[dict[str, Any]]:
        """List the model of this server."""
        return [information.describe_model(service.model)]

    @app.get("/v1/limits", **schemas.LIMITS)
    async def get_limits() -> dict[str, Any]:
        """Return the limits for recordings and requests."""
        return {
            "max_upload": settings.max_upload,
            "seconds": settings.limits.seconds,
            "sample_rate": settings.limits.sample_rate,
            "channels": settings.limits.channels,
            "timeout": settings.timeout,
        }

    @app.get("/v1/examples", **schemas.EXAMPLES)
    async def list_examples() -> list[dict[str, str]]:
        """List the bundled clips."""
        return information.list_examples(settings.root_path)

    @app.get("/healthz", **schemas.HEALTH)
    async def get_health() -> dict[str, str]:
        """Report that the server is up."""
        return {"status": "ok"}

    @app.get("/metrics", include_in_schema=False)
    async def get_metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


def _add_page(app: FastAPI) -> None:
    """Add the page, its files, the bundled clips and the page of the API."""
    files = RevalidatedFiles(directory=_STATIC)

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return await files.get_response("docs.html", request.scope)

    app.mount("/static", files, name="static")
    examples = RevalidatedFiles(directory=information.examples_folder())
    app.mount("/examples", examples, name="examples")


class RevalidatedFiles(StaticFiles):
    """Serve a folder with ``Cache-Control: no-cache`` and entity tags made from the content.

    File names do not change with the version, so a browser revalidates each file and gets 304 if
    it is unchanged. Starlette makes its tags from time and size, which may be the same
    before and after an upgrade, because files in reproducible packages have fixed times.
    """

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the file, or 304 if the client has it."""
        tag = _entity_tag(str(full_path), stat_result.st_mtime_ns, stat_result.st_size)
        headers = {"etag": f'"{tag}"', "cache-control": "no-cache"}
        response = FileResponse(full_path, status_code, headers, stat_result=stat_result)
        del response.headers["last-modified"]
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response


@lru_cache(maxsize=256)
def _entity_tag(path: str, modified: int, size: int) -> str:
    """Return a tag for a file's content; a new time or size causes the file to be read again."""
    return sha256(path)[:20]

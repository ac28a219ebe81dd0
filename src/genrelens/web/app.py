"""The application: the page, the API, and what stands between them and the open internet."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from pebble import ProcessExpired

from genrelens import __version__
from genrelens.model_file import ModelFile
from genrelens.web import schemas
from genrelens.web.admission import Admission, Arrivals
from genrelens.web.metrics import Monitor, Monitoring
from genrelens.web.middleware import (
    Addressing,
    BodyLimit,
    Compression,
    RequestLog,
    SecurityHeaders,
)
from genrelens.web.origin import OwnSite
from genrelens.web.problems import LastResort, Problem, install_problems
from genrelens.web.settings import Settings
from genrelens.web.static_files import RevalidatedFiles
from genrelens.web.uploads import Upload, received
from genrelens.worker_pool import ClassifierPool, WorkerError, WorkerResult

__all__ = ["create_app"]

_STATIC = Path(__file__).parent / "static"
_SPOOL = 20  # recordings of the largest size that may be on the disk at once
_KILLED = (-9, 15)  # exit codes of a worker after SIGKILL and SIGTERM
_SWAGGER = Path(str(resources.files("fastapi_offline"))) / "static"


def create_app(settings: Settings, *, loopback: bool = False) -> FastAPI:
    """Build the application; its worker processes start and end with its lifespan.

    Args:
        settings: of the server.
        loopback: the server can only be reached from its own machine, so a foreign name in
            ``Host`` is refused.

    Raises:
        ModelError: the model is missing, foreign, damaged or of another version.

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
    """Add the layers around the application; the last one added receives a request first."""
    settings = service.settings
    app.add_middleware(Compression)
    app.add_middleware(OwnSite, loopback=loopback, allow_hosts=settings.allow_hosts)
    app.add_middleware(BodyLimit, limit=settings.max_upload)
    app.add_middleware(LastResort)
    app.add_middleware(Monitoring, monitor=service.monitor)
    app.add_middleware(Addressing, root_path=settings.root_path)
    app.add_middleware(SecurityHeaders)
    if settings.log_level == "info":
        app.add_middleware(RequestLog)


class _Service:
    """The state that requests share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model = ModelFile.load(settings.model).metadata  # fails now, not in a worker
        self.admission = Admission(settings.workers, settings.queue)
        self.arrivals = Arrivals(settings.uploads, _SPOOL * settings.max_upload)
        self.monitor = Monitor(self.admission, self.arrivals)
        self._pool: ClassifierPool | None = None
        self._folder: Path | None = None

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Start the workers, and end them after the last answer."""
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

    async def classify(self, request: Request, *, fast: bool, picture: bool) -> WorkerResult:
        """Receive a recording and classify it, within the time that a request may take.

        A place in the queue is taken only once the recording has arrived. If there is none when
        the request begins, it is refused before it is sent.
        """
        assert self._folder is not None  # the lifespan has begun
        self.admission.check()
        try:
            async with (
                asyncio.timeout(self.settings.timeout),
                received(request, self._folder, self.arrivals) as upload,
            ):
                with self.admission.place():
                    async with self.admission.turn:
                        if await request.is_disconnected():
                            raise Problem(400, "the client went away")
                        return await self._judge(upload, fast=fast, picture=picture)
        except TimeoutError as error:
            raise Problem(
                504, f"the recording was not done within {self.settings.timeout:g} s"
            ) from error

    async def _judge(self, upload: Upload, *, fast: bool, picture: bool) -> WorkerResult:
        started = time.monotonic()
        verdict = await self._attempt(upload, fast=fast, picture=picture)
        self.admission.took(time.monotonic() - started)
        if isinstance(verdict, WorkerError):
            raise Problem(422, str(verdict))
        self.monitor.count(verdict.prediction)
        return verdict

    async def _attempt(
        self, upload: Upload, *, fast: bool, picture: bool
    ) -> WorkerResult | WorkerError:
        """Have a worker classify the recording, and a second one if the first one ends.

        The end of one worker need not be the fault of the recording: an administrator or the
        kernel, out of memory, may have killed it. A second crash is.
        """
        assert self._pool is not None
        alone = self.admission.under_way == 1
        for last in (False, True):
            job = self._pool.submit(
                upload.path, upload.name, fast=fast, picture=picture, alone=alone
            )
            try:
                return await asyncio.wrap_future(job)
            except ProcessExpired as error:
                if last and error.exitcode not in _KILLED:
                    raise Problem(422, f"{upload.name}: crashed its decoder") from error
                cause: Exception = error
            except BrokenProcessPool as error:
                cause = error
        raise Problem(503, "the server lost its workers", {"Retry-After": "1"}) from cause


def _add_classify(app: FastAPI, service: _Service) -> None:
    @app.post("/v1/classify", **schemas.CLASSIFY)
    async def classify(
        request: Request,
        timeline: Annotated[
            bool, Query(description="Include the genre of each segment, and the sections.")
        ] = False,
        fast: Annotated[
            bool,
            Query(description="Classify only three excerpts of 30 s if it is longer than 90 s."),
        ] = False,
        embedding: Annotated[bool, Query(description="Include the embedding.")] = False,
        spectrogram: Annotated[
            bool, Query(description="Include the network's input as an image.")
        ] = False,
    ) -> JSONResponse:
        """Predict the genre of a recording."""
        verdict = await service.classify(request, fast=fast, picture=spectrogram)
        answer = verdict.prediction.to_dict(timeline=timeline, embedding=embedding)
        if verdict.notes:
            answer["notes"] = list(verdict.notes)
        if verdict.picture is not None:
            answer["spectrogram"] = verdict.picture
        return JSONResponse(answer)


def _add_information(app: FastAPI, service: _Service) -> None:
    settings = service.settings

    @app.get("/v1/models", **schemas.MODELS)
    async def list_models() -> list[dict[str, Any]]:
        """List the model of this server."""
        return [schemas.describe(service.model)]

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
        return schemas.examples(settings.root_path)

    @app.get("/healthz", **schemas.HEALTH)
    async def get_health() -> dict[str, str]:
        """Report that the server is up."""
        return {"status": "ok"}

    @app.get("/metrics", include_in_schema=False)
    async def get_metrics() -> Response:
        return Response(service.monitor.text(), media_type="text/plain; version=0.0.4")


def _add_page(app: FastAPI) -> None:
    """Serve the page, its files, the examples, and the page of the API."""
    files = RevalidatedFiles(directory=_STATIC)

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return await files.get_response("docs.html", request.scope)

    app.mount("/static", files, name="static")
    app.mount("/swagger", RevalidatedFiles(directory=_SWAGGER), name="swagger")
    app.mount("/examples", RevalidatedFiles(directory=schemas.examples_folder()), name="examples")

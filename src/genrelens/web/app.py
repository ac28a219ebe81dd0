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
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pebble import ProcessExpired

from genrelens import __version__
from genrelens.artifact import Artifact
from genrelens.isolation import ClassifierPool, Refusal, Verdict
from genrelens.web import api
from genrelens.web.gate import Gate
from genrelens.web.headers import SecurityHeaders
from genrelens.web.monitoring import Monitor, Monitoring
from genrelens.web.problems import LastResort, Problem, install_problems
from genrelens.web.settings import Settings
from genrelens.web.uploads import BodyLimit, Upload, received

__all__ = ["create_app"]

_STATIC = Path(__file__).parent / "static"
_SWAGGER = Path(str(resources.files("fastapi_offline"))) / "static"


def create_app(settings: Settings) -> FastAPI:
    """Build the application; its worker processes start and end with its lifespan.

    Raises:
        ModelError: the model is missing, foreign, damaged or of another version.

    """
    service = _Service(settings)
    app = FastAPI(
        title="genrelens", version=__version__, docs_url=None, redoc_url=None,
        summary="Tells what kind of music a recording is.", lifespan=service.lifespan,
        license_info={"name": "MIT", "identifier": "MIT"},
    )  # fmt: skip
    install_problems(app)
    _add_classify(app, service)
    _add_information(app, service)
    _add_page(app)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, limit=settings.max_upload)
    app.add_middleware(LastResort)
    app.add_middleware(Monitoring, monitor=service.monitor)
    app.add_middleware(SecurityHeaders)
    return app


class _Service:
    """What the requests share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model = Artifact.load(settings.model).metadata  # fails now, not in a worker
        self.gate = Gate(settings.workers, settings.queue)
        self.monitor = Monitor(self.gate)
        self._pool: ClassifierPool | None = None
        self._folder: Path | None = None

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Start the workers, and end them once the last request is answered."""
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

    async def classify(self, request: Request, *, fast: bool, picture: bool) -> Verdict:
        """Receive a recording and have it classified, within the time that a request may take."""
        assert self._folder is not None  # the lifespan has begun
        with self.gate.slot():
            try:
                async with (
                    asyncio.timeout(self.settings.timeout),
                    received(request, self._folder) as upload,
                    self.gate.turn,
                ):
                    if await request.is_disconnected():
                        raise Problem(400, "the client went away")
                    return await self._judge(upload, fast=fast, picture=picture)
            except TimeoutError as error:
                raise Problem(
                    504, f"the recording was not done within {self.settings.timeout:g} s"
                ) from error

    async def _judge(self, upload: Upload, *, fast: bool, picture: bool) -> Verdict:
        assert self._pool is not None
        started = time.monotonic()
        future = self._pool.submit(
            upload.path, upload.name, fast=fast, picture=picture,
            alone=self.gate.under_way == 1,
        )  # fmt: skip
        try:
            verdict = await asyncio.wrap_future(future)
        except ProcessExpired as error:
            raise Problem(422, f"{upload.name}: crashed its decoder") from error
        except BrokenProcessPool as error:
            raise Problem(503, "the server lost its workers", {"Retry-After": "1"}) from error
        self.gate.took(time.monotonic() - started)
        if isinstance(verdict, Refusal):
            raise Problem(422, str(verdict))
        self.monitor.count(verdict.prediction)
        return verdict


def _add_classify(app: FastAPI, service: _Service) -> None:
    @app.post("/v1/classify", **api.CLASSIFY)
    async def classify(
        request: Request,
        timeline: Annotated[
            bool, Query(description="Add the genre of each segment, and the sections.")
        ] = False,
        fast: Annotated[
            bool,
            Query(description="Hear three passages of 30 s of what is longer than 90 s, not all."),
        ] = False,
        embedding: Annotated[
            bool, Query(description="Add the vector that likeness of sound is told by.")
        ] = False,
        spectrogram: Annotated[
            bool, Query(description="Add a picture of what the network hears.")
        ] = False,
    ) -> JSONResponse:
        """Tell the genre of a recording."""
        verdict = await service.classify(request, fast=fast, picture=spectrogram)
        answer = verdict.prediction.to_dict(timeline=timeline, embedding=embedding)
        if verdict.notes:
            answer["notes"] = list(verdict.notes)
        if verdict.picture is not None:
            answer["spectrogram"] = verdict.picture
        return JSONResponse(answer)


def _add_information(app: FastAPI, service: _Service) -> None:
    @app.get("/v1/models", **api.MODELS)
    async def models() -> list[dict[str, Any]]:
        """List the model that answers here."""
        return [api.describe(service.model)]

    @app.get("/v1/limits", **api.LIMITS)
    async def limits() -> dict[str, Any]:
        """Tell what a recording may be."""
        settings = service.settings
        return {
            "max_upload": settings.max_upload, "seconds": settings.limits.seconds,
            "sample_rate": settings.limits.sample_rate, "channels": settings.limits.channels,
            "timeout": settings.timeout,
        }  # fmt: skip

    @app.get("/v1/examples", **api.EXAMPLES)
    async def examples() -> list[dict[str, str]]:
        """List the clips to try."""
        return api.examples()

    @app.get("/healthz", **api.HEALTH)
    async def healthz() -> dict[str, str]:
        """Tell that the server is up."""
        return {"status": "ok"}

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(service.monitor.text(), media_type="text/plain; version=0.0.4")


def _add_page(app: FastAPI) -> None:
    """Serve the page, its files, the examples, and the page of the API."""

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(_STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(_STATIC / "docs.html")

    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.mount("/swagger", StaticFiles(directory=_SWAGGER), name="swagger")
    app.mount("/examples", StaticFiles(directory=api.examples_folder()), name="examples")

"""Is it alive, is it ready, and what can it do."""

import asyncio
import platform
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Literal

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import Field

from api._lib import VERSION, conditional, kv
from api._lib.app import create_app
from api._lib.errors import ApiError, Unavailable
from api._lib.late import LateRoute
from api._lib.problems import PROBLEM_MEDIA_TYPE, problem_body, problems
from api._lib.schema import Schema
from api._lib.settings import settings
from api._lib.store import condition

router = APIRouter(tags=["health"], route_class=LateRoute)

LONG_WAIT_SECONDS = 120.0
"""A run that waits longer than this has no worker, or too few."""

_LIBRARIES = ("fastapi", "numpy", "onnxruntime", "pydantic")

State = Literal["pass", "warn", "fail"]


class Health(Schema):
    """What runs here."""

    status: State = Field(description="Always 'pass': whoever answers is alive", examples=["pass"])
    version: str = Field(description="Version of Rowcast", examples=[VERSION])
    commit: str | None = Field(description="Git commit of the deployment, if the platform tells")
    region: str | None = Field(description="Region of the deployment, if the platform tells")
    python: str = Field(examples=["3.12.12"])
    libraries: dict[str, str] = Field(examples=[{"onnxruntime": "1.32.0"}])


class Check(Schema):
    """How one part is."""

    status: State
    ms: float = Field(description="How long the answer took")
    detail: str | None = Field(description="What is wrong, in one line")


class Budget(Schema):
    """Commands of the key-value store in this month, all instances together."""

    spent: int
    budget: int


class Readiness(Schema):
    """Every part by name: database and storage must pass; without the others work goes on, slower or later."""

    status: State
    checks: dict[str, Check] = Field(description="database, storage, queue, kv")
    kv_commands: Budget | None = Field(description="Null where there is no key-value store")


class Config(Schema):
    """What a page in a browser needs to sign people in. Public by nature."""

    supabase_url: str | None = Field(
        description="Address of the Supabase project; null where nobody can sign in",
        examples=["https://abcdefghijklmnop.supabase.co"],
    )
    supabase_publishable_key: str | None = Field(
        description="Its publishable key: what it opens is decided by row security", examples=["sb_publishable_…"]
    )


@router.get("/api/health")
async def get_health() -> Health:
    """Say that this process is alive, and what it is made of. Asks nobody else."""
    from importlib.metadata import version

    return Health(
        status="pass",
        version=VERSION,
        commit=settings().commit or None,
        region=settings().region or None,
        python=platform.python_version(),
        libraries={name: version(name) for name in _LIBRARIES},
    )


@router.get("/api/ready", response_model=Readiness, responses=problems(503))
async def get_readiness() -> Response:
    """Ask every part that a request may need. 503 says that one that is needed does not answer; `checks` names it."""
    names = ("database", "storage", "queue", "kv")
    found = await asyncio.gather(
        _check(condition.ask_database(), "fail"),
        _check(condition.ask_storage(), "fail"),
        _check(_ask_queue(), "warn"),
        _check(_ask_kv(), "warn"),
    )
    checks = dict(zip(names, found, strict=True))
    states = {check.status for check in found}
    if "fail" in states:
        failing = [name for name, check in checks.items() if check.status == "fail"]
        body = problem_body(Unavailable(f"Not ready: {', '.join(failing)}"))
        body["checks"] = {name: check.model_dump() for name, check in checks.items()}
        return Response(orjson.dumps(body), status_code=503, media_type=PROBLEM_MEDIA_TYPE)
    spent = kv.spent()
    budget = Budget(spent=spent.commands, budget=spent.budget) if kv.is_configured() else None
    ready = Readiness(status="warn" if "warn" in states else "pass", checks=checks, kv_commands=budget)
    return Response(ready.model_dump_json(), media_type="application/json")


@router.get("/api/config")
async def get_config(response: Response) -> Config:
    """Say where people sign in: the static site is the same build everywhere and asks here."""
    response.headers["cache-control"] = "public, max-age=300"
    return Config(
        supabase_url=settings().supabase_public_url or settings().supabase_url or None,
        supabase_publishable_key=settings().supabase_publishable_key or None,
    )


@router.get("/api/openapi.json", response_model=dict, responses={304: {"description": "Not Modified"}})
async def get_openapi(request: Request) -> Response:
    """Describe the whole API as OpenAPI 3.1, all functions together, with the rows and answers of the published models.

    A model's own description, private ones included, is at `/api/models/{slug}/openapi.json`.
    """
    from api._lib import descriptions

    return conditional.answer_json(request, await descriptions.describe_api(), cache_control="public, max-age=60")


async def _check(question: Awaitable[str | None], worst: State) -> Check:
    started = time.perf_counter()
    try:
        detail = await question
        state: State = "warn" if detail else "pass"
    except ApiError as error:
        detail, state = error.detail, worst
    return Check(status=state, ms=round((time.perf_counter() - started) * 1e3, 1), detail=detail)


async def _ask_queue() -> str | None:
    waiting_since = await condition.find_oldest_waiting()
    if waiting_since is None:
        return None
    waited = (datetime.now(UTC) - waiting_since).total_seconds()
    return f"a run has been waiting for {waited / 60:.0f} minutes" if waited > LONG_WAIT_SECONDS else None


async def _ask_kv() -> str | None:
    if not kv.is_configured():
        return "not configured: there is no shared cache"
    await kv.ping()
    spent = kv.spent()
    if spent.commands >= spent.budget:
        return f"this month's {spent.budget} commands are spent: there is no shared cache until the next"
    return None


app = create_app(router)

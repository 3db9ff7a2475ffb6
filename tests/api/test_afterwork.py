"""What is left to do behind an answer: a lasting server does it without holding the request, others before it ends."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Request
from starlette.testclient import TestClient

from api._lib.app import Api, create_app
from api._lib.hot import HotAnswer, HotRoute
from tests.api.conftest import Configure, Forwarder, api_process
from tests.api.test_prediction_log import ROW, Log
from tests.conftest import RunningStack

LEFT_SECONDS = 0.2


class Asked:
    """An app with one hot route that leaves something to do behind its answer."""

    def __init__(self) -> None:
        self.is_done = False
        router = APIRouter(route_class=HotRoute)

        @router.get("/api/things/{thing}")
        async def read(request: Request, thing: str) -> HotAnswer:
            return HotAnswer(b"{}", [], self._work)

        self.app: Api = create_app(router)

    async def _work(self) -> None:
        await asyncio.sleep(LEFT_SECONDS)
        self.is_done = True


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_a_request_ends_with_its_work_where_no_end_is_announced(asked: Asked):
    """Without the lifespan nobody would wait for what is left."""
    client = TestClient(asked.app)

    assert client.get("/api/things/1").status_code == 200

    assert asked.is_done


def test_a_lasting_server_does_what_is_left_before_it_ends(asked: Asked):
    with TestClient(asked.app) as client:
        assert client.get("/api/things/1").status_code == 200
        assert not asked.is_done

    assert asked.is_done


def test_a_function_of_the_platform_does_not_last(asked: Asked, configure: Configure):
    """It runs the lifespan, but sleeps as soon as no request is open."""
    configure(VERCEL="1")

    with TestClient(asked.app) as client:
        assert client.get("/api/things/1").status_code == 200
        assert asked.is_done


def _ask(client: httpx.Client, model: str, count: int) -> list[str]:
    answers = [client.post(f"/api/predict/{model}", json=ROW) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json()["id"] for answer in answers]


def test_nothing_answered_is_lost_when_a_server_is_stopped(stack: RunningStack, public_model: str, tmp_path: Path):
    """SIGTERM right behind the last answer: every record is in the database when the process is gone."""
    with api_process(stack, tmp_path / "site") as client:
        ids = _ask(client, public_model, 40)

    assert Log(stack).count(ids)[0] == len(ids)


def test_nothing_answered_is_lost_when_a_server_is_stopped_in_an_outage(
    stack: RunningStack, public_model: str, tmp_path: Path
):
    """The database is away at the end: the records are on disk, and the next process writes them."""
    folder = tmp_path / "site"
    with Forwarder(stack.supabase_url) as supabase:
        with api_process(stack, folder, SUPABASE_URL=supabase.url) as client:
            _ask(client, public_model, 1)
            supabase.shut()
            ids = _ask(client, public_model, 40)
        assert Log(stack).count(ids)[0] == 0
        assert list((folder / "spill").glob("*.jsonl"))
        supabase.open()

        with api_process(stack, folder, SUPABASE_URL=supabase.url) as client:
            _ask(client, public_model, 1)
            assert Log(stack).wait_for(ids)[0] == len(ids)

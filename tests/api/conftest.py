"""What the tests of the API share: published models, and an API of their own whose surroundings can be cut off."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from api._lib import auth, limits
from api._lib.settings import settings
from api._stack.settings import Ports
from tests.api.forwarder import Forwarder
from tests.api.hooks import Opener, Sender
from tests.api.tiny import Tiny, build
from tests.conftest import RunningStack, User

REPOSITORY = Path(__file__).resolve().parents[2]


class Publisher:
    """Puts versions into the registry the short way: what the worker would have written, without its training."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack

    def publish(self, slug: str, *versions: Tiny, owner: User | None = None, visibility: str = "public") -> None:
        """Publish versions of a model; the first is the champion, the newest the challenger."""
        with self._stack.connect() as connection, self._stack.client(is_service=True) as storage:
            values = (slug, "Tiny", "multiclass", "species", visibility, owner and owner.id)
            statement = (
                "insert into public.models (slug, title, task, target, visibility, owner_id) "
                "values (%s, %s, %s, %s, %s, %s) returning id"
            )
            model_id = connection.execute(statement, values).fetchone()[0]
            for number, version in enumerate(versions, start=1):
                card = version.card.model_dump_json()
                statement = (
                    "insert into public.versions (model_id, number, digest, card, size_bytes) "
                    "values (%s, %s, %s, %s, %s) returning id"
                )
                values = (model_id, number, version.card.digest, card, len(version.model))
                version_id = connection.execute(statement, values).fetchone()[0]
                if number == 1:
                    self._point(connection, model_id, "champion", version_id)
                if number == len(versions):
                    self._point(connection, model_id, "challenger", version_id)
                folder = f"/storage/v1/object/models/{version.card.digest}"
                headers = {"content-type": "application/octet-stream", "x-upsert": "true"}
                for name, content in (("model.onnx", version.model), ("card.json", card.encode())):
                    storage.post(f"{folder}/{name}", content=content, headers=headers).raise_for_status()

    @staticmethod
    def _point(connection, model_id, name, version_id) -> None:
        """Point an alias at a version for the first time, with the promotion that belongs to it."""
        connection.execute(
            "select private.move_alias(%s, %s, %s, 'first certified version', '{}', null)", (model_id, name, version_id)
        )


@dataclass(frozen=True)
class OwnSite:
    """An API process of a test module's own; its doors to Supabase and the key-value store can be shut."""

    client: httpx.Client
    supabase: Forwarder
    kv: Forwarder
    log: Path
    cache: Path
    spill: Path

    def wait_until(self, path: str, status: int, seconds: float = 15) -> httpx.Response:
        """Ask until the answer has this status."""
        ends_at = time.monotonic() + seconds
        while True:
            answer = self.client.get(path)
            if answer.status_code == status or time.monotonic() > ends_at:
                return answer
            time.sleep(0.1)


type Configure = Callable[..., None]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Set variables as a deployment would, and forget what this process knew before."""

    def forget() -> None:
        settings.cache_clear()
        auth._tokens.clear()
        auth._published_keys.cache_clear()
        limits._ledgers.cache_clear()

    def set_environ(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        forget()

    yield set_environ
    forget()


@pytest.fixture
def configure_stack(stack: RunningStack, configure: Configure) -> Configure:
    """Be a function of the running stack in this process; set variables beside its own."""

    def set_environ(**values: str) -> None:
        configure(**{**stack.environ, **values})

    set_environ()
    return set_environ


@pytest.fixture(scope="session")
def publisher(stack: RunningStack) -> Publisher:
    """Publish models without training them."""
    return Publisher(stack)


@pytest.fixture(scope="session")
def public_model(publisher: Publisher, analyst: User) -> str:
    """Name a public model of the analyst's, with two versions."""
    publisher.publish("tiny-public", build("tiny-public"), build("tiny-public", seed=1), owner=analyst)
    return "tiny-public"


@pytest.fixture(scope="session")
def private_model(publisher: Publisher, analyst: User) -> str:
    """Name a private model of the analyst's."""
    publisher.publish("tiny-private", build("tiny-private", seed=2), owner=analyst, visibility="private")
    return "tiny-private"


@pytest.fixture
def open_hook(api: httpx.Client, analyst: User, public_model: str) -> Opener:
    """Open hooks of the analyst's."""

    def open_one(**changes: Any) -> Sender:
        order = {"name": "Orders", "model": public_model, **changes}
        answer = api.post("/api/hooks", json=order, headers=analyst.headers)
        assert answer.status_code == 201, answer.text
        return Sender(api, answer.json())

    return open_one


@pytest.fixture
def deliveries(api: httpx.Client, analyst: User) -> Callable[[Sender], list[dict[str, Any]]]:
    """Read the log of a hook as its owner."""

    def read(sender: Sender) -> list[dict[str, Any]]:
        return list(api.get(f"{sender.path}/deliveries", headers=analyst.headers).json()["deliveries"])

    return read


@pytest.fixture(scope="module")
def own_site(stack: RunningStack, public_model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSite]:
    """Start an API process whose way to Supabase and to the key-value store leads through doors we can shut."""
    folder = tmp_path_factory.mktemp("own-site")
    with Forwarder(stack.supabase_url) as supabase, Forwarder(stack.kv_url) as kv:
        doors = {"SUPABASE_URL": supabase.url, "KV_REST_API_URL": kv.url}
        with api_process(stack, folder, **doors, ROWCAST_CORS_ORIGINS="https://allowed.example") as client:
            yield OwnSite(client, supabase, kv, folder / "log", folder / "cache", folder / "spill")


@contextmanager
def api_process(stack: RunningStack, folder: Path, **environ: str) -> Iterator[httpx.Client]:
    """Run the whole API in a process of its own, as another instance of the deployment; its log is in the folder."""
    port = Ports.free().site
    folder.mkdir(exist_ok=True)
    known = {
        **os.environ,
        **stack.environ,
        "ROWCAST_MODEL_CACHE_DIR": str(folder / "cache"),
        "ROWCAST_SPILL_DIR": str(folder / "spill"),
        "PYTHONPATH": str(REPOSITORY),
        **environ,
    }
    command = [sys.executable, "-m", "uvicorn", "api._stack.server:app", "--port", str(port), "--no-access-log"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=known, cwd=REPOSITORY, stdout=log, stderr=log)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
    try:
        _wait_for(client, process)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=15)


def _wait_for(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + 30
    while time.monotonic() < ends_at:
        assert process.poll() is None, "the API process ended"
        try:
            if client.get("/api/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the API process did not answer")

"""The doors of the database are open for everybody as soon as the stack says that it runs."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx

from api._stack.settings import Ports, Settings
from api._stack.stack import Stack

CALLERS = 12


def test_many_first_callers_are_all_let_in():
    """The very first requests after the very first start come at the same time, as those of site, worker and dashboard do."""
    with tempfile.TemporaryDirectory(prefix="rowcast-first-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the database runs as another user
        settings = Settings(home=Path(folder), ports=Ports.free(), is_durable=False)
        stack = Stack(settings, applications=(), on_event=lambda _: None)
        try:
            stack.start()
            assert _read_at_once(stack) == [200] * CALLERS
        finally:
            stack.stop()


def _read_at_once(stack: Stack) -> list[int]:
    together = Barrier(CALLERS)
    url = f"{stack.settings.supabase_url}/rest/v1/models?select=id"
    headers = {"apikey": stack.environ()["SUPABASE_SECRET_KEY"]}

    def read(_: int) -> int:
        with httpx.Client(headers=headers, trust_env=False) as client:
            together.wait(timeout=30)
            return client.get(url, timeout=30).status_code

    with ThreadPoolExecutor(CALLERS) as callers:
        return list(callers.map(read, range(CALLERS)))

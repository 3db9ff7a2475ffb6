"""The connections that all sessions share: nobody's waiting, closing or giving up costs another one a place."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.dashboard.conftest import Open

CROWD = 110
"""More than httpx lets in by itself."""


@pytest.fixture
def crowded(settings: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, list[str]]]:
    """Run an API that keeps whoever asks for /slow waiting, and closes each connection after its first answer, unsaid."""
    release, asked = threading.Event(), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path == "/slow":
                release.wait(20)
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 2 * CROWD

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.setenv("ROWCAST_API_URL", f"http://127.0.0.1:{server.server_port}")
    yield release, asked
    release.set()
    server.shutdown()
    server.server_close()


def test_slow_calls_of_many_do_not_hold_up_another(open_page: Open, crowded: tuple[threading.Event, list[str]]):
    """While a crowd waits for slow answers, one more call is answered at once, and dropped connections are not noticed."""
    release, asked = crowded
    import api_client

    threads = [threading.Thread(target=api_client.call, args=("GET", "/slow"), daemon=True) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    while asked.count("/slow") < CROWD:
        threads[0].join(0.05)

    assert [api_client.call("GET", "/fast") for _ in range(5)] == [{}] * 5
    release.set()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


def test_what_is_asked_ahead_is_not_waited_for_in_turn(open_page: Open, crowded: tuple[threading.Event, list[str]]):
    """Questions go out together with the page's own; a refused one is left for the page to meet, and to say."""
    release, asked = crowded
    import api_client
    from ahead import ahead

    def refused() -> None:
        raise api_client.CallFailed("no")

    with ahead(lambda: api_client.call("GET", "/slow"), lambda: api_client.call("GET", "/slow"), refused):
        while asked.count("/slow") < 2:
            threading.Event().wait(0.02)
        own = api_client.call("GET", "/fast")
        release.set()

    assert own == {}
    assert asked.count("/slow") == 2

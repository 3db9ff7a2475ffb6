"""A door between the API and one of its servers that a test can shut, slow down and open again."""

import socket
import threading
import time
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Forwarder:
    """Passes bytes on to one address while it is open. Shut, it refuses connections and drops those it has."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname
        assert parts.port
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._delay = 0.0
        self._refused = b""
        self.asked: list[bytes] = []
        """The first line of everything that came in one piece, either way: of requests, what was asked."""
        self._connections: set[socket.socket] = set()
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()

    def shut(self) -> None:
        """Be down: nobody listens, and what was connected is cut."""
        self._close(self._listener)
        for connection in list(self._connections):
            self._close(connection)

    def open(self) -> None:
        """Be there again, at the same address."""
        self._delay = 0.0
        self._refused = b""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._listen, args=(self._listener,), daemon=True).start()

    def refuse(self, path: str) -> None:
        """Cut every connection on which this path is asked for; the others go on. "" lets all through again."""
        self._refused = path.encode()

    def slow_down(self, seconds: float) -> None:
        """Hold everything back for so long."""
        self._delay = seconds

    def _listen(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                self._connections |= {near, far}
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                first = data.partition(b"\r\n")[0]
                self.asked.append(first[:200])
                if self._refused and self._refused in first:
                    break
                time.sleep(self._delay)
                sink.sendall(data)
        for connection in (source, sink):
            self._close(connection)
            self._connections.discard(connection)

    @staticmethod
    def _close(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            connection.close()

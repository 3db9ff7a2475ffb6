"""Where the embedded stack lives and which ports it uses: the variables only the stack reads."""

import os
import random
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from api._stack.errors import StackError

REPOSITORY = Path(__file__).resolve().parents[2]
HOME_VARIABLE = "ROWCAST_HOME"
HIGHEST_PORT = 65535
_QUIET_PORTS = (20_000, 32_000)


@dataclass(frozen=True)
class Ports:
    """One loopback port for each door; `ROWCAST_<NAME>_PORT` overrides each default."""

    site: int = 3000
    dashboard: int = 8501
    supabase: int = 54321
    database: int = 54322
    kv: int = 54323
    redis: int = 54324

    @staticmethod
    def variable(name: str) -> str:
        """Name the environment variable that sets this port."""
        return f"ROWCAST_{name.upper()}_PORT"

    @classmethod
    def load(cls, environ: Mapping[str, str], **chosen: int | None) -> Self:
        """Take each port from what was chosen, else from the environment, else from the defaults."""
        ports = {}
        for field in fields(cls):
            port = chosen.get(field.name)
            text = environ.get(cls.variable(field.name), "")
            if port is None and text:
                port = _parse_port(cls.variable(field.name), text)
            if port is not None:
                ports[field.name] = port
        loaded = cls(**ports)
        if len(set(asdict(loaded).values())) < len(fields(cls)):
            raise StackError(f"two services share one port: {asdict(loaded)}; give each its own")
        return loaded

    @classmethod
    def free(cls) -> Self:
        """Pick ports nobody uses at the moment, all different.

        They lie below those that systems give to outgoing connections, which come and go before a server starts.
        """
        found: list[int] = []
        for port in random.sample(range(*_QUIET_PORTS), k=_QUIET_PORTS[1] - _QUIET_PORTS[0]):
            with socket.socket() as tried, suppress(OSError):
                tried.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == len(fields(cls)):
                return cls(*found)
        raise StackError(f"no free ports between {_QUIET_PORTS[0]} and {_QUIET_PORTS[1]}")


@dataclass(frozen=True)
class Settings:
    """Everything the stack must know before it starts."""

    home: Path
    ports: Ports
    is_durable: bool = True
    """Whether a power cut may lose nothing. Tests switch it off: the disk then never waits."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **ports: int | None) -> Self:
        """Read the settings of this machine's stack; `ports` are choices made on the command line."""
        environ = os.environ if environ is None else environ
        home = Path(environ.get(HOME_VARIABLE) or REPOSITORY / ".rowcast")
        return cls(home=home.expanduser().absolute(), ports=Ports.load(environ, **ports))

    @property
    def logs(self) -> Path:
        """The folder with one log file for each service."""
        return self.home / "logs"

    @property
    def env_file(self) -> Path:
        """Secrets and addresses as dotenv lines, readable by the owner only."""
        return self.home / "env"

    @property
    def site_url(self) -> str:
        """The one origin of site and API."""
        return f"http://127.0.0.1:{self.ports.site}"

    @property
    def dashboard_url(self) -> str:
        """Where the dashboard answers."""
        return f"http://127.0.0.1:{self.ports.dashboard}"

    @property
    def supabase_url(self) -> str:
        """Where Supabase's own doors (rest, auth, storage) answer."""
        return f"http://127.0.0.1:{self.ports.supabase}"

    @property
    def kv_url(self) -> str:
        """Where the key-value store answers over HTTP."""
        return f"http://127.0.0.1:{self.ports.kv}"


def _parse_port(variable: str, text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= HIGHEST_PORT:
        raise StackError(f"{variable} is {text!r}; a port is a number from 1 to {HIGHEST_PORT}")
    return int(text)

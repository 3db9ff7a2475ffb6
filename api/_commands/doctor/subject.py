"""What is examined: one deployment, as its variables describe it, and the doctor's two ways to it, each with a deadline."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from api._lib.settings import Settings, SettingsInvalid, load_settings
from api._stack.settings import REPOSITORY

if TYPE_CHECKING:
    import httpx
    import psycopg

CALL_SECONDS = 8.0
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 8


class Away(Exception):
    """Something does not answer, so what needs it cannot be looked at; the message says what and why, without secrets."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass
class Subject:
    """One deployment. Close it when done."""

    environ: Mapping[str, str]
    """What its functions and jobs read."""

    kind: Literal["embedded", "hosted", "nothing"]
    root: Path = REPOSITORY
    """The checkout: migrations, requirements, built functions."""

    transport: "httpx.BaseTransport | None" = None
    """Other people's servers, in tests."""

    _held: list[Any] = field(default_factory=list)

    @cached_property
    def settings(self) -> Settings:
        """The variables as the functions read them; those that do not fit count as absent (`variables` reports them)."""
        try:
            return load_settings(self.environ)
        except SettingsInvalid:
            return Settings(
                supabase_url=self.environ.get("SUPABASE_URL", "").rstrip("/"),
                supabase_publishable_key=self.environ.get("SUPABASE_PUBLISHABLE_KEY", ""),
                supabase_secret_key=self.environ.get("SUPABASE_SECRET_KEY", ""),
                database_url=self.environ.get("DATABASE_URL", ""),
            )

    @cached_property
    def http(self) -> "httpx.Client":
        """A client in which every call ends."""
        import httpx

        is_here = self.kind == "embedded"  # a proxy cannot reach this machine's loopback
        client = httpx.Client(
            timeout=httpx.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS),
            transport=self.transport,
            trust_env=not is_here,
        )
        self._held.append(client)
        return client

    def ask(self, method: str, url: str, **request: Any) -> "httpx.Response":
        """Make one call.

        Raises:
            Away: nobody answered.
        """
        import httpx

        try:
            return self.http.request(method, url, **request)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Away(f"{_host(url)} does not answer ({_reason(error)})") from error

    def time_ask(self, method: str, url: str, **request: Any) -> tuple["httpx.Response", float]:
        """Make one call and return the answer with the milliseconds it took."""
        started = time.perf_counter()
        return self.ask(method, url, **request), (time.perf_counter() - started) * 1e3

    @contextmanager
    def database(self) -> Iterator["psycopg.Connection[dict[str, Any]]"]:
        """Lend the one connection, in a transaction that is always rolled back.

        Raises:
            Away: there is no address, or nobody answers there. A second try is not made.
        """
        connection = self._connection
        if isinstance(connection, Away):
            raise Away(str(connection))
        connection.rollback()
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.rollback()

    @cached_property
    def _connection(self) -> "psycopg.Connection[dict[str, Any]] | Away":
        import psycopg
        from psycopg.rows import dict_row

        if not self.settings.database_url:
            return Away("DATABASE_URL is not set, so the database cannot be looked into")
        try:
            connection = psycopg.connect(
                self.settings.database_url,
                connect_timeout=CONNECT_SECONDS,
                row_factory=dict_row,
                prepare_threshold=None,  # Supabase's pooler in transaction mode keeps no prepared statements
                application_name="rowcast doctor",
            )
            connection.execute(f"set statement_timeout = '{STATEMENT_SECONDS}s'")
            connection.execute("set lock_timeout = '3s'")
            connection.commit()
        except psycopg.Error as error:
            return Away(f"the database does not answer ({_reason(error)})")
        self._held.append(connection)
        return connection

    def close(self) -> None:
        """Let go of what was opened."""
        for each in self._held:
            each.close()


def _host(url: str) -> str:
    return url.split("//", 1)[-1].split("/", 1)[0].split("?", 1)[0]


def _reason(error: Exception) -> str:
    """Say why in a few words; addresses of databases carry passwords and are left out."""
    text = str(error).strip().splitlines()
    line = text[0] if text else type(error).__name__
    return type(error).__name__ if "://" in line else line[:160]

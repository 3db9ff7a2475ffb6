"""The command line's one door to a Rowcast server: where it is, who is calling, what it refused.

Every call has a deadline. What the server refuses (problem+json) leaves as a `CliError`; nothing else escapes. httpx is imported on
first use: it costs 0.3 s, which `./rowcast --help` must not pay.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from api._commands.errors import CliError, RequestRefused, ServerUnreachable, moved, summarise
from api._stack.secrets import read_env
from api._stack.settings import Settings

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 30.0
NOT_RUNNING = "Rowcast is not running here; start it with ./rowcast up"
UNAUTHORIZED, FORBIDDEN = 401, 403

_CALLER = ("ROWCAST_TOKEN", "ROWCAST_EMAIL", "ROWCAST_PASSWORD")


@dataclass(frozen=True)
class Place:
    """Where a Rowcast answers, and what this caller can show it."""

    api_url: str
    supabase_url: str = ""
    publishable_key: str = ""
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    email: str = ""
    password: str = field(default="", repr=False)


def find_place(environ: Mapping[str, str] | None = None) -> Place:
    """Find the server: `ROWCAST_API_URL` names one, else it is the stack that `./rowcast up` keeps here.

    A named server is told only what the environment holds: secrets of the local stack are never sent to it.
    """
    environ = os.environ if environ is None else environ
    values = dict(environ)
    if not environ.get("ROWCAST_API_URL"):
        kept = read_env(Settings.load(environ).env_file)
        if not kept.get("ROWCAST_API_URL"):
            raise CliError(NOT_RUNNING)
        values = {**kept, **{key: environ[key] for key in _CALLER if environ.get(key)}}
    return Place(
        api_url=values["ROWCAST_API_URL"].rstrip("/"),
        supabase_url=values.get("SUPABASE_URL", "").rstrip("/"),
        publishable_key=values.get("SUPABASE_PUBLISHABLE_KEY", ""),
        secret_key=values.get("SUPABASE_SECRET_KEY", ""),
        token=values.get("ROWCAST_TOKEN", ""),
        email=values.get("ROWCAST_EMAIL") or values.get("ROWCAST_ADMIN_EMAIL", ""),
        password=values.get("ROWCAST_PASSWORD") or values.get("ROWCAST_ADMIN_PASSWORD", ""),
    )


class Client:
    """Calls the API as the caller: signed in when credentials are at hand, else anonymous. Use as a context manager."""

    def __init__(self, place: Place | None = None, *, transport: "httpx.BaseTransport | None" = None) -> None:
        import httpx

        self.place = place or find_place()
        self._token = self.place.token
        self._http = httpx.Client(
            trust_env=not _is_here(self.place.api_url),  # a proxy cannot reach this machine's loopback
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def is_somebody(self) -> bool:
        """Whether calls name a caller."""
        return bool(self.place.token or self.place.email)

    def call(self, method: str, path: str, *, first_row: int = 0, **request: Any) -> Any:
        """Ask the API and return the decoded JSON. Signs in on first use, and again when the token has run out meanwhile.

        Args:
            method: HTTP method.
            path: Path from the root of the site, `/api/…`.
            first_row: Number of rows sent before these, so that refusals name the row of the caller's file.
            **request: What httpx takes: `json`, `params`, `content`, `headers`, `timeout`.
        """
        return _decoded(self._ask(method, path, **request), first_row=first_row)

    def fetch(self, path: str, **request: Any) -> "httpx.Response":
        """Ask the API for something that is no JSON and return the answer as it came."""
        answer = self._ask("GET", path, **request)
        if not answer.is_success:
            _decoded(answer)
        return answer

    def _ask(self, method: str, path: str, **request: Any) -> "httpx.Response":
        own_token = not self.place.token
        if own_token and not self._token and self.place.email:
            self._sign_in()
        response = self._send(method, self.place.api_url + path, bearer=self._token, **request)
        if response.status_code == UNAUTHORIZED and own_token and self._token:
            self._sign_in()
            response = self._send(method, self.place.api_url + path, bearer=self._token, **request)
        return response

    def supabase(self, method: str, path: str, *, secret: bool = False, **request: Any) -> Any:
        """Ask Supabase itself (`/auth/v1/…`, `/rest/v1/…`), with the secret key where the caller must be the operator."""
        key = self.place.secret_key if secret else self.place.publishable_key
        if not (self.place.supabase_url and key):
            needed = "SUPABASE_SECRET_KEY" if secret else "SUPABASE_PUBLISHABLE_KEY"
            raise CliError(f"set SUPABASE_URL and {needed} to do this against {self.place.api_url}")
        return _decoded(self._send(method, self.place.supabase_url + path, headers={"apikey": key}, **request))

    def upload(self, url: str, content: Any, *, method: str, headers: Mapping[str, str], timeout: float) -> None:
        """Send bytes to a signed Storage URL; no key of ours travels along."""
        _decoded(self._send(method, url, content=content, headers=headers, timeout=timeout))

    def download(self, url: str, *, timeout: float) -> Iterator[bytes]:
        """Yield the bytes behind a signed Storage URL as they come; no key of ours travels along."""
        import httpx

        try:
            with self._http.stream("GET", url, timeout=timeout) as answer:
                if not answer.is_success:
                    answer.read()
                    _decoded(answer)
                yield from answer.iter_raw()
        except httpx.HTTPError as error:
            raise ServerUnreachable(f"the connection to {_origin(url)} broke: {error}") from error

    def _sign_in(self) -> None:
        account = {"email": self.place.email, "password": self.place.password}
        try:
            answer = self.supabase("POST", "/auth/v1/token?grant_type=password", json=account)
        except RequestRefused as refusal:
            raise CliError(f"cannot sign in as {self.place.email}: {refusal.message}") from refusal
        self._token = answer["access_token"]

    def _send(
        self, method: str, url: str, *, bearer: str = "", headers: Mapping[str, str] | None = None, **request: Any
    ) -> "httpx.Response":
        import httpx

        sent = dict(headers or {})
        if bearer:
            sent["authorization"] = f"Bearer {bearer}"
        try:
            return self._http.request(method, url, headers=sent, **request)
        except httpx.ConnectError as error:
            raise ServerUnreachable(
                f"nothing answers at {_origin(url)}" + (f": {NOT_RUNNING}" if _is_here(url) else "")
            ) from error
        except httpx.TimeoutException as error:
            raise ServerUnreachable(
                f"{_origin(url)} did not answer in time; ./rowcast status shows what runs"
            ) from error
        except httpx.HTTPError as error:
            raise ServerUnreachable(f"the connection to {_origin(url)} broke: {error}") from error
        except httpx.InvalidURL as error:
            raise CliError(f"{url!r} is no address: {error}") from error


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _is_here(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "http://localhost:"))


def _decoded(response: "httpx.Response", *, first_row: int = 0) -> Any:
    try:
        body = response.json() if response.content else None
    except ValueError:
        body = None
    if response.is_success:
        return body
    problem = body if isinstance(body, dict) else {}
    fallback = f"{_origin(str(response.url))} answered {response.status_code} {response.reason_phrase}"
    message = problem.get("detail") or problem.get("msg") or problem.get("message") or problem.get("title") or fallback
    wrong = [(moved(each["pointer"], first_row), each["detail"]) for each in problem.get("errors") or []]
    code = str(problem.get("error_code") or problem.get("code") or "")
    raise RequestRefused(*summarise(str(message), wrong), status=response.status_code, code=code)

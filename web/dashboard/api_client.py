"""The only file that knows addresses: Rowcast's API, and Supabase for sign-in. What is asked there stand in the `*_calls`.

Every call is made as somebody: pass that person's access token, or none for a visitor. The shared connection pool keeps
no cookies and no headers between calls, so nothing of one person reaches another.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import streamlit as st

TIMEOUT = httpx.Timeout(10, connect=3)

type Json = dict[str, Any]


class CallFailed(Exception):
    """A call was refused or not answered; `str()` of it can be shown to a person."""

    def __init__(self, detail: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code


class SignInNeeded(CallFailed):
    """The call needs somebody who is signed in, or the session has ended."""


class ServiceUnreachable(CallFailed):
    """Nobody answers at the address; trying again later may help."""


def setting(name: str) -> str:
    """Read a setting from the environment, or from Streamlit's secrets where there is no environment."""
    if value := os.environ.get(name):
        return value.rstrip("/")
    try:
        return str(st.secrets.get(name, "")).rstrip("/")
    except FileNotFoundError:
        return ""


@st.cache_resource(on_release=httpx.Client.close)
def _pool() -> httpx.Client:
    """Open the connections that all sessions share."""
    return httpx.Client(
        timeout=TIMEOUT,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        # Nobody waits inside the pool: who gives up waiting there may leave a connection that stays taken for ever.
        # One script thread per open page makes one call at a time, so their number is bounded without it.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30),
    )


def call(method: str, path: str, *, token: str | None = None, **options: Any) -> Any:
    """Call Rowcast's API and return what it answered.

    Raises:
        ServiceUnreachable: nobody answered in time.
        SignInNeeded: the token is missing, wrong or has expired.
        CallFailed: the call was refused; the message says why.
    """
    base = setting("ROWCAST_API_URL")
    if not base:
        raise ServiceUnreachable("ROWCAST_API_URL is not set: the dashboard does not know which Rowcast to show.")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return send(method, f"{base}{path}", headers=headers, **options)


def send(method: str, url: str, *, headers: Mapping[str, str], **options: Any) -> Any:
    """Send one request to whichever address and return what was answered; raises as `call` does."""
    try:
        answer = _asked(method, url, headers=headers, **options)
    except httpx.HTTPError as error:
        host = httpx.URL(url).host
        raise ServiceUnreachable(f"{host} does not answer ({type(error).__name__}).") from error
    if answer.is_success:
        return answer.json() if answer.content else None
    raise _failure(answer)


def _asked(method: str, url: str, **options: Any) -> httpx.Response:
    if method == "GET":
        # A kept connection may have been closed by the other side in the very moment of its use.
        with suppress(httpx.RemoteProtocolError, httpx.ReadError):
            return _pool().request(method, url, **options)
    return _pool().request(method, url, **options)


def _failure(answer: httpx.Response) -> CallFailed:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    problem = problem if isinstance(problem, dict) else {}
    # Three dialects: our own problem bodies, Supabase Auth, Supabase Storage.
    detail = next(
        (str(problem[key]) for key in ("detail", "msg", "error_description", "message") if problem.get(key)), ""
    )
    fields = [f"{each.get('pointer', '')}: {each.get('detail', '')}." for each in problem.get("errors") or []]
    text = " ".join([detail or f"The service answered {answer.status_code}.", *fields[:5]])
    kind = SignInNeeded if answer.status_code == httpx.codes.UNAUTHORIZED else CallFailed
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        kind = ServiceUnreachable
    return kind(text, status=answer.status_code, code=str(problem.get("code") or problem.get("error_code") or ""))


def read_me(token: str) -> Json:
    """Read who the API takes this person for."""
    return call("GET", "/api/me", token=token)


def password_tokens(email: str, password: str) -> Json:
    """Exchange e-mail and password for tokens."""
    return _auth("token?grant_type=password", {"email": email, "password": password})


def refreshed_tokens(refresh_token: str) -> Json:
    """Exchange a refresh token, which is used up by this, for new tokens."""
    return _auth("token?grant_type=refresh_token", {"refresh_token": refresh_token})


def end_session(token: str) -> None:
    """Make the refresh token of this session worthless."""
    _auth("logout?scope=local", {}, token=token)


def _auth(path: str, body: Json, *, token: str | None = None) -> Any:
    base, key = setting("SUPABASE_URL"), setting("SUPABASE_PUBLISHABLE_KEY")
    if not (base and key):
        raise ServiceUnreachable("SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY are not set: nobody can sign in.")
    headers = {"apikey": key} | ({"Authorization": f"Bearer {token}"} if token else {})
    return send("POST", f"{base}/auth/v1/{path}", headers=headers, json=body)

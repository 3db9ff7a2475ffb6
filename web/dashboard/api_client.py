"""The only file that knows addresses: Rowcast's API, and Supabase for sign-in and uploads.

Every call is made as somebody: pass that person's access token, or none for a visitor. The shared connection pool keeps
no cookies and no headers between calls, so nothing of one person reaches another.
"""

import hashlib
import os
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import streamlit as st

TIMEOUT = httpx.Timeout(10, connect=3)
UPLOAD_SECONDS = 300

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
    return httpx.Client(timeout=TIMEOUT, cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])))


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
    return _send(method, f"{base}{path}", headers=headers, **options)


def _send(method: str, url: str, *, headers: Mapping[str, str], **options: Any) -> Any:
    try:
        answer = _pool().request(method, url, headers=headers, **options)
    except httpx.HTTPError as error:
        host = httpx.URL(url).host
        raise ServiceUnreachable(f"{host} does not answer ({type(error).__name__}).") from error
    if answer.is_success:
        return answer.json() if answer.content else None
    raise _failure(answer)


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


@st.cache_data(ttl=10, max_entries=20, scope="session", show_spinner=False)
def list_models(token: str | None) -> list[Json]:
    """List the models this person may see, each with its champion."""
    return call("GET", "/api/models", token=token)["models"]


@st.cache_data(ttl=60, max_entries=20, scope="session", show_spinner=False)
def read_card(slug: str, version: int | str, token: str | None) -> Json:
    """Read the card of one version, by number or alias."""
    return call("GET", f"/api/models/{slug}/card", token=token, params={"version": version})


@st.cache_data(ttl=5, max_entries=20, scope="session", show_spinner=False)
def list_versions(slug: str, token: str | None) -> list[Json]:
    """List a model's versions, newest first, each with the aliases that point at it."""
    return call("GET", f"/api/models/{slug}/versions", token=token)["versions"]


@st.cache_data(ttl=5, max_entries=20, scope="session", show_spinner=False)
def list_promotions(slug: str, token: str) -> list[Json]:
    """List who moved which alias, when and why, newest first. Owners and admins may see it."""
    return call("GET", f"/api/models/{slug}/promotions", token=token)["promotions"]


def promote(slug: str, alias: str, number: int, reason: str, token: str) -> None:
    """Point an alias at a version."""
    call("PUT", f"/api/models/{slug}/aliases/{alias}", token=token, json={"version": number, "reason": reason})
    forget_models()


def roll_back(slug: str, alias: str, reason: str, token: str) -> None:
    """Point an alias at the version it pointed at before."""
    call("POST", f"/api/models/{slug}/rollback", token=token, json={"alias": alias, "reason": reason})
    forget_models()


def forget_models() -> None:
    """Ask the API again about models, after something was changed here."""
    for kept in (list_models, list_versions, list_promotions, read_card):
        kept.clear()


@st.cache_data(ttl=5, max_entries=20, scope="session", show_spinner=False)
def read_metrics(slug: str, span: str, token: str) -> Json:
    """Read traffic, latency, refusals and quality of a model over a span such as `7d`."""
    return call("GET", f"/api/metrics/{slug}", token=token, params={"span": span})


@st.cache_data(ttl=30, max_entries=20, scope="session", show_spinner=False)
def read_drift(slug: str, token: str) -> Json:
    """Read how far the champion's features have moved from training."""
    return call("GET", f"/api/metrics/{slug}/drift", token=token)


@st.cache_data(ttl=30, max_entries=20, scope="session", show_spinner=False)
def read_values(slug: str, version: int, token: str) -> Json:
    """Read what came in and went out of a version in 30 days, beside training."""
    return call("GET", f"/api/metrics/{slug}/values", token=token, params={"version": version})


@st.cache_data(ttl=10, max_entries=4, scope="session", show_spinner=False)
def read_usage(token: str) -> Json:
    """Read what the deployment has used up; for admins."""
    return call("GET", "/api/usage", token=token)


def create_dataset(content: bytes, filename: str, name: str, token: str) -> Json:
    """Upload a file straight to storage, past the API's size limit, and return the finished dataset."""
    digest = hashlib.sha256(content).hexdigest()
    wanted = {"filename": filename, "size_bytes": len(content), "name": name}
    made = call("POST", "/api/datasets", token=token, json=wanted)
    upload = made["upload"]
    _send(upload["method"], upload["url"], headers=upload["headers"], content=content, timeout=UPLOAD_SECONDS)
    done = call("POST", f"/api/datasets/{made['dataset']['id']}/complete", token=token, json={"sha256": digest})
    return done.get("dataset", done)


def start_run(wanted: Json, token: str) -> Json:
    """Ask for a training run."""
    made = call("POST", "/api/runs", token=token, json=wanted)
    return made.get("run", made)


def list_runs(token: str) -> list[Json]:
    """List this person's training runs, newest first."""
    return call("GET", "/api/runs", token=token)["runs"]


def read_events(run_id: str, after: int, token: str) -> Json:
    """Read what happened in a run since event number `after`, and how the run stands."""
    return call("GET", f"/api/runs/{run_id}/events", token=token, params={"after": after})


def cancel_run(run_id: str, token: str) -> None:
    """Ask the worker to stop a run."""
    call("POST", f"/api/runs/{run_id}/cancel", token=token)


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
    return _send("POST", f"{base}/auth/v1/{path}", headers=headers, json=body)

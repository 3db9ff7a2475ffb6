"""Who is signed in, in this browser.

The browser holds one random word in a cookie and nothing else. The tokens stay in this server's memory under that word,
so a reload, a second tab and a lost connection find the same person again, tokens are renewed in one place, and one
person's session is never another's: what the pages remember for somebody ends with their session. A restart of the
server signs everybody out.

The cookie is set by script, so script of this page could read it: the pages show no foreign HTML. `SameSite=Strict` keeps
other sites from using it.
"""

import re
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import streamlit as st

import api_client
from api_client import CallFailed, ServiceUnreachable

COOKIE = "rowcast_session"
LIFETIME_SECONDS = 12 * 3600
MAX_SESSIONS = 1000
RENEW_SECONDS = 60
"""Tokens are renewed this long before they expire."""

_OVER = {400, 401, 403, 404, 422}
"""What Auth answers when a session cannot be renewed any more. Anything else may pass."""

_COOKIE_STATE = {"cookie_to_write", "cookie_written"}
_WORD = re.compile(r"[\w-]{43}", re.ASCII)
_WRITE_COOKIE = st.components.v2.component(
    "rowcast_cookie",
    js="""
export default function ({ data }) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${data.name}=${data.word}; Path=/; Max-Age=${data.seconds}; SameSite=Strict${secure}`;
}
""",
)


@dataclass
class Account:
    """A signed-in person."""

    email: str
    access_token: str
    refresh_token: str
    expires_at: float
    id: str = ""
    role: str = "viewer"
    seen_at: float = field(default_factory=time.time)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """Get new tokens when these are about to expire. A refresh token works once, so only one thread may use it."""
        with self.lock:
            if time.time() < self.expires_at - RENEW_SECONDS:
                return
            self._take(api_client.refreshed_tokens(self.refresh_token))

    def _take(self, tokens: api_client.Json) -> None:
        self.access_token = tokens["access_token"]
        self.refresh_token = tokens["refresh_token"]
        self.expires_at = time.time() + float(tokens["expires_in"])


@st.cache_resource
def _accounts() -> dict[str, Account]:
    """Hold the signed-in people of this server by the word in their cookie."""
    return {}


def current() -> Account | None:
    """Return who is signed in here, with tokens that are still good; None for a visitor."""
    word = st.session_state.get("session_word") or st.context.cookies.get(COOKIE, "")
    account = _accounts().get(word) if _WORD.fullmatch(word) else None
    if account is None or not _goes_on(account):
        _end(word)
        return None
    account.seen_at = time.time()
    st.session_state["session_word"] = word
    return account


def _goes_on(account: Account) -> bool:
    if time.time() - account.seen_at > LIFETIME_SECONDS:
        return False
    try:
        account.renew()
    except CallFailed as refusal:
        # Otherwise the old tokens may do; if not, the call that uses them says so.
        return isinstance(refusal, ServiceUnreachable) or refusal.status not in _OVER
    return True


def _end(word: str) -> Account | None:
    """Forget a session, and what the pages have remembered in it: whoever comes next in this browser is somebody else."""
    if "session_word" in st.session_state:
        for name in [name for name in st.session_state if name not in _COOKIE_STATE]:
            del st.session_state[name]
    return _accounts().pop(word, None)


def token() -> str | None:
    """Return the access token to call the API with; None for a visitor."""
    account = current()
    return account.access_token if account else None


def sign_in(email: str, password: str) -> None:
    """Sign in with e-mail and password.

    Raises:
        CallFailed: they do not fit, or nobody answers; the message says which.
    """
    try:
        tokens = api_client.password_tokens(email, password)
    except CallFailed as error:
        if error.status not in {400, 401, 403, 422}:
            raise
        raise CallFailed(
            "This e-mail address and this password do not belong together.", status=error.status
        ) from error
    account = Account(email, tokens["access_token"], tokens["refresh_token"], time.time() + float(tokens["expires_in"]))
    me = api_client.read_me(account.access_token)
    account.id, account.role = str(me["id"]), str(me.get("role") or "viewer")
    _end(st.session_state.get("session_word", ""))
    _forget_stale()
    word = secrets.token_urlsafe(32)
    _accounts()[word] = account
    st.session_state["session_word"] = word
    st.session_state["cookie_to_write"] = (word, LIFETIME_SECONDS)


def sign_out() -> None:
    """Sign out in this browser, here and at Supabase."""
    account = _end(st.session_state.get("session_word", ""))
    st.session_state["cookie_to_write"] = ("", 0)
    if account is not None:
        # Signed out here in any case; a token that could not be ended ends by itself.
        with suppress(CallFailed):
            api_client.end_session(account.access_token)


def write_cookie() -> None:
    """Put the cookie into the browser if it has just changed. Call it once on each run of the app."""
    word, seconds = st.session_state.pop("cookie_to_write", (None, 0))
    if word is not None:
        st.session_state["cookie_written"] = {"name": COOKIE, "word": word, "seconds": seconds}
    if written := st.session_state.get("cookie_written"):
        # Mounted on every later run, too: the run that changes the cookie may be cut short by the next one.
        _WRITE_COOKIE(data=written, key="cookie", height=0)


def _forget_stale() -> None:
    """Drop who has not been here for long, and the longest absent where there are too many."""
    newest_first = sorted(_accounts().items(), key=lambda pair: pair[1].seen_at, reverse=True)
    limit = time.time() - LIFETIME_SECONDS
    for position, (word, account) in enumerate(newest_first):
        if account.seen_at < limit or position >= MAX_SESSIONS - 1:
            _accounts().pop(word, None)

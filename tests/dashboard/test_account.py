"""Signing in and out."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.api.conftest import Publisher
from tests.api.tiny import build
from tests.conftest import RunningStack, User
from tests.dashboard.conftest import Open, words


@pytest.fixture
def publisher(stack: RunningStack) -> Publisher:
    """Publish models without training them."""
    return Publisher(stack)


def test_person_signs_in_with_email_and_password(open_page: Open, analyst: User):
    """Who signs in is named, with their role."""
    app = open_page("account", user=analyst)

    assert not app.exception
    assert analyst.email in words(app)
    assert "As analyst" in words(app)


def test_wrong_password_is_refused_in_words(open_page: Open, analyst: User):
    """A wrong password signs nobody in and does not say which half was wrong."""
    wrong = User(analyst.id, analyst.email, "not the password", "")

    app = open_page("account")
    app.text_input(key="email").input(wrong.email)
    app.text_input(key="password").input(wrong.password)
    app.button[0].click().run()

    assert "do not belong together" in app.error[0].value
    assert app.title[0].value == "Sign in"


def test_half_filled_form_is_not_sent(open_page: Open):
    """Both fields are needed, and said so before anything is sent."""
    app = open_page("account")

    app.text_input(key="email").input("somebody@example.com")
    app.button[0].click().run()

    assert "both" in app.warning[0].value


def test_sessions_are_not_shared(open_page: Open, analyst: User, stranger: User):
    """Two people signed in at the same server are two people, and a third visitor is nobody."""
    first, second, third = open_page("account", user=analyst), open_page("account", user=stranger), open_page("account")

    assert analyst.email in words(first.run())
    assert stranger.email in words(second.run())
    assert analyst.email not in words(second)
    assert third.title[0].value == "Sign in"


def test_signing_out_ends_the_session(open_page: Open, analyst: User):
    """After signing out the same browser session is a visitor again."""
    app = open_page("account", user=analyst)

    app.button[0].click().run()

    assert app.title[0].value == "Sign in"
    assert analyst.email not in words(app)


def test_expiring_tokens_are_renewed_without_a_word(open_page: Open, analyst: User):
    """A session that outlives its access token goes on with a new one."""
    app = open_page("account", user=analyst)
    account = _account(analyst)
    account.expires_at, used_up = 0, account.refresh_token

    app.run()

    assert analyst.email in words(app)
    assert account.refresh_token != used_up
    assert account.expires_at > 0


def test_session_that_cannot_be_renewed_is_over(open_page: Open, analyst: User):
    """When Supabase no longer knows the session, the dashboard does not pretend."""
    app = open_page("account", user=analyst)
    account = _account(analyst)
    account.expires_at, account.refresh_token = 0, "revoked"

    app.run()

    assert not app.exception
    assert app.title[0].value == "Sign in"


def test_session_goes_on_while_sign_in_is_down(open_page: Open, analyst: User, settings: pytest.MonkeyPatch):
    """Nobody is signed out because Supabase does not answer for a moment."""
    app = open_page("account", user=analyst)
    _account(analyst).expires_at = 0
    settings.setenv("SUPABASE_URL", "http://127.0.0.1:9")

    app.run()

    assert analyst.email in words(app)


def test_session_goes_on_while_sign_in_is_busy(open_page: Open, analyst: User, settings: pytest.MonkeyPatch):
    """A renewal that is put off (429) signs nobody out."""

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(429)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    app = open_page("account", user=analyst)
    _account(analyst).expires_at = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.setenv("SUPABASE_URL", f"http://127.0.0.1:{server.server_address[1]}")
        app.run()
        server.shutdown()

    assert analyst.email in words(app)


def test_tabs_renew_once(open_page: Open, analyst: User, settings: pytest.MonkeyPatch):
    """A refresh token works once: tabs that meet its end at the same moment use it together, and all go on."""
    app = open_page("account", user=analyst)
    account = _account(analyst)
    client = sys.modules["api_client"]
    used = []
    refresh = client.refreshed_tokens
    settings.setattr(client, "refreshed_tokens", lambda token: used.append(token) or refresh(token))
    account.expires_at, first = 0, account.refresh_token

    with ThreadPoolExecutor(8) as tabs:
        list(tabs.map(lambda _: account.renew(), range(8)))
    account.expires_at = 0
    app.run()

    assert used[0] == first
    assert len(used) == 2
    assert len({first, *used, account.refresh_token}) == 3
    assert analyst.email in words(app)


def test_next_person_in_the_same_tab_inherits_nothing(open_page: Open, analyst: User, stranger: User):
    """What the pages remembered for one person is gone when the next one signs in, however the first one left."""
    app = open_page("account", user=analyst)
    app.session_state["run_theirs"] = {"run": "private"}

    app.button[0].click().run()
    assert "run_theirs" not in app.session_state
    _sign_in(app, stranger)

    assert stranger.email in words(app)
    assert analyst.email not in words(app)
    app.session_state["run_theirs"] = {"run": "private"}
    account = _account(stranger)
    account.expires_at, account.refresh_token = 0, "revoked"
    app.run()
    assert "run_theirs" not in app.session_state


def test_two_people_never_mix(open_page: Open, stack: RunningStack, publisher: Publisher, unique: str):
    """Two people at one server, with renewals and turns between: each sees their own private model and never the other's."""
    people = [stack.create_user("analyst") for _ in range(2)]
    slugs = [f"{unique}-{number}" for number in range(2)]
    for slug, person in zip(slugs, people, strict=True):
        publisher.publish(slug, build(slug), owner=person, visibility="private")
    with stack.connect() as connection:
        connection.execute("update public.models set title = slug where slug = any (%s)", (slugs,))
    apps = [open_page("model", user=person) for person in people]

    for turn in range(3):
        for number, app in enumerate(apps):
            if turn:
                _account(people[number]).expires_at = 0
            app.query_params["model"] = slugs[number]
            assert slugs[number] in words(app.run())
            app.query_params["model"] = slugs[1 - number]
            assert slugs[1 - number] not in [title.value for title in app.run().title]
            assert "There is no model" in words(app)


def _sign_in(app, user: User) -> None:
    app.text_input(key="email").input(user.email)
    app.text_input(key="password").input(user.password)
    app.button[0].click().run()


def _account(user: User):
    """Find what the dashboard's server holds about a person."""
    return next(each for each in sys.modules["session"]._accounts().values() if each.email == user.email)

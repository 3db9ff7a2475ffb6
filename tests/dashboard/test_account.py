"""Signing in and out."""

import sys

import pytest

from tests.conftest import User
from tests.dashboard.conftest import Open, words


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


def _account(user: User):
    """Find what the dashboard's server holds about a person."""
    return next(each for each in sys.modules["session"]._accounts().values() if each.email == user.email)

"""Signing in and out."""

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

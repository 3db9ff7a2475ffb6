"""How people come in on the site and go out again, in real browsers in front of the real sign-in service."""

import json
import re
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect
from uuid_utils import uuid7

from tests.conftest import RunningStack, User
from tests.e2e.conftest import Opener, enter, violations

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

MAIL_SECONDS = 10
KEPT = "JSON.parse(localStorage.getItem('rowcast-session'))"
SOMEBODY = re.compile(r"^Account of ")


def newcomer() -> User:
    """Make up somebody who is not known yet."""
    return User("", f"{uuid7().hex}@example.com", uuid7().hex, "")


def mailed_link(stack: RunningStack, email: str) -> str:
    """Take the newest link out of the mail that the embedded service wrote to its log instead of sending it."""
    log = stack.settings.logs / "supabase.log"
    deadline = time.monotonic() + MAIL_SECONDS
    while time.monotonic() < deadline:
        mails = log.read_text(encoding="utf-8").split("email captured (not delivered)")
        links = [re.search(r"follow this link: (\S+)", mail) for mail in mails if f"To: {email}\n" in mail]
        if links and links[-1]:
            return links[-1].group(1)
        time.sleep(0.05)
    pytest.fail(f"no mail to {email} within {MAIL_SECONDS} s")


def expire(page: Page) -> None:
    """Let an hour pass for this browser's access token."""
    page.evaluate(
        f"localStorage.setItem('rowcast-session', JSON.stringify({{...{KEPT}, "
        "expires_at: Math.floor(Date.now() / 1000) - 1}))"
    )


def forbid_renewal(page: Page) -> None:
    """Take the right to another token from this browser, as the service does when a session was ended elsewhere."""
    page.evaluate(
        f"localStorage.setItem('rowcast-session', JSON.stringify({{...{KEPT}, refresh_token: 'gone', "
        "expires_at: Math.floor(Date.now() / 1000) - 1}))"
    )


def test_somebody_signs_up_reloads_and_signs_out(open_browser: Opener) -> None:
    """Sign-up leads where one wanted to go; a reload and a new tab keep the session; signing out ends it in all tabs."""
    page, person = open_browser(), newcomer()
    page.goto("/models/shared-with-me")
    expect(page.get_by_role("link", name="sign in to see it")).to_have_attribute(
        "href", "/sign-in?next=%2Fmodels%2Fshared-with-me"
    )
    page.goto("/workspace/keys")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Fworkspace%2Fkeys$"))
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(person.password)
    page.get_by_role("button", name="Create an account").click()
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()

    page.reload()
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()
    tab = page.context.new_page()
    tab.goto("/workspace/account")
    expect(tab.get_by_text(person.email, exact=True)).to_be_visible()

    page.get_by_role("button", name=SOMEBODY).click()
    page.get_by_role("menuitem", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(tab.get_by_role("heading", name="Your session has ended")).to_be_visible()
    expect(tab.get_by_text(person.email, exact=True)).to_have_count(0)
    assert page.evaluate("localStorage.getItem('rowcast-session')") is None


def test_refusals_are_shown_at_their_field(open_browser: Opener, viewer: User) -> None:
    """A wrong password, an address that has an account, and one that is none: said where it is to be changed."""
    page = open_browser()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(viewer.email)
    password = page.get_by_label("Password", exact=True)
    password.fill("not this one")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(password).to_have_accessible_description(re.compile("do not belong together"))
    expect(password).to_be_focused()

    page.get_by_role("link", name="Create an account").click()
    page.get_by_label("E-mail").fill(viewer.email)
    page.get_by_label("Password", exact=True).fill("long enough, surely")
    page.get_by_role("button", name="Create an account").click()
    expect(page.get_by_label("E-mail")).to_have_accessible_description(re.compile("There is an account"))


def test_no_address_leads_to_another_site(open_browser: Opener, viewer: User) -> None:
    """A crafted way back is not followed after signing in."""
    page = open_browser()
    for lure in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        page.goto("about:blank")
        page.goto(f"/sign-in?next={lure}")
        page.evaluate("localStorage.clear()")
        page.reload()
        page.get_by_label("E-mail").fill(viewer.email)
        page.get_by_label("Password", exact=True).fill(viewer.password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page).to_have_url(re.compile("^[^?]*/workspace/models$"))


def test_an_old_token_is_renewed_unseen(signed_in: Callable[..., Page], viewer: User) -> None:
    """With the token run out and its session alive, the next call renews it; the page shows no sign of it."""
    page = signed_in(viewer)
    expire(page)

    page.get_by_role("navigation", name="Workspace").get_by_role("link", name="API keys").click()

    expect(page.get_by_role("heading", name="No key yet")).to_be_visible()
    assert page.evaluate(f"{KEPT}.expires_at * 1000 > Date.now()")


def test_two_tabs_renew_at_the_same_moment(signed_in: Callable[..., Page], viewer: User) -> None:
    """Both tabs of one browser find their token run out at once; neither signs the other out."""
    page = signed_in(viewer)
    tab = page.context.new_page()
    tab.goto("/workspace/account")
    expect(tab.get_by_role("heading", name="Sessions")).to_be_visible()
    expire(page)

    for each in (page, tab):
        each.get_by_role("navigation", name="Workspace").get_by_role("link", name="API keys").click(no_wait_after=True)

    for each in (page, tab):
        expect(each.get_by_role("heading", name="No key yet")).to_be_visible()
        each.reload()
        expect(each.get_by_role("heading", name="No key yet")).to_be_visible()


def test_an_ended_session_says_so_and_leads_back(signed_in: Callable[..., Page], stack: RunningStack) -> None:
    """When a session cannot be renewed its page waits behind the sign-in, with all that was typed; another's is new."""
    person, other = stack.create_user(), stack.create_user()
    page = signed_in(person, "/workspace/keys")

    def come_back(user: User) -> None:
        ended = page.get_by_role("dialog", name="Your session has ended")
        expect(ended.get_by_role("heading", level=1)).to_be_focused()
        assert violations(page) == []
        ended.get_by_label("E-mail").fill(user.email)
        ended.get_by_label("Password", exact=True).fill(user.password)
        ended.get_by_role("button", name="Sign in", exact=True).click()
        expect(ended).to_be_hidden()

    page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    form.get_by_label("What is it for?").fill("a long name that nobody wants to type again")
    forbid_renewal(page)
    form.get_by_role("button", name="Make the key").click()
    come_back(person)
    expect(form.get_by_label("What is it for?")).to_have_value("a long name that nobody wants to type again")
    form.get_by_role("button", name="Make the key").click()
    page.get_by_role("dialog").get_by_role("button", name="I have kept it").click()

    forbid_renewal(page)
    page.get_by_role("navigation", name="Workspace").get_by_role("link", name="My models").click()
    come_back(other)
    expect(page.get_by_role("heading", name="My models")).to_be_visible()
    page.get_by_role("navigation", name="Workspace").get_by_role("link", name="API keys").click()
    expect(page.get_by_text("a long name that nobody wants to type again")).to_have_count(0)


def test_signing_out_everywhere_ends_other_browsers(signed_in: Callable[..., Page], stack: RunningStack) -> None:
    """Another browser's session cannot be renewed after it."""
    person = stack.create_user()
    here, there = signed_in(person), signed_in(person)

    here.get_by_role("button", name="Sign out everywhere").click()
    here.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    expect(here.get_by_role("heading", name="Sign in")).to_be_visible()
    expire(there)
    there.reload()

    expect(there.get_by_role("heading", name="Your session has ended")).to_be_visible()


def test_a_mail_brings_another_password(open_browser: Opener, stack: RunningStack) -> None:
    """Forgotten: the mail's link leads to the form for another password, which then is the one that counts."""
    person = stack.create_user()
    page = open_browser()
    page.goto("/sign-in")
    page.get_by_role("link", name="Forgot it?").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_focused()
    link = mailed_link(stack, person.email)

    page.goto(link)
    field = page.get_by_label("New password")
    expect(field).to_be_focused()
    assert "token" not in page.url
    field.fill("another long password")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()

    other = open_browser()
    enter(other, User("", person.email, "another long password", ""))
    other.goto("/sign-in/reset")
    other.goto(link)
    other.get_by_role("button", name="Go on").click()
    expect(other.get_by_role("alert")).to_contain_text("expired or was used before")


def test_a_mail_signs_in_without_a_password(open_browser: Opener, stack: RunningStack) -> None:
    """A magic link signs in where it was asked for, and elsewhere only after a question."""
    person = stack.create_user()
    page = open_browser()
    page.goto("/sign-in/mail?next=/workspace/keys")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    page.goto(mailed_link(stack, person.email))
    expect(page).to_have_url(re.compile("^[^?]*/workspace/keys$"))
    expect(page.get_by_role("button", name=SOMEBODY)).to_have_accessible_name(f"Account of {person.email}")

    page.goto("/sign-in/mail")
    expect(page).to_have_url(re.compile("^[^?]*/workspace/models$"))
    stranger = open_browser()
    with stack.client() as client:
        client.post("/auth/v1/otp", json={"email": person.email, "create_user": False}).raise_for_status()
    stranger.goto(mailed_link(stack, person.email))
    expect(stranger.get_by_role("heading", name="Sign in here?")).to_be_visible()
    stranger.get_by_role("button", name="Go on").click()
    expect(stranger.get_by_role("heading", name="My models")).to_be_visible()


def test_a_project_that_confirms_addresses_says_where_to_look(open_browser: Opener) -> None:
    """Where sign-up gives no session, the page says that a mail is on its way; where it is closed, that it is."""
    page = open_browser()
    waiting = {"id": "1", "aud": "authenticated", "role": "authenticated", "email": "new@example.com", "identities": []}
    page.route("**/auth/v1/signup**", lambda route: route.fulfill(json=waiting))
    page.goto("/sign-in/new")
    page.get_by_label("E-mail").fill("new@example.com")
    page.get_by_label("Password", exact=True).fill("long enough, surely")
    page.get_by_role("button", name="Create an account").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_focused()

    page.route("**/auth/v1/settings", lambda route: route.fulfill(json={"external": {}, "disable_signup": True}))
    page.goto("/sign-in/new")
    expect(page.get_by_text("New accounts cannot be made here.")).to_be_visible()
    expect(page.get_by_role("button", name="Create an account")).to_have_count(0)


def test_providers_are_offered_where_they_are_configured(
    open_browser: Opener, stack: RunningStack, viewer: User
) -> None:
    """GitHub's button is there when the project has it; its way back redeems a code with the verifier kept here."""
    asked: dict[str, list[str]] = {}

    def come_back(route: Route) -> None:
        asked.update(parse_qs(urlsplit(route.request.url).query))
        route.fulfill(status=302, headers={"location": f"{asked['redirect_to'][0]}&code=one-time-code"})

    def redeem(route: Route) -> None:
        asked["redeemed"] = [route.request.post_data or ""]
        with stack.client() as client:
            body = {"email": viewer.email, "password": viewer.password}
            session = client.post("/auth/v1/token?grant_type=password", json=body)
        route.fulfill(json=session.json())

    page = open_browser()
    page.goto("/sign-in?next=/workspace/account")
    expect(page.get_by_role("link", name="Continue with a link by mail")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("GitHub|Google"))).to_have_count(0)

    page.route("**/auth/v1/settings", lambda route: route.fulfill(json={"external": {"github": True}}))
    page.route("**/auth/v1/authorize**", come_back)
    page.route("**/auth/v1/token?grant_type=pkce", redeem)
    page.reload()
    page.get_by_role("button", name="Continue with GitHub").click()

    expect(page).to_have_url(re.compile("^[^?]*/workspace/account$"))
    expect(page.get_by_text(viewer.email, exact=True)).to_be_visible()
    assert asked["provider"] == ["github"]
    assert asked["code_challenge_method"] == ["s256"]
    sent = json.loads(asked["redeemed"][0])
    assert sent["auth_code"] == "one-time-code"
    assert len(sent["code_verifier"]) >= 43


def test_what_a_provider_refuses_is_said(open_browser: Opener) -> None:
    """A refusal, a half link and a service that is away each have words and a way on."""
    page = open_browser()
    page.goto("/sign-in/done?error=access_denied&error_description=The+user+denied+access")
    expect(page.get_by_role("alert")).to_contain_text("The user denied access")
    page.goto("/sign-in/done")
    expect(page.get_by_role("alert")).to_contain_text("not complete")
    page.get_by_role("link", name="Back to sign-in").click()

    page.route("**/auth/v1/**", lambda route: route.abort())
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Password", exact=True).fill("whatever it is")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")

"""What signed-in people do on their pages: keys, members, roles and the log, each in a browser of their own."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Page, expect
from uuid_utils import uuid7

from tests.conftest import RunningStack, User
from tests.e2e.conftest import violations

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

REVOKED_SECONDS = 5
"""Within this time every instance has heard of it."""

PAGES = ("models", "account", "keys", "people", "audit")


@pytest.fixture
def own_model(stack: RunningStack) -> Iterator[Callable[[User, str], str]]:
    """Let a test give somebody a private model; the pages here ask nothing of its versions."""
    made: list[str] = []

    def add(owner: User, title: str) -> str:
        slug = f"private-{uuid7().hex[-12:]}"
        statement = (
            "insert into public.models (slug, title, task, target, owner_id) values (%s, %s, 'regression', 'price', %s)"
        )
        with stack.connect() as connection:
            connection.execute(statement, (slug, title, owner.id))
        made.append(slug)
        return slug

    yield add
    with stack.connect() as connection:
        connection.execute("delete from public.models where slug = any(%s)", (made,))


def run(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line as it was copied, in a shell, and let curl tell the status."""
    command = ["bash", "-c", f"{line} --silent --noproxy '*' --write-out '\\n%{{http_code}}'"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)


def settle(page: Page) -> None:
    """Wait until nothing on the page is still to come."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def test_a_key_is_made_used_replaced_and_revoked(signed_in: Callable[..., Page], stack: RunningStack) -> None:
    """The copied curl works as it stands; the replaced key goes on for its time; the revoked one is refused."""
    person = stack.create_user("analyst")
    page = signed_in(person, "/workspace/keys", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("What is it for?")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="New key")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("checkbox", name="Bring data")).to_be_visible()
    expect(dialog.get_by_role("checkbox", name="administrator")).to_have_count(0)
    dialog.get_by_label("What is it for?").fill("checkout service")
    dialog.get_by_role("button", name="Make the key").click()
    expect(dialog).to_contain_text("shown this once")
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    dialog.locator("figure").get_by_role("button", name="Copy").click()
    line = page.evaluate("navigator.clipboard.readText()")
    key = re.search(r"rc_\w+", line)
    assert key is not None
    assert run(line).stdout.endswith("\n200")

    dialog.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("row", name=re.compile("checkout service"))).to_contain_text("predict")
    assert key.group() not in page.content()

    page.get_by_role("button", name="Replace checkout service").click()
    page.get_by_label("The old key works on").select_option("1")
    page.get_by_role("button", name="Replace the key").click()
    page.get_by_role("button", name="I have kept it").click()
    expect(page.get_by_role("button", name="Revoke checkout service")).to_have_count(2)
    assert run(line).stdout.endswith("\n200")

    old = page.get_by_role("row").filter(has_text=key.group().split("_")[1])
    old.get_by_role("button", name="Revoke checkout service").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("“checkout service” is revoked.")).to_be_visible()
    deadline = time.monotonic() + REVOKED_SECONDS
    while not run(line).stdout.endswith("\n401"):
        assert time.monotonic() < deadline, "the revoked key still works"
        time.sleep(0.25)


def test_two_people_never_see_each_others_models(
    signed_in: Callable[..., Page], stack: RunningStack, own_model: Callable[[User, str], str]
) -> None:
    """Each sees their own private model in the list; the other's is not there, by list or by address."""
    ada, bob = stack.create_user("analyst"), stack.create_user("analyst")
    slugs = {ada.email: own_model(ada, "Ada's secret"), bob.email: own_model(bob, "Bob's secret")}
    pages = {person.email: signed_in(person, "/workspace/models") for person in (ada, bob)}

    for person, other, title in ((ada, bob, "Ada's secret"), (bob, ada, "Bob's secret")):
        page = pages[person.email]
        expect(page.get_by_role("link", name=title, exact=True)).to_be_visible()
        expect(page.get_by_text("secret", exact=False)).to_have_count(2)  # the title, and its settings' hidden name
        page.goto(f"/models/{slugs[other.email]}")
        expect(page.get_by_role("heading", level=1)).to_have_text("No such model.")
        page.goto(f"/workspace/models/{slugs[other.email]}")
        expect(page.get_by_role("alert")).to_contain_text("no model")


def test_another_person_in_the_same_browser_starts_afresh(
    signed_in: Callable[..., Page], stack: RunningStack, own_model: Callable[[User, str], str]
) -> None:
    """After one signs out and another in, nothing of the first is left on the page."""
    ada, bob = stack.create_user("analyst"), stack.create_user("analyst")
    own_model(ada, "Ada's secret")
    page = signed_in(ada, "/workspace/models")
    expect(page.get_by_role("link", name="Ada's secret", exact=True)).to_be_visible()

    page.get_by_role("button", name=re.compile("^Account of")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_label("E-mail").fill(bob.email)
    page.get_by_label("Password", exact=True).fill(bob.password)
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.get_by_role("heading", name="My models")).to_be_visible()
    settle(page)
    expect(page.get_by_text("Ada's secret")).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("^Account of"))).to_have_accessible_name(
        f"Account of {bob.email}"
    )


def test_a_model_is_shared_and_taken_back(
    signed_in: Callable[..., Page], stack: RunningStack, own_model: Callable[[User, str], str]
) -> None:
    """The owner shares by address; the member sees it and leaves; an address without an account is said at its field."""
    owner, guest = stack.create_user("analyst"), stack.create_user()
    slug = own_model(owner, "Shared thing")
    page = signed_in(owner, f"/workspace/models/{slug}")
    address = page.get_by_label("E-mail of an account")
    address.fill("nobody-at-all@example.com")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(address).to_have_accessible_description(re.compile("no user"))
    address.fill(guest.email)
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_role("row", name=re.compile(guest.email))).to_be_visible()
    page.get_by_label("Title").fill("A better title")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A better title")

    visitor = signed_in(guest, f"/workspace/models/{slug}")
    expect(visitor.get_by_label("Title")).to_be_disabled()
    expect(visitor.get_by_label("E-mail of an account")).to_have_count(0)
    visitor.get_by_role("button", name="Leave").click()
    visitor.get_by_role("dialog").get_by_role("button", name="Leave").click()
    expect(visitor).to_have_url(re.compile("^[^?]*/workspace/models$"))
    expect(visitor.get_by_role("link", name="A better title", exact=True)).to_have_count(0)


def test_admins_give_roles_and_read_the_log(signed_in: Callable[..., Page], stack: RunningStack, site_url: str) -> None:
    """A role is given, undone, and stands in the log; who is no admin is told so."""
    admin, person = stack.create_user("admin"), stack.create_user()
    outsider = signed_in(person, "/workspace/people")
    expect(outsider.get_by_role("heading", name="Not for your role")).to_be_visible()
    expect(outsider.get_by_role("navigation", name="Workspace").get_by_role("link", name="People")).to_have_count(0)

    page = signed_in(admin, "/workspace/people")
    page.get_by_role("searchbox").fill(person.email)
    role = page.get_by_label(f"Role of {person.email}")
    role.select_option("analyst")
    expect(page.get_by_text(f"{person.email} is analyst now.")).to_be_visible()
    expect(role).to_have_value("analyst")
    page.get_by_role("button", name="Undo").click()
    expect(role).to_have_value("viewer")
    me = httpx.get(f"{site_url}/api/me", headers=person.headers, trust_env=False).json()
    assert me["role"] == "viewer"

    page.get_by_role("link", name="Audit log").click()
    page.get_by_label("Show").select_option("role.")
    expect(page).to_have_url(re.compile(r"/workspace/audit\?action=role\.$"))
    entries = page.get_by_role("row").filter(has_text=person.email)
    expect(entries.first).to_contain_text("from: analyst to viewer")
    expect(entries.nth(1)).to_contain_text("from: viewer to analyst")


def test_the_account_menu_needs_no_pointer(signed_in: Callable[..., Page], viewer: User) -> None:
    """Opened, walked through and closed by keys; focus comes back to its button."""
    page = signed_in(viewer)
    button = page.get_by_role("button", name=re.compile("^Account of"))
    button.focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="My models")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem", name="Sign out")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="My models")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(page.get_by_role("menu")).to_have_count(0)

    page.keyboard.press("ArrowDown")
    page.keyboard.press("a")
    expect(page.get_by_role("menuitem", name="API keys")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()

    page.go_back()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
def test_no_signed_in_page_violates_a_rule(
    signed_in: Callable[..., Page],
    stack: RunningStack,
    own_model: Callable[[User, str], str],
    theme: Literal["light", "dark"],
    width: int,
) -> None:
    """Axe objects to nothing on any page or dialog, and no page is wider than the screen."""
    admin = stack.create_user("admin")
    slug = own_model(admin, "Looked at")
    page = signed_in(admin, color_scheme=theme, viewport={"width": width, "height": 800})
    found: dict[str, list[str]] = {}
    for name in (*PAGES, f"models/{slug}", "nothing-here"):
        page.goto(f"/workspace/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        settle(page)
        found[name] = violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if name != "nothing-here":
            ways = page.get_by_role("navigation", name="Workspace")
            expect(ways.locator("[aria-current]")).to_be_in_viewport(ratio=0.9)
    page.goto("/workspace/keys")
    page.get_by_role("button", name="New key").click()
    found["dialog"] = violations(page)
    page.get_by_label("What is it for?").fill("seen by axe")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("button", name="I have kept it")).to_be_visible()
    settle(page)
    found["shown once"] = violations(page)
    page.evaluate("localStorage.clear()")
    for name in ("sign-in", "sign-in/new", "sign-in/mail", "sign-in/done"):
        page.goto(f"/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        settle(page)
        found[name] = violations(page)

    assert {name: objections for name, objections in found.items() if objections} == {}


def test_a_lost_server_is_said_and_overcome(signed_in: Callable[..., Page], viewer: User) -> None:
    """While a page's code, the API or the network is away, the page says so and offers a way on."""
    page = signed_in(viewer)
    page.route("**/assets/KeysPage-*.js", lambda route: route.abort())
    page.get_by_role("navigation", name="Workspace").get_by_role("link", name="API keys").click()
    expect(page.get_by_role("alert")).to_contain_text("This page cannot be opened")
    page.unroute("**/assets/KeysPage-*.js")
    page.route("**/api/keys", lambda route: route.abort())
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("Your keys cannot be shown")
    page.unroute("**/api/keys")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="No key yet")).to_be_visible()

    page.get_by_role("button", name="New key").click()
    page.get_by_label("What is it for?").fill("made offline")
    page.context.set_offline(True)
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("You are offline.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("dialog")).to_contain_text("shown this once")

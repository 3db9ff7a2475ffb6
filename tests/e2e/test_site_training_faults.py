"""What the pages for data sets and runs show when something is wrong, missing, or not there yet."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, WebSocket, expect
from uuid_utils import uuid7

from tests.conftest import RunningStack, User
from tests.e2e.conftest import violations
from tests.e2e.test_site_docs import DIFFERENCE, differs
from tests.e2e.test_site_training import PROFILED_MS, file, settle

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

SEARCHED = (
    ("hist_gradient_boosting", 0.36), ("random_forest", 0.45), ("extra_trees", 0.41), ("linear", 0.33),
    ("hist_gradient_boosting", 0.31), ("random_forest", 0.38), ("linear", 0.29), ("extra_trees", 0.34),
)  # fmt: skip
"""Trials of a run that is told, not trained: the same picture each time."""


def test_lost_connection_ended_session_and_busy_storage_do_not_lose_an_upload(
    stack: RunningStack, signed_in: Callable[..., Page]
) -> None:
    """Each is said beside the file with a way on, and the upload ends well all the same."""
    page = signed_in(stack.create_user("analyst"), "/workspace/datasets")
    answers = iter([429, 0, 413])

    def fail(route: Route) -> None:
        status = next(answers, None)
        if status is None:
            route.continue_()
        elif status == 0:
            route.abort()
        else:
            route.fulfill(status=status, body="{}", headers={"access-control-allow-origin": "*"})

    page.route("**/storage/v1/object/upload/sign/**", fail)
    item = page.get_by_role("list", name="Uploads").get_by_role("listitem")
    page.get_by_label("Choose files").set_input_files(file("a.csv", b"a,b\n1,2\n"))
    expect(item).to_contain_text("asked too often")
    item.get_by_role("button", name="Go on").click()
    expect(item).to_contain_text("cannot be reached")
    item.get_by_role("button", name="Go on").click()
    expect(item).to_contain_text("Storage takes no file of 8 B here")
    item.get_by_role("button", name="Dismiss").click()
    expect(item).to_have_count(0)

    page.route("**/api/datasets/*/complete", lambda route: route.fulfill(status=401, json={"detail": "Sign in again."}))
    page.get_by_label("Choose files").set_input_files(file("b.csv", b"a,b\n1,2\n"))
    expect(item).to_contain_text("Sign in again")
    page.unroute("**/api/datasets/*/complete")
    item.get_by_role("button", name="Go on").click()
    expect(item.get_by_role("link", name="b.csv")).to_be_visible()

    page.get_by_role("searchbox", name="Search data sets").fill("b.c")
    expect(page.get_by_role("table", name="Data sets").get_by_role("row")).to_have_count(2)
    page.get_by_role("table").get_by_role("link", name="b.csv").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete data set").click()
    expect(page.get_by_text("The data set is deleted.")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("No such data set")


def test_a_table_of_the_database_becomes_a_data_set(
    stack: RunningStack, signed_in: Callable[..., Page], unique: str
) -> None:
    """The rows are read with one's own rights; what is not there is said at its field."""
    with stack.connect() as connection:
        connection.execute(
            f"create table public.{unique} as select n as size, n % 3 as kind from generate_series(1, 40) n"
        )
        connection.execute(f"grant select on public.{unique} to authenticated")
    page = signed_in(stack.create_user("analyst"), "/workspace/datasets")
    page.get_by_role("button", name="From a database table").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Table or view").fill(f"{unique}_missing")
    dialog.get_by_role("button", name="Read the rows").click()
    expect(dialog.get_by_text("There is no table or view")).to_be_visible()
    dialog.get_by_label("Table or view").fill(unique)
    dialog.get_by_role("button", name="Read the rows").click()
    page.wait_for_url(re.compile(r"/workspace/datasets/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"public.{unique}")
    with stack.connect() as connection:
        connection.execute(f"drop table public.{unique}")


def test_a_run_is_watched_without_sockets_through_an_outage_in_two_tabs(
    stack: RunningStack, signed_in: Callable[..., Page], unique: str
) -> None:
    """Events come over a stream where a proxy allows no sockets; an outage is told and passes; another tab sees the end."""
    analyst = stack.create_user("analyst")
    run_id = running_run(stack, analyst, unique)
    page = signed_in(analyst, "/workspace/account")
    page.route_web_socket(re.compile("/events"), lambda socket: socket.close(code=1011))
    page.goto(f"/workspace/runs/{run_id}")
    live = page.get_by_role("status").filter(has_text="live")
    expect(page.get_by_text("The first trial is on its way.")).to_be_visible()
    say(stack, run_id, "trial", recipe="baseline", score=1.0, seconds=0.1, parameters={}, message="baseline: 1.0")
    expect(page.get_by_role("table", name="Leaderboard of trials")).to_contain_text("baseline")
    expect(live).to_be_visible()

    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    say(stack, run_id, "trial", recipe="linear", score=0.4, seconds=0.1, parameters={}, message="linear: 0.4")
    page.context.set_offline(False)
    expect(page.get_by_role("table", name="Leaderboard of trials")).to_contain_text("linear", timeout=20_000)

    other = page.context.new_page()
    other.goto(f"/workspace/runs/{run_id}")
    expect(other.get_by_role("table", name="Leaderboard of trials")).to_contain_text("linear")
    other.get_by_role("button", name="Cancel the run").click()
    other.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    for each in (other, page):
        expect(each.get_by_text("Cancelled; nothing was written")).to_be_visible(timeout=20_000)
    other.close()
    page.goto("/workspace/runs")
    page.get_by_text("Failed", exact=True).click()
    expect(page.get_by_text("No run matches.")).to_be_visible()
    page.get_by_text("All", exact=True).click()
    expect(page.get_by_role("table", name="Training runs")).to_contain_text(unique)


def test_a_run_is_watched_over_one_socket(stack: RunningStack, signed_in: Callable[..., Page]) -> None:
    """Each event is drawn as it comes; a reload brings back what was before it, over a socket again; the documentation shows it."""
    analyst = stack.create_user("analyst")
    run_id = running_run(stack, analyst, "penguins-by-island", "island")
    page = signed_in(
        analyst,
        "/workspace/account",
        viewport={"width": 1280, "height": 860},
        color_scheme="light",
        reduced_motion="reduce",
    )
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108  Playwright marks the function
    page.goto(f"/workspace/runs/{run_id}")
    board = page.get_by_role("table", name="Leaderboard of trials")
    expect(page.get_by_text("The first trial is on its way.")).to_be_visible()

    for recipe, score in (("baseline", 1.0), ("linear", 0.4)):
        say(
            stack, run_id, "trial", recipe=recipe, score=score, seconds=0.1, parameters={}, message=f"{recipe}: {score}"
        )
        expect(board).to_contain_text(recipe)
    assert [(f"/api/runs/{run_id}/events" in each.url, each.is_closed()) for each in sockets] == [(True, False)]

    page.reload()
    expect(board).to_contain_text("linear")
    expect(page.get_by_role("status").filter(has_text="live")).to_be_visible()
    assert len(sockets) == 2

    for recipe, score in SEARCHED:
        say(
            stack, run_id, "trial", recipe=recipe, score=score, seconds=0.1, parameters={}, message=f"{recipe}: {score}"
        )
    said = {"task": "multiclass", "metric": "log_loss", "message": "Trying recipes", "progress": 0.6}
    say(stack, run_id, "stage", stage="search", elapsed_seconds=18, **said)
    expect(page.locator("dl div", has_text="Trials")).to_contain_text(str(len(SEARCHED) + 2))
    expect(page.get_by_text("Trying recipes").first).to_be_visible()
    page.evaluate("scrollTo(0, 0)")
    assert differs(page, "live-run.png") < DIFFERENCE


def test_empty_missing_and_failed_states_violate_no_rule(
    stack: RunningStack, signed_in: Callable[..., Page], unique: str
) -> None:
    """Contrast, names, roles, landmarks, headings, focus: no violation; the journeys see to the pages with something on."""
    analyst = stack.create_user("analyst")
    page = signed_in(analyst, "/workspace/datasets")
    found: dict[str, list[str]] = {}
    missing = [f"{place}/{uuid7()}" for place in ("runs", "hooks", "subscriptions")]
    for path in ("datasets", "runs", "runs/new", "datasets/x", *missing, "models/none/versions/7"):
        page.goto(f"/workspace/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_attached(timeout=PROFILED_MS)
        settle(page)
        found[f"{path}, empty"] = violations(page)
    run_id = running_run(stack, analyst, unique)
    say(stack, run_id, "trial", recipe="baseline", score=1.0, seconds=0.1, parameters={"a": 1}, message="baseline")
    with stack.connect() as connection:
        connection.execute(
            "update public.runs set status = 'failed', reason = 'the target is constant', finished_at = now() where id = %s",
            (run_id,),
        )
    for path in (f"runs/{run_id}", "runs", "datasets"):
        page.goto(f"/workspace/{path}")
        expect(page.get_by_text(unique).first).to_be_visible(timeout=PROFILED_MS)
        settle(page)
        found[path] = violations(page)

    assert {name: objections for name, objections in found.items() if objections} == {}


def running_run(stack: RunningStack, owner: User, slug: str, target: str = "b") -> str:
    """Put a run there that some worker has taken up and says nothing of: the one of this stack leaves it alone."""
    with stack.connect() as connection:
        dataset = connection.execute(
            "insert into public.datasets (owner_id, name, filename, size_bytes, sha256, status) "
            "values (%s, %s, 'table.csv', 8, repeat('0', 64), 'ready') returning id",
            (owner.id, slug),
        ).fetchone()
        assert dataset is not None
        made = connection.execute(
            "insert into public.runs (dataset_id, model_slug, target, created_by) values (%s, %s, %s, %s) returning id",
            (dataset[0], slug, target, owner.id),
        ).fetchone()
        assert made is not None
        connection.execute("set local search_path = procrastinate, public")
        connection.execute("delete from procrastinate.procrastinate_jobs where lock = 'run:' || %s", (str(made[0]),))
        connection.execute(
            "update public.runs set status = 'running', attempt = 1, started_at = now(), "
            "heartbeat_at = now() + interval '1 hour' where id = %s",
            (made[0],),
        )
    return str(made[0])


def say(stack: RunningStack, run_id: str, kind: str, **data: Any) -> None:
    """Record an event, as a worker would."""
    with stack.connect() as connection:
        row = connection.execute(
            "update public.runs set last_seq = last_seq + 1 where id = %s returning last_seq", (run_id,)
        ).fetchone()
        assert row is not None
        connection.execute(
            "insert into public.run_events (run_id, seq, kind, data) values (%s, %s, %s, %s)",
            (run_id, row[0], kind, json.dumps(data)),
        )

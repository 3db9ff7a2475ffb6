"""What a model's page can do besides its form: odd values, explanations, code to copy, opinions, tabs."""

import re
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.conftest import RunningStack
from tests.e2e.conftest import Published

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.timeout(240)]

PG_NET = """
create schema net;
create table net.sent (url text, body jsonb);
create table net._http_response (id bigint, status_code integer, content text);
create function net.http_post(url text, body jsonb default '{}') returns bigint language sql as
  'insert into net.sent values (url, body) returning 1::bigint';
"""
"""What pg_net offers, as far as the copied SQL uses it."""


def test_category_with_many_values_is_searched(visitor: Page, published: Published) -> None:
    """A long list is searched by typing; a value that training never saw is allowed and said to be one."""
    visitor.goto(f"/models/{published.cars}")
    make = visitor.get_by_role("combobox", name="make")
    make.click()
    make.fill("cor")
    visitor.get_by_role("option", name="Corolla").click()
    expect(make).to_have_value("Corolla")
    expect(visitor).to_have_url(re.compile("make=Corolla"))

    make.click()
    make.fill("Trabant")
    visitor.keyboard.press("Tab")

    expect(visitor.get_by_text("“Trabant” never occurred in training.")).to_be_visible()
    expect(visitor).to_have_url(re.compile("make=Trabant"))
    expect(visitor.get_by_role("region", name="Prediction")).to_contain_text("with 90% confidence")


def test_odd_values_are_remarked_at_their_field(visitor: Page, published: Published) -> None:
    """Outside the training range warns, unreadable text is explained, and what the server refuses stands at its field."""
    visitor.goto(f"/models/{published.penguins}")
    expect(visitor.get_by_role("region", name="Prediction")).to_contain_text("answered in")
    inputs = visitor.get_by_role("region", name="Inputs")
    bill = inputs.get_by_label("bill_length_mm", exact=True)

    bill.fill("99")
    expect(inputs.get_by_text("Outside the training range, 32.1")).to_be_visible()
    bill.fill("long")
    expect(inputs.get_by_text("“long” is not a number.")).to_be_visible()
    expect(visitor.get_by_text("this is the answer to the row before")).to_be_visible()
    bill.fill("1e39")
    expect(bill).to_have_attribute("aria-invalid", "true")
    expect(inputs.get_by_role("alert").filter(has_text="1e+39")).to_be_visible()
    bill.fill("40")
    expect(visitor.get_by_role("alert")).to_have_count(0)


def test_why_and_what_if_follow_the_row(visitor: Page, published: Published) -> None:
    """Steps from the average answer to this one, and the answer along the input that was touched last."""
    visitor.goto(f"/models/{published.penguins}?bill_length_mm=38")
    # It is asked for once in sight, and only then knows its title.
    visitor.get_by_role("region", name=re.compile("^Why ")).scroll_into_view_if_needed()
    why = visitor.get_by_role("region", name="Why Adelie?")
    expect(why.get_by_role("row", name=re.compile("^bill_length_mm 38"))).to_be_visible()
    shown = visitor.get_by_role("region", name="Prediction").get_by_role("listitem").filter(has_text="Adelie")
    percent = shown.inner_text().split()[-1].lstrip("><")
    expect(why.get_by_role("row").last).to_contain_text(percent)

    visitor.get_by_role("radio", name="Dream").check(force=True)
    expect(visitor.get_by_label("Input that moves")).to_have_value("island")
    visitor.get_by_role("button", name=re.compile("^Torgersen")).click()
    expect(visitor.get_by_role("radio", name="Torgersen")).to_be_checked()
    visitor.get_by_label("Input that moves").select_option("body_mass_g")
    expect(visitor.get_by_role("img", name=re.compile("^body_mass_g from 2700 to 6300"))).to_be_visible()


def test_snippets_carry_the_current_row(visitor: Page, published: Published) -> None:
    """What is copied as code asks exactly what is on screen."""
    visitor.goto(f"/models/{published.penguins}?bill_length_mm=47.7&sex=")
    code = visitor.get_by_role("region", name="Use it from code")
    expect(code).to_contain_text('"bill_length_mm": 47.7')
    code.get_by_role("radio", name="Python").check(force=True)
    expect(code).to_contain_text('"sex": None')


def test_sql_asks_from_the_database_what_is_on_screen(
    visitor: Page, published: Published, database: psycopg.Connection[Any]
) -> None:
    """The copied SQL runs as it stands, odd texts and unknown values included, and reads the answer that came back."""
    odd = "O'Neill's \\ \"7½\" $$ Ünïcode 雪"
    visitor.goto(f"/models/{published.cars}?{urlencode({'make': odd, 'age_years': ''})}")
    code = visitor.get_by_role("region", name="Use it from code")
    code.get_by_role("radio", name="SQL").check(force=True)
    expect(code).to_contain_text("net.http_post")
    database.execute(PG_NET.encode())

    post, read = code.locator("pre").inner_text().split(") as request_id;")
    database.execute(f"{post});".encode())
    sent = database.execute("select url, body from net.sent").fetchone()
    assert sent is not None
    assert (sent[1]["make"], sent[1]["age_years"]) == (odd, None)
    answer = httpx.post(sent[0], json=sent[1], trust_env=False)
    database.execute("insert into net._http_response values (1, %s, %s)", (answer.status_code, answer.text))
    found = database.execute(read.encode()).fetchone()

    assert found is not None
    assert found[0] == 200
    assert found[1]["value"] == answer.json()["predictions"][0]["value"]


def test_an_opinion_is_kept_with_the_prediction(visitor: Page, published: Published, stack: RunningStack) -> None:
    """One click says that an answer was bad; another answer is asked about anew."""
    visitor.goto(f"/models/{published.penguins}")
    asked = visitor.get_by_role("group", name="Was this a good answer?")
    asked.get_by_role("button", name="A bad answer").click()
    expect(asked).to_contain_text("noted with this prediction")
    expect(asked.get_by_role("button", name="A bad answer")).to_have_attribute("aria-pressed", "true")

    with stack.connect() as connection:
        found = connection.execute(
            "select is_good from public.opinions join public.models on models.id = model_id where slug = %s",
            (published.penguins,),
        ).fetchall()
    assert found == [(False,)]
    visitor.get_by_label("bill_length_mm", exact=True).fill("41")
    expect(asked.get_by_role("button", name="A bad answer")).to_have_attribute("aria-pressed", "false")


def test_every_tab_has_an_address(visitor: Page, published: Published) -> None:
    """Card, certificate, versions and API are there, filled from the card, and can be linked to."""
    for tab, promise in {
        "card": "rows the model never saw",
        "parity": "labels that differ",
        "batch": "Drop a CSV here",
        "versions": "champion",
        "api": f"/api/predict/{published.penguins}",
    }.items():
        visitor.goto(f"/models/{published.penguins}#{tab}")
        expect(visitor.get_by_role("tabpanel")).to_contain_text(promise)

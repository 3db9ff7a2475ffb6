"""One model's page."""

import httpx
import pytest

from tests.conftest import RunningStack, User
from tests.dashboard.conftest import Open, words


@pytest.fixture
def card(api: httpx.Client, penguins: str) -> dict:
    """Read what the API says about the model."""
    return api.get(f"/api/models/{penguins}/card").raise_for_status().json()


def test_page_tells_what_the_card_says(open_page: Open, penguins: str, card: dict):
    """Scores, certificate, columns and origin on the page are those of the card."""
    app = open_page("model", model=penguins, tab="Certificate and origin")
    inputs = open_page("model", model=penguins, tab="Inputs")

    assert not app.exception
    said = words(app)
    primary = next(metric for metric in card["evaluation"]["metrics"] if metric["primary"])
    assert {metric.label for metric in app.metric} == {"Log loss", "Accuracy", "ROC AUC"}
    assert next(metric for metric in app.metric if metric.label == "Log loss").value == f"{primary['value']:.3f}"
    assert f"on {card['parity']['rows']:,} rows" in said
    assert f"{card['parity']['label_flips']} labels differ" in said
    assert f"answered {card['parity']['browser']['rows']:,} of these rows" in said
    columns = next(table.value for table in inputs.dataframe if "Column" in table.value)
    assert list(columns["Column"]) == [feature["name"] for feature in card["features"]]


def test_leaderboard_names_every_recipe_that_was_tried(open_page: Open, penguins: str, card: dict):
    """The chart has a row for each recipe, the best on top and the baseline among them."""
    app = open_page("model", model=penguins)
    import charts

    leaderboard = card["evaluation"]["leaderboard"]
    rows = charts.leaderboard(leaderboard, "log_loss", better="lower").to_dict()["encoding"]["y"]["sort"]

    assert "cross-validated (lower is better)" in " ".join(chart.proto.spec for chart in app.get("vega_lite_chart"))
    assert len(rows) == len({each["recipe"] for each in leaderboard})
    assert any(row.startswith("Baseline") for row in rows)
    best = min(leaderboard, key=lambda each: each["score"])
    assert rows[0].endswith(f"{best['score']:.3f}")


def test_unknown_model_is_said_and_others_are_offered(open_page: Open, penguins: str):
    """An address with a model that is not there explains itself and lets one be chosen."""
    app = open_page("model", model="no-such-model")

    assert not app.exception
    assert "There is no model" in app.warning[0].value
    assert penguins in app.selectbox[0].options or "Dashboard penguins" in app.selectbox[0].options


def test_private_model_is_no_secret_of_its_address(open_page: Open, private_penguins: str, stranger: User):
    """A stranger who knows the address of a private model sees what a visitor of a wrong address sees."""
    app = open_page("model", user=stranger, model=private_penguins)

    assert "There is no model" in app.warning[0].value


def test_owner_reads_who_promoted_what(open_page: Open, penguins: str, analyst: User):
    """The owner sees the first promotion with its reason; a visitor is told to sign in."""
    owner = open_page("model", user=analyst, model=penguins, tab="Versions")
    visitor = open_page("model", model=penguins, tab="Versions")

    promotions = next(table.value for table in owner.dataframe if "Reason" in table.value)
    first = promotions[promotions["Alias"] == "champion"].iloc[0]
    assert (first["From"], first["To"]) == ("none", "v1")
    assert "certified" in first["Reason"]
    assert first["By"] == analyst.email
    assert "Sign in as the owner" in words(visitor)
    assert not any("Reason" in table.value for table in visitor.dataframe)


def test_rollback_without_an_earlier_champion_is_not_offered(open_page: Open, penguins: str, analyst: User):
    """With one version there is nothing to promote and nothing to go back to: both buttons say so."""
    app = open_page("model", user=analyst, model=penguins, tab="Versions")

    orders = {button.label: button.disabled for button in app.button}
    assert orders["Promote"]
    assert orders["Roll back"]


def test_forms_are_for_those_whom_the_api_would_obey(
    open_page: Open, api: httpx.Client, stack: RunningStack, private_penguins: str, analyst: User, admin: User
):
    """Owner and admin change everything, an editor all but who sees it and its end, one who was only let in nothing."""
    offered = {}
    for role in ("editor", "viewer"):
        guest = stack.create_user("analyst")
        order = {"email": guest.email, "role": role}
        api.put(f"/api/models/{private_penguins}/members", json=order, headers=analyst.headers).raise_for_status()
        offered[role] = _offers(open_page, private_penguins, guest)

    assert offered["viewer"] == (set(), None)
    assert offered["editor"] == ({"Promote", "Roll back"}, False)
    for owner in (analyst, admin):
        assert _offers(open_page, private_penguins, owner) == ({"Promote", "Roll back"}, True)


def _offers(open_page: Open, slug: str, user: User) -> tuple[set[str], bool | None]:
    """Return which moves are offered, and whether its visibility can be changed; None where there are no settings."""
    versions = open_page("model", user=user, model=slug, tab="Versions")
    assert any("Reason" in table.value for table in versions.dataframe)
    moves = {button.label for button in versions.button} & {"Promote", "Roll back"}
    if "Settings" not in [tab.label for tab in versions.tabs]:
        return moves, None
    settings = open_page("model", user=user, model=slug, tab="Settings")
    decides = not settings.toggle(key="model_public").disabled
    assert ("Archive" in [button.label for button in settings.button]) == decides
    return moves, decides

"""The first page: every model at a glance."""

import pytest

from tests.conftest import User
from tests.dashboard.conftest import Open, words
from tests.monitoring.conftest import Watched, count, predicted, watched

__all__ = ["count", "watched"]


def test_visitor_sees_the_trained_model_with_its_score(open_page: Open, penguins: str):
    """Without an account the published model is there, with score, baseline, version and rows."""
    app = open_page()

    assert not app.exception
    said = _listed(app)[penguins]
    assert "One of several" in said
    assert "species" in said
    assert "Log loss" in said
    assert "344" in said
    assert "public" in said


def test_totals_count_what_is_listed(open_page: Open, penguins: str):
    """The numbers on top agree with what is listed beneath."""
    app = open_page()

    totals = {metric.label: metric.value for metric in app.metric}
    listed = _listed(app)
    assert int(totals["Models"]) == len(listed)
    assert int(totals["In service"]) == sum("no champion" not in said.lower() for said in listed.values())


def test_private_model_is_shown_to_its_owner_only(
    open_page: Open, private_penguins: str, analyst: User, stranger: User
):
    """What is private is on its owner's page and on nobody else's."""
    assert private_penguins in _listed(open_page(user=analyst))
    assert private_penguins not in _listed(open_page(user=stranger))
    assert private_penguins not in _listed(open_page())


def test_unreachable_api_is_said_in_words(open_page: Open, settings: pytest.MonkeyPatch):
    """A page whose API is down explains itself and offers another try; nothing raw is shown."""
    settings.setenv("ROWCAST_API_URL", "http://127.0.0.1:9")

    app = open_page()

    assert not app.exception
    assert "cannot be reached" in app.error[0].value
    assert [button.label for button in app.button] == ["Try again"]


def test_missing_settings_are_named(open_page: Open, settings: pytest.MonkeyPatch):
    """A dashboard deployed without its settings says which one is missing."""
    settings.delenv("ROWCAST_API_URL")

    app = open_page()

    assert "ROWCAST" in words(app)


def _listed(app) -> dict[str, str]:
    """Read what is said of each model, by slug: from its card, or from the table that many models make."""
    table = next((each.value for each in app.dataframe if "slug" in each.value), None)
    if table is not None:
        rows = table.to_dict("records")
        return {row["slug"]: " ".join(map(str, row.values())) for row in rows}
    said: dict[str, str] = {}
    for element in app.main:
        if element.type == "page_link" and element.proto.query_string.startswith("model="):
            slug = element.proto.query_string.removeprefix("model=")
            said[slug] = element.proto.label
        elif said and element.type in {"caption", "progress"}:
            slug = next(reversed(said))
            said[slug] += " " + (element.proto.text if element.type == "progress" else element.value)
    return said


def test_health_and_alarms_are_shown_at_a_glance(
    open_page: Open, watched: Watched, count, analyst: User, stranger: User
):
    """Traffic, errors, p95 and drift of one's own models, and an alarm that leads to the page that tells more."""
    ids = watched.log(*[predicted("Adelie", total_ms=2.0) for _ in range(24)])
    watched.refuse({"refusal": {"id": ids[0], "model": watched.slug, "status": 503, "code": "unavailable", "count": 6}})
    count()
    watched.value(
        "insert into public.drift_states (version_id, model_id, feature, state) select version.id, version.model_id, 'length', "
        "'drifted' from public.versions as version join public.models as model on model.id = version.model_id "
        "where model.slug = %s returning 1",
        watched.slug,
    )
    app = open_page(user=analyst)

    assert not app.exception
    health = next(table.value for table in app.dataframe if "Drift" in table.value).set_index("model").loc[watched.slug]
    assert (health["Requests"], round(health["Errors"], 2)) == (24, 0.2)
    assert health["p95"] > 1
    assert "drifted" in health["Drift"]
    assert sum(health["Traffic"]) == 24
    said = [str(error.value) for error in app.error]
    assert any("length moved away" in text for text in said)
    assert any("20% of its requests failed" in text.replace("\\", "") for text in said)
    assert not any("Drift" in table.value for table in open_page(user=stranger).dataframe)

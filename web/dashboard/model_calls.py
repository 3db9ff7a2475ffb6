"""Calls about models: versions, cards, and moving what is live."""

import streamlit as st

from api_client import Json, call


@st.cache_data(ttl=10, max_entries=20, scope="session", show_spinner=False)
def list_models(token: str | None, *, archived: bool = False) -> list[Json]:
    """List the models this person may see, each with its champion; those in the archive if asked."""
    return call("GET", "/api/models", token=token, params={"archived": archived} if archived else None)["models"]


@st.cache_data(ttl=60, max_entries=20, scope="session", show_spinner=False)
def read_card(slug: str, version: int | str, token: str | None) -> Json:
    """Read the card of one version, by number or alias."""
    return call("GET", f"/api/models/{slug}/card", token=token, params={"version": version})


@st.cache_data(ttl=5, max_entries=20, scope="session", show_spinner=False)
def list_versions(slug: str, token: str | None) -> list[Json]:
    """List a model's versions, newest first, each with the aliases that point at it."""
    return call("GET", f"/api/models/{slug}/versions", token=token)["versions"]


@st.cache_data(ttl=60, max_entries=20, scope="session", show_spinner=False)
def compare_versions(slug: str, a: int, b: int, token: str | None) -> Json:
    """Put two versions side by side: b against a."""
    return call("GET", f"/api/models/{slug}/compare", token=token, params={"a": a, "b": b})


@st.cache_data(ttl=5, max_entries=20, scope="session", show_spinner=False)
def list_promotions(slug: str, token: str, limit: int, before: str | None = None) -> list[Json]:
    """List who moved which alias, when and why, newest first. Whoever has a part in the model may see it."""
    params = {"limit": limit} | ({"before": before} if before else {})
    return call("GET", f"/api/models/{slug}/promotions", token=token, params=params)["promotions"]


@st.cache_data(ttl=30, max_entries=20, scope="session", show_spinner=False)
def list_members(slug: str, token: str) -> list[Json]:
    """List the owner of a model and with whom it is shared. Refused to those who have no part in it."""
    return call("GET", f"/api/models/{slug}/members", token=token)["members"]


def promote(slug: str, alias: str, number: int, reason: str, token: str, *, replay: str | None = None) -> None:
    """Point an alias at a version; the replay is kept as evidence."""
    wanted = {"version": number, "reason": reason} | ({"replay": replay} if replay else {})
    call("PUT", f"/api/models/{slug}/aliases/{alias}", token=token, json=wanted)
    forget_models()


def roll_back(slug: str, alias: str, reason: str, token: str) -> None:
    """Undo the newest move of an alias that still stands."""
    call("POST", f"/api/models/{slug}/rollback", token=token, json={"alias": alias, "reason": reason})
    forget_models()


def update_model(slug: str, changes: Json, token: str) -> None:
    """Change a model's title, description or visibility, whether inputs are kept, or whether it is in use."""
    call("PATCH", f"/api/models/{slug}", token=token, json=changes)
    forget_models()


def start_replay(slug: str, number: int, against: int, rows: int, token: str) -> Json:
    """Ask for a replay of the newest logged rows through two versions."""
    wanted = {"version": number, "against": str(against), "rows": rows}
    return call("POST", f"/api/models/{slug}/replays", token=token, json=wanted)


def list_replays(slug: str, token: str) -> list[Json]:
    """List the newest replays of a model, newest first."""
    return call("GET", f"/api/models/{slug}/replays", token=token, params={"limit": 20})["replays"]


def forget_models() -> None:
    """Ask the API again about models, after something was changed here."""
    for kept in (list_models, list_versions, list_promotions, read_card):
        kept.clear()

"""One model: how good it is, what it looks at, its certificate, its versions side by side, and what may be changed."""

import streamlit as st

import access
import comparison_view
import model_calls
import model_sections as sections
import model_settings
import promotion
import session
from ahead import ahead
from api_client import Json
from model_choice import choose_model, slug_asked
from quality import TASKS, ago, plain

TABS = ["Quality", "Inputs", "Certificate and origin", "Compare", "Versions"]


def show_head(model: Json) -> None:
    """Say what it is in one glance."""
    st.title(plain(model["title"] or model["slug"]), anchor=False)
    champion = model["champion"]
    badges = [
        f":green-badge[:material/target: {TASKS.get(model['task'], model['task'])}: {plain(model['target'])}]",
        f":gray-badge[:material/{'public' if model['visibility'] == 'public' else 'lock'}: {model['visibility']}]",
    ]
    if champion and champion["number"]:
        badges.append(f":blue-badge[:material/stars: champion v{champion['number']}, {ago(champion['created_at'])}]")
    st.markdown(" ".join(badges))
    if model["description"]:
        st.write(plain(model["description"]))


def show(model: Json, account: session.Account | None, *, is_archived: bool) -> None:
    """Show everything that is known about a model."""
    token = account.access_token if account else None
    show_head(model)
    part = access.part_in(model["slug"], account)
    can_change = part != "viewer"
    if model["champion"] is None:
        st.info("This model has no champion yet. It gets one with the first version that passes its certificate.")
        promotion.show_versions(model, model_calls.list_versions(model["slug"], token), can_change=can_change)
        return
    with st.spinner("Reading the card …", show_time=True):
        card = model_calls.read_card(model["slug"], model["champion"]["number"] or "champion", token)
    sections.show_headline(card)
    titles = [*TABS, "Settings"] if can_change else TABS
    tabs = dict(zip(titles, st.tabs(titles, key="tab", on_change="rerun", bind="query-params"), strict=True))
    chosen = next((title for title, tab in tabs.items() if tab.open), titles[0])
    with tabs[chosen]:
        if chosen == "Settings" and account is not None:
            model_settings.show(model, account.access_token, is_archived=is_archived, is_owner=part == "owner")
        else:
            show_part(chosen, model, card, token, can_change=can_change and not is_archived)


def show_part(name: str, model: Json, card: Json, token: str | None, *, can_change: bool) -> None:
    """Show one part of what is known."""
    match name:
        case "Quality":
            sections.show_quality(card)
        case "Inputs":
            sections.show_inputs(card)
        case "Compare":
            comparison_view.show(model["slug"], model_calls.list_versions(model["slug"], token), token)
        case "Versions":
            versions = model_calls.list_versions(model["slug"], token)
            promotion.show_versions(model, versions, can_change=can_change)
        case _:
            sections.show_certificate(card)
            sections.show_origin(card)


signed_in = session.current()
signed_in_as = signed_in.access_token if signed_in else None
wants_archive = bool(signed_in) and st.query_params.get("archived") == "true"
slug = slug_asked()
parts = [lambda: model_calls.list_members(slug, signed_in_as)] if slug and access.asks_for_members(signed_in) else []
with ahead(*parts):
    known = model_calls.list_models(signed_in_as, archived=wants_archive)
if signed_in:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        chosen_model = choose_model(known) if known else None
        st.toggle("Archive", key="archived", bind="query-params", help="Models that are out of use")
else:
    chosen_model = choose_model(known) if known else None
if not known:
    st.title("Model")
    st.info("The archive is empty." if wants_archive else "There are no models yet.", icon=":material/inbox:")
elif chosen_model:
    show(chosen_model, signed_in, is_archived=wants_archive)
else:
    st.caption("Choose one of the models to see how good it is, what it looks at, and its versions.")

"""Webhooks: hooks that messages come in by, and subscriptions that events go out to."""

import pandas as pd
import streamlit as st

import access
import hook_calls
import hook_view
import subscription_calls
import subscription_view
import webhook_forms
from api_client import Json
from quality import ago

LISTED = 200
"""The API lists all of a person's; a table this long is still read."""


def show_hooks(token: str) -> None:
    """List the hooks; a row leads to the hook."""
    hooks = hook_calls.list_hooks(token)
    with st.expander("Open a hook", icon=":material/add_link:", expanded=not hooks):
        webhook_forms.show_hook_form(token)
    if not hooks:
        st.info("No hooks yet. A hook is an address that takes rows and gives predictions.", icon=":material/inbox:")
        return
    rows = [
        {
            "Name": each["name"],
            "Model": f"{each['model'] or '–'}@{each['alias']}",
            "Messages": hook_view.KINDS[each["kind"]],
            "On": each["enabled"],
            "Refused": each["refused_count"],
            "Opened": ago(each["created_at"]),
        }
        for each in hooks[:LISTED]
    ]
    _choose("hook", rows, hooks)


def show_subscriptions(token: str) -> None:
    """List the subscriptions; a row leads to its deliveries."""
    subscriptions = subscription_calls.list_subscriptions(token)
    with st.expander("Subscribe an address", icon=":material/add_alert:", expanded=not subscriptions):
        webhook_forms.show_subscription_form(token)
    if not subscriptions:
        st.info("No subscriptions yet. They tell other systems what happens here.", icon=":material/inbox:")
        return
    rows = [
        {
            "What": each["description"] or each["url"],
            "Events": ", ".join(each["event_types"]),
            "Of": each["model"] or webhook_forms.ALL_MODELS,
            "State": subscription_view.HEALTH[subscription_view.health_of(each)][2],
            "Waiting": each["waiting"],
            "Given up": each["dead"],
            "Delivered": ago(each["last_delivered_at"]),
        }
        for each in subscriptions[:LISTED]
    ]
    _choose("subscription", rows, subscriptions)


def _choose(name: str, rows: list[Json], things: list[Json]) -> None:
    picked = st.dataframe(
        pd.DataFrame(rows), hide_index=True, on_select="rerun", selection_mode="single-row", key=f"{name}s"
    )
    st.caption("Select a row to open it.")
    if picked and picked.selection.rows:
        st.query_params[name] = things[picked.selection.rows[0]]["id"]
        st.rerun()


def show_one(name: str, token: str) -> None:
    """Show what the address names."""
    if st.button("All webhooks", icon=":material/arrow_back:", type="tertiary"):
        st.session_state.pop("shown_secret", None)
        st.query_params.clear()
        st.rerun()
    view = hook_view if name == "hook" else subscription_view
    view.show(st.query_params[name], token)


st.title("Webhooks")
if person := access.trainer("Webhooks belong to somebody."):
    chosen = next((name for name in ("hook", "subscription") if name in st.query_params), None)
    if chosen:
        show_one(chosen, person.access_token)
    else:
        incoming, outgoing = st.tabs(["Incoming", "Outgoing"], key="direction", on_change="rerun", bind="query-params")
        if incoming.open:
            with incoming:
                show_hooks(person.access_token)
        if outgoing.open:
            with outgoing:
                show_subscriptions(person.access_token)

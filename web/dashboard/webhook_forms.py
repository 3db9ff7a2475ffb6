"""Forms that open a hook and that subscribe an address; checked before anything is sent."""

import streamlit as st

import hook_calls
import model_calls
import subscription_calls
from api_client import Json
from hook_view import KINDS, MODES
from orders import carry_out, keep_secret
from subscription_view import EVENTS

ALL_MODELS = "all my models"


def show_hook_form(token: str) -> None:
    """Ask for a new hook."""
    models = [model["slug"] for model in model_calls.list_models(token) if model["champion"]]
    if not models:
        st.info("A hook predicts with a model: train one first.", icon=":material/inbox:")
        return
    with st.form("new_hook", border=False):
        left, right = st.columns(2, gap="large")
        name = left.text_input("Name", max_chars=80, placeholder="New customers", key="hook_name")
        model = left.selectbox("Model", models, key="hook_model")
        alias = left.text_input(
            "Version", value="champion", max_chars=32, key="hook_alias", help="An alias or a number"
        )
        kind = right.selectbox("Messages", list(KINDS), format_func=KINDS.__getitem__, key="hook_kind")
        mode = right.selectbox("It", list(MODES), format_func=MODES.__getitem__, key="hook_mode")
        table = right.text_input("Table to write to", placeholder="public.customers", key="hook_table")
        is_sent = st.form_submit_button("Open the hook", type="primary", icon=":material/add_link:")
    if not is_sent:
        return
    if not name.strip():
        st.warning("Give it a name that you will recognise.", icon=":material/edit:")
        return
    if mode == "write_back" and "." not in table.strip():
        st.warning("Name the table to write to with its schema, such as `public.customers`.", icon=":material/edit:")
        return
    wanted: Json = {"name": name.strip(), "model": f"{model}@{alias.strip() or 'champion'}", "kind": kind, "mode": mode}
    if mode == "write_back":
        wanted["table"] = table.strip()
    if carry_out(lambda: _open_hook(wanted, token), "The hook is open."):
        st.rerun()


def _open_hook(wanted: Json, token: str) -> None:
    made = hook_calls.create_hook(wanted, token)
    if made["secret"]:
        keep_secret(made["name"], made["secret"])
    st.query_params["hook"] = made["id"]


def show_subscription_form(token: str) -> None:
    """Ask for a new subscription."""
    models = [model["slug"] for model in model_calls.list_models(token)]
    with st.form("new_subscription", border=False):
        left, right = st.columns(2, gap="large")
        url = left.text_input("Address", placeholder="https://example.com/webhooks/rowcast", max_chars=2000, key="url")
        description = left.text_input("What it is", max_chars=200, key="description")
        events = right.multiselect("Events", list(EVENTS), format_func=EVENTS.__getitem__, key="events")
        model = right.selectbox("Of", [ALL_MODELS, *models], key="subscription_model")
        is_sent = st.form_submit_button("Subscribe", type="primary", icon=":material/add_alert:")
    if not is_sent:
        return
    if not url.strip().startswith(("https://", "http://")):
        st.warning("Write the whole address, beginning with `https://`.", icon=":material/edit:")
        return
    if not events:
        st.warning("Choose at least one event.", icon=":material/edit:")
        return
    wanted: Json = {"url": url.strip(), "event_types": events, "description": description.strip()}
    if model != ALL_MODELS:
        wanted["model"] = model
    if carry_out(lambda: _subscribe(wanted, token), "Subscribed."):
        st.rerun()


def _subscribe(wanted: Json, token: str) -> None:
    made = subscription_calls.create_subscription(wanted, token)
    keep_secret(made["description"] or made["url"], made["secret"])
    st.query_params["subscription"] = made["id"]

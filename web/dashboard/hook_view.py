"""One hook: where it is, what it makes of a payload, what came in, and its secret."""

import json

import pandas as pd
import streamlit as st

import hook_calls
import hook_tester
import orders
import paging
from api_client import Json
from quality import ago, plain

KINDS = {
    "standard": "Standard Webhooks, signed",
    "supabase": "Supabase Database Webhook",
    "key": "JSON with an API key",
}
MODES = {"answer": "only answers", "write_back": "writes into the source row", "event": "also emits hook.answered"}
OVERLAPS = {0: "not at all", 3600: "for an hour", 86_400: "for a day", 604_800: "for a week"}


def show(hook_id: str, token: str) -> None:
    """Show one hook with what can be done about it."""
    hook = hook_calls.read_hook(hook_id, token)
    st.header(plain(hook["name"]), anchor=False)
    colour, icon, word = ("green", "sensors", "on") if hook["enabled"] else ("gray", "sensors_off", "off")
    model = f"{hook['model'] or 'a model that is not yours any more'}@{hook['alias']}"
    st.markdown(
        f":{colour}-badge[:material/{icon}: {word}] {KINDS[hook['kind']]} · **{plain(model)}** · {MODES[hook['mode']]}"
    )
    st.code(hook["url"], language=None)
    if hook["is_writable"] is False:
        st.warning(
            f"{plain(hook['table'])} is not opened for this hook yet: apply the migration that `./rowcast hook attach` writes.",
            icon=":material/lock:",
        )
    if hook["refused_count"]:
        reason = (
            f", the last {ago(hook['refused_at'])}: {plain(hook['refused_reason'])}" if hook["refused_reason"] else ""
        )
        st.caption(f":material/block: {hook['refused_count']:,} messages were turned away{reason}")
    orders.show_secret()
    _show_orders(hook, token)
    trying, received = st.tabs(
        ["Mapping and tester", "What came in"], key="hook_tab", on_change="rerun", bind="query-params"
    )
    if trying.open:
        with trying:
            hook_tester.show(hook, token)
    if received.open:
        with received:
            _show_received(hook_id, token)


def _show_orders(hook: Json, token: str) -> None:
    hook_id = hook["id"]
    with st.container(horizontal=True, vertical_alignment="center"):
        label, icon = ("Switch off", "sensors_off") if hook["enabled"] else ("Switch on", "sensors")
        if st.button(label, icon=f":material/{icon}:") and orders.carry_out(
            lambda: hook_calls.change_hook(hook_id, {"enabled": not hook["enabled"]}, token), "Done."
        ):
            st.rerun()
        if hook["kind"] != "key":
            with st.popover("New secret", icon=":material/key:"):
                seconds = st.selectbox(
                    "The old one goes on", list(OVERLAPS), index=2, format_func=OVERLAPS.__getitem__, key="hook_overlap"
                )
                if st.button("Make a new secret", type="primary", key="hook_rotate"):
                    _rotate(hook, seconds, token)
        if st.button("Delete", icon=":material/delete:", key="hook_delete"):
            said = f"“{plain(hook['name'])}” is closed for good and its record goes with it. Its predictions stay."
            orders.confirm("Delete this hook?", said, "Delete", lambda: _delete(hook_id, token), "Deleted.")


def _rotate(hook: Json, seconds: int, token: str) -> None:
    def order() -> None:
        orders.keep_secret(hook["name"], hook_calls.rotate_hook(hook["id"], seconds, token))

    if orders.carry_out(order, "There is a new secret."):
        st.rerun()


def _delete(hook_id: str, token: str) -> None:
    hook_calls.delete_hook(hook_id, token)
    st.query_params.pop("hook", None)


def _show_received(hook_id: str, token: str) -> None:
    found, buttons = paging.turned(
        "received", lambda rows, before: hook_calls.list_received(hook_id, token, rows, before)
    )
    if not found:
        st.info("Nothing came in during the last seven days.", icon=":material/inbox:")
        return
    table = pd.DataFrame([_received_row(each) for each in found])
    picked = st.dataframe(table, hide_index=True, on_select="rerun", selection_mode="single-row", key="received_rows")
    buttons()
    if picked and picked.selection.rows:
        each = found[picked.selection.rows[0]]
        st.caption(f"Prediction {plain(each['prediction_id'])}")
        st.code(_pretty(each["answer"]), language="json")


def _received_row(each: Json) -> Json:
    return {
        "Came": ago(each["received_at"]),
        "Event": each["event"] or "–",
        "State": each["state"],
        "Rows": each["row_count"],
        "Written": each["written_count"],
        "Came again": each["duplicate_count"],
        "ms": each["total_ms"],
        "Message": each["delivery_id"],
    }


def _pretty(answer: str | None) -> str:
    try:
        return json.dumps(json.loads(answer or ""), indent=2)
    except ValueError:
        return answer or "not answered yet"

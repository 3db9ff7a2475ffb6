"""What was sent to one receiver and will be: the log, each attempt with what came back, and sending again."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

import paging
import subscription_calls
from api_client import CallFailed, Json, SignInNeeded
from quality import ago, plain

STATES = {"pending": "Waiting", "delivered": "Delivered", "failed": "Failing", "dead": "Given up"}
SPANS = {1: "the last hour", 24: "the last day", 168: "the last week", 720: "the last 30 days"}


def show_log(subscription_id: str, token: str) -> None:
    """Show the deliveries a page at a time, and one of them closely."""
    st.markdown("**Deliveries**")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        state = st.pills(
            "State",
            list(STATES),
            format_func=STATES.__getitem__,
            label_visibility="collapsed",
            key="state",
            bind="query-params",
            on_change=lambda: paging.restart("deliveries"),
        )
        with st.popover("Send again what was given up", icon=":material/replay:"):
            _show_dead_form(subscription_id, token)
    found, buttons = paging.turned(
        "deliveries",
        lambda rows, before: subscription_calls.list_deliveries(subscription_id, token, rows, before, state),
    )
    if not found:
        st.info("No deliveries of this kind in the last 30 days.", icon=":material/inbox:")
    else:
        _show_rows(found, subscription_id, token)
        buttons()
    if delivery_id := st.query_params.get("delivery"):
        _show_delivery(subscription_id, delivery_id, token)


def _show_rows(found: list[Json], subscription_id: str, token: str) -> None:
    table = pd.DataFrame(
        [
            {
                "Event": each["type"],
                "State": STATES[each["state"]],
                "Attempts": each["attempts"],
                "Came": ago(each["created_at"]),
                "Next": _wait(each["next_attempt_at"]),
                "Why": each["reason"] or "–",
            }
            for each in found
        ]
    )
    picked = st.dataframe(table, hide_index=True, on_select="rerun", selection_mode="multi-row", key="delivery_rows")
    chosen = [found[row]["id"] for row in picked.selection.rows] if picked else []
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Look closely", icon=":material/search:", disabled=len(chosen) != 1):
            st.query_params["delivery"] = chosen[0]
        if st.button(f"Send again ({len(chosen)})", icon=":material/replay:", disabled=not chosen, key="replay_rows"):
            _replay(subscription_id, {"deliveries": chosen}, token)


def _show_dead_form(subscription_id: str, token: str) -> None:
    hours = st.selectbox("Given up during", list(SPANS), index=1, format_func=SPANS.__getitem__, key="dead_span")
    if st.button("Send them again", type="primary", key="replay_dead"):
        since = datetime.now(UTC) - timedelta(hours=hours)
        _replay(subscription_id, {"dead_since": since.isoformat()}, token)


def _replay(subscription_id: str, order: Json, token: str) -> None:
    """Send again; the same message under the same id, on a schedule that starts anew."""
    try:
        count = subscription_calls.replay(subscription_id, order, token)
    except SignInNeeded:
        raise
    except CallFailed as error:
        st.error(plain(error), icon=":material/error:")
        return
    st.toast(
        f"{count:,} on their way again." if count else "There was nothing to send again.", icon=":material/replay:"
    )
    st.rerun()


def _show_delivery(subscription_id: str, delivery_id: str, token: str) -> None:
    try:
        delivery = subscription_calls.read_delivery(subscription_id, delivery_id, token)
    except SignInNeeded:
        raise
    except CallFailed as error:
        st.warning(plain(error), icon=":material/visibility_off:")
        return
    with st.container(border=True, key="delivery"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"**{plain(delivery['type'])}** · {STATES[delivery['state']]} · {plain(delivery['event_id'])}")
            if st.button("Close", icon=":material/close:", type="tertiary", key="delivery_close"):
                del st.query_params["delivery"]
                st.rerun()
        if st.button("Send this again", icon=":material/replay:", key="replay_one"):
            _replay(subscription_id, {"deliveries": [delivery_id]}, token)
        for attempt in reversed(delivery["log"]):
            _show_attempt(attempt)
        with st.expander("What is sent", icon=":material/data_object:"):
            st.code(_pretty(delivery["body"]), language="json")


def _show_attempt(attempt: Json) -> None:
    came = f"status {attempt['status']}" if attempt["status"] else "no answer"
    took = f" in {attempt['ms']:,.0f} ms" if attempt["ms"] is not None else ""
    icon = ":green[:material/check_circle:]" if attempt["reason"] is None else ":red[:material/error:]"
    st.markdown(f"{icon} Attempt {attempt['number']}, {ago(attempt['at'])}: **{came}**{took}")
    if attempt["reason"]:
        st.caption(plain(attempt["reason"]))
    with st.expander(f"Headers and answer of attempt {attempt['number']}"):
        st.code(_lines(attempt["request_headers"]), language="http")
        st.code(_lines(attempt["response_headers"] or {}) + "\n\n" + (attempt["response_body"] or ""), language="http")


def _lines(headers: Json) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2)
    except ValueError:
        return body


def _wait(at: str | None) -> str:
    if not at:
        return "–"
    seconds = (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"in {seconds / size:.0f} {name}"
    return "now"

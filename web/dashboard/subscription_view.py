"""One subscription: how it is, a test, its secret, and every delivery with its attempts."""

from datetime import UTC, datetime

import streamlit as st

import delivery_view
import orders
import subscription_calls
from api_client import Json
from quality import ago, plain

EVENTS = {
    "run.succeeded": "A training run made a version",
    "run.failed": "A training run failed",
    "version.promoted": "Another version answers, or an alias moved",
    "prediction.created": "Predictions were made (many in one message)",
    "drift.detected": "Inputs or answers have drifted",
    "quota.near": "A quota is nearly used up",
    "hook.answered": "An incoming webhook was answered",
}
OVERLAPS = {0: "not at all", 1: "for an hour", 24: "for a day", 168: "for a week"}
HEALTH = {
    "good": ("green", "check_circle", "working"),
    "failing": ("orange", "error", "failing"),
    "paused": ("orange", "pause_circle", "asked for a pause"),
    "off": ("gray", "notifications_off", "off"),
}


def health_of(subscription: Json) -> str:
    """Tell in one word how a subscription is."""
    if not subscription["is_enabled"]:
        return "off"
    if subscription["resume_at"] and datetime.fromisoformat(subscription["resume_at"]) > datetime.now(UTC):
        return "paused"
    return "failing" if subscription["failing_since"] else "good"


def show(subscription_id: str, token: str) -> None:
    """Show one subscription with what can be done about it."""
    subscription = subscription_calls.read_subscription(subscription_id, token)
    st.header(plain(subscription["description"] or subscription["url"]), anchor=False)
    colour, icon, word = HEALTH[health_of(subscription)]
    about = f"of **{plain(subscription['model'])}**" if subscription["model"] else "of all your models"
    st.markdown(f":{colour}-badge[:material/{icon}: {word}] {plain(', '.join(subscription['event_types']))} {about}")
    st.code(subscription["url"], language=None)
    if subscription["disabled_reason"]:
        st.warning(plain(subscription["disabled_reason"]), icon=":material/notifications_off:")
    if subscription["failing_since"]:
        st.warning(f"No delivery has succeeded since {ago(subscription['failing_since'])}.", icon=":material/error:")
    st.caption(
        f"{subscription['waiting']:,} waiting · {subscription['dead']:,} given up · last delivered "
        f"{ago(subscription['last_delivered_at'])}"
    )
    orders.show_secret()
    _show_orders(subscription, token)
    delivery_view.show_log(subscription_id, token)


def _show_orders(subscription: Json, token: str) -> None:
    subscription_id, is_on = subscription["id"], subscription["is_enabled"]
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Send a test", type="primary", icon=":material/send:", disabled=not is_on):
            _test(subscription_id, token)
        label, icon = ("Switch off", "notifications_off") if is_on else ("Switch on", "notifications")
        if st.button(label, icon=f":material/{icon}:", key="subscription_switch") and orders.carry_out(
            lambda: subscription_calls.change_subscription(subscription_id, {"is_enabled": not is_on}, token), "Done."
        ):
            st.rerun()
        with st.popover("New secret", icon=":material/key:"):
            hours = st.selectbox(
                "Messages carry both signatures",
                list(OVERLAPS),
                index=2,
                format_func=OVERLAPS.__getitem__,
                key="overlap",
            )
            if st.button("Make a new secret", type="primary", key="subscription_rotate"):
                _rotate(subscription, hours, token)
        if st.button("Delete", icon=":material/delete:", key="subscription_delete"):
            said = "Nothing more is sent there, and the log goes with it."
            orders.confirm(
                "Delete this subscription?", said, "Delete", lambda: _delete(subscription_id, token), "Deleted."
            )


def _test(subscription_id: str, token: str) -> None:
    def order() -> None:
        with st.spinner("The receiver has 15 seconds to answer …", show_time=True):
            sent = subscription_calls.send_test(subscription_id, token)
        st.query_params["delivery"] = sent["id"]

    if orders.carry_out(order, "A test was sent."):
        st.rerun()


def _rotate(subscription: Json, hours: int, token: str) -> None:
    def order() -> None:
        secret = subscription_calls.rotate_subscription(subscription["id"], hours, token)
        orders.keep_secret(subscription["description"] or subscription["url"], secret)

    if orders.carry_out(order, "There is a new secret."):
        st.rerun()


def _delete(subscription_id: str, token: str) -> None:
    subscription_calls.delete_subscription(subscription_id, token)
    for name in ("subscription", "delivery", "deliveries"):
        st.query_params.pop(name, None)

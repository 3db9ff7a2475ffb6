"""Versions of a model, the aliases that point at them, and moving an alias with a reason."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

import api_client
import session
from api_client import CallFailed, Json
from quality import ago, plain, precise, scores

MAX_REASON = 500


def show_versions(slug: str) -> None:
    """Show every version, who moved an alias and why, and let those who may move one."""
    account = session.current()
    token = account.access_token if account else None
    versions = api_client.list_versions(slug, token)
    st.subheader("Versions")
    st.dataframe(pd.DataFrame([_version_row(each) for each in versions]), hide_index=True)
    if account is None:
        st.caption("Sign in as the owner to see promotions and to promote.")
        return
    try:
        promotions = api_client.list_promotions(slug, account.access_token)
    except CallFailed:
        st.caption("Promotions are shown to the model's owner and to admins.")
        return
    if account.role != "viewer":
        _show_orders(slug, versions, promotions, account.access_token)
    st.subheader("Promotions")
    st.caption("Append-only: who moved which alias, when and why.")
    st.dataframe(pd.DataFrame([_promotion_row(each) for each in promotions]), hide_index=True)


def _version_row(version: Json) -> Json:
    judged = scores(version["metrics"], version["baseline"])
    return {
        "Version": f"v{version['number']}" if version["number"] else "–",
        "Aliases": ", ".join(version["aliases"]),
        **{score.label: precise(score.value) for score in judged},
        "Rows": f"{version['rows']:,}",
        "Made": ago(version["created_at"]),
        "SHA-256": version["digest"][:12],
    }


def _promotion_row(promotion: Json) -> Json:
    before = f"v{promotion['from_version']}" if promotion["from_version"] else "none"
    return {
        "When": ago(promotion["promoted_at"]),
        "Alias": promotion["alias"],
        "From": before,
        "To": f"v{promotion['to_version']}",
        "Reason": promotion["reason"],
        "By": promotion["promoted_by"] or "the training run",
        "Undoes another": promotion["rollback_of"] is not None,
    }


def _show_orders(slug: str, versions: list[Json], promotions: list[Json], token: str) -> None:
    left, right = st.columns(2, gap="large")
    with left, st.form("promote", clear_on_submit=True):
        st.markdown("**Promote**")
        numbers = [each["number"] for each in versions if each["number"] and "champion" not in each["aliases"]]
        number = st.selectbox(
            "Version to make champion", numbers, format_func=lambda value: f"v{value}", disabled=not numbers
        )
        reason = st.text_input("Reason", max_chars=MAX_REASON, key="promote_reason")
        sent = st.form_submit_button("Promote", icon=":material/upgrade:", disabled=not numbers)
    if sent and _has_reason(reason):
        _carry_out(
            lambda: api_client.promote(slug, "champion", number, reason.strip(), token), f"v{number} is champion now."
        )
    with right, st.form("roll_back", clear_on_submit=True):
        st.markdown("**Roll back**")
        can_go_back = any(each["alias"] == "champion" and each["from_version"] for each in promotions)
        st.caption(
            "The champion becomes what it was before." if can_go_back else "There is no earlier champion to go back to."
        )
        why = st.text_input("Reason", max_chars=MAX_REASON, key="rollback_reason")
        undone = st.form_submit_button("Roll back", icon=":material/undo:", disabled=not can_go_back)
    if undone and _has_reason(why):
        _carry_out(lambda: api_client.roll_back(slug, "champion", why.strip(), token), "Rolled back.")


def _has_reason(reason: str) -> bool:
    if reason.strip():
        return True
    st.warning("Say why: the reason is kept for those who ask later.", icon=":material/edit:")
    return False


def _carry_out(order: Callable[[], None], done: str) -> None:
    try:
        order()
    except CallFailed as error:
        st.error(plain(error), icon=":material/error:")
        return
    st.toast(done, icon=":material/check_circle:")
    st.rerun()

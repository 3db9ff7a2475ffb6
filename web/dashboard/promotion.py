"""Versions of a model, the aliases that point at them, and moving the champion with evidence and a reason."""

from contextlib import suppress

import pandas as pd
import streamlit as st

import model_calls
import paging
import replay_view
import session
from api_client import CallFailed, Json, SignInNeeded
from orders import carry_out
from quality import ago, precise, scores

MAX_REASON = 500


def show_versions(model: Json, versions: list[Json], *, can_change: bool) -> None:
    """Show every version, who moved an alias and why, and let those who may move one."""
    st.dataframe(pd.DataFrame([_version_row(each) for each in versions]), hide_index=True)
    account = session.current()
    if account is None:
        st.caption("Sign in as the owner to see promotions and to promote.")
        return
    slug, token = model["slug"], account.access_token
    try:
        promotions, buttons = paging.turned(
            "before", lambda rows, before: model_calls.list_promotions(slug, token, rows, before), rows=10
        )
    except SignInNeeded:
        raise
    except CallFailed:
        st.caption("Promotions are shown to the model's owner and to admins.")
        return
    if can_change:
        _show_promote(slug, versions, token)
        _show_roll_back(slug, promotions, token)
    st.header("Promotions")
    st.caption("Append-only: who moved which alias, when and why.")
    people = _addresses(slug, token)
    st.dataframe(pd.DataFrame([_promotion_row(each, people) for each in promotions]), hide_index=True)
    buttons()


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


def _addresses(slug: str, token: str) -> dict[str, str | None]:
    """Return the e-mail addresses of those who have a part in the model, as far as this person may read them."""
    with suppress(CallFailed):
        return {each["id"]: each["email"] for each in model_calls.list_members(slug, token)}
    return {}


def _promotion_row(promotion: Json, people: dict[str, str | None]) -> Json:
    by = promotion["promoted_by"]
    replay = promotion["evidence"].get("replay")
    return {
        "When": ago(promotion["promoted_at"]),
        "Alias": promotion["alias"],
        "From": f"v{promotion['from_version']}" if promotion["from_version"] else "none",
        "To": f"v{promotion['to_version']}" if promotion["to_version"] else "none",
        "Reason": promotion["reason"],
        "By": people.get(by) or by or "the training run",
        "Evidence": "scores, replay" if replay else "scores",
        "Undoes another": promotion["rollback_of"] is not None,
    }


def _show_promote(slug: str, versions: list[Json], token: str) -> None:
    champion = next((each["number"] for each in versions if "champion" in each["aliases"]), None)
    numbers = [each["number"] for each in versions if each["number"] and "champion" not in each["aliases"]]
    with st.container(border=True, key="promotion"):
        st.markdown("**Promote**")
        replay = None
        if numbers:
            number = st.selectbox(
                "Version to make champion", numbers, format_func=lambda value: f"v{value}", key="promoted"
            )
            if champion:
                replay = replay_view.show(slug, number, champion, token)
        else:
            st.caption("There is no other version to promote.")
        with st.form("promote", clear_on_submit=True, border=False):
            reason = st.text_input("Reason", max_chars=MAX_REASON, key="promote_reason")
            sent = st.form_submit_button("Promote", icon=":material/upgrade:", type="primary", disabled=not numbers)
    if sent and _has_reason(reason):
        evidence = replay["id"] if replay else None
        if carry_out(
            lambda: model_calls.promote(slug, "champion", number, reason.strip(), token, replay=evidence),
            f"v{number} is champion now.",
        ):
            st.rerun()


def _show_roll_back(slug: str, promotions: list[Json], token: str) -> None:
    can_go_back = any(each["alias"] == "champion" and each["from_version"] for each in promotions)
    with st.form("roll_back", clear_on_submit=True):
        st.markdown("**Roll back**")
        st.caption(
            "The champion becomes what it was before." if can_go_back else "There is no earlier champion to go back to."
        )
        why = st.text_input("Reason", max_chars=MAX_REASON, key="rollback_reason")
        undone = st.form_submit_button("Roll back", icon=":material/undo:", disabled=not can_go_back)
    if (
        undone
        and _has_reason(why)
        and carry_out(lambda: model_calls.roll_back(slug, "champion", why.strip(), token), "Rolled back.")
    ):
        st.rerun()


def _has_reason(reason: str) -> bool:
    if reason.strip():
        return True
    st.warning("Say why: the reason is kept for those who ask later.", icon=":material/edit:")
    return False

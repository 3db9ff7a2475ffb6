"""Who may use a page, and who may change a model. What is offered follows this; what is allowed, the database decides."""

from typing import Literal

import streamlit as st

import model_calls
import session
from api_client import CallFailed, ServiceUnreachable, SignInNeeded

type Part = Literal["owner", "editor", "viewer"]


def trainer(why: str) -> session.Account | None:
    """Return the analyst or admin who is signed in; otherwise say what is needed, and `why`, and return None."""
    account = session.current()
    if account is None:
        st.info(f"{why} Sign in first.", icon=":material/lock:")
        st.page_link("app_pages/account.py", label="Sign in", icon=":material/login:")
        return None
    if account.role == "viewer":
        st.info(
            "Your account may look at models. Ask an administrator for the role *analyst* to go further.",
            icon=":material/lock:",
        )
        return None
    return account


def asks_for_members(account: session.Account | None) -> bool:
    """Tell whether somebody's part in a model hangs on its members: viewers never change one, admins may change all."""
    return account is not None and account.role == "analyst"


def part_in(slug: str, account: session.Account | None) -> Part:
    """Tell what somebody is to a model: its owner (so are admins), an editor, or one who only looks."""
    if account is None or not asks_for_members(account):
        return "owner" if account and account.role == "admin" else "viewer"
    try:
        members = model_calls.list_members(slug, account.access_token)
    except (ServiceUnreachable, SignInNeeded):
        raise
    except CallFailed:
        return "viewer"  # refused to those who have no part in it
    return next((each["role"] for each in members if each["id"] == account.id), "viewer")

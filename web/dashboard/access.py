"""Who may use a page: what visitors and viewers read instead of it."""

import streamlit as st

import session


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

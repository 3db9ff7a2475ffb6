"""Sign in, or see who is signed in and sign out."""

import streamlit as st

import session
from api_client import CallFailed
from quality import plain

ROLES = {
    "viewer": "sees published models",
    "analyst": "trains models, publishes and promotes their own",
    "admin": "sees and manages everything",
}


def show_account(account: session.Account) -> None:
    """Say who is signed in and what that allows."""
    st.title("Account")
    with st.container(border=True, width=520):
        st.header(plain(account.email), anchor=False)
        st.badge(account.role, icon=":material/verified_user:", color="green")
        st.caption(
            f"As {account.role}: {ROLES.get(account.role, '')}. API keys are made with **./rowcast key create**."
        )
        if st.button("Sign out", icon=":material/logout:"):
            session.sign_out()
            st.rerun()


def show_form() -> None:
    """Ask for e-mail and password."""
    st.title("Sign in")
    with st.form("sign_in", width=420, enter_to_submit=True):
        email = st.text_input("E-mail", autocomplete="username", key="email")
        password = st.text_input("Password", type="password", autocomplete="current-password", key="password")
        is_sent = st.form_submit_button("Sign in", type="primary", width="stretch")
    st.caption("Published models can be seen without an account. **./rowcast user add** makes one.")
    if not is_sent:
        return
    if not (email.strip() and password):
        st.warning("Type both the e-mail address and the password.", icon=":material/edit:")
        return
    try:
        with st.spinner("Signing in …"):
            session.sign_in(email.strip(), password)
    except CallFailed as error:
        st.error(plain(error), icon=":material/error:")
        return
    st.rerun()


signed_in = session.current()
if signed_in:
    show_account(signed_in)
else:
    show_form()

"""Things that are done by a click: what was refused is said, what is final is asked once more, secrets are shown once."""

from collections.abc import Callable

import streamlit as st

from api_client import CallFailed, SignInNeeded
from quality import plain


def carry_out(order: Callable[[], object], done: str) -> bool:
    """Do it and say that it is done, or say why not; tells whether it was done."""
    try:
        order()
    except SignInNeeded:
        raise
    except CallFailed as error:
        st.error(plain(error), icon=":material/error:")
        return False
    st.toast(done, icon=":material/check_circle:")
    return True


def confirm(title: str, consequence: str, label: str, order: Callable[[], object], done: str) -> None:
    """Ask once more before something that cannot be undone; the page runs again when it is done."""

    @st.dialog(title, icon=":material/warning:")
    def ask() -> None:
        st.write(consequence)
        with st.container(horizontal=True, horizontal_alignment="right"):
            if st.button("Keep it", key="confirm_no"):
                st.rerun()
            is_sure = st.button(label, type="primary", key="confirm_yes")
        if is_sure and carry_out(order, done):
            st.rerun()

    ask()


def keep_secret(name: str, secret: str) -> None:
    """Remember a new secret until it was put away or the session ends; the server cannot show it again."""
    st.session_state["shown_secret"] = (name, secret)


def show_secret() -> None:
    """Show a new secret, this one time."""
    name, secret = st.session_state.get("shown_secret", ("", ""))
    if not secret:
        return
    with st.container(border=True, key="secret"):
        st.markdown(f":material/key: **Secret of {plain(name)}**")
        st.code(secret, language=None)
        st.caption("Keep it now: it cannot be shown again. After a reload of this page it is gone.")
        if st.button("I have kept it", key="secret_kept"):
            del st.session_state["shown_secret"]
            st.rerun()

"""What may be changed about a model: its name, who sees it, what is kept, and whether it is in use."""

from typing import Any

import streamlit as st

import model_calls
from api_client import Json
from orders import carry_out, confirm
from quality import plain


def show(model: Json, token: str, *, is_archived: bool, is_owner: bool) -> None:
    """Let editors describe a model; its owner, or an admin, decides who sees it and whether it is in use."""
    with st.form("settings"):
        title = st.text_input("Title", value=model["title"], max_chars=120, key="model_title")
        description = st.text_area("Description", value=model["description"], max_chars=2000, key="model_description")
        is_public = st.toggle(
            "Published for everybody",
            value=model["visibility"] == "public",
            key="model_public",
            disabled=not is_owner,
            help="Anybody may predict with it" if is_owner else "Its owner decides who sees it",
        )
        is_sent = st.form_submit_button("Save", type="primary", icon=":material/save:")
    if is_sent:
        _save(
            model,
            {"title": title.strip(), "description": description, "visibility": _visibility(is_public=is_public)},
            token,
        )
    if is_owner:
        _show_archive(model, token, is_archived=is_archived)


def _show_archive(model: Json, token: str, *, is_archived: bool) -> None:
    if is_archived:
        st.caption("In the archive: not listed, no new versions, no promotions. It still answers.")
        if st.button("Take it out of the archive", icon=":material/unarchive:") and carry_out(
            lambda: model_calls.update_model(model["slug"], {"archived": False}, token), "It is in use again."
        ):
            st.query_params.pop("archived", None)
            st.rerun()
    elif st.button("Archive", icon=":material/archive:"):
        said = f"“{plain(model['title'] or model['slug'])}” is no longer listed and takes no new versions. It still answers."
        confirm(
            "Archive this model?",
            said,
            "Archive",
            lambda: model_calls.update_model(model["slug"], {"archived": True}, token),
            "It is in the archive.",
        )


def _visibility(*, is_public: bool) -> str:
    return "public" if is_public else "private"


def _save(model: Json, wanted: dict[str, Any], token: str) -> None:
    changes = {name: value for name, value in wanted.items() if value != model[name]}
    if not wanted["title"]:
        st.warning("A model needs a title.", icon=":material/edit:")
    elif not changes:
        st.caption("Nothing was changed.")
    elif carry_out(lambda: model_calls.update_model(model["slug"], changes, token), "Saved."):
        st.rerun()

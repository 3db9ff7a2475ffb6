"""Choosing a model: the address names the chosen one, so that a view can be shared and reloaded."""

import re
from collections import Counter

import streamlit as st

from api_client import Json
from quality import plain

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


def slug_asked() -> str:
    """Return the slug in the address, whether there is such a model or not; empty where there is none."""
    asked = st.query_params.get("model", "")
    return asked if _SLUG.fullmatch(asked) else ""


def choose_model(models: list[Json]) -> Json | None:
    """Let a person choose one of the models; None until they have."""
    by_slug = {model["slug"]: model for model in models}
    wanted = st.query_params.get("model")
    if wanted and wanted not in by_slug:
        st.warning(f"There is no model “{plain(wanted)}”, or it is not yours to see.", icon=":material/visibility_off:")
    labels = _labels(models)
    slugs = sorted(by_slug, key=lambda slug: labels[slug].casefold())
    slug = st.selectbox(
        "Model",
        slugs,
        index=slugs.index(wanted) if wanted in by_slug else None,
        format_func=labels.__getitem__,
        placeholder="Choose a model",
        label_visibility="collapsed",
        width=420,
    )
    if slug is None:
        return None
    if slug != wanted:
        st.query_params["model"] = slug
    return by_slug[slug]


def _labels(models: list[Json]) -> dict[str, str]:
    """Name each model by its title, and by its slug where titles are alike: the choice goes by what is read."""
    titles = {model["slug"]: model["title"] or model["slug"] for model in models}
    count = Counter(titles.values())
    return {slug: title if count[title] == 1 else f"{title} · {slug}" for slug, title in titles.items()}

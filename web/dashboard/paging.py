"""Long lists, a page at a time, as the API hands them out: each page begins behind the last id of the one before.

The address holds where the page begins, so that it survives a reload; the way back is remembered for as long as the
session lasts, and after that leads to the newest.
"""

from collections.abc import Callable

import streamlit as st

from api_client import Json

PAGE_ROWS = 20

type Fetch = Callable[[int, str | None], list[Json]]
"""Is given how many rows are wanted and the id that they are older than."""


def turned(name: str, fetch: Fetch, *, rows: int = PAGE_ROWS) -> tuple[list[Json], Callable[[], None]]:
    """Fetch the page that the address names; also return what draws the buttons that turn it, to be called below it."""
    before = st.query_params.get(name)
    found = fetch(rows + 1, before)
    page, has_more = found[:rows], len(found) > rows

    def buttons() -> None:
        if not (before or has_more):
            return
        trail = st.session_state.setdefault(f"trail_{name}", [])
        with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            st.caption(f"Page {len(trail) + 1}" if not before or trail else "Older ones")
            if st.button("Newest", icon=":material/first_page:", disabled=not before, key=f"{name}_first"):
                _go(name, None, [])
            if st.button("Newer", icon=":material/chevron_left:", disabled=not before, key=f"{name}_newer"):
                _go(name, trail[-1] if trail else None, trail[:-1])
            if st.button("Older", icon=":material/chevron_right:", disabled=not has_more, key=f"{name}_older"):
                _go(name, page[-1]["id"], [*trail, before])

    return page, buttons


def restart(name: str) -> None:
    """Go back to the newest: the list is another one now."""
    st.query_params.pop(name, None)
    st.session_state.pop(f"trail_{name}", None)


def _go(name: str, before: str | None, trail: list[str | None]) -> None:
    st.session_state[f"trail_{name}"] = trail
    if before is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = before
    st.rerun()

"""Calls about hooks: doors that webhooks come in by."""

import streamlit as st

from api_client import Json, call


@st.cache_data(ttl=5, max_entries=4, scope="session", show_spinner=False)
def list_hooks(token: str) -> list[Json]:
    """List this person's hooks, newest first."""
    return call("GET", "/api/hooks", token=token)["hooks"]


def read_hook(hook_id: str, token: str) -> Json:
    """Read one hook."""
    return call("GET", f"/api/hooks/{hook_id}", token=token)


def create_hook(wanted: Json, token: str) -> Json:
    """Open a hook; the answer holds its secret, this one time."""
    made = call("POST", "/api/hooks", token=token, json=wanted)
    list_hooks.clear()
    return made


def change_hook(hook_id: str, changes: Json, token: str) -> None:
    """Change what a hook does, or switch it off or on."""
    call("PATCH", f"/api/hooks/{hook_id}", token=token, json=changes)
    list_hooks.clear()


def delete_hook(hook_id: str, token: str) -> None:
    """Close a hook for good."""
    call("DELETE", f"/api/hooks/{hook_id}", token=token)
    list_hooks.clear()


def rotate_hook(hook_id: str, overlap_seconds: int, token: str) -> str:
    """Give a hook a new secret and return it; the one before goes on for a while."""
    return call("POST", f"/api/hooks/{hook_id}/rotate", token=token, json={"overlap_seconds": overlap_seconds})[
        "secret"
    ]


def try_payload(hook_id: str, payload: object, mapping: Json, token: str) -> Json:
    """Tell what a payload would become by this mapping. Nothing is recorded."""
    return call("POST", f"/api/hooks/{hook_id}/test", token=token, json={"payload": payload, "mapping": mapping})


def list_received(hook_id: str, token: str, limit: int, before: str | None = None) -> list[Json]:
    """List what came in, newest first."""
    params = {"limit": limit} | ({"before": before} if before else {})
    return call("GET", f"/api/hooks/{hook_id}/deliveries", token=token, params=params)["deliveries"]

"""Calls about data sets. Bytes go straight to storage, past the API's size limit."""

import hashlib
from collections.abc import Callable, Iterator

import streamlit as st

from api_client import Json, call, send

UPLOAD_SECONDS = 300
_PART_BYTES = 256 * 1024

type Tell = Callable[[float], object]
"""Is told which share of a file has gone, from 0 to 1."""


def create_dataset(content: bytes, filename: str, name: str, token: str, tell: Tell = lambda _: None) -> Json:
    """Upload a file, tell how far it is, and return the finished data set."""
    digest = hashlib.sha256(content).hexdigest()
    wanted = {"filename": filename, "size_bytes": len(content), "name": name}
    made = call("POST", "/api/datasets", token=token, json=wanted)
    upload = made["upload"]
    # Storage wants to know the length beforehand: parts without it would be sent as chunks.
    headers = {**upload["headers"], "content-length": str(len(content))}
    send(upload["method"], upload["url"], headers=headers, content=_parts(content, tell), timeout=UPLOAD_SECONDS)
    list_datasets.clear()
    return call("POST", f"/api/datasets/{made['dataset']['id']}/complete", token=token, json={"sha256": digest})


def _parts(content: bytes, tell: Tell) -> Iterator[bytes]:
    for start in range(0, len(content), _PART_BYTES):
        part = content[start : start + _PART_BYTES]
        yield part
        tell((start + len(part)) / len(content))


def take_table(wanted: Json, token: str) -> Json:
    """Take rows of a table of the database as a data set."""
    made = call("POST", "/api/datasets", token=token, json=wanted)["dataset"]
    list_datasets.clear()
    return made


@st.cache_data(ttl=10, max_entries=20, scope="session", show_spinner=False)
def list_datasets(token: str, limit: int, before: str | None = None) -> list[Json]:
    """List this person's data sets, newest first."""
    params = {"limit": limit} | ({"before": before} if before else {})
    return call("GET", "/api/datasets", token=token, params=params)["datasets"]


def read_dataset(dataset_id: str, token: str) -> Json:
    """Read about one data set."""
    return call("GET", f"/api/datasets/{dataset_id}", token=token)


def read_profile(dataset_id: str, token: str) -> Json:
    """Read what its columns hold, as far as it is known."""
    return call("GET", f"/api/datasets/{dataset_id}/profile", token=token)


def update_dataset(dataset_id: str, changes: Json, token: str) -> None:
    """Rename a data set, or correct what its columns are."""
    call("PATCH", f"/api/datasets/{dataset_id}", token=token, json=changes)
    list_datasets.clear()


def delete_dataset(dataset_id: str, token: str) -> None:
    """Delete a data set and its bytes."""
    call("DELETE", f"/api/datasets/{dataset_id}", token=token)
    list_datasets.clear()

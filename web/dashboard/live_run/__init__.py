"""The component that shows a live run: its own folder with Python, HTML, CSS and JavaScript, and nothing to install.

It is registered by content, not by an `asset_dir`: that would need a package that is installed, and Streamlit Cloud installs
what `requirements.txt` pins and nothing of this repository (.github/decisions/0019). It gets words and numbers only; what
comes in over the network is set as text.
"""

from pathlib import Path
from typing import Any

import streamlit as st

from quality import RECIPES

HERE = Path(__file__).parent
STAGES = {
    "profile": ("Data", "Looking at the data"),
    "search": ("Search", "Trying recipes"),
    "refit": ("Refit", "Training the winner on everything"),
    "calibrate": ("Calibrate", "Calibrating the probabilities"),
    "export": ("Export", "Writing the ONNX file"),
    "parity": ("Parity", "Comparing both engines"),
    "evaluate": ("Evaluate", "Judging on held-out rows"),
    "refit_all": ("All rows", "Training once more, on all rows"),
}


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


_LIVE_RUN = st.components.v2.component(
    "rowcast_live_run", html=_read("live_run.html"), css=_read("live_run.css"), js=_read("live_run.js")
)


def show(run: dict[str, Any], events: list[dict[str, Any]], ticket: dict[str, Any]) -> Any:
    """Show a run as it goes on.

    Args:
        run: The run as the API tells it.
        events: What has happened so far; the component asks for the rest itself.
        ticket: What opens the run's events to this browser for some minutes.

    Returns:
        What the browser told just now: `ended` (how the run ended), `ticket` (it needs a new one) or `lost` (it cannot connect);
        each is None otherwise.
    """
    return _LIVE_RUN(
        key=f"live_{run['id']}",
        data={
            "run_id": run["id"],
            "url": ticket["url"],
            "ticket": ticket["ticket"],
            "events": [{name: event[name] for name in ("seq", "at", "kind", "data")} for event in events],
            "recipes": RECIPES,
            "stages": {name: said for name, (_, said) in STAGES.items()},
            "short": {name: short for name, (short, _) in STAGES.items()},
        },
        on_ended_change=_nothing,
        on_ticket_change=_nothing,
        on_lost_change=_nothing,
    )


def _nothing() -> None:
    """A trigger is read from the result; Streamlit tells of none without a callback."""

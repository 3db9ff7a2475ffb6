"""A training run while it happens, and after."""

from datetime import UTC, datetime

import streamlit as st

import api_client
import charts
import session
from api_client import CallFailed, Json
from quality import plain

POLL_SECONDS = 1.0
UNFINISHED = ("queued", "running")
STAGES = {
    "profile": "Looking at the data",
    "search": "Searching",
    "refit": "Training the winner on everything",
    "calibrate": "Calibrating",
    "evaluate": "Judging on held-out rows",
    "export": "Writing the ONNX file",
    "parity": "Comparing both engines",
}
BADGES = {
    "queued": ("gray", "hourglass_empty"),
    "running": ("blue", "autorenew"),
    "succeeded": ("green", "check_circle"),
    "failed": ("red", "error"),
    "cancelled": ("orange", "cancel"),
}


def show(run_id: str) -> None:
    """Show a run; while it goes on the view renews itself and nothing else on the page does."""
    run = _follow(run_id)["run"]
    is_live = run["status"] in UNFINISHED
    st.fragment(_show_live, run_every=POLL_SECONDS if is_live else None)(run_id, is_live=is_live)


def _show_live(run_id: str, *, is_live: bool) -> None:
    try:
        seen = _follow(run_id)
    except CallFailed as error:
        st.warning(f"The run goes on; only this view is interrupted. {plain(error)}", icon=":material/cloud_off:")
        seen = st.session_state.get(f"run_{run_id}")
        if seen is None:
            return
    run = seen["run"]
    if is_live and run["status"] not in UNFINISHED:
        api_client.forget_models()
        st.rerun()
    _show_state(run, seen["events"])
    _show_trials([event["data"] for event in seen["events"] if event["kind"] == "trial"])
    _show_log(seen["events"])


def _follow(run_id: str) -> Json:
    """Read only what is new and keep the rest, so that a long run costs no more at its end than at its beginning."""
    key = f"run_{run_id}"
    seen = st.session_state.get(key, {"run": None, "events": []})
    after = seen["events"][-1]["seq"] if seen["events"] else 0
    if seen["run"] is None or seen["run"]["status"] in UNFINISHED:
        news = api_client.read_events(run_id, after, session.token() or "")
        seen = {"run": news["run"], "events": seen["events"] + news["events"]}
        st.session_state[key] = seen
    return seen


def _show_state(run: Json, events: list[Json]) -> None:
    colour, icon = BADGES[run["status"]]
    st.markdown(
        f":{colour}-badge[:material/{icon}: {run['status']}] &nbsp; **{plain(run['model'])}** predicts **{plain(run['target'])}**"
    )
    if run["status"] == "running":
        stages = [event["data"].get("stage") for event in events if event["kind"] == "stage"]
        text = plain(run["message"]) or STAGES.get(stages[-1] if stages else "", "Working")
        st.progress(min(float(run["progress"]), 1.0), text=f"{text} · {_elapsed(run)}")
        if st.button("Stop this run", icon=":material/stop_circle:", key=f"cancel_{run['id']}"):
            api_client.cancel_run(run["id"], session.token() or "")
            st.toast("The worker has been asked to stop.")
    elif run["status"] == "queued":
        st.progress(0.0, text="Waiting for a worker …")
        st.caption(
            "Runs are taken by a worker: `./rowcast up` starts one; a deployed Rowcast uses its scheduled worker."
        )
    elif run["status"] == "succeeded":
        st.success("Trained, certified and registered.", icon=":material/verified:")
        st.page_link(
            "app_pages/model.py",
            label=f"Open {plain(run['model'])}",
            icon=":material/arrow_forward:",
            query_params={"model": run["model"]},
        )
    elif run["status"] == "failed":
        st.error(plain(run["reason"] or "The run failed."), icon=":material/error:")
    else:
        st.info("The run was cancelled; nothing was written.", icon=":material/cancel:")


def _show_trials(trials: list[Json]) -> None:
    scored = [each for each in trials if each.get("score") is not None]
    if not scored:
        return
    st.altair_chart(charts.trials(scored), alt="Score of each trial, and the best so far")


def _show_log(events: list[Json]) -> None:
    lines = [f"{event['at'][11:19]}  {event['data'].get('message', event['kind'])}" for event in events]
    if lines:
        with st.expander(f"What happened ({len(lines)})", icon=":material/list:"):
            st.code("\n".join(lines[-200:]), language=None)


def _elapsed(run: Json) -> str:
    if not run["started_at"]:
        return "0 s"
    seconds = (datetime.now(UTC) - datetime.fromisoformat(run["started_at"])).total_seconds()
    return f"{max(seconds, 0):.0f} s"

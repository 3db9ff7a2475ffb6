"""A training run while it happens, and after."""

import time
from datetime import datetime

import streamlit as st

import charts
import live_run
import model_calls
import orders
import run_calls
import session
from api_client import CallFailed, Json, SignInNeeded
from quality import plain

UNFINISHED = ("queued", "running")
LOOK_SECONDS = 5.0
"""The browser is told of events as they happen; looking from here is for what it missed, such as the end."""

POLL_SECONDS = 1.0
"""Where the browser cannot connect, everything is seen from here."""

RENEW_SECONDS = 60
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
    if run["status"] in UNFINISHED:
        seconds = POLL_SECONDS if _is_lost(run_id) else LOOK_SECONDS
        st.fragment(_show_live, run_every=seconds)(run_id)
    else:
        _show_ended(run, _follow(run_id)["events"])


def _show_live(run_id: str) -> None:
    try:
        seen = _follow(run_id)
    except SignInNeeded:
        st.rerun()
    except CallFailed as error:
        st.warning(f"The run goes on; only this view is interrupted. {plain(error)}", icon=":material/cloud_off:")
        seen = st.session_state.get(f"run_{run_id}")
        if seen is None:
            return
    run = seen["run"]
    if run["status"] not in UNFINISHED:
        model_calls.forget_models()
        st.rerun()
    _show_head(run)
    ticket = _ticket(run_id)
    if ticket is None or _is_lost(run_id):
        _show_from_here(run, seen["events"])
    else:
        _show_in_browser(run, seen["events"], ticket)
    if st.button("Stop this run", icon=":material/stop_circle:", key=f"cancel_{run_id}"):
        orders.carry_out(
            lambda: run_calls.cancel_run(run_id, session.token() or ""), "The worker has been asked to stop."
        )


def _show_in_browser(run: Json, events: list[Json], ticket: Json) -> None:
    """Let the browser follow the run itself, and do what it asks for."""
    told = live_run.show(run, events, ticket)
    if told.get("ended"):
        st.rerun()
    if told.get("ticket"):
        st.session_state.pop(f"ticket_{run['id']}", None)
        st.rerun(scope="fragment")
    if told.get("lost"):
        st.session_state[f"lost_{run['id']}"] = True
        st.rerun()


def _show_from_here(run: Json, events: list[Json]) -> None:
    """Show the run without the browser's own connection, as far as it was told here."""
    st.progress(min(float(run["progress"]), 1.0), text=plain(run["message"]) or "Waiting for a worker …")
    st.caption(":material/sync: This browser cannot keep a connection to the run: the view asks every second instead.")
    _show_trials(events)
    _show_log(events)


def _is_lost(run_id: str) -> bool:
    return bool(st.session_state.get(f"lost_{run_id}"))


def _ticket(run_id: str) -> Json | None:
    """Return a ticket that is still good for a while; None where none is to be had."""
    key = f"ticket_{run_id}"
    known = st.session_state.get(key)
    if known is None or datetime.fromisoformat(known["ends_at"]).timestamp() - time.time() < RENEW_SECONDS:
        try:
            known = run_calls.create_ticket(run_id, session.token() or "")
        except CallFailed:
            return None
        st.session_state[key] = known
    return known


def _follow(run_id: str) -> Json:
    """Read only what is new and keep the rest, so that a long run costs no more at its end than at its beginning."""
    key = f"run_{run_id}"
    seen = st.session_state.get(key, {"run": None, "events": []})
    after = seen["events"][-1]["seq"] if seen["events"] else 0
    if seen["run"] is None or seen["run"]["status"] in UNFINISHED:
        news = run_calls.read_events(run_id, after, session.token() or "")
        seen = {"run": news["run"], "events": seen["events"] + news["events"]}
        st.session_state[key] = seen
    return seen


def _show_head(run: Json) -> None:
    colour, icon = BADGES[run["status"]]
    st.markdown(
        f":{colour}-badge[:material/{icon}: {run['status']}] &nbsp; **{plain(run['model'])}** predicts **{plain(run['target'])}**"
    )
    if run["status"] == "queued":
        st.caption(
            "Runs are taken by a worker: **./rowcast up** starts one; a deployed Rowcast uses its scheduled worker."
        )


def _show_ended(run: Json, events: list[Json]) -> None:
    _show_head(run)
    if run["status"] == "succeeded":
        version = f" as version {run['version']}" if run["version"] else ""
        st.success(f"Trained, certified and registered{version}.", icon=":material/verified:")
        query = {"model": run["model"]}
        label = f"Open {plain(run['model'])}"
        st.page_link("app_pages/model.py", label=label, icon=":material/arrow_forward:", query_params=query)
    elif run["status"] == "failed":
        st.error(plain(run["reason"] or "The run failed."), icon=":material/error:")
    else:
        st.info("The run was cancelled; nothing was written.", icon=":material/cancel:")
    _show_trials(events)
    _show_log(events)
    with st.expander("Options of this run", icon=":material/tune:"):
        st.json(run["options"])


def _show_trials(events: list[Json]) -> None:
    trials = [event["data"] for event in events if event["kind"] == "trial"]
    scored = [each for each in trials if each.get("score") is not None]
    if scored:
        st.altair_chart(charts.trials(scored), alt="Score of each trial, and the best so far")


def _show_log(events: list[Json]) -> None:
    told = [event for event in events if event["kind"] != "tick"]
    lines = [f"{event['at'][11:19]}  {event['data'].get('message', event['kind'])}" for event in told]
    if lines:
        with st.expander(f"What happened ({len(lines)})", icon=":material/list:"):
            st.code("\n".join(lines[-200:]), language=None)

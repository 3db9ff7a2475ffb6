"""Evidence for a promotion: the last logged rows through both versions, and what would have been answered otherwise."""

import pandas as pd
import streamlit as st

import model_calls
import session
from api_client import CallFailed, Json, SignInNeeded
from orders import carry_out
from quality import LABELS, ago, plain, precise, share, short

WAIT_SECONDS = 1.5
ROWS = (100, 500, 1000, 5000)


def show(slug: str, number: int, champion: int, token: str) -> Json | None:
    """Show the newest replay of a version against the champion, or offer one; return it once it has succeeded."""
    replays = model_calls.list_replays(slug, token)
    newest = next((each for each in replays if (each["version"], each["against"]) == (number, champion)), None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rows = st.selectbox("Of the newest logged rows", ROWS, 1, key="replay_rows", width=220)
        is_busy = newest is not None and newest["status"] in {"queued", "running"}
        label = "Replay again" if newest else f"Replay v{number} against v{champion}"
        if st.button(label, icon=":material/history:", disabled=is_busy) and carry_out(
            lambda: model_calls.start_replay(slug, number, champion, rows, token), "The replay has begun."
        ):
            st.rerun()
    if newest is None:
        st.caption("A replay sends the rows that people asked about through both versions, and counts what changes.")
        return None
    if newest["status"] == "failed":
        st.warning(plain(newest["reason"] or "The replay failed."), icon=":material/error:")
        return None
    if newest["status"] != "succeeded":
        _wait(slug, newest["id"])
        return None
    _show_result(newest)
    return newest


@st.fragment(run_every=WAIT_SECONDS)
def _wait(slug: str, replay_id: str) -> None:
    """Ask until the replay has ended, then show the page anew."""
    st.progress(0.0, text="A worker replays the rows …")
    try:
        replays = model_calls.list_replays(slug, session.token() or "")
    except SignInNeeded:
        st.rerun()
    except CallFailed as error:
        st.caption(f"Not known at the moment: {plain(error)}")
        return
    if not any(each["id"] == replay_id and each["status"] in {"queued", "running"} for each in replays):
        st.rerun()


def _show_result(replay: Json) -> None:
    result = replay["result"]
    if not result["rows"]:
        unread = f" {result['unreadable']:,} could not be read by one of the versions." if result["unreadable"] else ""
        st.info(f"There was no row to compare.{unread}", icon=":material/history:")
        return
    is_class = bool(result["changes"]) or result["flips"] > 0 or result["mean_difference"] <= 1
    with st.grid(4, min_column_width=130):
        st.metric(
            "Rows",
            f"{result['rows']:,}",
            border=True,
            help=f"Until {ago(result['until'])}" if result["until"] else None,
        )
        st.metric(
            "Answers that change", f"{result['flips']:,}", delta=None, border=True, help=share(result["flip_share"])
        )
        st.metric(
            "Become right", f"{result['gains']:,}", border=True, help=f"Of {result['actuals']:,} with known truth"
        )
        st.metric("Become wrong", f"{result['losses']:,}", border=True)
    said = [f"Replayed {ago(replay['finished_at'])}"]
    if score := result["score"]:
        name = LABELS.get(score["name"], score["name"])
        said.append(
            f"{name} {precise(score['version'])} instead of {precise(score['against'])} "
            f"(difference {score['difference']:+.3f}, 95 % interval {score['low']:+.3f} to {score['high']:+.3f})"
        )
    elif not result["actuals"]:
        said.append("no truth is known for these rows, so only changes can be counted")
    if result["unreadable"]:
        said.append(f"{result['unreadable']:,} rows that one of the versions cannot read")
    latency = result["latency"]
    said.append(f"{latency['version']['p50_ms']:.2g} ms a row instead of {latency['against']['p50_ms']:.2g} ms")
    st.caption(" · ".join(said))
    _show_changes(result, is_class=is_class)


def _show_changes(result: Json, *, is_class: bool) -> None:
    if result["changes"]:
        rows = [{"From": each["from"], "To": each["to"], "Rows": each["rows"]} for each in result["changes"]]
        st.dataframe(pd.DataFrame(rows), hide_index=True)
    elif not is_class:
        st.caption(
            f"On average {short(result['mean_difference'])} apart, at most {short(result['largest_difference'])}."
        )
    if result["examples"]:
        with st.expander("Rows that change most", icon=":material/table_rows:"):
            rows = [
                {
                    **each["row"],
                    "before": _answer(each["against"]),
                    "after": _answer(each["version"]),
                    "true": each["actual"],
                }
                for each in result["examples"]
            ]
            st.dataframe(pd.DataFrame(rows).astype("string"), hide_index=True)


def _answer(prediction: Json) -> str:
    return str(prediction.get("label", prediction.get("value", "–")))

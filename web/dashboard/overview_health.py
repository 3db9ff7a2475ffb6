"""How all models stand that somebody has a part in: what needs a look, and one line for each."""

from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

import metrics_calls
from api_client import CallFailed, Json, SignInNeeded
from health import DRIFT, alerts, error_share, live_quality
from quality import plain, share

REFRESH_SECONDS = 15
SPANS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}
MAX_ALERTS = 5


def span_asked() -> str:
    """Return the span that the address names, or the first one."""
    asked = st.query_params.get("span")
    return asked if asked in SPANS else next(iter(SPANS))


@st.fragment(run_every=REFRESH_SECONDS)
def show(token: str) -> None:
    """Show health and renew it while the page is open."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header("Health of your models", anchor=False)
        span = st.segmented_control(
            "Span",
            list(SPANS),
            format_func=SPANS.__getitem__,
            default=next(iter(SPANS)),
            required=True,
            key="span",
            bind="query-params",
            label_visibility="collapsed",
        )
    try:
        found = metrics_calls.read_overview(span, token)
    except SignInNeeded:
        st.rerun()
    except CallFailed as error:
        st.warning(f"These figures are not renewed at the moment. {plain(error)}", icon=":material/cloud_off:")
        return
    if not found["models"]:
        st.caption("You have no part in a model yet.")
        return
    _show_alerts(found["models"])
    _show_totals(found["models"])
    _show_table(found, span)


def _show_alerts(models: list[Json]) -> None:
    found = alerts(models)
    for alert in found[:MAX_ALERTS]:
        with st.container(horizontal=True, vertical_alignment="center", key=f"alert_{alert.model}_{alert.place}"):
            (st.error if alert.is_serious else st.warning)(plain(alert.text), icon=":material/notifications_active:")
            query = {"model": alert.model, "monitor_tab": alert.place}
            st.page_link("app_pages/monitor.py", label="Look", icon=":material/arrow_forward:", query_params=query)
    if len(found) > MAX_ALERTS:
        st.caption(f"… and {len(found) - MAX_ALERTS} more, in the table below.")


def _show_totals(models: list[Json]) -> None:
    asked = sum(model["requests"] + model["refused"] for model in models)
    refused = sum(model["refused"] for model in models)
    answered = sum(model["requests"] for model in models)
    slowest = max((model["latency"]["p95"] for model in models if model["latency"]), default=None)
    with st.grid(4, min_column_width=150):
        st.metric("Requests", f"{answered:,}", border=True)
        st.metric("Not answered", share(refused / asked) if asked else "–", border=True, help=f"{refused:,} requests")
        cached = sum(model["cached"] for model in models)
        st.metric("From a cache", share(cached / answered) if answered else "–", border=True)
        st.metric("Slowest p95", f"{slowest:.2g} ms" if slowest is not None else "–", border=True)


def _show_table(found: Json, span: str) -> None:
    rows = [
        {
            "model": model["model"],
            "Model": model["title"] or model["model"],
            "Requests": model["requests"],
            "Traffic": _series(found, model["series"]),
            "Errors": error_share(model),
            "p95": model["latency"]["p95"] if model["latency"] else None,
            "Drift": DRIFT[model["drift"]],
            "Right": live_quality(model),
        }
        for model in sorted(found["models"], key=lambda model: -model["requests"])
    ]
    config = st.column_config
    picked = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="health",
        placeholder="–",
        column_order=["Model", "Requests", "Traffic", "Errors", "p95", "Drift", "Right"],
        column_config={
            "Model": config.TextColumn(pinned=True),
            "Requests": config.NumberColumn(format="localized"),
            "Traffic": config.AreaChartColumn(f"Traffic, {SPANS[span]}"),
            "Errors": config.NumberColumn(
                "Not answered", format="percent", help="Share of the requests, whoever's fault it was"
            ),
            "p95": config.NumberColumn("p95 ms", format="%.2f", help="95 % of the requests were faster"),
            "Right": config.TextColumn("Live quality", help="From actuals: what turned out to be true"),
        },
    )
    st.caption("Select a row to see how that model is used.")
    if picked and picked.selection.rows:
        chosen = rows[picked.selection.rows[0]]["model"]
        st.switch_page("app_pages/monitor.py", query_params={"model": chosen})


def _series(found: Json, series: list[Json]) -> list[int]:
    """Fill in the steps in which nothing was asked."""
    counts = {datetime.fromisoformat(step["at"]): step["requests"] for step in series}
    at, until = datetime.fromisoformat(found["since"]), datetime.fromisoformat(found["until"])
    steps = []
    while at < until:
        steps.append(counts.get(at, 0))
        at += timedelta(hours=found["step_hours"])
    return steps

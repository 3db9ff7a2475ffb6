"""How one model is used, how right it is, and whether its world has moved."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import streamlit as st

import metrics_calls
import model_calls
import monitor_charts
import monitor_drift
import monitor_quality
import session
from ahead import ahead
from api_client import CallFailed, Json
from model_choice import choose_model, slug_asked
from quality import ago, plain, share

REFRESH_SECONDS = 15
SPANS = {"24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days", "90d": "Last 90 days"}
COUNT = st.column_config.NumberColumn(format="localized")


def foreseen(token: str) -> Iterator[Callable[[], Json]]:
    """Tell from the address what is going to be asked about which model."""
    slug, span = slug_asked(), st.query_params.get("span")
    if not slug:
        return
    yield lambda: metrics_calls.read_metrics(slug, span if span in SPANS else "7d", token)
    if st.query_params.get("monitor_tab") == "Drift":
        yield lambda: metrics_calls.read_drift(slug, token)
        yield lambda: metrics_calls.read_values(slug, token)


def choose(models: list[Json]) -> tuple[str, str] | None:
    """Let a person choose a model and a span, which the address names as well."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        model = choose_model(models)
    asked = st.query_params.get("span")
    span = right.segmented_control(
        "Span", list(SPANS), default=asked if asked in SPANS else "7d", required=True, label_visibility="collapsed"
    )
    if model is None:
        return None
    if span != asked:
        st.query_params["span"] = span
    return model["slug"], span


@st.fragment(run_every=REFRESH_SECONDS)
def show_use(slug: str, span: str, token: str) -> None:
    """Show traffic, latency and refusals, and renew them while the page is open."""
    try:
        metrics = metrics_calls.read_metrics(slug, span, token)
    except CallFailed as error:
        st.warning(f"These figures are not renewed at the moment. {plain(error)}", icon=":material/cloud_off:")
        return
    show_totals(metrics)
    if not metrics["series"]:
        st.info(f"Nothing was asked in this span: {SPANS[span].lower()}.", icon=":material/inbox:")
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Requests")
        st.altair_chart(monitor_charts.requests(metrics), alt="Requests over time")
    with right:
        st.header("Latency")
        st.altair_chart(monitor_charts.latency(metrics), alt="Latency over time")
    parts = metrics["parts"]
    st.caption(
        f"On average {parts['total']:.2f} ms inside the function: {parts['parse']:.2f} ms reading, {parts['infer']:.2f} ms in the "
        f"model. Counted up to {ago(metrics['counted_until'])}."
    )
    show_tables(metrics)


def show_totals(metrics: Json) -> None:
    """Say the numbers that sum everything up."""
    totals = metrics["totals"]
    refused = sum(each["count"] for each in metrics["refusals"])
    latency = totals["latency"]
    with st.grid(5, min_column_width=130):
        st.metric("Requests", f"{totals['requests']:,}", border=True)
        st.metric("Rows", f"{totals['rows']:,}", border=True)
        st.metric(
            "p50 · p95, ms",
            f"{latency['p50']:.2g} · {latency['p95']:.2g}" if latency else "–",
            border=True,
            help="Latency inside the function: half and 95 % of the requests were faster",
        )
        cached = share(totals["cached"] / totals["requests"]) if totals["requests"] else "–"
        st.metric("From a cache", cached, border=True)
        st.metric(
            "Refused", f"{refused:,}", border=True, help="Requests that did not fit the model or were not allowed"
        )


def show_tables(metrics: Json) -> None:
    """Break the requests down by version and source, and the refusals by kind."""
    versions, sources, refusals = st.columns(3, gap="large")
    with versions:
        st.markdown("**By version**")
        rows = [
            {"Version": f"v{each['version']}", "Requests": each["requests"], "p99 ms": round(each["latency"]["p99"], 2)}
            for each in metrics["versions"]
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"Requests": COUNT})
    with sources:
        st.markdown("**By source**")
        found = sorted(metrics["sources"].items(), key=lambda pair: -pair[1])
        table = pd.DataFrame(found, columns=["Source", "Requests"])
        st.dataframe(table, hide_index=True, column_config={"Requests": COUNT})
    with refusals:
        st.markdown("**Refused**")
        if metrics["refusals"]:
            rows = [{"Status": r["status"], "Why": r["code"], "Count": r["count"]} for r in metrics["refusals"]]
            st.dataframe(pd.DataFrame(rows), hide_index=True, column_config={"Count": COUNT})
        else:
            st.caption("None.")


def show(slug: str, span: str, token: str) -> None:
    """Show everything that is known about the life of a model."""
    metrics = metrics_calls.read_metrics(
        slug, span, token
    )  # here, so that a refusal ends the page and not one part of it
    use, right, world = st.tabs(["Use", "Quality", "Drift"], on_change="rerun", key="monitor_tab", bind="query-params")
    if use.open:
        with use:
            show_use(slug, span, token)
    if right.open:
        with right:
            monitor_quality.show(metrics)
    if world.open:
        with world:
            monitor_drift.show(slug, token)


account = session.current()
st.title("Monitor")
if account is None:
    st.info("How models are used is shown to those who have a part in them. Sign in first.", icon=":material/lock:")
    st.page_link("app_pages/account.py", label="Sign in", icon=":material/login:")
else:
    signed_in_as: Any = account.access_token
    with ahead(*foreseen(signed_in_as)):
        known_models = model_calls.list_models(signed_in_as)
    if not known_models:
        st.info("There are no models yet.", icon=":material/inbox:")
    elif chosen := choose(known_models):
        try:
            show(*chosen, signed_in_as)
        except CallFailed as failure:
            if failure.status != 403:  # noqa: PLR2004
                raise
            st.warning(
                "This model is public, but its use is shown to its owner, members and admins.", icon=":material/lock:"
            )
    else:
        st.caption("Choose a model to see how it is used, how right it is, and whether its world has moved.")

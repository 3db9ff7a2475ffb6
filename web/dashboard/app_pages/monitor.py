"""How one model is used, how right it is, and whether its world has moved."""

from typing import Any

import pandas as pd
import streamlit as st

import api_client
import monitor_charts
import session
from api_client import CallFailed, Json
from model_choice import choose_model
from quality import ago, plain, precise, share, short

REFRESH_SECONDS = 15
SPANS = {"24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days", "90d": "Last 90 days"}
STATES = {
    "drifted": ("red", "warning", "drifted"),
    "moved": ("orange", "trending_up", "moved"),
    "stable": ("green", "check_circle", "stable"),
    "not_enough_data": ("gray", "hourglass_empty", "not enough data"),
}
_SMALL_COUNT = 30


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
        metrics = api_client.read_metrics(slug, span, token)
    except CallFailed as error:
        st.warning(f"These figures are not renewed at the moment. {plain(error)}", icon=":material/cloud_off:")
        return
    show_totals(metrics)
    if not metrics["series"]:
        st.info(f"Nothing was asked in this span: {SPANS[span].lower()}.", icon=":material/inbox:")
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Requests")
        st.altair_chart(monitor_charts.requests(metrics["series"], metrics["step_hours"]), alt="Requests over time")
    with right:
        st.subheader("Latency")
        st.altair_chart(monitor_charts.latency(metrics["series"]), alt="Latency over time")
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
        st.metric("Middle latency", f"{latency['p50']:.2g} ms" if latency else "–", border=True)
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
        st.dataframe(pd.DataFrame(rows), hide_index=True)
    with sources:
        st.markdown("**By source**")
        found = sorted(metrics["sources"].items(), key=lambda pair: -pair[1])
        st.dataframe(pd.DataFrame(found, columns=["Source", "Requests"]), hide_index=True)
    with refusals:
        st.markdown("**Refused**")
        if metrics["refusals"]:
            rows = [{"Status": r["status"], "Why": r["code"], "Count": r["count"]} for r in metrics["refusals"]]
            st.dataframe(pd.DataFrame(rows), hide_index=True)
        else:
            st.caption("None.")


def show_quality(metrics: Json) -> None:
    """Show how right the model was, as far as the truth is known, and what it expects of itself."""
    expected = {each["version"]: each for each in metrics["expected_quality"]}
    opinions = metrics["opinions"]
    if not metrics["quality"]:
        st.info(
            "No actuals yet. Send what turned out to be true to `POST /api/feedback` with the id of the prediction, and live "
            "quality appears here.",
            icon=":material/fact_check:",
        )
    for known in metrics["quality"]:
        show_version_quality(known, expected.get(known["version"]))
    is_share = any(known["accuracy"] for known in metrics["quality"])
    name, title = ("accuracy", "Accuracy") if is_share else ("mean_absolute_error", "Mean absolute error")
    if any(step[name] for step in metrics["quality_series"]):
        newest = expected.get(metrics["quality"][0]["version"])
        own = newest["accuracy"] if newest and is_share else None
        st.altair_chart(
            monitor_charts.quality(metrics["quality_series"], name, title, own),
            alt=f"{title} over time, by prediction day",
        )
        st.caption(
            "By the day of the prediction, with 95 % intervals; the latest days fill up as their truth arrives."
            + (" Dashed: what the model's own probabilities promise." if own is not None else "")
        )
    for version, each in expected.items():
        st.caption(
            f"Estimate for v{version}, before any truth is known: **{share(each['accuracy'])}** accurate over {each['rows']:,} rows, "
            "by its own probabilities. It is as good as the calibration, and blind to relations that have changed."
        )
    if opinions["good"] or opinions["bad"]:
        st.caption(f":material/thumb_up: {opinions['good']} · :material/thumb_down: {opinions['bad']} from people")


def show_version_quality(known: Json, expected: Json | None) -> None:
    """Show the figures of one version."""
    st.markdown(f"**v{known['version']}** · {known['actuals']:,} actuals, {known['corrections']:,} corrected")
    with st.grid(4, min_column_width=150):
        if known["accuracy"]:
            delta = known["accuracy"]["value"] - expected["accuracy"] if expected else None
            st.metric(
                "Accuracy",
                share(known["accuracy"]["value"]),
                delta=f"{delta * 100:+.1f} points vs. promised" if delta is not None else None,
                border=True,
                help=f"95 % interval {share(known['accuracy']['low'])} to {share(known['accuracy']['high'])}",
            )
            st.metric("Log loss", precise(known["log_loss"]), border=True)
        else:
            error = known["mean_absolute_error"]
            st.metric(
                "Mean absolute error",
                short(error["value"]),
                border=True,
                help=f"95 % interval {short(error['low'])} to {short(error['high'])}",
            )
            st.metric("R²", precise(known["r2"]), border=True)
        if known["coverage"]:
            st.metric("Within the interval", share(known["coverage"]["value"]), border=True)
        st.metric(
            "Truth arrives after", duration(known["delay_seconds"][0]) if known["delay_seconds"] else "–", border=True
        )
    if known["actuals"] < _SMALL_COUNT:
        st.caption("Few actuals: these figures say little yet.")


def duration(seconds: float) -> str:
    """Write a length of time as people say it."""
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} seconds"


def show_world(slug: str, token: str) -> None:
    """Show whether features and predictions have moved away from training, one of them closely."""
    found = api_client.read_drift(slug, token)
    features = found["features"]
    drifted = [each for each in features if each["state"] == "drifted"]
    if drifted:
        names = ", ".join(plain(label_of(each["feature"])) for each in drifted)
        st.error(f"**{names}** moved away from what training saw, and stays away.", icon=":material/warning:")
    if not features:
        st.info(
            "Nothing has been compared yet. That is done every night, from whole days with enough rows.",
            icon=":material/hourglass_empty:",
        )
    st.caption(
        f"Each window of at least {found['min_rows']} rows is laid beside the training of v{found['version']}. The limit is set so that "
        f"all features together give {found['false_alarms_per_month']:g} false alarms a month; two windows in a row make an alarm."
    )
    show_states(features)
    values = api_client.read_values(slug, found["version"], token)["features"]
    if values:
        show_closely(values, {each["feature"]: each for each in features}, found["min_distance"])


def show_states(features: list[Json]) -> None:
    """Show each feature's state, the alarming first."""
    for each in sorted(features, key=lambda each: (rank(each), each["feature"] or "")):
        colour, icon, text = STATES[each["state"]]
        last = next((window for window in reversed(each["windows"]) if window["distance"] is not None), None)
        said = (
            f"distance {last['distance']:.3f}, limit {last['limit']:.3f}" if last else "fewer rows than a window needs"
        )
        st.markdown(
            f":{colour}-badge[:material/{icon}: {text}] **{plain(label_of(each['feature']))}** · {said} · since {ago(each['since'])}"
        )


def rank(drift: Json | None) -> int:
    """Put the alarming states first."""
    return list(STATES).index(drift["state"]) if drift else len(STATES)


def show_closely(values: list[Json], drift: dict[str | None, Json], smallest: float) -> None:
    """Lay one feature's live values beside training, and show its way there."""
    worst_first = sorted(values, key=lambda each: rank(drift.get(each["feature"])))
    by_label = {label_of(each["feature"]): each for each in worst_first}
    picked = st.selectbox("Look closely at", list(by_label), key="feature")
    feature = by_label[picked]
    left, right = st.columns(2, gap="large")
    with left:
        show_distribution(feature)
    with right:
        windows = drift.get(feature["feature"], {}).get("windows", [])
        if any(window["distance"] is not None for window in windows):
            st.altair_chart(
                monitor_charts.drift(windows, smallest), alt=f"Distance of {picked} from training over time"
            )
        else:
            st.caption("No window has enough rows yet.")
    seen = sum(day["seen"] for day in feature["days"])
    if seen:
        missing, unseen = (sum(day[name] for day in feature["days"]) for name in ("missing", "unseen"))
        st.caption(
            f"{seen:,} rows in 30 days · {share(missing / seen)} missing · {share(unseen / seen)} unknown to training or out of its range"
        )


def show_distribution(feature: Json) -> None:
    """Lay the shares of live rows beside those of training."""
    counts = [sum(cell) for cell in zip(*(day["counts"] for day in feature["days"]), strict=True)]
    total = sum(counts)
    if not total:
        st.caption("Nothing has come in for it yet.")
        return
    if feature["edges"]:
        edges = feature["edges"]
        labels = [f"< {short(edges[0])}", *(short(edge) for edge in edges[:-1]), f"> {short(edges[-1])}"]
        labels = unique(labels)
    else:
        labels = [*feature["labels"], "all others"]
    live = [count / total for count in counts]
    chart = monitor_charts.distributions(labels, feature["training"], live, is_number=bool(feature["edges"]))
    st.altair_chart(chart, alt="Shares of values in training and live")


def unique(labels: list[str]) -> list[str]:
    """Tell equal labels apart: edges that are close together are written alike."""
    seen: dict[str, int] = {}
    told = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        told.append(label + "\u200b" * (seen[label] - 1))
    return told


def label_of(feature: str | None) -> str:
    """Name a feature, or what is predicted."""
    return "Prediction" if feature is None else feature


def show(slug: str, span: str, token: str) -> None:
    """Show everything that is known about the life of a model."""
    metrics = api_client.read_metrics(slug, span, token)  # here, so that a refusal ends the page and not one part of it
    use, right, world = st.tabs(["Use", "Quality", "Drift"], on_change="rerun", key="monitor_tab")
    if use.open:
        with use:
            show_use(slug, span, token)
    if right.open:
        with right:
            show_quality(metrics)
    if world.open:
        with world:
            show_world(slug, token)


account = session.current()
st.title("Monitor")
if account is None:
    st.info("How models are used is shown to those who have a part in them. Sign in first.", icon=":material/lock:")
    st.page_link("app_pages/account.py", label="Sign in", icon=":material/login:")
else:
    signed_in_as: Any = account.access_token
    known_models = api_client.list_models(signed_in_as)
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

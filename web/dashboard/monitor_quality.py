"""How right a model is live, as far as the truth is known, and what it expects of itself before that."""

import streamlit as st

import monitor_charts
from api_client import Json
from quality import precise, share, short

_SMALL_COUNT = 30


def show(metrics: Json) -> None:
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
        _show_version(known, expected.get(known["version"]))
    is_share = any(known["accuracy"] for known in metrics["quality"])
    name, title = ("accuracy", "Accuracy") if is_share else ("mean_absolute_error", "Mean absolute error")
    if any(step[name] for step in metrics["quality_series"]):
        newest = expected.get(metrics["quality"][0]["version"])
        own = newest["accuracy"] if newest and is_share else None
        st.altair_chart(
            monitor_charts.quality(metrics, name, title, own),
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


def _show_version(known: Json, expected: Json | None) -> None:
    """Show the figures of one version."""
    st.markdown(f"**v{known['version']}** · {known['actuals']:,} actuals, {known['corrections']:,} corrected")
    with st.grid(4, min_column_width=150):
        if known["accuracy"]:
            delta = known["accuracy"]["value"] - expected["accuracy"] if expected else None
            st.metric(
                "Accuracy",
                share(known["accuracy"]["value"]),
                delta=f"{delta * 100:+.1f} points" if delta is not None else None,
                border=True,
                help=f"95 % interval {share(known['accuracy']['low'])} to {share(known['accuracy']['high'])}; below, the distance "
                "from what the model's own probabilities promise",
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
            "Truth arrives after", _duration(known["delay_seconds"][0]) if known["delay_seconds"] else "–", border=True
        )
    if known["actuals"] < _SMALL_COUNT:
        st.caption("Few actuals: these figures say little yet.")


def _duration(seconds: float) -> str:
    """Write a length of time as people say it."""
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} seconds"

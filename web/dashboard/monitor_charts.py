"""Counts over time to charts. Pure: data in, Altair chart out; colours come from the theme, so light and dark both fit."""

from math import ceil, floor, log10
from typing import Any

import altair as alt
import pandas as pd

HEIGHT = 220
ACCENT, QUIET, _WARN = "#0f9d86", "#7f888b", "#d9822b"
_DAYS = alt.Axis(
    tickCount=8,
    labelOverlap=True,
    labelExpr="timeFormat(datum.value, hours(datum.value) || minutes(datum.value) ? '%H:%M' : '%d %b')",
)
TIME = alt.X("at:T", title=None, axis=_DAYS)


def _time(data: pd.DataFrame, metrics: dict[str, Any]) -> alt.X:
    """Draw all of the span, so that what is missing at its ends is seen to be missing."""
    first, until = pd.Timestamp(metrics["since"]), pd.Timestamp(metrics["until"])
    domain = [each.isoformat() for each in (min(first, data["at"].min()), max(until, data["at"].max()))]
    return alt.X("at:T", title=None, axis=_DAYS, scale=alt.Scale(domain=domain))


def requests(metrics: dict[str, Any]) -> alt.Chart:
    """Show how much was asked in each step; a step in which nothing was asked stays empty."""
    data = timed(metrics["series"])
    data["other"] = data["requests"] - data["cached"]
    long = data.melt(["at"], ["other", "cached"], var_name="kind", value_name="count")
    long["kind"] = long["kind"].map({"other": "computed", "cached": "from a cache"})
    long["until"] = long["at"] + pd.Timedelta(hours=metrics["step_hours"])
    colours = alt.Scale(domain=["computed", "from a cache"], range=[ACCENT, "#7aa7c7"])
    return (
        alt.Chart(long)
        .mark_bar(orient="vertical")
        .encode(
            x=_time(data, metrics),
            x2="until:T",
            y=alt.Y("count:Q", title="Requests", stack="zero", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("kind:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
            tooltip=[alt.Tooltip("at:T", title="From", format="%d %b %H:%M"), "kind:N", "count:Q"],
        )
        .properties(height=HEIGHT)
    )


def latency(metrics: dict[str, Any]) -> alt.Chart:
    """Show how long the middle request and the slowest ones took; the lines break where nothing was asked."""
    data = timed([{**step, **step["latency"]} for step in metrics["series"] if step["latency"]])
    long = with_gaps(data, metrics["step_hours"]).melt(["at"], ["p50", "p95", "p99"], var_name="share", value_name="ms")
    colours = alt.Scale(domain=["p50", "p95", "p99"], range=[ACCENT, "#7aa7c7", _WARN])
    steps = _round_steps(float(long["ms"].min()), float(long["ms"].max()))
    return (
        alt.Chart(long)
        .mark_line(point=True, strokeWidth=1.8)
        .encode(
            x=_time(data, metrics),
            y=alt.Y(
                "ms:Q",
                title="Milliseconds",
                scale=alt.Scale(type="log", domain=[steps[0], steps[-1]]),
                axis=alt.Axis(values=steps, format="~g"),
            ),
            color=alt.Color("share:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
            tooltip=[
                alt.Tooltip("at:T", title="From", format="%d %b %H:%M"),
                "share:N",
                alt.Tooltip("ms:Q", format=".2f"),
            ],
        )
        .properties(height=HEIGHT)
    )


def quality(metrics: dict[str, Any], name: str, title: str, expected: float | None) -> alt.LayerChart:
    """Show a score from actuals in each step with its interval, and what the model itself expected."""
    steps = [step for step in metrics["quality_series"] if step[name]]
    data = timed([{**step, **step[name], "version": f"v{step['version']}"} for step in steps])
    by_version = data.groupby("version")
    hours = max(24, metrics["step_hours"])
    data = pd.concat([with_gaps(part, hours).assign(version=each) for each, part in by_version])
    share = name == "accuracy"
    # A score that lives between 90 and 95 % is to be read, too; below a half, all of the scale is needed.
    lowest = min(float(data["low"].min()), expected if expected is not None else 1.0)
    scale = alt.Scale(domain=[0.5 if lowest >= 0.5 else 0, 1]) if share else alt.Scale(zero=True)  # noqa: PLR2004
    base = alt.Chart(data).encode(x=_time(data, metrics))
    band = base.mark_area(opacity=0.18).encode(
        y=alt.Y("low:Q", title=title, scale=scale, axis=alt.Axis(format="%" if share else "~s")),
        y2="high:Q",
        color=alt.Color("version:N", legend=alt.Legend(title=None, orient="top")),
    )
    line = base.mark_line(point=True).encode(
        y="value:Q",
        color="version:N",
        tooltip=[
            alt.Tooltip("at:T", title="From", format="%d %b"),
            "version:N",
            alt.Tooltip("value:Q", format=".1%" if share else ".4g"),
            "actuals:Q",
        ],
    )
    layers = [band, line]
    if expected is not None:
        rule = alt.Chart(pd.DataFrame({"y": [expected]})).mark_rule(strokeDash=[5, 4])
        layers.append(rule.encode(y="y:Q", color=alt.value(QUIET)))
    return alt.layer(*layers).properties(height=HEIGHT)


def drift(windows: list[dict[str, Any]], smallest: float) -> alt.LayerChart:
    """Show how far each window was from training, beside what chance stays below."""
    data = pd.DataFrame([window for window in windows if window["distance"] is not None])
    data["at"] = pd.to_datetime(data["until"])
    data["alarm"] = data["limit"].clip(lower=smallest)
    data["state"] = data["is_beyond"].map({True: "beyond", False: "within"})
    base = alt.Chart(data).encode(x=TIME)
    limit = base.mark_line(interpolate="step-before", strokeDash=[5, 4]).encode(y="alarm:Q", color=alt.value(QUIET))
    points = base.mark_point(filled=True, size=70).encode(
        y=alt.Y("distance:Q", title="Distance from training", scale=alt.Scale(domainMin=0)),
        color=alt.Color(
            "state:N",
            scale=alt.Scale(domain=["within", "beyond"], range=[ACCENT, _WARN]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=["since:T", "until:T", "rows:Q", alt.Tooltip("distance:Q", format=".3f")],
    )
    line = base.mark_line(strokeWidth=1.2, opacity=0.5).encode(y="distance:Q", color=alt.value(ACCENT))
    return (limit + line + points).properties(height=HEIGHT)


def _round_steps(low: float, high: float) -> list[float]:
    """Name the ones, twos and fives of each power of ten that surround these amounts, for a scale by factors."""
    if low <= 0:
        low = high / 100 or 1.0
    powers = range(floor(log10(low)), ceil(log10(max(high, low))) + 1)
    steps = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    first = max((place for place, step in enumerate(steps) if step <= low), default=0)
    last = next((place for place, step in enumerate(steps) if step >= high), len(steps) - 1)
    return steps[first : max(last, first + 1) + 1]


def with_gaps(data: pd.DataFrame, step_hours: int) -> pd.DataFrame:
    """Add an empty row where steps are missing, so that no line pretends to know what was between."""
    at = data["at"].sort_values()
    step = pd.Timedelta(hours=step_hours)
    missing = at[at.diff() > 1.5 * step] - step
    return pd.concat([data, pd.DataFrame({"at": missing})]).sort_values("at")


def timed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Make a table of what was counted at each time."""
    data = pd.DataFrame(rows)
    data["at"] = pd.to_datetime(data["at"], utc=True)
    return data

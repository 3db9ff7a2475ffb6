"""Counts over time to charts. Pure: data in, Altair chart out; colours come from the theme, so light and dark both fit."""

from typing import Any

import altair as alt
import pandas as pd

HEIGHT = 220
_ACCENT, _QUIET, _WARN = "#0f9d86", "#7f888b", "#d9822b"
_TIME = alt.X("at:T", title=None, axis=alt.Axis(tickCount=8, labelOverlap=True))


def requests(series: list[dict[str, Any]], step_hours: int) -> alt.Chart:
    """Show how much was asked in each step; a step in which nothing was asked stays empty."""
    data = _timed(series)
    data["other"] = data["requests"] - data["cached"]
    long = data.melt(["at"], ["other", "cached"], var_name="kind", value_name="count")
    long["kind"] = long["kind"].map({"other": "computed", "cached": "from a cache"})
    long["until"] = long["at"] + pd.Timedelta(hours=step_hours)
    colours = alt.Scale(domain=["computed", "from a cache"], range=[_ACCENT, "#7aa7c7"])
    return (
        alt.Chart(long)
        .mark_bar(orient="vertical")
        .encode(
            x=_TIME,
            x2="until:T",
            y=alt.Y("count:Q", title="Requests", stack="zero", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color("kind:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
            tooltip=[alt.Tooltip("at:T", title="From", format="%d %b %H:%M"), "kind:N", "count:Q"],
        )
        .properties(height=HEIGHT)
    )


def latency(series: list[dict[str, Any]]) -> alt.Chart:
    """Show how long the middle request and the slowest ones took."""
    data = _timed([{**step, **step["latency"]} for step in series if step["latency"]])
    long = data.melt(["at"], ["p50", "p95", "p99"], var_name="share", value_name="ms")
    colours = alt.Scale(domain=["p50", "p95", "p99"], range=[_ACCENT, "#7aa7c7", _WARN])
    return (
        alt.Chart(long)
        .mark_line(point=True, strokeWidth=1.8)
        .encode(
            x=_TIME,
            y=alt.Y("ms:Q", title="Milliseconds", scale=alt.Scale(type="symlog", constant=0.1)),
            color=alt.Color("share:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
            tooltip=[
                alt.Tooltip("at:T", title="From", format="%d %b %H:%M"),
                "share:N",
                alt.Tooltip("ms:Q", format=".2f"),
            ],
        )
        .properties(height=HEIGHT)
    )


def quality(series: list[dict[str, Any]], name: str, title: str, expected: float | None) -> alt.LayerChart:
    """Show a score from actuals in each step with its interval, and what the model itself expected."""
    data = _timed([{**step, **step[name], "version": f"v{step['version']}"} for step in series if step[name]])
    share = name == "accuracy"
    scale = alt.Scale(domain=[0, 1]) if share else alt.Scale(zero=True)
    base = alt.Chart(data).encode(x=_TIME)
    band = base.mark_errorband(opacity=0.18).encode(
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
        layers.append(rule.encode(y="y:Q", color=alt.value(_QUIET)))
    return alt.layer(*layers).properties(height=HEIGHT)


def distributions(labels: list[str], training: list[float], live: list[float], *, is_number: bool) -> alt.Chart:
    """Lay the shares of live rows beside those of training."""
    rows = [
        {"value": label, "place": place, "seen in": name, "share": share}
        for name, shares in (("training", training), ("live", live))
        for place, (label, share) in enumerate(zip(labels, shares, strict=False))
    ]
    order = alt.Sort(labels) if is_number else alt.Sort(field="place", order="ascending")
    colours = alt.Scale(domain=["training", "live"], range=["#9aa3a6", _ACCENT])
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("value:N", sort=order, title=None, axis=alt.Axis(labelLimit=140, labelOverlap=True)),
            xOffset=alt.XOffset("seen in:N", sort=["training", "live"]),
            y=alt.Y("share:Q", title="Share of rows", axis=alt.Axis(format="%")),
            color=alt.Color("seen in:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
            tooltip=["value:N", "seen in:N", alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=HEIGHT)
    )


def drift(windows: list[dict[str, Any]], smallest: float) -> alt.LayerChart:
    """Show how far each window was from training, beside what chance stays below."""
    data = pd.DataFrame([window for window in windows if window["distance"] is not None])
    data["at"] = pd.to_datetime(data["until"])
    data["alarm"] = data["limit"].clip(lower=smallest)
    data["state"] = data["is_beyond"].map({True: "beyond", False: "within"})
    base = alt.Chart(data).encode(x=_TIME)
    limit = base.mark_line(interpolate="step-before", strokeDash=[5, 4]).encode(y="alarm:Q", color=alt.value(_QUIET))
    points = base.mark_point(filled=True, size=70).encode(
        y=alt.Y("distance:Q", title="Distance from training", scale=alt.Scale(domainMin=0)),
        color=alt.Color(
            "state:N",
            scale=alt.Scale(domain=["within", "beyond"], range=[_ACCENT, _WARN]),
            legend=alt.Legend(title=None, orient="top"),
        ),
        tooltip=["since:T", "until:T", "rows:Q", alt.Tooltip("distance:Q", format=".3f")],
    )
    line = base.mark_line(strokeWidth=1.2, opacity=0.5).encode(y="distance:Q", color=alt.value(_ACCENT))
    return (limit + line + points).properties(height=HEIGHT)


def _timed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    data = pd.DataFrame(rows)
    data["at"] = pd.to_datetime(data["at"], utc=True)
    return data

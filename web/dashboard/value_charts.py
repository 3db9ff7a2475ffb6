"""What came in and went out to charts: beside training, and day by day. Pure: data in, Altair chart out."""

from itertools import pairwise
from typing import Any

import altair as alt
import pandas as pd

from monitor_charts import ACCENT, HEIGHT, QUIET, TIME, timed, with_gaps

FEW_LABELS = 5
MOST_COLOURS = 7
_LEGEND = alt.Legend(title=None, orient="top", columns=4, labelLimit=110)
_COLOURS = ["#0f9d86", "#7aa7c7", "#c98a1f", "#9a69bd", "#4a7fc9", "#c8524a", "#6b8f3a", "#9aa3a6"]
"""One for each label, the last for all the others together."""


def distributions(labels: list[str], training: list[float], live: list[float], *, is_number: bool) -> alt.Chart:
    """Lay the shares of live rows beside those of training."""
    rows = [
        {"value": label, "place": place, "seen in": name, "share": share}
        for name, shares in (("training", training), ("live", live))
        for place, (label, share) in enumerate(zip(labels, shares, strict=False))
    ]
    order = alt.Sort(labels) if is_number else alt.Sort(field="place", order="ascending")
    colours = alt.Scale(domain=["training", "live"], range=["#9aa3a6", ACCENT])
    # Few words are read level; many would lie on each other, and numbers may be left out where they are crowded.
    is_level = is_number or len(labels) <= FEW_LABELS
    words = alt.Axis(labelLimit=90 if is_level else 140, labelOverlap=is_number, labelAngle=0 if is_level else -40)
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("value:N", sort=order, title=None, axis=words),
            xOffset=alt.XOffset("seen in:N", sort=["training", "live"]),
            y=alt.Y("share:Q", title="Share of rows", axis=alt.Axis(format="%")),
            color=alt.Color("seen in:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
            tooltip=["value:N", "seen in:N", alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=HEIGHT)
    )


def mix(labels: list[str], days: list[dict[str, Any]]) -> alt.Chart:
    """Show each day's shares of the most frequent values; a day without rows stays empty."""
    totals = [sum(cell) for cell in zip(*(day["counts"] for day in days), strict=True)]
    frequent = sorted(range(len(labels)), key=lambda place: -totals[place])[:MOST_COLOURS]
    named = [labels[place] for place in sorted(frequent) if totals[place]]
    rest = "others" if any(totals[place] for place in range(len(labels)) if labels[place] not in named) else None
    rows = [
        {"at": day["day"], "value": value, "share": count / sum(day["counts"]), "place": place}
        for day in days
        if sum(day["counts"])
        for place, (value, count) in enumerate(_shown(day["counts"], labels, named, rest))
    ]
    data = timed(rows)
    data["until"] = data["at"] + pd.Timedelta(days=1)
    shown = [*named, *([rest] if rest else [])]
    colours = alt.Scale(domain=shown, range=[*_COLOURS[: len(named)], _COLOURS[-1]][: len(shown)])
    return (
        alt.Chart(data)
        .mark_bar(orient="vertical", binSpacing=1)
        .encode(
            x=TIME,
            x2="until:T",
            y=alt.Y(
                "share:Q", title="Share of rows", stack="zero", axis=alt.Axis(format="%"), scale={"domain": [0, 1]}
            ),
            color=alt.Color("value:N", scale=colours, sort=shown, legend=_LEGEND),
            order=alt.Order("place:Q"),
            tooltip=[alt.Tooltip("at:T", title="Day", format="%d %b"), "value:N", alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=HEIGHT)
    )


def _shown(counts: list[int], labels: list[str], named: list[str], rest: str | None) -> list[tuple[str, int]]:
    """Keep what has a colour of its own, and add up the others."""
    held = dict(zip(labels, counts, strict=True))
    kept = [(value, held[value]) for value in named]
    return [*kept, (rest, sum(counts) - sum(count for _, count in kept))] if rest else kept


def spread(edges: list[float], days: list[dict[str, Any]]) -> alt.LayerChart:
    """Show each day's middle value and the span of four fifths of the rows; the lines break where there were none."""
    rows = [
        {"at": day["day"], **dict(zip(("low", "middle", "high"), _quantiles(edges, day["counts"]), strict=True))}
        for day in days
        if sum(day["counts"])
    ]
    base = alt.Chart(with_gaps(timed(rows), 24)).encode(x=TIME)
    band = base.mark_area(opacity=0.18).encode(
        y=alt.Y("low:Q", title="Value", scale=alt.Scale(zero=False, domain=[edges[0], edges[-1]])),
        y2="high:Q",
        color=alt.value(ACCENT),
    )
    line = base.mark_line(point=alt.OverlayMarkDef(color=ACCENT), strokeWidth=1.8).encode(
        y="middle:Q",
        color=alt.value(ACCENT),
        tooltip=[
            alt.Tooltip("at:T", title="Day", format="%d %b"),
            *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("low", "middle", "high")),
        ],
    )
    ends = alt.Chart(pd.DataFrame({"y": [edges[0], edges[-1]]})).mark_rule(strokeDash=[4, 4])
    return (band + line + ends.encode(y="y:Q", color=alt.value(QUIET))).properties(height=HEIGHT)


def _quantiles(edges: list[float], counts: list[int]) -> list[float]:
    """Read the tenth, the half and nine tenths off a histogram; what lies outside of it is put at its ends."""
    places = [(edges[0], edges[0]), *pairwise(edges), (edges[-1], edges[-1])]
    found, wanted, passed, whole = [], [0.1, 0.5, 0.9], 0, sum(counts)
    for (low, high), count in zip(places, counts, strict=True):
        while wanted and passed + count >= wanted[0] * whole:
            inside = (wanted.pop(0) * whole - passed) / count if count else 0.0
            found.append(low + inside * (high - low))
        passed += count
    return found

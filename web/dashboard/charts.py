"""Numbers to charts. Pure: data in, Altair chart out; colours come from the theme, so light and dark both fit."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from quality import LABELS, RECIPES, precise, recipe_label, share

ROW_HEIGHT = 30
_QUANTILES = (0, 5, 25, 50, 75, 95, 100)
_ACCENT = alt.value("#0f9d86")
_QUIET = alt.value("#7f888b")
_RECIPE_COLOURS = ["#8a9295", "#4a7fc9", "#0f9d86", "#c98a1f", "#9a69bd"]
"""In the order of `RECIPES`; the live view has the same."""


def error_removed(rows: list[dict[str, Any]]) -> alt.LayerChart:
    """Show for each model which share of the baseline's error it removes."""
    data = pd.DataFrame([{**row, "text": share(row["error_removed"])} for row in rows])
    lowest = min(0.0, float(data["error_removed"].min()))
    base = alt.Chart(data).encode(
        y=alt.Y("title:N", sort="-x", title=None, axis=alt.Axis(labelLimit=240)),
        x=alt.X(
            "error_removed:Q",
            title=None,
            scale=alt.Scale(domain=[lowest, 1.12]),  # room for the number behind a full bar
            axis=alt.Axis(format="%", values=[each / 4 for each in range(-4, 5) if each / 4 >= lowest]),
        ),
        tooltip=[
            alt.Tooltip("title:N", title="Model"),
            alt.Tooltip("error_removed:Q", title="Error removed", format=".1%"),
        ],
    )
    bars = base.mark_bar(cornerRadiusEnd=4, height=16).encode(color=_ACCENT)
    numbers = base.mark_text(align="left", dx=6).encode(text="text:N", color=_QUIET)
    return (bars + numbers).properties(height=alt.Step(ROW_HEIGHT))


def leaderboard(candidates: list[dict[str, Any]], score_name: str, *, better: str) -> alt.Chart:
    """Show every candidate of each recipe, the best recipe on top; the chosen one and the baseline stand out."""
    data = pd.DataFrame(candidates)
    data["kind"] = np.select([data["chosen"], data["recipe"] == "baseline"], ["chosen", "baseline"], "tried")
    best = data.groupby("recipe")["score"].agg("min" if better == "lower" else "max")
    best = best.sort_values(ascending=better == "lower")
    data["label"] = [f"{recipe_label(recipe)}  {precise(best[recipe])}" for recipe in data["recipe"]]
    order = [f"{recipe_label(recipe)}  {precise(score)}" for recipe, score in best.items()]
    colours = alt.Scale(domain=["chosen", "tried", "baseline"], range=["#0f9d86", "#7aa7c7", "#9aa3a6"])
    title = f"{LABELS.get(score_name, score_name)}, cross-validated ({better} is better)"
    return (
        alt.Chart(data.sort_values("chosen"))
        .mark_point(filled=True, size=110, opacity=0.85)
        .encode(
            y=alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=240)),
            x=alt.X("score:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6)),
            color=alt.Color("kind:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
            tooltip=["label:N", alt.Tooltip("score:Q", format=".4f"), alt.Tooltip("seconds:Q", format=".1f"), "kind:N"],
        )
        .properties(height=alt.Step(ROW_HEIGHT + 4))
    )


def importance(rows: list[dict[str, Any]], count: int = 15) -> alt.LayerChart:
    """Show how much the score suffers when one column is shuffled."""
    data = pd.DataFrame(rows).nlargest(count, "mean")
    data["low"], data["high"] = data["mean"] - data["deviation"], data["mean"] + data["deviation"]
    base = alt.Chart(data).encode(y=alt.Y("feature:N", sort="-x", title=None, axis=alt.Axis(labelLimit=220)))
    bars = base.mark_bar(cornerRadiusEnd=4, height=14).encode(
        x=alt.X("mean:Q", title="Loss of score when shuffled"),
        color=_ACCENT,
        tooltip=["feature:N", alt.Tooltip("mean:Q", format=".4f"), alt.Tooltip("deviation:Q", format=".4f")],
    )
    return (bars + base.mark_rule(strokeWidth=1.5).encode(x="low:Q", x2="high:Q", color=_QUIET)).properties(
        height=alt.Step(ROW_HEIGHT - 4)
    )


def confusion(matrix: list[list[int]], classes: list[str]) -> alt.LayerChart:
    """Show what held-out rows of each true class were taken for; shades are shares of the true class."""
    cells = [
        {"truth": classes[i], "predicted": classes[j], "rows": count, "share": count / max(sum(row), 1)}
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
    ]
    base = alt.Chart(pd.DataFrame(cells)).encode(
        x=alt.X(
            "predicted:N", sort=classes, title="Predicted", axis=alt.Axis(labelAngle=0, orient="top", labelLimit=120)
        ),
        y=alt.Y("truth:N", sort=classes, title="True", axis=alt.Axis(labelLimit=120)),
        tooltip=["truth:N", "predicted:N", "rows:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    shades = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=["#0f9d8614", "#0f9d86"]))
    )
    dark = alt.value("white")
    numbers = base.mark_text(fontSize=14, fontWeight=600).encode(
        text="rows:Q", color=alt.condition("datum.share > 0.5", dark, _QUIET)
    )
    return (shades + numbers).properties(height=alt.Step(56))


def reliability(bins: list[dict[str, Any]]) -> alt.LayerChart:
    """Show how often what was predicted with a probability came true; the diagonal is perfect."""
    unit = alt.Scale(domain=[0, 1])
    line = (
        alt.Chart(pd.DataFrame({"x": [0, 1], "y": [0, 1]}))
        .mark_line(strokeDash=[4, 4])
        .encode(x=alt.X("x:Q", scale=unit), y="y:Q", color=_QUIET)
    )
    base = alt.Chart(pd.DataFrame(bins)).encode(
        x=alt.X("predicted:Q", title="Predicted probability", scale=unit, axis=alt.Axis(format="%")),
        y=alt.Y("observed:Q", title="Came true", scale=unit, axis=alt.Axis(format="%")),
        color=_ACCENT,
    )
    # A point is as large as its bin: what few rows say is not to be read as a fault.
    points = base.mark_point(filled=True, opacity=0.85).encode(
        size=alt.Size("count:Q", legend=None, scale=alt.Scale(range=[30, 320])),
        tooltip=[alt.Tooltip("predicted:Q", format=".1%"), alt.Tooltip("observed:Q", format=".1%"), "count:Q"],
    )
    lines = base.mark_line(strokeWidth=1.2, opacity=0.5)
    return (line + lines + points).properties(height=280)


def residuals(quantiles: list[float]) -> alt.LayerChart:
    """Show how far predictions of an amount were off: all rows, the middle 90 % and the middle half."""
    at = dict(zip(_QUANTILES, quantiles, strict=True))
    spans = pd.DataFrame(
        [
            {"span": "All rows", "from": at[0], "to": at[100]},
            {"span": "Middle 90 %", "from": at[5], "to": at[95]},
            {"span": "Middle half", "from": at[25], "to": at[75]},
        ]
    )
    bars = (
        alt.Chart(spans)
        .mark_bar(cornerRadius=4, height=18)
        .encode(
            y=alt.Y("span:N", sort=["All rows", "Middle 90 %", "Middle half"], title=None),
            x=alt.X("from:Q", title="True value minus prediction"),
            x2="to:Q",
            opacity=alt.Opacity(
                "span:N", scale=alt.Scale(domain=list(spans["span"]), range=[0.3, 0.6, 1]), legend=None
            ),
            color=_ACCENT,
            tooltip=["span:N", alt.Tooltip("from:Q", format=",.3g"), alt.Tooltip("to:Q", format=",.3g")],
        )
    )
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(strokeDash=[4, 4]).encode(x="x:Q", color=_QUIET)
    return (bars + zero).properties(height=alt.Step(ROW_HEIGHT + 6))


def trials(events: list[dict[str, Any]]) -> alt.LayerChart:
    """Show each trial of a search as it came in, and the best so far; hopeless trials lie on the edge of the scale."""
    data = pd.DataFrame([{**each, "label": recipe_label(str(each.get("recipe", "")))} for each in events])
    told = data.loc[data["recipe"] != "baseline", "score"] if (data["recipe"] != "baseline").any() else data["score"]
    is_lower = bool((data["best"] <= told.min()).iloc[-1])
    domain = [told.min(), told.quantile(0.9)] if is_lower else [told.quantile(0.1), told.max()]
    scale = alt.Scale(domain=domain, zero=False, padding=12, clamp=True)
    colours = alt.Scale(domain=list(RECIPES.values()), range=_RECIPE_COLOURS)
    base = alt.Chart(data).encode(x=alt.X("trial:Q", title="Trial", axis=alt.Axis(tickMinStep=1, format="d")))
    points = base.mark_point(filled=True, size=60, opacity=0.85).encode(
        y=alt.Y("score:Q", title="Score", scale=scale),
        # In two columns: side by side, the names are wider than a phone.
        color=alt.Color("label:N", scale=colours, legend=alt.Legend(title=None, orient="top", columns=2)),
        tooltip=["trial:Q", "label:N", alt.Tooltip("score:Q", format=".4f")],
    )
    best = base.mark_line(interpolate="step-after", strokeWidth=2).encode(y=alt.Y("best:Q", scale=scale), color=_ACCENT)
    return (best + points).properties(height=260)


def column(facts: dict[str, Any]) -> alt.Chart:
    """Show how the values of one column are spread: a histogram, or the most frequent ones."""
    if facts["histogram"]:
        edges, counts = facts["histogram"]["edges"], facts["histogram"]["counts"]
        data = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "rows": counts})
        is_date = isinstance(edges[0], str)
        kind, form = ("T", "%d %b %Y") if is_date else ("Q", ",.4~g")
        if is_date:
            data["from"], data["to"] = pd.to_datetime(data["from"]), pd.to_datetime(data["to"])
        return (
            alt.Chart(data)
            .mark_bar(cornerRadiusEnd=2, orient="vertical", binSpacing=1)
            .encode(
                x=alt.X(f"from:{kind}", title=None, axis=alt.Axis(tickCount=6), scale=alt.Scale(zero=False)),
                x2="to",
                y=alt.Y("rows:Q", title="Rows"),
                color=_ACCENT,
                tooltip=[alt.Tooltip(f"from:{kind}", format=form), alt.Tooltip(f"to:{kind}", format=form), "rows:Q"],
            )
            .properties(height=260)
        )
    data = pd.DataFrame([{"value": str(each["value"]), "rows": each["count"]} for each in facts["top"]])
    data = data if len(data) else pd.DataFrame({"value": [], "rows": []})
    return (
        alt.Chart(data)
        .mark_bar(cornerRadiusEnd=4, height=16)
        .encode(
            y=alt.Y("value:N", sort="-x", title=None, axis=alt.Axis(labelLimit=200)),
            x=alt.X("rows:Q", title="Rows", axis=alt.Axis(tickMinStep=1, tickCount=5)),
            color=_ACCENT,
            tooltip=["value:N", "rows:Q"],
        )
        .properties(height=alt.Step(ROW_HEIGHT - 4))
    )


def compared(score: dict[str, Any], a: str, b: str) -> alt.LayerChart:
    """Show one score of two versions with its 95 % intervals."""
    data = pd.DataFrame(
        [{"version": name, **score[side]} for side, name in (("a", a), ("b", b)) if score[side] is not None]
    )
    colours = alt.Scale(domain=[a, b], range=["#7aa7c7", "#0f9d86"])
    base = alt.Chart(data).encode(
        y=alt.Y("version:N", title=None, sort=[a, b]), color=alt.Color("version:N", scale=colours, legend=None)
    )
    rules = base.mark_rule(strokeWidth=3, opacity=0.55).encode(
        x=alt.X("low:Q", title=None, scale=alt.Scale(zero=False, padding=14), axis=alt.Axis(tickCount=4)), x2="high:Q"
    )
    points = base.mark_point(filled=True, size=110).encode(
        x="value:Q",
        tooltip=["version:N", *(alt.Tooltip(f"{name}:Q", format=".4f") for name in ("value", "low", "high"))],
    )
    return (rules + points).properties(height=alt.Step(ROW_HEIGHT), title=LABELS.get(score["name"], score["name"]))

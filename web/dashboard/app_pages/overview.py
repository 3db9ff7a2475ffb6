"""All models at a glance: how good, which version, since when."""

from typing import Any

import pandas as pd
import streamlit as st

import charts
import metrics_calls
import model_calls
import overview_health
import session
from ahead import ahead
from api_client import Json
from quality import TASKS, Score, ago, plain, precise, scores, share

# Above this many models a table reads better than cards, and the chart shows the best ones only.
MANY = 12


def read_rows(models: list[Json]) -> list[dict[str, Any]]:
    """Put one line together for each model."""
    rows = []
    for model in models:
        champion = model["champion"]
        score: Score | None = scores(champion["metrics"], champion["baseline"])[0] if champion else None
        rows.append(
            {
                "slug": model["slug"],
                "title": model["title"] or model["slug"],
                "task": TASKS.get(model["task"], model["task"]),
                "target": model["target"],
                "score": f"{score.label} {precise(score.value)}" if score else "no champion yet",
                "baseline": precise(score.baseline) if score else "–",
                "error_removed": score.error_removed if score else None,
                "version": champion["number"] if champion else None,
                "rows": champion["rows"] if champion else None,
                "updated": ago(champion["created_at"]) if champion else "–",
                "visibility": model["visibility"],
            }
        )
    return sorted(rows, key=lambda row: row["title"].casefold())


def show_totals(rows: list[dict[str, Any]]) -> None:
    """Say the few numbers that sum everything up."""
    better = sum((row["error_removed"] or 0) > 0 for row in rows)
    in_service = sum(row["version"] is not None for row in rows)
    with st.grid(4, min_column_width=150):
        st.metric("Models", len(rows), border=True)
        st.metric("In service", in_service, border=True, help="With a champion that answers predictions")
        st.metric("Better than the baseline", f"{better} of {len(rows)}", border=True)
        st.metric("Rows learned from", f"{sum(row['rows'] or 0 for row in rows):,}", border=True)


def show_cards(rows: list[dict[str, Any]]) -> None:
    """Show each model on a card of its own."""
    with st.grid(3, min_column_width=260, border=True) as grid:
        for row in rows:
            with grid.cell():
                show_card(row)


def show_card(row: dict[str, Any]) -> None:
    """Show what matters about one model."""
    link = {"label": f"**{plain(row['title'])}**", "icon": ":material/arrow_forward:", "icon_position": "right"}
    st.page_link("app_pages/model.py", **link, width="stretch", query_params={"model": row["slug"]})
    st.caption(f"{row['task']}: {plain(row['target'])}")
    removed = row["error_removed"]
    if removed is None:
        st.caption("No champion yet: the first version that passes its certificate becomes one.")
        return
    st.progress(min(max(removed, 0.0), 1.0), text=f"**{share(removed)}** of the baseline's error removed")
    st.caption(f"{row['score']} · baseline {row['baseline']}")
    version = f"v{row['version']}" if row["version"] else "bundled"
    st.caption(f"{version} · {row['rows']:,} rows · {row['visibility']} · {row['updated']}")


COLUMNS = {
    "title": st.column_config.TextColumn("Model", pinned=True),
    "task": "Task",
    "target": "Predicts",
    "error_removed": st.column_config.ProgressColumn(
        "Error removed",
        help="Share of the baseline's error that the model removes",
        format="percent",
        min_value=0,
        max_value=1,
    ),
    "score": "Held-out score",
    "baseline": "Baseline",
    "version": st.column_config.NumberColumn("Version", format="v%d"),
    "rows": st.column_config.NumberColumn("Rows", format="localized"),
    "updated": "Updated",
    "visibility": "Visibility",
}


def show_table(rows: list[dict[str, Any]]) -> None:
    """List the models; a row leads to its page."""
    picked = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="models",
        column_order=list(COLUMNS),
        column_config=COLUMNS,
    )
    if picked and picked.selection.rows:
        st.switch_page("app_pages/model.py", query_params={"model": rows[picked.selection.rows[0]]["slug"]})


def show_empty(is_signed_in: bool) -> None:  # noqa: FBT001  one caller, one meaning
    """Say what to do when there is nothing to show."""
    with st.container(border=True):
        st.header("No models yet")
        if is_signed_in:
            st.write("Bring a CSV: Rowcast trains, certifies and serves a model of it.")
            st.page_link("app_pages/train.py", label="Train the first model", icon=":material/model_training:")
        else:
            st.write("Nothing has been published here. Sign in to see models of your own and to train new ones.")
            st.page_link("app_pages/account.py", label="Sign in", icon=":material/login:")


def show_chart(rows: list[dict[str, Any]]) -> None:
    """Show which models help most."""
    judged = sorted((row for row in rows if row["error_removed"] is not None), key=lambda row: -row["error_removed"])
    if not judged:
        return
    st.header("Better than guessing, by how much")
    st.caption(
        "Share of the baseline's error that each champion removes. The baseline always gives one answer: the most frequent, or the mean."
    )
    st.altair_chart(charts.error_removed(judged[:MANY]), alt="Bar chart of error removed by model")


token = session.token()
st.title("Overview")
span = overview_health.span_asked()
health = [lambda: metrics_calls.read_overview(span, token)] if token else []
with st.spinner("Reading the registry …", show_time=True), ahead(*health):
    found = read_rows(model_calls.list_models(token))
if not found:
    show_empty(token is not None)
else:
    st.caption(
        "Every model you may see, judged on rows it never saw in training."
        + ("" if token else " Sign in to see your own, too.")
    )
    if token:
        overview_health.show(token)
    st.header("Models")
    show_totals(found)
    if len(found) > MANY:
        show_table(found)
    else:
        show_cards(found)
    show_chart(found)

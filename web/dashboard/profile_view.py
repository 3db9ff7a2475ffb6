"""The profile of a data set: what each column is and why, with a small chart, and what is doubtful. Corrections are made in it."""

import pandas as pd
import streamlit as st

import dataset_calls
from api_client import Json
from orders import carry_out
from quality import plain, share, short

TYPES = {
    "number": "number",
    "number:decimal_comma": "number, decimal comma",
    "number:thousands_comma": "number, thousands comma",
    "integer": "whole number",
    "boolean": "yes or no",
    "category": "category",
    "date": "date",
    "date:day_first": "date, day first",
    "date:month_first": "date, month first",
    "text": "text",
    "id": "id",
}
_ICONS = {"leakage_suspect": "report", "leakage_name": "report"}


def show(dataset: Json, found: Json, token: str) -> None:
    """Show everything that is known about the columns of a data set."""
    profile = found["profile"]
    _show_totals(dataset, profile)
    _show_warnings(profile["warnings"])
    _show_columns(dataset["id"], profile, found["corrections"], token)
    _show_closely(profile["columns"])
    with st.expander("First rows", icon=":material/table_rows:"):
        names = [column["name"] for column in profile["columns"]]
        st.dataframe(pd.DataFrame(profile["preview"], columns=names).astype("string"), hide_index=True)


def _show_totals(dataset: Json, profile: Json) -> None:
    used = sum(column["used"] for column in profile["columns"])
    cells = profile["rows"] * len(profile["columns"])
    missing = sum(column["missing"] for column in profile["columns"])
    with st.grid(4, min_column_width=130):
        st.metric("Rows", f"{profile['rows']:,}", border=True)
        st.metric("Columns in use", f"{used} of {len(profile['columns'])}", border=True)
        st.metric("Missing", share(missing / cells) if cells else "–", border=True, help="Of all cells")
        st.metric("Size", f"{(dataset['size_bytes'] or 0) / 1024:,.0f} KiB", border=True)
    if profile["sampled_rows"] < profile["rows"]:
        st.caption(
            f"Charts and quantiles rest on a fair sample of {profile['sampled_rows']:,} rows; counts on all of them."
        )


def _show_warnings(warnings: list[Json]) -> None:
    if not warnings:
        st.caption(":material/check_circle: Nothing doubtful was found.")
        return
    with st.expander(f"What is doubtful ({len(warnings)})", expanded=True, icon=":material/warning:"):
        for each in warnings:
            st.markdown(f":material/{_ICONS.get(each['code'], 'chevron_right')}: {plain(each['detail'])}")


def _show_columns(dataset_id: str, profile: Json, corrections: Json, token: str) -> None:
    """List the columns; type and use can be corrected in place."""
    st.header("Columns")
    st.caption(
        "Change a type, or leave a column out, and save. The file stays as it is; training goes by the corrections."
    )
    table = pd.DataFrame([_row(column, corrections) for column in profile["columns"]])
    config = st.column_config
    # Its own key for each state of the corrections: an editor keeps what was typed by position.
    edited = st.data_editor(
        table,
        hide_index=True,
        key=f"columns_{dataset_id}_{hash(str(corrections))}",
        disabled=["Column", "Distribution", "Missing", "Distinct", "Why"],
        column_config={
            "Column": config.TextColumn(pinned=True),
            "Type": config.SelectboxColumn(
                width="medium", options=list(TYPES), format_func=lambda kind: TYPES.get(kind, kind), required=True
            ),
            "Leave out": config.CheckboxColumn(),
            "Distribution": config.BarChartColumn(
                y_min=0, help="Numbers and dates: twenty bins. Others: the most frequent values"
            ),
            "Missing": config.ProgressColumn(format="percent", min_value=0, max_value=1),
            "Distinct": config.NumberColumn(format="localized"),
            "Why": config.TextColumn("Why this type", width="large"),
        },
    )
    wanted = changes(profile["columns"], corrections, edited)
    with st.container(horizontal=True, vertical_alignment="center"):
        is_sent = st.button("Save corrections", type="primary", icon=":material/save:", disabled=not wanted)
        if corrections["types"] or corrections["drop"]:
            is_undone = st.button("Undo all corrections", icon=":material/undo:", type="tertiary")
            wanted = {"types": {}, "drop": []} if is_undone else wanted
            is_sent = is_sent or is_undone
    if is_sent and carry_out(
        lambda: dataset_calls.update_dataset(dataset_id, wanted, token), "Saved. A new profile is made."
    ):
        st.rerun()


def _row(column: Json, corrections: Json) -> Json:
    histogram = column["histogram"]
    counts = histogram["counts"] if histogram else [each["count"] for each in column["top"]]
    why = column["reason"] or column["evidence"]
    return {
        "Column": column["name"],
        "Type": corrections["types"].get(column["name"], column["type"]),
        "Leave out": column["name"] in corrections["drop"],
        "Distribution": counts,
        "Missing": column["missing_share"],
        "Distinct": column["distinct"],
        "Why": why if column["used"] else f"Not used: {why}",
    }


def changes(columns: list[Json], corrections: Json, edited: pd.DataFrame) -> Json:
    """Tell which corrections the edited table asks for; empty where it asks for those that are there."""
    types = dict(corrections["types"])
    for column, kind in zip(columns, edited["Type"], strict=True):
        if kind == column["detected"]:
            types.pop(column["name"], None)
        elif kind != column["type"]:
            types[column["name"]] = kind
    drop = [column["name"] for column, is_out in zip(columns, edited["Leave out"], strict=True) if is_out]
    wanted = {"types": types, "drop": drop}
    return {} if types == corrections["types"] and set(drop) == set(corrections["drop"]) else wanted


def _show_closely(columns: list[Json]) -> None:
    """Show one column with its evidence, its range and its most frequent values."""
    import charts

    st.header("Look closely")
    by_name = {column["name"]: column for column in columns}
    name = st.selectbox(
        "Column", list(by_name), key="column", bind="query-params", label_visibility="collapsed", width=420
    )
    column = by_name[name]
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.altair_chart(charts.column(column), alt=f"Distribution of {name}")
    with right:
        st.markdown(f"**{plain(TYPES.get(column['type'], column['type']))}** · {plain(column['evidence'])}")
        facts = [f"{column['distinct']:,} distinct", f"{share(column['missing_share'])} missing"]
        if column["minimum"] is not None:
            facts.append(f"{_written(column['minimum'])} to {_written(column['maximum'])}")
        if column["mean"] is not None:
            facts.append(f"mean {short(column['mean'])}")
        st.caption(" · ".join(plain(fact) for fact in facts))
        for warning in column["warnings"]:
            st.markdown(f":orange[:material/warning:] {plain(warning['detail'])}")
        top = [{"Value": str(each["value"]), "Rows": each["count"]} for each in column["top"]]
        st.dataframe(pd.DataFrame(top, columns=["Value", "Rows"]), hide_index=True)


def _written(value: float | str) -> str:
    return value if isinstance(value, str) else short(value)

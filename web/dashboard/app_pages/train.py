"""Bring a table or choose one, say what to predict, watch it being trained."""

import pandas as pd
import streamlit as st

import access
import dataset_calls
import paging
import run_calls
import run_form
import run_view
from api_client import CallFailed, Json
from quality import ago, plain
from run_form import Source
from upload import ENDINGS, NotATable, name_of, preview, slug_of

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
CHOICES = 50
"""Data sets to choose from here; the others are reached by the page Data."""


def show_source(token: str) -> None:
    """Take a file, or a data set that is here already, and ask what to make of it."""
    if dataset_id := st.query_params.get("dataset"):
        show_known(dataset_id, token)
        return
    from_file, from_here = st.tabs(["Upload a file", "Choose a data set"])
    with from_file:
        show_upload(token)
    with from_here:
        choose(token)


def choose(token: str) -> None:
    """Let somebody choose one of the newest data sets."""
    ready = [each for each in dataset_calls.list_datasets(token, CHOICES) if each["status"] == "ready"]
    if not ready:
        st.caption("There are none yet.")
        return
    by_id = {each["id"]: f"{each['name']} · {each['rows'] or '?'} rows · {ago(each['created_at'])}" for each in ready}
    chosen = st.selectbox("Data set", list(by_id), index=None, format_func=by_id.__getitem__, placeholder="Choose one")
    if chosen:
        st.query_params["dataset"] = chosen
        st.rerun()


def show_known(dataset_id: str, token: str) -> None:
    """Ask what to make of a data set that is here already."""
    dataset = dataset_calls.read_dataset(dataset_id, token)
    profile = dataset_calls.read_profile(dataset_id, token)
    with st.container(horizontal=True, vertical_alignment="center"):
        rows = f"{dataset['rows']:,} rows" if dataset["rows"] else "not read yet"
        st.markdown(f":material/dataset: **{plain(dataset['name'])}** · {rows}")
        query = {"dataset": dataset_id}
        st.page_link("app_pages/data.py", label="Profile", icon=":material/query_stats:", query_params=query)
        if st.button("Another table", icon=":material/swap_horiz:", type="tertiary"):
            st.query_params.clear()
            st.rerun()
    if profile["profile"] is None:
        st.info("Its columns are not known yet: a worker is reading it.", icon=":material/hourglass_empty:")
        if st.button("Look again", icon=":material/refresh:"):
            st.rerun()
        return
    columns = [column["name"] for column in profile["profile"]["columns"]]
    unused = [
        column["name"] for column in profile["profile"]["columns"] if column["name"] in profile["corrections"]["drop"]
    ]
    wanted = run_form.ask(Source(dataset["name"], slug_of(dataset["name"]), columns, unused))
    if wanted is not None:
        start({"dataset_id": dataset_id, **wanted}, token)


def show_upload(token: str) -> None:
    """Take a file and show its first rows; then ask what to make of it."""
    file = st.file_uploader(
        "CSV, TSV or Parquet with a header line, plain or packed with gzip, at most 50 MB",
        type=list(ENDINGS),
        key="file",
    )
    if file is None:
        st.caption(
            "One row per thing, one column per fact, one of them the answer to predict. Nothing is executed, only read."
        )
        return
    content = file.getvalue()
    try:
        table = preview(content)
    except NotATable as error:
        st.error(plain(error), icon=":material/error:")
        return
    with st.expander(f"First rows of {plain(file.name)}", expanded=True, icon=":material/table:"):
        st.dataframe(table.rows.head(20), hide_index=True, height=250)
    name = name_of(file.name)
    wanted = run_form.ask(Source(name, slug_of(name), table.columns))
    if wanted is not None:
        send(content, file.name, wanted, token)


def send(content: bytes, filename: str, wanted: Json, token: str) -> None:
    """Upload the file, start the run and go to it."""
    bar = st.progress(0.0, text="Uploading …")
    try:
        dataset = dataset_calls.create_dataset(
            content, filename, wanted["title"], token, lambda done: bar.progress(done, text=f"{done:.0%} sent")
        )
    except CallFailed as error:
        bar.empty()
        st.error(plain(error), icon=":material/error:")
        return
    start({"dataset_id": dataset["id"], **wanted}, token)


def start(wanted: Json, token: str) -> None:
    """Start the run and go to it."""
    try:
        run = run_calls.start_run(wanted, token)
    except CallFailed as error:
        st.error(plain(error), icon=":material/error:")
        return
    st.query_params.clear()
    st.query_params["run"] = run["id"]
    st.rerun()


def show_history(token: str) -> None:
    """List this person's runs, a page at a time; a row leads to the run."""
    st.header("Runs")
    status = st.pills(
        "Status",
        STATUSES,
        label_visibility="collapsed",
        key="status",
        bind="query-params",
        on_change=lambda: paging.restart("before"),
    )
    runs, buttons = paging.turned("before", lambda rows, before: run_calls.list_runs(token, rows, before, status))
    if not runs:
        st.caption("None yet." if status is None else "None in this state.")
        return
    table = pd.DataFrame(
        [
            {
                "Model": run["model"],
                "Predicts": run["target"],
                "Status": run["status"],
                "Progress": float(run["progress"]),
                "Started": ago(run["created_at"]),
                "Message": run["reason"] or run["message"],
            }
            for run in runs
        ]
    )
    picked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="runs",
        column_config={"Progress": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)},
    )
    buttons()
    if picked and picked.selection.rows:
        st.query_params["run"] = runs[picked.selection.rows[0]]["id"]
        st.rerun()


st.title("Train")
if person := access.trainer("Training needs an account: models belong to somebody."):
    if run_id := st.query_params.get("run"):
        if st.button("All runs", icon=":material/arrow_back:", type="tertiary"):
            st.query_params.clear()
            st.rerun()
        run_view.show(run_id)
    else:
        show_source(person.access_token)
        show_history(person.access_token)

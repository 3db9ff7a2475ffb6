"""Bring a table, choose what to predict, watch it being trained."""

from pathlib import PurePath

import pandas as pd
import streamlit as st

import api_client
import run_view
import session
from api_client import CallFailed, Json
from quality import ago, plain
from upload import NotATable, Preview, is_slug, preview, slug_of

BUDGETS = {10: "10 seconds", 30: "30 seconds", 60: "1 minute", 300: "5 minutes", 900: "15 minutes"}


def show_upload(token: str) -> None:
    """Take a file and show its first rows; then ask what to make of it."""
    file = st.file_uploader("A CSV file with a header line, at most 50 MB", type=["csv", "tsv", "txt"], key="file")
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
    wanted = ask(file.name, table)
    if wanted is not None:
        send(content, file.name, wanted, token)


def ask(filename: str, table: Preview) -> Json | None:
    """Ask what to predict and how; return the run to start once everything fits."""
    stem = PurePath(filename).stem
    with st.form("train"):
        left, right = st.columns(2, gap="large")
        target = left.selectbox(
            "Column to predict", table.columns, index=None, placeholder="Choose the answer", key="target"
        )
        title = left.text_input(
            "Title", value=stem.replace("_", " ").replace("-", " ").capitalize(), max_chars=120, key="title"
        )
        slug = left.text_input(
            "Name in addresses", value=slug_of(stem), max_chars=63, key="slug", help="/api/predict/NAME"
        )
        budget = right.select_slider(
            "Time to search", list(BUDGETS), value=30, format_func=BUDGETS.__getitem__, key="budget"
        )
        drop = right.multiselect(
            "Columns to leave out", table.columns, key="drop", help="Ids, names, anything known only afterwards"
        )
        is_public = right.toggle(
            "Publish it for everybody", key="public", help="Anybody may then read its card and predict with it"
        )
        if not st.form_submit_button("Train", type="primary", icon=":material/model_training:"):
            return None
    if objection := _objection(target, slug, drop):
        st.warning(objection, icon=":material/edit:")
        return None
    return {
        "model": slug,
        "title": title.strip() or slug,
        "target": target,
        "visibility": "public" if is_public else "private",
        "options": {"time_budget_seconds": budget, "drop": drop},
    }


def _objection(target: str | None, slug: str, drop: list[str]) -> str | None:
    """Say what is wrong with the form, if anything is."""
    if target is None:
        return "Choose the column to predict."
    if not is_slug(slug):
        return "The name in addresses needs 2 to 63 of a-z, 0-9 and inner dashes, such as `house-prices`."
    if target in drop:
        return f"“{plain(target)}” cannot be predicted and left out."
    return None


def send(content: bytes, filename: str, wanted: Json, token: str) -> None:
    """Upload the file, start the run and go to it."""
    try:
        with st.status("Uploading …") as status:
            dataset = api_client.create_dataset(content, filename, wanted["title"], token)
            status.update(label="Starting the run …")
            run = api_client.start_run({"dataset_id": dataset["id"], **wanted}, token)
            status.update(label="Queued", state="complete")
    except CallFailed as error:
        st.error(plain(error), icon=":material/error:")
        return
    st.query_params["run"] = run["id"]
    st.rerun()


def show_history(token: str) -> None:
    """List this person's runs; a row leads to the run."""
    runs = api_client.list_runs(token)
    st.subheader("Runs")
    if not runs:
        st.caption("None yet.")
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
    if picked and picked.selection.rows:
        st.query_params["run"] = runs[picked.selection.rows[0]]["id"]
        st.rerun()


account = session.current()
st.title("Train")
if account is None:
    st.info("Training needs an account: models belong to somebody.", icon=":material/lock:")
    st.page_link("app_pages/account.py", label="Sign in", icon=":material/login:")
elif account.role == "viewer":
    st.info(
        "Your account may look at models. Ask an administrator for the role *analyst* to train your own.",
        icon=":material/lock:",
    )
elif run_id := st.query_params.get("run"):
    if st.button("All runs", icon=":material/arrow_back:", type="tertiary"):
        del st.query_params["run"]
        st.rerun()
    run_view.show(run_id)
else:
    show_upload(account.access_token)
    show_history(account.access_token)

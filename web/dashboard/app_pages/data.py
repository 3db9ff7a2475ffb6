"""Data sets: bring one, see what its columns hold and what is doubtful, correct it, train on it, delete it."""

import pandas as pd
import streamlit as st

import access
import dataset_calls
import paging
import profile_view
from api_client import CallFailed, Json
from orders import carry_out, confirm
from quality import ago, plain
from upload import ENDINGS, NotATable, name_of, preview

PROFILE_SECONDS = 1.5
BADGES = {"ready": ("green", "check_circle"), "pending": ("gray", "hourglass_empty"), "failed": ("red", "error")}
PROFILES = {"ready": "profiled", "queued": "being profiled", "failed": "no profile", "none": "–"}


def show_list(token: str) -> None:
    """List the data sets; a row leads to its profile."""
    st.header("Data sets")
    found, buttons = paging.turned("before", lambda rows, before: dataset_calls.list_datasets(token, rows, before))
    if not found:
        st.info("None yet. Upload a table above, or take one from the database.", icon=":material/inbox:")
        return
    table = pd.DataFrame(
        [
            {
                "Name": each["name"],
                "Rows": each["rows"],
                "Columns": each["columns"],
                "Size": (each["size_bytes"] or 0) / 1024,
                "State": each["status"] if each["status"] != "ready" else PROFILES[each["profile_status"]],
                "Came": ago(each["created_at"]),
            }
            for each in found
        ]
    )
    count = st.column_config.NumberColumn(format="localized")
    picked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="datasets",
        column_config={"Rows": count, "Columns": count, "Size": st.column_config.NumberColumn("KiB", format="%.0f")},
    )
    st.caption("Select a row to see what its columns hold.")
    buttons()
    if picked and picked.selection.rows:
        open_dataset(found[picked.selection.rows[0]]["id"])


def open_dataset(dataset_id: str) -> None:
    """Go to one data set; the address names it."""
    st.query_params.clear()
    st.query_params["dataset"] = dataset_id
    st.rerun()


def show_upload(token: str) -> None:
    """Take a file, show its first rows, and send it with its progress."""
    file = st.file_uploader(
        "CSV, TSV or Parquet, plain or packed with gzip, at most 50 MB", type=list(ENDINGS), key="file"
    )
    if file is None:
        st.caption("One row per thing, one column per fact. Nothing is executed, only read.")
        return
    content = file.getvalue()
    try:
        table = preview(content)
    except NotATable as error:
        st.error(plain(error), icon=":material/error:")
        return
    st.dataframe(table.rows.head(5), hide_index=True)
    name = st.text_input("Name", value=name_of(file.name), max_chars=120, key="name")
    if not st.button("Upload", type="primary", icon=":material/upload:"):
        return
    bar = st.progress(0.0, text="Uploading …")
    try:
        made = dataset_calls.create_dataset(
            content,
            file.name,
            name.strip() or file.name,
            token,
            lambda done: bar.progress(done, text=f"{done:.0%} sent"),
        )
    except CallFailed as error:
        bar.empty()
        st.error(plain(error), icon=":material/error:")
        return
    open_dataset(made["id"])


def show_table_form(token: str) -> None:
    """Take rows of a table or view of the database."""
    with st.form("table", border=False):
        left, right = st.columns(2, gap="large")
        table = left.text_input("Table or view", placeholder="public.orders", max_chars=130, key="table")
        name = left.text_input("Name", placeholder="As the table", max_chars=120, key="table_name")
        newest_by = right.text_input("Newest first by", placeholder="created_at", key="newest_by")
        rows = right.number_input("Rows at most", 1, 50_000, 50_000, step=1000, key="rows")
        st.caption("Read in one look with your own rights: rows that you may not see are not taken.")
        is_sent = st.form_submit_button("Take a copy", type="primary", icon=":material/database:")
    if not is_sent:
        return
    parts = table.strip().split(".")
    if len(parts) != 2 or not all(parts):  # noqa: PLR2004
        st.warning("Name the table with its schema, such as `public.orders`.", icon=":material/edit:")
        return
    wanted: Json = {"table": table.strip(), "rows": int(rows)}
    wanted |= {key: value.strip() for key, value in (("name", name), ("newest_by", newest_by)) if value.strip()}
    try:
        with st.spinner("Reading the table …", show_time=True):
            made = dataset_calls.take_table(wanted, token)
    except CallFailed as error:
        st.error(plain(error), icon=":material/error:")
        return
    open_dataset(made["id"])


def show_dataset(dataset_id: str, token: str) -> None:
    """Show one data set with what can be done about it."""
    dataset = dataset_calls.read_dataset(dataset_id, token)
    st.title(plain(dataset["name"]), anchor=False)
    colour, icon = BADGES[dataset["status"]]
    facts = [dataset["filename"], f"came {ago(dataset['created_at'])}", dataset["source"], dataset["licence"]]
    st.markdown(
        f":{colour}-badge[:material/{icon}: {dataset['status']}] {plain(' · '.join(fact for fact in facts if fact))}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if dataset["status"] == "ready" and dataset["kind"] == "table":
            query = {"dataset": dataset_id}
            st.page_link(
                "app_pages/train.py", label="Train on it", icon=":material/model_training:", query_params=query
            )
        with st.popover("Rename", icon=":material/edit:"):
            name = st.text_input("Name", value=dataset["name"], max_chars=120, key="new_name")
            if st.button("Save", key="rename", disabled=not name.strip()) and carry_out(
                lambda: dataset_calls.update_dataset(dataset_id, {"name": name.strip()}, token), "Renamed."
            ):
                st.rerun()
        if st.button("Delete", icon=":material/delete:"):
            ask_to_delete(dataset, token)
    if dataset["status"] == "failed":
        st.error(plain(dataset["reason"] or "The data set cannot be used."), icon=":material/error:")
    elif dataset["status"] == "pending":
        st.info("Its bytes never came. Delete it and upload the file again.", icon=":material/hourglass_empty:")
    else:
        show_profile(dataset, token)


def ask_to_delete(dataset: Json, token: str) -> None:
    """Ask once more, delete, and go back to the list."""

    def delete() -> None:
        dataset_calls.delete_dataset(dataset["id"], token)
        st.query_params.clear()

    said = f"“{plain(dataset['name'])}” and its bytes are deleted for good. Models that were trained on it stay."
    confirm("Delete this data set?", said, "Delete", delete, "Deleted.")


def show_profile(dataset: Json, token: str) -> None:
    """Show the profile, or wait for it without bothering the rest of the page."""
    found = dataset_calls.read_profile(dataset["id"], token)
    if found["status"] == "ready":
        profile_view.show(dataset, found, token)
    elif found["status"] == "failed":
        st.error(plain(found["reason"] or "No profile could be made."), icon=":material/error:")
    elif found["status"] == "queued":
        wait_for_profile(dataset["id"], token)
    else:
        st.caption("There is no profile of it.")


@st.fragment(run_every=PROFILE_SECONDS)
def wait_for_profile(dataset_id: str, token: str) -> None:
    """Ask until the profile is there, then show the page anew."""
    st.progress(0.0, text="A worker is reading it …")
    try:
        status = dataset_calls.read_profile(dataset_id, token)["status"]
    except CallFailed as error:
        st.caption(f"Not known at the moment: {plain(error)}")
        return
    if status != "queued":
        st.rerun()


if wanted_id := st.query_params.get("dataset"):
    if person := access.trainer("Data sets belong to somebody."):
        if st.button("All data sets", icon=":material/arrow_back:", type="tertiary"):
            st.query_params.clear()
            st.rerun()
        show_dataset(wanted_id, person.access_token)
else:
    st.title("Data")
    if person := access.trainer("Data sets belong to somebody."):
        from_file, from_table = st.tabs(["Upload a file", "From a table"])
        with from_file:
            show_upload(person.access_token)
        with from_table:
            show_table_form(person.access_token)
        show_list(person.access_token)

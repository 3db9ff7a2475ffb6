"""The page of data sets: brought, profiled, corrected, deleted; and nobody else's."""

import gzip
import io

import httpx
import pandas as pd
import pytest

from tests.conftest import User
from tests.dashboard.conftest import GALLERY, Open, asked, words

PENGUINS = (GALLERY / "penguins.csv").read_bytes()


def packed(kind: str) -> bytes:
    """Write the penguins as another kind of file."""
    table = pd.read_csv(io.BytesIO(PENGUINS))
    if kind == "gz":
        return gzip.compress(PENGUINS)
    if kind == "tsv":
        return table.to_csv(sep="\t", index=False).encode()
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("who", [None, "viewer"])
def test_data_sets_need_a_role(open_page: Open, viewer: User, who: str | None):
    """A visitor is asked to sign in, a viewer is told which role is needed; neither may upload."""
    app = open_page("data", user=viewer if who else None)

    assert not app.exception
    assert ("analyst" if who else "Sign in first") in words(app)
    assert not app.get("file_uploader")


@pytest.mark.parametrize("kind", ["tsv", "parquet", "gz"])
def test_each_kind_of_table_is_shown_before_it_is_sent(open_page: Open, analyst: User, kind: str):
    """TSV, Parquet and gzip are read here as far as their first rows, by their bytes."""
    app = open_page("data", user=analyst)

    name = "penguins.csv.gz" if kind == "gz" else f"penguins.{kind}"
    app.file_uploader(key="file").upload(name, packed(kind), "application/octet-stream").run()

    assert not app.exception
    assert list(app.dataframe[0].value.columns)[:2] == ["species", "island"]
    assert app.text_input(key="name").value == "Penguins"


def test_damaged_files_are_refused_in_words(open_page: Open, analyst: User):
    """What only looks like gzip or Parquet is refused before anything is sent."""
    app = open_page("data", user=analyst)

    for content, said in ((b"\x1f\x8bnot gzip at all", "damaged"), (b"PAR1nothing", "Parquet file is damaged")):
        app.file_uploader(key="file").set_value(("t.gz", content, "application/gzip")).run()
        assert said in app.error[0].value


def test_table_is_uploaded_profiled_and_corrected(open_page: Open, api: httpx.Client, analyst: User, worker: None):
    """Evidence for each column, corrections as the table of columns asks for them, and their undoing."""
    app = open_page("data", user=analyst)
    app.file_uploader(key="file").upload("penguins.csv", PENGUINS, "text/csv").run()
    _press(app, "Upload").run()
    _wait_for_profile(app)

    assert app.query_params["dataset"]
    assert {metric.label: metric.value for metric in app.metric}["Rows"] == "344"
    columns = next(table.value for table in app.dataframe if "Why" in table.value)
    assert list(columns["Column"])[:3] == ["species", "island", "bill_length_mm"]
    assert columns["Why"].str.len().min() > 3
    assert len(columns["Distribution"].iloc[2]) == 20

    import profile_view

    edited = columns.copy()
    edited.loc[7, "Type"], edited.loc[7, "Leave out"] = "category", True
    profile = api.get(f"/api/datasets/{asked(app, 'dataset')}/profile", headers=analyst.headers).json()
    wanted = profile_view.changes(profile["profile"]["columns"], profile["corrections"], edited)
    assert wanted == {"types": {"year": "category"}, "drop": ["year"]}
    assert profile_view.changes(profile["profile"]["columns"], profile["corrections"], columns) == {}

    dataset = f"/api/datasets/{asked(app, 'dataset')}"
    api.patch(dataset, json=wanted, headers=analyst.headers).raise_for_status()
    app.run()
    _wait_for_profile(app)
    columns = next(table.value for table in app.dataframe if "Why" in table.value)
    assert columns.iloc[7]["Type"] == "category"
    assert columns.iloc[7]["Leave out"]
    assert {metric.label: metric.value for metric in app.metric}["Columns in use"] == "7 of 8"
    _press(app, "Undo all corrections").run()
    assert api.get(dataset, headers=analyst.headers).json()["corrections"] == {"types": {}, "drop": []}


def test_foreign_data_set_is_not_shown(open_page: Open, stranger: User):
    """The address of somebody else's data set shows nothing of it."""
    app = open_page("data", user=stranger, dataset="01890a5d-ac96-774b-bcce-b302099a8057")

    assert not app.exception
    assert "no dataset" in app.error[0].value


def test_many_data_sets_come_a_page_at_a_time(open_page: Open, stack, unique: str):
    """Only a page is asked for; the next one begins behind it, and a reload stays on it."""
    person = stack.create_user("analyst")
    with stack.connect() as connection:
        connection.execute(
            "insert into public.datasets (owner_id, name, filename) "
            "select %s, 'table ' || n, 'a.csv' from generate_series(1, 25) as n",
            (person.id,),
        )
    app = open_page("data", user=person)
    first = list(_listed(app)["Name"])
    _press(app, "Older").run()
    second = list(_listed(app)["Name"])

    assert (len(first), len(second)) == (20, 5)
    assert not set(first) & set(second)
    again = open_page("data", user=person, before=asked(app, "before"))
    assert list(_listed(again)["Name"]) == second
    _press(again, "Newer").run()
    assert list(_listed(again)["Name"]) == first


def test_table_form_is_checked_before_anything_is_sent(open_page: Open, analyst: User):
    """A table without its schema is said at once; one that cannot be read is said by the service."""
    app = open_page("data", user=analyst)

    app.text_input(key="table").input("orders")
    _press(app, "Take a copy").run()
    assert "with its schema" in app.warning[0].value
    app.text_input(key="table").input("public.no_such_table")
    _press(app, "Take a copy").run()
    assert app.error


def _listed(app) -> pd.DataFrame:
    return next(table.value for table in app.dataframe if "Came" in table.value)


def _press(app, label: str):
    return next(button for button in app.button if button.label == label).click()


def _wait_for_profile(app) -> None:
    for _ in range(150):
        if app.metric:
            return
        app.run()
    raise AssertionError(words(app))

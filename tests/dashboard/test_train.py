"""From a file to a trained model, in the browser's words."""

import pytest

from tests.conftest import User
from tests.dashboard.conftest import GALLERY, Open, words


def test_visitor_is_asked_to_sign_in(open_page: Open):
    """Training belongs to somebody."""
    app = open_page("train")

    assert "needs an account" in words(app)
    assert not app.get("file_uploader")


def test_viewer_is_told_which_role_trains(open_page: Open, viewer: User):
    """An account without the role learns which one it needs, before uploading anything."""
    app = open_page("train", user=viewer)

    assert "analyst" in words(app)
    assert not app.get("file_uploader")


def test_table_is_trained_and_followed_to_its_model(open_page: Open, analyst: User, worker: None, unique: str):
    """Upload, choose, train: the page goes to the run, and the finished run leads to the model."""
    app = open_page("train", user=analyst)
    app.file_uploader(key="file").upload("penguins.csv", (GALLERY / "penguins.csv").read_bytes(), "text/csv").run()
    app.selectbox(key="target").select("species")
    app.text_input(key="slug").input(unique)
    app.select_slider(key="budget").set_value(10)
    _press(app, "Train").run()

    assert not app.exception
    assert app.query_params["run"]
    for _ in range(240):
        if app.success:
            break
        app.run()
    assert "Trained, certified" in app.success[0].value
    assert unique in words(app)


def test_form_is_checked_before_anything_is_sent(open_page: Open, analyst: User):
    """A missing target and an impossible name are said at once, and no run is started."""
    app = open_page("train", user=analyst)
    app.file_uploader(key="file").upload("penguins.csv", (GALLERY / "penguins.csv").read_bytes(), "text/csv").run()

    _press(app, "Train").run()
    assert "Choose the column" in app.warning[0].value

    app.selectbox(key="target").select("species")
    app.text_input(key="slug").input("Not A Slug!")
    _press(app, "Train").run()
    assert "a-z" in app.warning[0].value
    assert "run" not in app.query_params


def test_options_that_do_not_go_together_are_said(open_page: Open, analyst: User):
    """A score for amounts with a yes or no, and a split by time without its column, are refused before anything is sent."""
    app = open_page("train", user=analyst)
    app.file_uploader(key="file").upload("penguins.csv", (GALLERY / "penguins.csv").read_bytes(), "text/csv").run()
    app.selectbox(key="target").select("species")

    app.selectbox(key="task").select("multiclass")
    app.selectbox(key="metric").select("rmse")
    _press(app, "Train").run()
    assert "does not judge" in app.warning[0].value
    app.selectbox(key="metric").select("f1")
    app.selectbox(key="holdout").select("time")
    _press(app, "Train").run()
    assert "time or the group" in app.warning[0].value
    assert "run" not in app.query_params


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"a\n1\n2\n", "one column"),
        (b"a,a\n1,2\n", "Two columns"),
        (b"a,b\n\x00,2\n", "not a text file"),
        ("a,b\nü,2\n".encode("latin-1"), "UTF-8"),
    ],
)
def test_unusable_file_is_refused_with_what_to_change(open_page: Open, analyst: User, content: bytes, said: str):
    """A file that cannot be a table is refused here, in one sentence, before it is uploaded."""
    app = open_page("train", user=analyst)

    app.file_uploader(key="file").upload("table.csv", content, "text/csv").run()

    assert said in app.error[0].value.replace("\\", "")
    assert not app.selectbox


def test_foreign_run_is_not_shown(open_page: Open, stranger: User):
    """The address of somebody else's run shows nothing of it."""
    app = open_page("train", user=stranger, run="01890a5d-ac96-774b-bcce-b302099a8057")

    assert not app.exception
    assert app.error


def _press(app, label: str):
    return next(button for button in app.button if button.label == label).click()

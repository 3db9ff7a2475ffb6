"""Training and predicting from files, without any server."""

import csv
import hashlib
import io
import json
import shlex
import shutil

import pytest

from tests.cli.command import run_in

ROW = {"length": 5.1, "width": 3.0, "island": "South", "wild": True}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, flowers):
    """Train once, for real, and return the finished command and the folder it ran in."""
    folder = tmp_path_factory.mktemp("offline")
    (folder / "Wild flowers.csv").write_text(flowers, encoding="utf-8")
    done = run_in(folder, "train", "Wild flowers.csv", "--target", "kind", "--time-budget", "4", "--offline")
    return done, folder


def test_train_writes_model_and_card(trained):
    """Both files are there, named after the table, and the card's digest is the model's."""
    done, folder = trained

    assert done.returncode == 0, done.stderr
    made = folder / "wild-flowers"
    assert sorted(path.name for path in made.iterdir()) == ["card.json", "model.onnx"]
    card = json.loads((made / "card.json").read_text(encoding="utf-8"))
    assert card["digest"] == hashlib.sha256((made / "model.onnx").read_bytes()).hexdigest()
    assert card["parity"]["passed"] is True


def test_train_says_score_baseline_certificate_and_next_step(trained):
    """The result can be read by a person, and its last line can be run."""
    done, folder = trained

    assert "baseline" in done.stdout
    assert "certified" in done.stdout
    step = done.stdout.splitlines()[-1].strip()
    assert step.startswith("./rowcast predict --offline wild-flowers --row ")
    again = run_in(folder, *shlex.split(step)[1:])
    assert again.returncode == 0, again.stderr
    assert "%" in again.stdout


def test_train_draws_plain_lines_when_stderr_is_no_terminal(trained):
    done, _ = trained

    assert "\x1b" not in done.stderr
    assert len(done.stderr.splitlines()) >= 3


def test_predict_one_row_as_json(trained):
    _, folder = trained

    done = run_in(folder, "predict", "--offline", "wild-flowers", "--row", json.dumps(ROW), "--json")

    answer = json.loads(done.stdout)
    assert answer["predictions"][0]["label"] == "tulip"
    assert sum(answer["predictions"][0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_predict_csv_from_standard_input(trained, flowers):
    """`-` reads the pipe; the table shows one line per row."""
    _, folder = trained
    rows = "\n".join(flowers.splitlines()[:6])

    done = run_in(folder, "predict", "--offline", "wild-flowers", "--csv", "-", text=rows)

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 + 1 + 5


def test_predict_out_csv_keeps_the_rows_beside_their_predictions(trained, flowers):
    _, folder = trained

    done = run_in(folder, "predict", "--offline", "wild-flowers", "--csv", "Wild flowers.csv", "--out", "made.csv")

    assert done.returncode == 0, done.stderr
    made = list(csv.DictReader(io.StringIO((folder / "made.csv").read_text(encoding="utf-8"))))
    given = list(csv.DictReader(io.StringIO(flowers)))
    assert [row["kind"] for row in made] == [row["kind"] for row in given]
    right = sum(row["prediction"] == row["kind"] for row in made)
    assert right > 0.9 * len(given)
    assert float(made[0]["probability_rose"]) <= 1


def test_predict_names_each_wrong_field(trained):
    """One line per wrong cell, ten at most, exit code 1, nothing on stdout."""
    _, folder = trained
    rows = "length,width,island,wild\n" + "long,wide,North,true\n" * 8

    done = run_in(folder, "predict", "--offline", "wild-flowers", "--csv", "-", text=rows)

    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "rowcast: 16 values do not fit"
    assert lines[1].startswith("  row 1, length: ")
    assert lines[2].startswith("  row 1, width: ")
    assert lines[-1] == "  … and 6 more"
    assert len(lines) == 12


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--row", "{"], "--row is not JSON"),
        (["--row", "[1]"], "--row is not an object"),
        (["--csv", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["--csv", "-"], "standard input has no rows"),
        (["--csv", "ragged.csv"], "ragged.csv: line 3: 2 fields under a header of 1"),
        (["--csv", "twice.csv"], "two columns of one name"),
        (["--csv", "latin.csv"], "latin.csv is not UTF-8"),
        ([], "give either --row JSON or --csv FILE"),
        (["--row", "{}", "--csv", "-"], "give either --row JSON or --csv FILE"),
        (["--row", "{}", "--out", "made.txt"], "neither .csv nor .json"),
    ],
)
def test_predict_explains_what_it_cannot_read(trained, words, said):
    _, folder = trained
    (folder / "ragged.csv").write_text("a\n1\n1,2\n", encoding="utf-8")
    (folder / "twice.csv").write_text("a,a\n1,2\n", encoding="utf-8")
    (folder / "latin.csv").write_bytes(b"caf\xe9\n1\n")

    done = run_in(folder, "predict", "--offline", "wild-flowers", *words, text="")

    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (1, 1, "")
    assert said in done.stderr


def test_predict_refuses_a_model_that_is_not_what_its_card_says(trained, tmp_path):
    """A changed file is not opened."""
    _, folder = trained
    shutil.copytree(folder / "wild-flowers", tmp_path / "changed")
    with (tmp_path / "changed" / "model.onnx").open("ab") as file:
        file.write(b"\0")

    done = run_in(tmp_path, "predict", "--offline", "changed", "--row", json.dumps(ROW))

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)

"""A table that cannot be trained ends the real command with one readable line; nothing is written."""

import random

import pytest

HEADER = "age,colour,label\n"
GOOD = "".join(f"{age},{'red' if age % 2 else 'blue'},{'yes' if age % 3 else 'no'}\n" for age in range(20, 90))

CASES = {
    "empty": (b"", "is empty"),
    "only a header": (HEADER.encode(), "no rows"),
    "one column": (b"label\nyes\nno\nyes\n", "one column"),
    "duplicate headers": (f"age,age,label\n{GOOD}".encode(), "more than one column named 'age'"),
    "no such target": (f"age,colour,lable\n{GOOD}".encode(), "did you mean 'lable'"),
    "constant target": (
        (HEADER + "".join(f"{age},red,yes\n" for age in range(60))).encode(),
        "at least two different values",
    ),
    "one class with a single row": (f"{HEADER}{GOOD}91,red,perhaps\n".encode(), "only one row of 'perhaps'"),
    "broken quoting": (f'{HEADER}{GOOD}91,"red,yes\n{GOOD}'.encode(), "quot"),
    "wrong encoding": (HEADER.encode() + random.Random(1).randbytes(4000).replace(b"\0", b"\x81"), "UTF-8"),
    "NULs": (f"{HEADER}{GOOD}91,r\0d,yes\n".encode(), "NUL"),
    "too few rows": (f"{HEADER}20,red,yes\n21,blue,no\n22,red,yes\n23,blue,no\n".encode(), "add rows"),
    "ragged": (f"{HEADER}{GOOD}91,red,yes,yes\n".encode(), "4 cells on line 72"),
}


def _check_one_readable_line(done, folder, expected):
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("rowcast: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Error" not in done.stderr
    assert expected in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["table.csv"]


@pytest.mark.parametrize("case", CASES)
def test_train_refuses_in_one_line_when_the_table_is(case, run, tmp_path):
    """The line says what is wrong; neither folder nor model is left behind."""
    content, expected = CASES[case]
    (tmp_path / "table.csv").write_bytes(content)

    done = run("train", "table.csv", "--target", "label", "--offline", "--out", "model")

    _check_one_readable_line(done, tmp_path, expected)


@pytest.mark.parametrize("where", [["--offline"], []])
def test_train_refuses_two_gigabytes_without_reading_them(where, run, tmp_path):
    """A file above the limit is refused by its size, at once, and before a server is looked for."""
    with (tmp_path / "table.csv").open("wb") as file:
        file.write(HEADER.encode())
        file.truncate(2_100_000_000)  # sparse: it takes no room

    done = run("train", "table.csv", "--target", "label", *where, seconds=20)

    _check_one_readable_line(done, tmp_path, "keep a random sample")


def test_train_refuses_before_it_looks_for_a_server(run, tmp_path):
    """The table is judged here: no upload, no need of a stack."""
    (tmp_path / "table.csv").write_bytes(CASES["constant target"][0])

    done = run("train", "table.csv", "--target", "label")

    _check_one_readable_line(done, tmp_path, "at least two different values")


def test_train_without_a_server_says_how_to_start_one(run, tmp_path):
    (tmp_path / "table.csv").write_text(HEADER + GOOD, encoding="utf-8")

    done = run("train", "table.csv", "--target", "label")

    _check_one_readable_line(done, tmp_path, "./rowcast up")


def test_train_of_a_missing_file_names_it(run):
    done = run("train", "nowhere.csv", "--target", "label", "--offline")

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "nowhere.csv cannot be read" in done.stderr


@pytest.mark.parametrize("name", ["Penguins", "-x", "a", "white space", "x" * 64, "ä"])
def test_train_refuses_a_name_that_no_url_can_carry(name, run, tmp_path):
    (tmp_path / "table.csv").write_text(HEADER + GOOD, encoding="utf-8")

    done = run("train", "table.csv", "--target", "label", f"--name={name}", "--offline")

    _check_one_readable_line(done, tmp_path, "a model's name")

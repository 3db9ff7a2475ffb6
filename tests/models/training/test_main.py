"""`python -m models.training`: a file in, a folder out, a readable line otherwise."""

import subprocess
import sys

import pytest

from models.training.__main__ import main
from tests.models.tables import csv_bytes, mixed


@pytest.fixture
def table_path(tmp_path):
    columns = mixed(200)
    path = tmp_path / "people.csv"
    path.write_bytes(csv_bytes(list(columns), list(zip(*columns.values(), strict=True))))
    return path


def test_a_file_becomes_a_folder(table_path, tmp_path, capsys):
    """The folder is printed, progress and notes go to standard error."""
    out = tmp_path / "model"

    code = main([str(table_path), "--target", "y", "--out", str(out), "--time-budget", "0.5", "--drop", "zone"])

    shown = capsys.readouterr()
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == ["card.json", "model.onnx"]
    assert shown.out.strip() == str(out)
    assert "100%" in shown.err
    assert '"name": "people"' in (out / "card.json").read_text()


def test_a_bad_file_is_one_line_and_no_folder(tmp_path, capsys):
    """Nothing half-written."""
    (tmp_path / "bad.csv").write_text("a\n1\n")

    code = main([str(tmp_path / "bad.csv"), "--target", "a", "--out", str(tmp_path / "out")])

    assert code == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_help_is_shown():
    """As a module of its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "models.training", "--help"], capture_output=True, text=True, check=True
    )

    assert "--target" in done.stdout

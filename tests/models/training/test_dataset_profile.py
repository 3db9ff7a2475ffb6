"""The profile of a data set: types, figures and honest warnings, from one pass over the file."""

import gzip
import json
import resource
import time

import numpy as np
import pandas as pd
import pytest

from models.errors import DatasetRejected
from models.training import dataset_profile as module
from models.training.arrow import pa
from models.training.dataset_profile import profile_file
from models.training.profile import profile_columns
from models.training.sketch import Distinct, RowSample, hashes_of
from models.training.table import read_table
from tests.models.tables import csv_bytes, mixed


@pytest.fixture
def written(tmp_path):
    def write(columns, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(csv_bytes(list(columns), list(zip(*columns.values(), strict=True))))
        return path

    return write


def of(profile, name):
    return next(column for column in profile["columns"] if column["name"] == name)


def codes(profile):
    return {(warning["code"], warning["column"]) for warning in profile["warnings"]}


def many(rows=400):
    random = np.random.default_rng(0)
    return {
        "row": range(1, rows + 1),
        "size": random.normal(50, 9, rows).round(2),
        "zip": [f"{number:05}" for number in random.integers(0, 60, rows)],
        "when": [f"{1 + day % 28}.{1 + day % 12}.2024" for day in range(rows)],
        "price": [f"{number:.2f}".replace(".", ",") for number in random.normal(9, 1, rows)],
        "member": random.choice(["yes", "no"], rows),
        "note": [f"a note of many words {number}" for number in random.integers(0, 10**6, rows)],
        "key": [f"k-{number}" for number in range(rows)],
        "same": ["x"] * rows,
        "gaps": ["" if number % 2 else number % 7 for number in range(rows)],
        "y": random.choice(["a", "b"], rows),
    }


def test_every_type_is_told_with_its_evidence(written):
    """The types that a person meets in real files."""
    profile = profile_file(written(many()))

    assert {column["name"]: column["type"] for column in profile["columns"]} == {
        "row": "id",
        "size": "number",
        "zip": "category",
        "when": "date",
        "price": "number",
        "member": "boolean",
        "note": "text",
        "key": "id",
        "same": "constant",
        "gaps": "integer",
        "y": "category",
    }
    assert [column["name"] for column in profile["columns"] if not column["used"]] == ["row", "note", "key", "same"]
    assert of(profile, "price")["written"] == "decimal_comma"
    assert all(column["evidence"] for column in profile["columns"])
    assert codes(profile) == {
        ("row_counter", "row"),
        ("leading_zeros", "zip"),
        ("decimal_comma", "price"),
        ("free_text", "note"),
        ("id", "key"),
        ("constant", "same"),
        ("missing_much", "gaps"),
    }


def test_figures_are_those_of_the_cells(written):
    """Range, mean, quantiles, histogram, most frequent values, preview."""
    columns = many()
    profile = profile_file(written(columns))
    size, when, gaps = of(profile, "size"), of(profile, "when"), of(profile, "gaps")

    assert profile["rows"] == profile["sampled_rows"] == 400
    assert size["mean"] == pytest.approx(columns["size"].mean())
    assert size["quantiles"] == pytest.approx(np.quantile(columns["size"], module.QUANTILES))
    assert sum(size["histogram"]["counts"]) == 400
    assert len(size["histogram"]["edges"]) == 21
    assert (when["minimum"], when["maximum"]) == ("2024-01-01", "2024-12-28")
    assert (gaps["missing"], gaps["missing_share"], gaps["distinct"]) == (200, 0.5, 7)
    assert of(profile, "same")["top"] == [{"value": "x", "count": 400}]
    assert profile["preview"][0][:2] == ["1", str(columns["size"][0])]
    assert profile["preview"][1][9] is None
    json.dumps(profile, allow_nan=False)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.parquet", "t.parquet.gz"])
def test_formats_are_told_by_their_content(tmp_path, name):
    """One table, five files, one profile."""
    frame = pd.DataFrame(many()).astype({"gaps": str})
    path = tmp_path / "file"
    if "parquet" in name:
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))

    profile = profile_file(path, name=name)

    assert profile["format"] == ("parquet" if "parquet" in name else "tsv" if "tsv" in name else "csv")
    assert [column["type"] for column in profile["columns"]] == [
        *("id", "number", "category", "date", "number", "boolean", "text", "id", "constant", "integer", "category")
    ]
    assert read_table(path).rows == 400


def test_parquet_types_are_read_as_their_texts(tmp_path):
    """Times, truth values, missing numbers, dictionaries."""
    path = tmp_path / "t.parquet"
    pd.DataFrame(
        {
            "at": pd.date_range("2024-01-01", periods=30, freq="7h"),
            "flag": [True, False, None] * 10,
            "kind": pd.Categorical(["a", "b", None] * 10),
            "x": [1.5, None, -2.25] * 10,
        }
    ).to_parquet(path)

    profile = profile_file(path)

    assert [column["type"] for column in profile["columns"]] == ["date", "boolean", "category", "number"]
    assert [column["missing"] for column in profile["columns"]] == [0, 10, 10, 10]


def test_nested_parquet_columns_are_refused(tmp_path):
    """A list is no cell."""
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": [[1], [2]], "y": [1, 2]}).to_parquet(path)

    with pytest.raises(DatasetRejected, match="column 'x' holds list"):
        profile_file(path)


def test_corrections_and_drops_are_shown_and_the_original_kept(written):
    """What the file says stays visible beside what the person says."""
    profile = profile_file(written(many()), types={"zip": "text", "gaps": "category"}, drop=["member"])

    assert (of(profile, "zip")["type"], of(profile, "zip")["detected"]) == ("text", "category")
    assert of(profile, "gaps")["type"] == "category"
    assert of(profile, "member")["reason"] == "you asked to leave it out"
    assert "number:decimal_comma" in of(profile, "price")["choices"]
    assert "integer" in of(profile, "gaps")["choices"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"types": {"zap": "number"}}, "no column named 'zap' to correct"),
        ({"types": {"zip": "colour"}}, "must be one of"),
        ({"types": {"note": "number"}}, "cannot be read as number"),
        ({"drop": ["zap"]}, "no column named 'zap' to leave out"),
        ({"target": "zap"}, "no column named 'zap' to predict"),
    ],
    ids=str,
)
def test_impossible_corrections_are_refused(written, changes, reason):
    """With the column's name."""
    with pytest.raises(DatasetRejected, match=reason):
        profile_file(written(many()), **changes)


def test_suspicions_name_the_columns(written):
    """A leak by content, a leak by name, tiny classes, a target that moves with time, repeated rows."""
    random = np.random.default_rng(0)
    rows = 2000
    day = np.sort(random.integers(0, 1000, rows))
    answer = np.where(random.random(rows) < 0.2 + 0.5 * day / 1000, "bought", "left")
    answer[-3:] = "lost"
    columns = {
        "day": pd.to_datetime(day, unit="D", origin="2020-01-01").strftime("%Y-%m-%d"),
        "leak": np.where(answer == "bought", 12.5, random.normal(3, 1, rows)).round(3),
        "status_final": random.choice(["open", "shut"], rows),
        "honest": random.normal(size=rows).round(3),
        "answer": answer,
    }
    doubled = {name: [*cells, *cells[:100]] for name, cells in columns.items()}

    told = codes(profile_file(written(doubled), target="answer"))

    assert told == {
        ("leakage_suspect", "leak"),
        ("leakage_name", "status_final"),
        ("target_shift", "day"),
        ("tiny_class", "answer"),
        ("duplicates", None),
    }


def test_ordinary_data_raises_no_suspicion(written):
    """No warning cries wolf; neither for classes nor for amounts."""
    for task in ("binary", "regression"):
        told = codes(profile_file(written(mixed(3000, task=task)), target="y"))
        assert not {code for code, _ in told} & {"leakage_suspect", "leakage_name", "target_shift", "tiny_class"}


def test_an_amount_that_follows_from_one_column_is_a_suspect(written):
    """The price in another currency."""
    price = np.random.default_rng(0).lognormal(3, 1, 1500).round(2)

    told = codes(profile_file(written({"euro": price, "y": (price * 1.1).round(3)}), target="y"))

    assert ("leakage_suspect", "euro") in told


def test_a_target_that_cannot_be_predicted_is_said(written):
    """Not refused: the profile is what one looks at to choose another."""
    told = codes(profile_file(written(many()), target="same"))

    assert ("target_unusable", "same") in told


def test_training_comes_to_the_same_verdicts(written):
    """One rule for the profile and the run."""
    path = written(mixed(2500))

    profile = profile_file(path)
    trained = profile_columns(read_table(path).columns)

    assert {column.name: column.kind for column in trained.columns} == {
        column["name"]: column["type"] for column in profile["columns"] if column["used"]
    }


def test_columns_of_very_many_texts_are_judged_alike(written, monkeypatch):
    """What is too much to be counted is sketched: same types, nearly the same figures."""
    path = written({**mixed(3000), **{name: cells for name, cells in many(3000).items() if name != "y"}})
    exact = profile_file(path)
    monkeypatch.setattr("models.training.column_stats._MAX_COUNTED", 50)
    monkeypatch.setattr(module, "SAMPLED_ROWS", 1000)

    sketched = profile_file(path)

    for before, after in zip(exact["columns"], sketched["columns"], strict=True):
        assert after["type"] == before["type"], before["name"]
        assert after["missing"] == before["missing"]
        assert after["distinct"] == pytest.approx(before["distinct"], rel=0.03)
        if before["top"] and before["top"][0]["count"] > 100:
            assert after["top"][0]["count"] == pytest.approx(before["top"][0]["count"], rel=0.5), before["name"]
        if before["mean"] is not None and before["written"] is None:
            assert after["mean"] == pytest.approx(before["mean"])
            assert (after["minimum"], after["maximum"]) == (before["minimum"], before["maximum"])


def test_distinct_things_are_counted_or_estimated():
    """Exact while they are few; beyond, within two per cent."""
    few, lots = Distinct(), Distinct()
    few.add(hashes_of([index % 500 for index in range(10_000)], 10_000))
    for start in range(0, 300_000, 20_000):
        lots.add(hashes_of(range(start, start + 20_000), 20_000))

    assert (few.count, few.is_exact) == (500, True)
    assert lots.count == pytest.approx(300_000, rel=0.02)
    assert not lots.is_exact


def test_the_sample_is_fair_and_in_order():
    """Early and late rows have the same chance."""
    sample = RowSample(1000)
    for start in range(0, 50_000, 5000):
        sample.add([pa.array([str(number) for number in range(start, start + 5000)])])

    (numbers,) = [[int(cell) for cell in cells] for cells in sample.columns()]

    assert len(numbers) == 1000
    assert numbers == sorted(numbers)
    assert np.mean(numbers) == pytest.approx(25_000, rel=0.1)


def test_a_large_file_is_read_as_a_stream(tmp_path):
    """Forty thousand rows of twenty columns: bounded memory, and a few seconds of one core."""
    random = np.random.default_rng(0)
    path = tmp_path / "large.csv"
    frame = pd.DataFrame({f"x{index}": random.normal(size=40_000).round(4) for index in range(20)})
    frame.to_csv(path, index=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()

    profile = profile_file(path)

    print(f"\n40,000 x 20 in {time.process_time() - started:.1f} s of one core")
    assert profile["rows"] == 40_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB

"""The quick ways of a profile say what the slow ones say, whatever stands in a table."""

import subprocess
import sys
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.coercion import MISSING_WORDS, is_missing_text, numeric_coercion
from models.errors import CoercionError, DatasetRejected
from models.training import column_stats, dataset_profile, plain_csv, records
from models.training.arrow import pa
from models.training.number_cells import missing_texts, numbers_of, values_of
from models.training.source import open_source
from models.training.verdict import reader_of, reads
from tests.models.training import odd_tables
from tests.models.training.plain_stats import PlainStats, _number

FILES = odd_tables.files()
TARGETS = {"texts.csv": "y", "dates.csv": "late", "repeated.csv": "price"}
ODD_CELLS = sorted(
    {cell for columns in (odd_tables.numbers(), odd_tables.texts(), odd_tables.dates()) for cells in columns.values() for cell in cells[:60]}
    | {f"{blank}{word.title()}{blank}" for word in MISSING_WORDS for blank in ("", " ", "\u2003")}
    | set(odd_tables.ODD_NUMBERS) | set(odd_tables.NO_NUMBERS) | {"-1e-400", "+nan", "1" * 400, "9" * 30, "1e38", "4e38", "00", "0_0", "--1"}
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "whole"), [*((name, False) for name in FILES), *((name, True) for name in TARGETS), ("numbers.csv", True)]
)
def test_the_profile_is_that_of_single_cells(name, whole, tmp_path, monkeypatch):
    """Kinds, figures, quantiles, histograms, frequent values and warnings."""
    path = tmp_path / name
    path.write_bytes(FILES[name])
    if not whole:
        monkeypatch.setattr(column_stats, "_MAX_COUNTED", 50)
        monkeypatch.setattr(dataset_profile, "SAMPLED_ROWS", 500)
        monkeypatch.setattr(records, "CHUNK_ROWS", 350)
    quick = dataset_profile.profile_file(path, target=TARGETS.get(name))
    monkeypatch.setattr(dataset_profile, "ColumnStats", PlainStats)

    slow = dataset_profile.profile_file(path, target=TARGETS.get(name))

    for column, other in zip(quick["columns"], slow["columns"], strict=True):
        assert column["mean"] == (other["mean"] and pytest.approx(other["mean"], rel=1e-12))
        assert column | {"mean": 0} == other | {"mean": 0}
    assert quick | {"columns": []} == slow | {"columns": []}


@pytest.mark.parametrize("name", [name for name in FILES if not name.endswith("parquet")])
def test_a_large_text_is_read_as_a_small_one(name, monkeypatch):
    """The same cells in chunks of the same size, where a block ends in the middle of a record, too."""
    monkeypatch.setattr(records, "CHUNK_ROWS", 350)
    slow = [[list(cells) for cells in chunk] for chunk in open_source(FILES[name], name).chunks()]
    monkeypatch.setattr(records, "_LARGE", 0)
    monkeypatch.setattr(plain_csv, "_BLOCK", 5_000)

    source = open_source(FILES[name], name)

    quick = list(source.chunks())
    assert _joined(quick) == _joined(slow)
    assert all(len(chunk[0]) == 350 for chunk in quick[:-1])


def test_arrow_reads_what_is_plain(monkeypatch):
    """Or the test above compares a reader with itself."""
    monkeypatch.setattr(records, "_LARGE", 0)
    monkeypatch.setattr(records.Records, "_slowly", None)
    for name in (
        "numbers.csv",
        "texts.csv",
        "returns.csv",
        "marked.csv",
        "blank-lines.csv",
        "packed.csv.gz",
        "counted.csv",
    ):
        assert sum(len(chunk[0]) for chunk in open_source(FILES[name], name).chunks()) == odd_tables.ROWS


@pytest.mark.parametrize(
    "text",
    [
        'a,b\n1,"2\n3,4\n',
        'a,b\n1,"2"x\n3,4\n',
        'a,b\n1,2\n3,4"5"\n',
        "a,b\n1,2\n3\n",
        "a,b\n1,2\n3,4,5\n\n6,7\n",
        "a,b\n1,2\r3,4\n5,6\n",
        'a,"b\nc"\n1,"2""3"\n',
        'a,b\n1,"",\n',
        'a,b\n1,""\n"",2',
        "a,b\n\ufeff1,2\n3,4\n",
        "a,b\n\n\n1,2\n\n3,4\n",
        ",b\n0,x\n1,y\n2,z\n",
        ",b\n0,x\n1,y\n5,z\n",
        "a,b\n" + "1,2\n" * 30 + '3,"4\n',
        "a,b\n1," + "x" * 140_000 + "\n3,4\n",
        "a,b",
        "a,b\n",
    ],
)  # fmt: skip
def test_doubtful_texts_are_read_or_refused_alike(text, monkeypatch):
    """Python's reader has the last word, and words the refusal."""
    assert _said(text.encode(), monkeypatch, quickly=True) == _said(text.encode(), monkeypatch, quickly=False)


CELLS = [
    "a",
    "",
    '"a"',
    '""',
    '"a,b"',
    '"a\nb"',
    '"a""b"',
    '""""',
    '"a"b',
    'a"b"',
    'a"',
    '"a',
    '"',
    '"a" ',
    ' "a"',
    "a\r",
    '"a\r\nb"',
]


@given(
    st.lists(st.tuples(st.sampled_from(CELLS), st.sampled_from(CELLS)), min_size=1, max_size=6),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_text_is_read_or_refused_alike(rows, line):
    """Whatever quotes, commas and line ends can be made into."""
    text = "".join(",".join(cells) + line for cells in [("x", "y"), ("1", "2"), *rows]).encode()
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert _said(text, monkeypatch, quickly=True) == _said(text, monkeypatch, quickly=False)


def test_numbers_are_read_by_the_same_rule():
    """Cell by cell, alone and in company: Arrow reads some texts otherwise."""
    expected = np.array([_number(cell, is_text=False) for cell in ODD_CELLS])

    together = numbers_of(pa.array(ODD_CELLS, pa.large_string()))
    alone = np.concatenate([numbers_of(pa.array([cell], pa.large_string())) for cell in ODD_CELLS])

    np.testing.assert_array_equal(together, expected)
    np.testing.assert_array_equal(alone, expected)


def test_missing_texts_are_told_by_the_same_rule():
    """Blanks of every kind around words in any case."""
    cells = pa.array(ODD_CELLS, pa.large_string())
    assert missing_texts(cells).tolist() == [is_missing_text(cell) for cell in ODD_CELLS]


@pytest.mark.parametrize(
    ("kind", "written"),
    [("number", None), ("integer", None), ("boolean", None), ("date", None), ("date", "day_first"), ("number", "decimal_comma")],
)  # fmt: skip
def test_values_are_those_of_the_coercions(kind, written):
    """Of a whole column, and whether a cell can be read at all."""
    read, is_read = numeric_coercion(kind, written), reader_of(kind, written)
    expected = []
    for cell in ODD_CELLS:
        try:
            expected.append(read(cell))
        except CoercionError:
            expected.append(np.nan)

    np.testing.assert_array_equal(values_of(ODD_CELLS, kind, written), np.array(expected))
    assert [is_read(cell) for cell in ODD_CELLS] == [reads(read, cell) for cell in ODD_CELLS]


_IN_A_CHILD = """
import re, sys
from pathlib import Path
from models.training import profile_file
print(profile_file(Path(sys.argv[1]))["rows"])
print(re.search(r"VmData:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def test_a_profile_sets_little_memory_aside(tmp_path):
    """Arrow's allocator takes a gigabyte to begin with, unless it is told not to; the limit of a child counts it."""
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n" + b"".join(b"%d,%d.5\n" % (row, row % 977) for row in range(400_000)))
    assert path.stat().st_size > records._LARGE

    done = subprocess.run([sys.executable, "-c", _IN_A_CHILD, str(path)], capture_output=True, text=True, check=True)

    rows, kilobytes = map(int, done.stdout.split())
    assert rows == 400_000
    assert kilobytes < 600_000


def _joined(chunks):
    return [list(chain.from_iterable(parts)) for parts in zip(*chunks, strict=True)]


def _said(content, monkeypatch, *, quickly):
    monkeypatch.setattr(records, "_LARGE", 0 if quickly else 1 << 40)
    monkeypatch.setattr(plain_csv, "_BLOCK", 24)
    try:
        return [list(map(list, zip(*chunk, strict=True))) for chunk in open_source(content, "t.csv").chunks()]
    except DatasetRejected as refused:
        return str(refused)

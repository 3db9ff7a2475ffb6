"""Reading a table: what is read, and how each bad file is refused in one line that says what to change."""

import gzip
import hashlib
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import DatasetRejected
from models.training import source as source_module
from models.training.header import MAX_COLUMNS
from models.training.table import parse_table, read_table
from tests.models.tables import csv_bytes

GOOD = "name,size,kind\nada,1,a\nbob,2,b\n"


def parse(text):
    return parse_table(text if isinstance(text, bytes) else text.encode(), "t.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_told_apart(delimiter):
    """Comma, semicolon, tab and bar are recognised by how evenly they cut, quoted ones not counted."""
    text = delimiter.join(["name", "note", "size"]) + "\n" + delimiter.join(["ada", '"a, b; c | d\t"', "1"]) + "\n"

    assert parse(text).columns == {"name": ["ada"], "note": ["a, b; c | d\t"], "size": ["1"]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
def test_unicode_encodings_are_told_apart(encoding):
    """UTF-8 with or without mark, and UTF-16 by its mark."""
    text = "städte,größe\nköln,1\n東京,2\n"
    content = {
        "utf-16-le-bom": b"\xff\xfe" + text.encode("utf-16-le"),
        "utf-16-be-bom": b"\xfe\xff" + text.encode("utf-16-be"),
    }.get(encoding) or text.encode(encoding)

    assert parse(content).columns == {"städte": ["köln", "東京"], "größe": ["1", "2"]}


def test_windows_1252_is_read_and_said():
    """A file from an older spreadsheet is read, and the reader is told how."""
    table = parse("städte,größe,preis\nköln,1,5€\n".encode("cp1252"))

    assert table.columns["preis"] == ["5€"]
    assert "Windows-1252" in table.warnings[0]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_do_not_matter(ending):
    """Unix, Windows and old Macintosh."""
    assert parse(GOOD.replace("\n", ending)).columns["kind"] == ["a", "b"]


def test_quoted_cells_keep_their_line_breaks_and_quotes():
    """A quoted cell may hold the delimiter, quotes and line breaks."""
    assert parse('a,b\n"x\ny, ""z""",1\n').columns == {"a": ['x\ny, "z"'], "b": ["1"]}


def test_cells_are_kept_as_written():
    """Leading zeros, blanks, signs and words for missing reach the profile untouched."""
    assert parse("id,x\n007, +1\n010,NA\n").columns == {"id": ["007", "010"], "x": [" +1", "NA"]}


def test_names_lose_their_outer_blanks():
    """`a, b` names the columns a and b."""
    assert list(parse("a, b\n1,2\n").columns) == ["a", "b"]


def test_blank_lines_and_a_missing_last_line_break_do_not_matter():
    """Editors leave both."""
    assert parse("\n\na,b\n1,2\n\n3,4").columns == {"a": ["1", "3"], "b": ["2", "4"]}


def test_an_unnamed_row_count_in_front_is_left_out():
    """Data frames write their index without a name."""
    assert list(parse(",a,b\n0,x,1\n1,y,2\n").columns) == ["a", "b"]


def test_gzip_is_unpacked(tmp_path):
    """A gzip file is read by its content, whatever its name."""
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode()))

    assert read_table(path).rows == 2


def test_reading_tells_how_far_it_is(tmp_path):
    """A large file takes seconds: every chunk is told."""
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 45_000)
    told = []

    read_table(path, on_rows=told.append)

    assert told == [20_000, 40_000, 45_000]


def test_digest_is_of_the_file(tmp_path):
    """The card names the file by the SHA-256 of its bytes."""
    path = tmp_path / "t.csv"
    path.write_bytes(GOOD.encode())

    assert read_table(path).sha256 == hashlib.sha256(GOOD.encode()).hexdigest()


def _workbook() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return packed.getvalue()


BAD = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n ", "is empty"),
    "names only": (b"a,b\n", "no rows"),
    "one column": (b"a\n1\n2\n", "one column"),
    "one column of prose": (b"just some words\nand more of them\n", "one column"),
    "two columns of one name": (b"a,b,a\n1,2,3\n", "more than one column named 'a'"),
    "names equal but for blanks": (b"a, a\n1,2\n", "more than one column named 'a'"),
    "a column without a name": (b"a,,c\n1,2,3\n", "no name for column 2"),
    "several columns without a name": (b",a,\n1,2,3\n", "no name for column 3"),
    "an unnamed first column of words": (b",a,b\nx,1,2\n", "no name for column 1"),
    "no line of names": (b"5.1,3.5,a\n4.9,3.0,b\n", "row of numbers"),
    "a quote left open": (b'a,b\n1,"x\n2,y\n', "broken quoting"),
    "text behind a quote": (b'a,b\n1,"x"y\n', "broken quoting at line 2"),
    "a short row": (b"a,b,c\n1,2,3\n4,5\n", "2 cells on line 3"),
    "a long row": (b'a,b,c\n"1\n1",2,3\n4,5,6,7\n', "4 cells on line 4"),
    "a NUL": (b"a,b\n1,2\n3,\x004\n", "NUL byte on line 3"),
    "UTF-16 without mark": ("a,b\n1,2\n".encode("utf-16-le"), "NUL byte on line 1"),
    "a NUL in UTF-16": ("a,b\n1,\0\n".encode("utf-16"), "NUL character"),
    "broken UTF-16": (b"\xff\xfea\x00,\x00b\x00\n\x00\x00\xd8a\x00", "neither UTF-8"),
    "Shift JIS": (("都市,大きさ\n" + "東京都千代田区,1\n" * 9).encode("shift_jis"), "neither UTF-8"),
    "random bytes": (bytes(range(1, 256)) * 8, "neither UTF-8"),
    "a workbook": (_workbook(), "Excel workbook"),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + b"\0" * 99, "Excel workbook"),
    "damaged Parquet": (b"PAR1" + b"\0" * 99, "damaged Parquet"),
    "a damaged gzip": (gzip.compress(GOOD.encode())[:-9], "damaged gzip"),
    "a gzip of nothing": (gzip.compress(b""), "is empty"),
    "too many columns": (
        csv_bytes([f"c{i}" for i in range(MAX_COLUMNS + 1)], [range(MAX_COLUMNS + 1)]),
        "the limit is 1000",
    ),
    "an endless cell": (b"a,b\n1," + b"x" * 200_000 + b"\n", "broken quoting"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_one_line(case):
    """Each refusal names the file, is one line, and says what is wrong where."""
    content, reason = BAD[case]

    with pytest.raises(DatasetRejected) as refused:
        parse_table(content, "t.csv")

    assert reason in str(refused.value)
    assert str(refused.value).startswith("t.csv")
    assert "\n" not in str(refused.value)


def test_a_file_of_three_gigabytes_is_refused_without_reading_it(tmp_path):
    """The limit is said together with what to do; a sparse file proves that nothing was read."""
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)

    with pytest.raises(DatasetRejected, match=r"large\.csv is 3000 MB; the limit is 2000 MB: keep a random sample"):
        read_table(path)


def test_a_small_gzip_of_a_large_file_is_refused(monkeypatch):
    """A gzip file is unpacked no further than the limit."""
    monkeypatch.setattr(source_module, "MAX_MEGABYTES", 1)

    with pytest.raises(DatasetRejected, match="over 1 MB; the limit is 1 MB"):
        parse_table(gzip.compress(b"a,b\n" + b"1,2\n" * 300_000), "t.csv.gz")


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, name):
    """No such file, or a folder: said plainly."""
    with pytest.raises(DatasetRejected, match="cannot be read"):
        read_table(tmp_path / name)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content):
    """Whatever the bytes, the outcome is a table or a refusal; never another exception."""
    try:
        table = parse_table(content, "t.csv")
    except DatasetRejected:
        return
    assert len({len(cells) for cells in table.columns.values()}) == 1


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=30))
def test_what_a_csv_writer_writes_is_read_back(rows):
    """Quotes, delimiters and line breaks inside cells survive the way through a file."""
    table = parse_table(csv_bytes(["first", "second", "third"], rows), "t.csv")

    assert list(zip(*table.columns.values(), strict=True)) == rows

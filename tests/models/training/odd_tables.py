"""Tables that a reader of columns could stumble over, the same ones in every run."""

import gzip
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd

ROWS = 1200

_MISSING = ("", "NA", "n/a", " NA ", "nan", "NaN", "-nan", "NULL", "None", "?", "#N/A", "\u00a0null\u00a0", "\x1fna")
NO_NUMBERS = ("1_000", "0x1A", "1d5", "inf", "-Infinity", "1e400", "4e38", "nan(1)", "1e", ".", "-", "1,5", "abc", "é")
ODD_NUMBERS = (
    " 12.5",
    "13.25 ",
    "+5.5",
    "1e2",
    "-0.0",
    "+nan",
    "\u0663\u0664",
    "\uff11\uff12.5",
    "\t7.5",
    "\u00a08.5",
    "5.",
    ".5",
    "1E-3",
)


def _numbers(seed: int = 0) -> list[str]:
    return [repr(number) for number in np.random.default_rng(seed).normal(40, 9, ROWS).round(6).tolist()]


def _with(cells: Sequence[str], odd: Sequence[str], every: int, first: int = 0) -> list[str]:
    """Put odd cells in between."""
    mixed = list(cells)
    for place, row in enumerate(range(first, len(mixed), every)):
        mixed[row] = odd[place % len(odd)]
    return mixed


def csv_text(columns: dict[str, Sequence[str]], delimiter: str = ",", line: str = "\n") -> str:
    """Write cells as a careful program does: in quotes only where they have to be."""

    def cell(text: str) -> str:
        return (
            '"' + text.replace('"', '""') + '"' if any(mark in text for mark in (delimiter, '"', "\n", "\r")) else text
        )

    rows = [columns, *zip(*columns.values(), strict=True)]
    return "".join(delimiter.join(map(cell, row)) + line for row in rows)


def numbers() -> dict[str, Sequence[str]]:
    """Columns of numbers, each with another thing in between."""
    random = np.random.default_rng(1)
    whole = [str(number) for number in random.permutation(ROWS * 3)[:ROWS].tolist()]
    return {
        "plain": _numbers(),
        "gaps": _with(_numbers(1), ("",), 7),
        "words": _with(_numbers(2), _MISSING, 5),
        "few odd": _with(_numbers(3), NO_NUMBERS, 90, 3),
        "many odd": _with(_numbers(4), NO_NUMBERS, 3),
        "late odd": _with(_numbers(5), NO_NUMBERS, 100, 950),
        "written oddly": _with(_numbers(6), ODD_NUMBERS, 4),
        "everything": _with(_with(_numbers(7), ODD_NUMBERS, 5), (*_MISSING, "x.y"), 11),
        "whole": whole,
        "whole with point": _with(whole, ("12.0",), 400, 850),
        "whole and text": _with(whole, ("a.b",), 400, 850),
        "whole with words": _with(whole, _MISSING, 9),
        "signed": [f"{number:+d}" for number in range(-ROWS // 2, ROWS - ROWS // 2)],
        "late code": _with(whole, ("007",), 450, 1000),
        "padded code": _with(whole, (" 0\u0664",), 450, 1000),
        "codes": [f"{int(number):07}" for number in whole],
        "counter": [str(number) for number in range(5, ROWS + 5)],
        "huge": [f"{number}e37" for number in random.integers(1, 60, ROWS).tolist()],
        "long": ["0." + "1234567890" * 4 + str(number) for number in range(ROWS)],
        "all missing": _with([""] * ROWS, _MISSING, 2),
        "same": ["7"] * ROWS,
    }


def texts() -> dict[str, Sequence[str]]:
    """Columns of texts: few, many, long, in need of quotes, hard to tell from something else."""
    random = np.random.default_rng(2)
    words = (
        "red",
        " red",
        "red ",
        "Grün",
        'the "big" one',
        "a,b",
        "two\nlines",
        "end\r\nof line",
        '"',
        "日本",
        "z;z",
        "|",
    )
    return {
        "colour": random.choice(words, ROWS).tolist(),
        "town": [f"town {number}" for number in (random.zipf(1.3, ROWS) % 450).tolist()],
        "note": [f'said "{number}", then\nwent' for number in random.integers(0, 10**6, ROWS).tolist()],
        "note with gaps": _with([f"note {number}" for number in range(ROWS)], _MISSING, 6),
        "key": [f"k-{number:x}" for number in random.permutation(ROWS).tolist()],
        "spread": [f"v{number}" for number in random.integers(0, ROWS // 3, ROWS).tolist()],
        "member": random.choice(["yes", "No", "TRUE", "false", ""], ROWS).tolist(),
        "bit": random.choice(["0", "1"], ROWS).tolist(),
        "digits": [str(number) for number in random.integers(0, 12, ROWS).tolist()],
        "y": random.choice(["a", "b"], ROWS, p=[0.97, 0.03]).tolist(),
    }


def dates() -> dict[str, Sequence[str]]:
    """Columns of dates and of numbers with commas."""
    random = np.random.default_rng(3)
    days = np.datetime64("2019-03-01") + random.integers(0, 2000, ROWS)
    moments = np.datetime64("2019-03-01T00:00:00") + random.integers(0, 10**8, ROWS)
    parts = [tuple(map(int, str(day).split("-"))) for day in days]
    amounts = random.normal(2000, 300, ROWS).round(2).tolist()
    return {
        "day": [str(day) for day in days],
        "moment": [str(moment).replace("T", " ") for moment in moments],
        "zoned": _with([f"{moment}+02:00" for moment in moments], ("", "later"), 50),
        "day first": [f"{day}/{month}/{year}" for year, month, day in parts],
        "month first": [f"{month}/{day}/{year}" for year, month, day in parts],
        "either": [f"{1 + day % 9}/{month}/{year}" for year, month, day in parts],
        "dots": [f"{day}.{month}.{year}" for year, month, day in parts],
        "decimal comma": [f"{amount:.2f}".replace(".", ",") for amount in amounts],
        "thousands": [f"{amount:,.2f}" for amount in amounts],
        "amount": [repr(amount + day) for amount, day in zip(amounts, range(ROWS), strict=True)],
        "late": random.choice(["yes", "no"], ROWS).tolist(),
    }


def repeated() -> dict[str, Sequence[str]]:
    """Rows that repeat others, and two that differ only in which column holds what."""
    random = np.random.default_rng(4)
    picked = random.integers(0, ROWS - 75, ROWS).tolist()
    return {
        "a": [f"a{number}" for number in picked],
        "b": [repr(number / 7) for number in picked],
        "c": [("x", "")[number % 2] for number in picked],
        "d": [("", "x")[number % 2] for number in picked],
        "price": [str(number * 3) for number in picked],
    }


def files() -> dict[str, bytes]:
    """Give the tables as files, by name."""
    texty, numeric, short = (
        csv_text(texts()),
        csv_text(numbers()),
        {name: cells[:60] for name, cells in texts().items()},
    )
    counted = {"": [str(number) for number in range(ROWS)], **dates()}
    frame = pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=ROWS, freq="37min"),
            "count": pd.array([None if row % 9 == 0 else row * 3 for row in range(ROWS)], dtype="Int64"),
            "share": np.random.default_rng(5).normal(size=ROWS),
            "half": np.random.default_rng(6).normal(size=ROWS).astype(np.float16),
            "kind": pd.Categorical(["a" if row % 3 else "b" for row in range(ROWS)]),
            "word": [None if row % 8 == 0 else f"w{row % 150}" for row in range(ROWS)],
        }
    )
    packed = io.BytesIO()
    frame.to_parquet(packed)
    return {
        "numbers.csv": numeric.encode(),
        "texts.csv": texty.encode(),
        "dates.csv": csv_text(dates()).encode(),
        "repeated.csv": csv_text(repeated()).encode(),
        "short.csv": csv_text(short).encode(),
        "marked.csv": b"\xef\xbb\xbf" + texty.encode(),
        "returns.csv": csv_text(texts(), line="\r\n").encode(),
        "old-mac.csv": csv_text(repeated(), line="\r").encode(),
        "blank-lines.csv": ("\n" + csv_text(repeated(), line="\n\n")).encode(),
        "unfinished.csv": csv_text(repeated()).rstrip("\n").encode(),
        "inner-quotes.csv": csv_text({**repeated(), "size": [f"{row} inch" for row in range(ROWS)]})
        .replace(" inch", '"')
        .encode(),
        "counted.csv": csv_text(counted).encode(),
        "semicolons.csv": csv_text(texts(), delimiter=";").encode("utf-8"),
        "tabs.tsv": csv_text(numbers(), delimiter="\t").replace("\t7.5", "7.5").encode("utf-16"),
        "windows.csv": csv_text(dates() | {"città": ["é", "ü"] * (ROWS // 2)}).encode("cp1252"),
        "packed.csv.gz": gzip.compress(csv_text(dates(), delimiter="|").encode(), mtime=0),
        "types.parquet": packed.getvalue(),
    }

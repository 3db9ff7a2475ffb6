"""The names of a table's columns, as its first line gives them."""

from collections import Counter
from collections.abc import Sequence

from models.errors import DatasetRejected

MAX_COLUMNS = 1000


def check_names(header: Sequence[str], name: str) -> list[str]:
    """Give a table's column names without outer blanks. Raises DatasetRejected."""
    names = [cell.strip() for cell in header]
    if len(names) > MAX_COLUMNS:
        raise DatasetRejected(
            f"{name} has {len(names)} columns; the limit is {MAX_COLUMNS}: drop the ones that cannot matter"
        )
    repeated = [column for column, count in Counter(names).items() if count > 1]
    if repeated and repeated != [""]:
        raise DatasetRejected(f"{name} has more than one column named {repeated[0]!r}: give every column its own name")
    unnamed = [index + 1 for index, column in enumerate(names) if not column]
    if unnamed and unnamed != [1]:
        raise DatasetRejected(
            f"{name} has no name for column {unnamed[-1]}: give every column a name in the first line"
        )
    if sum(map(_is_fraction, names)) * 2 > len(names) or (len(names) > 1 and all(map(_is_fraction, names[:2]))):
        raise DatasetRejected(f"{name} starts with a row of numbers: put a line of column names first")
    return names


def _is_fraction(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "." in cell

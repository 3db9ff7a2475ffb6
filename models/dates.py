"""Dates as numbers: the days since 1970-01-01, the time of day as their fraction. The rule that training and serving share.

A model file takes the number apart by itself (year, month, weekday, …), so nothing but text and number is known here.
Texts begin with the year; a column whose dates were written the other way round says so on its card (`written`). A time
with an offset is taken in UTC, one without as it stands. Times after 23:54 count as 23:54: at the precision of a float32
they would be rounded into the next day.
"""

import math
import re
import struct
from datetime import date, datetime, timedelta

EARLIEST = float(date.min.toordinal() - date(1970, 1, 1).toordinal())
LATEST = float(date.max.toordinal() - date(1970, 1, 1).toordinal())

_EPOCH = date(1970, 1, 1).toordinal()
_DAY = 86_400
_LAST_FRACTION = 255 / 256
_TIME = r"(?:(?:T|\s+)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/])(\d{{1,2}})\2(\d{{1,2}}){_TIME}", re.IGNORECASE | re.ASCII)
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([./-])(\d{{1,2}})\2(\d{{4}}){_TIME}", re.IGNORECASE | re.ASCII)
_LONGEST = 40


def day_number(text: str, written: str | None = None) -> float:
    """Read a date. Raises ValueError where the text is none, or where day and month could be mistaken for each other."""
    stripped = text.strip()
    if len(stripped) > _LONGEST:
        raise ValueError
    if found := _YEAR_FIRST.fullmatch(stripped):
        year, _, month, day, *time = found.groups()
    elif found := _YEAR_LAST.fullmatch(stripped):
        first, separator, second, year, *time = found.groups()
        if separator != "." and written is None:
            raise ValueError
        is_month_first = separator != "." and written == "month_first"
        day, month = (second, first) if is_month_first else (first, second)
    else:
        raise ValueError
    days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    return float(days) if time[0] is None else _with_time(days, *time)


def date_text(number: float) -> str:
    """Write a day number as the shortest text that is read as the same float32."""
    number = min(max(number, EARLIEST), LATEST)
    days = math.floor(number)
    midnight = datetime.fromordinal(days + _EPOCH)
    if number == days:
        return midnight.date().isoformat()
    moment = midnight + timedelta(microseconds=round((number - days) * _DAY * 1e6))
    for precision, step in (("minutes", 60), ("seconds", 1)):
        shown = (moment + timedelta(seconds=step / 2)).isoformat(timespec=precision)
        if _as_float32(day_number(shown)) == _as_float32(number):
            return shown
    return moment.isoformat(timespec="microseconds")


def _with_time(days: int, hour: str, minute: str, second: str | None, part: str | None, offset: str | None) -> float:
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:  # noqa: PLR2004  # as clocks have it
        raise ValueError
    seconds = int(hour) * 3600 + int(minute) * 60 + int(second or 0) + float(f"0.{part or 0}")
    if offset and offset[0] in "+-":
        digits = offset[1:].replace(":", "").ljust(4, "0")
        seconds -= (1 if offset[0] == "+" else -1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)
    passed, rest = divmod(seconds, _DAY)
    return days + passed + min(rest / _DAY, _LAST_FRACTION)


def _as_float32(number: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded

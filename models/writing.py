"""Predictions as JSON text, many at a time: all numbers are written by one call and cut into the rows' forms.

The text is what `orjson.dumps(OnnxModel.decode(...))` writes, in half the time: no dictionary is made per row.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from models.contract import IntervalNote

Numbers = NDArray[np.float64]


class ClassWriter:
    """Writes rows of probabilities, one form for each class that may win."""

    def __init__(self, classes: Sequence[str]) -> None:
        names = [_literal(name) for name in classes]
        members = b",".join(name + b":%b" for name in names)
        self._forms = [b'{"label":' + name + b',"probabilities":{' + members + b"}}" for name in names]

    def write(self, probabilities: Numbers, winners: Sequence[int]) -> bytes:
        """Write finite probabilities [N, K], N > 0, and which class wins each row."""
        forms = self._forms
        rows = _written(probabilities)[2:-2].split(b"],[")
        return _list(forms[winner] % (*row.split(b","),) for winner, row in zip(winners, rows, strict=True))


def write_values(values: Numbers, interval: IntervalNote | None) -> bytes:
    """Write finite values [N], N > 0, and the interval around each where there is one."""
    columns = [values] if interval is None else [values, values - interval.half_width, values + interval.half_width]
    form = b'{"value":%b}'
    if interval is not None:
        form = b'{"value":%b,"interval":{"low":%b,"high":%b,"coverage":' + orjson.dumps(interval.coverage) + b"}}"
    texts = [_written(column)[1:-1].split(b",") for column in columns]
    return _list(form % row for row in zip(*texts, strict=True))


def _written(numbers: Numbers) -> bytes:
    return orjson.dumps(np.ascontiguousarray(numbers), option=orjson.OPT_SERIALIZE_NUMPY)


def _list(rows: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(rows)


def _literal(name: str) -> bytes:
    """Write a name as JSON that may stand in a form."""
    return orjson.dumps(name).replace(b"%", b"%%")

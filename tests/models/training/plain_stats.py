"""The figures of a column as they were found cell by cell: slow, and what the quick way is held against."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from models.coercion import coerce_number
from models.errors import CoercionError
from models.training import column_stats
from models.training.facts import LEADING_ZERO, cell_text, facts_of
from models.training.sketch import Distinct, hashes_of


class PlainStats:
    """Stands in for `ColumnStats`, without Arrow but for how it gets its cells."""

    def __init__(self, name):
        self.name = name
        self.cells = []
        self.many = None

    @property
    def is_counted(self):
        return self.many is None

    @property
    def is_exact(self):
        return self.many is None or self.many.distinct.is_exact

    @property
    def total(self):
        return (self.many.sum, self.many.numeric) if self.many else (0.0, 0)

    def add(self, cells):
        texts = cells.to_pylist()
        if self.many is not None:
            self.many.add(texts)
        else:
            self.cells += texts
            if len(set(self.cells)) > column_stats._MAX_COUNTED:
                self.many = _PlainMany()
                self.many.add(self.cells)
        return hashes_of(texts, len(texts))

    def facts(self, sample):
        if self.many is None:
            return facts_of(self.name, Counter(self.cells))
        return self.many.over(facts_of(self.name, Counter(sample)))


class _PlainMany:
    def __init__(self):
        self.distinct = Distinct()
        self.rows = self.missing = self.numeric = 0
        self.sum = 0.0
        self.known = []
        self.is_whole, self.leading_zero, self.odd = True, None, None

    def add(self, cells):
        is_text = self.rows > column_stats._MAX_COUNTED and self.numeric < 0.01 * self.rows
        read = [(cell, _number(cell, is_text=is_text)) for cell in cells]
        present = [(cell, number) for cell, number in read if not math.isnan(number)]
        numbers = [number for _, number in present if math.isfinite(number)]
        self.missing += len(read) - len(present)
        self.rows += len(present)
        self.numeric += len(numbers)
        self.sum += float(np.sum(numbers))
        self.known += numbers
        self.distinct.add(hashes_of([cell for cell, _ in present], len(present)))
        if self.odd is None:
            self.odd = next((cell.strip() for cell, number in present if math.isinf(number)), None)
        if numbers and self.is_whole:
            zeros = (cell.strip() for cell, _ in present if cell[:1] in {"0", "+", "-", " "})
            self.leading_zero = self.leading_zero or next(filter(LEADING_ZERO.fullmatch, zeros), None)
            self.is_whole = all(map(float.is_integer, numbers)) and not any("." in cell for cell, _ in present)

    def over(self, sampled):
        zero = self.leading_zero or sampled.leading_zero
        distinct = min(self.distinct.count, self.rows)
        return replace(
            sampled,
            rows=self.rows,
            missing=self.missing,
            distinct=distinct,
            numeric=0 if zero else self.numeric,
            numbers=0 if zero else distinct if self.numeric == self.rows else sampled.numbers,
            is_whole=self.is_whole,
            minimum=min(self.known, default=math.inf),
            maximum=max(self.known, default=-math.inf),
            leading_zero=zero,
            odd=self.odd,
        )


def _number(cell, *, is_text):
    text = cell_text(cell)
    if not text:
        return math.nan
    try:
        return math.inf if is_text else coerce_number(text)
    except CoercionError:
        return math.inf

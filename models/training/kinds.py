"""Says what a column is, with the evidence, and whether a model can learn from it.

The same verdict for the profile of a data set and for a training run. Nothing is guessed: where a column can be read in
two ways (1,234 or 3/4/2024) it is left out until a person says which.
"""

import re
from itertools import islice

from models.coercion import Written, numeric_coercion
from models.training.corrections import corrected
from models.training.facts import Facts
from models.training.verdict import (
    ColumnType,
    Note,
    Verdict,
    constant,
    odd_cells,
    readable_share,
    reads_as_date,
    shorten,
    without_content,
)

MAX_CATEGORIES = 200
"""How many values of a category a model knows; rarer ones count as unseen."""

_COVERED_SHARE = 0.8  # of the rows, by the known categories: below it the column is free text
_DISTINCT_SHARE = 0.5  # of the rows: above it nearly every row has its own text
_ID_SHARE = 0.99
_FEW_DISTINCT = 10
_READABLE_SHARE = 0.95  # of the cells: a few odd words in a column of numbers or dates count as missing
_MUCH_MISSING = 0.4
_ID_NAME = re.compile(
    r"(?:^|.*[\W_])(?:id|ids|uuid|guid|index|rowid|rownames|row_?num(?:ber)?)$|^unnamed.*", re.IGNORECASE
)
_ID_NAME_CAMEL = re.compile(r".*[a-z]I[dD]$")
_LIKE_A_DATE = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}(?!\d).*|\d{1,2}[./-]\d{1,2}[./-]\d{4}(?!\d).*", re.DOTALL)
_TOKEN = re.compile(r"[\w.:/+=@-]+")
_SPELLINGS = 40  # of four truth words, in any mix of cases
_TRUTH_WORDS = frozenset({"true", "false", "yes", "no"})
_COMMA_NUMBER = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?|[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+,\d+|0,\d+|\d{4,},\d+|\d+,(?:\d{1,2}|\d{4,}))", re.ASCII)
_THOUSANDS_COMMA = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3})+\.\d+|(?:,\d{3}){2,})", re.ASCII)


def judge(facts: Facts, correction: str | None = None) -> Verdict:
    """Say what a column is, or what a person says it is. Raises DatasetRejected where that cannot be."""
    verdict = _judged(facts) if correction is None else corrected(facts, correction)
    if facts.missing_share >= _MUCH_MISSING and facts.rows:
        verdict.notes.append(Note("missing_much", f"has no value in {facts.missing_share:.0%} of the rows"))
    return verdict


def _judged(facts: Facts) -> Verdict:
    found = without_content(facts)
    if found is None and facts.distinct <= _SPELLINGS and {text.lower() for text in facts.counts} <= _TRUTH_WORDS:
        found = Verdict("boolean", "true or false throughout")
    if found is None and _is_numeric(facts):
        return _number(facts)
    if found is None and all(map(_LIKE_A_DATE.fullmatch, islice(facts.counts, 20))):
        found = _date(facts)
    if found is None and not facts.leading_zero:
        found = _comma_number(facts)
    return found or _text(facts)


def _is_numeric(facts: Facts) -> bool:
    all_numeric = facts.numeric == facts.rows
    return all_numeric or (facts.numeric >= _READABLE_SHARE * facts.rows and facts.numbers > _FEW_DISTINCT)


def _number(facts: Facts) -> Verdict:
    if facts.numbers == 1:
        return constant(f"its only value is {shorten(next(iter(facts.counts)))!r}")
    if facts.is_whole and facts.numbers >= facts.rows:
        if facts.maximum - facts.minimum + 1 == facts.rows:
            reason = "it counts the rows"
            return Verdict("id", reason, reason=reason, notes=[Note("row_counter", reason)])
        if _ID_NAME.match(facts.name) or _ID_NAME_CAMEL.match(facts.name):
            reason = "it is an id, another in every row"
            return Verdict("id", reason, reason=reason, notes=[Note("id", reason)])
    kind: ColumnType = "integer" if facts.is_whole else "number"
    notes = odd_cells(facts.rows - facts.numeric, facts.odd, "numbers")
    return Verdict(kind, "whole numbers throughout" if facts.is_whole else "numbers throughout", notes=notes)


def _date(facts: Facts) -> Verdict | None:
    ways: tuple[Written | None, ...] = (None, "day_first", "month_first")
    shares = {written: readable_share(facts, "date", written) for written in ways}
    if shares[None] >= _READABLE_SHARE:
        return _dated(facts, None, shares[None])
    if max(shares.values()) < _READABLE_SHARE:
        return None
    if shares["day_first"] == shares["month_first"]:
        example = shorten(next(iter(facts.counts)))
        reason = f"its dates can be read in two ways ({example}): say whether the day or the month comes first"
        return Verdict("date", reason, reason=reason, notes=[Note("ambiguous_date", reason)])
    written: Written = "day_first" if shares["day_first"] > shares["month_first"] else "month_first"
    return _dated(facts, written, shares[written])


def _dated(facts: Facts, written: Written | None, share: float) -> Verdict:
    how = {"day_first": ", the day first", "month_first": ", the month first"}.get(written or "", "")
    odd = next((text for text in facts.counts if not reads_as_date(text, written)), None)
    return Verdict(
        "date", f"dates throughout{how}", written, notes=odd_cells(round((1 - share) * facts.rows), odd, "dates")
    )


def _comma_number(facts: Facts) -> Verdict | None:
    """Judge numbers with commas: decimal where one cell proves it, thousands where one cell proves that."""
    sample = facts.counts.total()
    fitting = sum(count for text, count in facts.counts.items() if _COMMA_NUMBER.fullmatch(text))
    if fitting < _READABLE_SHARE * sample or not any("," in text for text in facts.counts):
        return None
    decimal = any(map(_DECIMAL_COMMA.fullmatch, facts.counts))
    thousands = any(map(_THOUSANDS_COMMA.fullmatch, facts.counts))
    example = next(text for text in facts.counts if "," in text)
    if decimal == thousands:
        reason = f"its commas can stand for decimals or for thousands ({shorten(example)}): say which"
        return Verdict("number", reason, reason=reason, notes=[Note("ambiguous_number", reason)])
    written: Written = "decimal_comma" if decimal else "thousands_comma"
    reading = f"{shorten(example)} as {numeric_coercion('number', written)(example):g}"
    notes = [Note("decimal_comma", f"is read with a comma before {_AFTER_COMMA[written]}: {reading}")]
    share = readable_share(facts, "number", written)
    notes += odd_cells(round((1 - share) * facts.rows), None, "numbers")
    return Verdict("number", f"numbers with a comma before {_AFTER_COMMA[written]}", written, notes=notes)


_AFTER_COMMA = {"decimal_comma": "decimals", "thousands_comma": "thousands"}


def _text(facts: Facts) -> Verdict:
    if facts.distinct > _FEW_DISTINCT:
        covered = sum(count for _, count in facts.ranked[:MAX_CATEGORIES]) / facts.counts.total()
        if facts.distinct > _DISTINCT_SHARE * facts.rows or covered < _COVERED_SHARE:
            return _free_text(facts)
    if facts.leading_zero:
        note = Note(
            "leading_zeros",
            f"holds codes such as {shorten(facts.leading_zero)!r}: read as texts, they keep their zeros",
        )
        return Verdict("category", f"codes with leading zeros, {facts.distinct} different", notes=[note])
    if facts.numeric:
        note = Note("mixed", f"mixes texts and numbers: {facts.numeric} of {facts.rows} cells are numbers")
        return Verdict("category", f"texts and numbers mixed, {facts.distinct} different", notes=[note])
    return Verdict("category", f"texts, {facts.distinct} different")


def _free_text(facts: Facts) -> Verdict:
    reason = f"it has {facts.distinct} different texts in {facts.rows} rows, ids or free text it seems"
    is_id = facts.distinct >= _ID_SHARE * facts.rows and all(map(_TOKEN.fullmatch, islice(facts.counts, 50)))
    kind: ColumnType = "id" if is_id else "text"
    return Verdict(kind, reason, reason=reason, notes=[Note("id" if is_id else "free_text", reason)])

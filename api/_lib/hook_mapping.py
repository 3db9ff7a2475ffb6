"""How a payload becomes rows for a model: by column name, by paths, by constants.

A mapping is what people write; `Mapper` is a mapping and a card, ready to use. Nothing is guessed in silence: a path that
finds nothing is an error that names the place, and so is a payload in which no feature is found.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic import Field

from api._lib.errors import RequestInvalid, RowsInvalid
from api._lib.hook_paths import MISSING, Path, PathInvalid, escaped, read_path
from api._lib.schema import Sent
from models.coercion import coerce_category, numeric_coercion
from models.contract import Card
from models.errors import CoercionError

MAX_ROWS = 1000
"""Of one delivery. More rows are what batches are for."""

WRITTEN_COLUMNS = ("score", "label", "version", "predicted_at")
"""What a hook writes into a row, behind its prefix."""

_MAX_KEY_CHARACTERS = 200
_SAMPLE_NAMES = 5

Scalar = str | int | float | bool | None
Problems = list[tuple[str, str]]


class Constant(Sent):
    """The same value for every row."""

    constant: Scalar = Field(examples=["web"])


class HookMapping(Sent):
    """How a payload becomes rows. What is not said is taken by column name."""

    rows: str | None = Field(
        default=None,
        description="Where the row is, or with [*] at the end, where the list of rows is. Absent: `record` of a database "
        "webhook, `records` or `data` of a message, else the payload itself",
        examples=["$.data.lines[*]"],
    )
    features: dict[str, str | Constant] = Field(
        default_factory=dict,
        max_length=500,
        description="Path or constant of a feature; `$` starts at the payload, `@` at the row. Features that are not named "
        "here are taken from the row's column of the same name",
        examples=[{"age": "$.record.person.age", "channel": {"constant": "web"}}],
    )
    key: dict[str, str] = Field(
        default_factory=dict,
        max_length=8,
        description="Path of each column that names the source row, for writing back; absent: the column of that name",
        examples=[{"id": "@.id"}],
    )


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a payload became."""

    rows: list[dict[str, Any]]
    keys: list[dict[str, Scalar]]
    """Key of each row in the source table; empty where none is asked for."""
    places: list[str] = field(repr=False)
    """Where each row stands in the payload, as a JSON pointer."""


class Mapper:
    """A mapping for one card."""

    def __init__(
        self, mapping: HookMapping, card: Card, *, key_columns: Sequence[str] = (), written: Collection[str] = ()
    ) -> None:
        """Read the paths; `written` are the columns that predictions are written to.

        Raises:
            RequestInvalid: one is no path, or there is no such feature; the pointers start at the mapping.
        """
        errors: Problems = []
        self.features = [feature.name for feature in card.features]
        self._required = {feature.name for feature in card.features if feature.required}
        self._rows = _read(mapping.rows, "#/rows", errors, may_be_many=True) if mapping.rows else None
        self._constants: dict[str, Scalar] = {}
        self._paths: dict[str, Path] = {}
        for name, source in mapping.features.items():
            self._add_feature(card, name, source, errors)
        self._keys = {column: Path("@", (column,)) for column in key_columns}
        for column, text in mapping.key.items():
            if path := _read(text, f"#/key/{escaped(column)}", errors):
                self._keys[column] = path
        for name, path in self.all_paths().items():
            if path.steps[-1:] and path.steps[-1] in written:
                why = f"the column {path.steps[-1]!r} is written by this hook: a prediction must not feed on itself"
                errors.append((f"#/features/{escaped(name)}", why))
        if errors:
            raise RequestInvalid(f"{errors[0][0].removeprefix('#/')}: {errors[0][1]}", errors=errors)

    def _add_feature(self, card: Card, name: str, source: str | Constant, errors: Problems) -> None:
        place = f"#/features/{escaped(name)}"
        feature = next((each for each in card.features if each.name == name), None)
        if feature is None:
            near = get_close_matches(name, self.features, n=1)
            errors.append((place, "the model has no such feature" + (f"; did you mean {near[0]!r}?" if near else "")))
        elif isinstance(source, Constant):
            is_text = feature.kind == "category"
            coerce = coerce_category if is_text else numeric_coercion(feature.kind, feature.written)
            try:
                coerce(source.constant)
            except CoercionError as error:
                errors.append((f"{place}/constant", error.detail))
            self._constants[name] = source.constant
        elif path := _read(source, place, errors):
            self._paths[name] = path

    def apply(self, payload: object) -> Mapped:
        """Make rows of a payload.

        Raises:
            RowsInvalid: something that the mapping names is not in it; the pointers are places in the payload.
        """
        found = self._find_rows(payload)
        errors: Problems = []
        rows = [self._make_row(payload, row, place, errors) for row, place in found]
        if rows and not any(rows) and not errors:
            sample = ", ".join(self.features[:_SAMPLE_NAMES])
            errors.append((found[0][1], f"none of the model's features is here; it reads {sample}"))
        keys = [self._make_key(payload, row, place, errors) for row, place in found] if self._keys else []
        if errors:
            raise RowsInvalid(f"{errors[0][0]}: {errors[0][1]}", errors=errors)
        return Mapped(rows, keys, [place for _, place in found])

    def reads_same(self, payload: object, other: object) -> bool:
        """Tell whether two payloads give the same rows."""
        try:
            return self.apply(payload).rows == self.apply(other).rows
        except RowsInvalid:
            return False

    def place_of(self, name: str, row_place: str) -> str:
        """Say where in the payload a feature of a row comes from."""
        path = self._paths.get(name)
        return path.pointer(row_place) if path else f"{row_place}/{escaped(name)}"

    def sources(self) -> dict[str, str]:
        """Say of each feature where it comes from: a path or `constant`."""
        paths = self.all_paths()
        return {name: _written(paths[name]) if name in paths else "constant" for name in self.features}

    def needs(self, name: str) -> bool:
        """Whether a row must have this feature: the model requires it, or the mapping names its place."""
        return name in self._required or name in self._paths

    def all_paths(self) -> dict[str, Path]:
        """Say of each feature that is no constant where it is looked for."""
        by_name = {name: Path("@", (name,)) for name in self.features if name not in self._constants}
        return by_name | self._paths

    def _make_row(self, payload: object, row: Mapping[str, Any], place: str, errors: Problems) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name in self.features:
            if name in self._constants:
                made[name] = self._constants[name]
            elif path := self._paths.get(name):
                value = path.find(payload, row)
                if value is MISSING:
                    errors.append((path.pointer(place), f"nothing is here, where the mapping looks for {name!r}"))
                else:
                    made[name] = value
            elif name in row:
                made[name] = row[name]
        return made

    def _make_key(self, payload: object, row: object, place: str, errors: Problems) -> dict[str, Scalar]:
        made: dict[str, Scalar] = {}
        for column, path in self._keys.items():
            value = path.find(payload, row)
            if value is MISSING or value is None:
                errors.append((path.pointer(place), f"nothing is here, where the key {column!r} of the row should be"))
            elif (
                not isinstance(value, str | int | float) or len(str(value)) > _MAX_KEY_CHARACTERS or "\0" in str(value)
            ):
                errors.append((path.pointer(place), "a key is a short text or a number"))
            else:
                made[column] = value
        return made

    def _find_rows(self, payload: object) -> list[tuple[Mapping[str, Any], str]]:
        found, place, is_many = _default_rows(payload, "#")
        if self._rows is not None:
            found, place, is_many = self._rows.find(payload), self._rows.pointer(), self._rows.is_many
        if found is MISSING or (is_many and not isinstance(found, list)):
            what = "a list of rows" if is_many else "the row"
            raise RowsInvalid(f"{place}: {what} should be here", errors=[(place, f"{what} should be here")])
        each = [(row, f"{place}/{index}") for index, row in enumerate(found)] if is_many else [(found, place)]
        if not 0 < len(each) <= MAX_ROWS:
            raise RowsInvalid(f"{place}: 1 to {MAX_ROWS} rows are expected", errors=[(place, f"{len(each)} rows")])
        errors = [(where, "a row is an object of columns") for row, where in each if not isinstance(row, Mapping)]
        if errors:
            raise RowsInvalid(f"{errors[0][0]}: {errors[0][1]}", errors=errors)
        return each


def _default_rows(payload: object, place: str) -> tuple[Any, str, bool]:
    """Find the row, or the list of rows, in a payload of a known shape."""
    match payload:
        case {"records": list(rows)}:
            return rows, f"{place}/records", True
        case {"record": dict(row)}:
            return row, f"{place}/record", False
        case {"data": dict() | list() as data} if place == "#":
            return _default_rows(data, "#/data")
        case list():
            return payload, place, True
    return payload, place, False


def _read(text: str, place: str, errors: Problems, *, may_be_many: bool = False) -> Path | None:
    try:
        return read_path(text, may_be_many=may_be_many)
    except PathInvalid as error:
        errors.append((place, str(error)))
        return None


def _written(path: Path) -> str:
    """Write a path the usual way."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path.steps]
    return path.start + "".join(steps)

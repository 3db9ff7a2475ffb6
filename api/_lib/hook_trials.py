"""What a payload would become, without any of it happening."""

from collections.abc import Sequence
from typing import Any

from api._lib import engines, registry
from api._lib.errors import ApiError, RequestInvalid, RowsInvalid
from api._lib.hook_doors import Door
from api._lib.hook_mapping import Mapper
from api._lib.hook_payloads import check_change, is_unchanged, why_ignored
from api._lib.hook_receiving import mapper_of, predict
from api._lib.hook_schemas import Tried, TriedRow
from api._lib.problems import FieldProblem


async def check_mapping(door: Door, *prefix: str) -> None:
    """Refuse a mapping that does not fit the model, each place named.

    Raises:
        ApiError: it does not, or there is no such version.
    """
    _, engine = await _find(door)
    try:
        mapper_of(door, engine)
    except RequestInvalid as error:
        before = "".join(f"/{part}" for part in prefix)
        errors = [(f"#{before}{pointer.removeprefix('#')}", detail) for pointer, detail in error.errors]
        raise RequestInvalid(f"{'.'.join(prefix)}.{error.detail}" if prefix else error.detail, errors=errors) from None


async def find_mapper(door: Door) -> Mapper:
    """Read a hook's mapping for the version that answers now."""
    _, engine = await _find(door)
    return mapper_of(door, engine)


async def try_payload(door: Door, payload: Any) -> Tried:
    """Map a payload and predict, as receiving would."""
    found, engine = await _find(door)
    mapper = mapper_of(door, engine)
    tried = Tried(
        outcome="refused",
        reason=None,
        version=found.version.number,
        sources=mapper.sources(),
        rows=[],
        errors=[],
        warnings=[],
    )
    try:
        if door.kind == "supabase":
            check_change(payload)
        if reason := _why_ignored(payload, mapper, door.markers):
            return tried.model_copy(update={"outcome": "ignored", "reason": reason})
        mapped = mapper.apply(payload)
        keys = iter(mapped.keys)
        tried.rows += [
            TriedRow(place=place, features=row, key=next(keys, None), prediction=None)
            for place, row in zip(mapped.places, mapped.rows, strict=True)
        ]
        said = predict(engine, mapper, mapped)
    except (RequestInvalid, RowsInvalid) as error:
        return tried.model_copy(update={"reason": error.detail, "errors": _problems(error)})
    for row, prediction in zip(tried.rows, said.predictions, strict=True):
        row.prediction = dict(prediction)
    warnings = [FieldProblem(**warning) for warning in said.warnings]
    return tried.model_copy(update={"outcome": "predicted", "warnings": warnings})


async def _find(door: Door) -> tuple[registry.Found, Any]:
    found = await registry.resolve(door.reference, door.owner)
    return found, engines.peek(found.version.digest) or await engines.find(found.version.digest)


def _why_ignored(payload: Any, mapper: Mapper, markers: Sequence[str]) -> str | None:
    if reason := why_ignored(payload, markers):
        return reason
    return "nothing that the model reads has changed" if is_unchanged(payload, mapper, markers) else None


def _problems(error: ApiError) -> list[FieldProblem]:
    return [FieldProblem(pointer=pointer, detail=detail) for pointer, detail in error.errors]

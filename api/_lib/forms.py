"""In which form a caller wants the answer: JSON, or a table as CSV for whoever asks for it."""

import asyncio
from functools import lru_cache

import orjson

from api._lib import engines, log, result_table
from api._lib.errors import NotAcceptable
from api._lib.hot import HotAnswer
from api._lib.inference_schemas import PREDICTION_ID
from api._lib.questions import Question
from api._lib.serving import Granted

VERSION_HEADER = "x-rowcast-version"
"""Names model and version where the body has no place for it."""

_SHORT_BYTES = 8 * 1024
"""Rows are read once more for the table: some sixty take a millisecond."""

_CSV = "text/csv"
_JSON = ("application/json", "application/*", "*/*")


def refuse_explained_table(question: Question) -> None:
    """Refuse what a table cannot hold, before it is worked out.

    Raises:
        NotAcceptable: an explanation is asked for, and CSV.
    """
    if question.is_explained:
        raise NotAcceptable("Explanations come as JSON only: leave out 'accept: text/csv', or 'explain'")


async def as_table(answer: HotAnswer, question: Question, granted: Granted) -> HotAnswer:
    """Write an answer anew as CSV: the rows as they were sent, what was predicted beside each.

    What a table has no place for goes into headers: the prediction's id, and which version answered.
    """
    digest = granted.found.version.digest
    card = (engines.peek(digest) or await engines.find(digest)).card

    def write() -> bytes:
        predictions = orjson.loads(answer.body)["predictions"]
        return result_table.write_table(question.read().to_rows(), predictions, card)

    body = write() if len(answer.body) <= _SHORT_BYTES else await asyncio.to_thread(write)
    version = granted.found.version.number
    name = granted.found.slug if version is None else f"{granted.found.slug}@{version}"
    headers = [
        *answer.headers,
        (PREDICTION_ID.encode(), log.current().prediction_id.encode()),
        (VERSION_HEADER.encode(), name.encode()),
    ]
    return HotAnswer(body, headers, answer.after, media_type=b"text/csv; charset=utf-8")


@lru_cache(maxsize=64)
def wants_csv(accept: bytes) -> bool:
    """Read an `Accept` header (RFC 9110, 12.5.1): CSV must be named, and JSON must not be liked better, or named before."""
    liked: dict[str, float] = {}
    for part in accept.decode("latin-1").lower().split(","):
        media_type, *parameters = (each.strip() for each in part.split(";"))
        liked.setdefault(media_type, _quality(parameters))
    csv = liked.get(_CSV, 0.0)
    named = liked.get(_JSON[0])
    if named is not None:
        first = next(each for each in liked if each in {_CSV, _JSON[0]})
        return csv > named or (csv == named > 0 and first == _CSV)
    return csv > 0 and csv >= max((liked[each] for each in _JSON if each in liked), default=0.0)


def _quality(parameters: list[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0

"""Creating calls under an Idempotency-Key: claimed before they run, ended with their answer."""

from typing import Any, Literal, NamedTuple

from api._lib.upstream import SERVICE, call

LEASE_SECONDS = 75
"""Longer than a function may run: whoever holds a claim for that long is dead."""


class Claim(NamedTuple):
    """What is known about a call: it is ours to carry out, somebody is at it, it ended, or the key belongs to another."""

    state: Literal["claimed", "running", "ended", "other"]
    claim_id: str | None
    made_id: str | None
    is_repeated: bool
    status: int | None
    answer: str | None
    wait_seconds: int


async def claim(caller_id: str, key_hash: str, fingerprint: str) -> Claim:
    """Begin a call under a key, or learn what became of it."""
    sent = {"caller": caller_id, "key_hash": key_hash, "fingerprint": fingerprint, "lease_seconds": LEASE_SECONDS}
    response = await call("POST", "/rest/v1/rpc/claim_idempotency_key", rights=SERVICE, json=sent)
    return Claim(**response.json()[0])


async def end(claim_id: str, outcome: Literal["answered", "refused", "unknown"], **answered: Any) -> None:
    """End a claimed call; `answered` takes the `status` and the `answer` that whoever asks again gets."""
    sent = {"claim": claim_id, "outcome": outcome, "status": None, "answer": None, **answered}
    await call("POST", "/rest/v1/rpc/end_idempotent_call", rights=SERVICE, json=sent, is_repeatable=True)

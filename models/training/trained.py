"""What a training ends in, and what a file that was brought along becomes."""

from dataclasses import dataclass

from models.contract import Card


@dataclass(frozen=True)
class Trained:
    """A certified version that exists in memory only: give it to `write` or to a registry."""

    card: Card
    model: bytes

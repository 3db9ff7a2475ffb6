"""Letters as pixels, so that a function can write on an image without a font engine.

`glyphs.bin` is drawn from the site's own typeface (Geist, SIL Open Font License 1.1) by `tests/api/draw_glyphs.py`: one
line of JSON, which tells for each size how tall its letters are and how wide each one is, then the zlib-packed rows of
all letters, one byte of cover per pixel.
"""

import json
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("glyphs.bin")


@dataclass(frozen=True)
class Letters:
    """All letters of one size: each a row of pixels per line, top to bottom."""

    height: int
    rows: dict[str, list[bytes]]

    def width(self, text: str) -> int:
        """Say how many pixels a text takes; letters that there are none of take nothing."""
        return sum(len(self.rows[letter][0]) for letter in text if letter in self.rows)


@cache
def letters(size: str) -> Letters:
    """Read the letters of one size: `title`, `figure` or `text`."""
    head, _, packed = _FILE.read_bytes().partition(b"\n")
    pixels = memoryview(zlib.decompress(packed))
    at = 0
    found: dict[str, Letters] = {}
    for name, told in json.loads(head).items():
        rows = {}
        for letter, width in told["widths"].items():
            rows[letter] = [bytes(pixels[at + y * width : at + (y + 1) * width]) for y in range(told["height"])]
            at += width * told["height"]
        found[name] = Letters(told["height"], rows)
    return found[size]


def drawable(text: str) -> str:
    """Leave of a text what can be drawn: accents that there are no letters for go, and so does every other script."""
    known = letters("text").rows
    plain = (
        letter if letter in known else unicodedata.normalize("NFKD", letter)[0] for letter in " ".join(text.split())
    )
    return "".join(letter for letter in plain if letter in known).strip()

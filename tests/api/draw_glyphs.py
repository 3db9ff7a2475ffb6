"""Draws `api/_lib/glyphs.bin` anew from the site's typeface: `python -m tests.api.draw_glyphs`, after `npm ci`."""

import json
import zlib
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_ROOT = Path(__file__).parents[2]
_FONTS = [
    _ROOT / f"node_modules/@fontsource-variable/geist/files/geist-{part}-wght-normal.woff2"
    for part in ("latin", "latin-ext")
]
_SIZES = {"title": (76, 650), "figure": (112, 650), "text": (34, 450)}
"""Name: pixels and weight."""
_LATIN = [chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x180), *map(ord, "–—‘’“”…€"))]  # noqa: RUF001  typographic quotes are meant
_FIGURES = list("0123456789.,%-+<> ")


def main() -> None:
    """Draw every letter of every size."""
    head: dict[str, dict[str, object]] = {}
    pixels = b""
    for name, (size, weight) in _SIZES.items():
        fonts = [ImageFont.truetype(path, size) for path in _FONTS]
        for font in fonts:
            font.set_variation_by_axes([weight])
        ascent, descent = fonts[0].getmetrics()
        widths = {}
        for letter in _FIGURES if name == "figure" else _LATIN:
            font = next((each for each in fonts if _has(each, letter)), None)
            width = round(font.getlength(letter)) if font else 0
            if font is None or width == 0:
                continue
            widths[letter] = width
            image = Image.new("L", (widths[letter], ascent + descent))
            ImageDraw.Draw(image).text((0, 0), letter, fill=255, font=font)
            pixels += image.tobytes()
        head[name] = {"height": ascent + descent, "widths": widths}
    packed = json.dumps(head, separators=(",", ":")).encode() + b"\n" + zlib.compress(pixels, 9)
    (_ROOT / "api/_lib/glyphs.bin").write_bytes(packed)


def _has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    """Tell whether a font draws this letter as something else than what it draws for one that it has not."""
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\U0010ffff"))


if __name__ == "__main__":
    main()

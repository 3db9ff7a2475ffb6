"""The picture of a model that link previews show: its title, what it predicts, and its score beside the baseline's.

A PNG of 256 colours, written with the standard library alone: letters are rows of bytes (`glyphs`), a colour is a ramp of
shades between it and the background, and drawing is putting translated bytes into a canvas.
"""

import struct
import zlib
from collections.abc import Iterator

from api._lib.glyphs import Letters, drawable, letters
from models.contract import Card, Metric

WIDTH, HEIGHT = 1200, 630
_MARGIN = 84
_PAPER = (251, 251, 249)
_COLOURS = {"ink": (20, 24, 23), "muted": (88, 97, 94), "accent": (10, 115, 99), "line": (224, 227, 222)}
_SHADES = 64
_RAMPS = {name: number * _SHADES for number, name in enumerate(_COLOURS)}
_BAR_Y, _BAR_HEIGHT = 528, 14
_FIGURE_Y, _BESIDE_Y = 390, 461
_TITLE_LINES = 2
_NAMES = {"roc_auc": "ROC AUC", "r2": "R²", "mae": "Mean absolute error", "rmse": "Root mean squared error", "f1": "F1"}


def draw(title: str, card: Card) -> bytes:
    """Draw a model's picture, 1200 × 630, as PNG. A title in a script that there are no letters for gives way to the slug."""
    canvas = [bytearray(WIDTH) for _ in range(HEIGHT)]
    _mark(canvas)
    _write(canvas, "Rowcast", "text", _MARGIN + 66, 77, "ink")
    slogan = "Row in, prediction out."
    _write(canvas, slogan, "text", WIDTH - _MARGIN - letters("text").width(slogan), 77, "muted")
    y = 164
    for line in _lines(drawable(title) or card.name, letters("title"), WIDTH - 2 * _MARGIN):
        _write(canvas, line, "title", _MARGIN, y, "ink")
        y += 88
    kinds = f"one of {len(card.classes)}" if card.classes else "a number"
    told = f"predicts {card.target}, {kinds} · {len(card.features)} inputs · {card.dataset.rows:,} rows"
    _write(canvas, _fit(drawable(told), letters("text"), WIDTH - 2 * _MARGIN), "text", _MARGIN, y + 12, "muted")
    metric = headline(card)
    if metric:
        _score(canvas, card, metric)
    return _png(canvas)


def headline(card: Card) -> Metric | None:
    """Find the score to show where there is room for one, as the site's gallery does."""
    by_name = {metric.name: metric for metric in card.evaluation.metrics}
    primary = [metric for metric in card.evaluation.metrics if metric.primary]
    return next((by_name[name] for name in ("accuracy", "r2") if name in by_name), None) or next(iter(primary), None)


def metric_name(name: str) -> str:
    """Write a score's name for people."""
    return _NAMES.get(name, name.replace("_", " ").capitalize())


def figure(value: float) -> str:
    """Write a score with three significant digits."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"  # noqa: PLR2004


def _score(canvas: list[bytearray], card: Card, metric: Metric) -> None:
    shown = figure(metric.value)
    _write(canvas, shown, "figure", _MARGIN, _FIGURE_Y, "accent")
    x = _MARGIN + letters("figure").width(shown) + 24
    _write(canvas, metric_name(metric.name), "text", x, _BESIDE_Y, "ink")
    baseline = next((each for each in card.evaluation.baseline if each.name == metric.name), None)
    if baseline:
        text = f"baseline {figure(baseline.value)}"
        _write(canvas, text, "text", WIDTH - _MARGIN - letters("text").width(text), _BESIDE_Y, "muted")
    if metric.better == "lower":
        return
    length = WIDTH - 2 * _MARGIN
    _fill(canvas, _MARGIN, _BAR_Y, length, _BAR_HEIGHT, "line")
    _fill(canvas, _MARGIN, _BAR_Y, round(length * min(1.0, max(0.0, metric.value))), _BAR_HEIGHT, "accent")
    if baseline:
        at = _MARGIN + round(length * min(1.0, max(0.0, baseline.value)))
        _fill(canvas, at, _BAR_Y - 8, 4, _BAR_HEIGHT + 16, "ink")


def _mark(canvas: list[bytearray]) -> None:
    x, y, unit = _MARGIN, 76, 1.5
    _fill(canvas, x, y, 48, 48, "accent")
    for left, shade in ((5.0, 0.45), (12.5, 0.2), (20.0, 0.0)):
        _fill(canvas, x + round(left * unit), y + 19, 9, 11, "accent", shade)


def _write(canvas: list[bytearray], text: str, size: str, x: int, y: int, colour: str) -> None:
    table = _table(colour)
    drawn = letters(size)
    for letter in text:
        rows = drawn.rows.get(letter, [])
        for down, row in enumerate(rows):
            if any(row):  # what is above and below a letter stays
                canvas[y + down][x : x + len(row)] = row.translate(table)
        x += len(rows[0]) if rows else 0


def _fill(canvas: list[bytearray], x: int, y: int, width: int, height: int, colour: str, shade: float = 1.0) -> None:
    value = _RAMPS[colour] + round(shade * (_SHADES - 1))
    for row in canvas[y : y + height]:
        row[x : x + width] = bytes([value]) * width


def _table(colour: str) -> bytes:
    """Make of a pixel's cover the number of its shade."""
    return bytes(_RAMPS[colour] + cover * (_SHADES - 1) // 255 for cover in range(256))


def _lines(text: str, drawn: Letters, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if drawn.width(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _TITLE_LINES:
        lines = [*lines[: _TITLE_LINES - 1], " ".join(lines[_TITLE_LINES - 1 :])]
    return [_fit(line, drawn, width) for line in lines]


def _fit(text: str, drawn: Letters, width: int) -> str:
    """Cut a line that is too long, and say so."""
    if drawn.width(text) <= width:
        return text
    while text and drawn.width(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _png(canvas: list[bytearray]) -> bytes:
    rows = b"".join(b"\0" + bytes(row) for row in canvas)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", header), (b"PLTE", bytes(_palette())), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _palette() -> Iterator[int]:
    for colour in _COLOURS.values():
        for shade in range(_SHADES):
            for paper, ink in zip(_PAPER, colour, strict=True):
                yield round(paper + (ink - paper) * shade / (_SHADES - 1))

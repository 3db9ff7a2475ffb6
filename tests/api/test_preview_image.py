"""The picture that link previews show: whatever a model is called, it is drawn whole."""

from api._lib import preview_image
from api._lib.glyphs import drawable, letters


def test_titles_are_drawn_or_left_out_never_broken():
    """Accents that there are letters for stay, others lose them, and scripts that there are none for leave nothing."""
    assert drawable("Île  d'Été\n€ – ž") == "Île d'Été € – ž"
    assert drawable("\u1e9d\u1eb9") == "e"
    assert drawable("日本語") == ""


def test_each_letter_is_as_tall_as_its_size():
    """The file holds for each letter as many pixels as its table says."""
    for size in ("title", "figure", "text"):
        drawn = letters(size)
        assert all(len(rows) == drawn.height and len({len(row) for row in rows}) == 1 for rows in drawn.rows.values())
        assert drawn.width("10") == len(drawn.rows["1"][0]) + len(drawn.rows["0"][0])
        assert any(any(row) for row in drawn.rows["0"])


def test_scores_are_written_with_few_digits():
    assert [preview_image.figure(value) for value in (0.98765, 53.2, 12345.6)] == ["0.988", "53", "12,346"]

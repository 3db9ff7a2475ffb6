"""Both files or neither."""

from pathlib import Path

import pytest

from models.contract import Card
from models.runtime import OnnxModel
from models.training import CARD_FILE, MODEL_FILE, write
from models.training.gallery import bundle
from tests.models.samples import trained


def test_what_is_written_can_be_opened(tmp_path):
    """A model and its card in a new folder, and nothing else."""
    folder = tmp_path / "deep" / "folder"

    write(trained("binary"), folder)

    card = Card.model_validate_json((folder / CARD_FILE).read_text(encoding="utf-8"))
    assert card == trained("binary").card
    assert OnnxModel.open(folder / MODEL_FILE, card).predict(card.examples)
    assert sorted(path.name for path in folder.iterdir()) == [CARD_FILE, MODEL_FILE]


def test_writing_again_replaces_both(tmp_path):
    """The later version wins, other files stay."""
    (tmp_path / "notes.txt").write_text("mine")
    write(trained("binary"), tmp_path)

    write(trained("regression"), tmp_path)

    assert Card.model_validate_json((tmp_path / CARD_FILE).read_text()).task == "regression"
    assert (tmp_path / MODEL_FILE).read_bytes() == trained("regression").model
    assert sorted(path.name for path in tmp_path.iterdir()) == [CARD_FILE, MODEL_FILE, "notes.txt"]


@pytest.mark.parametrize("failing", range(1, 5))
def test_a_failed_move_leaves_what_was_there(tmp_path, monkeypatch, failing):
    """Whichever of the four moves fails, the earlier version is whole and nothing else is left behind."""
    write(trained("binary"), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    moves = []
    honest = Path.rename

    def rename(self, target):
        moves.append(target)
        if len(moves) == failing:
            raise OSError(28, "No space left on device")
        return honest(self, target)

    monkeypatch.setattr(Path, "rename", rename)

    with pytest.raises(OSError, match="No space left"):
        write(trained("regression"), tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("failing", range(1, 3))
def test_a_failed_first_write_leaves_nothing(tmp_path, monkeypatch, failing):
    """Neither file without the other."""
    moves = []
    honest = Path.rename

    def rename(self, target):
        moves.append(target)
        if len(moves) == failing:
            raise OSError(5, "Input/output error")
        return honest(self, target)

    monkeypatch.setattr(Path, "rename", rename)

    with pytest.raises(OSError, match="Input/output"):
        write(trained("binary"), tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    """The new card cannot be written: the earlier version stays."""
    write(trained("binary"), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fsync(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)

    with pytest.raises(OSError, match="No space left"):
        write(trained("regression"), tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_champion_is_bundled_for_the_gallery(tmp_path):
    """Both files in a folder of its slug, opened once to be sure."""
    place = bundle(trained(), "made", tmp_path)

    assert place == tmp_path / "made"
    assert sorted(path.name for path in place.iterdir()) == ["card.json", "model.onnx"]

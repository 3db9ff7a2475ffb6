"""Puts a trained version into a folder: both files or neither."""

import os
from pathlib import Path

from models.training.trained import Trained

MODEL_FILE = "model.onnx"
CARD_FILE = "card.json"


def write(trained: Trained, folder: Path) -> None:
    """Write `model.onnx` and `card.json`, replacing earlier ones only when both new ones are safely on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {MODEL_FILE: trained.model, CARD_FILE: trained.card.model_dump_json(indent=2).encode() + b"\n"}
    waiting = {name: folder / f".{name}.{os.getpid()}.new" for name in contents}
    kept = {name: folder / f".{name}.{os.getpid()}.old" for name in contents}
    try:
        for name, content in contents.items():
            _write_durably(waiting[name], content)
        _swap(folder, waiting, kept)
    finally:
        for path in (*waiting.values(), *kept.values()):
            path.unlink(missing_ok=True)


def _swap(folder: Path, waiting: dict[str, Path], kept: dict[str, Path]) -> None:
    """Move the new files into place; if one move fails, put everything back."""
    moved: list[str] = []
    try:
        for name, new in waiting.items():
            if (folder / name).exists():
                (folder / name).rename(kept[name])
            moved.append(name)
            new.rename(folder / name)
    except OSError:
        for name in moved:
            (folder / name).unlink(missing_ok=True)
            if kept[name].exists():
                kept[name].rename(folder / name)
        raise


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

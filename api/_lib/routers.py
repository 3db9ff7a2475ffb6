"""All functions' routers, for whoever needs the API as a whole."""

import importlib
from pathlib import Path

from fastapi import APIRouter

FOLDER = Path(__file__).resolve().parents[1]


def load_routers() -> list[APIRouter]:
    """Import every `api/<name>.py`; a name with an underscore in front is no URL."""
    names = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    return [importlib.import_module(f"api.{name}").router for name in names]

"""Takes out of built functions what Python never loads there: the builder bundles packages as they were installed.

A function is fetched and unpacked at each cold start. What goes is a second copy of the engine (for programs in C; Python's
module has its own), the engine's tools for making models, the tests of numpy and its bridge to Fortran, and the installer.
"""

import json
import re
from pathlib import Path

_NEVER_LOADED = re.compile(
    r"_vendor/(?:"
    r"onnxruntime/capi/libonnxruntime\.so[.\d]*"
    r"|onnxruntime/(?:transformers|quantization|tools|datasets|backend)/.+"
    r"|numpy/(?:.+/)?tests/.+"
    r"|numpy/f2py/.+"
    r"|pip/.+"
    r")"
)


def slim(output: Path) -> int:
    """Take it out of every function below `output` (`.vercel/output`); doing it again changes nothing.

    Returns:
        How many files went, counted for each function.
    """
    return sum(_slim_function(config) for config in output.glob("functions/**/.vc-config.json"))


def is_never_loaded(name: str) -> bool:
    """Tell whether a file, named by its path inside a function, can be left out."""
    return _NEVER_LOADED.fullmatch(name) is not None


def _slim_function(config_file: Path) -> int:
    config = json.loads(config_file.read_text(encoding="utf-8"))
    mapped = config.get("filePathMap", {})
    kept = {name: path for name, path in mapped.items() if not is_never_loaded(name)}
    if len(kept) < len(mapped):
        config_file.write_text(json.dumps(config | {"filePathMap": kept}), encoding="utf-8")
    folder = config_file.parent
    copies = [
        path for path in folder.rglob("*") if path.is_file() and is_never_loaded(path.relative_to(folder).as_posix())
    ]
    for path in copies:
        path.unlink()
    return len(mapped) - len(kept) + len(copies)

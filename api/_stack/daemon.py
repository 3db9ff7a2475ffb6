"""The stack without a terminal: started by `up --detach`, ended by `down`. What it says goes to its log."""

import sys
import threading

from api._stack.errors import StackError
from api._stack.interrupts import interruptible
from api._stack.settings import Settings
from api._stack.stack import Stack


def main() -> int:
    """Run until a signal ends it."""
    stack = Stack(Settings.load(), on_event=_say)
    with interruptible():
        try:
            stack.start()
            threading.Event().wait()
        except StackError as error:
            _say(f"error: {error}")
            return 1
        except KeyboardInterrupt:
            _say("stopping")
        finally:
            stack.stop()
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

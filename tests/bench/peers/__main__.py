"""`python -m tests.bench.peers`: what `./rowcast bench --peers` runs."""

import argparse
import signal
import sys

from rich.console import Console
from rich.table import Table

from tests.bench.peers.environments import CannotInstall
from tests.bench.peers.measure import ROUNDS, STARTS, Comparison, compare
from tests.bench.peers.peers import PEERS, ROWCAST
from tests.bench.peers.results import RESULTS, markdown, table

EXIT_ENDED = 143


def main() -> int:
    """Measure, show, and write if asked."""
    parser = argparse.ArgumentParser(prog="rowcast bench --peers")
    parser.add_argument("--write", action="store_true", help="write tests/bench/RESULTS.md")
    parser.add_argument("--only", action="append", choices=list(PEERS), help="a peer; may be given several times")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often everybody takes a turn")
    parser.add_argument("--starts", type=int, default=STARTS, help="how many cold starts of each")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_ENDED))  # so that all that was started is ended
    say = Console(stderr=True, highlight=False).print
    try:
        found = compare(say, asked.only or tuple(PEERS), max(1, asked.rounds), max(1, asked.starts))
    except CannotInstall as error:
        say(f"The peers could not be installed: {error}")
        return 1
    _show(found)
    if asked.write:
        RESULTS.write_text(markdown(found), encoding="utf-8")
        say(f"written to {RESULTS}")
    is_whole = all(any(score.name == ROWCAST for score in scores) for scores in found.scores.values())
    return 0 if is_whole and not found.missing else 1


def _show(found: Comparison) -> None:
    console = Console(width=180)
    for model in found.scores:
        lines = table(found, model)
        shown = Table(*lines[0], box=None, pad_edge=False, title=model)
        for line in lines[1:]:
            shown.add_row(*line)
        console.print(shown)
    for name, why in found.missing.items():
        console.print(f"left out: {name}: {why}", markup=False)
    console.print(", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in found.sizes.items()))


if __name__ == "__main__":
    sys.exit(main())

"""What a process remembers between requests, within bounds."""

REMEMBERED = 4096


def remember[Key, Value](memory: dict[Key, Value], key: Key, value: Value, *, limit: int = REMEMBERED) -> None:
    """Keep a value; the one kept longest makes room when there are too many."""
    if key not in memory and len(memory) >= limit:
        memory.pop(next(iter(memory)), None)
    memory[key] = value

"""A child that works is heard, whatever takes long."""

import threading

from api._jobs import voice
from api._jobs.voice import Voice


def test_a_silence_is_broken_with_what_was_said_last(monkeypatch):
    """Loading and reading tell nothing by themselves for seconds."""
    monkeypatch.setattr(voice, "SILENCE_SECONDS", 0.01)
    told, is_heard = [], threading.Event()

    def tell(event):
        told.append(event)
        if len(told) > 3:
            is_heard.set()

    mouth = Voice(tell)
    with mouth.beating():
        mouth.tell({"kind": "stage", "message": "Reading", "progress": 0.25, "stage": "read"})
        assert is_heard.wait(30)

    assert told[0]["stage"] == "read"
    assert told[1] == {"kind": "tick", "message": "Reading", "progress": 0.25}


def test_events_are_passed_on_as_they_are_and_nothing_after_the_end(monkeypatch):
    """What a training tells reaches the worker unchanged."""
    monkeypatch.setattr(voice, "SILENCE_SECONDS", 60.0)
    told = []
    mouth = Voice(told.append)

    with mouth.beating():
        mouth.say("Reading the table: 20,000 rows")
        mouth.tell({"kind": "trial", "score": 0.5})

    assert told == [
        {"kind": "tick", "message": "Reading the table: 20,000 rows", "progress": 0.0},
        {"kind": "trial", "score": 0.5},
    ]

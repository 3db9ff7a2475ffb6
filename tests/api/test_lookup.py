"""What is kept for a moment: never too old, asked for once, and worth having while nobody answers."""

import asyncio
from collections.abc import Sequence

import pytest

from api._lib import lookup
from api._lib.circuit import Circuit
from api._lib.errors import RequestInvalid, Unavailable
from api._lib.lookup import Lookup


class World:
    """A database with a clock: counts how often it is asked, and may be down."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.is_down = False
        self.value = "first"
        self.together: list[list[str]] = []
        circuit = Circuit(1, self._clock)
        self.lookup: Lookup[str, str] = Lookup(max_age=2, stale=100, circuit=circuit, clock=self._clock)
        self.joint: Lookup[str, str] = Lookup(
            max_age=2, stale=100, circuit=circuit, clock=self._clock, ask_together=self._ask_together
        )

    def _clock(self) -> float:
        return self.now

    async def _ask(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise Unavailable("down")
        return self.value

    async def _ask_together(self, keys: Sequence[str]) -> dict[str, str]:
        self.together.append(sorted(keys))
        value = await self._ask()
        return dict.fromkeys(keys, value)

    async def get_joint(self, *keys: str) -> list[str]:
        return [await self.joint.get(key, self._ask) for key in keys]

    async def get(self, key: str = "key") -> str:
        return await self.lookup.get(key, self._ask)

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


def run(steps) -> World:
    """Run a story in a world of its own."""
    world = World()
    asyncio.run(steps(world))
    return world


def test_answer_is_asked_once_for_many_callers():
    """Callers at the same time and callers shortly after share one question."""

    async def story(world: World) -> None:
        assert await asyncio.gather(*(world.get() for _ in range(50))) == ["first"] * 50
        assert await world.get() == "first"

    assert run(story).asked == 1


def test_keys_do_not_share():
    """Another key is another question."""

    async def story(world: World) -> None:
        await world.get("one")
        await world.get("two")

    assert run(story).asked == 2


def test_renewal_happens_behind_the_callers_back():
    """In the second half of its life an answer is renewed, and nobody waits for it."""

    async def story(world: World) -> None:
        await world.get()
        world.value = "second"
        world.now += 1.5
        assert await world.get() == "first"
        await world.settle()
        assert await world.get() == "second"

    assert run(story).asked == 2


def test_nothing_older_than_its_age_is_told():
    """Past its age an answer is asked for again before anybody is told."""

    async def story(world: World) -> None:
        await world.get()
        world.value = "second"
        world.now += 2
        assert await world.get() == "second"

    run(story)


def test_last_answer_goes_on_while_nobody_answers():
    """In an outage the last answer is told, the first caller finds out, the next ones do not wait."""

    async def story(world: World) -> None:
        await world.get()
        world.is_down = True
        world.now += 10
        assert [await world.get() for _ in range(5)] == ["first"] * 5
        assert world.asked == 2
        world.now += 1.1
        assert await world.get() == "first"
        await world.settle()
        assert world.asked == 3
        world.is_down, world.value = False, "second"
        world.now += 1.1
        await world.get()
        await world.settle()
        assert await world.get() == "second"

    run(story)


def test_what_was_never_known_is_unavailable():
    """Without an earlier answer there is none, and the circuit spares the next callers the wait."""

    async def story(world: World) -> None:
        world.is_down = True
        for _ in range(3):
            with pytest.raises(Unavailable):
                await world.get()

    assert run(story).asked == 1


def test_answer_is_not_told_for_ever():
    """Past the stale limit an outage is an outage."""

    async def story(world: World) -> None:
        await world.get()
        world.is_down = True
        world.now += 101
        with pytest.raises(Unavailable):
            await world.get()

    run(story)


def test_caller_who_leaves_does_not_end_it_for_others():
    """A cancelled request does not take the shared question with it."""

    async def story(world: World) -> None:
        first = asyncio.create_task(world.get())
        second = asyncio.create_task(world.get())
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "first"

    assert run(story).asked == 1


def test_forgotten_answer_is_asked_again():
    """What this process changed itself, it asks about again at once."""

    async def story(world: World) -> None:
        await world.get()
        world.value = "second"
        world.lookup.forget(lambda key: key == "key")
        assert await world.get() == "second"

    run(story)


def test_answers_in_use_are_renewed_by_one_question():
    async def story(world: World) -> None:
        await world.get_joint("a", "b", "c")
        world.value = "second"
        world.now += 1.1

        assert await world.get_joint("b", "a", "c") == ["first"] * 3
        await world.settle()

        assert world.together == [["a", "b", "c"]]
        assert [world.joint.peek(key) for key in "abc"] == ["second"] * 3

    assert run(story).asked == 4


def test_what_nobody_wants_any_more_is_left_to_grow_old():
    async def story(world: World) -> None:
        await world.get_joint("a", "b", "idle")
        for _ in range(30):
            world.now += 1.1
            await world.get_joint("a", "b")
            await world.settle()

        assert world.together[0] == ["a", "b", "idle"]
        assert world.together[-1] == ["a", "b"]
        assert len(world.together) == 30

    run(story)


def test_a_question_about_many_is_bounded(monkeypatch: pytest.MonkeyPatch):
    """The rest is asked for by whoever wants it next."""
    monkeypatch.setattr(lookup, "TOGETHER", 2)

    async def story(world: World) -> None:
        await world.get_joint("a", "b", "c")
        await world.get_joint("a", "b", "c")
        world.now += 1.1
        await world.get_joint("a", "b", "c")
        await world.settle()
        assert all(world.joint.is_fresh(key) for key in "abc")

    assert [len(keys) for keys in run(story).together] == [2]


def test_a_joint_question_that_fails_costs_nobody_an_answer():
    """The answers go on; once the database is back they are renewed, each as before."""

    async def story(world: World) -> None:
        await world.get_joint("a", "b")
        await world.get_joint("a", "b")
        world.now += 1.1
        world.is_down = True
        assert await world.get_joint("a", "b") == ["first"] * 2
        await world.settle()
        assert await world.get_joint("a", "b") == ["first"] * 2
        world.is_down, world.value = False, "second"
        world.now += 1.5

        await world.get_joint("a", "b")
        await world.settle()

        assert await world.get_joint("a", "b") == ["second"] * 2

    run(story)


def test_answers_that_grew_too_old_come_back_together():
    """Nobody is told what is too old; the first one's question brings the others' answers along."""

    async def story(world: World) -> None:
        await world.get_joint("a", "b", "c")
        world.value = "second"
        world.now += 5

        assert await asyncio.gather(*(world.joint.get(key, world._ask) for key in "abc")) == ["second"] * 3

        assert world.together == [["a", "b", "c"]]

    assert run(story).asked == 4


def test_a_question_that_sleeps_with_its_process_keeps_nobody_waiting():
    """A platform may put a process to sleep while it asks; whoever comes then asks anew."""

    async def story(world: World) -> None:
        await world.get_joint("a", "b")
        world.now += 1.1
        never = asyncio.Event()
        asking = world._ask_together
        world.joint._ask_together = lambda _keys: never.wait()
        assert await world.get_joint("a") == ["first"]
        await world.settle()
        world.joint._ask_together, world.value = asking, "second"
        world.now += 5

        assert await asyncio.wait_for(world.get_joint("b"), 1) == ["second"]

    run(story)


def test_a_question_about_many_that_is_refused_harms_no_other():
    """Whatever one of the keys has done to it, each is asked for by itself then."""

    async def story(world: World) -> None:
        await world.get_joint("a", "b")
        world.now += 5
        world.value = "second"

        async def refuse(_keys: Sequence[str]) -> dict[str, str]:
            raise RequestInvalid("too much of a question")

        world.joint._ask_together = refuse

        assert await world.get_joint("a", "b") == ["second"] * 2

    assert run(story).asked == 4


def test_an_answer_that_is_held_is_current_until_it_is_renewed_or_forgotten():
    """Whoever holds it learns of both at once, and never holds one that is too old."""

    async def steps(world: World) -> None:
        assert world.lookup.hold("key") is None
        await world.get()
        held = world.lookup.hold("key")
        assert held is not None
        assert (held.value, held.renew_at, held.good_until) == ("first", world.now + 1, world.now + 2)

        world.value, world.now = "second", world.now + 1.5
        assert held.is_current()
        assert await world.get() == "first"  # renewed behind the caller's back
        await world.settle()
        assert not held.is_current()

        again = world.lookup.hold("key")
        assert again is not None
        assert (again.value, again.is_current()) == ("second", True)
        world.lookup.forget(lambda key: key == "key")
        assert not again.is_current()

        await world.get()
        world.now += 2
        assert world.lookup.hold("key") is None

    run(steps)

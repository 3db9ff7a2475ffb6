"""What is kept for a moment: never too old, asked for once, and worth having while nobody answers."""

import asyncio

import pytest

from api._lib.circuit import Circuit
from api._lib.errors import Unavailable
from api._lib.lookup import Lookup


class World:
    """A database with a clock: counts how often it is asked, and may be down."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.is_down = False
        self.value = "first"
        self.lookup: Lookup[str, str] = Lookup(max_age=2, stale=100, circuit=Circuit(1, self._clock), clock=self._clock)

    def _clock(self) -> float:
        return self.now

    async def _ask(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise Unavailable("down")
        return self.value

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

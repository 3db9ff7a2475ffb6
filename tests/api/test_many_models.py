"""One instance that serves many models asks the database little, and still sees a promotion within two seconds."""

import itertools
import time

from tests.api.conftest import Publisher, api_process
from tests.api.forwarder import Forwarder
from tests.api.tiny import build
from tests.conftest import RunningStack, User

ROW = {"length": 1, "width": 2, "island": "Dream"}
MODELS = 12
ROUND_SECONDS = 3.0
_QUESTION = b"GET /rest/v1/models?"


def test_models_in_use_are_looked_up_together(
    stack: RunningStack, publisher: Publisher, analyst: User, unique: str, tmp_path
):
    """Each by itself they would be some forty questions in the time."""
    slugs = [f"{unique}-{number}" for number in range(MODELS)]
    for slug in slugs:
        publisher.publish(slug, build(slug), build(slug, seed=1), owner=analyst)
    with Forwarder(stack.supabase_url) as supabase, api_process(stack, tmp_path, SUPABASE_URL=supabase.url) as client:

        def ask(slug: str) -> int:
            answer = client.post(f"/api/predict/{slug}", json=ROW)
            assert answer.status_code == 200
            assert "x-rowcast-degraded" not in answer.headers
            return answer.json()["version"]

        def ask_all(seconds: float) -> None:
            ends_at = time.monotonic() + seconds
            for slug in itertools.cycle(slugs):
                ask(slug)
                if time.monotonic() > ends_at:
                    return

        ask_all(2.0)
        before = sum(line.startswith(_QUESTION) for line in supabase.asked)
        ask_all(ROUND_SECONDS)
        asked = sum(line.startswith(_QUESTION) for line in supabase.asked) - before

        assert 1 <= asked <= MODELS
        with stack.connect() as connection:
            connection.execute(
                "select private.move_alias(v.model_id, 'champion', v.id, 'better', '{}', null)"
                " from public.versions v join public.models m on m.id = v.model_id where m.slug = %s and v.number = 2",
                (slugs[0],),
            )
        ask_all(2.0)
        assert [ask(slugs[0]), ask(slugs[1])] == [2, 1]

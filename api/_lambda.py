"""The same API on AWS Lambda: behind API Gateway (REST or HTTP), a function URL or a load balancer.

`api._lambda.handler` is the function's handler. It answers whole: what is done behind an answer (the prediction log) is done
before it leaves, because a Lambda sleeps from then on. WebSockets do not come this way; runs are followed by polling.
"""

import asyncio
from typing import Any

from mangum import Mangum

from api._lib.app import create_app
from api._lib.problems import PROBLEM_MEDIA_TYPE
from api._lib.routers import load_routers

_TEXTS = ["text/", "application/json", PROBLEM_MEDIA_TYPE]
"""What leaves as it is; everything else, and what is packed with gzip, leaves in base64."""

# One loop for the life of the process: connections to Supabase and the key-value store belong to it.
asyncio.set_event_loop(asyncio.new_event_loop())

_answer = Mangum(create_app(*load_routers()), lifespan="off", text_mime_types=_TEXTS)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one event."""
    return _answer(event, context)

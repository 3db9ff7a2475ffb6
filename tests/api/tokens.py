"""Tokens as an issuer would make them, and as nobody should."""

import asyncio
import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from api._lib import auth
from api._lib.callers import Caller

CLAIMS = {"sub": "01a20000-0000-7000-8000-000000000001", "aud": "authenticated", "role": "authenticated"}


def identify(credential: str) -> Caller:
    """Name the caller who sends a token."""
    return asyncio.run(auth.identify(f"Bearer {credential}", None))


def claims(**changes: Any) -> dict[str, Any]:
    """Compose the claims of a good token, with changes; None takes one away."""
    made = {**CLAIMS, "exp": int(time.time()) + 600, **changes}
    return {name: value for name, value in made.items() if value is not None}


def encode(part: dict[str, Any]) -> str:
    """Write a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


class Issuer:
    """A hosted project's Auth: publishes its keys over HTTP and signs with them."""

    def __init__(self) -> None:
        self.keys = {"one": ec.generate_private_key(ec.SECP256R1())}
        self.asked = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                published = [
                    {
                        **json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())),
                        "kid": name,
                        "alg": "ES256",
                        "use": "sig",
                    }
                    for name, key in issuer.keys.items()
                ]
                body = json.dumps({"keys": published}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def sign(self, kid: str = "one", **changes: Any) -> str:
        made = claims(iss=f"{self.url}/auth/v1", **changes)
        return jwt.encode(made, self.keys[kid], algorithm="ES256", headers={"kid": kid})

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

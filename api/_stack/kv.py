"""The key-value store: Redis from the wheel, and the HTTP door in front of it that speaks Upstash's protocol."""

import socket
from pathlib import Path

import httpx

from api._stack import tools
from api._stack.processes import Service
from api._stack.secrets import Secrets
from api._stack.settings import Settings

_DOOR = Path(__file__).with_name("kv_door.mjs")


def redis_service(settings: Settings, known: Secrets) -> Service:
    """Describe the Redis process; its password is in a file, because arguments can be seen by every user."""
    data = settings.home / "redis"
    data.mkdir(mode=0o700, exist_ok=True)
    config = data / "redis.conf"
    config.touch(mode=0o600)
    config.write_text(
        f"bind 127.0.0.1\nport {settings.ports.redis}\nrequirepass {known.redis_password}\n"
        f"dir {data}\nsave 60 1\nappendonly no\nmaxmemory 256mb\nmaxmemory-policy noeviction\n",
        encoding="utf-8",
    )
    return Service(
        name="redis",
        command=[str(tools.redis_server()), str(config)],
        environ=tools.base_environ(),
        cwd=data,
        log=settings.logs / "redis.log",
        is_ready=lambda: is_listening(settings.ports.redis),
    )


def is_listening(port: int) -> bool:
    """Tell whether something takes connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def door_service(settings: Settings, known: Secrets) -> Service:
    """Describe the HTTP door; it waits for Redis by itself."""
    return Service(
        name="kv",
        command=[str(tools.node()), str(_DOOR)],
        environ={
            **tools.base_environ(),
            "KV_PORT": str(settings.ports.kv),
            "KV_TOKEN": known.kv_token,
            "REDIS_URL": f"redis://:{known.redis_password}@127.0.0.1:{settings.ports.redis}",
        },
        cwd=settings.home,
        log=settings.logs / "kv.log",
        is_ready=lambda: is_answering(settings, known),
    )


def is_answering(settings: Settings, known: Secrets) -> bool:
    """Tell whether a command sent to the door reaches Redis."""
    headers = {"Authorization": f"Bearer {known.kv_token}"}
    try:
        answer = httpx.post(settings.kv_url, headers=headers, json=["PING"], timeout=2, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.is_success

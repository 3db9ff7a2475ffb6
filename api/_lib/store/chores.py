"""What a worker does from time to time, asked for by those who are none."""

from api._lib.upstream import SERVICE, call


async def request() -> int:
    """Ask for the periodic chores and wake a worker where one can be woken; returns how many jobs wait."""
    return int((await call("POST", "/rest/v1/rpc/request_chores", rights=SERVICE, json={})).json())

"""The bytes in Storage: datasets that people upload, models and results that the worker wrote."""

import asyncio
from collections.abc import AsyncGenerator
from http import HTTPStatus
from urllib.parse import parse_qs, urlencode, urlsplit

from api._lib.errors import NotFound, Unavailable
from api._lib.settings import settings
from api._lib.upstream import SERVICE, Rights, call, client, service_headers

DATASETS = "datasets"
MODELS = "models"
RESULTS = "results"
_CHUNK_BYTES = 256 * 1024
_FETCH_SECONDS = 30.0


async def sign_upload(object_path: str, rights: Rights) -> str:
    """Return an address to which one dataset may be PUT within two hours."""
    path = f"/storage/v1/object/upload/sign/{DATASETS}/{object_path}"
    signed = (await call("POST", path, rights=rights, json={})).json()
    query = parse_qs(urlsplit(signed.get("url") or signed["signedUrl"]).query)
    return f"{settings().supabase_url}{path}?token={query['token'][0]}"


async def sign_download(path: str, filename: str, *, seconds: int) -> str:
    """Return an address from which a result can be fetched for some time, by whoever was told that it exists."""
    signing = f"/storage/v1/object/sign/{RESULTS}/{path}"
    signed = (await call("POST", signing, rights=SERVICE, json={"expiresIn": seconds}, is_repeatable=True)).json()
    token = parse_qs(urlsplit(signed.get("signedURL") or signed["signedUrl"]).query)["token"][0]
    return f"{settings().supabase_url}{signing}?{urlencode({'token': token, 'download': filename})}"


async def find_upload_size(object_path: str, rights: Rights) -> int | None:
    """Return how many bytes of a dataset have arrived; None if nothing has."""
    try:
        response = await call("GET", f"/storage/v1/object/info/{DATASETS}/{object_path}", rights=rights)
    except NotFound:
        return None
    said = response.json()
    return int(said["size"] if "size" in said else said["metadata"]["size"])


async def upload(object_path: str, content: bytes, rights: Rights) -> None:
    """Put a dataset's bytes where they belong, in the name of its owner. Raises Unavailable."""
    import httpx

    address = await sign_upload(object_path, rights)
    try:
        answer = await client().put(
            address, content=content, headers={"content-type": "text/csv"}, timeout=_FETCH_SECONDS
        )
    except httpx.TransportError as error:
        raise Unavailable("Storage does not answer at the moment") from error
    if not answer.is_success:
        raise Unavailable(f"Storage does not take the rows at the moment ({answer.status_code})")


async def remove_upload(object_path: str, rights: Rights) -> None:
    """Remove a dataset's bytes; none there is fine."""
    await call("DELETE", f"/storage/v1/object/{DATASETS}", rights=rights, json={"prefixes": [object_path]})


async def read_artifact(digest: str, name: str) -> AsyncGenerator[bytes]:
    """Stream one file of a model version.

    Raises:
        Unavailable: Storage does not answer, or does not have it.
    """
    import httpx

    if not settings().supabase_url:
        raise Unavailable("No storage is configured: SUPABASE_URL is not set")
    path = f"/storage/v1/object/{MODELS}/{digest}/{name}"
    try:
        async with asyncio.timeout(_FETCH_SECONDS), client().stream("GET", path, headers=service_headers()) as response:
            if response.status_code != HTTPStatus.OK:
                raise Unavailable(f"The model file cannot be fetched at the moment ({response.status_code})")
            async for chunk in response.aiter_bytes(_CHUNK_BYTES):
                yield chunk
    except (TimeoutError, httpx.TransportError) as error:
        raise Unavailable("The model file cannot be fetched at the moment") from error

"""Keeping a text so that the database alone cannot read it: sealed with the server's secret and a word of the caller's.

A sealed text is no longer readable once the project's secret key is another one: fit for what lives hours, not years.
"""

import base64
import hashlib
import hmac
import os

from api._lib.settings import settings

_NONCE_BYTES = 12


class Unreadable(Exception):
    """It was sealed with another secret, or is not what was sealed."""


def seal(content: bytes, *, word: str) -> str:
    """Encrypt and authenticate (AES-256-GCM)."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(_key(word)).encrypt(nonce, content, None)).decode()


def unseal(sealed: str, *, word: str) -> bytes:
    """Decrypt what was sealed with this word.

    Raises:
        Unreadable: the server's secret has changed since, or the text is damaged.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    raw = base64.b64decode(sealed)
    try:
        return AESGCM(_key(word)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None)
    except InvalidTag as error:
        raise Unreadable from error


def _key(word: str) -> bytes:
    return hmac.new(
        settings().supabase_secret_key.encode(), b"rowcast sealing\0" + word.encode(), hashlib.sha256
    ).digest()

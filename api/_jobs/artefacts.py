"""The files of versions in Storage, and who may put or remove them when."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from api._jobs.storage import Storage


@contextmanager
def digest_lock(connection: psycopg.Connection[dict[str, Any]], digest: str) -> Iterator[bool]:
    """Hold a digest for one transaction and tell whether some version has it.

    Uploading with registering, and removing, exclude each other: no artefact is taken away that another run is about to
    register. A worker that dies loses the lock with its connection.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (digest,))
        row = connection.execute("select private.is_artefact_used(%s) as is_used", (digest,)).fetchone()
        assert row is not None
        yield row["is_used"]


def remove_unused(connection: psycopg.Connection[dict[str, Any]], storage: Storage, digest: str) -> bool:
    """Remove the files of a digest unless a version has it. Raises RunPostponed where Storage does not answer."""
    with digest_lock(connection, digest) as is_used:
        if not is_used:
            storage.remove_artefacts(digest)
        return not is_used

"""What is left lying about in Storage, and the files of versions that were deleted."""

import asyncio
from itertools import groupby
from operator import itemgetter

from api._jobs.artefacts import remove_unused
from api._jobs.connection import connect
from api._jobs.queue import CHORES_QUEUE, TryAgain, app
from api._jobs.storage import DATASETS, MODELS, Storage
from api._lib import log


@app.task(name="remove_artefact", queue=CHORES_QUEUE, retry=TryAgain())
async def remove_artefact(digest: str) -> None:
    """Remove the files of a version that was deleted, unless another version has the same."""
    await asyncio.to_thread(remove, digest)


def remove(digest: str) -> None:
    """Remove the files of a digest that no version needs. Raises RunPostponed."""
    with connect("sweep") as connection, Storage.open() as storage:
        if remove_unused(connection, storage, digest):
            log.info("artefact removed", digest=digest)


@app.task(name="remove_upload", queue=CHORES_QUEUE, retry=TryAgain())
async def remove_upload(path: str) -> None:
    """Remove the bytes of a dataset whose row is gone, whoever deleted it."""
    await asyncio.to_thread(remove_bytes, path)


def remove_bytes(path: str) -> None:
    """Remove one uploaded file; none there is fine. Raises RunPostponed."""
    with Storage.open() as storage:
        storage.remove(DATASETS, [path])


@app.periodic(cron="23 * * * *")
@app.task(name="sweep", queue=CHORES_QUEUE, queueing_lock="sweep", retry=TryAgain())
async def sweep(timestamp: int) -> None:  # noqa: ARG001  when it was due; what lies about now is what counts
    """Take away, every hour, what is a day old and belongs to nothing."""
    await asyncio.to_thread(sweep_up)


def sweep_up() -> int:
    """Forget uploads that never came, then remove objects that no row knows of; returns how many. Raises RunPostponed."""
    with connect("sweep") as connection, Storage.open() as storage:
        forgotten = [row["path"] for row in connection.execute("select private.forget_uploads() as path").fetchall()]
        if forgotten:
            storage.remove(DATASETS, forgotten)
        stray = connection.execute("select bucket, name from private.stray_objects() order by bucket").fetchall()
        for bucket, rows in groupby(stray, itemgetter("bucket")):
            names = [row["name"] for row in rows]
            if bucket == MODELS:
                for digest in sorted({name.partition("/")[0] for name in names}):
                    remove_unused(connection, storage, digest)
            else:
                storage.remove(bucket, names)
    count = len(forgotten) + len(stray)
    if count:
        log.info("swept", uploads=len(forgotten), objects=len(stray))
    return count

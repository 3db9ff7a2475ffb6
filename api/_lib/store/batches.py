"""Batches: datasets that are scored by a version, as jobs."""

from api._lib.store.orders import Orders, Row


def _flat(row: Row) -> Row:
    version = row["version"] or {"number": None, "models": None}
    return {**row, "version": version["number"], "model": (version["models"] or {}).get("slug")}


BATCHES = Orders(
    "batches",
    "batch",
    "id,dataset_id,status,reason,progress,rows_total,rows_done,rows_failed,attempt,result_path,result_bytes,result_sha256,"
    "created_at,started_at,finished_at,version:versions!batches_version_id_fkey(number,models!versions_model_id_fkey(slug))",
    _flat,
)

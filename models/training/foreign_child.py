"""The process that opens a stranger's ONNX file: `python -m models.training.foreign_child MEMORY_MB SECONDS`, order on stdin."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from models.contract import ParityCertificate, ParityKind
from models.encoding import Encoded
from models.errors import ArtifactRejected, ModelError
from models.runtime import OnnxModel, label_indexes
from models.training.foreign import limit_this_process
from models.training.foreign_columns import join_columns, known_values
from models.training.foreign_graph import first_line, pack, read_graph
from models.training.foreign_rows import awkward_rows
from models.training.foreign_schema import Schema, card_of, read_schema
from models.training.trained import Trained
from models.training.write import write

TOLERANCE = 1e-4


def main() -> int:
    """Carry out one order; the answer is one JSON object."""
    memory_mb, seconds = map(int, sys.argv[1:3])
    order = json.loads(sys.stdin.buffer.read())
    limit_this_process(memory_mb, seconds)
    try:
        checked = examine(Path(order["model"]).read_bytes(), read_schema(order["schema"]))
        write(checked, Path(order["folder"]))
        said: dict[str, Any] = {"digest": checked.card.digest}
    except ModelError as refused:
        said = {"refused": " ".join(str(refused).split())[:500]}
    except MemoryError:
        said = {"refused": "the file needs more memory than it may have"}
    sys.stdout.write(json.dumps(said))
    return 0


def examine(content: bytes, schema: Schema) -> Trained:
    """Look at a graph, try it, and describe it. Raises ArtifactRejected or InvalidRows."""
    theirs = read_graph(content)
    columns = pack(theirs, schema)
    served = onnx.ModelProto()
    served.CopyFrom(theirs)
    join_columns(served.graph, columns)
    schema = known_values(theirs.graph, columns, schema)
    content = served.SerializeToString()
    card = card_of(content, schema)
    model = OnnxModel.open(content, card)
    parity = _certificate(theirs, model, schema)
    return Trained(card.model_copy(update={"parity": parity}), content)


def _certificate(graph: onnx.ModelProto, model: OnnxModel, schema: Schema) -> ParityCertificate:
    """Compare onnxruntime with the reference implementation of the standard, on the examples and on rows around them.

    The reference runs the graph as it came, before anything in it was joined.
    """
    tried = {"held_out": schema.examples, **awkward_rows(schema)}
    rows = [row for some in tried.values() for row in some]
    encoded = model.encode(rows)
    served = _answers(model, encoded)
    feeds = {put.name: encoded.numeric if put.name == "numeric" else encoded.text for put in graph.graph.input}
    try:
        evaluator: Any = ReferenceEvaluator(graph)
        (answered,) = evaluator.run([graph.graph.output[0].name], feeds)
    except Exception as error:  # noqa: BLE001  the evaluator's errors share no root
        raise ArtifactRejected(f"the reference runtime cannot run the file: {first_line(error)}") from None
    reference = np.asarray(answered, dtype=np.float64).reshape(served.shape)
    scale = 1.0 if schema.classes else float(np.abs(reference).max()) + 1.0
    errors = np.abs(served - reference).max(axis=1) / scale
    flips = int((label_indexes(served) != label_indexes(reference)).sum()) if schema.classes else 0
    worst = int(errors.argmax())
    if flips or not errors.max() <= TOLERANCE:
        raise ArtifactRejected(
            f"two runtimes answer differently by {errors.max():.2g} (allowed: {TOLERANCE:g}); "
            f"worst on {json.dumps(rows[worst])[:200]}"
        )
    _check_probabilities(served, schema)
    return ParityCertificate(
        passed=True,
        tolerance=TOLERANCE,
        rows=len(served),
        label_flips=flips,
        max_error=float(errors.max()),
        kinds=list(_kinds(tried, errors)),
        worst_row=rows[worst],
        engines=[f"onnx reference {onnx.__version__}", f"onnxruntime {onnxruntime.__version__}"],
        basis="runtime to runtime",
    )


def _answers(model: OnnxModel, encoded: Encoded) -> NDArray[np.float64]:
    """Run the file as the server will. Raises ArtifactRejected or InvalidRows."""
    try:
        served = model.run(encoded).astype(np.float64)
    except Exception as error:  # noqa: BLE001  onnxruntime's errors share no root
        raise ArtifactRejected(
            f"the file cannot answer a row that it will be asked, such as one with an unknown or missing value: "
            f"{first_line(error)}"
        ) from None
    model.decode(served)  # refuses what is not finite
    return served


def _kinds(tried: Mapping[str, Sequence[Any]], errors: NDArray[np.float64]) -> Iterator[ParityKind]:
    """Say for each kind of rows how many there were and how far apart the answers to them."""
    start = 0
    for name, some in tried.items():
        if some:
            worst = float(errors[start : start + len(some)].max())
            yield ParityKind.model_validate({"kind": name, "rows": len(some), "label_flips": 0, "max_error": worst})
        start += len(some)


def _check_probabilities(served: NDArray[np.float64], schema: Schema) -> None:
    if schema.classes and (served.min() < -TOLERANCE or np.abs(served.sum(axis=1) - 1).max() > 1e-3):  # noqa: PLR2004
        raise ArtifactRejected("the file's answers are no probabilities: each row must be from 0 to 1 and sum to 1")


if __name__ == "__main__":
    sys.exit(main())

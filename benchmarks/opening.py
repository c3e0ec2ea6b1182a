"""Opening models in whichever Keras there is, and what they give: a program for a Python of its own.

``python benchmarks/opening.py keras|tf_keras JOBS.json`` imports that framework and NumPy, nothing of ours.
It takes a list of jobs (see :class:`benchmarks.rescue.Job`) and prints one line of JSON for each as it is
done; what it prints before a job is begun names the job, so that whoever reads knows what it died of.

Files are opened as anybody opens them, but that code in a Lambda layer is never run: both frameworks are
told to refuse it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
BATCH = 2
OPEN_SIZES = (12, 64, 128, 12000)
"""What is tried for a size that a model leaves open; the last is for genomes, of which 10,000 are cut off."""
WORDS = 10


def main() -> None:
    """Do every job."""
    name, jobs = sys.argv[1:]
    # Frameworks talk on the way: what is printed here goes where they do not write.
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    keras = importlib.import_module(name)
    scope = importlib.import_module(f"{name}.src.saving.serialization_lib").SafeModeScope
    for job in json.loads(Path(jobs).read_text()):
        print(json.dumps({"begun": job["name"]}), flush=True)
        with scope(True):
            print(json.dumps({"name": job["name"], **_done(keras, job)}), flush=True)
        keras.backend.clear_session()


def _done(keras: Any, job: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - either framework
    start = time.perf_counter()
    try:
        model = _opened(keras, job)
    except Exception as error:
        return {"seconds": time.perf_counter() - start, "opened": False, "why": _line(error)}
    seconds = time.perf_counter() - start
    try:
        _run(keras, model, job)
    except Exception as error:
        return {"seconds": seconds, "opened": True, "ran": False, "why": _line(error)}
    return {"seconds": seconds, "opened": True, "ran": True, "why": ""}


def _opened(keras: Any, job: dict[str, Any]) -> Any:  # noqa: ANN401
    if job["weights"] is None:
        return keras.models.load_model(job["model"], compile=False)
    text = Path(job["model"]).read_text()
    if Path(job["model"]).suffix in (".yaml", ".yml"):
        return keras.models.model_from_yaml(text)
    config = json.loads(text)
    model = keras.models.model_from_json(config if isinstance(config, str) else text)
    model.load_weights(job["weights"])
    return model


def _run(keras: Any, model: Any, job: dict[str, Any]) -> None:  # noqa: ANN401
    """Run a model on the job's inputs, or on such as it takes, and keep what it was given and gave."""
    if Path(job["inputs"]).exists():
        with np.load(job["inputs"]) as data:
            inputs = [data[f"x{number}"] for number in range(sum(name[0] == "x" for name in data))]
        outputs = _called(model, inputs)
    else:
        inputs, outputs = _first_that_runs(keras, model, job["name"])
        np.savez(job["inputs"], **_numbered("x", inputs))
    np.savez(job["outputs"], **_numbered("y", outputs))


def _first_that_runs(keras: Any, model: Any, name: str) -> tuple[list[Any], list[Any]]:  # noqa: ANN401
    errors: list[Exception] = []
    for size in OPEN_SIZES:
        inputs = list(_drawn(keras, model, size, name))
        try:
            return inputs, _called(model, inputs)
        except Exception as error:
            errors.append(error)
    raise errors[0]


def _drawn(keras: Any, model: Any, size: int, name: str) -> Iterator[Any]:  # noqa: ANN401
    """Yield random inputs of a model's own shapes and types: integers within its table for an Embedding."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for tensor in model.inputs:
        batch, *rest = tuple(tensor.shape)
        shape = (batch or BATCH, *(axis or size for axis in rest))
        words = list(_tables(keras, model, tensor))
        dtype = str(getattr(tensor.dtype, "name", tensor.dtype))
        if words or dtype.startswith(("int", "uint")):
            yield rng.integers(0, min(words or [WORDS]), shape).astype("int32")
        else:
            yield rng.uniform(0, 1, shape).astype(dtype)


def _tables(keras: Any, model: Any, tensor: Any) -> Iterator[int]:  # noqa: ANN401
    """Yield the sizes of the tables of all Embeddings that an input flows into, in models within, too."""
    for layer in model.layers:
        feeds = [one for node in layer._inbound_nodes for one in _feeding(node)]
        if not any(one is tensor for one in feeds):
            continue
        if isinstance(layer, keras.layers.Embedding):
            yield int(layer.input_dim)
        elif hasattr(layer, "layers") and getattr(layer, "inputs", None):
            for inner in layer.inputs:
                yield from _tables(keras, layer, inner)


def _feeding(node: Any) -> list[Any]:  # noqa: ANN401
    found = node.input_tensors
    return list(found) if isinstance(found, list | tuple) else [found]


def _called(model: Any, inputs: list[Any]) -> list[Any]:  # noqa: ANN401
    given = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    listed = (
        given
        if isinstance(given, list | tuple)
        else list(given.values())
        if isinstance(given, dict)
        else [given]
    )
    return [np.asarray(value) for value in listed]


def _numbered(letter: str, arrays: list[Any]) -> dict[str, Any]:
    return {f"{letter}{number}": array for number, array in enumerate(arrays)}


def _line(error: Exception) -> str:
    """Return an error in a line."""
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"[:300]


if __name__ == "__main__":
    main()

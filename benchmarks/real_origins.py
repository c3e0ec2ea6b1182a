"""Real files of Caffe and PyTorch, as they are read here and by protobuf's own library and ``torch.load``.

``real_origins.csv`` lists where each can be had, with its SHA-256, and files in the folder are told by that.

    python -m benchmarks.real_origins FOLDER
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import FileFormatError
from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import datasets_of

TABLE = Path(__file__).with_name("real_origins.csv")
Values = np.ndarray[Any, np.dtype[Any]]
_RAW = ("<f8", "<f4", "<f2")
# The fields of Caffe's messages that are looked at: name, number, type, whether it is repeated.
_FIELDS: Mapping[str, tuple[tuple[str, int, str, bool], ...]] = {
    "Blob": (
        ("data", 5, "FLOAT", True),
        ("doubles", 8, "DOUBLE", True),
        ("raw_type", 10, "INT32", False),
        ("raw", 12, "BYTES", False),
    ),
    "Second": (("name", 1, "STRING", False), ("type", 2, "STRING", False), ("blobs", 7, "Blob", True)),
    "First": (("name", 4, "STRING", False), ("type", 5, "INT32", False), ("blobs", 6, "Blob", True)),
    "Net": (("layers", 2, "First", True), ("layer", 100, "Second", True)),
}


def ours(path: Path) -> dict[str, Values]:
    """Return the arrays that are found here, by their names."""
    with open_untrusted(path) as source:
        return {name: source.read(found) for name, found in datasets_of(source.tree).items()}


def of_torch(path: Path) -> dict[str, Values]:
    """Return the tensors of a state dict as PyTorch reads them, by their names."""
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    inner = (state[name] for name in ("state_dict", "model") if isinstance(state.get(name), dict))
    state = next(inner, state)
    start = "module." if all(name.startswith("module.") for name in state) else ""
    return {
        name.removeprefix(start): tensor.contiguous().numpy()
        for name, tensor in state.items()
        if torch.is_tensor(tensor) and not name.endswith("num_batches_tracked")
    }


def network_class() -> Any:  # noqa: ANN401 - protobuf makes it
    """Return protobuf's class for a network, made of the fields that are looked at."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="c", syntax="proto2")
    for message, fields in _FIELDS.items():
        made = file.message_type.add(name=message)
        for name, number, kind, repeated in fields:
            one = made.field.add(name=name, number=number)
            one.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            one.type = field.Type.Value(f"TYPE_{'MESSAGE' if kind in _FIELDS else kind}")
            if kind in _FIELDS:
                one.type_name = f".c.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("c.Net"))


def layers_of_protobuf(path: Path) -> Iterator[tuple[str, list[Values]]]:
    """Yield each layer's name and blobs; those of a batch normalisation are divided by its factor."""
    net = network_class()()
    net.ParseFromString(path.read_bytes())
    for layer in (*net.layers, *net.layer):
        blobs = [values_of(blob) for blob in layer.blobs]
        if layer.type == "BatchNorm":
            blobs = [values * (np.float32(1) / blobs[2][0]) for values in blobs[:2]]
        yield layer.name, blobs


def values_of(blob: Any) -> Values:  # noqa: ANN401 - a message of protobuf's
    """Return the values of a blob."""
    if blob.raw:
        return np.frombuffer(blob.raw, _RAW[blob.raw_type])
    return np.array(blob.doubles, "f8") if blob.doubles else np.array(blob.data, "f4")


def of_protobuf(path: Path, found: Mapping[str, Values]) -> dict[str, Values]:
    """Return the blobs as protobuf reads them, by the names of arrays that are the same, each given once."""
    theirs: dict[str, Values] = {}
    for layer, blobs in layers_of_protobuf(path):
        held = [name for name in found if name.rpartition("/")[0] == layer]
        for number, blob in enumerate(blobs):
            same = [name for name in held if name not in theirs and found[name].tobytes() == blob.tobytes()]
            theirs[same[0] if same else f"blob {number} of {layer}"] = blob
    return theirs


def compared(path: Path, kind: str) -> tuple[int, list[str]]:
    """Return how many arrays are the same, and the names of those that are not."""
    found = ours(path)
    theirs = of_torch(path) if kind == "pytorch" else of_protobuf(path, found)
    wrong = [
        name
        for name, values in theirs.items()
        if name not in found or found[name].tobytes() != values.tobytes()
    ]
    return len(theirs) - len(wrong), wrong


def main(folder: Path) -> int:
    """Print what became of each file, and return how many were not as expected."""
    with TABLE.open(newline="") as stream:
        rows = {row["sha256"]: row for row in csv.DictReader(stream)}
    counts: Counter[str] = Counter(listed=len(rows))
    for path in sorted(folder.iterdir()):
        if row := rows.pop(hashlib.sha256(path.read_bytes()).hexdigest(), None):
            try:
                same, wrong = compared(path, row["format"])
                outcome = "read"
            except FileFormatError as error:
                same, wrong, outcome = 0, [], str(error)
            expected = (row["outcome"] == "read") == (outcome == "read")
            print(f"{row['repository']} {row['path']}: {outcome}, {same} arrays are the same", *wrong)
            counts.update({"files": 1, "same": same, "wrong": len(wrong) + (not expected)})
    told = f"{counts['files']} of {counts['listed']} files"
    print(f"{told}; {counts['same']} arrays the same, {counts['wrong']} not")
    return counts["wrong"]


if __name__ == "__main__":
    sys.exit(min(1, main(Path(sys.argv[1]))))

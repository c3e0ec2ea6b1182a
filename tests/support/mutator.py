"""Weights files with some bytes changed, and the process that meets them.

A case is a number: the same number gives the same file. ``python -m tests.support.mutator FOLDER`` reads
numbers from standard input and answers each with one line of JSON, so that the one who asks can watch the
time and outlive a crash; ``python -m tests.support.mutator FOLDER check`` compares new files with what the
HDF5 library reads from the mutated ones, which is a process of its own since the library may crash on them.
With ``told``, the cases are those of :mod:`tests.support.json_mutator`.
"""

from __future__ import annotations

import functools
import json
import random
import struct
import sys
import traceback
import zipfile
from pathlib import Path

import h5py
import numpy as np

from converters.api import convert_file, plan_file
from converters.errors import ZooError
from converters.limits import printable
from tests.support.paths import DIALECTS

DATA = DIALECTS

FORMS = ("earliest", "latest")
# What a user says of a file, by whether it is channels last.
FACTS = (
    {"direction": "th-to-tf"},
    {"from_layout": "tf", "to_layout": "tf", "to_kernels": "tf"},
)
# Numbers that sizes, counts and addresses are changed into.
EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)


def samples():
    """Return every sample of the original software, in order."""
    return sorted(path.relative_to(DATA).as_posix() for path in DATA.glob("*/*.h5"))


@functools.cache
def packed(libver):
    """Return the bytes of a compressed Keras 1 file, which the samples have none of."""
    values = np.arange(432, dtype="f4")
    with h5py.File("packed", "w", driver="core", backing_store=False, libver=libver) as file:
        file.attrs["layer_names"] = np.array([b"conv1", b"conv2"])
        for name, options in (("conv1", {"compression": "gzip"}), ("conv2", {"fletcher32": True})):
            layer = file.create_group(name)
            layer.attrs["weight_names"] = np.array([f"{name}_W".encode(), f"{name}_b".encode()])
            kernel = values.reshape(12, 4, 3, 3)
            layer.create_dataset(f"{name}_W", data=kernel, chunks=(5, 4, 3, 3), shuffle=True, **options)
            layer[f"{name}_b"] = values[:12]
        file.flush()
        return file.id.get_file_image()


@functools.cache
def archived(method):
    """Return the bytes of a ``.keras`` archive with the compressed file in it."""
    import io

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression=method) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": []}}))
        archive.writestr("model.weights.h5", packed("earliest"))
    return stream.getvalue()


def made():
    """Return the files that are made here: name, bytes, and what to convert them with."""
    yield from ((f"packed_{libver}.h5", packed(libver)) for libver in FORMS)
    yield from ((f"archive_{method}.keras", archived(method)) for method in (0, 8))


def original(chance):
    """Return a file to be mutated: its ending, its bytes, and what a user says to convert it."""
    if chance.random() < 0.1:
        name, content = chance.choice(list(made()))
        return Path(name).suffix, content, FACTS[False]
    name = chance.choice(samples())
    return ".h5", (DATA / name).read_bytes(), FACTS["_cl/" in name]


def mutant(number):
    """Return a mutated file: its ending, its bytes, and what a user says to convert it."""
    chance = random.Random(number)
    suffix, content, facts = original(chance)
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8, 32))):
        if data:
            chance.choice(MUTATIONS)(data, chance)
    return suffix, bytes(data), facts


def flip(data, chance):
    """Turn one bit round."""
    data[place(data, chance)] ^= 1 << chance.randrange(8)


def replace(data, chance):
    """Put another byte there."""
    data[place(data, chance)] = chance.randrange(256)


def extreme(data, chance):
    """Put an extreme number there."""
    at, width = place(data, chance), chance.choice((1, 2, 4, 8))
    value = chance.choice(EXTREMES) & (1 << 8 * width) - 1
    data[at : at + width] = value.to_bytes(width, "little")


def redirect(data, chance):
    """Let an address, or what looks like one, lead to another place in the file."""
    at = place(data, chance) // 8 * 8
    data[at : at + 8] = struct.pack("<Q", chance.randrange(max(len(data), 1)) // 8 * 8)


def blank(data, chance):
    """Fill a range with one byte."""
    at, length = place(data, chance), chance.randrange(1, 64)
    data[at : at + length] = bytes([chance.choice((0, 255, 32))]) * len(data[at : at + length])


def splice(data, chance):
    """Copy a range of the file, or of another file, over this one."""
    other = data if chance.random() < 0.5 else original(chance)[1]
    begin, at, length = chance.randrange(len(other)), place(data, chance), chance.randrange(1, 512)
    piece = bytes(other[begin : begin + length])
    data[at : at + len(piece)] = piece


def cut(data, chance):
    """Leave a range out."""
    at = place(data, chance)
    del data[at : at + chance.choice((1, 8, 64, 1024))]


def end(data, chance):
    """Let the file end early."""
    del data[place(data, chance) + 1 :]


def insert(data, chance):
    """Put a range in between."""
    at = place(data, chance)
    data[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice((1, 8, 64))))


MUTATIONS = (flip, flip, replace, replace, extreme, extreme, redirect, blank, splice, cut, end, insert)


def place(data, chance):
    """Return a position: half of them near one of the structures that lead a reader through the file."""
    if chance.random() < 0.5:
        marks = [at for mark in MARKS for at in found(data, mark)]
        if marks:
            return min(chance.choice(marks) + chance.randrange(128), len(data) - 1)
    return chance.randrange(len(data))


MARKS = (b"\x89HDF", b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OHDR", b"FRHP", b"BTHD", b"weight_names", b"PK")


def found(data, mark):
    """Yield where a mark is."""
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def meet(number, folder):
    """Convert a mutated file and say what came of it.

    Returns:
        ``refusal``: the message, or None if it was converted; ``fault``: what must not be, or None.
    """
    suffix, content, facts = mutant(number)
    folder.mkdir()
    source, target = folder / f"old{suffix}", folder / "new.h5"
    source.write_bytes(content)
    refusal = fault = None
    try:
        convert_file(source, target, **facts)
    except ZooError as error:
        refusal = str(error)
        if printable(refusal) != refusal or "Traceback" in refusal:
            fault = f"a message that is no sentence: {refusal!r}"
    except BaseException:  # whatever it is, it is what this test looks for
        fault = traceback.format_exc()
    left = {path.name for path in folder.iterdir()} - {source.name}
    if fault is None and left != (set() if refusal else {target.name}):
        fault = f"left behind: {sorted(left)}"
    if fault is None and source.read_bytes() != content:
        fault = "the source was touched"
    return {"number": number, "refusal": refusal, "fault": fault}


def check(number, folder):
    """Compare a new file with what the HDF5 library reads from the mutated one.

    Returns:
        ``refusal``: why the library does not read the mutated file, or None; ``fault``: what differs.
    """
    suffix, _, facts = mutant(number)
    source, target = folder / f"old{suffix}", folder / "new.h5"
    plan = plan_file(source, **facts)
    if suffix != ".h5":
        with zipfile.ZipFile(source) as archive:
            (folder / "inner.h5").write_bytes(archive.read("model.weights.h5"))
        source = folder / "inner.h5"
    try:
        with h5py.File(source, "r") as old:
            expected = {
                array.path: np.ascontiguousarray(array.apply(old[array.path][()])) for array in plan.arrays
            }
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        return {"number": number, "refusal": str(error), "fault": None}
    with h5py.File(target, "r") as new:
        wrong = [path for path, values in expected.items() if values.tobytes() != new[path][()].tobytes()]
    return {"number": number, "refusal": None, "fault": f"differs: {wrong}" if wrong else None}


def main(folder, work):
    """Say that everything is imported; then answer each number with one line, in a folder of its own."""
    print(json.dumps("ready"), flush=True)  # noqa: T201
    for line in sys.stdin:
        print(json.dumps(work(int(line), folder / line.strip())), flush=True)  # noqa: T201


def work(name):
    """Return what answers a number: a mutated file converted or compared, or an odd document met."""
    if name == "told":
        from tests.support import json_mutator

        return json_mutator.meet
    return {"meet": meet, "check": check}[name]


if __name__ == "__main__":
    main(Path(sys.argv[1]), work((*sys.argv[2:], "meet")[0]))

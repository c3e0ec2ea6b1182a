"""Weights files in which what the file says of itself, as JSON or as text, has been changed.

A case is a number, as in :mod:`tests.support.mutator`. The documents are the configurations of whole models
(in ``.h5`` and in ``.keras`` files), and the records of conversions: attributes of an HDF5 file's root, the
metadata of a safetensors file, the entry ``zoo`` of an ``.npz`` archive.
"""

from __future__ import annotations

import functools
import io
import json
import random
import tempfile
import traceback
import zipfile
from pathlib import Path

import h5py
import numpy as np

from converters.api import convert_file, inspect_file, plan_file
from converters.boundary import BROKEN
from converters.errors import ZooError
from converters.limits import printable
from converters.writing.execute import is_done
from tests.support.dialect_samples import DATA, is_last, told

# What JSON can hold where something else was: odd by type, by size, or by what it does to a reader.
ODD = (
    *(None, True, False, 0, -1, 1, 2, 0.5, 64.0, 1e308, 1 << 31, 1 << 62, 1 << 64, 10**30, 10**4000),
    *(float("nan"), float("inf"), float("-inf"), "", "x", ".", "..", "a//b", "\x1b[2J", "\u202e", "\ud800"),
    *("n" * 5000, "1" * 5000, "1e999", "None", "th", "default", "causal", "Dense", "Sequential", "Flatten"),
    *([], {}, [[]], [{}], [None] * 3, [0, 0], [-1, -1], [1] * 40, ["x"] * 3),
    *([["x", "y", "z"]], [[["x", 0, 0]]], [[["x", "y", "z"]]]),
    *({"class_name": 5}, {"class_name": "Dense", "config": 5}, {"class_name": "__tuple__", "items": [3, 3]}),
    functools.reduce(lambda inner, _: [inner], range(80), []),
)
_TWICE = "@twice"


def mutated(document, chance):
    """Return a document, as JSON, with a few places changed."""
    document = json.loads(json.dumps(document))
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        holders = list(_holders(document))
        if holders:
            chance.choice(CHANGES)(*_place(holders, chance), holders, chance)
    return json.dumps(document).replace(f'{_TWICE}"', '"')


def _holders(value):
    """Yield everything in a document that holds something."""
    if isinstance(value, dict | list):
        if value:
            yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


def _place(holders, chance):
    holder = chance.choice(holders)
    return holder, chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))


def odd(holder, key, holders, chance):
    """Put an odd value there."""
    holder[key] = json.loads(json.dumps(chance.choice(ODD)))


def elsewhere(holder, key, holders, chance):
    """Put a value from elsewhere in the document there, so that names meet and layers feed themselves."""
    other, place = _place(holders, chance)
    holder[key] = json.loads(json.dumps(other[place]))


def swap(holder, key, holders, chance):
    """Let two values change their places."""
    other, place = _place(holders, chance)
    one, two = json.dumps(holder[key]), json.dumps(other[place])
    holder[key], other[place] = json.loads(two), json.loads(one)


def delete(holder, key, holders, chance):
    """Leave a value out."""
    del holder[key]


def double(holder, key, holders, chance):
    """Have a value twice, under the same key if it has one."""
    if isinstance(holder, dict):
        holder[f"{key}{_TWICE}"] = chance.choice(ODD[:20])
    else:
        holder.insert(key, json.loads(json.dumps(holder[key])))


def number(holder, key, holders, chance):
    """Change a number by little; anything else becomes odd."""
    value = holder[key]
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 53:
        holder[key] = value + chance.choice((-1, 1, 0.5, -value, 1000))
    else:
        odd(holder, key, holders, chance)


CHANGES = (odd, odd, odd, elsewhere, elsewhere, swap, delete, double, number, number)


# Files to put documents into


def _models():
    return sorted(path.relative_to(DATA).as_posix() for path in DATA.glob("*/*.model.h5"))


def _weights():
    named = ("keras122", "keras205", "keras224")
    return sorted(
        path.relative_to(DATA).as_posix().removesuffix(".weights.h5")
        for path in DATA.glob("*/*.weights.h5")
        if path.parent.name.startswith(named)
    )


@functools.cache
def _converted(sample, to):
    """Return the bytes of a sample in another form, or None if it has none."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "new"
        try:
            convert_file(DATA / f"{sample}.weights.h5", target, to=to, **told(sample))
        except ZooError:
            return None
        return target.read_bytes()


def _first_converted(chance, to):
    """Return a sample that can be had in a form, and its bytes in it."""
    samples = _weights()
    start = chance.randrange(len(samples))
    for sample in (*samples[start:], *samples[:start]):
        if content := _converted(sample, to):
            return sample, content
    raise AssertionError(f"no sample becomes {to}")


def model(chance, folder):
    """Write a whole model with a changed configuration."""
    name = chance.choice(_models())
    path = folder / "old.h5"
    path.write_bytes((DATA / name).read_bytes())
    with h5py.File(path, "r+") as file:
        text = mutated(json.loads(file.attrs["model_config"]), chance)
        file.attrs.modify("model_config", np.bytes_(text.encode()))
    ends = ("tf", "th") if is_last(name) else ("th", "tf")
    facts = chance.choice(
        (
            {"from_layout": ends[0], "to_layout": ends[1], "to_kernels": ends[1]},
            {"to": "npz"},
            {"to": "keras3"},
        )
    )
    return path, facts


def archive(chance, folder):
    """Write a ``.keras`` archive with a changed configuration and changed metadata."""
    sample, content = _first_converted(chance, "keras3")
    path = folder / "old.keras"
    config = json.loads((DATA / f"{sample}.json").read_text())
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", mutated(config, chance))
        file.writestr("metadata.json", mutated({"keras_version": "3.0.0", "date_saved": "today"}, chance))
        file.writestr("model.weights.h5", content)
    return path, {"to": chance.choice(("keras1", "keras2", "npz"))}


def record(chance, folder):
    """Write a converted file whose record has been changed, within its JSON too."""
    _, content = _first_converted(chance, chance.choice(("keras2", "keras1")))
    path = folder / "old.h5"
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        texts = {name: file.attrs[name] for name in file.attrs if name.startswith("zoo_")}
        for name in texts:
            del file.attrs[name]
        for name, value in json.loads(mutated_texts(texts, chance)).items():
            if name and "\0" not in name:
                _put(file, name.encode("utf-8", "replace").decode(), value)
    return path, {"to": chance.choice(("keras3", "keras1", "npz"))}


def mutated_texts(texts, chance):
    """Return a record with some of its texts changed; those that are JSON, within that or as a whole."""
    inner = {name: text for name, text in texts.items() if text[:1] in ("{", "[")}
    for name, text in inner.items():
        if chance.random() < 0.5:
            texts = {**texts, name: mutated(json.loads(text), chance)}
    return json.dumps(json.loads(mutated(texts, chance)))


def _put(file, name, value):
    """Write an attribute of whatever kind a value allows."""
    try:
        file.attrs[name] = value if isinstance(value, str | int | float) else json.dumps(value)
    except (ValueError, TypeError, OverflowError, UnicodeEncodeError, OSError):
        file.attrs["zoo_odd"] = 1


def meet(case, folder):
    """Convert a file with a changed document, or ask whether it was made before, and say what came of it."""
    chance = random.Random(f"told {case}")
    folder.mkdir()
    kind = chance.choice((model, model, model, archive, record, record, container))
    try:
        refusal = _refusal(kind, chance, folder)
    except BaseException:  # whatever it is, it is what this test looks for
        return {"number": case, "refusal": None, "fault": traceback.format_exc()}
    fault = None
    if refusal and (printable(refusal) != refusal or "\n" in refusal.split(": it cannot be told")[0]):
        fault = f"a message that is no sentence: {refusal!r}"
    elif refusal and (BROKEN in refusal or len(refusal) > 2000):
        fault = f"refused by no rule, or at length: {refusal[:2000]}"
    return {"number": case, "refusal": refusal, "fault": fault}


def _refusal(kind, chance, folder):
    path, facts = kind(chance, folder)
    if facts is None:
        return None
    before, target = path.read_bytes(), folder / "new.h5"
    try:
        inspect_file(path).as_dict()
        str(convert_file(path, target, **facts).plan)
        refusal = None
    except ZooError as error:
        refusal = str(error)
    left = {found.name for found in folder.iterdir()} - {path.name}
    assert left == (set() if refusal else {target.name}), f"left behind: {sorted(left)}"
    assert path.read_bytes() == before, "the source was touched"
    return refusal


def container(chance, folder):
    """Ask of a container with a changed record whether it was made before: it is not, whatever it says."""
    to = chance.choice(("safetensors", "npz"))
    sample, content = _first_converted(chance, to)
    target = folder / f"new.{to}"
    target.write_bytes(_recoded(content, to, chance))
    plan = plan_file(DATA / f"{sample}.weights.h5", to=to, **told(sample))
    assert is_done(plan, target) in (True, False)
    return target, None


def _recoded(content, to, chance):
    if to == "npz":
        return _with_entry(content, chance)
    length = int.from_bytes(content[:8], "little")
    header = mutated(json.loads(content[8 : 8 + length]), chance).encode()
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def _with_entry(content, chance):
    with np.load(io.BytesIO(content)) as data:
        arrays = {name: data[name] for name in data}
    text = mutated(json.loads(arrays["zoo"].item()), chance)
    arrays["zoo"] = np.array(chance.choice((text, text, text.encode(), [text] * 2, 5)))
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()

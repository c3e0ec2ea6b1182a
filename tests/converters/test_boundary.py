"""What a file says of itself: understood, or refused by a rule, and in bounded time."""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import sys
import tracemalloc
import zipfile
from copy import deepcopy

import h5py
import numpy as np
import pytest

from converters import convert_file, inspect_file, plan_file
from converters.boundary import guarded, paced, uncollected
from converters.errors import ArgumentError, ConversionError, FileFormatError
from converters.formats.dialects import describe
from converters.formats.opening import open_untrusted
from converters.hdf5.heaps import lookup3
from converters.layers.config_form import read_config
from converters.layers.following import flattened_inputs
from converters.layers.infer import numbered_layers
from converters.limits import Limits, first_repeated
from converters.planning.structures import _near
from tests.support.untrusted_files import header
from tests.support.weight_files import counted, fill_named, keras1, write_named

# A network with one of each layer whose settings are read.
LAYERS = [
    {
        "class_name": "InputLayer",
        "name": "in",
        "config": {"name": "in", "batch_input_shape": [None, 2, 5, 6]},
    },
    {"class_name": "Conv2D", "name": "conv", "config": {"name": "conv", "filters": 3, "kernel_size": [3, 3]}},
    {"class_name": "MaxPooling2D", "name": "pool", "config": {"name": "pool", "pool_size": [2, 2]}},
    {"class_name": "Flatten", "name": "flat", "config": {"name": "flat"}},
    {"class_name": "Dense", "name": "fc", "config": {"name": "fc", "units": 4}},
]
for _layer, _feeding in zip(LAYERS, [None, *LAYERS], strict=False):
    _layer["config"] |= {"padding": "valid", "strides": [1, 1]} if "2D" in _layer["class_name"] else {}
    _layer["inbound_nodes"] = [[[_feeding["name"], 0, 0]]] if _feeding else []
NETWORK = {"class_name": "Model", "config": {"name": "net", "layers": LAYERS}}
WEIGHTS = {
    "conv": {"conv/kernel:0": counted(3, 3, 2, 3), "conv/bias:0": counted(3)},
    "fc": {"fc/kernel:0": counted(18, 4), "fc/bias:0": counted(4)},
}


def changed(*path, to):
    """Return the network with another value at a path."""
    config = deepcopy(NETWORK)
    holder = config
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = to
    return config


def in_layer(place, key, value):
    """Return the network with another setting of a layer."""
    return changed("config", "layers", place, "config", key, to=value)


def write_model(path, config):
    """Write a whole model of Keras 2."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = (config if isinstance(config, str) else json.dumps(config)).encode()
        file.attrs["keras_version"], file.attrs["backend"] = b"2.1.6", b"theano"
        fill_named(file.create_group("model_weights"), WEIGHTS)
    return path


def write_archive(path, config):
    """Write a ``.keras`` archive."""
    inner = path.with_suffix(".inner")
    with h5py.File(inner, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = counted(3, 2), counted(2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.write(inner, "model.weights.h5")
    inner.unlink()
    return path


NODE = "'inbound_nodes' is a list of 1, not a list of what feeds each use"
CRAFTED = {
    "stride of nothing": (
        in_layer(1, "strides", [0, 0]),
        "layer 'conv' (Conv2D): 'strides' is a list of 2, ",
    ),
    "stride below nothing": (in_layer(1, "strides", -2), "layer 'conv' (Conv2D): 'strides' is -2, "),
    "no number": (
        in_layer(1, "filters", float("nan")),
        "layer 'conv' (Conv2D): 'filters' is nan, not a size",
    ),
    "no end": (in_layer(4, "units", float("inf")), "layer 'fc' (Dense): 'units' is inf, not a size"),
    "huge": (in_layer(4, "units", 10**4000), "layer 'fc' (Dense): 'units' is a huge number, not a size"),
    "truth": (in_layer(4, "units", True), "layer 'fc' (Dense): 'units' is True, not a size"),
    "text for a size": (in_layer(2, "pool_size", "2"), "layer 'pool' (MaxPooling2D): 'pool_size' is '2', "),
    "sizes in sizes": (
        in_layer(1, "kernel_size", [[3]]),
        "layer 'conv' (Conv2D): 'kernel_size' is a list of 1",
    ),
    "padding": (
        in_layer(1, "padding", [None]),
        "layer 'conv' (Conv2D): 'padding' is a list of 1, not a word",
    ),
    "order": (in_layer(1, "data_format", 5), "layer 'conv' (Conv2D): 'data_format' is 5, not a word"),
    "shape": (
        in_layer(0, "batch_input_shape", "2x5x6"),
        "layer 'in' (InputLayer): 'batch_input_shape' is '2x5x6', not a list of sizes",
    ),
    "shape below nothing": (
        in_layer(0, "batch_input_shape", [None, -2, 5, 6]),
        "layer 'in' (InputLayer): 'batch_input_shape' is a list of 4, not a list of sizes",
    ),
    "shape of many": (
        in_layer(0, "batch_input_shape", [1] * 99),
        "layer 'in' (InputLayer): 'batch_input_shape' is a list of 99, not a list of sizes",
    ),
    "nodes": (
        changed("config", "layers", 1, "inbound_nodes", to=5),
        "'inbound_nodes' is 5, not a list of what feeds each use",
    ),
    "index": (changed("config", "layers", 1, "inbound_nodes", to=[[["in", "x", 0]]]), NODE),
    "index that is nothing": (changed("config", "layers", 1, "inbound_nodes", to=[[["in", None, 0]]]), NODE),
    "short source": (changed("config", "layers", 1, "inbound_nodes", to=[[["in"]]]), NODE),
    "class": (changed("config", "layers", 1, "class_name", to=5), "'class_name' is 5, not text"),
    "no class": (changed("config", "layers", 1, "class_name", to=None), "'class_name' is None, not text"),
    "name": (in_layer(1, "name", 5), "a name is 5, not text"),
    "name of nothing": (in_layer(1, "name", ""), "the name '' is empty"),
    "name that steers": (in_layer(1, "name", "\x1b[2J"), "the name '\\x1b[2J' holds control characters"),
    "half a character": (in_layer(1, "name", "\ud800"), "the name '\\ud800' holds control characters"),
    "one name, two layers": (
        in_layer(1, "name", "fc"),
        "layer 'net' (Model): two of its layers are called 'fc'",
    ),
    "layers": (changed("config", "layers", to=5), "layer 'net' (Model): 'layers' is 5, not a list of layers"),
    "layer": (
        changed("config", "layers", 1, to="conv"),
        "layer 'net' (Model): 'layers' holds 'conv', which is no layer",
    ),
    "layer without settings": (
        changed("config", "layers", 1, "config", to=5),
        "layer 'net' (Model): 'layers' holds a mapping of 4, which is no layer",
    ),
    "wrapped": (
        changed(
            "config", "layers", 1, to={"class_name": "Bidirectional", "config": {"name": "b", "layer": 5}}
        ),
        "layer 'b' (Bidirectional): 'layer' is 5, not a layer",
    ),
    "list": ([NETWORK], "is not a mapping"),
    "number": (5, "is not a mapping"),
    "deep": ("[" * 99 + "]" * 99, "is JSON nested more than 64 deep (limit depth)"),
    "key twice": (
        '{"class_name": "Model", "class_name": "Model"}',
        "is not JSON ('class_name' is in it twice)",
    ),
    "digits": ('{"a": ' + "9" * 5000 + "}", "is not JSON (Exceeds the limit"),
}


@pytest.mark.parametrize("crafted", CRAFTED)
@pytest.mark.parametrize("form", ["model_config", "config.json"])
def test_what_keras_would_not_write_is_refused_by_name(crafted, form, tmp_path):
    """The message names the file, the layer, the key and the value, wherever the configuration is."""
    config, message = CRAFTED[crafted]
    archive = form == "config.json"
    path = tmp_path / ("m.keras" if archive else "m.h5")
    (write_archive if archive else write_model)(path, config)
    where = f"{path}: {form if archive else repr(form).join(('attribute ', ''))}"
    for work in (inspect_file, describe, lambda source: convert_file(source, tmp_path / "n", to="npz")):
        with pytest.raises(FileFormatError) as refused:
            work(path)
        text = str(refused.value).removeprefix(where).lstrip(": ")
        assert text.startswith(message), refused.value
        assert str(refused.value).isprintable()
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("layer", "settings"),
    [
        ("Custom2D", {"strides": 0, "filters": "many", "units": [[]], "layers": [64, 64], "axis": "x"}),
        ("Lambda", {"function": ["code", None, None], "output_shape": [0]}),
        ("Dense", {"units": 64.0, "activation": {"class_name": "relu", "config": None}}),
        ("Conv2D", {"kernel_size": {"class_name": "__tuple__", "items": [3, 3]}, "strides": 1}),
        ("ZeroPadding2D", {"padding": {"top_pad": 1}}),
        ("BatchNormalization", {"axis": [3]}),
        ("Sequential", {"layers": []}),
    ],
)
def test_what_keras_or_its_users_do_write_is_read(layer, settings):
    """Nothing is held against a class that nobody follows, nor against any form that a version has had."""
    entry = {"class_name": layer, "config": {"name": "odd", **settings}}
    network = {"class_name": "Sequential", "config": [deepcopy(LAYERS[1]), entry, deepcopy(LAYERS[4])]}
    assert read_config(json.dumps(network), "w") is not None
    assert flattened_inputs(read_config(json.dumps(network), "w"), "th") == {}


def test_tuples_of_tf_keras_are_lists():
    """Some versions write them as mappings, which reads as what it means."""
    shape = {"class_name": "__tuple__", "items": [None, 2, 5, 6]}
    written = json.dumps(in_layer(0, "batch_input_shape", shape))
    assert read_config(written, "w") == NETWORK


@pytest.mark.parametrize(
    "layers",
    [
        [{"class_name": "LocallyConnected2D", "config": {"name": "local"}}],
        [{"class_name": "LocallyConnected2D", "config": {"name": "local", "nb_row": 3}}],
        [{"class_name": "LocallyConnected2D", "config": {"name": "local", "kernel_size": [3, 3]}}],
    ],
)
def test_a_window_of_unknown_size_is_asked_for(layers):
    """Where channels or sizes are missing nothing is said of the rows, not that they stay."""
    layers[0]["config"]["batch_input_shape"] = [
        None,
        None if "kernel_size" in layers[0]["config"] else 2,
        5,
        6,
    ]
    assert flattened_inputs({"class_name": "Sequential", "config": layers}, "th") == {}


def chain(*feeding):
    """Return a network of Dense layers, each fed by the one that is named."""
    layers = [deepcopy(LAYERS[0])]
    layers[0]["config"]["batch_input_shape"] = [None, 4]
    for number, source in enumerate(feeding):
        entry = {"class_name": "Dense", "config": {"name": f"d{number}", "units": 4}, "name": f"d{number}"}
        layers.append({**entry, "inbound_nodes": [[[source, 0, 0]]]})
    return {"class_name": "Model", "config": {"name": "net", "layers": layers}}


@pytest.mark.parametrize("feeding", [("d0",), ("d1", "d0"), ("d2", "d0", "d1"), ("nothing",)])
def test_a_layer_that_feeds_itself_is_not_followed(feeding):
    """A circle has no beginning; what stands before it is followed all the same."""
    assert flattened_inputs(read_config(json.dumps(chain(*feeding)), "w"), "th") == {}
    (found,) = flattened_inputs(chain("in", *feeding[:0]), "th").items()
    assert (found[0], found[1].rows) == ("d0", None)


def test_a_sequential_within_a_sequential_keeps_its_place():
    """An older one is a list: what stands behind it is not fed by what stands before it."""
    inner = {"class_name": "Sequential", "config": [deepcopy(LAYERS[2])]}
    first = {**LAYERS[1], "config": {**LAYERS[1]["config"], "batch_input_shape": [None, 2, 5, 6]}}
    layers = [first, inner, LAYERS[3], LAYERS[4]]
    assert flattened_inputs({"class_name": "Sequential", "config": layers}, "th") == {}
    found = flattened_inputs({"class_name": "Sequential", "config": [layers[0], *layers[2:]]}, "th")
    assert {name: rows.rows for name, rows in found.items()} == {"fc": ((3, 3, 4),)}


@pytest.mark.parametrize("kind", ["AddCoords", "DenseBlock", "FlattenMore", "MergeLike", "UpSampling2DTo"])
def test_a_class_that_is_called_like_another_is_not_that_one(kind):
    """Nothing is followed through a class of the user's own, whatever its name begins with."""
    first = {**LAYERS[1], "config": {**LAYERS[1]["config"], "batch_input_shape": [None, 2, 5, 6]}}
    odd = {"class_name": kind, "config": {"name": "odd", "units": 3, "size": [2, 2]}}
    layers = [first, odd, LAYERS[3], LAYERS[4]]
    assert flattened_inputs({"class_name": "Sequential", "config": layers}, "th") == {}


RECORD = {
    "zoo_layout": "tf",
    "zoo_kernels": "tf",
    "zoo_source_layout": "th",
    "zoo_source_kernels": "th",
    "zoo_verified": '{"arrays": 1, "values": 1, "recomputed": []}',
}


FACTS = '{"schema":1,"layers":[{"name":"conv1","kind":"Dense","flatten":"FLATTEN"}]}'


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (
            "zoo_verified",
            '{"arrays": Infinity, "values": 1, "recomputed": []}',
            "cannot convert float infinity",
        ),
        ("zoo_verified", '{"arrays": NaN, "values": 1, "recomputed": []}', "cannot convert float NaN"),
        ("zoo_verified", '{"arrays": [], "values": 1, "recomputed": []}', "int() argument must be"),
        ("zoo_verified", "5", "'int' object is not subscriptable"),
        ("zoo_network", "[]", "zoo_network is not a list of layers"),
        ("zoo_network", '{"schema":"2","layers":[]}', "zoo_network has schema '2'; this version reads 1"),
        ("zoo_network", '{"schema":1,"layers":[{}]}', "zoo_network has a layer without a name"),
        (
            "zoo_network",
            FACTS.replace(":1,", f':"{"2" * 900}",'),
            f"zoo_network has schema {'2' * 60!r}...; this version reads 1",
        ),
        (
            "zoo_network",
            FACTS.replace('"Dense"', "1" + "0" * 900),
            "zoo_network: kind is a huge number, not text",
        ),
        (
            "zoo_network",
            FACTS.replace("FLATTEN", "x"),
            "a feature map is written CxHxW, for instance 512x7x7",
        ),
        ("zoo_network", FACTS.replace("FLATTEN", "9" * 5000), "Exceeds the limit"),
        ("zoo_network", FACTS.replace("FLATTEN", "x" * 5000), "a feature map is written CxHxW, for inst"),
        ("zoo_layout", "n" * 5000, f"zoo_layout is {'n' * 60!r}..."),
    ],
)
def test_a_record_of_anything_is_refused(name, text, why, tmp_path):
    """In one line, however long what it holds is."""
    path = write_named(tmp_path / "w.h5", keras1(conv1=(3, 3, 2, 4)), **{**RECORD, name: text})
    with pytest.raises(FileFormatError) as refused:
        inspect_file(path)
    assert str(refused.value).startswith(f"{path}: the record of an earlier conversion is damaged ({why}")
    assert len(str(refused.value)) < len(str(path)) + 250


@pytest.mark.parametrize("name", ["keras_version", "backend"])
def test_a_word_of_many_is_none(name, tmp_path):
    """Where a file says which version or backend wrote it, it does so in a word."""
    path = write_named(tmp_path / "w.h5", keras1(conv1=(3, 3, 2, 4)), **{name: "9" * 5000})
    with pytest.raises(FileFormatError, match="is longer than 1024 bytes"):
        inspect_file(path)
    write_named(path, keras1(conv1=(3, 3, 2, 4)), keras_version="1." + "9" * 1000)
    assert inspect_file(path).description.version == (1, 999_999_999, 999_999_999)


# The boundary itself


@pytest.mark.parametrize(
    "error",
    [
        *(ZeroDivisionError("x"), OverflowError("x"), KeyError("x"), IndexError("x"), AttributeError("x")),
        *(TypeError("x"), ValueError("x"), RecursionError("x"), AssertionError("x"), MemoryError("x")),
    ],
)
def test_what_was_not_foreseen_is_a_refusal_that_tells_of_it(error):
    """Nothing is swallowed: the message has the error's class and words, and leads to it."""
    with pytest.raises(FileFormatError) as refused, guarded("m.h5"):
        raise error
    kind = type(error).__name__
    said = "\"'x'\"" if isinstance(error, KeyError) else "'x'"
    assert str(refused.value) == (
        f"m.h5: says of itself what cannot be worked out ({kind}: {said}); "
        "if Keras wrote it as it is, please report this"
    )
    assert refused.value.__cause__ is error


@pytest.mark.parametrize("error", [ArgumentError("ours"), ConversionError("ours"), OSError("the disk's")])
def test_errors_of_our_own_and_of_the_disk_pass(error):
    """They have said already what is wrong."""
    with pytest.raises(type(error)) as passed, guarded("m.h5"):
        raise error
    assert passed.value is error


def test_work_stops_when_its_time_is_over():
    """The time of the outermost boundary counts, whatever is worked on within it."""
    clock = itertools.count().__next__
    done = []
    with (
        pytest.raises(FileFormatError, match=r"^m\.h5: takes longer than 5 s to read \(limit seconds\)$"),
        guarded("m.h5", limits=Limits(seconds=5), clock=clock),
        guarded("other.h5", limits=Limits(seconds=500)),
    ):
        done += paced(range(10))
    assert list(paced(range(10))) == list(range(10))
    assert done == [0, 1, 2, 3, 4]


def write_many(path, count):
    """Write a Keras 1 file of many small layers."""
    arrays = {"W": counted(2, 2), "b": counted(2)}
    layers = {f"fc{at}": {f"fc{at}_{name}": array for name, array in arrays.items()} for at in range(count)}
    return write_named(path, layers)


def plan_many(path):
    """Plan for another dialect, where there is one step more for each layer."""
    return plan_file(path, to="keras2", from_layout="th", to_layout="th")


@pytest.mark.parametrize("work", [describe, inspect_file, plan_many])
def test_planning_is_held_to_the_time(work, tmp_path, monkeypatch):
    """Wherever its time runs out, work on a file ends; its steps grow as its layers do."""
    steps = {}
    for count in (41, 82, 164, 5):
        path = write_many(tmp_path / f"{count}.h5", count)
        ticks = itertools.count()
        monkeypatch.setattr("converters.boundary.monotonic", lambda ticks=ticks: next(ticks) * 0)
        work(path)
        steps[count] = next(ticks)
    assert steps[164] - steps[82] == 2 * (steps[82] - steps[41]) > 0
    for last in range(1, steps[5]):
        times = itertools.chain([0.0] * last, itertools.count(21, 21))
        monkeypatch.setattr("converters.boundary.monotonic", lambda times=times: next(times))
        with pytest.raises(FileFormatError) as refused:
            work(path)
        assert str(refused.value) == f"{path}: takes longer than 20 s to read (limit seconds)"


# Linear


class Counted(str):
    """Text that counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Counted.compared += 1
        return str.__eq__(self, other)


@pytest.mark.parametrize("size", [100, 1000])
def test_what_is_listed_twice_is_found_in_one_pass(size):
    """The last of many: one comparison, where its twin is met."""
    names = [Counted(f"n{number}") for number in range(size)]
    Counted.compared = 0
    assert first_repeated([*names, Counted(names[-1])]) == names[-1]
    assert Counted.compared < 5


def lines_of(work):
    """Return how many lines of Python run in a piece of work."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def many_layers(count):
    """Return a Keras 2 file's layers, each with an array of its own."""
    return {
        f"fc{at}": {f"fc{at}/kernel:0": counted(2, 2), f"fc{at}/bias:0": counted(2)} for at in range(count)
    }


def many_owners(count):
    """Return one layer whose arrays belong to many."""
    return {"net": {f"fc{at}/kernel:0": counted(2, 2) for at in range(count)}}


def long_chain(count):
    """Return a network in which each layer is listed before the one that feeds it."""
    config = chain("in", *(f"d{at}" for at in range(count)))
    config["config"]["layers"].reverse()
    return config


def doubling(count):
    """Return a network whose vectors grow with every layer, and whose rows have more and more parts."""
    config = chain("in")
    layers = config["config"]["layers"]
    layers[0]["config"]["batch_input_shape"] = [None, 2, 5, 6]
    layers[1:] = [{"class_name": "Flatten", "config": {"name": "c0"}, "inbound_nodes": [[["in", 0, 0]]]}]
    layers.append({"class_name": "Conv2D", "config": {"name": "x"}, "inbound_nodes": []})
    for at in range(count):
        both = [[[f"c{at}", 0, 0], [f"c{at}", 0, 0]]]
        inner = {"name": f"c{at + 1}", "axis": -1}
        layers.append({"class_name": "Concatenate", "config": inner, "inbound_nodes": both})
    return config


def plan_recorded(path):
    """Plan what a file's record of an earlier conversion tells of each layer."""
    first = convert_file(
        path, path.with_name(f"{path.name}.new"), to="keras2", from_layout="th", to_layout="th"
    )
    return plan_many(first.target)


WORK = {
    "many layers": lambda path, count: plan_many(write_named(path, many_layers(count))),
    "many recorded": lambda path, count: plan_recorded(write_named(path, many_layers(count))),
    "many owners": lambda path, count: plan_many(write_named(path, many_owners(count))),
    "long chain": lambda path, count: flattened_inputs(read_config(json.dumps(long_chain(count)), "w"), "th"),
    "doubling": lambda path, count: flattened_inputs(read_config(json.dumps(doubling(count)), "w"), "th"),
    "numbered": lambda path, count: list(numbered_layers([(2, 2), (2,)] * count, several=True)),
    "sizes": lambda path, count: list(numbered_layers([(7,), (7,)] * count, several=True)),
}


@pytest.mark.parametrize("work", WORK)
def test_twice_as_much_takes_twice_as_long(work, tmp_path):
    """Counted in lines of Python that run, since a clock depends on the machine."""
    WORK[work](tmp_path / "first", 5)  # what is worked out once in a process
    lines = [
        lines_of(lambda count=count: WORK[work](tmp_path / f"{count}", count)) for count in (40, 80, 160)
    ]
    assert lines[2] - lines[1] < 2.05 * (lines[1] - lines[0])


class Watched(list):
    """Shapes of which it is noted how many are looked at in one go."""

    most = 0

    def __getitem__(self, key):
        found = list.__getitem__(self, key)
        if isinstance(key, slice):
            Watched.most = max(Watched.most, len(found))
        return found


def test_arrays_without_names_are_looked_at_a_few_at_a_time():
    """However many there are; an LSTM has most of all."""
    assert len(list(numbered_layers(Watched([(2, 3), (3,)] * 500), several=True))) == 500
    assert Watched.most == 12


def test_a_name_that_is_near_is_not_looked_for_among_too_many(monkeypatch):
    """Comparing names takes the product of their lengths, so only some short ones are compared."""
    asked = []
    monkeypatch.setattr(
        "converters.planning.structures.difflib.get_close_matches",
        lambda name, near, **_: asked.append(near) or [],
    )
    spare = {f"layer{number}" for number in range(5000)} | {"n" * 1000}
    assert _near("layerx", spare) == ""
    assert len(asked[0]) == 200


# Memory and names


def test_hashing_takes_no_memory():
    """A header's numbers, as Python keeps them, would take many times its bytes."""
    data = bytes(120_000)
    tracemalloc.start()
    try:
        lookup3(data)
        assert tracemalloc.get_traced_memory()[1] < 40_000
    finally:
        tracemalloc.stop()


def test_hashing_stops_when_the_time_is_over():
    """It looks at the clock every few thousand bytes."""
    seen = []
    lookup3(bytes(200_000), lambda: seen.append(1))
    assert len(seen) == 5


def test_parts_of_a_header_that_say_nothing_take_no_memory(tmp_path):
    """They are counted and left."""
    path = tmp_path / "idle.h5"
    header(path, b"\0\0\0\0" * 20_000)
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match="the root is neither a group nor a dataset"):
            open_untrusted(path)
        assert tracemalloc.get_traced_memory()[1] < 600_000
    finally:
        tracemalloc.stop()


def with_long_layer(path):
    """Write a file that lists a layer's name of 20 letters."""
    return relisted(path, "/", "layer_names")


def with_long_weight(path):
    """Write a file that lists an array's name of 20 letters."""
    return relisted(path, "fc", "weight_names")


def relisted(path, group, attribute):
    """Write a file with a list of a name that nothing in it has."""
    write_named(path, {"fc": {"fc_W": counted(2, 2)}})
    with h5py.File(path, "r+") as file:
        file[group].attrs[attribute] = np.array([b"n" * 20])
    return path


def with_long_attribute(path):
    """Write a file of Keras 3 in which a layer says that its name has 20 letters."""
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = counted(3, 2), counted(2)
        file["layers/dense/vars"].attrs["name"] = "n" * 20
    return path


def with_long_setting(path):
    """Write a whole model whose configuration names a layer of 20 letters."""
    return write_model(path, in_layer(3, "name", "n" * 20))


@pytest.mark.parametrize("write", [with_long_layer, with_long_weight, with_long_attribute, with_long_setting])
def test_listed_names_are_held_to_the_limit_that_is_set(write, tmp_path, monkeypatch):
    """Of 20 bytes: read with that limit, refused with one less, and by that limit's name."""
    path = write(tmp_path / "w.h5")
    monkeypatch.setenv("ZOO_LIMITS", "name_bytes=20")
    listed = write in (with_long_layer, with_long_weight)
    with pytest.raises(FileFormatError, match=r"is missing$") if listed else contextlib.nullcontext():
        describe(path)
    monkeypatch.setenv("ZOO_LIMITS", "name_bytes=19")
    with pytest.raises(FileFormatError, match=r"is longer than 19 bytes \(limit name_bytes\)$"):
        describe(path)


def test_a_list_of_names_is_no_longer_than_objects_may_be(tmp_path, monkeypatch):
    """A file need not hold what it lists."""
    path = write_named(tmp_path / "w.h5", {})
    with h5py.File(path, "r+") as file:
        del file.attrs["layer_names"]
        for number in range(3):
            file.attrs[f"layer_names{number}"] = np.array([b"x"] * 10)
    monkeypatch.setenv("ZOO_LIMITS", "objects=29")
    with pytest.raises(FileFormatError) as refused:
        describe(path)
    text = "attribute 'layer_names' of '' lists 30 names; more than 29 are not read (limit objects)"
    assert str(refused.value) == f"{path}: {text}"


def test_an_array_of_two_layers_is_refused(tmp_path):
    """Names with a slash can lead to the same array by two ways; what becomes of it would be told twice."""
    path = write_named(tmp_path / "w.h5", {"a": {"b/c_W": counted(2, 2)}})
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = np.array([b"a", b"a/b"])
        file["a/b"].attrs["weight_names"] = np.array([b"c_W"])
    with pytest.raises(FileFormatError) as refused:
        describe(path)
    assert str(refused.value) == f"{path}: two layers have the array 'a/b/c_W'"


def test_garbage_is_left_where_it_is_for_a_while():
    """And collected again afterwards, whatever happens; who had switched that off finds it off."""
    assert gc.isenabled()
    with pytest.raises(KeyError), uncollected(), uncollected():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()

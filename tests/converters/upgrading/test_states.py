"""States of recurrent layers, layers with several results, and masks: as written out with NumPy here."""

from __future__ import annotations

import numpy as np
import pytest

from converters import plan_upgrade
from tests.support.upgrading import MERGES, chain, functional, layer, opened, write_model

UNITS, WORDS = 3, 4
CELLS = {"LSTM": (4, 2), "GRU": (3, 1), "SimpleRNN": (1, 1)}
"""How many gates a cell has, and how many states."""
chance = np.random.default_rng(7)


def sigmoid(z):
    """Return 1 / (1 + exp(-z))."""
    return 1 / (1 + np.exp(-z))


def step(cell, arrays, x, states):
    """Return the states after one step; the first is what the cell gives."""
    kernel, recurrent, bias = arrays
    given = np.split(x @ kernel + bias, CELLS[cell][0], 1)
    columns = np.split(recurrent, CELLS[cell][0], 1)
    h = states[0]
    if cell == "SimpleRNN":
        return [np.tanh(given[0] + h @ recurrent)]
    if cell == "GRU":
        z, r = (sigmoid(given[at] + h @ columns[at]) for at in (0, 1))
        return [z * h + (1 - z) * np.tanh(given[2] + (r * h) @ columns[2])]
    i, f, c, o = (one + h @ column for one, column in zip(given, columns, strict=True))
    new = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(c)
    return [sigmoid(o) * np.tanh(new), new]


def run(cell, arrays, x, states=None, mask=None):
    """Return what a cell gives step after step, and its last states; a masked step repeats the one before."""
    states = states or [np.zeros((len(x), UNITS))] * CELLS[cell][1]
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    before, steps = np.zeros((len(x), UNITS)), []
    for at in range(x.shape[1]):
        kept = mask[:, at, None]
        new = [
            np.where(kept, *pair) for pair in zip(step(cell, arrays, x[:, at], states), states, strict=True)
        ]
        before = np.where(kept, new[0], before)
        states = new
        steps.append(before)
    return np.stack(steps, 1), states


def drawn(*shapes):
    """Return random arrays."""
    return [chance.normal(size=shape, scale=0.5).astype("float32") for shape in shapes]


def of_cell(cell, width):
    """Return the arrays of a cell."""
    gates = CELLS[cell][0]
    return drawn((width, gates * UNITS), (UNITS, gates * UNITS), (gates * UNITS,))


def named(arrays, *places):
    """Return arrays by the names that Keras 2 gives them, of one cell or of the two of a Bidirectional."""
    names = [f"{place}/{role}:0" for place in places for role in ("kernel", "recurrent_kernel", "bias")]
    return dict(zip(names, arrays, strict=True))


def entry(cell, name, **settings):
    """Return a recurrent layer."""
    more = {"recurrent_activation": "sigmoid"} if CELLS[cell][0] > 1 else {}
    return layer(cell, name, units=UNITS, activation="tanh", **more, **settings)


def words(*shape):
    """Return words, of which some are masked: at the beginning, in the middle and at the end."""
    found = chance.integers(1, WORDS, shape)
    found[0, 0] = found[1, 1] = found[2, -2] = found[2, -1] = 0
    return found.astype("float32")


def embedding(name, mask_zero):
    """Return an Embedding."""
    return layer("Embedding", name, input_dim=WORDS, output_dim=2, mask_zero=mask_zero)


def outputs(model, *inputs):
    """Return what a model gives, as a list of arrays."""
    given = model(list(inputs) if len(inputs) > 1 else inputs[0])
    return [np.asarray(value) for value in (given if isinstance(given, list | tuple) else [given])]


def check(found, wanted):
    """Raise unless values are as they should be."""
    assert [value.shape for value in found] == [value.shape for value in wanted]
    assert max(np.abs(value - want).max() for value, want in zip(found, wanted, strict=True)) < 1e-5


def translator(cell, *, mask_zero, by_name):
    """Return a model that reads one sequence and, from where that ends, another; and its arrays."""
    source, target = of_cell(cell, 2), of_cell(cell, 2)
    tables = drawn((WORDS, 2), (WORDS, 2))
    states = [("read", 0, number + 1) for number in range(CELLS[cell][1])]
    inputs = [[layer("InputLayer", name, batch_input_shape=[None, None])] for name in "ab"]
    nodes = [
        *inputs,
        [embedding("words_a", mask_zero), ["a"]],
        [embedding("words_b", mask_zero), ["b"]],
        [entry(cell, "read", return_state=True), ["words_a"]],
        [entry(cell, "write", return_state=True, return_sequences=True), ["words_b", *states]],
    ]
    config = functional(nodes, "ab", ["write"])
    config["config"]["output_layers"] = [["write", 0, number] for number in range(CELLS[cell][1] + 1)]
    if by_name:
        (use,) = config["config"]["layers"][-1]["inbound_nodes"]
        said = {"initial_state": [list(state) for state in states]}
        config["config"]["layers"][-1]["inbound_nodes"] = [[[*use[0][:3], said]]]
    arrays = {
        "words_a": {"words_a/embeddings:0": tables[0]},
        "words_b": {"words_b/embeddings:0": tables[1]},
        "read": named(source, "read"),
        "write": named(target, "write"),
    }
    return config, arrays, (source, target, tables)


def often(cases, *now):
    """Return cases of which some are tried in every run, and all in the long one."""
    return [case if case in now else pytest.param(*case, marks=pytest.mark.long) for case in cases]


TRANSLATED = [
    (cell, by_name, mask_zero)
    for cell, by_name in (("LSTM", False), ("LSTM", True), ("GRU", False), ("SimpleRNN", True))
    for mask_zero in (False, True)
]


@pytest.mark.parametrize(
    ("cell", "by_name", "mask_zero"),
    often(TRANSLATED, ("LSTM", False, True), ("GRU", False, True), ("SimpleRNN", True, False)),
)
def test_one_sequence_is_read_and_another_begun_with_its_states(cell, by_name, mask_zero, tmp_path):
    """Masked or not: today's Keras, which finds no mask beside states, is handed it."""
    config, arrays, (source, target, tables) = translator(cell, mask_zero=mask_zero, by_name=by_name)
    path = write_model(tmp_path / "old.h5", config, arrays, version="2.3.0-tf")
    a, b = words(3, 6), words(3, 4)
    masks = [a != 0, b != 0] if mask_zero else [None, None]
    _, states = run(cell, source, tables[0][a.astype(int)], mask=masks[0])
    steps, states = run(cell, target, tables[1][b.astype(int)], states, masks[1])
    check(outputs(opened(path, tmp_path / "new.keras"), a, b), [steps, *states])


def repeating(steps, states, mask):
    """Return steps of which those before the first that is not masked are the state that was handed over."""
    before = ~np.logical_or.accumulate(mask, 1)
    return np.where(before[..., None], states[0][:, None], steps)


FIRST = [
    (version, backend, repeats, sequences)
    for version, backend, repeats in (
        ("2.2.4", "tensorflow", True),
        ("2.2.4", "theano", False),
        ("2.2.4-tf", "tensorflow", False),
    )
    for sequences in (True, False)
]


@pytest.mark.parametrize(("version", "backend", "repeats", "sequences"), often(FIRST, *FIRST[:2], FIRST[-2]))
def test_masked_first_steps_give_what_a_version_gave(version, backend, repeats, sequences, tmp_path):
    """On TensorFlow the state that they were handed, else zeros; so too if all steps are masked."""
    config, arrays, (source, target, tables) = translator("LSTM", mask_zero=True, by_name=False)
    config["config"]["layers"][-1]["config"]["return_sequences"] = sequences
    path = write_model(tmp_path / "old.h5", config, arrays, version=version, backend=backend)
    a, b = words(3, 6), words(3, 4)
    b[0] = 0
    _, states = run("LSTM", source, tables[0][a.astype(int)], mask=a != 0)
    steps, after = run("LSTM", target, tables[1][b.astype(int)], states, b != 0)
    steps = repeating(steps, states, b != 0) if repeats else steps
    wanted = steps if sequences else steps[:, -1]
    check(outputs(opened(path, tmp_path / "new.keras"), a, b), [wanted, *after])


def test_backwards_the_last_steps_are_the_first(tmp_path):
    """And whoever takes them is handed the mask."""
    config, arrays, (source, target, tables) = translator("LSTM", mask_zero=True, by_name=False)
    config["config"]["layers"][-1]["config"]["go_backwards"] = True
    path = write_model(tmp_path / "old.h5", config, arrays)
    a, b = words(3, 6), words(3, 4)
    _, states = run("LSTM", source, tables[0][a.astype(int)], mask=a != 0)
    mask = (b != 0)[:, ::-1]
    steps, after = run("LSTM", target, tables[1][b.astype(int)][:, ::-1], states, mask)
    check(outputs(opened(path, tmp_path / "new.keras"), a, b), [repeating(steps, states, mask), *after])


def test_two_ways_with_states_and_masked_first_steps_are_refused(tmp_path):
    """Of the older versions on TensorFlow."""
    around = layer(
        "Bidirectional", "ways", merge_mode="sum", layer=entry("GRU", "cell", return_sequences=True)
    )
    nodes = [
        *[
            [layer("InputLayer", name, batch_input_shape=[None, size])]
            for name, size in (("a", 6), ("s", UNITS))
        ],
        [embedding("words", True), ["a"]],
        [around, ["words", "s", "s"]],
    ]
    arrays = {
        "words": {"words/embeddings:0": drawn((WORDS, 2))[0]},
        "ways": named([*of_cell("GRU", 2), *of_cell("GRU", 2)], "ways/forward_cell", "ways/backward_cell"),
    }
    config = functional(nodes, "as", ["ways"])
    (refusal,) = plan_upgrade(write_model(tmp_path / "old.h5", config, arrays)).refusals
    assert refusal.why == "it is handed states and masked steps, and its first steps may be masked"


CELL = {"class_name": "SimpleRNNCell", "config": {"name": "cell", "units": UNITS, "activation": "tanh"}}
STATEFUL = {
    "alone": entry("SimpleRNN", "steps", stateful=True),
    "of cells": layer("RNN", "steps", cell=CELL, stateful=True),
    "both ways": layer(
        "Bidirectional", "steps", merge_mode="sum", layer=entry("SimpleRNN", "cell", stateful=True)
    ),
    "both ways of cells": layer(
        "Bidirectional", "steps", merge_mode="sum", layer=layer("RNN", "cell", cell=CELL, stateful=True)
    ),
}


@pytest.mark.parametrize("kind", STATEFUL)
def test_a_stateful_layer_whose_first_steps_may_be_masked_is_refused(kind, tmp_path):
    """They gave the state of the batch before, where today's layers give zeros."""
    nodes = [
        [layer("InputLayer", "a", batch_input_shape=[2, 6])],
        [embedding("words", True), ["a"]],
        [STATEFUL[kind], ["words"]],
    ]
    places = ("steps/forward_cell", "steps/backward_cell") if "ways" in kind else ("steps",)
    arrays = {
        "words": {"words/embeddings:0": drawn((WORDS, 2))[0]},
        "steps": named([array for _ in places for array in of_cell("SimpleRNN", 2)], *places),
    }
    path = write_model(tmp_path / "old.h5", functional(nodes, "a", ["steps"]), arrays)
    (refusal,) = plan_upgrade(path).refusals
    assert refusal.why == "it is stateful, and masked steps flow into it, of which the first may be some"


def test_states_that_are_too_few_are_refused(tmp_path):
    """By how many it keeps."""
    config, arrays, _ = translator("LSTM", mask_zero=False, by_name=False)
    config["config"]["layers"][-1]["inbound_nodes"][0].pop()
    (refusal,) = plan_upgrade(write_model(tmp_path / "old.h5", config, arrays)).refusals
    assert str(refusal) == "layer 'write' (LSTM): it keeps 2 states, and is handed 1 (axes: 1)"


MERGED = {
    "concat": lambda a, b: [np.concatenate([a, b], -1)],
    "sum": lambda a, b: [a + b],
    "ave": lambda a, b: [(a + b) / 2],
    "mul": lambda a, b: [a * b],
    None: lambda a, b: [a, b],
}


def both(cell, arrays, x, mask):
    """Return what two cells give, one of them from the end backwards, and the states of both."""
    ahead, first = run(cell, arrays[:3], x, mask=mask)
    behind, second = run(cell, arrays[3:], x[:, ::-1], mask=mask[:, ::-1])
    return ahead, behind[:, ::-1], [*first, *second]


BOTH = [
    (mode, version, repeats) for mode in MERGED for version, repeats in (("2.2.4", True), ("2.3.0-tf", False))
]


@pytest.mark.parametrize(
    ("mode", "version", "repeats"),
    often(BOTH, ("mul", "2.2.4", True), (None, "2.2.4", True), ("concat", "2.3.0-tf", False)),
)
def test_both_ways_through_masked_steps(mode, version, repeats, tmp_path):
    """They repeat the step before, or are zeros; a layer behind leaves them out all the same."""
    cell, arrays, table = "GRU", [*of_cell("GRU", 2), *of_cell("GRU", 2)], drawn((WORDS, 2))[0]
    width = 2 * UNITS if mode == "concat" else UNITS
    behind = of_cell(cell, width)
    settings = {"return_sequences": True, "return_state": True}
    count = len(MERGED[mode](np.zeros(1), np.zeros(1)))
    nodes = [
        [layer("InputLayer", "in", batch_input_shape=[None, None])],
        [embedding("words", True), ["in"]],
        [layer("Bidirectional", "ways", merge_mode=mode, layer=entry(cell, "cell", **settings)), ["words"]],
        [entry(cell, "last"), [("ways", 0, 0)]],
    ]
    config = functional(nodes, ["in"], ["last"])
    config["config"]["output_layers"] += [["ways", 0, number] for number in range(count + 2)]
    stored = {
        "words": {"words/embeddings:0": table},
        "ways": named(arrays, "ways/forward_cell", "ways/backward_cell"),
        "last": named(behind, "last"),
    }
    path = write_model(tmp_path / "old.h5", config, stored, version=version)
    a = words(3, 6)
    mask = a != 0
    ahead, back, states = both(cell, arrays, table[a.astype(int)], mask)
    if not repeats:
        ahead, back = (np.where(mask[..., None], steps, 0) for steps in (ahead, back))
    ways = MERGED[mode](ahead, back)
    _, (last,) = run(cell, behind, ways[0], mask=mask)
    check(outputs(opened(path, tmp_path / "new.keras"), a), [last, *ways, *states])


def test_the_states_of_a_convolutional_cell(tmp_path):
    """Are maps, in the order of the layer's own."""
    kernel, recurrent, bias = drawn((1, 1, 2, 4 * UNITS), (1, 1, UNITS, 4 * UNITS), (4 * UNITS,))
    settings = {"filters": UNITS, "kernel_size": [1, 1], "strides": [1, 1], "padding": "same"}
    settings |= {"activation": "tanh", "recurrent_activation": "sigmoid", "data_format": "channels_first"}
    cells = [layer("ConvLSTM2D", name, **settings, return_state=True) for name in ("one", "two")]
    nodes = [
        [layer("InputLayer", "in", batch_input_shape=[None, 3, 2, 4, 5])],
        [cells[0], ["in"]],
        [cells[1], ["in", ("one", 0, 1), ("one", 0, 2)]],
    ]
    config = functional(nodes, ["in"], ["two"])
    config["config"]["output_layers"] = [["two", 0, number] for number in range(3)]
    arrays = {name: named([kernel, recurrent, bias], name) for name in ("one", "two")}
    path = write_model(tmp_path / "old.h5", config, arrays)
    x = chance.normal(size=(2, 3, 2, 4, 5)).astype("float32")
    # A kernel of one place computes at each place what an LSTM would.
    flat = np.moveaxis(x, 2, -1).transpose(0, 2, 3, 1, 4).reshape(-1, 3, 2)
    cell = [kernel[0, 0], recurrent[0, 0], bias]
    _, states = run("LSTM", cell, flat)
    steps, states = run("LSTM", cell, flat, states)
    maps = [np.moveaxis(value.reshape(2, 4, 5, UNITS), -1, 1) for value in (steps[:, -1], *states)]
    check(outputs(opened(path, tmp_path / "new.keras"), x), maps)


def within(tmp_path, one, two):
    """Write a model within a model that is used twice, its arrays under these names; return what it gives.

    One of its outputs is given out as it is.
    """
    a, b = drawn((4, 3), (4, 4))
    inner = functional(
        [
            [layer("InputLayer", "x", batch_input_shape=[None, 4])],
            [layer("Dense", "one", units=3, activation="linear", use_bias=False), ["x"]],
            [layer("Dense", "two", units=4, activation="tanh", use_bias=False), ["x"]],
        ],
        ["x"],
        ["one", "two"],
    )
    inner["config"]["name"] = "inner"
    nodes = [
        [layer("InputLayer", "in", batch_input_shape=[None, 4])],
        [inner, ["in"], [("inner", 1, 1)]],
        [layer("Add", "sum"), [("inner", 1, 0), ("inner", 2, 0)]],
    ]
    config = functional(nodes, ["in"], ["sum"])
    config["config"]["output_layers"].append(["inner", 2, 1])
    arrays = {"inner": {f"{one}/kernel:0": a, f"{two}/kernel:0": b}}
    path = write_model(tmp_path / "old.h5", config, arrays)
    x = chance.normal(size=(3, 4)).astype("float32")
    between = np.tanh(x @ b)
    return path, x, [x @ a + between @ a, np.tanh(between @ b)]


@pytest.mark.parametrize(("one", "two"), [("one", "two"), ("one_1", "two"), ("one_12", "two_1")])
def test_a_model_within_a_model_gives_several_values(one, two, tmp_path):
    """TensorFlow 1 numbered the names of arrays anew where its graph had them already."""
    path, x, wanted = within(tmp_path, one, two)
    check(outputs(opened(path, tmp_path / "new.keras"), x), wanted)


def test_arrays_that_were_numbered_anew_are_of_the_class_that_the_configuration_says(tmp_path):
    """By its arrays alone a transposed convolution of as many maps as before is none that can be told."""
    kernel = drawn((2, 2, 3, 3))[0]
    sizes = {"kernel_size": [2, 2], "strides": [2, 2], "padding": "valid"}
    up = layer("Conv2DTranspose", "up_1", filters=3, **sizes, use_bias=False, data_format="channels_last")
    dense = layer("Dense", "dense", units=3, use_bias=False)
    inner = chain(up, dense, shape=(4, 5, 3))
    inner["config"] = {"name": "inner", "layers": inner["config"]}
    nodes = [[layer("InputLayer", "in", batch_input_shape=[None, 4, 5, 3])], [inner, ["in"]]]
    arrays = {"inner": {"up_1_4/kernel:0": kernel, "dense_3/kernel:0": np.eye(3, dtype="float32")}}
    path = write_model(tmp_path / "old.h5", functional(nodes, ["in"], ["inner"]), arrays)
    x = chance.normal(size=(2, 4, 5, 3)).astype("float32")
    wanted = np.einsum("nhwi,abji->nhawbj", x, kernel).reshape(2, 8, 10, 3)
    check(outputs(opened(path, tmp_path / "new.keras"), x), [wanted])


@pytest.mark.parametrize(("one", "two", "odd"), [("one_1", "three", "one_1"), ("two_1", "one_1", "two_1")])
def test_arrays_of_other_names_or_in_another_order_are_refused(one, two, odd, tmp_path):
    """What is in its place under another name may be another layer's."""
    path, *_ = within(tmp_path, one, two)
    refusal, *_ = plan_upgrade(path).refusals
    assert str(refusal) == f"layer 'inner' (Model): arrays of {odd!r} belong to no layer within it"


@pytest.mark.parametrize("said", [None, False, [None, None]])
def test_a_call_may_say_that_there_is_no_mask(said, tmp_path):
    """Keras 2.0 wrote the arguments of a merge: one mask for each input, though there was none."""
    nodes = [
        [layer("InputLayer", "a", batch_input_shape=[None, 4])],
        [layer("InputLayer", "b", batch_input_shape=[None, 4])],
        [layer("Merge", "both", mode="mul"), ["a", "b"]],
    ]
    config = functional(nodes, ["a", "b"], ["both"])
    for source in config["config"]["layers"][2]["inbound_nodes"][0]:
        source[3]["mask"] = said
    path = write_model(tmp_path / "old.h5", config, version="2.0.6")
    a, b = drawn((3, 4), (3, 4))
    check(outputs(opened(path, tmp_path / "new.keras"), a, b), [a * b])


JOINED = {**MERGES, "Concatenate": lambda a, b: np.concatenate([a, b], -1)}


PAIRS = [(("a", True), ("b", True)), (("a", True), ("b", False)), (("a", True), ("a", True))]
"""What is joined: words of two inputs, and whether some of them are masked."""
SOME = [(name, place % 3) for place, name in enumerate(JOINED)]
ALL = [(name, place) for name in JOINED for place in range(len(PAIRS))]


@pytest.mark.parametrize("tried", [SOME, pytest.param(ALL, marks=pytest.mark.long)], ids=["some", "all"])
def test_masked_steps_are_joined(tried, tmp_path):
    """A step is masked if it is in one of what is joined, whichever has a mask."""
    tables = dict(zip("ab", drawn((WORDS, 2), (WORDS, 2)), strict=True))
    nodes = [[layer("InputLayer", name, batch_input_shape=[None, 6])] for name in "ab"]
    nodes += [[embedding(f"{name}_{told}", told), [name]] for name in "ab" for told in (False, True)]
    arrays = {
        f"{name}_{told}": {f"{name}_{told}/embeddings:0": tables[name]}
        for name in "ab"
        for told in (False, True)
    }
    outputs_, wanted = [], []
    a, b = words(3, 6), words(3, 6)
    coming = {"a": tables["a"][a.astype(int)], "b": tables["b"][b.astype(int)]}
    for class_name, place in tried:
        name, pair = f"{class_name}_{place}", PAIRS[place]
        more = {"axis": -1} if class_name == "Concatenate" else {}
        nodes.append([layer(class_name, name, **more), [f"{one}_{told}" for one, told in pair]])
        both_ = JOINED[class_name](*(coming[one] for one, _ in pair))
        cells = of_cell("GRU", both_.shape[-1])
        nodes.append([entry("GRU", f"{name}_last"), [name]])
        arrays[f"{name}_last"] = named(cells, f"{name}_last")
        masks = [{"a": a, "b": b}[one] != 0 for one, told in pair if told]
        wanted.append(run("GRU", cells, both_, mask=np.logical_and.reduce(masks))[1][0])
        outputs_.append(f"{name}_last")
    used = {name for node in nodes for use in node[1:] for name in use}
    nodes = [node for node in nodes if node[0]["config"]["name"] in used | set(outputs_)]
    arrays = {name: found for name, found in arrays.items() if name in used | set(outputs_)}
    path = write_model(tmp_path / "old.h5", functional(nodes, "ab", outputs_), arrays)
    check(outputs(opened(path, tmp_path / "new.keras"), a, b), wanted)


def test_masked_steps_are_joined_along_the_last_axis_alone(tmp_path):
    """Along that of the steps, each has its own."""
    nodes = [
        [layer("InputLayer", "a", batch_input_shape=[None, 6])],
        [embedding("words", True), ["a"]],
        [layer("Concatenate", "both", axis=1), ["words", "words"]],
    ]
    arrays = {"words": {"words/embeddings:0": drawn((WORDS, 2))[0]}}
    path = write_model(tmp_path / "old.h5", functional(nodes, "a", ["both"]), arrays)
    (refusal,) = plan_upgrade(path).refusals
    assert refusal.why == "masked steps flow into it, and it joins them along another axis than the last"


def test_a_mean_leaves_masked_steps_out(tmp_path):
    """Where today's Keras knows of the mask, and where it is handed on."""
    table = drawn((WORDS, 2))[0]
    nodes = [
        [layer("InputLayer", "a", batch_input_shape=[None, 6])],
        [embedding("words", True), ["a"]],
        [embedding("plain", False), ["a"]],
        [layer("Add", "both"), ["words", "plain"]],
        [layer("GlobalAveragePooling1D", "mean", data_format="channels_last"), ["words"]],
        [layer("GlobalAveragePooling1D", "mean_of_both", data_format="channels_last"), ["both"]],
    ]
    arrays = {name: {f"{name}/embeddings:0": table} for name in ("words", "plain")}
    config = functional(nodes, "a", ["mean", "mean_of_both"])
    a = words(3, 6)
    mask = (a != 0)[..., None]
    mean = (table[a.astype(int)] * mask).sum(1) / mask.sum(1)
    path = write_model(tmp_path / "old.h5", config, arrays)
    check(outputs(opened(path, tmp_path / "new.keras"), a), [mean, 2 * mean])


def test_masks_within_a_wrapper_of_steps_are_refused(tmp_path):
    """Those that are made there are lost today; those of its steps were handed on by some versions alone."""
    source = layer("InputLayer", "a", batch_input_shape=[None, 4, 5, 2])
    steps = layer("TimeDistributed", "steps", layer=entry("LSTM", "cell"))
    inner = layer("TimeDistributed", "told", layer=layer("Masking", "mask", mask_value=0.0))
    arrays = {"steps": named(of_cell("LSTM", 2), "steps")}
    for nodes, why in (
        (
            [[source], [layer("Masking", "told", mask_value=0.0), ["a"]], [steps, ["told"]]],
            "it lies in a TimeDistributed, and masked steps flow into it",
        ),
        (
            [[source], [inner, ["a"]], [steps, ["told"]]],
            "it tells masked steps in a TimeDistributed, which passes no mask of it on today",
        ),
    ):
        path = write_model(tmp_path / "old.h5", functional(nodes, "a", ["steps"]), arrays, version="2.11.0")
        assert [refusal.why for refusal in plan_upgrade(path).refusals] == [why]

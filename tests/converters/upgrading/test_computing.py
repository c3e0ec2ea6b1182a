"""Lambda layers: what is read from their code, what is said of them, and what is drawn for it."""

from __future__ import annotations

import base64
import json
import random

import numpy as np
import pytest

from converters import plan_upgrade
from converters.errors import ArgumentError
from converters.upgrading.computing.expressions import NotRecognisedError, parsed, written
from converters.upgrading.computing.functions import FUNCTIONS
from converters.upgrading.computing.instructions import recognised
from converters.upgrading.computing.layer import EXPRESSIONS, HINT
from tests.support.paths import DATA, ROOT
from tests.support.upgrading import chain, functional, layer, opened, write_model

CODE = json.loads((DATA / "lambda_code.json").read_text())
"""Functions of :mod:`tests.support.lambda_code`, stored by each version of Python."""
READ = {
    "identity": "x",
    "abs_difference": "K.abs(x[0] - x[1])",
    "square": "x ** 2",
    "scale": "(x - 127.5) / 127.5",
    "half": "x * 0.5",
    "l2_normalize": "K.l2_normalize(x, axis=-1)",
    "stretch": "x[:, 1:3]",
    "first": "x[0:2]",
    "last": "x[:, -1, :]",
    "backwards": "x[:, ::-1]",
    "channel": "x[..., 0]",
    "joined": "K.concatenate([x, -x], axis=-1)",
    "relu": "tf.nn.relu(x)",
    "euclidean": "K.sqrt(K.maximum(K.sum(K.square(x[0] - x[1]), axis=1, keepdims=True), K.epsilon()))",
    "squeezed": "keras.backend.squeeze(x, axis=-1)",
    "mean": "keras.backend.mean(x, axis=1)",
    "shared": "(x * 3) + 1",
    "exchanged": "x[1] - x[0]",
}
NOT_READ = ("jumps", "method", "list", "any", "within")
# What Python 2 divides may be whole numbers: it is another division.
PYTHON2 = {"scale": "(x - 127.5) div 127.5", "half": "x * (1 div 2)"}
OF_35 = (
    b'\xe3\x02\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00S\x00\x00\x00s"\x00\x00\x00d\x01\x00d'
    b"\x00\x00l\x00\x00}\x02\x00|\x02\x00j\x01\x00j\x02\x00|\x00\x00d\x02\x00|\x01\x00\x83\x01\x01S)\x03N\xe9\x00"
    b"\x00\x00\x00\xda\x04axis)\x03\xda\x05keras\xda\x07backend\xda\x07squeeze)\x03\xda\x01xr\x02\x00\x00\x00r\x03"
    b"\x00\x00\x00\xa9\x00r\x07\x00\x00\x00\xfa\r./02-train.py\xda\x08_squeeze\xa3\x00\x00\x00s\x04\x00\x00\x00\x00"
    b"\x01\x0c\x01"
).decode("raw_unicode_escape")
"""The code of a Lambda in bmcfee/crema, beats, as Keras 2.0.5 on Python 3.5 wrote it: not in base64."""


def told(code, said=None):
    """Return the expression that code is read as, as text."""
    text, defaults, cells = code
    return written(recognised(text, defaults or [], cells or [], said or {}))


@pytest.mark.parametrize("version", CODE)
@pytest.mark.parametrize("name", READ)
def test_code_is_read_as_the_expression_that_it_is(name, version):
    """Of every version of Python."""
    wanted = PYTHON2.get(name, READ[name]) if version == "2.7" else READ[name]
    assert told(CODE[version][name]) == wanted


@pytest.mark.parametrize("version", CODE)
@pytest.mark.parametrize("name", NOT_READ)
def test_other_code_is_not_recognised(name, version):
    """Whatever asks, repeats, calls a method, or takes any number of values."""
    with pytest.raises(NotRecognisedError):
        told(CODE[version][name])


def test_code_that_is_no_base64_is_read_as_well():
    """As Keras wrote it before; arguments are what the layer says, else their defaults."""
    assert told([OF_35, [-1], None]) == "keras.backend.squeeze(x, axis=-1)"
    assert told([OF_35, [-1], None], {"axis": 2}) == "keras.backend.squeeze(x, axis=2)"


def spoiled(chance, code):
    """Return code of which some bytes are others, missing or more."""
    data = bytearray(base64.b64decode(code[0]))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        data[at : at + chance.randint(0, 2)] = bytes(
            chance.randrange(256) for _ in range(chance.randint(0, 3))
        )
    if chance.random() < 0.2:
        del data[chance.randrange(len(data) + 1) :]
    return [base64.b64encode(bytes(data)).decode(), *code[1:]]


def test_spoiled_code_is_read_or_not_recognised():
    """Never an error of Python's own, and never a function that is made."""
    chance = random.Random(0)
    codes = [code for version in CODE.values() for code in version.values()]
    for _ in range(3000):
        try:
            told(spoiled(chance, chance.choice(codes)))
        except NotRecognisedError as error:
            assert str(error)


def marshalled(instructions, constants=b")\x01N"):
    """Return code of Python 3.8 of one argument, with the instructions given as pairs of numbers."""
    numbers = (1, 0, 0, 1, 100, 67)
    head = b"c" + b"".join(number.to_bytes(4, "little") for number in numbers)
    code = bytes(number for pair in instructions for number in pair)
    names = b")\x01z\x01x"
    body = b"s" + len(code).to_bytes(4, "little") + code + constants + b")\x00" + names + b")\x00" * 2
    return base64.b64encode(
        head + body + b"z\x01fz\x01f" + (1).to_bytes(4, "little") + b"s" + b"\0" * 4
    ).decode()


LOAD, STORE, ADD, RETURN = (124, 0), (125, 0), (23, 0), (83, 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (marshalled([LOAD, RETURN]), None),
        (marshalled([RETURN]), "its code does not end with one result"),
        (marshalled([LOAD, LOAD, RETURN]), "its code does not end with one result"),
        (marshalled([LOAD]), "its code does not end with one result"),
        (marshalled([LOAD, RETURN, RETURN]), "its code has RETURN_VALUE in it"),
        (marshalled([(124, 9), RETURN]), "its code is none that Python writes"),
        (marshalled([(100, 7), RETURN]), "its code is none that Python writes"),
        (marshalled([(133, 1), RETURN]), "its code is none that Python writes"),
        (marshalled([(144, 1), LOAD, RETURN]), "its code has instruction 144 in it"),
        (marshalled([LOAD, LOAD, ADD, STORE] * 60 + [LOAD, RETURN]), "its code has LOAD_FAST in it"),
        (marshalled([LOAD, RETURN], b"(\xff\xff\xff\x7f"), "its code is in no form that is known"),
        (marshalled([LOAD, RETURN], b")\x01" * 40 + b"N"), "its code is in no form that is known"),
        (marshalled([LOAD, RETURN], b"<\x00\x00\x00\x00"), "its code is in no form that is known"),
        (marshalled([LOAD, RETURN], b")\x01l\xff\xff\xff\x7f"), "its code is in no form that is known"),
        ("A" * 200_000, "its code has 200000 characters"),
        ("A" + " " * 100_000 + "!", "its code is in no form that is known"),
        ("", "its code is in no form that is known"),
        ("AAA", "its code is no base64"),
    ],
)  # fmt: skip
def test_code_that_nobody_wrote_is_not_recognised(text, why):
    """By what is in it; it is bounded."""
    if why is None:
        assert told([text, None, None]) == "x"
        return
    with pytest.raises(NotRecognisedError) as error:
        told([text, None, None])
    assert str(error.value) == why


def test_what_is_used_over_and_over_is_written_and_drawn_once(tmp_path):
    """Each step doubles what was before: 20 are a million terms, and 20 layers."""
    text = marshalled([LOAD, LOAD, ADD, STORE] * 20 + [LOAD, RETURN])
    assert len(told([text, None, None])) < 1000
    path = write_model(tmp_path / "old.h5", chain(coded([text, None, None]), shape=(4,)))
    x = np.ones((1, 4), "float32")
    assert np.array_equal(np.asarray(opened(path, tmp_path / "new.keras")(x)), x * 2**20)


def coded(code, name="layer", **more):
    """Return a Lambda layer that holds code."""
    settings = {"function": code, "function_type": "lambda", "output_shape": None, "arguments": {}}
    return layer("Lambda", name, **(settings | more))


A, B, V, S, M, T = "a", "b", "v", "s", "m", "t"
SHAPES = {A: (4,), B: (4,), V: (3,), S: (6, 3), M: (4, 5, 3), T: (None, 3)}
"""What comes into the layers below: vectors, sequences, maps, and sequences of open length."""


def lengths(x, axis):
    """Return the length of vectors."""
    return np.sqrt((x**2).sum(axis, keepdims=True))


def soft(x, axis):
    """Return what adds up to one."""
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


CASES = [
    ("abs_difference", A + B, lambda a, b: np.abs(a - b)),
    ("cosine", A + B, lambda a, b: (a / lengths(a, 1) * b / lengths(b, 1)).sum(1, keepdims=True)),
    ("difference", A + B, lambda a, b: a - b),
    ("euclidean_distance", A + B, lambda a, b: lengths(a - b, 1)),
    ("expand_dims", S, lambda x: x[..., None]),
    ("identity", S, lambda x: x),
    ("l2_normalize", S, lambda x: x / lengths(x, -1)),
    ("manhattan_distance", A + B, lambda a, b: np.abs(a - b).sum(1, keepdims=True)),
    ("max", T, lambda x: x.max(1)),
    ("mean", S, lambda x: x.mean(1)),
    ("product", A + B, lambda a, b: a * b),
    ("reverse", T, lambda x: x[:, ::-1]),
    ("square", M, lambda x: x**2),
    ("squared_difference", A + B, lambda a, b: (a - b) ** 2),
    ("stack", A + B, lambda a, b: np.stack([a, b], 1)),
    ("sum", S, lambda x: x.sum(1)),
    ("unit_range", M, lambda x: x / 255),
    ("K.squeeze(x[:, 0:1], 1)", S, lambda x: x[:, 0]),
    ("x ** 3", A, lambda x: x**3),
    ("x ** 0.5 * 0 + 2 ** 3", M, lambda x: np.where(x < 0, np.nan, 8)),
    ("(x - 127.5) / 127.5", M, lambda x: (x - 127.5) / 127.5),
    ("1 / x", A, lambda x: 1 / x),
    ("2 - x", A, lambda x: 2 - x),
    ("x[0] / (1 + x[1])", A + B, lambda a, b: a / (1 + b)),
    ("-x", A, lambda x: -x),
    ("K.sum(x[0] * x[1], axis=1) - K.mean(x[0], axis=1)", A + B, lambda a, b: (a * b).sum(1) - a.mean(1)),
    ("x[:, -1, :]", S, lambda x: x[:, -1]),
    ("x[:, -1]", T, lambda x: x[:, -1]),
    ("x[:, 1:3]", A, lambda x: x[:, 1:3]),
    ("x[:, 1:]", T, lambda x: x[:, 1:]),
    ("x[:, ::2]", T, lambda x: x[:, ::2]),
    ("x[:, :-2, 1]", S, lambda x: x[:, :-2, 1]),
    ("x[..., 0]", M, lambda x: x[..., 0]),
    ("x[:, :, 1:4:2, None]", M, lambda x: x[:, :, 1:4:2, None]),
    ("tf.abs(x) + K.abs(x)", A, lambda x: 2 * np.abs(x)),
    ("tf.square(x)", A, lambda x: x**2),
    ("K.sqrt(x)", A, lambda x: np.sqrt(np.maximum(x, 0))),
    ("tf.sqrt(x * x)", A, np.abs),
    ("K.exp(x)", A, np.exp),
    ("K.log(1 + K.exp(x))", A, lambda x: np.log(1 + np.exp(x))),
    ("K.sign(x)", A, np.sign),
    ("tf.negative(x)", A, lambda x: -x),
    ("K.pow(x, 2)", A, lambda x: x**2),
    ("K.clip(x, -0.5, 0.5)", A, lambda x: np.clip(x, -0.5, 0.5)),
    ("K.tanh(x)", S, np.tanh),
    ("K.sigmoid(x)", S, lambda x: 1 / (1 + np.exp(-x))),
    ("K.softplus(x)", S, lambda x: np.log1p(np.exp(x))),
    ("K.softsign(x)", S, lambda x: x / (1 + np.abs(x))),
    ("K.hard_sigmoid(x)", S, lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    ("K.relu(x, alpha=0.1, max_value=1.)", S, lambda x: np.where(x > 0, np.minimum(x, 1), 0.1 * x)),
    ("tf.nn.relu(x, name='r')", S, lambda x: np.maximum(x, 0)),
    ("tf.nn.relu6(x * 9)", S, lambda x: np.clip(9 * x, 0, 6)),
    ("tf.nn.softmax(x, axis=1)", S, lambda x: soft(x, 1)),
    ("K.identity(K.cast(x, 'float32'))", S, lambda x: x),
    ("tf.cast(tf.to_float(x), tf.float32) + K.epsilon()", S, lambda x: x),
    ("K.cast(x, K.floatx())", S, lambda x: x),
    ("K.mean(x, axis=[1, 2])", M, lambda x: x.mean((1, 2))),
    ("K.min(x, 1, True)", M, lambda x: x.min(1, keepdims=True)),
    ("K.prod(x, axis=-1)", M, lambda x: x.prod(-1)),
    ("tf.nn.l2_normalize(x, dim=1)", S, lambda x: x / lengths(x, 1)),
    ("tf.norm(x, axis=1)", S, lambda x: lengths(x, 1)[:, 0]),
    ("tf.reverse(x, axis=[1, 2])", S, lambda x: x[:, ::-1, ::-1]),
    ("tf.reshape(x, [-1, 2, 9])", S, lambda x: x.reshape(-1, 2, 9)),
    ("K.permute_dimensions(x, (0, 2, 1))", S, lambda x: x.transpose(0, 2, 1)),
    ("K.repeat(x, 3)", A, lambda x: np.repeat(x[:, None], 3, 1)),
    ("K.batch_flatten(x)", S, lambda x: x.reshape(len(x), -1)),
    ("tf.concat([x, -x], 1)", S, lambda x: np.concatenate([x, -x], 1)),
    ("K.batch_dot(x[0], x[1], axes=[1, 2])", V + S, lambda a, b: np.einsum("bn,bmn->bm", a, b)),
    ("K.maximum(x[0], x[1])", A + B, np.maximum),
    ("K.minimum(0.3, x)", A, lambda x: np.minimum(x, 0.3)),
    ("tf.add(x[0], x[1]) + tf.subtract(x[0], x[1])", A + B, lambda a, b: 2 * a),
    ("tf.multiply(x[0], tf.divide(1.0, x[1]))", A + B, lambda a, b: a / b),
]
"""What is said, what comes in, and what goes out."""


@pytest.fixture(scope="module")
def all_of_them(tmp_path_factory):
    """Return a model with a Lambda for each case, and what comes in."""
    folder = tmp_path_factory.mktemp("lambdas")
    ends = [[layer("InputLayer", name, batch_input_shape=[None, *shape])] for name, shape in SHAPES.items()]
    named = [(f"case_{place}", *case) for place, case in enumerate(CASES)]
    config = functional(
        [*ends, *([coded("f", name, function_type="function"), list(fed)] for name, _, fed, _ in named)],
        list(SHAPES),
        [name for name, *_ in named],
    )
    path = write_model(folder / "old.h5", config)
    model = opened(path, folder / "new.keras", lambdas={name: text for name, text, *_ in named})
    chance = np.random.default_rng(0)
    inputs = {
        name: chance.normal(size=(3, *(size or 5 for size in shape))).astype("float32")
        for name, shape in SHAPES.items()
    }
    return dict(zip((name for name, *_ in named), model(list(inputs.values())), strict=True)), inputs


@pytest.mark.parametrize("place", range(len(CASES)), ids=[case[0] for case in CASES])
def test_an_expression_computes_what_it_says(place, all_of_them):
    """As NumPy does."""
    results, inputs = all_of_them
    _, fed, compute = CASES[place]
    found, wanted = np.asarray(results[f"case_{place}"]), compute(*(inputs[name] for name in fed))
    assert found.shape == wanted.shape
    assert np.allclose(found, wanted, rtol=1e-5, atol=1e-6, equal_nan=True)


def test_every_function_and_every_named_expression_is_tried():
    """A record that is added gets its case above."""
    texts = " ".join(EXPRESSIONS.get(text, text) for text, *_ in CASES)
    assert [
        function.names for function in FUNCTIONS if not any(f"{name}(" in texts for name in function.names)
    ] == []
    assert set(EXPRESSIONS) - {"squeeze"} <= {text for text, *_ in CASES}


@pytest.mark.parametrize(
    ("text", "fed", "why"),
    [
        ("K.round(x)", A, "it calls K.round, which is none that is known"),
        ("open('x')", A, "it calls open, which is none that is known"),
        ("x[0] + 1", A, "it takes single samples"),
        ("x[2]", A + B, "2 values come in, and it takes x[2]"),
        ("K.sum(x)", A, "it joins all samples"),
        ("K.sum(x, axis=0)", S, "it works along axis 0 of 3"),
        ("[x[0], x[1]]", A + B, "it gives no single value"),
        ("x[0] + x[1]", A + S, "it joins values of 1 and 2 axes"),
        ("x[0] + x[1]", A + V, "it joins values of (4,) and (3,)"),
        ("K.reshape(x, (-1, 3))", S, "it makes one sample of several, or several of one"),
        ("K.squeeze(x, 1)", S, "it leaves out an axis of 6 elements"),
        ("x[:, 7:]", A, "it takes no place of an axis"),
        ("x[:, -2:]", T, "it takes places of an axis whose size is open"),
        ("x / 0", A, "it divides by zero"),
        ("x * 10 ** 10 ** 10", A, "it computes ** of numbers that have none"),
        ("K.cast(x, 'float16')", A, "it makes values of another type"),
        ("K.abs(x, where=1)", A, "it gives K.abs 'where'"),
        ("K.clip(x, 0)", A, "it gives K.clip no max_value"),
        ("x.T", A, "it asks for .T of a value"),
    ],
)
def test_what_cannot_be_drawn_is_refused(text, fed, why, tmp_path):
    """With the reason, and what to do."""
    ends = [[layer("InputLayer", name, batch_input_shape=[None, *SHAPES[name]])] for name in fed]
    config = functional([*ends, [coded("f", function_type="function"), list(fed)]], list(fed), ["layer"])
    path = write_model(tmp_path / "old.h5", config)
    if text == "x.T":
        with pytest.raises(ArgumentError) as error:
            plan_upgrade(path, lambdas={"layer": text})
        assert why in str(error.value)
        return
    (refusal,) = plan_upgrade(path, lambdas={"layer": text}).refusals
    assert refusal.why == f"{text!r} was said of it: {why}; {HINT}"


@pytest.mark.parametrize(
    "text", ["import os", "x if x else 1", "[y for y in x]", "x[", "x + " * 300 + "x", "f(**x)"]
)
def test_what_is_no_expression_is_no_argument(text, tmp_path):
    """It is read as data, too."""
    path = write_model(tmp_path / "old.h5", chain(coded("f"), shape=(4,)))
    with pytest.raises(ArgumentError) as error:
        plan_upgrade(path, lambdas={"layer": text})
    assert "is no expression: " in str(error.value)
    assert str(error.value).endswith(f"say one of x, or one of {', '.join(EXPRESSIONS)}")


def test_a_layer_that_is_none_is_no_argument(tmp_path):
    """With the names of those that are."""
    code = CODE["3.6"]["square"]
    path = write_model(tmp_path / "old.h5", chain(coded(code), shape=(4,)))
    with pytest.raises(ArgumentError) as error:
        plan_upgrade(path, lambdas={"other": "square"})
    assert str(error.value) == f"{path}: no Lambda layer is called 'other'; it has 'layer'"


FORMS = {
    "base64": lambda code: {"function": code},
    "text": lambda code: {"function": [base64.b64decode(code[0]).decode("raw_unicode_escape"), *code[1:]]},
    "mapping": lambda code: {
        "function": {
            "class_name": "__lambda__",
            "config": dict(zip(("code", "defaults", "closure"), code, strict=True)),
        }
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_stored_code_is_drawn(form, tmp_path):
    """And what it was read as is told, where Keras stores it in any of its forms."""
    config = chain(coded(None, **FORMS[form](CODE["3.7"]["shared"])), shape=(4,))
    path = write_model(tmp_path / "old.h5", config)
    assert plan_upgrade(path).notes == ("layer: its code, read as data: (x * 3) + 1",)
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    assert np.abs(np.asarray(opened(path, tmp_path / "new.keras")(x)) - (3 * x + 1)).max() < 1e-6


@pytest.mark.parametrize(
    ("more", "shape", "why"),
    [
        ({"output_shape": [3], "output_shape_type": "raw"}, (4,),
         "it says that it gives [3], and would give [4]"),
        ({"function": ["mine", None, None], "function_type": "function"}, (4,), None),
        ({"mask": "code"}, (4,), f"it holds code, which is never run: it says what becomes of masks; {HINT}"),
        ({"arguments": {"n": 3}}, (4,),
         f"it holds code, which is never run: it takes arguments that nothing says; {HINT}"),
        ({"input_dtype": "int32"}, (4,), f"it holds code, which is never run: whole numbers come in; {HINT}"),
    ],
)  # fmt: skip
def test_a_lambda_that_is_more_than_its_code_is_refused(more, shape, why, tmp_path):
    """By what it says besides."""
    config = chain(coded(CODE["3.6"]["square"], **more), shape=shape)
    (refusal,) = plan_upgrade(write_model(tmp_path / "old.h5", config)).refusals
    wanted = "it holds code, which is never run: it is a function that is called something and lies elsewhere"
    assert refusal.why == (why or f"{wanted}; {HINT}")


def test_a_sequential_with_an_operation_is_none_any_more(tmp_path):
    """Today's Keras has layers alone in one; within another model, too."""
    inner = chain(
        coded(CODE["3.6"]["backwards"], "turn"), layer("Activation", "end", activation="relu"), shape=(4, 3)
    )
    inner["config"] = {"name": "inner", "layers": inner["config"]}
    nodes = [[layer("InputLayer", "in", batch_input_shape=[None, 4, 3])], [inner, ["in"]]]
    config = functional(nodes, ["in"], ["inner"])
    config["config"]["output_layers"] = [["inner", 1, 0]]
    inner_entry = config["config"]["layers"][1]
    inner_entry["name"] = "inner"
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    for place, whole in enumerate((inner, config)):
        path = write_model(tmp_path / f"{place}.h5", whole)
        result = np.asarray(opened(path, tmp_path / f"{place}.keras")(x))
        assert np.array_equal(result, np.maximum(x[:, ::-1], 0))


def test_maps_that_were_channels_first_are_seen_as_they_were(tmp_path):
    """By a layer that is used twice."""
    pad = layer("ZeroPadding2D", "pad", padding=[0, 0], data_format="channels_first")
    nodes = [
        [layer("InputLayer", "in", batch_input_shape=[None, 2, 3, 4])],
        [pad, ["in"]],
        [coded(CODE["3.6"]["backwards"], "turn"), ["pad"], [("both", 0, 0)]],
        [layer("Add", "both"), ["in", ("turn", 0, 0)]],
    ]
    config = functional(nodes, ["in"], ["turn"])
    config["config"]["output_layers"] = [["turn", 1, 0]]
    path = write_model(tmp_path / "old.h5", config)
    x = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype("float32")
    result = np.asarray(opened(path, tmp_path / "new.keras")(x))
    assert np.abs(result - (x + x[:, ::-1])[:, ::-1]).max() < 1e-6


def test_an_expression_is_written_as_it_is_read():
    """Again and again."""
    for text in ("K.abs(x[0] - x[1])", "x[:, 1:3, ..., None]", "-x ** 2", "K.stack([x, 1], axis=-1)"):
        assert written(parsed(written(parsed(text)))) == written(parsed(text))


def test_the_page_lists_every_named_expression():
    """As it stands in the table."""
    page = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
    assert [
        f"| `{name}` | `{text}` |"
        for name, text in EXPRESSIONS.items()
        if f"| `{name}` | `{text}` |" not in page
    ] == []

"""The proof of an upgrade: against tf-keras where it can be, and always by the shapes of all values."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import keras
import numpy as np
import pytest

import zoo
from converters import OwnClass, plan_upgrade, upgrade_file
from converters.errors import ConversionError, ConversionWarning
from tests.support.command import Command
from tests.support.upgrading import chain, layer, opened, source_of, write_model
from zoo.networks import proving

KERNEL = np.random.default_rng(0).normal(size=(4, 3)).astype("f4")
SHAPES = "the shapes of 2 values are those of the old configuration"


@pytest.fixture(name="path")
def _path(tmp_path):
    config = chain(layer("Dense", units=3, activation="tanh", use_bias=False), shape=(4,))
    return write_model(tmp_path / "old.h5", config, {"layer": {"layer/kernel:0": KERNEL}})


@pytest.fixture(name="reference")
def _reference(monkeypatch):
    """Return what stands for tf-keras: a module whose models give what a function says."""

    def stand(function):
        module = ModuleType("tf_keras")
        module.__version__ = "2.21.0"
        module.models = SimpleNamespace(load_model=lambda path, compile: function)
        monkeypatch.setitem(sys.modules, "tf_keras", module)

    return stand


def test_outputs_are_compared_with_those_of_tf_keras(path, reference, capsys):
    """On random inputs, the same each time; what was compared is told."""
    reference(lambda x: np.tanh(x @ KERNEL))
    code, out, err = Command(capsys)("upgrade", "--prove", "--json", path)
    proved = json.loads(out)["proved"]
    assert (code, proved["reference"], proved["outputs"], proved["shapes"]) == (0, "tf-keras 2.21.0", 1, 2)
    assert proved["difference"] < 1e-6
    line = err.splitlines()[-1]
    given = "zoo: proved: what it gives for 3 random inputs is what tf-keras 2.21.0 gives (1 output), at most"
    assert line.startswith(given)
    assert line.endswith(f" of the largest output off; {SHAPES}")


def test_a_model_that_gives_something_else_is_an_error(path, reference, capsys):
    """On the command line and in Python."""
    reference(lambda x: np.tanh(x @ KERNEL) + 0.001)
    code, out, err = Command(capsys)("upgrade", "--prove", path)
    assert (code, out) == (1, "")
    assert f"zoo: {path}: the new model does not give what tf-keras 2.21.0 gives: 1." in err
    with pytest.raises(ConversionError, match="do not use it, and please report this"):
        zoo.upgrade(path, prove=True)


def test_without_tf_keras_shapes_are_compared(path, monkeypatch):
    """And it is said what to install."""
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    done = upgrade_file(path, path.with_suffix(".keras"))
    proof = proving.prove(done.upgrade, keras.models.load_model(done.target))
    assert str(proof) == (f"tf-keras is not installed (pip install 'tf-keras>=2.18'); {SHAPES}")


NOT_ITS_OWN = {
    "Keras 1": (
        {"version": "1.2.2"},
        "tf-keras opens no such file: it takes whole models of Keras 2 on TensorFlow",
    ),
    "Theano": (
        {"backend": "theano"},
        "tf-keras opens no such file: it takes whole models of Keras 2 on TensorFlow",
    ),
    "another module": ({"module": "os"}, "the file names functions, which tf-keras would run"),
    "a function": ({"class_name": "function"}, "the file names functions, which tf-keras would run"),
    "code": ({"class_name": "Lambda"}, "the file names functions, which tf-keras would run"),
    "a function of Keras": ({"module": "keras.utils"}, "the file names functions, which tf-keras would run"),
}


@pytest.mark.parametrize("name", NOT_ITS_OWN)
def test_files_that_are_not_for_tf_keras_are_not_given_to_it(name, reference, tmp_path):
    """Nor those that would have it run something: what is left out of the new model, too."""
    said, why = NOT_ITS_OWN[name]
    reference(lambda x: pytest.fail("it was given the file"))
    named = {key: value for key, value in said.items() if key in ("module", "class_name")}
    odd = {"class_name": "get_file", "config": {}, **named}
    dense = layer("Dense", units=3, activation="tanh", use_bias=False)
    dense["config"]["kernel_initializer"] = odd if named else None
    if "version" in said:
        dense["config"] = {"name": "layer", "output_dim": 3, "activation": "tanh", "bias": False}
    config = chain(dense, shape=(4,))
    told = {key: value for key, value in said.items() if key not in named}
    arrays = {"layer": {"layer_W" if "version" in said else "layer/kernel:0": KERNEL}}
    path = write_model(tmp_path / "old.h5", config, arrays, **told)
    done = upgrade_file(path, tmp_path / "new.keras")
    proof = proving.prove(done.upgrade, keras.models.load_model(done.target))
    assert (proof.reference, proof.why) == ("", why)


HALF = {"class_name": "Policy", "config": {"name": "mixed_float16"}}


@pytest.mark.parametrize(("off", "proved"), [(2e-3, True), (2e-2, False)])
def test_layers_that_compute_with_fewer_bits_are_compared_by_those(off, proved, reference, tmp_path):
    """What their rounding may change is no other result."""
    reference(lambda x: (x @ KERNEL) * (1 + off))
    config = chain(layer("Dense", units=3, use_bias=False, dtype=HALF), shape=(4,))
    arrays = {"layer": {"layer/kernel:0": KERNEL}}
    path = write_model(tmp_path / "old.h5", config, arrays, version="2.15.0")
    done = upgrade_file(path, tmp_path / "new.keras")
    model = keras.models.load_model(done.target)
    if proved:
        assert proving.prove(done.upgrade, model).outputs == 1
    else:
        with pytest.raises(ConversionError, match="does not give what tf-keras"):
            proving.prove(done.upgrade, model)


def test_a_reference_that_fails_is_none(path, reference):
    """It is said how, in one line."""

    def failing(x):
        raise RuntimeError("no such operation\nhere")

    reference(failing)
    done = upgrade_file(path, path.with_suffix(".keras"))
    proof = proving.prove(done.upgrade, keras.models.load_model(done.target))
    why = "tf-keras 2.21.0 does not compute with random inputs (no such operation)"
    assert (proof.why, proof.reference, proof.shapes) == (why, "", 2)


def test_words_are_not_drawn_at_random(reference, tmp_path):
    """A model that takes some is compared by its shapes."""
    reference(lambda x: pytest.fail("it was given numbers"))
    words = {"vocabulary": ["a", "b"], "mask_token": None, "oov_token": "[UNK]", "dtype": "string"}
    source = layer("InputLayer", "words", batch_input_shape=[None, 2], dtype="string")
    config = chain(source, layer("StringLookup", "numbers", **words))
    path = write_model(tmp_path / "old.h5", config, version="2.15.0")
    done = upgrade_file(path, tmp_path / "new.keras")
    proof = proving.prove(done.upgrade, keras.models.load_model(done.target))
    assert proof.why == "words come in, of which none are drawn at random"


def test_a_users_class_called_as_one_of_keras_is_not_taken_for_it(tmp_path):
    """An Embedding of the user's own need not say how many words it knows."""
    path = write_model(tmp_path / "old.h5", chain(layer("Embedding", dtype="float32"), shape=(4,)))
    own = OwnClass(module="mine", class_name="Embedding", shape=lambda said, shapes: shapes[0])
    upgrade = plan_upgrade(path, custom={"Embedding": own})
    model = keras.Sequential([keras.Input((4,), dtype="int32"), keras.layers.Identity()])
    (numbers,) = proving.random_inputs(model, upgrade.drawing)
    assert set(np.unique(numbers)) == {0, 1}


@pytest.mark.parametrize(
    "sample",
    ["keras122_theano_th/nested_model", "keras224_theano_cf/merge_two_inputs", "keras122_theano_th/srelu"],
)
def test_all_values_have_the_shapes_that_the_old_configuration_gives(sample, tmp_path):
    """Those within models, too; another shape is an error that names the layer."""
    done = upgrade_file(source_of(sample), tmp_path / "new.keras")
    model = keras.models.load_model(done.target)
    assert proving.prove(done.upgrade, model).shapes >= len(model.layers)
    (end, *_) = done.upgrade.drawing.outputs
    done.upgrade.drawing.outputs[0] = replace(end, shape=(*end.shape, 1))
    with pytest.raises(ConversionError) as error:
        proving.prove(done.upgrade, model)
    assert f"layer {end.layer!r} gives {end.shape} in Keras, and should give" in str(error.value)


def test_words_are_such_as_an_embedding_knows(tmp_path):
    """And open sizes are drawn."""
    config = chain(
        layer("Embedding", input_dim=3, output_dim=2, input_length=None, batch_input_shape=[None, None])
    )
    arrays = {"layer": {"layer/embeddings:0": np.ones((3, 2), "f4")}}
    path = write_model(tmp_path / "old.h5", config, arrays)
    model = opened(path, tmp_path / "new.keras")
    done = upgrade_file(path, tmp_path / "again.keras")
    (words,) = proving.random_inputs(model, done.upgrade.drawing)
    assert (words.shape, words.min(), words.max()) == ((3, 32), 0, 2)


def test_warnings_are_of_the_line_that_asked(tmp_path):
    """Not of this package's own."""
    pool = {"pool_size": [1, 1], "border_mode": "valid", "dim_ordering": "th", "strides": [1, 1]}
    published = layer("LRN", "lrn", alpha=0.1, k=1, beta=0.75, n=5)
    config = chain(layer("MaxPooling2D", **pool), published, shape=(3, 4, 4))
    path = write_model(tmp_path / "old.h5", config, version="1.2.2")
    with pytest.warns(ConversionWarning) as warned:
        zoo.upgrade(path)
    assert {warning.filename for warning in warned} == {__file__}

"""Models of tf.keras, upgraded: each gives what tf-keras computes with it, or is refused with its reason.

Run by ``make test-tf-keras`` in an environment of its own; not part of the ordinary run, which has plain
Keras alone.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from converters import upgrade_file
from converters.errors import ConversionError

# What tf-keras says of the format that these files are in.
pytestmark = pytest.mark.filterwarnings("ignore")
MAP, SEQUENCE, VOLUME, WORDS = (9, 8, 3), (7, 5), (6, 6, 6, 2), (6,)


def chain(shape, *listed):
    """Return what makes a Sequential; words are integers."""
    dtype = "int32" if shape == WORDS else "float32"
    return lambda: tf_keras.Sequential([layers.Input(shape, dtype=dtype), *(make() for make in listed)])


def make(name, *values, **settings):
    """Return what makes a layer of a class."""
    return lambda: getattr(layers, name)(*values, **settings)


def around(name, inner, **settings):
    """Return what makes a wrapper around a layer."""
    return lambda: getattr(layers, name)(inner(), **settings)


BORDERS = [(padding, stride) for padding in ("valid", "same") for stride in (1, 2, 3)]
STEPPED = {
    f"{name} {padding} {stride}": chain(shape, make(name, *values, strides=stride, padding=padding))
    for padding, stride in BORDERS
    for name, shape, values in (
        ("Conv1D", SEQUENCE, (4, 3)),
        ("Conv2D", MAP, (4, (3, 2))),
        ("Conv3D", VOLUME, (3, 2)),
        ("Conv2DTranspose", MAP, (4, (3, 2))),
        ("SeparableConv2D", MAP, (4, 3)),
        ("DepthwiseConv2D", MAP, (3,)),
        ("MaxPooling1D", SEQUENCE, (3,)),
        ("MaxPooling2D", MAP, (2,)),
        ("AveragePooling2D", MAP, ((3, 2),)),
        ("AveragePooling3D", VOLUME, (2,)),
    )
}
HARD = {"recurrent_activation": "hard_sigmoid"}
EMBEDDED = make("Embedding", 9, 4, mask_zero=True)
RECURRENT = {
    "LSTM": chain(SEQUENCE, make("LSTM", 4, return_sequences=True)),
    "LSTM hard": chain(SEQUENCE, make("LSTM", 4, **HARD)),
    **{
        f"GRU {reset} {gates}": chain(SEQUENCE, make("GRU", 4, reset_after=reset, recurrent_activation=gates))
        for reset in (True, False)
        for gates in ("sigmoid", "hard_sigmoid")
    },
    "GRU all hard": chain(SEQUENCE, make("GRU", 4, activation="hard_sigmoid", reset_after=False, **HARD)),
    "SimpleRNN hard": chain(SEQUENCE, make("SimpleRNN", 4, activation="hard_sigmoid", go_backwards=True)),
    **{
        f"Bidirectional {mode}": chain(
            SEQUENCE, around("Bidirectional", make("LSTM", 3, return_sequences=True, **HARD), merge_mode=mode)
        )
        for mode in ("concat", "sum", "mul", "ave")
    },
    "ConvLSTM2D": chain((4, *MAP), make("ConvLSTM2D", 3, (3, 2), padding="same", return_sequences=True)),
    "ConvLSTM2D valid": chain((4, *MAP), make("ConvLSTM2D", 3, 3, strides=2)),
    "TimeDistributed": chain(
        (4, *MAP),
        around("TimeDistributed", make("Conv2D", 2, 3, strides=2, padding="same")),
        around("TimeDistributed", make("Flatten")),
        make("LSTM", 3),
    ),
    "a model at each step": chain(
        (3, *MAP),
        around(
            "TimeDistributed", chain(MAP, make("Conv2D", 2, 3), make("BatchNormalization"), make("Flatten"))
        ),
    ),
    "wrappers in a model": chain(
        SEQUENCE,
        chain(
            SEQUENCE,
            around("TimeDistributed", make("Dense", 4)),
            around("Bidirectional", make("LSTM", 3)),
        ),
        make("Dense", 2),
    ),
    "masked steps": chain(
        WORDS,
        EMBEDDED,
        make("LSTM", 3, return_sequences=True),
        make("Dropout", 0.5),
        around("TimeDistributed", make("Dense", 3)),
        make("GRU", 2),
    ),
    "masked both ways": chain(WORDS, EMBEDDED, around("Bidirectional", make("LSTM", 3)), make("Dense", 2)),
    "masked by value": chain(
        SEQUENCE, make("Masking"), make("SimpleRNN", 3, return_sequences=True), make("LSTM", 2)
    ),
}
OTHERS = {
    "dilated": chain(MAP, make("Conv2D", 4, 3, dilation_rate=2, padding="same")),
    "causal": chain(SEQUENCE, make("Conv1D", 4, 3, dilation_rate=2, padding="causal")),
    "LocallyConnected1D": chain(SEQUENCE, make("LocallyConnected1D", 4, 3, strides=2)),
    "LocallyConnected2D": chain(MAP, make("LocallyConnected2D", 4, (3, 2), strides=(2, 1))),
    "BatchNormalization": chain(
        MAP, make("BatchNormalization"), make("BatchNormalization", axis=1, scale=False)
    ),
    "PReLU": chain(MAP, make("PReLU", shared_axes=[1, 2]), make("PReLU")),
    "activations": chain(
        SEQUENCE,
        make("ReLU", 6.0, 0.1, 0.2),
        make("LeakyReLU", 0.2),
        make("ELU", 0.7),
        make("ThresholdedReLU", 0.1),
        make("Softmax"),
    ),
    **{
        name: chain(SEQUENCE, make("Dense", 4, activation=name))
        for name in ("elu", "selu", "softplus", "softsign", "swish", "gelu", "exponential", "hard_sigmoid")
    },
    "sizes": chain(
        MAP,
        make("UpSampling2D", 2),
        make("ZeroPadding2D", ((1, 0), (2, 1))),
        make("Cropping2D", ((0, 1), (1, 1))),
        make("UpSampling2D", 2, interpolation="bilinear"),
    ),
    "shapes": chain(
        MAP, make("Reshape", (-1, 4)), make("Permute", (2, 1)), make("Flatten"), make("RepeatVector", 2)
    ),
    "channels first": chain(MAP, make("Reshape", (3, 9, 8)), make("Flatten", data_format="channels_first")),
    "noise": chain(
        SEQUENCE, make("GaussianNoise", 0.1), make("GaussianDropout", 0.1), make("AlphaDropout", 0.1)
    ),
    "frozen": chain(SEQUENCE, make("BatchNormalization", trainable=False), make("Dense", 2, trainable=False)),
}


def joined():
    """Return a model with two inputs, a layer that both share, and seven outputs."""
    first, second, shared = layers.Input(MAP), layers.Input(MAP), layers.Conv2D(3, 3, padding="same")
    ends = shared(first), shared(second)
    names = ("Concatenate", "Add", "Subtract", "Average", "Maximum", "Minimum", "Multiply")
    return tf_keras.Model([first, second], [getattr(layers, name)()(ends) for name in names])


def reused():
    """Return a model that uses another one three times."""
    source, inner = layers.Input(MAP), layers.Input(MAP)
    model = tf_keras.Model(inner, layers.Conv2D(3, 3, padding="same")(inner))
    return tf_keras.Model(source, layers.Add()([model(model(source)), model(source)]))


def with_states():
    """Return a model whose layer gives its states."""
    source = layers.Input(SEQUENCE)
    return tf_keras.Model(source, layers.LSTM(4, return_state=True)(source))


MODELS = {**STEPPED, **RECURRENT, **OTHERS, "joined": joined, "reused": reused}


def filled(model):
    """Give a model random arrays, variances above zero."""
    chance = np.random.default_rng(0)
    for variable in model.variables:
        values = chance.normal(size=variable.shape) / 2
        variable.assign(np.abs(values) + 0.1 if "variance" in variable.name else values)
    return model


def given(model):
    """Return random inputs; the last steps of sequences are zeros, and words may be."""
    chance = np.random.default_rng(1)
    inputs = []
    for source in model.inputs:
        shape = (3, *source.shape[1:])
        if source.dtype.is_integer:
            inputs.append(chance.integers(0, 9, shape))
            continue
        inputs.append(chance.normal(size=shape).astype("float32"))
        inputs[-1][:, -2:] = 0
    return inputs if len(inputs) > 1 else inputs[0]


def listed(results):
    """Return a model's results as a list of arrays."""
    return [np.asarray(result) for result in (results if isinstance(results, list) else [results])]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_what_it_gave(name, tmp_path):
    """Within 1e-5 of the largest output."""
    model = filled(MODELS[name]())
    model.save(tmp_path / "old.h5")
    upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    inputs = given(model)
    wanted, results = listed(model(inputs)), listed(keras.models.load_model(tmp_path / "new.keras")(inputs))
    for result, expected in zip(results, wanted, strict=True):
        assert np.abs(result - expected).max() < 1e-5 * max(np.abs(expected).max(), 1e-3)


REFUSED = {
    "GRU hard with reset": (
        chain(SEQUENCE, make("GRU", 4, activation="hard_sigmoid")),
        "its activation is hard_sigmoid, with reset_after",
    ),
    "masked sequences both ways": (
        chain(WORDS, EMBEDDED, around("Bidirectional", make("LSTM", 3, return_sequences=True))),
        "it gives sequences of masked steps, which today's Keras sets to zero",
    ),
    "a mean of masked steps": (
        chain(WORDS, EMBEDDED, make("GlobalAveragePooling1D")),
        "masked steps flow into it, and it is drawn with layers that carry no mask on",
    ),
    "a normalisation": (
        chain(SEQUENCE, make("LayerNormalization")),
        "its class is none of Keras' own that is known here",
    ),
    "states": (with_states, "its setting return_state is True"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_carried_over_is_refused(name, tmp_path):
    """By layer, with the reason."""
    build, why = REFUSED[name]
    build().save(tmp_path / "old.h5")
    with pytest.raises(ConversionError) as error:
        upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    assert str(error.value).endswith(why)

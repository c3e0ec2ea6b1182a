"""Graphs of tf.keras: states, layers with several results, masks beside them, as tf-keras computes them.

Run by ``make test-tf-keras``.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from tf_keras import Model, backend, layers

from converters import upgrade_file

# What tf-keras says of the format that these files are in.
pytestmark = pytest.mark.filterwarnings("ignore")
chance = np.random.default_rng(0)
WORDS, UNITS = 9, 5


def words(count):
    """Return words, of which some are masked: at the beginning, in the middle and at the end."""
    found = chance.integers(1, WORDS, (3, count))
    found[0, -2:] = found[1, 0] = found[2, 2] = 0
    return found.astype("float32")


def values(*shape):
    """Return random values for three samples."""
    return chance.normal(size=(3, *shape)).astype("float32")


def translator(cell, mask_zero, **settings):
    """Return a model that reads one sequence and, from where that ends, another."""
    source, target = layers.Input((None,)), layers.Input((None,))
    read = layers.Embedding(WORDS, 4, mask_zero=mask_zero)(source)
    _, *states = getattr(layers, cell)(UNITS, return_state=True, **settings)(read)
    written = layers.Embedding(WORDS, 4, mask_zero=mask_zero)(target)
    steps, *_ = getattr(layers, cell)(UNITS, return_state=True, return_sequences=True, **settings)(
        written, initial_state=states
    )
    return Model([source, target], layers.Dense(WORDS, activation="softmax")(steps)), [words(7), words(5)]


def masked():
    """Return a model that masks vectors, and is handed states."""
    source, state = layers.Input((6, 3)), layers.Input((4,))
    coming = layers.Masking(0.0)(source)
    given = layers.LSTM(4, return_sequences=True)(coming, initial_state=[state, layers.Dense(4)(state)])
    x = values(6, 3)
    x[0, 3:] = x[1, 0] = 0
    return Model([source, state], given), [x, values(4)]


def both_ways(mode, mask_zero):
    """Return a model of two layers that go both ways, of which one hands its states to the other."""
    source = layers.Input((None,))
    coming = layers.Embedding(WORDS, 4, mask_zero=mask_zero)(source)
    around = layers.Bidirectional(layers.LSTM(3, return_state=True, return_sequences=True), merge_mode=mode)
    count = 2 if mode is None else 1
    results = around(coming)
    behind = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(
        results[0], initial_state=results[count:]
    )
    return Model(source, [behind, *results[:count], layers.Concatenate()(results[count:])]), [words(6)]


def last_both_ways():
    """Return a model that gives the last step of both ways, and the states."""
    source = layers.Input((None,))
    coming = layers.Embedding(WORDS, 4, mask_zero=True)(source)
    return Model(source, list(layers.Bidirectional(layers.GRU(3, return_state=True))(coming))), [words(6)]


def of_maps():
    """Return a model of convolutional cells."""
    first, second = layers.Input((4, 6, 6, 2)), layers.Input((3, 6, 6, 2))
    results = layers.ConvLSTM2D(3, 3, padding="same", return_state=True)(first)
    steps = layers.ConvLSTM2D(3, 3, padding="same", return_sequences=True)(
        second, initial_state=list(results[1:])
    )
    return Model([first, second], [steps, *results]), [values(4, 6, 6, 2), values(3, 6, 6, 2)]


def several():
    """Return a model within which another gives two values, and is used twice."""
    source, inner = layers.Input((4,)), layers.Input((4,))
    within = Model(inner, [layers.Dense(3)(inner), layers.Dense(5, activation="tanh")(inner)])
    first, second = within(source)
    third, fourth = within(layers.Dense(4)(second))
    return Model(source, [layers.Add()([first, third]), layers.Concatenate()([second, fourth]), first]), [
        values(4)
    ]


def halves():
    """Return a model of two models: what reads gives its states to what writes."""
    reading, writing = layers.Input((5, 3)), layers.Input((6, 2))
    _, *states = layers.LSTM(4, return_state=True)(reading)
    reader = Model(reading, states, name="reader")
    begun = [layers.Input((4,)), layers.Input((4,))]
    steps = layers.LSTM(4, return_sequences=True)(writing, initial_state=begun)
    writer = Model([writing, *begun], layers.Dense(2)(steps), name="writer")
    source, target = layers.Input((5, 3)), layers.Input((6, 2))
    return Model([source, target], writer([target, *reader(source)])), [values(5, 3), values(6, 2)]


def shared():
    """Return a model that uses one layer three times, on from where it ended."""
    layer = layers.LSTM(4, return_state=True, return_sequences=True)
    first, second = layers.Input((5, 3)), layers.Input((2, 3))
    _, *states = layer(first)
    steps, *more = layer(second, initial_state=states)
    again, *_ = layer(second, initial_state=more)
    return Model([first, second], [steps, again, more[1]]), [values(5, 3), values(2, 3)]


def unrolled():
    """Return a model that goes backwards through steps that are drawn one by one."""
    source, state = layers.Input((5, 3)), layers.Input((4,))
    layer = layers.LSTM(
        4, return_state=True, unroll=True, go_backwards=True, recurrent_activation="hard_sigmoid"
    )
    return Model([source, state], list(layer(source, initial_state=[state, state]))), [
        values(5, 3),
        values(4),
    ]


def products():
    """Return a model of products, with lengths and without."""
    first, second, third = layers.Input((5, 4)), layers.Input((3, 4)), layers.Input((4,))
    ends = [
        layers.Dot(axes, normalize=normalize)(pair)
        for axes, pair in (
            (2, [first, second]),
            ((2, 1), [first, third]),
            (1, [third, third]),
            (-1, [first, first]),
        )
        for normalize in (False, True)
    ]
    return Model([first, second, third], ends), [values(5, 4), values(3, 4), values(4)]


def averaged():
    """Return a model that leaves masked steps out of a mean."""
    source = layers.Input((6,))
    coming = layers.Embedding(WORDS, 4, mask_zero=True)(source)
    return Model(source, layers.Dense(2)(layers.GlobalAveragePooling1D()(coming))), [words(6)]


def masks_joined():
    """Return a model that joins sequences of which some steps are masked, and some sequences have no mask."""
    first, second = layers.Input((6,)), layers.Input((6,))
    masked = [layers.Embedding(WORDS, 4, mask_zero=True)(source) for source in (first, second)]
    plain = layers.Embedding(WORDS, 4)(second)
    ends = []
    for join in (layers.Add, layers.Multiply, layers.Maximum, layers.Average, layers.Concatenate):
        for pair in (masked, [masked[0], plain], [masked[0], masked[0]]):
            coming = layers.Dense(3, activation="tanh")(join()(pair))
            steps = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(coming)
            ends.append(layers.GRU(2)(steps))
    return Model([first, second], ends), [words(6), words(6)]


def euclidean(pair):
    """Return how far apart two vectors are, as the examples of Keras have it."""
    a, b = pair
    squares = backend.sum(backend.square(a - b), axis=1, keepdims=True)
    return backend.sqrt(backend.maximum(squares, backend.epsilon()))


def computed():
    """Return a model of Lambda layers."""
    first, second, sequence = layers.Input((4,)), layers.Input((4,)), layers.Input((None, 3))
    scale = 3.0
    pair = [
        layers.Lambda(lambda x: backend.abs(x[0] - x[1])),
        layers.Lambda(euclidean, output_shape=(1,)),
        layers.Lambda(lambda x: backend.stack(x, axis=1)),
        layers.Lambda(lambda x: tf.concat(x, 1)),
    ]
    single = [
        layers.Lambda(lambda x: x / 255 - 0.5),
        layers.Lambda(lambda x: backend.l2_normalize(x, axis=1)),
        layers.Lambda(lambda x: tf.nn.l2_normalize(x, axis=-1)),
        layers.Lambda(lambda x: x**2 * scale),
        layers.Lambda(lambda x, factor: x * factor, arguments={"factor": 2.5}),
        layers.Lambda(lambda x: backend.expand_dims(x, -1)),
        layers.Lambda(lambda x: x[:, 1:3]),
    ]
    steps = [
        layers.Lambda(lambda x: x[:, -1, :]),
        layers.Lambda(lambda x: backend.reverse(x, 1)),
        layers.Lambda(lambda x: tf.reduce_max(x, axis=1)),
        layers.Lambda(lambda x: x[:, 1:, ::-1]),
    ]
    ends = [layer([first, second]) for layer in pair]
    ends += [layer(first) for layer in single] + [layer(sequence) for layer in steps]
    return Model([first, second, sequence], ends), [values(4), values(4), values(6, 3)]


CELLS = (("LSTM", {}), ("GRU", {}), ("GRU", {"reset_after": False}), ("SimpleRNN", {}))
MODELS = {
    **{
        f"{cell} {settings} {mask_zero}": lambda cell=cell, settings=settings, mask_zero=mask_zero: (
            translator(cell, mask_zero, **settings)
        )
        for cell, settings in CELLS
        for mask_zero in (False, True)
    },
    **{
        f"both ways {mode} {mask_zero}": lambda mode=mode, mask_zero=mask_zero: both_ways(mode, mask_zero)
        for mode in ("concat", "sum", "ave", "mul", None)
        for mask_zero in (False, True)
    },
    **{
        build.__name__: build
        for build in (
            masked,
            last_both_ways,
            of_maps,
            several,
            halves,
            shared,
            unrolled,
            products,
            computed,
            masks_joined,
            averaged,
        )
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_a_graph_gives_what_it_gave(name, tmp_path):
    """All of its outputs, within 1e-5."""
    model, inputs = MODELS[name]()
    model.set_weights([chance.normal(size=array.shape, scale=0.5) for array in model.get_weights()])
    model.save(tmp_path / "old.h5")
    upgrade_file(tmp_path / "old.h5", tmp_path / "new.keras")
    new = keras.models.load_model(tmp_path / "new.keras")
    given, wanted = (of(inputs if len(inputs) > 1 else inputs[0]) for of in (new, model))
    pairs = zip(*(ends if isinstance(ends, list) else [ends] for ends in (given, wanted)), strict=True)
    assert max(np.abs(np.asarray(one) - np.asarray(two)).max() for one, two in pairs) < 1e-5

"""Losses and metrics that fit a head, and labels in every form on one model."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import ArgumentError
from zoo.networks import heads

IMAGES = np.random.default_rng(1).normal(size=(6, 4)).astype("f4")
CLASSES = np.array([0, 1, 2, 2, 1, 0])
ROWS = np.eye(3)[CLASSES]
LABELS = {
    "integers": CLASSES,
    "rows": ROWS.astype("f4"),
    "a column": CLASSES[:, None],
    "rows of integers": ROWS.astype("i8"),
    "a column of another type": CLASSES[:, None].astype("i4"),
    "rows of that type": ROWS.astype("i4"),
}


def model(activation: str | None = "softmax", units: int = 3, outputs: int = 1) -> keras.Model:
    """Return a model that starts from the same values each time, compiled for fine-tuning."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    drawn = [keras.layers.Dense(units, activation, name=f"head_{n}")(inputs) for n in range(outputs)]
    made = keras.Model(inputs, drawn if outputs > 1 else drawn[0])
    heads.compile_for_finetuning(made)
    return made


def by_keras_alone() -> keras.Model:
    """Return the same with what Keras itself makes of the names."""
    made = model()
    made.compile(keras.optimizers.SGD(1e-3, 0.9, nesterov=True), ["crossentropy"], metrics=["accuracy"])
    return made


def test_one_model_takes_labels_in_every_form_one_after_the_other():
    """TensorFlow draws one graph for several shapes of one type: even so each gives what integers give."""
    ours = model()
    expected = ours.evaluate(IMAGES, CLASSES, batch_size=2, verbose=0)
    for labels in LABELS.values():
        found = ours.evaluate(IMAGES, labels, batch_size=2, verbose=0)
        assert found == pytest.approx(expected, rel=1e-6)
    for labels in LABELS.values():
        history = ours.fit(IMAGES, labels, batch_size=2, verbose=0).history
        assert history["loss"][0] < expected[0] + 0.01


@pytest.mark.parametrize("floats", ["float16", "bfloat16"])
def test_many_classes_keep_their_numbers_among_short_floats(floats):
    """Class 257, which bfloat16 would round to 256, costs as a number what it costs as a row."""
    keras.config.set_floatx(floats)
    try:
        made = model(units=300)
        kernel, bias = made.get_weights()
        bias[257] = 4
        made.set_weights([kernel * 0, bias])
        rows = np.eye(300)[[257] * 6]
        assert made.evaluate(IMAGES, np.full(6, 257), verbose=0) == made.evaluate(IMAGES, rows, verbose=0)
    finally:
        keras.config.set_floatx("float32")


def test_what_is_computed_is_what_keras_computes():
    """To the bit, for integers and for rows."""
    for labels in (CLASSES, LABELS["rows"]):
        ours, theirs = model(), by_keras_alone()
        ours.run_eagerly = theirs.run_eagerly = True
        histories = [
            one.fit(IMAGES, labels, batch_size=2, shuffle=False, verbose=0).history for one in (ours, theirs)
        ]
        assert histories[0] == histories[1]
        assert all(map(np.array_equal, ours.get_weights(), theirs.get_weights()))


def test_rows_of_a_wrong_width_are_not_computed_with():
    """Where the graph could take them, the loss is not a number."""
    ours = model()
    ours.evaluate(IMAGES, LABELS["rows of integers"], verbose=0)
    ours.evaluate(IMAGES, LABELS["a column"], verbose=0)
    assert np.isnan(ours.evaluate(IMAGES, np.ones((6, 5), "i8"), verbose=0)[0])


def test_soft_labels_are_kept():
    """Rows that are no one-hot rows are probabilities, before and after integers."""
    ours = model()
    soft = np.full((6, 3), 1 / 3, "f4")
    expected = -np.log(np.asarray(ours(IMAGES))).mean()
    for labels in (soft, CLASSES, soft):
        found = ours.evaluate(IMAGES, labels, verbose=0)[0]
    assert found == pytest.approx(expected, rel=1e-5)


def test_callbacks_know_which_accuracy_is_better():
    """As with Keras' own metric, by its name."""
    stop = keras.callbacks.EarlyStopping("val_accuracy", patience=1)
    ours = model()
    ours.run_eagerly = True
    ours.fit(IMAGES, CLASSES, validation_data=(IMAGES, LABELS["rows"]), callbacks=[stop], verbose=0)
    assert (stop.monitor_op(0.9, 0.8), stop.monitor_op(0.8, 0.9)) == (True, False)


@pytest.mark.parametrize(
    ("activation", "units", "labels"),
    [
        ("sigmoid", 3, ROWS),
        ("sigmoid", 1, CLASSES % 2),
        (None, 1, CLASSES % 2),
        (None, 3, CLASSES),
        (None, 3, ROWS),
    ],
)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_losses_by_activation(activation, units, labels, ending, tmp_path):
    """The values are those of the formulas; a saved model has them too (from logits: of integers)."""
    ours = model(activation, units)
    ours.run_eagerly = True
    found = ours.evaluate(IMAGES, labels, return_dict=True, verbose=0)
    logits = np.asarray(ours(IMAGES), "f8")
    if activation == "sigmoid":
        logits = np.log(logits / (1 - logits))
    truth, one_class = np.asarray(labels, "f8").reshape(6, -1), activation is None and units > 1
    if one_class:
        losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(6), CLASSES]
        expected = {"loss": losses.mean(), "accuracy": (logits.argmax(1) == CLASSES).mean()}
    else:
        losses = np.log1p(np.exp(logits)) - truth * logits
        expected = {"loss": losses.mean(), "binary_accuracy": ((logits > 0) == truth).mean()}
    assert found == pytest.approx(expected, rel=1e-5)
    ours.optimizer.build(ours.trainable_variables)
    ours.save(tmp_path / f"model{ending}")
    opened = keras.saving.load_model(tmp_path / f"model{ending}")
    opened.run_eagerly = True
    again = opened.evaluate(IMAGES, CLASSES if one_class else labels, verbose=0)
    assert again == pytest.approx([found[name] for name in expected])


def test_each_output_has_its_own():
    """Three heads: three losses and accuracies by name, of labels in either form."""
    ours = model(outputs=3)
    ours.run_eagerly = True
    for labels in (CLASSES, ROWS.astype("f4")):
        found = ours.evaluate(IMAGES, [labels] * 3, return_dict=True, verbose=0)
        assert {f"head_{n}_accuracy" for n in range(3)} <= set(found)


ENDS = {
    "inside": ([keras.layers.Dense(4, "softmax", name="out")], ("Dense", "out")),
    "layer": ([keras.layers.Dense(4, name="out"), keras.layers.Softmax(name="end")], ("Activation", "end")),
    "behind": (
        [keras.layers.Dense(4, name="out"), keras.layers.Activation("softmax", name="end")],
        ("Activation", "end"),
    ),
}
"""Layers with a softmax at their end, and in which layer what takes its place is."""


@pytest.mark.parametrize("key", ENDS)
@pytest.mark.parametrize(("activation", "name"), [("sigmoid", "sigmoid"), (None, "linear")])
def test_a_new_head_ends_in_what_is_asked_for(key, activation, name):
    """In the layer that the old one ended in; what is before lets everything pass."""
    layers, end = ENDS[key]
    old = keras.Sequential([keras.Input((4,)), *layers])
    new = zoo.replace_head(old, 1, activation=activation)
    assert new.output_shape == (None, 1)
    last = new.layers[-1]
    assert (type(last).__name__, last.name, last.activation.__name__) == (*end, name)
    if last.name == "end":
        assert new.get_layer("out").activation is keras.activations.linear


def test_an_activation_that_is_none():
    """The message says what is allowed."""
    with pytest.raises(ArgumentError) as caught:
        zoo.replace_head(model(), 2, activation="relu")
    assert str(caught.value) == ("activation='relu': must be 'softmax', 'sigmoid', 'linear', None or 'same'")

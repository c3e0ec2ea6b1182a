"""Bottleneck features: taking models apart, computing once, keeping, standardising and folding back."""

from __future__ import annotations

import logging
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import zoo
from tests.support.small_network import small_network, some_digits
from zoo import finetuning
from zoo.errors import ArgumentError
from zoo.finetuning.batches import ImageBatches, Preparation
from zoo.finetuning.data import from_arrays, from_folder
from zoo.finetuning.features import (
    FeaturesError,
    Scale,
    dissect,
    extract,
    image_size,
    predicted,
    preparation_for,
    save_features,
)
from zoo.registry import architecture

RAW = Preparation(height=16, width=16, recipe=None)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_model_is_taken_apart_before_its_classifier(dropout):
    """Body and classifier together give the model's logits; dropout belongs to neither."""
    model = small_network(dropout=dropout)
    anatomy = dissect(model)
    assert anatomy.model is model
    assert anatomy.classifier.name == "classes"
    assert anatomy.dropout == dropout
    images = some_digits(3).batch(range(3), 16, 16).astype(np.float32)
    logits = anatomy.classifier(anatomy.body(images))
    assert np.allclose(keras.ops.softmax(logits), model(images), atol=1e-6)


def test_of_several_outputs_the_last_one_is_the_main_one():
    """A model with auxiliary heads goes on with its last output alone."""
    x = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(x)
    heads = [keras.layers.Dense(4, activation="softmax", name=name)(flat) for name in ("side", "main")]
    anatomy = dissect(keras.Model(x, heads, name="two"))
    assert anatomy.classifier.name == "main"
    assert anatomy.model.output_names == ["main"]
    assert [layer.name for layer in anatomy.model.layers if layer.weights] == ["main"]


def stacked(*more, dropout=0.0, activation="softmax"):
    """Return a Sequential model with a model inside it, and what else it ends in."""
    layers = keras.layers
    inside = keras.Sequential([keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.Flatten()])
    before = [layers.Dropout(dropout)] if dropout else []
    last = layers.Dense(10, activation=activation, name="classes")
    return keras.Sequential([keras.Input((16, 16, 3)), inside, *before, last, *more], name="stacked")


@pytest.mark.parametrize(
    ("build", "dropout"),
    [
        (stacked, 0.0),
        (lambda: stacked(dropout=0.4), 0.4),
        (lambda: stacked(keras.layers.Softmax(), activation=None), 0.0),
        (lambda: stacked(keras.layers.Activation("softmax"), dropout=0.2, activation=None), 0.2),
        (lambda: stacked(keras.layers.Activation("linear")), 0.0),
    ],
)
def test_sequential_models_are_taken_apart_too(build, dropout):
    """With a softmax of its own or behind it; body and classifier share the model's layers."""
    model = build()
    anatomy = dissect(model)
    assert anatomy.model is model
    assert anatomy.classifier is model.get_layer("classes")
    assert anatomy.dropout == dropout
    assert anatomy.body.name == "stacked_body"
    pictures = some_digits(3)
    features = extract(anatomy.body, pictures, preparation_for(anatomy.body, None))
    images = pictures.batch(range(3), 16, 16).astype(np.float32)
    kernel, bias = anatomy.classifier.get_weights()
    probabilities = keras.ops.softmax(features @ kernel + bias)
    assert np.allclose(probabilities, model(images), atol=1e-6)


def test_a_sequential_model_that_does_not_know_its_input_is_refused():
    """The message says what to do."""
    model = keras.Sequential([keras.layers.Dense(3, activation="softmax")], name="unbuilt")
    with pytest.raises(ArgumentError) as caught:
        dissect(model)
    assert str(caught.value) == "model 'unbuilt' does not know its input yet; call it once, or build it"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: stacked(activation=None),
            "model 'stacked' gives no probabilities: 'classes' needs a softmax, its own or a layer behind it",
        ),
        (
            lambda: stacked(keras.layers.Softmax(), activation="relu"),
            "model 'stacked' gives no probabilities: 'classes' needs a softmax, its own or a layer behind it",
        ),
        (
            lambda: stacked(keras.layers.Activation("relu", name="bent"), keras.layers.Softmax()),
            "model 'stacked' ends in 'bent', not in a dense layer that gives classes; "
            "zoo.load(..., num_classes=N) and zoo.replace_head put one on",
        ),
    ],
)
def test_a_classifier_that_computes_something_else_is_refused(build, message):
    """What learns is a dense layer with a softmax and nothing between the two."""
    with pytest.raises(ArgumentError) as caught:
        dissect(build())
    assert str(caught.value) == message


@pytest.mark.long
def test_googlenet_goes_on_with_its_main_head():
    """From loading it with its auxiliary heads to a trained classifier."""
    model = zoo.load("googlenet", weights=None, num_classes=2, compile=False)
    pictures = from_arrays(np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8), [0, 1] * 3)
    side = model.get_layer("loss1__classifier").get_weights()
    result = finetuning.head(model, pictures, pictures, epochs=1, cache=False)
    assert len(model.outputs) == 3
    assert result.model.output_names == ["loss3"]
    assert result.predictions.shape == (6, 2)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(side, model.get_layer("loss1__classifier").get_weights(), strict=True)
    )


def test_a_model_without_a_classifier_is_refused():
    """The message says what it ends in and what puts a classifier on."""
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, keras.layers.GlobalAveragePooling2D(name="pooled")(x), name="bare")
    with pytest.raises(ArgumentError) as caught:
        dissect(model)
    assert str(caught.value) == (
        "model 'bare' ends in 'pooled', not in a dense layer that gives classes; "
        "zoo.load(..., num_classes=N) and zoo.replace_head put one on"
    )


@pytest.mark.parametrize(
    ("shape", "size", "order"),
    [((10, 12, 3), (10, 12), "channels_last"), ((3, 10, 12), (10, 12), "channels_first")],
)
def test_the_size_of_images_is_that_of_the_model(shape, size, order):
    """Either order of axes is told by the axis that is 3 long."""
    x = keras.Input(shape)
    model = keras.Model(x, keras.layers.Flatten()(x))
    assert image_size(model) == size
    prepared = preparation_for(model, None)
    assert (prepared.height, prepared.width, prepared.data_format) == (*size, order)


@pytest.mark.parametrize("shape", [(None, None, 3), (8, 8, 1), (5,)])
def test_models_of_no_certain_size_are_refused(shape):
    """Images cannot be brought to a size that is not known."""
    x = keras.Input(shape)
    model = keras.Model(x, keras.layers.Activation("relu")(x), name="odd")
    with pytest.raises(ArgumentError) as caught:
        image_size(model)
    assert str(caught.value) == f"model 'odd' takes {(None, *shape)}: must take RGB images of one size"


class Counted:
    """Counts the images that go through a model."""

    def __init__(self, monkeypatch):
        self.count = 0

        def counting(model, batches, **options):
            found = predicted(model, batches, **options)
            self.count += len(found)
            return found

        monkeypatch.setattr("zoo.finetuning.features.predicted", counting)


def test_features_are_what_the_model_gives():
    """In the order of the images, whatever the batches."""
    body = dissect(small_network()).body
    pictures = some_digits(7)
    found = extract(body, pictures, RAW, batch_size=3)
    expected = np.asarray(body(pictures.batch(range(7), 16, 16).astype(np.float32)))
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-4)


def test_a_graph_is_made_once_for_whole_batches_and_the_last():
    """And gives what Keras' ``predict`` gives, to the bit."""
    traced = []

    class Seen(keras.layers.Layer):
        def call(self, inputs):
            traced.append(inputs.shape)
            return inputs

    small = small_network()
    model = keras.Model(small.input, Seen()(small.output))
    batches = ImageBatches(some_digits(20), RAW, batch_size=8)
    traced.clear()
    found = predicted(model, batches)
    assert traced == [(None, 10)]
    assert found.shape == (20, 10)
    assert np.array_equal(found, model.predict(batches.inputs(), verbose=0))


def test_features_are_computed_once(tmp_path, monkeypatch):
    """What was computed for other images among these is taken from the disk, in any order."""
    body = dissect(small_network()).body
    counted = Counted(monkeypatch)
    pictures = some_digits(9)
    first = extract(body, pictures.subset(np.arange(5)), RAW, cache=tmp_path)
    assert counted.count == 5
    backwards = extract(body, pictures.subset(np.arange(9)[::-1]), RAW, cache=tmp_path)
    assert counted.count == 9
    assert np.array_equal(backwards[::-1][:5], first)
    assert np.array_equal(extract(body, pictures, RAW, cache=tmp_path)[::-1], backwards)
    assert counted.count == 9
    assert len(list(tmp_path.iterdir())) == 2  # a file for what was added, each time


def test_what_is_on_the_shelf_needs_no_network(tmp_path, monkeypatch):
    """Where nothing is left to compute, batch normalisation is not folded either."""
    from zoo.finetuning import features

    body, pictures = dissect(small_network()).body, some_digits(4)
    first = extract(body, pictures, RAW, cache=tmp_path, fused=True)

    def refuse(model):
        raise AssertionError("nothing was left to compute")

    monkeypatch.setattr(features, "fuse", refuse)
    assert np.array_equal(extract(body, pictures, RAW, cache=tmp_path, fused=True), first)


@pytest.mark.parametrize("size", [1e-30, 1e-9, 1e-3, 1.0, 1e18])
def test_features_of_any_size_are_standardised_alike(size):
    """The layers of the graph and the folded weights agree, down to what float32 can hold."""
    rng = np.random.default_rng(0)
    features = (rng.normal(3, 2, (50, 6)) * size).astype(np.float32)
    scale = Scale.of(features)
    assert scale.varies
    assert scale.standardise(features).std(axis=0) == pytest.approx(np.ones(6), rel=1e-4)
    x = keras.Input((6,))
    drawn = np.asarray(keras.Model(x, scale.layer()(x))(features))
    assert drawn == pytest.approx(scale.standardise(features), rel=1e-6, abs=1e-6)
    weights = [rng.normal(size=(6, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)]
    kernel, bias = scale.fold(weights)
    learned = drawn.astype(np.float64) @ weights[0] + weights[1]
    folded = features.astype(np.float64) @ kernel + bias
    assert np.abs(folded - learned).max() <= 1e-6 * np.abs(learned).max()


def test_features_that_differ_by_rounding_alone_do_not_vary():
    """One that does is enough, however small it is beside the others."""
    features = np.full((20, 3), 1000.0, np.float32)
    assert not Scale.of(features).varies
    assert not Scale.of(np.nextafter(features, np.float32(2000)) - features * 0).varies
    features[::2] = np.nextafter(features[::2], np.float32(2000))
    assert not Scale.of(features).varies
    features[:, 0] = np.arange(20) * 1e-9
    assert Scale.of(features).varies


@pytest.mark.parametrize("change", ["weights", "recipe", "layer", "pixels"])
def test_features_are_computed_anew_when_anything_changed(tmp_path, monkeypatch, change):
    """One weight, another preprocessing, another activation, or one pixel are enough."""
    body, preparation, pictures = dissect(small_network()).body, RAW, some_digits(4)
    extract(body, pictures, preparation, cache=tmp_path)
    if change == "weights":
        kernel, bias = body.get_layer("first").get_weights()
        body.get_layer("first").set_weights([kernel, bias + np.eye(1, 12)[0].astype(np.float32) * 1e-3])
    elif change == "recipe":
        recipe = architecture("resnet50").preprocessing
        preparation = Preparation(height=16, width=16, recipe=recipe)
    elif change == "layer":
        body.get_layer("rectified").negative_slope = np.float32(0.1)
    else:
        pictures = some_digits(4, seed=1)
    counted = Counted(monkeypatch)
    extract(body, pictures, preparation, cache=tmp_path)
    assert counted.count == 4


def test_a_damaged_cache_is_computed_anew(tmp_path, caplog):
    """It is said, and afterwards the file is whole."""
    body, pictures = dissect(small_network()).body, some_digits(4)
    first = extract(body, pictures, RAW, cache=tmp_path)
    (shelf,) = tmp_path.iterdir()
    shelf.write_bytes(shelf.read_bytes()[:200])
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(extract(body, pictures, RAW, cache=tmp_path), first)
    assert len(caplog.messages) == 1
    assert "the features are computed anew" in caplog.messages[0]
    caplog.clear()
    extract(body, pictures, RAW, cache=tmp_path)
    assert caplog.messages == []


def test_fused_features_are_equal_but_for_rounding(tmp_path):
    """Folding batch normalisation changes nothing that is seen; the two are kept apart."""
    body, pictures = dissect(small_network()).body, some_digits(6)
    plain = extract(body, pictures, RAW, cache=tmp_path)
    fused = extract(body, pictures, RAW, cache=tmp_path, fused=True)
    assert np.allclose(plain, fused, rtol=1e-4, atol=1e-4 * np.abs(plain).max())
    assert len(list(tmp_path.iterdir())) == 2


def test_a_picture_that_vanished_is_not_kept(tmp_path):
    """Its features are those of a grey square for this run; when it is back they are its own."""
    for place, pixels in enumerate(some_digits(4).batch(range(4), 16, 16)):
        path = tmp_path / "photos" / str(place % 2) / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    body = dissect(small_network()).body
    whole = extract(body, from_folder(tmp_path / "photos"), RAW)
    pictures = from_folder(tmp_path / "photos")
    path = Path(pictures.names[1])
    content = path.read_bytes()
    path.unlink()
    damaged = extract(body, pictures, RAW, cache=tmp_path / "cache")
    assert pictures.readable.tolist() == [True, False, True, True]
    assert np.allclose(damaged[[0, 2, 3]], whole[[0, 2, 3]], atol=1e-4)
    assert not np.allclose(damaged[1], whole[1], atol=1e-2)
    path.write_bytes(content)
    again = extract(body, from_folder(tmp_path / "photos"), RAW, cache=tmp_path / "cache")
    assert np.allclose(again, whole, atol=1e-4)


def test_features_that_are_not_numbers_are_refused(tmp_path):
    """The message names the model and an image, and nothing is kept."""
    model = small_network()
    kernel, bias = model.get_layer("second").get_weights()
    model.get_layer("second").set_weights([kernel * np.float32(1e38), bias])
    with pytest.raises(FeaturesError) as caught:
        extract(dissect(model).body, some_digits(3), RAW, cache=tmp_path)
    assert str(caught.value) == (
        "model 'small' gives features that are not numbers for 3 of 3 images, 'image 0' among them: its "
        "weights are damaged, or too large for its type of numbers; load them anew, in float32"
    )
    assert list(tmp_path.iterdir()) == []


def test_features_of_a_layer_that_does_not_say_what_it_does_are_not_kept(tmp_path, caplog):
    """It is said once, and the features are right."""

    class Mute(keras.layers.Layer):
        """Multiplies by what it does not tell."""

        def __init__(self, *factors):
            super().__init__()
            self.factor = factors[0]

        def call(self, x):
            """Return the product."""
            return x * self.factor

    x = keras.Input((16, 16, 3))
    flat = keras.layers.Flatten()(x)
    found = []
    with caplog.at_level(logging.WARNING):
        for factor in (1.0, 2.0):
            body = keras.Model(x, Mute(factor)(flat), name="mine")
            found.append(extract(body, some_digits(3), RAW, cache=tmp_path))
    assert np.array_equal(found[1], 2 * found[0])
    assert list(tmp_path.iterdir()) == []
    told = [one.getMessage() for one in caplog.records if one.name == "zoo.finetuning.features"]
    assert told == ["model 'mine': the features are not kept: Mute does not say what it does"] * 2


def test_feature_maps_are_refused():
    """The message says how to pool them."""
    x = keras.Input((16, 16, 3))
    model = keras.Model(x, keras.layers.MaxPooling2D()(x), name="maps")
    with pytest.raises(ArgumentError) as caught:
        extract(model, some_digits(2), RAW)
    assert str(caught.value) == (
        "model 'maps' gives feature maps of shape (None, 8, 8, 3): pool them, with "
        "zoo.load(..., num_classes=0, pooling='avg')"
    )


@given(seed=st.integers(0, 1000), spread=st.floats(-3, 3))
@settings(max_examples=30)
def test_a_folded_layer_computes_the_same(seed, spread):
    """A dense layer on standardised features and the folded one on raw ones agree; unfolding goes back."""
    rng = np.random.default_rng(seed)
    features = (rng.normal(3, 10.0**spread, (50, 6)) * [1, 1, 1, 1, 1, 0]).astype(np.float32)
    scale = Scale.of(features)
    weights = [rng.normal(size=(6, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)]
    kernel, bias = scale.fold(weights)
    expected = scale.standardise(features) @ weights[0] + weights[1]
    assert np.allclose(features @ kernel + bias, expected, atol=1e-2)
    back = scale.unfold([kernel, bias])
    assert np.allclose(back[0], weights[0], rtol=1e-4, atol=1e-6)
    assert np.allclose(back[1], weights[1], atol=1e-2)


def test_standardised_features_have_mean_0_and_deviation_1():
    """What does not vary stays near 0 instead of being blown up."""
    features = np.random.default_rng(0).normal(5, 3, (200, 4)).astype(np.float32)
    features[:, 3] = 7
    standard = Scale.of(features).standardise(features)
    assert np.allclose(standard.mean(axis=0), 0, atol=1e-4)
    assert np.allclose(standard.std(axis=0), [1, 1, 1, 0], atol=1e-3)
    assert np.isfinite(Scale.of(np.zeros((5, 2), np.float32)).standardise(np.zeros((5, 2), np.float32))).all()


def test_the_drawn_layer_standardises_as_numpy_does():
    """The layer of the graph and the array function agree."""
    features = np.random.default_rng(0).normal(40, 3, (20, 4)).astype(np.float32)
    scale = Scale.of(features)
    x = keras.Input((4,))
    model = keras.Model(x, scale.layer()(x))
    assert np.allclose(model(features), scale.standardise(features), atol=1e-4)


def test_features_are_saved_with_labels_files_and_classes(tmp_path):
    """The file opens with NumPy alone and without pickles."""
    pictures = some_digits(4)
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    save_features(tmp_path / "new" / "features.npz", rows, pictures)
    with np.load(tmp_path / "new" / "features.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["classes", "features", "files", "labels"]
        assert np.array_equal(file["features"], rows)
        assert np.array_equal(file["labels"], pictures.labels)
        assert tuple(file["files"]) == pictures.names
        assert tuple(file["classes"]) == pictures.classes

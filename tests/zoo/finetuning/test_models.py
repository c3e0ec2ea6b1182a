"""Strategies on models that are not ours: Sequential ones, models within models, namesakes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from tests.support.small_network import OPTIONS, SIDE, divided_digits, same, small_network
from zoo import finetuning
from zoo.errors import ArgumentError, UnknownNameError
from zoo.finetuning.backbone import all_layers, published_graph, recipe_for
from zoo.finetuning.strategies import first_layers

pytestmark = pytest.mark.usefixtures("untraced")


def base():
    """Return a backbone with batch normalisation, as a model of its own."""
    layers = keras.layers
    images = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 128, offset=-1)(images)
    for place, name in enumerate(("conv_a", "conv_b")):
        drawn = keras.initializers.HeNormal(seed=place)
        x = layers.Conv2D(12, 3, strides=2, padding="same", kernel_initializer=drawn, name=name)(x)
        x = layers.BatchNormalization(name=f"norm_{name}")(x)
        x = layers.ReLU()(x)
    return keras.Model(images, x, name="base")


def nested():
    """Return what Keras' own tutorials draw: a backbone that is called like a layer, and a classifier."""
    images = keras.Input((SIDE, SIDE, 3))
    flat = keras.layers.Flatten()(base()(images))
    return keras.Model(
        images, keras.layers.Dense(10, activation="softmax", name="classes")(flat), name="mine"
    )


def sequential():
    """Return the same as a Sequential model."""
    classifier = keras.layers.Dense(10, activation="softmax", name="classes")
    return keras.Sequential(
        [keras.Input((SIDE, SIDE, 3)), base(), keras.layers.Flatten(), classifier], name="row"
    )


STRATEGIES = {
    "svm": finetuning.svm,
    "head": finetuning.head,
    "freeze-pretrain-finetune": finetuning.freeze_pretrain_finetune,
    "all": finetuning.train_all,
}


IN_EACH_RUN = [("svm", nested), ("head", sequential)]


@pytest.mark.parametrize(
    ("strategy", "make"),
    [
        pytest.param(strategy, make, marks=() if (strategy, make) in IN_EACH_RUN else pytest.mark.long)
        for strategy in STRATEGIES
        for make in (nested, sequential)
    ],
)
def test_models_within_models_learn(make, strategy):
    """Every strategy takes them, and the result gives what was judged."""
    model = make()
    more = {"fresh_head": True} if strategy == "all" else {}
    more |= {} if strategy == "svm" else {"learning_rate": 5e-3, "patience": 2, "epochs": 6}
    result = STRATEGIES[strategy](model, *divided_digits(), **OPTIONS, **more)
    assert result.accuracy > 0.5
    images = result.valid.batch(range(10), SIDE, SIDE).astype(np.float32)
    assert np.allclose(result.model.predict(images, verbose=0), result.predictions[:10], atol=1e-4)


def weights_by_layer(model):
    """Return the weights of each layer, wherever it is."""
    return {layer.name: layer.get_weights() for layer in all_layers(model) if layer.weights}


@pytest.mark.parametrize(
    ("options", "still"),
    [
        ({"last": "conv_b"}, {"conv_a", "norm_conv_a", "norm_conv_b"}),
        pytest.param(
            {"last": "conv_b", "freeze_batch_norm": False},
            {"conv_a", "norm_conv_a"},
            marks=pytest.mark.long,
        ),
        pytest.param(
            {"last": "norm_conv_a", "learning_rate_factors": {"backbone": 0}},
            {"conv_a", "norm_conv_a", "conv_b", "norm_conv_b"},
            marks=pytest.mark.long,
        ),
    ],
)
def test_layers_inside_are_frozen_by_name(options, still):
    """What stays to the bit: layers before the named one, batch normalisation unless asked, factor 0."""
    model = nested()
    before = weights_by_layer(model)
    finetuning.last_layers(model, *divided_digits(80), fresh_head=True, epochs=1, **OPTIONS, **options)
    after = weights_by_layer(model)
    assert {name for name in before if same(before[name], after[name])} == still


def test_a_frozen_model_inside_learns_again():
    """`all` trains every layer, whatever was frozen before."""
    model = nested()
    model.get_layer("base").trainable = False
    before = weights_by_layer(model)
    finetuning.train_all(model, *divided_digits(80), fresh_head=True, epochs=1, **OPTIONS)
    after = weights_by_layer(model)
    assert [name for name in before if same(before[name], after[name])] == []


@pytest.mark.parametrize(
    "name", ["googlenet", "resnet50", "vgg16", pytest.param("densenet121", marks=pytest.mark.long)]
)
def test_our_networks_are_known_by_their_layers(name):
    """With any head and at any size the recipe is the registry's."""
    model = zoo.load(name, num_classes=0, pooling="avg", weights=None, input_shape=(64, 64, 3))
    assert published_graph(model) is not None
    assert recipe_for(model, "auto") == zoo.spec(name).preprocessing


def test_a_namesake_is_not_taken_for_the_published_network():
    """Keras' own DenseNet121 has the name of ours and another preprocessing."""
    model = keras.applications.DenseNet121(weights=None, input_shape=(32, 32, 3), classes=10)
    assert model.name == "densenet121"
    with pytest.raises(ArgumentError) as caught:
        recipe_for(model, "auto")
    assert str(caught.value).startswith(
        "model 'densenet121' has not the layers of the network of that name: say which preprocessing it was "
        "trained with, preprocessing='none' or one of caffe, "
    )
    with pytest.raises(ArgumentError, match=r"^model 'small' is not in the registry: say"):
        recipe_for(small_network(), "auto")


def test_a_layer_that_is_not_there_is_named():
    """By the argument that the user gave."""
    with pytest.raises(UnknownNameError) as caught:
        first_layers(zoo.load("googlenet", weights=None, num_classes=2, aux_heads=False), "inception_4x")
    assert str(caught.value).startswith("last='inception_4x': there is no such layer")


def test_changing_pictures_needs_tensorflow_or_jax(monkeypatch, tmp_path):
    """Where Keras runs on its third backend, that is said before the run folder is made."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    options = {**OPTIONS, "augmentation": True, "out": tmp_path / "run"}
    with pytest.raises(ArgumentError) as caught:
        finetuning.train_all(small_network(), *divided_digits(), **options)
    assert str(caught.value) == (
        "augmentation=True: needs TensorFlow or JAX, but Keras runs on torch; say augmentation=False, or set "
        "KERAS_BACKEND=tensorflow"
    )
    assert not (tmp_path / "run").exists()


def test_a_classifier_that_is_a_1x1_convolution_is_trained():
    """On maps of one pixel, as in MobileNet: what comes out has a dense layer of its name in its place."""
    body = base()
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(body.output)
    x = keras.layers.Conv2D(10, 1, name="logits")(keras.layers.Dropout(0.1, name="drop")(x))
    outputs = keras.layers.Softmax()(keras.layers.Flatten()(x))
    model = keras.Model(body.input, outputs, name="small")
    result = finetuning.head(model, *divided_digits(40), **OPTIONS)
    layer = result.model.get_layer("logits")
    assert (type(layer), layer.units) == (keras.layers.Dense, 10)
    assert result.predictions.shape == (14, 10)

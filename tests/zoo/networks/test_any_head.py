"""Classifiers of any Keras model, ours or not: found, replaced, extended."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

import zoo
from tests.support.forgetting import forget
from tests.support.outlines import outline
from zoo.errors import ArgumentError, UnknownNameError

layers = keras.layers


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


def backbone(images):
    """Return eight features of small images."""
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(images)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Dense(8, activation="relu", name="features")(x)


def softmax(features):
    """Return the probabilities of seven classes."""
    return layers.Dense(7, activation="softmax", name="out")(features)


def functional(classifier=softmax) -> keras.Model:
    """Return a small model with a classifier."""
    images = keras.Input((8, 8, 3), name="images")
    return keras.Model(images, classifier(backbone(images)), name="small")


def sequential() -> keras.Sequential:
    """Return a small Sequential model with softmax as a layer of its own."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(7, name="logits"),
            layers.Dropout(0.1),
            layers.Softmax(name="out"),
        ],
        name="stack",
    )


def convolutional() -> keras.Model:
    """Return a model that classifies by a 1x1 convolution, as MobileNet and SqueezeNet do."""
    images = keras.Input((8, 8, 3), name="images")
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(images)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(7, 1, name="preds")(x)
    x = layers.Reshape((7,), name="flat")(x)
    return keras.Model(images, layers.Activation("softmax", name="out")(x), name="mobile")


def noise(count: int = 2) -> np.ndarray:
    """Return random images."""
    return np.random.default_rng(count).normal(0, 1, (count, 8, 8, 3)).astype(np.float32)


def test_everything_before_the_classifier_is_the_very_same():
    """Same layer objects, same weights, still frozen; the model that was given is as it was."""
    model = functional()
    model.get_layer("conv").trainable = False
    before = model(noise())
    replaced = zoo.replace_head(model, 5)
    assert replaced.output_shape == (None, 5)
    assert replaced.name == "small"
    assert replaced.output_names == ["out"]
    for name in ("conv", "norm", "pool", "features"):
        assert replaced.get_layer(name) is model.get_layer(name)
    assert not replaced.get_layer("conv").trainable
    assert np.array_equal(model(noise()), before)
    assert model.output_shape == (None, 7)
    assert np.allclose(np.sum(replaced(noise()), axis=-1), 1)


def sigmoid(features):
    """Return the probability of one class, by a layer of its own."""
    return layers.Activation("sigmoid", name="out")(layers.Dense(1, name="logit")(features))


def sigmoids(features):
    """Return the probabilities of two classes that do not exclude each other."""
    return layers.Dense(2, activation="sigmoid", name="out")(features)


@pytest.mark.parametrize(("classifier", "classes"), [(sigmoid, 1), (sigmoids, 2)])
def test_sigmoids_stay_sigmoids(classifier, classes):
    """Each class has a probability of its own, one class among them; old ones are the same when extended."""
    model = functional(classifier)
    assert zoo.replace_head(model, 1).output_shape == (None, 1)
    replaced = np.asarray(zoo.replace_head(model, 4)(noise()))
    assert replaced.shape == (2, 4)
    assert not np.allclose(replaced.sum(axis=-1), 1)
    extended = np.asarray(zoo.extend_head(model, 3)(noise()))
    assert extended.shape == (2, classes + 3)
    assert np.allclose(extended[:, :classes], model(noise()), rtol=1e-6)


@pytest.mark.parametrize("make", [functional, sequential, convolutional])
def test_a_softmax_of_one_class(make):
    """It would be 1 whatever goes in, wherever the softmax is."""
    model = make()
    with pytest.raises(ArgumentError) as caught:
        zoo.replace_head(model, 1)
    assert str(caught.value) == (
        f"num_classes=1: model {model.name!r}: 'out' is a softmax, which is 1 for a single class whatever"
        " goes in; must be from 2, or activation='sigmoid'"
    )


@pytest.mark.parametrize("make", [sequential, convolutional])
def test_a_classifier_below_other_layers_is_found(make):
    """Softmax, dropout, flattening and reshaping are passed over, and fit the new number of classes."""
    model = make()
    replaced = zoo.replace_head(model, 5)
    assert replaced.output_shape == (None, 5)
    assert replaced.get_layer("conv") is model.get_layer("conv")
    assert np.allclose(np.sum(replaced(noise()), axis=-1), 1)
    kinds = [type(layer).__name__ for layer in replaced.layers if type(layer).__name__ != "InputLayer"]
    assert kinds == [type(layer).__name__ for layer in model.layers if type(layer).__name__ != "InputLayer"]


def test_an_operation_on_the_classifier():
    """What is no layer is not passed over by itself, but follows a classifier that was named."""
    model = functional(lambda x: keras.ops.softmax(layers.Dense(7, name="logits")(x)))
    assert zoo.replace_head(model, 5, "logits").output_shape == (None, 5)


def test_several_inputs():
    """All of them stay, in the structure in which the model takes them."""
    inputs = {"images": keras.Input((8, 8, 3), name="images"), "age": keras.Input((1,), name="age")}
    features = layers.Concatenate()([backbone(inputs["images"]), inputs["age"]])
    model = keras.Model(inputs, softmax(features), name="both")
    replaced = zoo.replace_head(model, 5)
    assert replaced({"images": noise(), "age": np.ones((2, 1))}).shape == (2, 5)


def test_a_replaced_head_trains():
    """It is compiled as the user likes, and learns."""
    model = zoo.replace_head(functional(), 2)
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(noise(8), np.arange(8) % 2, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_all_three_heads_of_googlenet_are_replaced():
    """As zoo.load does it; with one named the others keep their thousand classes."""
    model = outline("googlenet")
    replaced = zoo.replace_head(model, 4)
    assert [output.shape[-1] for output in replaced.outputs] == [4, 4, 4]
    assert replaced.output_names == ["loss1", "loss2", "loss3"]
    one = zoo.replace_head(model, 4, layer="loss2/classifier")
    assert [output.shape[-1] for output in one.outputs] == [1000, 4, 1000]
    two = zoo.replace_head(model, 4, layer=["loss1__classifier", "loss3/classifier"])
    assert [output.shape[-1] for output in two.outputs] == [4, 1000, 4]


def test_a_model_of_keras_applications():
    """MobileNet classifies by a 1x1 convolution and reshapes to the classes."""
    model = keras.applications.MobileNet(weights=None, input_shape=(32, 32, 3))
    assert zoo.replace_head(model, 5).output_shape == (None, 5)
    assert zoo.extend_head(model, 3).output_shape == (None, 1003)


@pytest.mark.parametrize("make", [functional, convolutional, sequential])
def test_extending_keeps_what_is_known(make):
    """Weights are the same to the bit; probabilities of old classes keep their ratios."""
    model = make()
    extended = zoo.extend_head(model, 3)
    images = noise()
    before, after = np.asarray(model(images)), np.asarray(extended(images))
    assert after.shape == (2, 10)
    assert np.allclose(after.sum(axis=-1), 1)
    left = after[:, :7].sum(axis=-1, keepdims=True)
    assert (left < 1).all()
    # Each is multiplied by S / (S + T), which is what the old classes have left together.
    assert np.allclose(after[:, :7], before * left, rtol=1e-5)
    name = next(layer.name for layer in model.layers if layer.weights and layer.weights[0].shape[-1] == 7)
    old, new = model.get_layer(name).get_weights(), extended.get_layer(name).get_weights()
    for known, array in zip(old, new, strict=True):
        assert np.array_equal(array[..., :7], known)
    assert new[0][..., 7:].std() > 0
    assert not new[1][7:].any()


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "5", None])
def test_numbers_of_classes_that_are_none(value):
    """Both messages say what is allowed."""
    with pytest.raises(ArgumentError) as caught:
        zoo.replace_head(functional(), value)
    assert str(caught.value) == f"num_classes={value!r}: must be an integer from 1"
    with pytest.raises(ArgumentError) as caught:
        zoo.extend_head(functional(), value)
    assert str(caught.value) == f"extra_classes={value!r}: must be an integer from 1"


def refused(model, layer=None, error: type[Exception] = ArgumentError) -> str:
    """Return what replace_head says when it refuses."""
    with pytest.raises(error) as caught:
        zoo.replace_head(model, 5, layer)
    return str(caught.value)


def test_features_are_no_classifier():
    """A rectified dense layer is not taken for one; its name makes it one."""
    model = functional(lambda x: x)
    assert refused(model) == (
        "model 'small' has no classifier: going back from the output 'features', Dense 'features' has the"
        " activation 'relu'; layer=... names the classifier all the same"
    )
    assert zoo.replace_head(model, 5, "features").output_shape == (None, 5)


def test_a_network_without_its_head():
    """ResNet without a head ends in a sum and a rectifier."""
    model = outline("resnet50", num_classes=0, input_shape=(32, 32, 3))
    assert refused(model) == (
        "model 'resnet50' has no classifier: going back from the output 'activation_49', Activation"
        " 'activation_49' has the activation 'relu'; layer=... names the classifier all the same"
    )


def test_a_layer_that_is_neither():
    """What was found in the classifier's place is named with its kind."""
    model = functional(layers.LayerNormalization(name="last"))
    assert refused(model) == (
        "model 'small' has no classifier: going back from the output 'last', LayerNormalization 'last' is"
        " neither a dense layer nor a 1x1 convolution; layer=... names the classifier"
    )


def test_a_classifier_inside_another_model():
    """The inner model is the one to change."""
    inner = functional()
    images = keras.Input((8, 8, 3))
    assert refused(keras.Model(images, inner(images), name="outer")) == (
        "model 'outer' has no classifier: going back from the output 'small', Functional 'small' is a model"
        " of its own; replace the head of that one"
    )


def test_names_that_are_none():
    """The nearest layer is named; a layer of another kind is refused."""
    assert refused(functional(), "featurs", UnknownNameError) == (
        "layer='featurs': model 'small' has no such layer; did you mean features?"
    )
    assert refused(functional(), "conv") == (
        "layer='conv': is a Conv2D; must be a dense layer or a 1x1 convolution"
    )


def test_weights_on_top_of_the_classifier():
    """Whatever has a shape of its own cannot follow; neither can a sum."""
    assert refused(functional(), "features") == (
        "model 'small': Dense 'out' stands on the classifier and has weights, so that its size cannot change"
    )
    model = functional(lambda x: layers.Add(name="sum")([layers.Dense(8, name="more")(x), x]))
    assert refused(model, "more") == (
        "model 'small': Add 'sum' stands on the classifier and reads other layers too, so that its size"
        " cannot change"
    )


def test_a_shared_classifier():
    """One layer that is called twice has no one place."""
    images = keras.Input((4,), name="images")
    shared = layers.Dense(4, name="shared")
    assert refused(keras.Model(images, shared(shared(images)), name="loop"), "shared") == (
        "model 'loop': layer 'shared' is called 2 times; must be once"
    )


class Subclassed(keras.Model):
    """A model whose graph nobody knows."""

    def call(self, inputs):
        """Return what was given."""
        return inputs


def test_models_without_a_graph():
    """Subclasses, models that know no input and things that are no models are told apart."""
    assert refused(Subclassed(name="own")) == (
        "model 'own' is a Subclassed: only functional and Sequential models have a graph to work on"
    )
    assert refused(keras.Sequential([layers.Dense(3)], name="stack")) == (
        "model 'stack' does not know its input yet; call it once, or build it"
    )
    assert refused(layers.Dense(3)) == "model=Dense: must be a Keras model"

"""New layers on a backbone: their names, where they are made, and features that teach nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.support.small_network import small_network
from zoo.finetuning import classifier
from zoo.finetuning.classifier import hidden_name, softmax, two_layers
from zoo.finetuning.features import FeaturesError, Scale, dissect
from zoo.finetuning.support_vectors import decision_weights

FEATURES = np.random.default_rng(0).normal(3, 2, (40, 384)).astype(np.float32)
SCALE = Scale.of(FEATURES)


@pytest.mark.parametrize(
    ("taken", "expected"), [([], "classes_hidden"), (["classes_hidden"], "classes_hidden_2")]
)
def test_the_lower_layer_gets_a_name_that_is_free(taken, expected):
    """A model that came out of this strategy has one of that name already."""
    images = keras.Input((16, 16, 3))
    x = keras.layers.Flatten()(images)
    for name in taken:
        x = keras.layers.Dense(384, name=name)(x)
    anatomy = dissect(keras.Model(images, keras.layers.Dense(3, activation="softmax", name="classes")(x)))
    assert hidden_name(anatomy) == expected
    scale = Scale.of(np.random.default_rng(0).normal(size=(5, anatomy.body.output_shape[1])))
    layers = two_layers(anatomy, scale, 0)
    assert layers.names == (expected, "classes_dropout", "classes")
    body = anatomy.body
    whole = keras.Model(body.input, layers.draw_folded(body.output))
    assert whole.output_shape == (None, 3)


@pytest.mark.parametrize("make", [softmax, two_layers])
def test_layers_are_made_in_the_scope_of_the_model(make, monkeypatch):
    """Weights that are made outside of it would be on one device."""
    entered = []

    class Scope:
        def __enter__(self):
            entered.append(True)

        def __exit__(self, *args):
            assert layers_are_built
            entered.append(False)

    layers_are_built = False
    built = classifier._built

    def watched(*args):
        nonlocal layers_are_built
        assert entered == [True]
        found = built(*args)
        layers_are_built = all(layer.built for layer in found.layers)
        return found

    monkeypatch.setattr(classifier, "scope", lambda model: Scope())
    monkeypatch.setattr(classifier, "_built", watched)
    make(dissect(small_network()), SCALE, 0)
    assert entered == [True, False]


@pytest.mark.parametrize("make", [softmax, two_layers])
def test_features_that_are_all_the_same_are_refused(make):
    """The message names the model and says what may be wrong."""
    same = FEATURES[:1] * (1 + np.float32(2e-7) * (np.arange(7)[:, np.newaxis] % 2))  # but for rounding
    with pytest.raises(FeaturesError) as caught:
        make(dissect(small_network()), Scale.of(same), 0)
    assert str(caught.value) == (
        "model 'small' gives the same features for all images: its weights are damaged, "
        "or preprocessing= is not what it was trained with"
    )


@pytest.mark.parametrize("size", [1e-30, 1e-9, 1.0, 1e18])
def test_features_of_any_size_are_learned_from(size):
    """What is folded in the end computes what the layers computed while they learned."""
    features = (FEATURES * size).astype(np.float32)
    layers = softmax(dissect(small_network()), Scale.of(features), 0)
    x = keras.Input((384,))
    learning = np.asarray(keras.Model(x, layers.draw(x))(features))
    folded = np.asarray(keras.Model(x, layers.draw_folded(x))(features))
    assert learning.std(axis=0).min() > 1e-3
    assert folded == pytest.approx(learning, rel=2e-5, abs=1e-7)


def test_a_large_seed_is_one_that_scikit_learn_knows():
    """Seeds of the other strategies may be of any size."""
    labels = np.arange(40) % 3
    options = {"cost": 1.0, "balanced": True}
    small, large = (decision_weights(FEATURES, labels, 3, seed=seed, **options) for seed in (5, 5 + 2**40))
    assert all(np.array_equal(a, b) for a, b in zip(small, large, strict=True))

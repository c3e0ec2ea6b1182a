"""The new layers on a backbone, as they learn and as they are kept."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.errors import ArgumentError
from zoo.finetuning.augmentation import mixed_seed
from zoo.finetuning.features import Anatomy, FeaturesError, Scale, scope
from zoo.finetuning.schedule import HIDDEN_DROPOUT, HIDDEN_UNITS
from zoo.surgery.tensors import Tensor


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Layers that tell classes from features.

    Attributes:
        scale: Of the features.
        layers: In order; they take standardised features.
    """

    scale: Scale
    layers: tuple[keras.Layer, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple(layer.name for layer in self.layers)

    @property
    def lowest(self) -> keras.layers.Dense:
        """The dense layer that takes the features."""
        return next(layer for layer in self.layers if isinstance(layer, keras.layers.Dense))

    @property
    def output(self) -> keras.layers.Dense:
        """The dense layer that gives the classes."""
        return self.layers[-1]

    def draw(self, features: Tensor) -> Tensor:
        """Draw the layers on symbolic features (N, F), which are standardised first."""
        x = self.scale.layer()(features)
        for layer in self.layers:
            x = layer(x)
        return x

    def draw_folded(self, features: Tensor) -> Tensor:
        """Draw the same function without standardising: a copy of the lowest dense layer does it."""
        x = features
        for layer in self.layers:
            if layer is self.lowest:
                folded = keras.layers.Dense.from_config(layer.get_config())
                x = folded(x)
                folded.set_weights(self.folded)
            else:
                x = layer(x)
        return x

    @property
    def folded(self) -> list[NDArray[np.float32]]:
        """What the lowest dense layer needs to take features as they are."""
        return self.scale.fold(self.lowest.get_weights())


def softmax(anatomy: Anatomy, scale: Scale, seed: int) -> Classifier:
    """Return one dense layer with softmax, like a model's own but fresh, behind dropout if that has some.

    Args:
        anatomy: The model.
        scale: Of its features.
        seed: Of the initial weights.

    Raises:
        ArgumentError: The model's own cannot take what was learned.
    """
    check_bias(anatomy)
    own = anatomy.classifier
    with scope(anatomy.body):
        before = [_dropout(anatomy, anatomy.dropout)] if anatomy.dropout else []
        layers = [*before, _dense(own.name, own.units, "softmax", mixed_seed(seed, 0))]
        return _built(anatomy, scale, layers)


def check_bias(anatomy: Anatomy) -> None:
    """Check that a model's own classifier can take what was learned, the mean of the features with it.

    Raises:
        ArgumentError: It has no bias.
    """
    own = anatomy.classifier
    if not own.use_bias:
        raise ArgumentError(
            f"model {anatomy.model.name!r}: its classifier {own.name!r} has no bias; "
            "zoo.finetuning.freeze_pretrain_finetune puts other layers in its place"
        )


def two_layers(anatomy: Anatomy, scale: Scale, seed: int) -> Classifier:
    """Return two small dense layers with dropout between them; the model's own rate of dropout if it has one.

    Args:
        anatomy: The model.
        scale: Of its features.
        seed: Of the initial weights.

    Raises:
        FeaturesError: The features are the same for all images.
    """
    own = anatomy.classifier
    with scope(anatomy.body):
        layers = [
            _dense(hidden_name(anatomy), HIDDEN_UNITS, "relu", mixed_seed(seed, 1)),
            _dropout(anatomy, anatomy.dropout or HIDDEN_DROPOUT),
            _dense(own.name, own.units, "softmax", mixed_seed(seed, 2)),
        ]
        return _built(anatomy, scale, layers)


def hidden_name(anatomy: Anatomy) -> str:
    """Return the name of the lower one of two new dense layers, which no layer of the body has."""
    return _free(anatomy, f"{anatomy.classifier.name}_hidden")


def _free(anatomy: Anatomy, name: str) -> str:
    taken = {layer.name for layer in anatomy.body.layers}
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(one for one in names if one not in taken)


def _dense(name: str, units: int, activation: str, seed: int) -> keras.layers.Dense:
    initializer = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(units, activation=activation, kernel_initializer=initializer, name=name)


def _dropout(anatomy: Anatomy, rate: float) -> keras.layers.Dropout:
    return keras.layers.Dropout(rate, seed=0, name=_free(anatomy, f"{anatomy.classifier.name}_dropout"))


def _built(anatomy: Anatomy, scale: Scale, layers: list[keras.Layer]) -> Classifier:
    if not scale.varies:
        raise FeaturesError(
            f"model {anatomy.model.name!r} gives the same features for all images: its weights are "
            "damaged, or preprocessing= is not what it was trained with"
        )
    classifier = Classifier(scale=scale, layers=tuple(layers))
    classifier.draw(keras.Input((len(scale.mean),)))
    return classifier

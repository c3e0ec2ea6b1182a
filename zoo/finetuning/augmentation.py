"""Changes at random that leave an image what it is: more to learn from than was photographed.

Keras' own layers, on raw pixels, for training alone. What a batch gets depends on the seed, the epoch and the
place of the batch, and on nothing else: a run that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from zoo.calling import public
from zoo.surgery.tensors import Tensor

ROTATION = 10 / 360  # of a full turn, either way
SHIFT = 0.1  # of the side
ZOOM = 0.1
CONTRAST = 0.2
BRIGHTNESS = 0.1
SATURATION = (0.4, 0.6)  # 0 is grey, 0.5 as it was

Augment = Callable[[Tensor, Tensor], Tensor]
"""Takes float32 images (N, H, W, 3) with values 0 to 255 and two integers that name the batch, or each."""


@public()
def default_augmentation(*, flip: bool = True) -> keras.Sequential:
    """Return the layers that are used unless others are given.

    They flip left and right, rotate by up to 10 degrees, shift by up to a tenth of the side, zoom by up to a
    tenth, and change brightness, contrast and saturation a little. What comes in from outside is filled by
    mirroring.

    Args:
        flip: Whether to flip; not for what reads differently in a mirror, as letters and digits do.

    Returns:
        Layers for images (N, H, W, 3) with values 0 to 255.

    Examples:
        >>> from zoo import finetuning
        >>> [layer.name for layer in finetuning.default_augmentation(flip=False).layers][:2]
        ['rotation', 'shift']
    """
    layers = keras.layers
    fill = {"fill_mode": "reflect", "data_format": "channels_last"}
    mirror = layers.RandomFlip("horizontal", data_format="channels_last", seed=1, name="flip")
    return keras.Sequential(
        [
            *([mirror] if flip else []),
            layers.RandomRotation(ROTATION, seed=2, **fill, name="rotation"),
            layers.RandomTranslation(SHIFT, SHIFT, seed=3, **fill, name="shift"),
            layers.RandomZoom(ZOOM, seed=4, **fill, name="zoom"),
            layers.RandomBrightness(BRIGHTNESS, seed=5, name="brightness"),
            layers.RandomContrast(CONTRAST, value_range=(0, 255), seed=6, name="contrast"),
            layers.RandomSaturation(
                SATURATION, value_range=(0, 255), data_format="channels_last", seed=7, name="saturation"
            ),
        ],
        name="augmentation",
    )


def seeded(augmentation: keras.Layer) -> Augment:
    """Return an augmentation as a function of the images and of two numbers that name the batch.

    Args:
        augmentation: A layer or a model of layers. Those that draw at random hold Keras' ``SeedGenerator``,
            as all of Keras' own do.
    """
    generators = _generators(augmentation)

    def augment(images: Tensor, batch: Tensor) -> Tensor:
        for place, generator in enumerate(generators):
            # Each layer draws from a sequence of its own, which starts anew with each batch.
            generator.state.assign(
                keras.ops.cast(batch + np.array([place, 0], np.int32), generator.state.dtype)
            )
        return keras.ops.clip(augmentation(images, training=True), 0.0, 255.0)

    return augment


def seeded_by_row(augmentation: keras.Layer) -> Augment:
    """Return an augmentation as a function of the images and of two numbers that name each, on JAX.

    What an image gets does not depend on the others of its batch, so that processes can share one out.

    Args:
        augmentation: As for :func:`seeded`; it is given one image at a time.
    """
    import jax

    generators = _generators(augmentation)
    held = [(variable, np.asarray(variable.value)) for variable in augmentation.variables]

    def changed(image: Tensor, key: Tensor) -> Tensor:
        drawn = [(one.state, key + np.array([place, 0], np.uint32)) for place, one in enumerate(generators)]
        with keras.StatelessScope(state_mapping=[*held, *drawn]):
            return keras.ops.clip(augmentation(image[None], training=True)[0], 0.0, 255.0)

    augment: Augment = jax.jit(jax.vmap(changed))
    return augment


def _generators(layer: keras.Layer) -> list[Any]:
    """Return the seed generators of a layer and of all layers inside it, each once."""
    found: dict[int, Any] = {}
    for one in layer._flatten_layers():
        for value in vars(one).values():
            if isinstance(value, keras.random.SeedGenerator):
                found[id(value)] = value
    return list(found.values())


def reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Let the layers of a model that draw at random, dropout above all, draw what belongs to an epoch.

    Args:
        model: A model about to be trained for one more epoch.
        seed: Of the run.
        epoch: Number of the epoch.
    """
    for place, generator in enumerate(_generators(model)):
        generator.state.assign([mixed_seed(seed, epoch, place), 0])


def mixed_seed(*numbers: int) -> int:
    """Return one number below 2**30 for several: near ones give numbers far apart."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 2)

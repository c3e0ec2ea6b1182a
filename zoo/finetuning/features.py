"""Bottleneck features: what a network makes of images just before it classifies them.

A backbone that is frozen gives the same features in every epoch. They are computed once, kept on disk under
what they depend on, and trained on in its place.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from converters.errors import counted
from zoo.calling import public
from zoo.errors import ArgumentError, ZooError
from zoo.finetuning.batches import (
    Batches,
    ImageBatches,
    Preparation,
    is_plain,
    replicas_of,
    runs_on_tensorflow,
)
from zoo.finetuning.digests import ModelDigest, digest_model
from zoo.finetuning.feeding import outputs_of
from zoo.finetuning.pictures import Pictures, Size
from zoo.finetuning.shelves import Features, looked_up, shelf_path
from zoo.progress import protocol
from zoo.progress.protocol import Count
from zoo.registry.records import Preprocessing
from zoo.storage import disk
from zoo.surgery.dense_head import with_dense_classifier
from zoo.surgery.folding import fuse
from zoo.surgery.graph import Operation, ends, wiring
from zoo.surgery.tensors import DataFormat, Tensor

_BODY = "_body"  # what the name of a model without its classifier ends in
_LEAST_DEVIATION = 0.1  # of the usual one
_ROUNDING = 1e-6  # of a feature's mean: what varies less is rounding
_TINY, _HUGE = 1e-6, 1e15  # keras.layers.Normalization divides by 1e-7 at least, and squares
_LOG = logging.getLogger(__name__)


class FeaturesError(ZooError):
    """A network gives features that nothing can be learned from; the message says which and what to try."""


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """A model taken apart.

    Attributes:
        model: The model with its main output alone.
        body: From images to what the classifier takes, (N, features).
        classifier: The dense layer that gives the classes.
        dropout: Rate of the dropout right before it; 0 without.
    """

    model: keras.Model
    body: keras.Model
    classifier: keras.layers.Dense
    dropout: float


def dissect(model: keras.Model) -> Anatomy:
    """Take a model apart before its main classifier, that of its last output.

    Args:
        model: A functional or ``Sequential`` model that ends in a dense layer with softmax, or in a 1x1
            convolution on maps of one pixel, which is taken for the dense layer that it is.

    Raises:
        ArgumentError: It is not such a model.
    """
    with scope(model):
        model = with_dense_classifier(model)
    graph = wiring(model)
    output = graph.outputs[-1]
    step = graph.origin(output)
    is_softmax = False
    while _is_passed_over(step.operation):
        is_softmax = is_softmax or _is_softmax(step.operation)
        step = graph.origin(step.inputs[0])
    classifier = step.operation
    if not isinstance(classifier, keras.layers.Dense) or len(step.inputs[0].shape) != 2:
        raise ArgumentError(
            f"model {model.name!r} ends in {classifier.name!r}, not in a dense layer that gives classes; "
            "zoo.load(..., num_classes=N) and zoo.replace_head put one on"
        )
    own = classifier.activation
    if not (own is keras.activations.linear if is_softmax else _is_softmax(classifier)):
        raise ArgumentError(
            f"model {model.name!r} gives no probabilities: {classifier.name!r} needs a softmax, its own or a "
            "layer behind it"
        )
    neck, rate = step.inputs[0], 0.0
    before = graph.origin(neck)
    if isinstance(before.operation, keras.layers.Dropout):
        neck, rate = before.inputs[0], float(before.operation.rate)
    inputs, _ = ends(model)
    with scope(model):
        whole = model if len(graph.outputs) == 1 else keras.Model(inputs, output, name=model.name)
        body = keras.Model(inputs, neck, name=f"{model.name}{_BODY}")
    return Anatomy(model=whole, body=body, classifier=classifier, dropout=rate)


def _is_passed_over(operation: Operation) -> bool:
    """Tell whether a layer can stand between the classifier and the output."""
    if isinstance(operation, keras.layers.Activation):
        return operation.activation in (keras.activations.softmax, keras.activations.linear)
    return isinstance(operation, keras.layers.Softmax)


def _is_softmax(layer: keras.Layer) -> bool:
    if isinstance(layer, keras.layers.Softmax):
        return True
    return bool(layer.activation is keras.activations.softmax)


def scope(model: keras.Model) -> AbstractContextManager[Any]:
    """Return what layers that join a model have to be made in: its ``tf.distribute`` strategy's scope."""
    strategy = getattr(model, "distribute_strategy", None)
    return nullcontext() if strategy is None else strategy.scope()


def predicted(model: keras.Model, batches: Batches, *, verbose: int = 0) -> NDArray[np.float32]:
    """Return what a model gives for all rows, in their order, on however many devices it is.

    Args:
        model: Gives one output.
        batches: Their order is that of the rows; shared out among the model's devices from now on.
        verbose: As for Keras' ``predict``; its progress goes to standard error.

    Returns:
        Shape (N, outputs), float32.
    """
    batches.replicas = replicas_of(model)
    if not runs_on_tensorflow():
        with progress_of(len(batches), verbose) as advance:
            return outputs_of(model, batches, advance)
    with scope(model), redirect_stdout(sys.stderr):
        found = (_traced_once if is_plain() else _by_keras)(model, batches, verbose)
    return found if batches.replicas == 1 else found[batches.own]


def _by_keras(model: keras.Model, batches: Batches, verbose: int) -> NDArray[np.float32]:
    return np.asarray(model.predict(batches.inputs(), verbose=verbose), np.float32)


def _traced_once(model: keras.Model, batches: Batches, verbose: int) -> NDArray[np.float32]:
    """Return what a model gives, its graph made for batches of any size.

    Keras makes one for whole batches and another for the last, which takes seconds for a deep network.
    """
    inputs = batches.inputs()
    step = _traced(model, inputs.element_spec)
    bar = keras.utils.Progbar(len(batches), verbose=verbose)
    found = []
    with progress_of(len(batches), verbose) as advance:
        for rows in inputs:
            found.append(np.asarray(step(rows), np.float32))
            bar.add(1)
            advance(1)
    return np.concatenate(found)


def _traced(model: keras.Model, rows: Any) -> Callable[[Tensor], Tensor]:  # noqa: ANN401 - a TensorSpec
    import tensorflow as tf  # on JAX it may be missing

    forward = functools.partial(model, training=False)
    step: Callable[[Tensor], Tensor] = tf.function(
        forward, input_signature=[rows], jit_compile=model.jit_compile, autograph=False
    )
    return step


def progress_of(batches: int, verbose: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show batches of images that go through a network, where Keras does not."""
    what = (Count(batches, "batches"), "running the network")
    return protocol.step(*what) if verbose == 0 else nullcontext(lambda count: None)


def image_size(model: keras.Model) -> Size:
    """Return height and width of the images that a model takes.

    Raises:
        ArgumentError: It takes something else than images, or images of any size.
    """
    shape = tuple(model.input_shape)
    if len(shape) == 4 and 3 in (shape[1], shape[3]) and None not in shape[1:]:
        return (shape[1], shape[2]) if shape[3] == 3 else (shape[2], shape[3])
    raise ArgumentError(f"model {model.name!r} takes {shape}: must take RGB images of one size")


def preparation_for(model: keras.Model, recipe: Preprocessing | None) -> Preparation:
    """Return what has to be done to images before a model gets them.

    Args:
        model: Takes images of one size.
        recipe: What it was trained with; ``None`` leaves values from 0 to 255.

    Raises:
        ArgumentError: It takes something else.
    """
    height, width = image_size(model)
    order: DataFormat = "channels_last" if model.input_shape[3] == 3 else "channels_first"
    return Preparation(height=height, width=width, data_format=order, recipe=recipe)


@public()
def extract(
    body: keras.Model,
    pictures: Pictures,
    preparation: Preparation,
    *,
    batch_size: int = 32,
    cache: Path | None = None,
    fused: bool = False,
    verbose: int = 0,
    digest: ModelDigest | None = None,
) -> Features:
    """Return what a model makes of images.

    Args:
        body: From images to features (N, F).
        pictures: The pictures.
        preparation: What is done to them before the model gets them.
        batch_size: How many go through it at once.
        cache: Folder in which features are looked up and kept, by the model's graph and weights, the
            preparation, and the content of each image. It can be deleted at any time; it holds
            :data:`~zoo.finetuning.shelves.LIMIT` bytes at most.
        fused: Whether batch normalisation is folded into the convolutions for it: faster, equal but for
            rounding.
        verbose: As for Keras' ``predict``.
        digest: That of ``body``, if it is known already: all its weights are hashed for it.

    Returns:
        Shape (N, F), float32.

    Raises:
        ArgumentError: The model gives feature maps.
        FeaturesError: It gives something else than numbers.
    """
    if len(body.output_shape) != 2:
        raise ArgumentError(
            f"model {body.name!r} gives feature maps of shape {body.output_shape}: pool them, with "
            "zoo.load(..., num_classes=0, pooling='avg')"
        )

    @functools.cache
    def network() -> keras.Model:
        with scope(body):
            return fuse(body) if fused else body

    def compute(indices: NDArray[np.int64]) -> tuple[Features, NDArray[np.bool_]]:
        chosen = pictures.subset(indices)
        found = predicted(
            network(), ImageBatches(chosen, preparation, batch_size=batch_size), verbose=verbose
        )
        _check_numbers(body, found, chosen)
        return found, chosen.readable

    if cache is None:
        return compute(np.arange(len(pictures)))[0]
    digest = digest or digest_model(body)
    if digest.untold:
        what = ", ".join(digest.untold)
        _LOG.warning("model %r: the features are not kept: %s does not say what it does", _name(body), what)
        return compute(np.arange(len(pictures)))[0]
    shelf = shelf_path(cache, body.name, features_digest(digest, preparation, fused=fused))
    return looked_up(shelf, pictures.digests_at((preparation.height, preparation.width)), compute)


def _check_numbers(body: keras.Model, features: Features, pictures: Pictures) -> None:
    damaged = ~np.isfinite(features).all(axis=1)
    if damaged.any():
        raise FeaturesError(
            f"model {_name(body)!r} gives features that are not numbers for {damaged.sum()} of "
            f"{counted(len(pictures), 'image')}, {pictures.names[int(damaged.argmax())]!r} among them: its "
            "weights are damaged, or too large for its type of numbers; load them anew, in float32"
        )


def _name(body: keras.Model) -> str:
    return str(body.name).removesuffix(_BODY)


def features_digest(digest: ModelDigest, preparation: Preparation, *, fused: bool = False) -> str:
    """Return a digest of all that features depend on besides the images."""
    facts = {"model": digest.value, "preparation": asdict(preparation), "fused": fused}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Mean and deviation of features.

    A classifier learns from standardised features, so that one learning rate suits every network; the two are
    folded into its weights afterwards, so that it takes the features as they are.

    Attributes:
        mean: Shape (F,).
        deviation: Shape (F,), above zero.
        varies: Whether any feature differs between images, by more than rounding.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    varies: bool = True

    @classmethod
    def of(cls, features: Features) -> Scale:
        """Return the scale of features (N, F).

        What hardly varies here may vary in other images: no deviation is taken to be below a tenth of the
        usual one (root mean square), or such a feature would drown all others there.
        """
        mean = features.mean(axis=0, dtype=np.float64)
        deviation = features.std(axis=0, dtype=np.float64)
        usual = float(np.sqrt(np.mean(deviation**2)))
        rounding = _ROUNDING * np.abs(mean)
        least = np.maximum(max(_LEAST_DEVIATION * usual, float(np.finfo(np.float32).tiny)), rounding)
        varies = bool(np.any(deviation > rounding))
        return cls(mean=mean, deviation=np.maximum(deviation, least), varies=varies)

    def standardise(self, features: Features) -> Features:
        """Return features (N, F) with mean 0 and deviation 1."""
        return ((features - self.mean) / self.deviation).astype(np.float32)

    def layer(self) -> Callable[[Tensor], Tensor]:
        """Return a layer, or two, that do the same."""
        lift = self._lift()
        normalise: Callable[[Tensor], Tensor] = keras.layers.Normalization(
            mean=(self.mean * lift).tolist(),
            variance=((self.deviation * lift) ** 2).tolist(),
            name="standardised",
        )
        if lift == 1:
            return normalise
        rescale = keras.layers.Rescaling(lift, name="rescaled")
        return lambda features: normalise(rescale(features))

    def _lift(self) -> float:
        """Return what brings features to a size that Keras' layer can work with: a power of 2, so exactly."""
        if self.deviation.min() >= _TINY and self.deviation.max() <= _HUGE:
            return 1.0
        return float(2.0 ** -np.floor(np.log2(self.deviation.max())))

    def fold(self, weights: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Return what a dense layer needs to take raw features.

        Args:
            weights: Kernel (F, C) and bias (C,) of a layer that takes standardised ones.
        """
        kernel = weights[0] / self.deviation[:, np.newaxis]
        bias = weights[1] - self.mean @ kernel
        return [kernel.astype(np.float32), bias.astype(np.float32)]

    def unfold(self, weights: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Return what a dense layer needs to take standardised features; the inverse of :meth:`fold`."""
        kernel = weights[0].astype(np.float64)
        bias = weights[1] + self.mean @ kernel
        kernel = kernel * self.deviation[:, np.newaxis]
        return [kernel.astype(np.float32), bias.astype(np.float32)]


def save_features(path: Path, features: Features, pictures: Pictures) -> None:
    """Write features to an ``.npz`` file: ``features``, ``labels``, ``files``, ``classes``.

    Args:
        path: The file to write; one that is there is replaced when the new one is whole.
        features: Shape (N, F).
        pictures: What they are features of.
    """
    with _written(path) as name, name.open("wb") as file:
        np.savez(
            file,
            features=features,
            labels=pictures.labels,
            files=_texts(pictures.names),
            classes=_texts(pictures.classes),
        )


def _written(path: Path) -> AbstractContextManager[Path]:
    """Give the name to write a file under, its own where that is no file: a device, or a pipe."""
    if path.exists() and not path.is_file():
        return nullcontext(path)
    return disk.replacing(path.resolve())  # where a link leads


def _texts(names: Iterable[str]) -> NDArray[np.str_]:
    return np.array([name.encode("utf-8", "replace").decode() for name in names], dtype=np.str_)

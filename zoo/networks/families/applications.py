"""The networks that Keras brings with it, drawn by its own constructors.

A constructor draws with names that depend on what was drawn before, in an order of channels that is set for
the whole process, and with random values. So it is let draw a sketch: in a thread of its own, where Keras
counts layers afresh, and without any values. The layers of the sketch are then drawn again on the images that
are asked for, under the same names, with a file's values.

The graph is the one that the constructor draws for ``weights="imagenet"``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any

import keras

from zoo.errors import ArgumentError
from zoo.networks.families.drawing import Drawing, Neck, Pen, default
from zoo.networks.families.whole import fill, given_initializers
from zoo.surgery.channels import RGB
from zoo.surgery.classifiers import SHAPING, is_classifier
from zoo.surgery.graph import Operation, Step, Wiring, wiring
from zoo.surgery.tensors import DataFormat, Tensor

Numbers = Mapping[str, Any]

_ONE_AT_A_TIME = Lock()
"""Held while Keras' order of channels is another than the user's."""


def draw(pen: Pen, images: Tensor, config: Numbers, heads: Collection[str]) -> Drawing:
    """Draw a network of ``keras.applications``.

    Args:
        pen: Tells the order of the channels and the first values.
        images: Symbolic images of rank 4.
        config: ``constructor``, the name of the function; all other numbers are arguments of it.
        heads: Names of the heads to prepare, one or none.

    Returns:
        The map that is averaged over space last, and what stands between that and the classifier.

    Raises:
        ArgumentError: The network treats red, green and blue differently inside, and the images are not RGB.
    """
    return _Copy(pen, images).drawing(config, heads)


def draw_efficientnet(pen: Pen, images: Tensor, config: Numbers, heads: Collection[str]) -> Drawing:
    """Draw an EfficientNet B0 to B7; see :func:`draw`.

    For ``weights="imagenet"`` the constructor draws one layer more, which divides by the square root of the
    deviations, because the original divides by the variance; the numbers are read from its module.
    """
    module = sys.modules[_constructor(config).__module__]
    factors = [1 / math.sqrt(deviation) for deviation in module.IMAGENET_STDDEV_RGB]
    axis = [1, 1, 1]
    axis[pen.channel_axis - 1] = len(factors)
    layer = keras.layers.Rescaling(keras.ops.reshape(factors, axis).numpy().tolist(), name="rescaling_1")
    return _Copy(pen, images, after={"normalization": layer}).drawing(config, heads)


class _Copy:
    """Layers of a sketch, drawn again on other images."""

    def __init__(
        self, pen: Pen, images: Tensor, after: Mapping[str, keras.layers.Layer] | None = None
    ) -> None:
        """Start with the images.

        Args:
            pen: Tells the order of the channels and the first values.
            images: Symbolic images.
            after: Layers that the sketch lacks, by the name of the one that each stands behind.
        """
        self._pen, self._images, self._after = pen, images, after or {}
        self._layers: list[keras.layers.Layer] = []

    def drawing(self, config: Numbers, heads: Collection[str]) -> Drawing:
        """Return what the builders return."""
        shape = self._sides()
        is_open = None in shape
        sketch = _sketch(config, None if is_open else shape, self._pen.data_format)
        classifier, below = _classifier(sketch)
        trunk = below[-1].inputs[0]
        if is_open:
            # With its classifier a constructor draws for one size alone, and pads by that.
            opened = wiring(_sketch(config, shape, self._pen.data_format, top=False))
            name = trunk._keras_history.operation.name
            trunk = next(step.outputs[0] for step in opened.steps if step.operation.name == name)
        features = self._follow(Wiring([trunk]).steps, {})
        necks = {head: self._neck(sketch, classifier, below, features) for head in heads}
        self._fill()
        return Drawing(features=features, necks=necks)

    def _sides(self) -> tuple[int | None, ...]:
        """Return the shape of an RGB image of the same size: other images take the same layers."""
        shape = list(self._images.shape[1:])
        shape[self._pen.channel_axis - 1] = RGB
        return tuple(shape)

    def _follow(self, steps: Collection[Step], known: dict[int, Tensor]) -> Tensor:
        """Draw steps, each on what is known by the identity of what it stood on; return the last output."""
        output = None
        for step in steps:
            if isinstance(step.operation, keras.layers.InputLayer):
                output = self._images
            else:
                output = self._call(step, known)
            known[id(step.outputs[0])] = output
        return output

    def _call(self, step: Step, known: Mapping[int, Tensor]) -> Tensor:
        args, kwargs = keras.tree.map_structure(lambda one: known.get(id(one), one), step.arguments)
        operation = step.operation
        if isinstance(operation, keras.Sequential):
            output = args[0]
            for layer in operation.layers:
                output = self._drawn(layer, output)
        elif isinstance(operation, keras.Layer):
            output = self._drawn(operation, *args, **kwargs)
        else:
            output = _as_layer(operation, args)
        following = self._after.get(operation.name)
        return output if following is None else following(output)

    def _drawn(self, layer: keras.Layer, *args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401 - a layer's own
        """Call a layer of the same configuration, with the values that it is to start from."""
        self._check_colours(layer)
        given = given_initializers(layer, self._pen.initial)
        new = type(layer).from_config(layer.get_config() | given)
        output = new(*args, **kwargs)
        for name in given:
            # What a copy made from the configuration starts from; the values given here are this one's.
            setattr(new, name, getattr(layer, name))
        self._layers.append(new)
        return output

    def _check_colours(self, layer: keras.Layer) -> None:
        """Check that a layer with numbers of its own for red, green and blue gets RGB images.

        Raises:
            ArgumentError: It gets others.
        """
        channels = self._images.shape[self._pen.channel_axis]
        if channels != RGB and isinstance(layer, keras.layers.Normalization):
            text = f"layer {layer.name!r} has numbers of its own for red, green and blue"
            raise ArgumentError(
                f"input_shape={tuple(self._images.shape[1:])}: {text}; 3 channels alone will do"
            )

    def _neck(self, sketch: keras.Model, classifier: Step, below: list[Step], features: Tensor) -> Neck:
        after = tuple(_shaping(sketch, classifier))
        known = {id(below[-1].inputs[0]): features}
        dropout = below[0].operation
        if not isinstance(dropout, keras.layers.Dropout):
            return Neck(tensor=self._follow(below[::-1], known), after=after)
        tensor = self._follow(below[:0:-1], known)
        return Neck(tensor=tensor, dropout=dropout.rate, dropout_name=dropout.name, after=after)

    def _fill(self) -> None:
        """Give those layers their values that take no initialisers."""
        for layer in self._layers:
            if layer.weights and not given_initializers(layer, default):
                fill([layer], self._pen.initial, {})
                if isinstance(layer, keras.layers.Normalization):
                    layer.finalize_state()


def _classifier(sketch: keras.Model) -> tuple[Step, list[Step]]:
    """Return the classifier of a sketch, and the steps below it down to the one that averages over space."""
    graph = wiring(sketch)
    step = graph.origin(sketch.outputs[0])
    while not is_classifier(step.operation):
        step = graph.origin(step.inputs[0])
    below = [graph.origin(step.inputs[0])]
    while not isinstance(below[-1].operation, keras.layers.GlobalAveragePooling2D):
        below.append(graph.origin(below[-1].inputs[0]))
    return step, below


def _shaping(sketch: keras.Model, classifier: Step) -> Iterator[keras.Layer]:
    """Yield what gives the numbers of a classifier another shape."""
    reading = {id(step.inputs[0]): step for step in wiring(sketch).steps if step.inputs}
    step = reading.get(id(classifier.outputs[0]))
    while step is not None and isinstance(step.operation, SHAPING):
        yield step.operation
        step = reading.get(id(step.outputs[0]))


def _as_layer(operation: Operation, args: Sequence[Any]) -> Tensor:
    """Call a layer that does the same as an operation on tensors, which a .h5 file would not keep."""
    kind, (one, other) = type(operation).__name__, args
    if isinstance(other, keras.KerasTensor):
        return _MERGING[kind](name=operation.name)([one, other])
    scale, offset = (1.0, other) if kind == "Add" else (other, 0.0)
    return keras.layers.Rescaling(scale, offset, name=operation.name)(one)


_MERGING: Mapping[str, Callable[..., keras.Layer]] = {
    "Add": keras.layers.Add,
    "Multiply": keras.layers.Multiply,
}


def _constructor(config: Numbers) -> Callable[..., keras.Model]:
    function: Callable[..., keras.Model] = getattr(keras.applications, config["constructor"])
    return function


def _sketch(
    config: Numbers, shape: tuple[int | None, ...] | None, data_format: DataFormat, *, top: bool = True
) -> keras.Model:
    """Let a constructor draw, as in a fresh session and without values.

    Args:
        config: As for :func:`draw`.
        shape: Of one image; ``None`` for the published one.
        data_format: Where its channels are.
        top: Whether with its classifier.
    """
    numbers = {name: value for name, value in config.items() if name != "constructor"}
    policy = keras.config.dtype_policy()

    def drawn() -> keras.Model:
        # What Keras counts and what it is set to belong to a thread, but for the order of the channels.
        keras.config.set_dtype_policy(policy)
        with _channels(data_format), keras.StatelessScope(initialize_variables=False):
            return _constructor(config)(weights=None, include_top=top, input_shape=shape, **numbers)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(drawn).result()


@contextmanager
def _channels(data_format: DataFormat) -> Iterator[None]:
    """Set Keras' order of the channels for a while."""
    with _ONE_AT_A_TIME:
        before = keras.config.image_data_format()
        keras.config.set_image_data_format(data_format)
        try:
            yield
        finally:
            keras.config.set_image_data_format(before)

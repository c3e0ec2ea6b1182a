"""From a name to a Keras model: draw the network, read its weights, put a head on, freeze, compile."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from converters.arrays.blocks import ALIGNMENT, aligned_empty
from converters.boundary import uncollected
from converters.errors import warn_of
from converters.planning.structures import load_structure
from zoo.calling import public
from zoo.errors import ArgumentError, StructureMismatchError
from zoo.networks import heads
from zoo.networks.families import builder
from zoo.networks.families.drawing import DEFAULTS, Drawing, Initial, Pen, default
from zoo.networks.families.names import keras_name
from zoo.networks.families.whole import cut, fill
from zoo.networks.weights import Weights, choose_weights
from zoo.numbers import is_flag, is_real, is_whole
from zoo.progress.asked import Asked
from zoo.registry import architecture
from zoo.registry.records import Architecture, Graph, Head, Kernels
from zoo.surgery.prefix import draw_preprocessing, with_preprocessing
from zoo.surgery.tensors import DataFormat, Tensor


@public("*")
def load(
    name: str,
    *,
    num_classes: int | None = None,
    weights: str | os.PathLike[str] | None = "imagenet",
    kernels: Kernels | None = None,
    input_shape: Sequence[int] | None = None,
    pooling: str | None = None,
    dropout: float = 0.0,
    freeze: int | str | None = None,
    aux_heads: bool = True,
    data_format: DataFormat | None = None,
    include_preprocessing: bool = False,
    compile: bool = True,
    progress: Asked = None,
) -> keras.Model:
    """Return a network as a Keras model, with its published weights and ready for ``model.fit``.

    Args:
        name: Name of an architecture, for example ``resnet101``.
        num_classes: ``None`` keeps the published classifiers. A number from 2 replaces each of them by a
            freshly initialised softmax of that size, under the same name. 0 leaves them off: the output is
            the last feature map, (N, H, W, C) or (N, C, H, W).
        weights: Name of a weights set of this architecture, fetched and verified on first use; or the path of
            a weights file in either layout, with either kernels, written by Keras 0.x, 1 or 2; or ``None``
            for random weights. Nothing is ever loaded in part.
        kernels: ``th`` or ``tf``: how the convolution kernels of the file at a path are stored, where that is
            known better than the file tells it.
        input_shape: (H, W, 3), or (3, H, W) for ``channels_first``, in pixels; ``None`` is the published
            size. At other sizes the networks pool globally. VGG with its dense layers and GoogLeNet with its
            auxiliary heads take the published size only.
        pooling: With ``num_classes=0``: ``avg`` or ``max`` over the last feature map, for an output (N, C).
        dropout: Share of its inputs that the dropout before each classifier's dense layer zeroes in training.
            0 keeps the published rate; a network that has no dropout there gets one.
        freeze: What not to train. A number: so many entries of the published list of layers, those without
            weights counted. A layer's name, with ``/`` or ``__``: up to and with it in that order.
            ``"backbone"``: all but the classifiers' own layers.
        aux_heads: ``False`` leaves GoogLeNet with its last output alone.
        data_format: ``channels_last`` or ``channels_first``; ``None`` is Keras' own setting.
        include_preprocessing: Put what :func:`zoo.preprocess_input` does into the model, as Keras layers: it
            takes RGB images of its size with values 0 to 255 as they are, and so does a saved copy.
        compile: Compile with SGD (learning rate 1e-3, Nesterov momentum 0.9) and the loss ``crossentropy``,
            which takes one-hot labels and integers. With several outputs each has its loss, all of them
            count the same, and ``fit`` takes a list of labels or a dict by output name. Without a head there
            is nothing to compile.
        progress: As for :func:`zoo.fetch`: how a download is shown, if there has to be one.

    Returns:
        A model of standard Keras layers with their published names, ``/`` written ``__``. It can be saved and
        opened again without this package.

    Raises:
        UnknownNameError: There is no such architecture, weights set or layer.
        ArgumentError: An argument has a value that is not allowed, alone or beside the others.
        FileFormatError: The file at the path holds no Keras weights.
        StructureMismatchError: The file holds other layers than the network.
        DownloadError: The weights cannot be had.

    Warns:
        ConversionWarning: What nothing told of the file at a path, for instance how its kernels are stored,
            so that it had to be taken for granted. ``warnings.filterwarnings("error",
            category=zoo.ConversionWarning)`` refuses such a file, ``"ignore"`` silences the warning.

    Examples:
        Random weights, and no head, so that nothing is fetched:

        >>> import zoo
        >>> model = zoo.load("vgg16", weights=None, num_classes=0, data_format="channels_last")
        >>> model.output_shape
        (None, 7, 7, 512)
    """
    return prepared(
        name,
        num_classes=num_classes,
        weights=weights,
        kernels=kernels,
        input_shape=input_shape,
        pooling=pooling,
        dropout=dropout,
        freeze=freeze,
        aux_heads=aux_heads,
        data_format=data_format,
        include_preprocessing=include_preprocessing,
        compile=compile,
    )()


def prepared(
    name: str,
    *,
    num_classes: int | None = None,
    weights: str | os.PathLike[str] | None = "imagenet",
    kernels: Kernels | None = None,
    input_shape: Sequence[int] | None = None,
    pooling: str | None = None,
    dropout: float = 0.0,
    freeze: int | str | None = None,
    aux_heads: bool = True,
    data_format: DataFormat | None = None,
    include_preprocessing: bool = False,
    compile: bool = True,
) -> Callable[[], keras.Model]:
    """Check everything that :func:`load` is given, fetching nothing, and return what loads the model.

    Raises:
        ZooError: As there, but for what is known only when the weights are there.
    """
    network = architecture(name)
    wish = replace(
        _checked_wish(network, data_format, input_shape),
        classes=num_classes,
        pooling=pooling,
        dropout=dropout,
        aux_heads=aux_heads,
        include_preprocessing=include_preprocessing,
    )
    _check_heads(wish)
    graph, opened = network.default_graph, None
    if weights is not None:
        graph, opened = choose_weights(network, weights, kernels, headless=wish.classes == 0)
    elif kernels is not None:
        raise ArgumentError(f"kernels={kernels!r}: weights=None reads no file whose kernels could be told")
    # All that can be wrong with the arguments comes to light before anything is fetched.
    is_frozen = heads.frozen_layers(freeze, graph, [load_structure(name) for name in graph.structures])
    _check_flattened(network, graph, wish)
    if not is_flag(compile):
        raise ArgumentError(f"compile={compile!r}: must be True or False")

    def made() -> keras.Model:
        if opened is None:
            model = draw(network, graph, wish)
        else:
            source = opened()
            warn_of(source.path, source.plan.notes, stacklevel=3)
            model = _read(network, source, wish)
        heads.freeze(model, is_frozen)
        if compile and wish.classes != 0:
            heads.compile_for_finetuning(model)
        return model

    return made


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What model a user asked for.

    Attributes:
        classes: Outputs of fresh heads, 0 for no head, ``None`` for the published heads.
        height: Of the images, in pixels.
        width: Of the images, in pixels.
        pooling: ``avg``, ``max`` or ``None``; only without a head.
        dropout: Rate before each classifier, 0 for the published one.
        aux_heads: Whether auxiliary heads are drawn.
        data_format: Where the channels are.
        include_preprocessing: Whether the model takes images as they are.
    """

    classes: int | None = None
    height: int
    width: int
    pooling: str | None = None
    dropout: float = 0.0
    aux_heads: bool = True
    data_format: DataFormat = "channels_last"
    include_preprocessing: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image."""
        return _ordered(self.height, self.width, self.data_format)

    def heads(self, graph: Graph) -> tuple[Head, ...]:
        """Return the heads to draw."""
        if self.classes == 0:
            return ()
        return graph.heads if self.aux_heads else graph.heads[-1:]


def _ordered(height: int, width: int, data_format: str) -> tuple[int, int, int]:
    return (3, height, width) if data_format == "channels_first" else (height, width, 3)


def _checked_wish(network: Architecture, order: DataFormat | None, size: Sequence[int] | None) -> Wish:
    """Return the published heads at a size, in an order of channels.

    Raises:
        ArgumentError: One of the two is not allowed.
    """
    if order not in (None, "channels_first", "channels_last"):
        allowed = "'channels_first', 'channels_last' or None (Keras' own setting)"
        raise ArgumentError(f"data_format={order!r}: must be {allowed}")
    data_format: DataFormat = order or keras.config.image_data_format()
    height, width = _checked_size(network, size, data_format)
    return Wish(height=height, width=width, data_format=data_format)


def _check_heads(wish: Wish) -> None:
    """Check what was asked for above the last feature map.

    Raises:
        ArgumentError: A value is not allowed, alone or beside the others.
    """
    classes, pooling, dropout = wish.classes, wish.pooling, wish.dropout
    if classes is not None and (not is_whole(classes) or classes < 0 or classes == 1):
        # The softmax of one output is 1 whatever goes in: such a head would never learn.
        allowed = "None (the published head), 0 (no head) or a number of classes from 2"
        raise ArgumentError(f"num_classes={classes!r}: must be {allowed}")
    if pooling not in (None, "avg", "max") or (pooling is not None and classes != 0):
        raise ArgumentError(f"pooling={pooling!r}: must be None, or with num_classes=0 'avg' or 'max'")
    check_dropout(dropout)
    if dropout and classes == 0:
        raise ArgumentError(f"dropout={dropout!r}: num_classes=0 leaves no classifier to put it before")
    for name in ("aux_heads", "include_preprocessing"):
        if not is_flag(getattr(wish, name)):
            raise ArgumentError(f"{name}={getattr(wish, name)!r}: must be True or False")


def check_dropout(rate: float) -> None:
    """Check a rate of dropout.

    Raises:
        ArgumentError: It is none.
    """
    if not is_real(rate) or not 0 <= rate < 1:
        raise ArgumentError(f"dropout={rate!r}: must be a number from 0 up to, but not including, 1")


def _checked_size(network: Architecture, shape: Sequence[int] | None, order: str) -> tuple[int, int]:
    """Return height and width of the images."""
    published = network.input
    if shape is None:
        return published.height, published.width
    whole = isinstance(shape, (tuple, list)) and all(is_whole(side) for side in shape)
    if not whole or len(shape) != 3 or shape[0 if order == "channels_first" else 2] != 3:
        expected = "(3, H, W) with channels_first" if order == "channels_first" else "(H, W, 3)"
        raise ArgumentError(f"input_shape={shape!r}: must be {expected}, three integers for RGB images")
    height, width = shape[1:] if order == "channels_first" else shape[:2]
    if min(height, width) < published.min_size:
        smallest = _ordered(published.min_size, published.min_size, order)
        raise ArgumentError(f"input_shape={shape!r}: {network.name} takes images from {smallest} upwards")
    return int(height), int(width)


def draw(network: Architecture, graph: Graph, wish: Wish, initial: Initial = default) -> keras.Model:
    """Draw a network with its heads.

    Args:
        network: The network.
        graph: Which of its graphs.
        wish: What model to draw.
        initial: What each array starts from; those of fresh heads start from Keras' defaults.

    Returns:
        A model that is not compiled.
    """
    pen = Pen(data_format=wish.data_format, epsilon=graph.batch_norm_epsilon, initial=initial)
    inputs = keras.Input(wish.shape, name=_input_name(graph))
    images = inputs
    if wish.include_preprocessing:
        images = draw_preprocessing(inputs, network.preprocessing, pen.channel_axis)
    asked = wish.heads(graph)
    build, names = builder(network.family), [head.name for head in asked]
    built = build(pen, images, graph.config, names)
    whole = isinstance(built, keras.Model)
    if whole and wish.include_preprocessing:
        # Such a model has an input of its own: what stands before it is put there afterwards.
        built = build(pen, inputs, graph.config, names)
    drawing = cut(built, asked) if isinstance(built, keras.Model) else built
    model = keras.Model(inputs, _outputs(network, graph, wish, drawing, pen), name=network.name)
    if whole:
        _fill(model, graph, asked, initial)
    for layer in model.layers:
        for role, initializer in DEFAULTS.items():
            if hasattr(layer, f"{role}_initializer"):
                # What a copy made from the configuration starts from; the values given here are this one's.
                setattr(layer, f"{role}_initializer", keras.initializers.get(initializer))
    if whole and wish.include_preprocessing:
        return with_preprocessing(model, network.preprocessing, data_format=wish.data_format)
    return model


def _outputs(network: Architecture, graph: Graph, wish: Wish, drawing: Drawing, pen: Pen) -> Any:  # noqa: ANN401
    """Draw the heads, or what there is without any; several tensors, or the only one."""
    fresh = Pen(data_format=wish.data_format, epsilon=graph.batch_norm_epsilon)
    head_pen = pen if wish.classes is None else fresh
    classes = network.classes if wish.classes is None else int(wish.classes)
    outputs = [
        heads.attach(head_pen, drawing.necks[head.name], head, classes, dropout=float(wish.dropout))
        for head in wish.heads(graph)
    ]
    outputs = outputs or [_headless_output(pen, drawing, wish.pooling)]
    return outputs if len(outputs) > 1 else outputs[0]


def _fill(model: keras.Model, graph: Graph, asked: Collection[Head], initial: Initial) -> None:
    """Give the layers below the heads their first values, where no pen has drawn them."""
    own = {keras_name(head.layer) for head in asked}
    published = {keras_name(layer.name): layer.name for layer in load_structure(graph.structures[0]).layers}
    fill([layer for layer in model.layers if layer.name not in own], initial, published)


def _wrong_size(network: Architecture, graph: Graph, wish: Wish) -> str | None:
    """Return why dense layers on a flattened map do not suit these images, or ``None`` if they do."""
    published = network.input
    if (wish.height, wish.width) == (published.height, published.width):
        return None
    if len(graph.heads) > 1:
        what, advice = "its auxiliary heads take", "aux_heads=False leaves them out and takes any size"
    else:
        what, advice = "its dense layers take", "num_classes=0 leaves them out and takes any size"
    size = f"{published.height}x{published.width}"
    smallest = f"{published.min_size}x{published.min_size}"
    return f"input_shape={wish.shape}: {network.name}: {what} {size} images only; {advice} from {smallest}"


def _check_flattened(network: Architecture, graph: Graph, wish: Wish) -> None:
    """Check that the images suit the dense layers on flattened maps, if any will be drawn.

    Raises:
        ArgumentError: They do not.
    """
    asked = wish.heads(graph)
    # Of several heads only the auxiliary ones stand on flattened maps: the main one pools.
    standing = asked if len(graph.heads) == 1 else asked[:-1]
    flattens = any(layer.flatten for layer in load_structure(graph.structures[0]).layers)
    reason = _wrong_size(network, graph, wish)
    if standing and flattens and reason is not None:
        raise ArgumentError(reason)


def _input_name(graph: Graph) -> str:
    """Return the published name of the input, if it has one."""
    first = load_structure(graph.structures[0]).layers[0]
    return first.name if first.kind == "InputLayer" else "images"


def _headless_output(pen: Pen, drawing: Drawing, pooling: str | None) -> Tensor:
    if pooling == "avg":
        return pen.global_average(drawing.features, "avg_pool")
    if pooling == "max":
        return pen.global_max(drawing.features, "max_pool")
    return drawing.features


def _read(network: Architecture, source: Weights, wish: Wish) -> keras.Model:
    """Draw a model whose weights, but those of fresh heads, are a file's, each read exactly once.

    Raises:
        StructureMismatchError: The file lacks a layer, or an array would be left over. Nothing is used then.
    """
    fresh = {keras_name(head.layer) for head in wish.heads(source.graph) if wish.classes is not None}
    with source.open() as read:
        given = _Given(source.roles, read)
        with uncollected():
            model = draw(network, source.graph, wish, given)
    shapes = {
        (layer.name, variable.name): tuple(variable.shape)
        for layer in model.layers
        for variable in layer.weights
        if layer.name not in fresh
    }
    drawn = {layer for layer, _ in shapes}
    _check_held(source, drawn)
    for name in (name for name in source.layers if keras_name(name) in drawn):
        for role in source.roles[name]:
            shape = shapes.pop((keras_name(name), role), None)
            if shape is None or (name, role) in given.misshapen:
                expected = "no such array" if shape is None else f"shape {shape}"
                text = f"layer {name!r}: {role} has shape {source.shape(name, role)}, {model.name} has"
                raise StructureMismatchError(f"{source.path}: {text} {expected}")
    if shapes:
        layer, role = next(iter(shapes))
        raise StructureMismatchError(
            f"{source.path}: layer {layer!r}: {role} is missing, {model.name} has one"
        )
    return model


class _Given:
    """Initialisers that give a file's arrays.

    One that the file lacks or that has another shape starts from Keras' default: that the file is not the
    model's is told when the whole model is known.

    Attributes:
        misshapen: Layers and roles whose shape in the file was not the one that was asked for.
    """

    def __init__(
        self, roles: Mapping[str, Collection[str]], read: Callable[[str, str], NDArray[np.float32]]
    ) -> None:
        self.misshapen: set[tuple[str, str]] = set()
        self._roles = roles
        self._read = read

    def __call__(self, layer: str, role: str) -> Any:  # noqa: ANN401 - a name or a function
        """Return the initialiser of an array."""
        if role not in self._roles.get(layer, ()):
            return default(layer, role)

        def initializer(shape: Sequence[int], dtype: Any = None) -> Tensor:  # noqa: ANN401
            values = self._read(layer, role)
            if values.shape != tuple(shape):
                self.misshapen.add((layer, role))
                values = np.zeros(shape, np.float32)
            return _tensor(values, dtype)

        return initializer


def _tensor(values: NDArray[np.float32], dtype: Any) -> Tensor:  # noqa: ANN401 - Keras' own type of types
    """Return an array that nobody else holds as the backend's tensor."""
    if keras.backend.backend() != "tensorflow" or keras.backend.standardize_dtype(dtype) != "float32":
        return keras.ops.convert_to_tensor(values, dtype)
    import tensorflow as tf

    if values.ctypes.data % ALIGNMENT:
        aligned = aligned_empty(values.shape, values.dtype)
        aligned[...] = values
        values = aligned
    # TensorFlow would copy the array twice; this is the array itself.
    return tf.experimental.dlpack.from_dlpack(values.__dlpack__())


def _check_held(source: Weights, drawn: set[str]) -> None:
    """Check that a file has every layer that is drawn, and nothing but its top besides.

    Raises:
        StructureMismatchError: It has not.
    """
    published = load_structure(source.graph.structures[0])
    shapes = {keras_name(layer.name): (layer.name, layer.arrays) for layer in published.weighted}
    held = {keras_name(name) for name in source.layers}
    if surplus := held - drawn - {keras_name(name) for name in source.graph.top}:
        raise StructureMismatchError(f"{source.path}: layer {min(surplus)!r} has no place in the model")
    missing = [name for name in shapes if name in drawn - held]
    if not missing:
        return
    name, arrays = shapes[missing[0]]
    text = ", ".join(f"{role} {shape}" for role, shape in arrays.items())
    own_heads = {keras_name(head.layer) for head in source.graph.heads}
    advice = "num_classes=N puts a fresh classifier on, num_classes=0 none"
    if not own_heads.issuperset(missing):
        advice = "num_classes=0 leaves off all that would have random weights"
    raise StructureMismatchError(f"{source.path}: has no top, layer {name!r} ({text}) is missing; {advice}")

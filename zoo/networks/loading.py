"""From a name to a Keras model: draw the network, read its weights, put a head on, freeze, compile."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from converters.boundary import uncollected
from converters.errors import Doubt, warn_of
from converters.planning.structures import load_structure
from zoo.calling import public
from zoo.errors import ArgumentError, StructureMismatchError
from zoo.files.given import weights_at_hand
from zoo.networks import heads, whole_entries
from zoo.networks.families import builder
from zoo.networks.families.drawing import DEFAULTS, Drawing, Initial, Pen, default
from zoo.networks.families.names import keras_name
from zoo.networks.families.whole import cut, fill, roles_of
from zoo.networks.made_variables import named_alike, tensor_of
from zoo.networks.own_head import OwnHead
from zoo.networks.rates import check_dropout
from zoo.networks.sides import Sides, checked_sides, ordered
from zoo.networks.weights import Weights, as_trained, choose_weights, is_path
from zoo.numbers import is_flag, is_whole
from zoo.progress.asked import Asked
from zoo.registry import architecture
from zoo.registry.families import family_of
from zoo.registry.records import WHOLE_MODEL, Architecture, Graph, Head, Kernels
from zoo.surgery.channels import RGB, kernel_for, recipe_for, said_of
from zoo.surgery.notes import note_recipe
from zoo.surgery.prefix import draw_preprocessing, with_preprocessing
from zoo.surgery.tensors import DataFormat, Tensor

_ADVISED = {"from_kernels": "kernels"}
"""What :func:`load` takes of what a conversion advises to say, and what that is called here."""


@public("*")
@weights_at_hand
def load(
    name: str,
    *,
    num_classes: int | None = None,
    activation: str | None = "softmax",
    weights: str | os.PathLike[str] | None = "imagenet",
    kernels: Kernels | None = None,
    input_shape: Sequence[int | None] | None = None,
    pooling: str | None = None,
    dropout: float = 0.0,
    freeze: int | str | None = None,
    aux_heads: bool = True,
    data_format: DataFormat | None = None,
    include_preprocessing: bool = False,
    compile: bool = True,
    origin: bool = True,
    progress: Asked = None,
) -> keras.Model:
    """Return a network as a Keras model, with its published weights and ready for ``model.fit``.

    Args:
        name: Name of an architecture, for example ``resnet101``.
        num_classes: ``None`` keeps the published classifiers, or those of the file at a path, whose classes
            may be others. A number replaces each of them by a freshly initialised one of that size, under the
            same name, whatever classifiers a file has. 0 leaves them off: the output is the last feature map,
            (N, H, W, C) or (N, C, H, W).
        activation: What a fresh classifier ends in. ``softmax``: one class of several, from 2. ``sigmoid``:
            each class by itself, so several labels at once, or one output for yes or no. ``None`` or
            ``linear``: logits, of published classifiers too.
        weights: Name of a weights set of this architecture, fetched and verified on first use; or the path of
            a weights file, or its URL (``s3://``, ``gs://``, ``https://``), in either layout, with either
            kernels, written by Keras 0.x, 1, 2 or 3 (a whole model too), as safetensors or npz; or ``None``
            for random weights. Below the classifiers nothing is ever loaded in part.
        kernels: ``th`` or ``tf``: how the convolution kernels of the file at a path are stored, where that is
            known better than the file tells it.
        input_shape: (H, W, 3), or (3, H, W) for ``channels_first``, in pixels; ``None`` is the published
            size. A side may be ``None``: any length from the smallest on. At other sizes the networks pool
            globally. VGG with its dense layers and GoogLeNet with its auxiliary heads take the published size
            only. Another number of channels than 3: the first kernels are summed over the colours for one
            channel; for n channels, i has the kernel of red, green or blue (i mod 3) times 3 / n, as timm
            does it. ``preprocess_input(..., channels=n)`` prepares such images.
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
        compile: Compile with SGD (learning rate 1e-3, Nesterov momentum 0.9) and the loss that fits the
            activation: ``crossentropy``, which takes one-hot labels and integers, now these and then those
            (after ``None``, from logits); after ``sigmoid``, or for one logit, binary cross-entropy, which
            takes rows of 0 and 1. With several outputs each has its loss, all of them
            count the same, and ``fit`` takes a list of labels or a dict by output name. Without a head there
            is nothing to compile.
        origin: Whether the file that a weights set was converted from may stand in where no source of the set
            answers, as for :func:`zoo.fetch`.
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
            so that it had to be taken for granted; which classifiers of it were left out, or taken though
            they are not the published ones; what became of the first kernels for images that are not RGB.
            ``warnings.filterwarnings("error", category=zoo.ConversionWarning)`` refuses such a file,
            ``"ignore"`` silences the warning.

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
        activation=activation,
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
        origin=origin,
    )()


def prepared(
    name: str,
    *,
    num_classes: int | None = None,
    activation: str | None = "softmax",
    weights: str | os.PathLike[str] | None = "imagenet",
    kernels: Kernels | None = None,
    input_shape: Sequence[int | None] | None = None,
    pooling: str | None = None,
    dropout: float = 0.0,
    freeze: int | str | None = None,
    aux_heads: bool = True,
    data_format: DataFormat | None = None,
    include_preprocessing: bool = False,
    compile: bool = True,
    origin: bool = True,
) -> Callable[[], keras.Model]:
    """Check everything that :func:`load` is given, fetching nothing, and return what loads the model.

    Raises:
        ZooError: As there, but for what is known only when the weights are there.
    """
    network = architecture(name)
    if network.family == WHOLE_MODEL:
        return whole_entries.prepared(
            network,
            num_classes=num_classes,
            activation=activation,
            freeze=freeze,
            include_preprocessing=include_preprocessing,
            compile=compile,
            fixed=_fixed(
                network,
                weights=weights,
                kernels=kernels,
                input_shape=input_shape,
                pooling=pooling,
                dropout=dropout,
                data_format=data_format,
            ),
        )
    network = as_trained(network, weights)
    wish = replace(
        _checked_wish(network, data_format, input_shape),
        classes=num_classes,
        activation=activation,
        pooling=pooling,
        dropout=dropout,
        aux_heads=aux_heads,
        include_preprocessing=include_preprocessing,
    )
    _check_heads(wish)
    _check_flags(origin=origin, compile=compile)
    is_compiled = compile and wish.classes != 0
    return _prepared_drawing(
        network, weights, kernels, wish, freeze=freeze, is_compiled=is_compiled, origin=origin
    )


def _fixed(network: Architecture, **given: Any) -> dict[str, tuple[object, bool]]:  # noqa: ANN401 - as given
    """Return what of the arguments of :func:`load` a whole model has settled, and if they change nothing."""
    usual = {
        "weights": network.set_of(str(given["weights"])) in network.weights_sets,
        "kernels": given["kernels"] is None,
        "input_shape": given["input_shape"] is None,
        "pooling": given["pooling"] is None,
        "dropout": given["dropout"] == 0,
        "data_format": given["data_format"] in (None, _order_of(network)),
    }
    return {name: (given[name], is_usual) for name, is_usual in usual.items()}


def _prepared_drawing(
    network: Architecture,
    weights: str | os.PathLike[str] | None,
    kernels: Kernels | None,
    wish: Wish,
    *,
    freeze: int | str | None,
    is_compiled: bool,
    origin: bool,
) -> Callable[[], keras.Model]:
    """Check what weights and graph of a network say to a wish, and return what draws and fills it.

    Raises:
        ZooError: As :func:`prepared`.
    """
    graph, opened = _chosen(network, weights, kernels, wish, origin=origin)
    # All that can be wrong with the arguments comes to light before anything is fetched.
    by_name = network.own_heads and not (weights and is_path(weights))
    wish, head_notes = _with_held_head(
        opened() if opened and is_path(weights) else None, wish, has_own=by_name
    )
    is_frozen = heads.frozen_layers(freeze, graph, [load_structure(name) for name in graph.structures])
    _check_flattened(network, graph, wish)
    return _maker(
        network, graph, opened, wish, head_notes=head_notes, is_frozen=is_frozen, is_compiled=is_compiled
    )


def _chosen(
    network: Architecture,
    weights: str | os.PathLike[str] | None,
    kernels: Kernels | None,
    wish: Wish,
    *,
    origin: bool,
) -> tuple[Graph, Callable[[], Weights] | None]:
    """Return the graph to draw and what opens the file to fill it from, if there is one.

    Raises:
        ZooError: As :func:`prepared`.
    """
    if weights is not None:
        return choose_weights(network, weights, kernels, headless=wish.classes == 0, origin=origin)
    if kernels is not None:
        raise ArgumentError(f"kernels={kernels!r}: weights=None reads no file whose kernels could be told")
    return network.default_graph, None


def _maker(
    network: Architecture,
    graph: Graph,
    opened: Callable[[], Weights] | None,
    wish: Wish,
    *,
    head_notes: Sequence[Doubt],
    is_frozen: Callable[[str], bool],
    is_compiled: bool,
) -> Callable[[], keras.Model]:
    """Return what makes a model; what had to be taken for granted is told to whoever calls its caller."""

    def made() -> keras.Model:
        if opened is None:
            model = draw(network, graph, wish)
        else:
            source = opened()
            model, notes = _read(network, source, wish)
            told = (*source.plan.typed_notes, *head_notes, *notes)
            warn_of(source.path, told, stacklevel=3, arguments=_ADVISED)
        heads.freeze(model, is_frozen)
        if network.preprocessing is not None:
            note_recipe(model, network.preprocessing)
        if is_compiled:
            heads.compile_for_finetuning(model)
        return model

    return made


def _order_of(network: Architecture) -> DataFormat:
    """Return where the channels of a whole model are."""
    return "channels_first" if network.weights[0].layout == "th" else "channels_last"


def _with_held_head(source: Weights | None, wish: Wish, *, has_own: bool = False) -> tuple[Wish, list[Doubt]]:
    """Return what to draw if a file has classifiers that are not the published ones, and what to say of it.

    Raises:
        ArgumentError: Published classifiers are to end in a sigmoid, or the file's in what it contradicts.
        StructureMismatchError: The file's classifiers are wanted, and are other layers.
    """
    head = source.head if source else None
    if wish.classes is None and head is None and wish.activation == "sigmoid" and not has_own:
        reason = "the published head was trained with a softmax; num_classes=N puts a fresh one on"
        raise ArgumentError(f"activation='sigmoid': {reason}")
    if source is None or head is None or wish.classes == 0:
        return wish, []
    own = f"the head in the file ({', '.join(map(repr, head.layers))}, {head.classes} classes)"
    if wish.classes is not None:
        return wish, [Doubt(f"{own} is left out: a fresh one of {wish.classes} is put on")]
    if not head.fits:
        advice = "num_classes=N leaves it out and puts a fresh classifier on, num_classes=0 none"
        raise StructureMismatchError(
            f"{source.path}: {own} has other layers than the published one; {advice}"
        )
    _check_held_activation(source, head, wish)
    ending = f"activation={wish.activation!r}"
    return replace(wish, held=head.classes), [
        Doubt(f"{own} is taken over, with {ending}; num_classes=N leaves it out and puts a fresh one on")
    ]


def _check_held_activation(source: Weights, head: OwnHead, wish: Wish) -> None:
    asked = wish.activation or "linear"
    known = head.activation
    if known is not None and known != asked:
        said = None if known == "linear" else known
        text = f"the head in the file ends in {known}; say activation={said!r}"
        raise ArgumentError(f"activation={wish.activation!r}: {source.path}: {text}")
    if head.classes == 1 and asked == "softmax":
        reason = "the head in the file has one output, whose softmax is 1 whatever goes in"
        raise ArgumentError(
            f"activation='softmax': {source.path}: {reason}; say 'sigmoid', or None for logits"
        )


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What model a user asked for.

    Attributes:
        classes: Outputs of fresh heads, 0 for no head, ``None`` for the published heads.
        height: Of the images, in pixels; ``None`` for any.
        width: Of the images, in pixels; ``None`` for any.
        channels: Of the images.
        held: Outputs of the heads that are read, where they are not the published ones.
        activation: What fresh heads end in, and with ``None`` published ones too.
        pooling: ``avg``, ``max`` or ``None``; only without a head.
        dropout: Rate before each classifier, 0 for the published one.
        aux_heads: Whether auxiliary heads are drawn.
        data_format: Where the channels are.
        include_preprocessing: Whether the model takes images as they are.
    """

    classes: int | None = None
    height: int | None
    width: int | None
    channels: int = RGB
    held: int | None = None
    activation: str | None = "softmax"
    pooling: str | None = None
    dropout: float = 0.0
    aux_heads: bool = True
    data_format: DataFormat = "channels_last"
    include_preprocessing: bool = False

    @property
    def shape(self) -> Sides:
        """The shape of one image."""
        return ordered((self.height, self.width, self.channels), self.data_format)

    def heads(self, graph: Graph) -> tuple[Head, ...]:
        """Return the heads to draw."""
        if self.classes == 0:
            return ()
        return graph.heads if self.aux_heads else graph.heads[-1:]


def _checked_wish(network: Architecture, order: DataFormat | None, size: Sequence[int | None] | None) -> Wish:
    """Return the published heads at a size, in an order of channels.

    Raises:
        ArgumentError: One of the two is not allowed.
    """
    if order not in (None, "channels_first", "channels_last"):
        allowed = "'channels_first', 'channels_last' or None (Keras' own setting)"
        raise ArgumentError(f"data_format={order!r}: must be {allowed}")
    data_format: DataFormat = order or keras.config.image_data_format()
    family = family_of(network.family)
    if data_format == "channels_first" and not family.channels_first:
        reason = "what draws it knows the channels last alone"
        raise ArgumentError(
            f"data_format='channels_first': {network.name}: {reason}; say data_format='channels_last'"
        )
    height, width, channels = checked_sides(network, size, data_format)
    if None in (height, width) and not family.open_sizes:
        reason = "takes images of one size, by which its layers pad; give both sides in pixels"
        raise ArgumentError(f"input_shape={size!r}: {network.name} {reason}")
    return Wish(height=height, width=width, channels=channels, data_format=data_format)


def _check_heads(wish: Wish) -> None:
    """Check what was asked for above the last feature map.

    Raises:
        ArgumentError: A value is not allowed, alone or beside the others.
    """
    classes, pooling, dropout = wish.classes, wish.pooling, wish.dropout
    if classes is not None and (not is_whole(classes) or classes < 0):
        allowed = "None (the published head), 0 (no head) or a number of classes from 1"
        raise ArgumentError(f"num_classes={classes!r}: must be {allowed}")
    _check_activation(wish)
    if pooling not in (None, "avg", "max") or (pooling is not None and classes != 0):
        raise ArgumentError(f"pooling={pooling!r}: must be None, or with num_classes=0 'avg' or 'max'")
    check_dropout(dropout)
    if dropout and classes == 0:
        raise ArgumentError(f"dropout={dropout!r}: num_classes=0 leaves no classifier to put it before")
    _check_flags(aux_heads=wish.aux_heads, include_preprocessing=wish.include_preprocessing)


def _check_flags(**given: object) -> None:
    for name, value in given.items():
        if not is_flag(value):
            raise ArgumentError(f"{name}={value!r}: must be True or False")


def _check_activation(wish: Wish) -> None:
    """Check what heads are to end in.

    Raises:
        ArgumentError: It is no activation, or means nothing beside the number of classes.
    """
    heads.check_activation(wish.activation)
    if wish.classes == 1 and wish.activation == "softmax":
        # Such a head would never learn.
        reason = "the softmax of one output is 1 whatever goes in"
        advice = "activation='sigmoid' is for one output, num_classes=2 for two classes"
        raise ArgumentError(f"num_classes=1: {reason}; {advice}")
    if wish.classes == 0 and wish.activation != "softmax":
        raise ArgumentError(
            f"activation={wish.activation!r}: num_classes=0 leaves no classifier that could end in it"
        )


@uncollected()
@named_alike()
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
        recipe = recipe_for(network.recipe, wish.channels)
        images = draw_preprocessing(inputs, recipe, pen.channel_axis)
    asked = wish.heads(graph)
    build, names = builder(network.family), [head.name for head in asked]
    with _explained(network, wish):
        built = build(pen, images, graph.config, names)
        whole = isinstance(built, keras.Model)
        if whole and wish.include_preprocessing:
            # Such a model has an input of its own: what stands before it is put there afterwards.
            built = build(pen, inputs, graph.config, names)
    drawing = cut(built, asked) if isinstance(built, keras.Model) else built
    model = keras.Model(inputs, _outputs(network, graph, wish, drawing, pen), name=network.name)
    if whole:
        _fill(model, graph, asked, initial)
    _forget_given(model)
    if whole and wish.include_preprocessing:
        recipe = network.recipe
        return with_preprocessing(model, recipe, data_format=wish.data_format, channels=wish.channels)
    return model


def _forget_given(model: keras.Model) -> None:
    """Let copies of a model, made from its configuration, start as any do: values given are this one's."""
    for layer in model.layers:
        for role, initializer in DEFAULTS.items():
            given = getattr(layer, f"{role}_initializer", None)
            if given is not None and not isinstance(given, keras.initializers.Initializer):
                setattr(layer, f"{role}_initializer", keras.initializers.get(initializer))


@contextmanager
def _explained(network: Architecture, wish: Wish) -> Iterator[None]:
    """Say why a network that somebody else's builder draws takes no images of any size.

    Raises:
        ArgumentError: It does not: a dense layer stands on a map whose size is open.
    """
    try:
        yield
    except ValueError as error:
        if None not in wish.shape:
            raise
        reason = " ".join(str(error).split())
        advice = "give the sides in pixels, or leave its layers above the maps out with num_classes=0"
        text = f"input_shape={wish.shape}: {network.name} has layers that take one size only"
        raise ArgumentError(f"{text} ({reason}); {advice}") from error


def _outputs(network: Architecture, graph: Graph, wish: Wish, drawing: Drawing, pen: Pen) -> Any:  # noqa: ANN401
    """Draw the heads, or what there is without any; several tensors, or the only one."""
    fresh = Pen(data_format=wish.data_format, epsilon=graph.batch_norm_epsilon)
    head_pen = pen if wish.classes is None else fresh
    classes = (wish.held or network.classes) if wish.classes is None else int(wish.classes)
    outputs = [
        heads.attach(
            head_pen,
            drawing.necks[head.name],
            head,
            classes,
            dropout=float(wish.dropout),
            activation=wish.activation or "linear",
        )
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
    reason = f"input_shape={wish.shape}: {network.name}: {what} {size} images only; {advice} from {smallest}"
    if None in wish.shape and len(graph.heads) == 1:
        return f"{reason}; with pooling='avg' besides, a head of your own can stand on its output"
    return reason


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


def _read(network: Architecture, source: Weights, wish: Wish) -> tuple[keras.Model, Sequence[Doubt]]:
    """Draw a model whose weights, but those of fresh heads, are a file's, each read exactly once.

    Returns:
        The model, and what was done to the file's arrays besides.

    Raises:
        StructureMismatchError: The file lacks a layer, or an array would be left over. Nothing is used then.
    """
    with source.open() as read:
        given = _Given(source.roles, read, partial(_adapted, network, wish))
        model = draw(network, source.graph, wish, given)
    fresh = {keras_name(head.layer) for head in wish.heads(source.graph) if wish.classes is not None}
    shapes = {
        (layer.name, role): tuple(variable.shape)
        for layer in model.layers
        for role, variable in roles_of(layer).items()
        if layer.name not in fresh
    }
    _check_held(source, {layer for layer, _ in shapes})
    _check_shapes(source, model.name, shapes, given.misshapen)
    return model, [Doubt(said_of(layer, wish.channels)) for layer in given.adapted]


def _check_shapes(
    source: Weights,
    model: str,
    shapes: Mapping[tuple[str, str], tuple[int, ...]],
    misshapen: Collection[tuple[str, str]],
) -> None:
    """Check that a file has each array of the layers that are drawn, in its shape, and no other of them.

    Args:
        source: The file.
        model: What the model is called.
        shapes: Of its arrays, by layer and role.
        misshapen: Layers and roles whose shape in the file was not the one that was asked for.

    Raises:
        StructureMismatchError: It has not.
    """
    drawn = {layer for layer, _ in shapes}
    missing = dict(shapes)
    for name in (name for name in source.layers if keras_name(name) in drawn):
        for role in source.roles[name]:
            shape = missing.pop((keras_name(name), role), None)
            if shape is None or (name, role) in misshapen:
                expected = "no such array" if shape is None else f"shape {shape}"
                text = f"layer {name!r}: {role} has shape {source.shape(name, role)}, {model} has"
                raise StructureMismatchError(f"{source.path}: {text} {expected}")
    if missing:
        layer, role = next(iter(missing))
        raise StructureMismatchError(f"{source.path}: layer {layer!r}: {role} is missing, {model} has one")


def _adapted(
    network: Architecture, wish: Wish, values: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32] | None:
    """Return what an array becomes for images that are not RGB; ``None`` if it does not fit even so."""
    if wish.channels == RGB:
        return None
    kernel = kernel_for(values, wish.channels, network.recipe)
    return kernel if kernel is not None and kernel.shape == shape else None


class _Given:
    """Initialisers that give a file's arrays.

    One that the file lacks or that has another shape starts from Keras' default: that the file is not the
    model's is told when the whole model is known.

    Attributes:
        misshapen: Layers and roles whose shape in the file was not the one that was asked for.
        adapted: Layers that have another kernel than in the file, for images that are not RGB.
    """

    def __init__(
        self,
        roles: Mapping[str, Collection[str]],
        read: Callable[[str, str], NDArray[np.float32]],
        adapt: Callable[[NDArray[np.float32], tuple[int, ...]], NDArray[np.float32] | None],
    ) -> None:
        self.misshapen: set[tuple[str, str]] = set()
        self.adapted: list[str] = []
        self._roles = roles
        self._read = read
        self._adapt = adapt

    def __call__(self, layer: str, role: str) -> Any:  # noqa: ANN401 - a name or a function
        """Return the initialiser of an array."""
        if role not in self._roles.get(layer, ()):
            return default(layer, role)

        def initializer(shape: Sequence[int], dtype: Any = None) -> Tensor:  # noqa: ANN401
            values = self._read(layer, role)
            if values.shape != tuple(shape):
                values = self._fitted(layer, role, values, tuple(shape))
            return tensor_of(values, dtype)

        return initializer

    def _fitted(
        self, layer: str, role: str, values: NDArray[np.float32], shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Return an array of the shape that is asked for in place of one that has another."""
        fitting = self._adapt(values, shape)
        if fitting is None:
            self.misshapen.add((layer, role))
            return np.zeros(shape, np.float32)
        self.adapted.append(layer)
        return fitting


def _check_held(source: Weights, drawn: set[str]) -> None:
    """Check that a file has every layer that is drawn, and nothing but its top besides.

    Raises:
        StructureMismatchError: It has not.
    """
    published = load_structure(source.graph.structures[0])
    shapes = {keras_name(layer.name): (layer.name, layer.arrays) for layer in published.weighted}
    held = {keras_name(name) for name in source.layers}
    above = {keras_name(name) for name in (*source.graph.top, *source.graph.neck)}
    if surplus := held - drawn - above:
        raise StructureMismatchError(f"{source.path}: layer {min(surplus)!r} has no place in the model")
    missing = [name for name in shapes if name in drawn - held]
    if not missing:
        return
    name, arrays = shapes[missing[0]]
    text = ", ".join(f"{role} {shape}" for role, shape in arrays.items())
    own_heads = {keras_name(head.layer) for head in source.graph.heads}
    advice = "num_classes=N puts a fresh classifier on, num_classes=0 none"
    auxiliary = {keras_name(name) for name in source.graph.top} - {keras_name(source.graph.heads[-1].layer)}
    if len(source.graph.heads) > 1 and auxiliary.issuperset(missing):
        text = f"layer {name!r} ({text}) of an auxiliary head is missing; aux_heads=False leaves these out"
        raise StructureMismatchError(f"{source.path}: {text}")
    if not own_heads.issuperset(missing):
        advice = "num_classes=0 leaves off all that would have random weights"
    raise StructureMismatchError(f"{source.path}: has no top, layer {name!r} ({text}) is missing; {advice}")

"""What a kind of layer is: one record for each, in one table.

To add a kind is to add a record to :data:`KINDS`: what reads, plans and writes files takes all that it has to
know of the kind from there. A kind without a record is refused by name where its arrays would have to move.

Sources, in Keras 0.3.3, 1.0.7, 1.0.8, 1.2.2, 2.0.5 and 2.2.4: keras/backend/theano_backend.py (conv1d,
conv2d, conv3d, deconv2d and conv2d_transpose hand their kernels to Theano's true convolution in every version
and in both orders; depthwise_conv2d, separable_conv1d and separable_conv2d rotate them first; local_conv1d
and local_conv2d multiply), the build() and call() methods under keras/layers for arrays and axes, Flatten in
keras/layers/core.py for the rows, and the params of keras/layers/*.py in 0.3.3 for arrays without names. For
what flows through layers: their get_config() and get_output_shape_for() (Keras 1) or compute_output_shape()
(Keras 2). For gates: the defaults of inner_activation (Keras 0 and 1) and recurrent_activation in
keras/layers/recurrent.py and convolutional_recurrent.py, Keras 0.3.3 to 2.3.1, and in tf_keras/src/layers/rnn
of tf-keras 2.18.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from converters.arrays.form import Shape
from converters.layers import shapes
from converters.layers.rules import Dialect, Rule


@dataclass(frozen=True, kw_only=True)
class Role:
    """An array of a layer, which Keras 2 and 3 call by the name that it has in :attr:`Kind.arrays`.

    Attributes:
        rule: What a conversion does to it, and where its axes lie.
        keras1: What Keras 1 puts behind the layer's name for its name, without a gate; None if Keras 1 lacks
            the kind.
        optional: The first dialect in which a layer may lack it; None if no layer does.
        trained: Whether training changes it: what is trained comes first in a layer that holds layers.
        also: The role that its name in a file tells, where the kind alone makes it another.
    """

    rule: Rule
    keras1: str | None
    optional: Dialect | None
    trained: bool
    also: str | None = None


class PerInput(Enum):
    """What a layer has for each of its inputs, and so what a Flatten before it does to its arrays."""

    ROW = auto()
    """A row of its kernel: the rows move with the layout."""
    ROW_AND_OUTPUT = auto()
    """The same, and it gives each input on: its rows cannot move alone."""
    CHANNEL = auto()
    """A value for each channel, or for each input if there are no maps: behind a Flatten these move."""
    VALUE = auto()
    """A value, in the shape of what comes in: a vector behind a Flatten moves as rows do."""
    WINDOW = auto()
    """A row for each value of a window of a map, in the layout's own order, Flatten or not."""
    NOTHING = auto()
    """Nothing that a Flatten could move."""


class Gives(Enum):
    """What a layer gives, as far as its configuration tells it: how a map is followed through it."""

    INPUT = auto()
    """What comes in."""
    SOURCE = auto()
    """What the configuration says, with nothing coming in."""
    CONVOLUTION = auto()
    """A map of other channels and size."""
    POOLING = auto()
    """A map of another size."""
    CHANNELS = auto()
    """One value for each channel."""
    PADDING = auto()
    """A map with a border."""
    CROPPING = auto()
    """A map without its border."""
    UPSAMPLING = auto()
    """A larger map."""
    SEQUENCE = auto()
    """A sequence of other length."""
    FILTERS = auto()
    """A sequence of other length and features."""
    FLATTENED = auto()
    """A vector."""
    RESHAPED = auto()
    """Its values as they lie, in another shape."""
    UNITS = auto()
    """As many features as it has units."""
    RECURRENT = auto()
    """The last step, or all of them."""
    EMBEDDED = auto()
    """A vector for each word."""
    STEPS = auto()
    """What the layer in it makes of each step."""
    WAYS = auto()
    """What the two layers in it give."""
    MERGED = auto()
    """One thing of the shape of each of its inputs."""
    JOINED = auto()
    """Its inputs side by side."""
    MERGE = auto()
    """One of the two, as Keras 1's Merge is told."""
    UNTOLD = auto()
    """What is not worked out; the sizes in its configuration must be sizes all the same."""
    UNKNOWN = auto()
    """What is not worked out, by settings that nobody reads."""


class Writable(Enum):
    """Whether a configuration can be written down in the other layout."""

    ALWAYS = auto()
    NOT_ON_MAPS = auto()
    """Not where a map comes in: it names axes in ways that mean something else, or nothing."""
    NEVER = auto()
    """It works on a sequence of maps."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What the configuration of a layer tells of what flows through it.

    Attributes:
        gives: What it gives.
        axis: The setting that names axes of a map, which move with the layout; None if there is none.
        writable: Whether the configuration can be written down in the other layout.
        takes_maps: Whether it may work on maps although no ``2D`` or ``3D`` in its name says so.
    """

    gives: Gives
    axis: str | None
    writable: Writable
    takes_maps: bool


@dataclass(frozen=True, kw_only=True)
class Gates:
    """The gates of a recurrent layer, one letter each.

    Attributes:
        packed: Their order in one array, from Keras 1's ``consume_less="gpu"`` to Keras 3.
        apart: The order in which Keras 0 and 1 keep one array after the other.
        recurrent: Those that the recurrent activation is for; all others have the layer's activation.
        hard_sigmoid_until: The first version whose default for that is no hard sigmoid. In tf.keras it is so
            from TensorFlow 2.0 on, whose files say 2.2.4-tf as those of TensorFlow 1.15 do: they may have it.
    """

    packed: str
    apart: str
    recurrent: str
    hard_sigmoid_until: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What a recurrent layer of Keras' own is besides.

    Attributes:
        name: What tf.keras calls the cell that holds its arrays.
        gates: Its gates; None if it has none.
    """

    name: str
    gates: Gates | None


class Biases(Enum):
    """What becomes of the two biases of each gate of a cuDNN layer."""

    ADDED = auto()
    TWO_ROWS = auto()
    """The one bias of Keras' own layer has a row for each, with ``reset_after``."""


@dataclass(frozen=True, kw_only=True)
class Cudnn:
    """What a recurrent layer is that cuDNN computes: in another dialect it becomes one of Keras' own.

    Attributes:
        native: The kind of that.
        biases: What becomes of its biases.
    """

    native: str
    biases: Biases


@dataclass(frozen=True, kw_only=True)
class Unnamed:
    """How a layer's arrays are told in files of Keras 0, which have no names.

    Attributes:
        roles: What the arrays are, in their order there; of a layer with gates, those of each gate.
        ranks: How many axes each has.
        fits: What has to be so of their shapes besides.
        among_others: Whether they can be told from those of the layers around them.
    """

    roles: tuple[str, ...]
    ranks: Shape
    fits: Callable[[Sequence[Shape]], bool]
    among_others: bool


@dataclass(frozen=True, kw_only=True)
class Kind:
    """All that is known of a kind of layer with arrays.

    Attributes:
        classes: Its class' names by dialect, first the one that is written. A dialect that is left out has no
            such layer: nothing is written for Keras 1 then, and in Keras 3 only a class of the user's own can
            have the name. Keras 0 has the names of Keras 1.
        arrays: Its arrays by their roles, in the order in which Keras 2 and 3 keep them.
        ranks: How many axes the first of them may have; None for any number.
        space: How many axes of space the maps or sequences have that it works on; 0 if it works on neither.
        per_input: What it has for each of its inputs.
        flow: What its configuration tells of what flows through it.
        told_by_roles: Whether the roles of its arrays tell it, if its class and its name do not. Where other
            kinds have the same roles, :mod:`converters.layers.infer` has to know how shapes tell them apart.
        unnamed: How its arrays are told where they have no names; empty if Keras 0 has no such layer.
        alike: The kind whose arrays look the same in Keras 0 and 1, so that shapes tell this one only by
            guessing; None if there is none.
        recurrent: What it is besides, if it is a recurrent layer.
    """

    classes: Mapping[Dialect, tuple[str, ...]]
    arrays: Mapping[str, Role]
    ranks: tuple[int, ...] | None
    space: int
    per_input: PerInput
    flow: Flow
    told_by_roles: bool
    unnamed: tuple[Unnamed, ...]
    alike: str | None
    recurrent: Cell | Cudnn | None


_BIAS = Role(rule=Rule.KEEP, keras1="b", optional="keras1", trained=True)
_FIXED_BIAS = Role(rule=Rule.KEEP, keras1="b", optional=None, trained=True)
# What Keras 1 cannot be without: its recurrent layers know no use_bias, its normalisation no scale or center.
_NEW_BIAS = Role(rule=Rule.KEEP, keras1="b", optional="keras2", trained=True)
_SLOPE = Role(rule=Rule.ROWS, keras1="gamma", optional="keras2", trained=True)
_OFFSET = Role(rule=Rule.ROWS, keras1="beta", optional="keras2", trained=True)
_CUDNN_KERNEL = Role(rule=Rule.CUDNN_KERNEL, keras1=None, optional=None, trained=True)
_CUDNN_BIAS = Role(rule=Rule.CUDNN_BIAS, keras1=None, optional=None, trained=True)


def _kernel(rule: Rule, keras1: str | None = "W") -> Role:
    return Role(rule=rule, keras1=keras1, optional=None, trained=True)


def _recurrent(rule: Rule, recurrent: Rule) -> dict[str, Role]:
    """Return the arrays of a recurrent layer by the rules of both kernels.

    (inputs, gates*units), (units, gates*units), (gates*units,), the gates as Gates.packed has them; Keras 0
    and 1 keep one array per gate unless consume_less is "gpu". GRU's bias is (2, gates*units) with
    reset_after.
    """
    return {"kernel": _kernel(rule), "recurrent_kernel": _kernel(recurrent, "U"), "bias": _NEW_BIAS}


_CUDNN = {"kernel": _CUDNN_KERNEL, "recurrent_kernel": _CUDNN_KERNEL, "bias": _CUDNN_BIAS}
_STEP = ("kernel", "recurrent_kernel", "bias")
_LSTM_GATES = Gates(packed="ifco", apart="icfo", recurrent="ifo", hard_sigmoid_until=(2, 3))
_GRU_GATES = Gates(packed="zrh", apart="zrh", recurrent="zr", hard_sigmoid_until=(2, 3))
_CONV_LSTM_GATES = Gates(packed="ifco", apart="icfo", recurrent="ifo", hard_sigmoid_until=(3,))


def _stepwise(name: str, cell: Cell) -> Kind:
    """Return a layer that every version has under one name and that reads a sequence of vectors."""
    return Kind(
        classes={"keras1": (name,), "keras2": (name,), "keras3": (name,)},
        arrays=_recurrent(Rule.ROWS, Rule.KEEP),
        ranks=(2,),
        space=0,
        per_input=PerInput.ROW,
        flow=Flow(gives=Gives.RECURRENT, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(Unnamed(roles=_STEP, ranks=(2, 2, 1), fits=shapes.chained, among_others=True),),
        alike=None,
        recurrent=cell,
    )


def _cudnn(native: str, biases: Biases) -> Kind:
    """Return cuDNN's layer of a kind: the same shapes with other values in them.

    Its bias has (2*gates*units,) values, its activations are always tanh and sigmoid. Source:
    _convert_rnn_weights() in keras/engine/saving.py, Keras 2.2.4.
    """
    return Kind(
        classes={"keras2": (f"CuDNN{native}",), "keras3": (native,)},
        arrays=_CUDNN,
        ranks=None,
        space=0,
        per_input=PerInput.ROW,
        flow=Flow(gives=Gives.RECURRENT, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=Cudnn(native=native, biases=biases),
    )


KINDS: Mapping[str, Kind] = {
    # Keras 1 stores (L,1,I,O), up to 1.0.8 (O,I,L,1), Keras 2 (L,I,O): in either layout the same.
    "Conv1D": Kind(
        classes={
            "keras1": ("Convolution1D", "AtrousConvolution1D"),
            "keras2": ("Conv1D",),
            "keras3": ("Conv1D",),
        },
        arrays={"kernel": _kernel(Rule.CONVOLUTION_1D), "bias": _BIAS},
        ranks=(3, 4),
        space=1,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.FILTERS, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(Unnamed(roles=("kernel", "bias"), ranks=(4, 1), fits=shapes.old_1d, among_others=True),),
        alike=None,
        recurrent=None,
    ),
    # Keras 0 and 1: th (O,I,H,W), tf (H,W,I,O). Keras 2: (H,W,I,O) in both. Atrous ones are the same.
    "Conv2D": Kind(
        classes={
            "keras1": ("Convolution2D", "AtrousConvolution2D"),
            "keras2": ("Conv2D",),
            "keras3": ("Conv2D",),
        },
        arrays={"kernel": _kernel(Rule.CONVOLUTION), "bias": _BIAS},
        ranks=(4,),
        space=2,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.CONVOLUTION, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(
            Unnamed(roles=("kernel", "bias"), ranks=(4, 1), fits=shapes.biased, among_others=True),
            Unnamed(roles=("kernel",), ranks=(4,), fits=shapes.whatever, among_others=True),
        ),
        alike="Conv2DTranspose",
        recurrent=None,
    ),
    # Keras 1: th (O,I,D,H,W), tf (D,H,W,I,O). Keras 2: (D,H,W,I,O) in both.
    "Conv3D": Kind(
        classes={"keras1": ("Convolution3D",), "keras2": ("Conv3D",), "keras3": ("Conv3D",)},
        arrays={"kernel": _kernel(Rule.CONVOLUTION), "bias": _BIAS},
        ranks=(5,),
        space=3,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.CONVOLUTION, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(Unnamed(roles=("kernel", "bias"), ranks=(5, 1), fits=shapes.biased, among_others=True),),
        alike="Conv3DTranspose",
        recurrent=None,
    ),
    # Keras 1 as Conv2D (it swaps the axes when it runs). Keras 2: (H,W,O,I) in both.
    "Conv2DTranspose": Kind(
        classes={
            "keras1": ("Deconvolution2D",),
            "keras2": ("Conv2DTranspose", "Convolution2DTranspose"),
            "keras3": ("Conv2DTranspose",),
        },
        arrays={"kernel": _kernel(Rule.TRANSPOSED), "bias": _BIAS},
        ranks=(4,),
        space=2,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.UNTOLD, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # (D,H,W,O,I): Keras 2 on.
    "Conv3DTranspose": Kind(
        classes={"keras2": ("Conv3DTranspose", "Deconvolution3D"), "keras3": ("Conv3DTranspose",)},
        arrays={"kernel": _kernel(Rule.TRANSPOSED), "bias": _BIAS},
        ranks=(5,),
        space=3,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.UNTOLD, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # (L,I,M), and (1,I*M,O): Keras 2 on.
    "SeparableConv1D": Kind(
        classes={"keras2": ("SeparableConv1D", "SeparableConvolution1D"), "keras3": ("SeparableConv1D",)},
        arrays={
            "depthwise_kernel": _kernel(Rule.KEEP, "depthwise_kernel"),
            "pointwise_kernel": _kernel(Rule.KEEP, "pointwise_kernel"),
            "bias": _BIAS,
        },
        ranks=(3,),
        space=1,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.UNKNOWN, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # Keras 1: th (M,I,H,W), (O,I*M,1,1), tf (H,W,I,M), (1,1,I*M,O), on TensorFlow alone. Keras 2: the latter.
    "SeparableConv2D": Kind(
        classes={
            "keras1": ("SeparableConvolution2D",),
            "keras2": ("SeparableConv2D",),
            "keras3": ("SeparableConv2D",),
        },
        arrays={
            "depthwise_kernel": _kernel(Rule.DEPTHWISE, "depthwise_kernel"),
            "pointwise_kernel": _kernel(Rule.CONVOLUTION, "pointwise_kernel"),
            "bias": _BIAS,
        },
        ranks=(4,),
        space=2,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.CONVOLUTION, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=True,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # (H,W,I,M): Keras 2 on.
    "DepthwiseConv2D": Kind(
        classes={"keras2": ("DepthwiseConv2D",), "keras3": ("DepthwiseConv2D",)},
        arrays={
            "depthwise_kernel": Role(
                rule=Rule.DEPTHWISE, keras1=None, optional=None, trained=True, also="kernel"
            ),
            "bias": _BIAS,
        },
        ranks=(4,),
        space=2,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.UNKNOWN, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=True,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # (places, L*I, O) and (places, O) everywhere.
    "LocallyConnected1D": Kind(
        classes={"keras1": ("LocallyConnected1D",), "keras2": ("LocallyConnected1D",)},
        arrays={"kernel": _kernel(Rule.KEEP), "bias": _BIAS},
        ranks=(3,),
        space=1,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.UNKNOWN, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # (places, I*H*W, O): windows flattened in the layout's own order; (rows, columns, O).
    "LocallyConnected2D": Kind(
        classes={"keras1": ("LocallyConnected2D",), "keras2": ("LocallyConnected2D",)},
        arrays={
            "kernel": _kernel(Rule.WINDOWS),
            "bias": Role(rule=Rule.PLACES, keras1="b", optional="keras1", trained=True),
        },
        ranks=(3,),
        space=2,
        per_input=PerInput.WINDOW,
        flow=Flow(gives=Gives.CONVOLUTION, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # (inputs, units) everywhere.
    "Dense": Kind(
        classes={"keras1": ("Dense",), "keras2": ("Dense",), "keras3": ("Dense",)},
        arrays={"kernel": _kernel(Rule.ROWS), "bias": _BIAS},
        ranks=(2,),
        space=0,
        per_input=PerInput.ROW,
        flow=Flow(gives=Gives.UNITS, axis=None, writable=Writable.NOT_ON_MAPS, takes_maps=False),
        told_by_roles=False,
        unnamed=(Unnamed(roles=("kernel", "bias"), ranks=(2, 1), fits=shapes.biased, among_others=True),),
        alike=None,
        recurrent=None,
    ),
    # Keras 1 has a layer of its own for what later is a plain Dense; it works on a sequence, never on a
    # flattened map.
    "TimeDistributedDense": Kind(
        classes={"keras1": ("TimeDistributedDense",), "keras2": ("Dense",), "keras3": ("Dense",)},
        arrays={"kernel": _kernel(Rule.KEEP), "bias": _BIAS},
        ranks=(2,),
        space=0,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.UNITS, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # (features, inputs, units), (features, units).
    "MaxoutDense": Kind(
        classes={"keras1": ("MaxoutDense",), "keras2": ("MaxoutDense",)},
        arrays={"kernel": _kernel(Rule.FEATURE_ROWS), "bias": _BIAS},
        ranks=(3,),
        space=0,
        per_input=PerInput.ROW,
        flow=Flow(gives=Gives.UNITS, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=False,
        unnamed=(Unnamed(roles=("kernel", "bias"), ranks=(3, 2), fits=shapes.paired, among_others=True),),
        alike=None,
        recurrent=None,
    ),
    # (units, units) twice, (units,) twice, in the order of 1.2.2; 0.3.3 has each matrix before its bias, and
    # among other layers it is not told from two Dense layers.
    "Highway": Kind(
        classes={"keras1": ("Highway",), "keras2": ("Highway",)},
        arrays={
            "kernel": _kernel(Rule.KEEP),
            "carry_kernel": _kernel(Rule.KEEP, "W_carry"),
            "bias": _FIXED_BIAS,
            "carry_bias": _kernel(Rule.KEEP, "b_carry"),
        },
        ranks=(2,),
        space=0,
        per_input=PerInput.ROW_AND_OUTPUT,
        flow=Flow(gives=Gives.UNKNOWN, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=True,
        unnamed=(
            Unnamed(
                roles=("kernel", "bias", "carry_kernel", "carry_bias"),
                ranks=(2, 1, 2, 1),
                fits=shapes.square,
                among_others=False,
            ),
        ),
        alike=None,
        recurrent=None,
    ),
    # Vectors along the channels, or along what was flattened if the layer follows a Flatten.
    "BatchNormalization": Kind(
        classes={
            "keras1": ("BatchNormalization",),
            "keras2": ("BatchNormalization",),
            "keras3": ("BatchNormalization",),
        },
        arrays={
            "gamma": _SLOPE,
            "beta": _OFFSET,
            "moving_mean": Role(rule=Rule.ROWS, keras1="running_mean", optional=None, trained=False),
            "moving_variance": Role(rule=Rule.DEVIATION, keras1="running_std", optional=None, trained=False),
        },
        ranks=(1,),
        space=0,
        per_input=PerInput.CHANNEL,
        flow=Flow(gives=Gives.INPUT, axis="axis", writable=Writable.ALWAYS, takes_maps=True),
        told_by_roles=True,
        unnamed=(
            Unnamed(
                roles=("gamma", "beta", "moving_mean", "moving_variance"),
                ranks=(1, 1, 1, 1),
                fits=shapes.same,
                among_others=True,
            ),
        ),
        alike=None,
        recurrent=None,
    ),
    # Vectors along the last axis, which is that of the channels in tf layout: tf.keras and Keras 3.
    "LayerNormalization": Kind(
        classes={"keras2": ("LayerNormalization",), "keras3": ("LayerNormalization",)},
        arrays={"gamma": _SLOPE, "beta": _OFFSET},
        ranks=(1,),
        space=0,
        per_input=PerInput.CHANNEL,
        flow=Flow(gives=Gives.INPUT, axis="axis", writable=Writable.NOT_ON_MAPS, takes_maps=True),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # What was measured of the inputs, along the channels, and a number of them: tf.keras and Keras 3.
    "Normalization": Kind(
        classes={"keras2": ("Normalization",), "keras3": ("Normalization",)},
        arrays={
            "mean": Role(rule=Rule.ROWS, keras1=None, optional=None, trained=False),
            "variance": Role(rule=Rule.ROWS, keras1=None, optional=None, trained=False),
            "count": Role(rule=Rule.KEEP, keras1=None, optional=None, trained=False),
        },
        ranks=(1,),
        space=0,
        per_input=PerInput.CHANNEL,
        flow=Flow(gives=Gives.INPUT, axis="axis", writable=Writable.NOT_ON_MAPS, takes_maps=True),
        told_by_roles=True,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # The factors of ConvNeXt's branches, along the last axis; its array has no name that says what it is.
    "LayerScale": Kind(
        classes={"keras2": ("LayerScale",), "keras3": ("LayerScale",)},
        arrays={"gamma": Role(rule=Rule.ROWS, keras1=None, optional=None, trained=True)},
        ranks=(1,),
        space=0,
        per_input=PerInput.CHANNEL,
        flow=Flow(gives=Gives.INPUT, axis=None, writable=Writable.NOT_ON_MAPS, takes_maps=True),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # The Caffe layer that published networks define for themselves, beside a BatchNormalization.
    "Scale": Kind(
        classes={"keras1": ("Scale",), "keras2": ("Scale",)},
        arrays={
            "gamma": Role(rule=Rule.ROWS, keras1="gamma", optional=None, trained=True),
            "beta": Role(rule=Rule.ROWS, keras1="beta", optional="keras1", trained=True),
        },
        ranks=(1,),
        space=0,
        per_input=PerInput.CHANNEL,
        flow=Flow(gives=Gives.INPUT, axis="axis", writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=True,
        unnamed=(Unnamed(roles=("gamma", "beta"), ranks=(1, 1), fits=shapes.same, among_others=True),),
        alike=None,
        recurrent=None,
    ),
    # The shape of what comes in: (C,H,W) or (H,W,C), with ones along shared axes.
    "PReLU": Kind(
        classes={"keras1": ("PReLU",), "keras2": ("PReLU",), "keras3": ("PReLU",)},
        arrays={"alpha": _kernel(Rule.MAP, "alphas")},
        ranks=None,
        space=0,
        per_input=PerInput.VALUE,
        flow=Flow(gives=Gives.INPUT, axis="shared_axes", writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=True,
        unnamed=(
            Unnamed(roles=("alpha",), ranks=(3,), fits=shapes.whatever, among_others=True),
            Unnamed(roles=("alpha",), ranks=(1,), fits=shapes.whatever, among_others=True),
        ),
        alike=None,
        recurrent=None,
    ),
    "ParametricSoftplus": Kind(
        classes={"keras1": ("ParametricSoftplus",)},
        arrays={"alpha": _kernel(Rule.MAP, "alphas"), "beta": _kernel(Rule.MAP, "betas")},
        ranks=None,
        space=0,
        per_input=PerInput.VALUE,
        flow=Flow(gives=Gives.INPUT, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=True,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    "SReLU": Kind(
        classes={"keras1": ("SReLU",)},
        arrays={
            "t_left": _kernel(Rule.MAP, "t_left"),
            "a_left": _kernel(Rule.MAP, "a_left"),
            "t_right": _kernel(Rule.MAP, "t_right"),
            "a_right": _kernel(Rule.MAP, "a_right"),
        },
        ranks=None,
        space=0,
        per_input=PerInput.VALUE,
        flow=Flow(gives=Gives.INPUT, axis="shared_axes", writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=True,
        unnamed=(),
        alike=None,
        recurrent=None,
    ),
    # (words, units) everywhere: Keras 1 calls the matrix W, Keras 2 embeddings.
    "Embedding": Kind(
        classes={"keras1": ("Embedding",), "keras2": ("Embedding",), "keras3": ("Embedding",)},
        arrays={"embeddings": Role(rule=Rule.KEEP, keras1="W", optional=None, trained=True, also="kernel")},
        ranks=(2,),
        space=0,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.EMBEDDED, axis=None, writable=Writable.ALWAYS, takes_maps=False),
        told_by_roles=True,
        unnamed=(Unnamed(roles=("embeddings",), ranks=(2,), fits=shapes.whatever, among_others=True),),
        alike=None,
        recurrent=None,
    ),
    "SimpleRNN": _stepwise("SimpleRNN", Cell(name="simple_rnn_cell", gates=None)),
    "LSTM": _stepwise("LSTM", Cell(name="lstm_cell", gates=_LSTM_GATES)),
    "GRU": _stepwise("GRU", Cell(name="gru_cell", gates=_GRU_GATES)),
    "CuDNNLSTM": _cudnn("LSTM", Biases.ADDED),
    "CuDNNGRU": _cudnn("GRU", Biases.TWO_ROWS),
    # Kernels as Conv2D's, gates along the outputs.
    "ConvLSTM2D": Kind(
        classes={"keras1": ("ConvLSTM2D",), "keras2": ("ConvLSTM2D",), "keras3": ("ConvLSTM2D",)},
        arrays=_recurrent(Rule.CONVOLUTION, Rule.CONVOLUTION),
        ranks=(4,),
        space=2,
        per_input=PerInput.NOTHING,
        flow=Flow(gives=Gives.UNKNOWN, axis=None, writable=Writable.NEVER, takes_maps=False),
        told_by_roles=False,
        unnamed=(),
        alike=None,
        recurrent=Cell(name="conv_lstm_cell", gates=_CONV_LSTM_GATES),
    ),
}


class Holds(Enum):
    """What lies in a layer around other layers."""

    LAYER = auto()
    """One layer, or a model."""
    WAYS = auto()
    """Two recurrent layers, the second of which goes backward."""
    LAYERS = auto()
    """Any number: it is a model."""


@dataclass(frozen=True, kw_only=True)
class Plain:
    """What is known of a kind of layer without arrays of its own, or with arrays that have no rules.

    Attributes:
        flow: What its configuration tells of what flows through it.
        numbered: Whether an automatic name (``dropout_1``) tells it.
        keras3: What its class is called in Keras 3, if that is not the kind's own name.
        holds: What lies in it; None if no layer does.
    """

    flow: Flow
    numbered: bool
    keras3: str | None = None
    holds: Holds | None = None


def _plain(
    gives: Gives,
    *names: str,
    numbered: bool,
    axis: str | None = None,
    writable: Writable = Writable.ALWAYS,
    takes_maps: bool = False,
) -> dict[str, Plain]:
    flow = Flow(gives=gives, axis=axis, writable=writable, takes_maps=takes_maps)
    return dict.fromkeys(names, Plain(flow=flow, numbered=numbered))


UNKNOWN = Flow(gives=Gives.UNKNOWN, axis=None, writable=Writable.ALWAYS, takes_maps=False)
"""What is known of the flow through a layer of a kind that stands in no table."""
_MODEL = Flow(gives=Gives.UNKNOWN, axis=None, writable=Writable.ALWAYS, takes_maps=True)
_STEPS = Flow(gives=Gives.STEPS, axis=None, writable=Writable.NOT_ON_MAPS, takes_maps=False)
_WAYS = Flow(gives=Gives.WAYS, axis=None, writable=Writable.ALWAYS, takes_maps=False)

PLAIN: Mapping[str, Plain] = {
    # What is around other layers: what its arrays are is the inner layers' matter.
    "TimeDistributed": Plain(flow=_STEPS, numbered=True, holds=Holds.LAYER),
    "Bidirectional": Plain(flow=_WAYS, numbered=True, holds=Holds.WAYS),
    "Model": Plain(flow=_MODEL, numbered=True, keras3="Functional", holds=Holds.LAYERS),
    "Sequential": Plain(flow=_MODEL, numbered=True, holds=Holds.LAYERS),
    # Those with arrays are here to be refused by their names.
    **_plain(Gives.FILTERS, "Conv1DTranspose", numbered=True),
    **_plain(Gives.UNKNOWN, "DepthwiseConv1D", "ConvLSTM1D", "ConvLSTM3D", numbered=True),
    **_plain(Gives.UNKNOWN, "GroupNormalization", numbered=True),
    **_plain(Gives.UNKNOWN, "MultiHeadAttention", "EinsumDense", numbered=True),
    # All others have none.
    **_plain(Gives.SOURCE, "InputLayer", numbered=True),
    **_plain(Gives.INPUT, "Activation", "Dropout", numbered=True),
    **_plain(Gives.INPUT, "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout", numbered=False),
    **_plain(Gives.INPUT, "AlphaDropout", "GaussianNoise", "ActivityRegularization", numbered=False),
    **_plain(Gives.INPUT, "LeakyReLU", "ELU", "ReLU", "ThresholdedReLU", numbered=False),
    **_plain(Gives.INPUT, "Masking", "LRN", "LRN2D", numbered=False),
    **_plain(Gives.INPUT, "Softmax", numbered=False, axis="axis"),
    **_plain(Gives.FLATTENED, "Flatten", numbered=True, takes_maps=True),
    **_plain(Gives.RESHAPED, "Reshape", numbered=True, writable=Writable.NOT_ON_MAPS),
    **_plain(Gives.UNKNOWN, "Permute", "RepeatVector", numbered=True, writable=Writable.NOT_ON_MAPS),
    **_plain(Gives.UNKNOWN, "Lambda", numbered=True, writable=Writable.NOT_ON_MAPS),
    **_plain(Gives.SEQUENCE, "MaxPooling1D", "AveragePooling1D", numbered=True),
    **_plain(Gives.SEQUENCE, "ZeroPadding1D", "UpSampling1D", "Cropping1D", numbered=True),
    **_plain(Gives.POOLING, "MaxPooling2D", "MaxPooling3D", numbered=True),
    **_plain(Gives.POOLING, "AveragePooling2D", "AveragePooling3D", numbered=True),
    **_plain(Gives.CHANNELS, "GlobalMaxPooling1D", "GlobalMaxPooling2D", numbered=True),
    **_plain(Gives.CHANNELS, "GlobalAveragePooling1D", "GlobalAveragePooling2D", numbered=True),
    **_plain(Gives.CHANNELS, "GlobalMaxPooling3D", "GlobalAveragePooling3D", numbered=False),
    **_plain(Gives.PADDING, "ZeroPadding2D", "ZeroPadding3D", numbered=True),
    **_plain(Gives.CROPPING, "Cropping2D", "Cropping3D", numbered=True),
    **_plain(Gives.UPSAMPLING, "UpSampling2D", "UpSampling3D", numbered=True),
    **_plain(Gives.MERGED, "Add", "Multiply", "Average", "Maximum", numbered=True),
    **_plain(Gives.MERGED, "Minimum", "Subtract", numbered=False),
    **_plain(Gives.JOINED, "Concatenate", numbered=True, axis="axis"),
    **_plain(Gives.MERGE, "Merge", numbered=True, axis="concat_axis"),
    **_plain(Gives.UNKNOWN, "Dot", numbered=False, writable=Writable.NOT_ON_MAPS),
}

OTHER = "Other"
"""A layer of which nothing is known: its arrays are carried as they are. Nobody but the user calls a layer so
where anything moves."""

# What is asked of the tables.

RULES: Mapping[str, Mapping[str, Rule]] = {
    name: {role: found.rule for role, found in kind.arrays.items()} for name, kind in KINDS.items()
}
"""The rule of each array of a kind."""
GATED: Mapping[str, Gates] = {
    name: kind.recurrent.gates
    for name, kind in KINDS.items()
    if isinstance(kind.recurrent, Cell) and kind.recurrent.gates is not None
}
"""The kinds with gates."""
GATES: Mapping[str, str] = {name: gates.packed for name, gates in GATED.items()}
OLD_GATES: Mapping[str, str] = {name: gates.apart for name, gates in GATED.items()}
CUDNN: Mapping[str, Cudnn] = {
    name: kind.recurrent for name, kind in KINDS.items() if isinstance(kind.recurrent, Cudnn)
}
NATIVE: Mapping[str, str] = {name: cudnn.native for name, cudnn in CUDNN.items()}
"""What cuDNN's layers become in another dialect."""
WRAPPERS = tuple(name for name, plain in PLAIN.items() if plain.holds)
WAYS = next(name for name, plain in PLAIN.items() if plain.holds is Holds.WAYS)
MODELS = tuple(name for name, plain in PLAIN.items() if plain.holds is Holds.LAYERS)


def base_role(kind: str, role: str) -> str:
    """Return a role without its gate (``kernel`` of an LSTM's ``kernel_i``)."""
    return role if role in RULES[kind] else role.rpartition("_")[0]


def rule_of(kind: str, role: str) -> Rule:
    """Return the rule of an array by its layer's kind and its role, with its gate or without."""
    return Rule.KEEP if kind == OTHER else RULES[kind][base_role(kind, role)]


def rules_of(kind: str | None) -> Mapping[str, Rule]:
    """Return the rules of a kind's arrays by their roles; none for a kind without a record."""
    return RULES.get(str(kind), {})


def per_input(kind: str | None) -> PerInput:
    """Return what a layer has for each of its inputs; nothing for a kind without a record."""
    found = KINDS.get(str(kind))
    return found.per_input if found else PerInput.NOTHING


def space_of(kind: str | None) -> int:
    """Return how many axes of space a kind of layer works on; 0 for a kind without a record."""
    found = KINDS.get(str(kind))
    return found.space if found else 0


def flow_of(kind: str) -> Flow:
    """Return what a configuration tells of the flow through a layer; nothing for a kind in no table."""
    found = KINDS.get(kind) or PLAIN.get(kind)
    return found.flow if found else UNKNOWN


def holds(kind: str | None) -> Holds | None:
    """Return what lies in a layer around other layers; None for any other layer."""
    found = PLAIN.get(str(kind))
    return found.holds if found and str(kind) not in KINDS else None


def cell_of(kind: str | None) -> Cell | None:
    """Return what a recurrent layer of Keras' own is; None for any other layer."""
    found = KINDS.get(str(kind))
    return found.recurrent if found and isinstance(found.recurrent, Cell) else None


def is_recurrent(kind: str) -> bool:
    """Return whether a layer is a recurrent one, cuDNN's or Keras' own."""
    return kind in KINDS and KINDS[kind].recurrent is not None

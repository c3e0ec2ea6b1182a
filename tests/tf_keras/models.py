"""Models of tf-keras: for each class of its layers, and each operation that it keeps as a layer, some."""

from __future__ import annotations

import inspect
import os

# tf-keras' SpectralNormalization takes tf.keras for tf-keras, which it is where this is said.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

MAP, SEQUENCE, VOLUME, WORDS, VECTOR = (9, 8, 3), (7, 5), (6, 6, 6, 2), (6,), (4,)
PICTURE = (10, 9, 3)


def make(name, *values, **settings):
    """Return what makes a layer of a class."""
    return lambda: getattr(layers, name)(*values, **settings)


def around(name, inner, **settings):
    """Return what makes a wrapper around a layer."""
    return lambda: getattr(layers, name)(inner(), **settings)


class Chain:
    """What makes a model of layers one behind the other, as a Sequential or as a Functional."""

    def __init__(self, shape, *listed, dtype=None):
        self.shape, self.listed = shape, listed
        self.dtype = dtype or ("int32" if shape == WORDS else "float32")

    def sequential(self):
        """Return the model as a Sequential."""
        return tf_keras.Sequential(
            [layers.Input(self.shape, dtype=self.dtype), *(one() for one in self.listed)]
        )

    def functional(self):
        """Return the model as a Functional."""
        source = value = layers.Input(self.shape, dtype=self.dtype)
        for one in self.listed:
            value = one()(value)
        return tf_keras.Model(source, value)

    def __call__(self):
        """Return the model as a layer of another one."""
        return self.sequential()


class Graph:
    """What makes a Functional of inputs by a function of them."""

    def __init__(self, *shapes, draw, dtypes=()):
        self.shapes, self.draw, self.dtypes = shapes, draw, dtypes or ("float32",) * len(shapes)

    def functional(self):
        """Return the model."""
        sources = [
            layers.Input(shape, dtype=dtype) for shape, dtype in zip(self.shapes, self.dtypes, strict=True)
        ]
        return tf_keras.Model(sources if len(sources) > 1 else sources[0], self.draw(*sources))


def adapted(name, data, **settings):
    """Return what makes a preprocessing layer that has learnt from data."""

    def build():
        layer = getattr(layers, name)(**settings)
        layer.adapt(data)
        return layer

    return build


def merging(name, shapes=(MAP, MAP), **settings):
    """Return a model in which a layer joins several inputs."""
    return Graph(*shapes, draw=lambda *sources: getattr(layers, name)(**settings)(list(sources)))


BORDERS = [(padding, stride) for padding in ("valid", "same") for stride in (1, 2, 3)]


def stepped(name, shape, *values):
    """Return models of a layer with windows, by how it pads and how far it steps."""
    return [Chain(shape, make(name, *values, strides=stride, padding=padding)) for padding, stride in BORDERS]


HARD = {"recurrent_activation": "hard_sigmoid"}
EMBEDDED = make("Embedding", 9, 4, mask_zero=True)
CELLS = [lambda: layers.LSTMCell(3), lambda: layers.GRUCell(2), lambda: layers.SimpleRNNCell(4)]


def of_cells(*cells, **settings):
    """Return what makes a recurrent layer of cells."""
    return lambda: layers.RNN([cell() for cell in cells] if len(cells) > 1 else cells[0](), **settings)


def attention(name, *shapes, call=None, **settings):
    """Return a model in which a layer attends to another input."""
    given = call or {}
    return Graph(*shapes, draw=lambda *sources: getattr(layers, name)(**settings)(list(sources), **given))


def multi_head(*settings, three=False, **call):
    """Return a model of an attention of several heads."""

    def draw(query, value, *key):
        return layers.MultiHeadAttention(*settings)(query, value, *key, **call)

    return Graph((5, 4), (6, 3), *([(6, 2)] if three else []), draw=draw)


def with_states(source):
    """Return what a layer gives that gives its states too."""
    return layers.LSTM(4, return_state=True)(source)


RANDOM = np.random.default_rng(3)
LEARNT = RANDOM.normal(size=(20, 4)).astype("float32") * 3 + 1
TEXTS = np.array([["a house by the sea"], ["the sea, the SEA!"], ["by a river"]])

MODELS = {
    "Activation": [
        Chain(SEQUENCE, make("Activation", name)) for name in ("relu", "softmax", "hard_sigmoid", "gelu")
    ],
    "ActivityRegularization": [Chain(SEQUENCE, make("ActivityRegularization", 0.1, 0.2))],
    "Add": [merging("Add"), merging("Add", (MAP, (9, 1, 3)))],
    "AdditiveAttention": [
        attention("AdditiveAttention", (5, 4), (6, 4)),
        attention(
            "AdditiveAttention", (5, 4), (5, 4), (5, 4), use_scale=False, call={"use_causal_mask": True}
        ),
    ],
    "AlphaDropout": [Chain(SEQUENCE, make("AlphaDropout", 0.1))],
    "Attention": [
        attention("Attention", (5, 4), (6, 4)),
        attention("Attention", (5, 4), (6, 4), (6, 4), use_scale=True, score_mode="concat"),
        attention("Attention", (5, 4), (5, 4), use_scale=True, call={"use_causal_mask": True}),
        attention("Attention", (5, 4), (6, 4), call={"return_attention_scores": True}),
    ],
    "Average": [merging("Average", (MAP, MAP, MAP))],
    "AveragePooling1D": stepped("AveragePooling1D", SEQUENCE, 3),
    "AveragePooling2D": stepped("AveragePooling2D", MAP, (3, 2)),
    "AveragePooling3D": stepped("AveragePooling3D", VOLUME, 2),
    "BatchNormalization": [
        Chain(MAP, make("BatchNormalization"), make("BatchNormalization", axis=1, scale=False)),
        Chain(SEQUENCE, make("BatchNormalization", trainable=False, epsilon=1e-5, center=False)),
    ],
    "Bidirectional": [
        *[
            Chain(
                SEQUENCE,
                around("Bidirectional", make("LSTM", 3, return_sequences=True, **HARD), merge_mode=mode),
            )
            for mode in ("concat", "sum", "mul", "ave")
        ],
        Chain(WORDS, EMBEDDED, around("Bidirectional", make("GRU", 3)), make("Dense", 2)),
        Chain(SEQUENCE, around("Bidirectional", of_cells(*CELLS))),
        Chain(WORDS, EMBEDDED, around("Bidirectional", make("LSTM", 3, return_sequences=True))),
    ],
    "CategoryEncoding": [
        Chain(WORDS, make("CategoryEncoding", 9, output_mode=mode)) for mode in ("multi_hot", "count")
    ]
    + [Chain((1,), make("CategoryEncoding", 9, output_mode="one_hot"), dtype="int32")],
    "CenterCrop": [Chain(PICTURE, make("CenterCrop", 4, 5)), Chain(PICTURE, make("CenterCrop", 12, 5))],
    "Concatenate": [merging("Concatenate"), merging("Concatenate", (MAP, (2, 8, 3)), axis=1)],
    "Conv1D": [
        *stepped("Conv1D", SEQUENCE, 4, 3),
        Chain(SEQUENCE, make("Conv1D", 4, 3, dilation_rate=2, padding="causal")),
    ],
    "Conv1DTranspose": stepped("Conv1DTranspose", SEQUENCE, 4, 3),
    "Conv2D": [
        *stepped("Conv2D", MAP, 4, (3, 2)),
        Chain(MAP, make("Conv2D", 4, 3, dilation_rate=2, padding="same", activation="hard_sigmoid")),
        Chain((9, 8, 4), make("Conv2D", 6, 3, groups=2, use_bias=False)),
    ],
    "Conv2DTranspose": stepped("Conv2DTranspose", MAP, 4, (3, 2)),
    "Conv3D": stepped("Conv3D", VOLUME, 3, 2),
    "Conv3DTranspose": [Chain(VOLUME, make("Conv3DTranspose", 3, 2, strides=2, padding="same"))],
    "ConvLSTM1D": [
        Chain((4, *SEQUENCE), make("ConvLSTM1D", 3, 3, padding="same", return_sequences=True)),
        Chain((4, *SEQUENCE), make("ConvLSTM1D", 3, 2, strides=2, recurrent_activation="sigmoid")),
    ],
    "ConvLSTM2D": [
        Chain((4, *MAP), make("ConvLSTM2D", 3, (3, 2), padding="same", return_sequences=True)),
        Chain((4, *MAP), make("ConvLSTM2D", 3, 3, strides=2)),
    ],
    "ConvLSTM3D": [Chain((3, 5, 4, 4, 2), make("ConvLSTM3D", 2, 2, padding="same"))],
    "Cropping1D": [Chain(SEQUENCE, make("Cropping1D", (1, 2)))],
    "Cropping2D": [Chain(MAP, make("Cropping2D", ((0, 1), (1, 2))))],
    "Cropping3D": [Chain(VOLUME, make("Cropping3D", ((0, 1), (1, 2), (1, 0))))],
    "Dense": [
        Chain(SEQUENCE, make("Dense", 4, activation=name))
        for name in (
            "elu",
            "selu",
            "softplus",
            "softsign",
            "swish",
            "gelu",
            "exponential",
            "hard_sigmoid",
            "mish",
        )
    ],
    "DepthwiseConv1D": stepped("DepthwiseConv1D", SEQUENCE, 3),
    "DepthwiseConv2D": [
        *[Chain(MAP, make("DepthwiseConv2D", 3, strides=n, padding=p)) for p, n in BORDERS],
        Chain(MAP, make("DepthwiseConv2D", (2, 3), depth_multiplier=2, use_bias=False)),
    ],
    "Discretization": [
        Chain(VECTOR, make("Discretization", [-0.5, 0.1, 1.0])),
        Chain(VECTOR, make("Discretization", [-0.5, 0.1, 1.0], output_mode="multi_hot")),
        Chain(VECTOR, adapted("Discretization", LEARNT, num_bins=4)),
    ],
    "Dot": [merging("Dot", ((5, 4), (6, 4)), axes=2)],
    "Dropout": [Chain(SEQUENCE, make("Dropout", 0.3))],
    "ELU": [Chain(SEQUENCE, make("ELU", 0.7))],
    "EinsumDense": [
        Chain(SEQUENCE, make("EinsumDense", "abc,cd->abd", output_shape=(None, 3), bias_axes="d")),
        Chain(SEQUENCE, make("EinsumDense", "...x,xy->...y", output_shape=3, activation="hard_sigmoid")),
        Chain(SEQUENCE, make("EinsumDense", "abc,cde->abde", output_shape=(7, 2, 3), bias_axes="de")),
    ],
    "Embedding": [Chain(WORDS, make("Embedding", 9, 3)), Chain(WORDS, EMBEDDED, make("LSTM", 3))],
    "Flatten": [
        Chain(MAP, make("Flatten")),
        Chain(MAP, make("Reshape", (3, 9, 8)), make("Flatten", data_format="channels_first")),
    ],
    "GRU": [
        *[
            Chain(SEQUENCE, make("GRU", 4, reset_after=reset, recurrent_activation=gates))
            for reset in (True, False)
            for gates in ("sigmoid", "hard_sigmoid")
        ],
        Chain(SEQUENCE, make("GRU", 4, activation="hard_sigmoid", reset_after=False, **HARD)),
        Chain(SEQUENCE, make("GRU", 4, activation="hard_sigmoid")),
    ],
    "GRUCell": [Chain(SEQUENCE, of_cells(lambda: layers.GRUCell(3, reset_after=False, **HARD)))],
    "GaussianDropout": [Chain(SEQUENCE, make("GaussianDropout", 0.1))],
    "GaussianNoise": [Chain(SEQUENCE, make("GaussianNoise", 0.1))],
    **{
        f"Global{what}Pooling{count}D": [
            Chain(shape, make(f"Global{what}Pooling{count}D", keepdims=kept)) for kept in (False, True)
        ]
        for what in ("Average", "Max")
        for count, shape in ((1, SEQUENCE), (2, MAP), (3, VOLUME))
    },
    "GroupNormalization": [
        Chain((4, 5, 6), make("GroupNormalization", 3)),
        Chain((4, 5, 6), make("GroupNormalization", 2, axis=1, scale=False, epsilon=1e-5)),
        Chain((4, 6), make("GroupNormalization", -1)),
    ],
    "HashedCrossing": [
        Graph(
            *((1,), (1,)),
            dtypes=("int64", "int64"),
            draw=lambda *sources, mode=mode: layers.HashedCrossing(7, output_mode=mode)(sources),
        )
        for mode in ("int", "one_hot")
    ],
    "Hashing": [
        Chain((3,), make("Hashing", 7), dtype="string"),
        Chain((3,), make("Hashing", 7, salt=[3, 5], output_mode="multi_hot"), dtype="int64"),
    ],
    "Identity": [Chain(SEQUENCE, make("Identity"))],
    "InputLayer": [Chain(SEQUENCE, make("Dense", 3))],
    "IntegerLookup": [
        Chain((4,), make("IntegerLookup", vocabulary=[3, 5, 7]), dtype="int64"),
        Chain(
            (4,),
            make("IntegerLookup", vocabulary=[3, 5, 7], output_mode="count", mask_token=0),
            dtype="int64",
        ),
        Chain((4,), adapted("IntegerLookup", np.array([[2], [4], [4]])), dtype="int64"),
    ],
    "LSTM": [
        Chain(SEQUENCE, make("LSTM", 4, return_sequences=True)),
        Chain(SEQUENCE, make("LSTM", 4, go_backwards=True, **HARD)),
        Chain(WORDS, EMBEDDED, make("LSTM", 3, return_sequences=True), make("Dropout", 0.5), make("GRU", 2)),
        Graph(SEQUENCE, draw=with_states),
    ],
    "LSTMCell": [
        Chain(SEQUENCE, of_cells(lambda: layers.LSTMCell(3, use_bias=False), return_sequences=True))
    ],
    "Lambda": [Chain(SEQUENCE, make("Lambda", lambda x: x * 2))],
    "LayerNormalization": [
        Chain(SEQUENCE, make("LayerNormalization")),
        Chain(MAP, make("LayerNormalization", axis=[2, 3], scale=False, epsilon=1e-5)),
        Chain(MAP, around("TimeDistributed", make("LayerNormalization"))),
        Chain(WORDS, EMBEDDED, make("LayerNormalization"), make("LSTM", 3)),
    ],
    "LeakyReLU": [Chain(SEQUENCE, make("LeakyReLU", 0.2))],
    "LocallyConnected1D": [Chain(SEQUENCE, make("LocallyConnected1D", 4, 3, strides=2))],
    "LocallyConnected2D": [Chain(MAP, make("LocallyConnected2D", 4, (3, 2), strides=(2, 1)))],
    "Masking": [
        Chain(SEQUENCE, make("Masking"), make("SimpleRNN", 3, return_sequences=True), make("LSTM", 2)),
        Chain(SEQUENCE, make("Masking"), make("GlobalAveragePooling1D")),
    ],
    "MaxPooling1D": stepped("MaxPooling1D", SEQUENCE, 3),
    "MaxPooling2D": stepped("MaxPooling2D", MAP, 2),
    "MaxPooling3D": stepped("MaxPooling3D", VOLUME, 2),
    "Maximum": [merging("Maximum")],
    "Minimum": [merging("Minimum")],
    "MultiHeadAttention": [
        multi_head(2, 3),
        multi_head(2, 3, 4, 0.1, False, 5, three=True),
        Graph((5, 4), draw=lambda x: layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)),
        Graph((3, 5, 4), draw=lambda x: layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))(x, x)),
    ],
    "Multiply": [merging("Multiply")],
    "Normalization": [
        Chain(VECTOR, adapted("Normalization", LEARNT)),
        Chain(MAP, make("Normalization", mean=[1.0, 2.0, 3.0], variance=[0.5, 2.0, 4.0])),
        Chain(VECTOR, adapted("Normalization", LEARNT, axis=None)),
        Chain(VECTOR, make("Normalization", mean=2.0, variance=3.0, invert=True)),
    ],
    "PReLU": [Chain(MAP, make("PReLU", shared_axes=[1, 2]), make("PReLU"))],
    "Permute": [Chain(MAP, make("Permute", (3, 1, 2)))],
    "RNN": [
        Chain(SEQUENCE, of_cells(*CELLS, return_sequences=True), of_cells(*CELLS[:2], go_backwards=True)),
        Chain(WORDS, EMBEDDED, of_cells(*CELLS)),
    ],
    "RandomBrightness": [Chain(PICTURE, make("RandomBrightness", 0.2, value_range=(0, 1)))],
    "RandomContrast": [Chain(PICTURE, make("RandomContrast", (0.1, 0.2)))],
    "RandomCrop": [Chain(PICTURE, make("RandomCrop", 6, 5)), Chain(PICTURE, make("RandomCrop", 12, 11))],
    "RandomFlip": [Chain(PICTURE, make("RandomFlip", "horizontal"))],
    "RandomHeight": [Chain(PICTURE, make("RandomHeight", 0.2))],
    "RandomRotation": [Chain(PICTURE, make("RandomRotation", 0.2))],
    "RandomTranslation": [Chain(PICTURE, make("RandomTranslation", 0.2, 0.1, fill_mode="constant"))],
    "RandomWidth": [Chain(PICTURE, make("RandomWidth", 0.2))],
    "RandomZoom": [Chain(PICTURE, make("RandomZoom", 0.2))],
    "ReLU": [Chain(SEQUENCE, make("ReLU", 6.0, 0.1, 0.2))],
    "RepeatVector": [Chain(VECTOR, make("RepeatVector", 3))],
    "Rescaling": [
        Chain(PICTURE, make("Rescaling", 1 / 127.5, offset=-1)),
        Chain(PICTURE, make("Rescaling", [0.5, 1.0, 2.0], offset=[1.0, 2.0, 3.0])),
    ],
    "Reshape": [Chain(MAP, make("Reshape", (-1, 4)))],
    "Resizing": [
        *[
            Chain(PICTURE, make("Resizing", 6, 14, interpolation=how))
            for how in ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area")
        ],
        Chain(PICTURE, make("Resizing", 6, 14, crop_to_aspect_ratio=True)),
    ],
    "SeparableConv1D": stepped("SeparableConv1D", SEQUENCE, 4, 3),
    "SeparableConv2D": [
        Chain(MAP, make("SeparableConv2D", 4, 3, strides=n, padding=p, depth_multiplier=2))
        for p, n in BORDERS
    ],
    "SimpleRNN": [
        Chain(SEQUENCE, make("SimpleRNN", 4, activation="hard_sigmoid", go_backwards=True)),
        Chain(SEQUENCE, make("SimpleRNN", 4, return_sequences=True, use_bias=False)),
    ],
    "SimpleRNNCell": [Chain(SEQUENCE, of_cells(CELLS[2]))],
    "Softmax": [Chain(SEQUENCE, make("Softmax")), Chain(MAP, make("Softmax", axis=1))],
    "SpatialDropout1D": [Chain(SEQUENCE, make("SpatialDropout1D", 0.1))],
    "SpatialDropout2D": [Chain(MAP, make("SpatialDropout2D", 0.1))],
    "SpatialDropout3D": [Chain(VOLUME, make("SpatialDropout3D", 0.1))],
    "SpectralNormalization": [
        Chain(MAP, around("SpectralNormalization", make("Conv2D", 4, 3))),
        Chain(VECTOR, around("SpectralNormalization", make("Dense", 3, use_bias=False))),
    ],
    "StackedRNNCells": [Chain(SEQUENCE, of_cells(CELLS[0], CELLS[0], CELLS[1], return_sequences=True))],
    "StringLookup": [
        Chain((3,), make("StringLookup", vocabulary=["a", "sea"]), dtype="string"),
        Chain(
            (3,),
            make(
                "StringLookup", vocabulary=["a", "sea"], mask_token="", num_oov_indices=2, output_mode="count"
            ),
            dtype="string",
        ),
        Chain((3,), adapted("StringLookup", np.array(["a", "sea", "sea"])), dtype="string"),
        Chain((3,), make("StringLookup", vocabulary=["a", "sea"], invert=True), dtype="int64"),
        Chain(
            (3,),
            adapted("StringLookup", np.array([["a", "sea"], ["sea", "b"]]), output_mode="tf_idf"),
            dtype="string",
        ),
    ],
    "Subtract": [merging("Subtract")],
    "TextVectorization": [
        Chain(
            (1,), make("TextVectorization", vocabulary=["a", "sea"], output_sequence_length=4), dtype="string"
        ),
        Chain((1,), make("TextVectorization", vocabulary=["a", "sea"], output_mode="count"), dtype="string"),
        Chain((1,), adapted("TextVectorization", TEXTS, ngrams=2, output_sequence_length=6), dtype="string"),
        Chain((1,), adapted("TextVectorization", TEXTS, output_mode="tf_idf"), dtype="string"),
        Chain(
            (1,),
            adapted(
                "TextVectorization",
                TEXTS,
                split="character",
                max_tokens=9,
                output_mode="multi_hot",
                pad_to_max_tokens=True,
            ),
            dtype="string",
        ),
    ],
    "ThresholdedReLU": [Chain(SEQUENCE, make("ThresholdedReLU", 0.1))],
    "TimeDistributed": [
        Chain(
            (4, *MAP),
            around("TimeDistributed", make("Conv2D", 2, 3, strides=2, padding="same")),
            around("TimeDistributed", make("Flatten")),
            make("LSTM", 3),
        ),
        Chain(
            (3, *MAP),
            around(
                "TimeDistributed",
                Chain(MAP, make("Conv2D", 2, 3), make("BatchNormalization"), make("Flatten")),
            ),
        ),
    ],
    "UnitNormalization": [
        Chain(SEQUENCE, make("UnitNormalization")),
        Chain(MAP, make("UnitNormalization", axis=[1, 3])),
    ],
    "UpSampling1D": [Chain(SEQUENCE, make("UpSampling1D", 2))],
    "UpSampling2D": [
        Chain(MAP, make("UpSampling2D", (2, 3), interpolation=how))
        for how in ("nearest", "bilinear", "bicubic", "lanczos3", "area")
    ],
    "UpSampling3D": [Chain(VOLUME, make("UpSampling3D", (2, 1, 2)))],
    "ZeroPadding1D": [Chain(SEQUENCE, make("ZeroPadding1D", (1, 2)))],
    "ZeroPadding2D": [Chain(MAP, make("ZeroPadding2D", ((1, 0), (2, 1))))],
    "ZeroPadding3D": [Chain(VOLUME, make("ZeroPadding3D", ((1, 0), (2, 1), (0, 1))))],
}
"""Models by the class of layers that they are of."""

NONE = {
    "AbstractRNNCell": "has no meaning of its own",
    "DenseFeatures": "takes feature columns, which Keras has no more",
    "InputSpec": "is no layer",
    "Layer": "has no meaning of its own",
    "Wrapper": "has no meaning of its own",
}
"""The classes of which there are no models, and why."""


def classes():
    """Return the names of all classes among tf-keras' layers, each once."""
    found = {cls.__name__ for _, cls in inspect.getmembers(layers, inspect.isclass)}
    return sorted(found)


def operation(*shapes, dtypes=()):
    """Return what makes a model of a function of results."""
    return lambda draw: Graph(*shapes, draw=draw, dtypes=dtypes)


ONE, TWO = operation(SEQUENCE), operation(SEQUENCE, SEQUENCE)
ON_MAPS = operation(MAP)
OPERATIONS = {
    "+": [
        ONE(lambda x: x + 1.5),
        ONE(lambda x: 2 + x),
        TWO(lambda x, y: x + y),
        ON_MAPS(lambda x: tf.add(x, [1.0, 2.0, 3.0])),
    ],
    "-": [
        ONE(lambda x: x - 1.5),
        ONE(lambda x: 2 - x),
        ONE(lambda x: 2.5 - x),
        TWO(lambda x, y: x - y),
        ONE(lambda x: -x),
    ],
    "*": [
        ONE(lambda x: x * 1.5),
        ONE(lambda x: 2 * x),
        TWO(lambda x, y: x * y),
        ON_MAPS(lambda x: x * [1.0, 2.0, 3.0]),
    ],
    "/": [
        ONE(lambda x: x / 2),
        ONE(lambda x: x / 3.0),
        ONE(lambda x: 2.0 / (x + 9.0)),
        TWO(lambda x, y: x / (y + 9.0)),
    ],
    "**": [ONE(lambda x: x**2), ONE(lambda x: tf.abs(x) ** 0.5), ONE(lambda x: tf.pow(tf.abs(x), 1.7))],
    "// and %": [ONE(lambda x: x // 0.5), ONE(lambda x: x % 0.5)],
    "[...]": [
        ONE(lambda x: x[:, 0]),
        ONE(lambda x: x[:, -1, :]),
        ONE(lambda x: x[:, 1:-1, ::2]),
        ON_MAPS(lambda x: x[..., ::-1]),
        ON_MAPS(lambda x: x[:, 1, ..., tf.newaxis]),
        ONE(lambda x: x[0]),
    ],
    "tf.abs, tf.sqrt and others of each value": [
        ONE(lambda x, name=name: getattr(tf.math, name)(x))
        for name in (
            "abs",
            "negative",
            "sign",
            "floor",
            "ceil",
            "sin",
            "cos",
            "erf",
            "exp",
            "expm1",
            "square",
            "sigmoid",
            "tanh",
            "softplus",
        )
    ]
    + [
        ONE(lambda x, name=name: getattr(tf.math, name)(tf.abs(x) + 0.5))
        for name in ("sqrt", "rsqrt", "log", "log1p", "reciprocal")
    ],
    "tf.add_n": [TWO(lambda x, y: tf.add_n([x, y]))],
    "tf.cast": [
        operation(WORDS, dtypes=("int32",))(lambda x: tf.cast(x, "float32") / 2),
        operation((4,), dtypes=("uint8",))(lambda x: tf.cast(x * 2, "float32")),
        ONE(lambda x: tf.cast(x > 0, tf.float32)),
        ONE(lambda x: tf.cast(x, tf.float64)),
    ],
    "tf.clip_by_value": [
        ONE(lambda x: tf.clip_by_value(x, -0.5, 0.7)),
        ONE(lambda x: tf.clip_by_value(x, 0.0, 1.0)),
    ],
    "tf.concat": [
        TWO(lambda x, y: tf.concat([x, y], -1)),
        TWO(lambda x, y: tf.concat([x, y], axis=1)),
        TWO(lambda x, y: tf.concat([x, y], 0)),
    ],
    "tf.cumsum": [ONE(lambda x: tf.cumsum(x, 1))],
    "tf.einsum": [TWO(lambda x, y: tf.einsum("abc,abd->acd", x, y))],
    "tf.expand_dims": [ONE(lambda x: tf.expand_dims(x, -1)), ONE(lambda x: tf.expand_dims(x, 1))],
    "tf.greater and others": [
        TWO(lambda x, y, name=name: tf.where(getattr(tf.math, name)(x, y), x, y))
        for name in ("greater", "less_equal", "equal", "not_equal")
    ]
    + [
        ONE(lambda x: tf.where(tf.logical_and(x > 0.1, x < 0.5), x, 0.0)),
        ONE(lambda x: tf.where(tf.logical_not(x >= 0), 1.0, x)),
    ],
    "tf.image.resize": [
        ON_MAPS(lambda x, how=how: tf.image.resize(x, (5, 11), method=how))
        for how in ("bilinear", "nearest", "bicubic")
    ],
    "tf.linalg.l2_normalize, tf.norm": [
        ONE(lambda x: tf.math.l2_normalize(x, axis=-1)),
        ONE(lambda x: tf.norm(x, axis=-1, keepdims=True)),
    ],
    "tf.matmul": [
        TWO(lambda x, y: tf.matmul(x, y, transpose_b=True)),
        TWO(lambda x, y: tf.matmul(x, y, transpose_a=True)),
    ],
    "tf.maximum, tf.minimum": [
        TWO(tf.maximum),
        ONE(lambda x: tf.maximum(x, 0.1)),
        ONE(lambda x: tf.minimum(0.2, x)),
    ],
    "tf.nn.bias_add": [ON_MAPS(lambda x: tf.nn.bias_add(x, [-1.0, -2.0, -3.0]))],
    "tf.nn.relu and others": [
        ONE(lambda x, name=name: getattr(tf.nn, name)(x))
        for name in ("relu", "relu6", "elu", "selu", "gelu", "silu", "softsign", "leaky_relu", "softmax")
    ]
    + [
        ONE(lambda x: tf.nn.gelu(x, approximate=True)),
        ONE(lambda x: tf.nn.softmax(x, axis=1)),
        ONE(lambda x: tf.nn.leaky_relu(x, alpha=0.4)),
    ],
    "tf.nn.conv2d": [ON_MAPS(lambda x: tf.nn.conv2d(x, tf.ones((2, 2, 3, 1)), 1, "SAME"))],
    "tf.pad": [
        ON_MAPS(lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]])),
        ON_MAPS(lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]], "REFLECT")),
    ],
    "tf.reduce_mean and others": [
        ONE(lambda x, name=name: getattr(tf.math, f"reduce_{name}")(x, axis=1))
        for name in ("mean", "sum", "max", "min", "prod", "variance", "std")
    ]
    + [
        ON_MAPS(lambda x: tf.reduce_mean(x, [1, 2], keepdims=True)),
        ONE(tf.reduce_sum),
        ONE(lambda x: tf.argmax(x, -1)),
    ],
    "tf.reshape": [ON_MAPS(lambda x: tf.reshape(x, (-1, 24, 9))), ON_MAPS(lambda x: tf.reshape(x, (-1, 9)))],
    "tf.shape": [
        ONE(lambda x: tf.reshape(x, (tf.shape(x)[0], 35))),
        operation((None, 6))(lambda x: tf.reshape(x, (tf.shape(x)[0], -1, 2, 3))),
        operation((None, 6))(
            lambda x: tf.reshape(x, (tf.shape(x)[0], tf.shape(x)[1], 2, tf.shape(x)[2] // 2))
        ),
    ],
    "tf.split, tf.unstack": [
        ONE(lambda x: tf.split(x, 7, 1)),
        ONE(lambda x: tf.split(x, [2, 3], -1)[1]),
        ONE(lambda x: tf.unstack(x, axis=1)),
    ],
    "tf.squared_difference": [TWO(tf.math.squared_difference)],
    "tf.squeeze": [operation((7, 1, 5))(lambda x: tf.squeeze(x, 2)), operation((7, 1, 5))(tf.squeeze)],
    "tf.stack": [TWO(lambda x, y: tf.stack([x, y], axis=-1)), TWO(lambda x, y: tf.stack([x, y], 1))],
    "tf.stop_gradient, tf.identity": [ONE(tf.stop_gradient), ONE(tf.identity)],
    "tf.tile": [ONE(lambda x: tf.tile(x, [1, 2, 3]))],
    "tf.transpose": [ON_MAPS(lambda x: tf.transpose(x, [0, 3, 1, 2]))],
}
"""Models by the operation that they are of, as it is written in Python."""


def joined():
    """Return a model with two inputs, a layer that both share, and seven outputs."""
    first, second, shared = layers.Input(MAP), layers.Input(MAP), layers.Conv2D(3, 3, padding="same")
    ends = shared(first), shared(second)
    names = ("Concatenate", "Add", "Subtract", "Average", "Maximum", "Minimum", "Multiply")
    return tf_keras.Model([first, second], [getattr(layers, name)()(ends) for name in names])


def reused():
    """Return a model that uses another one three times."""
    source, inner = layers.Input(MAP), layers.Input(MAP)
    model = tf_keras.Model(inner, layers.Conv2D(3, 3, padding="same")(inner))
    return tf_keras.Model(source, layers.Add()([model(model(source)), model(source)]))


def nested():
    """Return a model within a model, with arrays of all sorts, named otherwise than by class."""
    inner = layers.Input((7, 4))
    value = layers.LayerNormalization(name="first")(inner)
    value = layers.MultiHeadAttention(2, 3, name="second")(value, value)
    cells = [layers.LSTMCell(3), layers.GRUCell(4)]
    value = layers.RNN(cells, return_sequences=True, name="third")(value)
    block = tf_keras.Model(inner, layers.Dense(4, name="dense_7")(value) + inner, name="block")
    source = layers.Input(SEQUENCE)
    value = layers.Dense(4, name="dense_9")(source)
    value = layers.Dense(4, name="dense_8")(block(block(value)))
    return tf_keras.Model(source, tf_keras.Sequential([layers.Dense(3, name="dense_1")], name="dense")(value))


def renamed():
    """Return a model whose layers have the automatic names of one another."""
    source = layers.Input((4,))
    value = layers.Dense(4, name="dense_1")(source)
    value = layers.Dense(4, name="dense")(value)
    return tf_keras.Model(source, layers.Dense(4, name="dense_2")(value))


NETWORKS = {"joined": joined, "reused": reused, "nested": nested, "renamed": renamed}
"""Models that are of no one class."""


def filled(model):
    """Give a model random arrays, variances above zero."""
    chance = np.random.default_rng(0)
    for variable in model.variables:
        if not isinstance(variable, tf.Variable) or not variable.dtype.is_floating or None in variable.shape:
            continue  # what preprocessing has learnt
        values = chance.normal(size=variable.shape) / 2
        variable.assign(np.abs(values) + 0.1 if "variance" in variable.name else values)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return model


SAID = np.array(["a", "sea", "by the sea", "House", ""])


def given(model):
    """Return random inputs; the last steps of sequences are zeros, and words may be."""
    chance = np.random.default_rng(1)
    inputs = []
    for source in model.inputs:
        shape = (3, *(7 if size is None else size for size in source.shape[1:]))
        if source.dtype == tf.string:
            inputs.append(tf.constant(chance.choice(SAID, size=shape)))
        elif source.dtype.is_integer:
            most = {tf.int32: 9, tf.uint8: 256}.get(source.dtype, 4)
            inputs.append(chance.integers(0, most, shape).astype(source.dtype.as_numpy_dtype))
        else:
            inputs.append(chance.normal(size=shape).astype("float32"))
            inputs[-1][:, -2:] = 0
    return inputs if len(inputs) > 1 else inputs[0]

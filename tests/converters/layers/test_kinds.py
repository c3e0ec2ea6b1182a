"""Kinds of layers: what classes, automatic names, arrays and users tell."""

from __future__ import annotations

import re

import pytest

from converters.errors import ArgumentError
from converters.layers.kinds import (
    automatic_stem,
    infer_kind,
    kind_of_class,
    kind_of_group,
    kind_of_name,
    parse_layers,
    snake_case,
    snake_case3,
    split_kind,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("convolution2d_7", "Conv2D"),
        ("conv2d_94", "Conv2D"),
        ("atrousconvolution1d_1", "Conv1D"),
        ("batchnormalization_3", "BatchNormalization"),
        ("batch_normalization_12", "BatchNormalization"),
        ("locallyconnected2d_1", "LocallyConnected2D"),
        ("locally_connected2d_1", "LocallyConnected2D"),
        ("deconvolution2d_1", "Conv2DTranspose"),
        ("conv2d_transpose_1", "Conv2DTranspose"),
        ("p_re_lu_1", "PReLU"),
        ("conv_lst_m2d_1", "ConvLSTM2D"),
        ("simple_rnn_2", "SimpleRNN"),
        ("timedistributeddense_1", "TimeDistributedDense"),
        ("conv1", None),
        ("fc_1000", None),
        ("res5c_branch2c", None),
        ("conv2d_final", None),
    ],
)
def test_automatic_names_tell_the_kind(name, kind):
    """Both versions' ways to number layers are known, and no name that somebody chose is taken for one."""
    assert kind_of_name(name) == kind
    assert (automatic_stem(name) is None) == (kind is None)


def test_class_names_of_old_versions_are_todays():
    """Keras 1's class names become Keras 2's, others stay."""
    assert kind_of_class("AtrousConvolution2D") == "Conv2D"
    assert kind_of_class("Highway") == "Highway"
    assert snake_case("MaxPooling2D") == "max_pooling2d"


@pytest.mark.parametrize(
    ("shapes", "dialect", "kind"),
    [
        ({"kernel": (8, 3, 5, 5), "bias": (8,)}, "keras1", "Conv2D"),
        ({"kernel": (5, 5, 3, 8), "bias": (8,)}, "keras1", "Conv2D"),
        ({"kernel": (5, 5, 3, 8), "bias": (8,)}, "keras2", "Conv2D"),
        ({"kernel": (2, 3, 3, 2, 4), "bias": (4,)}, "keras2", "Conv3D"),
        ({"kernel": (3, 4, 5), "bias": (5,)}, "keras2", "Conv1D"),
        ({"kernel": (3, 4, 5), "bias": (5,)}, "keras1", None),
        ({"kernel": (3, 5, 4, 3), "bias": (4,)}, "keras2", "Conv2DTranspose"),
        ({"kernel": (4, 3, 3, 5), "bias": (3,)}, "keras1", None),
        ({"kernel": (15, 12, 4), "bias": (3, 5, 4)}, "keras2", "LocallyConnected2D"),
        ({"kernel": (4, 5), "bias": (5,)}, "keras1", "Dense"),
        ({"kernel": (4, 5)}, "keras1", "Dense"),
        ({"kernel": (4, 5), "bias": (4,)}, "keras1", None),
        ({"embeddings": (9, 5)}, "keras2", "Embedding"),
        (
            {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)},
            "keras1",
            "BatchNormalization",
        ),
        ({"moving_mean": (4,), "moving_variance": (4,)}, "keras2", "BatchNormalization"),
        ({"gamma": (4,), "beta": (4,)}, "keras1", "Scale"),
        ({"gamma": (4, 1, 1), "beta": (4, 1, 1)}, "keras1", None),
        ({"kernel": (4, 5), "gamma": (5,)}, "keras1", None),
        ({"kernel": (5, 4, 3, 1), "bias": (5,)}, "keras1", None),
        ({"kernel": (3, 1, 4, 5), "bias": (5,)}, "keras1", None),
        ({"kernel": (5, 4, 1, 1), "bias": (5,)}, "keras1", "Conv2D"),
        ({"kernel": (3, 4, 5)}, "keras2", None),
        ({"kernel": (15, 12, 4), "bias": (3, 5, 4)}, "keras1", "LocallyConnected2D"),
        ({"kernel": (5, 12, 4), "bias": (5, 4)}, "keras2", "LocallyConnected1D"),
        ({"kernel": (5, 12, 4), "bias": (5, 4)}, "keras1", None),
        ({"kernel": (3, 5, 6), "bias": (3, 6)}, "keras0", "MaxoutDense"),
        ({"kernel": (4, 20), "recurrent_kernel": (5, 20), "bias": (20,)}, "keras2", "LSTM"),
        ({"kernel": (4, 15), "recurrent_kernel": (5, 15), "bias": (2, 15)}, "keras2", "GRU"),
        ({"kernel": (4, 5), "recurrent_kernel": (5, 5)}, "keras1", "SimpleRNN"),
        ({"kernel": (4, 10), "recurrent_kernel": (5, 10)}, "keras2", None),
        ({"kernel": (4, 20), "recurrent_kernel": (5, 20), "bias": (40,)}, "keras2", "CuDNNLSTM"),
        ({"kernel": (4, 15), "recurrent_kernel": (5, 15), "bias": (30,)}, "keras2", "CuDNNGRU"),
        ({"kernel": (4, 5), "recurrent_kernel": (5, 5), "bias": (10,)}, "keras2", None),
        ({"kernel": (3, 3, 2, 12), "recurrent_kernel": (3, 3, 3, 12)}, "keras2", "ConvLSTM2D"),
        ({f"kernel_{gate}": (4, 5) for gate in "ifco"}, "keras1", "LSTM"),
        ({f"kernel_{gate}": (3, 2, 3, 2) for gate in "ifco"}, "keras1", "ConvLSTM2D"),
        ({f"kernel_{gate}": (4, 5) for gate in "zrh"}, "keras1", "GRU"),
        ({f"kernel_{gate}": (4, 5) for gate in "zr"}, "keras1", None),
        ({"alpha": (4, 7, 8)}, "keras1", "PReLU"),
        ({"alpha": (4, 7, 8), "beta": (4, 7, 8)}, "keras1", "ParametricSoftplus"),
        ({"depthwise_kernel": (3, 3, 2, 2)}, "keras2", "DepthwiseConv2D"),
        ({"depthwise_kernel": (3, 3, 2, 2), "pointwise_kernel": (1, 1, 4, 5)}, "keras2", "SeparableConv2D"),
        ({"depthwise_kernel": (3, 2, 2), "pointwise_kernel": (1, 4, 5)}, "keras2", None),
    ],
)
def test_arrays_tell_the_kind_where_they_can(shapes, dialect, kind):
    """Roles, ranks and the bias' length decide; whatever does not fit is of no known kind."""
    assert infer_kind(shapes, dialect) == kind


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Conv2DTranspose", ("Conv2DTranspose", None)),
        ("Deconvolution2D", ("Conv2DTranspose", None)),
        ("TimeDistributed(Convolution1D)", ("TimeDistributed", "Conv1D")),
        ("Sequential", ("Sequential", None)),
    ],
)
def test_a_user_says_a_kind_in_any_version_s_words(text, kinds):
    """With the kind inside where there is one."""
    assert split_kind(text, "a") == kinds


@pytest.mark.parametrize("text", ["Conv4D", "Dense(Conv2D)", "TimeDistributed(Lambda)", "a b"])
def test_an_unknown_kind_is_refused(text):
    """What is known is listed."""
    with pytest.raises(ArgumentError) as refused:
        split_kind(text, "up1")
    assert str(refused.value).startswith(
        f"layer 'up1': {text!r} is not a known kind; known are Conv1D, Conv2D,"
    )


def test_layer_arguments_are_parsed():
    """The name may hold an equals sign, the kind may not."""
    assert parse_layers(["a=Dense", "b=c=GRU"]) == {"a": "Dense", "b=c": "GRU"}
    message = "--layer takes NAME=KIND, for instance up1=Conv2DTranspose, not 'Dense'"
    with pytest.raises(ArgumentError, match=re.escape(message)):
        parse_layers(["Dense"])


def test_groups_of_keras_3_tell_the_class():
    """The first of a class has no number, and initials are cut up otherwise than in Keras 2."""
    assert [kind_of_group(name) for name in ("conv2d", "conv2d_12", "functional_1", "mine")] == [
        "Conv2D",
        "Conv2D",
        "Model",
        None,
    ]
    assert (snake_case3("ConvLSTM2D"), snake_case("ConvLSTM2D")) == ("conv_lstm2d", "conv_lst_m2d")

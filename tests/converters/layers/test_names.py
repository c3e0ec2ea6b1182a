"""What the names of classes, layers and arrays tell, and what users say."""

from __future__ import annotations

import re

import pytest

from converters.errors import ArgumentError
from converters.layers.names import (
    automatic_stem,
    keras1_suffix,
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


@pytest.mark.parametrize("text", [3, "Conv4D", "Dense(Conv2D)", "TimeDistributed(Lambda)", "a b"])
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


@pytest.mark.parametrize(
    ("kind", "role", "gate", "suffix"),
    [
        ("Dense", "kernel", None, "_W"),
        ("LSTM", "recurrent_kernel", "f", "_U_f"),
        ("Embedding", "embeddings", None, "_W"),
        ("BatchNormalization", "beta", None, "_beta"),
        ("ParametricSoftplus", "beta", None, "_betas"),
        ("PReLU", "alpha", None, "_alphas"),
        ("BatchNormalization", "moving_variance", None, "_running_std"),
        ("Highway", "carry_bias", None, "_b_carry"),
    ],
)
def test_names_of_keras_1(kind, role, gate, suffix):
    """What stands behind a layer's name."""
    assert keras1_suffix(kind, role, gate) == suffix

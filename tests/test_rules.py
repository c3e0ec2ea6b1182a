"""Kinds of layers: their names, what only arrays tell, and the table itself."""

from __future__ import annotations

import pytest

from converters.rules import RULES, Rule, automatic_stem, infer_kind, kind_of_class, kind_of_name, snake_case


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
        ({"kernel": (3, 5, 4, 3), "bias": (4,)}, "keras2", None),
        ({"kernel": (4, 3, 3, 5), "bias": (3,)}, "keras1", None),
        ({"kernel": (15, 12, 4), "bias": (3, 5, 4)}, "keras2", None),
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
        ({None: (4, 5)}, "keras1", None),
    ],
)
def test_arrays_tell_the_kind_where_they_can(shapes, dialect, kind):
    """Roles, ranks and the bias' length decide; whatever does not fit is of no known kind."""
    assert infer_kind(shapes, len(shapes), dialect) == kind


def test_a_layer_with_two_kernels_is_of_no_known_kind():
    """A nested model has several arrays of one role."""
    assert infer_kind({"kernel": (4, 3, 3, 3), "bias": (4,)}, 4, "keras1") is None


def test_only_convolutions_are_rotated():
    """The table's rules, kind by kind."""
    rotated = {
        kind
        for kind, rules in RULES.items()
        if rules.get("kernel") in (Rule.CONVOLUTION, Rule.CONVOLUTION_1D)
    }
    assert rotated == {"Conv1D", "Conv2D", "Conv3D"}
    assert RULES["Dense"] == {"kernel": Rule.ROWS, "bias": Rule.KEEP}

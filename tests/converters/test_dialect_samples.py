"""Every network that the original software wrote gives what was recorded, in Keras 3 and after TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from converters import convert_file, parse_flatten, plan_file
from converters.errors import ZooError
from tests.support.dialect_samples import (
    DATA,
    FLATTEN,
    LAYERS,
    SAMPLES,
    in_each_run,
    is_last,
    of_sample,
    to_keras3,
    told,
    worst,
)
from tests.support.weight_files import arrays

# One file of a whole model for each family of layers: their configurations tell what weights alone do not.
MODELS = [
    f"keras122_theano_th/{name}"
    for name in ("conv2d_flatten_dense_dense", "local2d", "timedist_conv2d", "bilstm_concat", "prelu_full")
] + [f"keras224_theano_cf/{name}" for name in ("separable_conv2d", "conv3d_transpose", "gru_reset_after")]


def test_all_samples_are_there():
    """None is left out: each of the 175 has its own test below."""
    assert len(SAMPLES) == len(list(DATA.glob("*/*.weights.h5"))) == 175
    assert sum("keras033" in sample for sample in SAMPLES) == 10


@pytest.mark.parametrize("sample", in_each_run(SAMPLES))
def test_a_sample_gives_the_recorded_outputs_in_keras_3(sample, tmp_path):
    """Its weights in the same network drawn with today's layers, directly and by way of TensorFlow's form."""
    source = DATA / f"{sample}.weights.h5"
    to_keras3(source, tmp_path / "direct.weights.h5", sample)
    assert worst(sample, tmp_path / "direct.weights.h5") < 1e-5
    convert_file(source, tmp_path / "tf.h5", **told(sample))
    layers = of_sample(LAYERS, sample)
    known = {"from_layout": "tf"} if is_last(sample) else {}
    convert_file(tmp_path / "tf.h5", tmp_path / "after.weights.h5", to="keras3", layers=layers, **known)
    direct, after = arrays(tmp_path / "direct.weights.h5"), arrays(tmp_path / "after.weights.h5")
    assert direct.keys() == after.keys()
    for name, values in direct.items():
        np.testing.assert_array_equal(values, after[name])


@pytest.mark.parametrize("sample", in_each_run(MODELS))
def test_a_whole_model_tells_what_its_weights_do_not(sample, tmp_path):
    """No word from the user: kinds, maps and layout are in the configuration."""
    convert_file(DATA / f"{sample}.model.h5", tmp_path / "model.weights.h5", to="keras3")
    assert worst(sample, tmp_path / "model.weights.h5") < 1e-5


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if of_sample(FLATTEN, sample)])
def test_what_weights_do_not_tell_is_asked_for(sample):
    """Without a word of the user a sample is refused, or the rows stay by the file's own version."""
    facts = {key: value for key, value in told(sample).items() if key not in ("flatten", "layers")}
    source = DATA / f"{sample}.weights.h5"
    if is_last(sample) or ("keras224" in sample and not sample.endswith("local2d")):
        plan = plan_file(source, to="keras3", layers=of_sample(LAYERS, sample), **facts)
        assert not any(array.rows for array in plan.arrays)
        return
    with pytest.raises(ZooError) as refused:
        plan_file(source, to="keras3", layers=of_sample(LAYERS, sample), **facts)
    flatten = of_sample(FLATTEN, sample)
    asked = [name for name in flatten if f"--flatten {name}=" in str(refused.value)]
    assert asked
    assert all(name in parse_flatten([f"{name}=none"]) for name in asked)


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if of_sample(LAYERS, sample)])
def test_kinds_that_nothing_tells_are_asked_for(sample):
    """The message names the layer and the option."""
    facts = {key: value for key, value in told(sample).items() if key != "layers"}
    (layer,) = of_sample(LAYERS, sample)
    with pytest.raises(ZooError, match=rf"--layer {layer}=KIND"):
        plan_file(DATA / f"{sample}.weights.h5", to="keras3", **facts)

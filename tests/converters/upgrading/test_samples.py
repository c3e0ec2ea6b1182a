"""Every whole model that the original software wrote gives what was recorded."""

from __future__ import annotations

import h5py
import pytest

from converters import plan_upgrade, upgrade_file
from tests.support.dialect_samples import DATA, is_last
from tests.support.upgrading import MODELS, config_of, said_shapes, source_of, worst


def turns(sample):
    """Return whether a sample's new configuration depends on the order of its maps."""
    plans = [plan_upgrade(source_of(sample), data_format=order) for order in (None, "channels_last")]
    return plans[0].config != plans[1].config


def per_run(sample):
    """Return a sample for every run; those of Keras 2.0 are as those of 2.2 in all but the means."""
    often = "keras205" not in sample or "pool" in sample
    return sample if often else pytest.param(sample, marks=pytest.mark.long)


def test_all_models_are_there():
    """None is left out: each has its own test below, and is upgraded."""
    assert len(MODELS) == 147


@pytest.mark.parametrize("sample", MODELS)
def test_a_model_gives_what_was_recorded(sample, tmp_path):
    """Opened by Keras alone, within 1e-5 of the largest output; values have the shapes that were written."""
    done = upgrade_file(source_of(sample), tmp_path / "new.keras")
    distance, model = worst(done.target, sample)
    assert distance < 1e-5
    assert done.proof is not None
    config = config_of(done.upgrade)
    if config["class_name"] == "Functional":
        drawn = {operation.name: operation for operation in model.operations}
        for name, call, shape in said_shapes(config):
            assert tuple(drawn[name]._inbound_nodes[call].outputs[0].shape) == shape


@pytest.mark.parametrize("sample", [per_run(sample) for sample in MODELS if not is_last(sample)])
def test_a_model_that_was_channels_first_becomes_channels_last(sample, tmp_path):
    """Its maps come in and go out channels last; where none does, the file is the same."""
    if not turns(sample):
        return
    done = upgrade_file(source_of(sample), tmp_path / "new.keras", data_format="channels_last")
    assert worst(done.target, sample, turned=True)[0] < 1e-5


@pytest.mark.parametrize("sample", [sample for sample in MODELS if is_last(sample)])
def test_a_model_that_is_channels_last_stays_so(sample):
    """Asked for or not."""
    assert not turns(sample)


@pytest.mark.parametrize("sample", MODELS)
def test_a_configuration_and_a_weights_file_become_the_same(sample):
    """As the whole model, array for array."""
    parts = plan_upgrade(DATA / f"{sample}.json", weights=DATA / f"{sample}.weights.h5")
    whole = plan_upgrade(source_of(sample))
    assert parts.refusals == whole.refusals == ()
    assert parts.config == whole.config
    assert [paths(output) for output in parts.outputs] == [paths(output) for output in whole.outputs]


def paths(output):
    """Return where an array goes, and from where, without the group of a whole model's weights."""
    return output.target_path, [source.removeprefix("model_weights/") for source in output.sources]


@pytest.mark.parametrize("sample", MODELS)
def test_each_array_of_the_old_file_is_used_once(sample):
    """But the running statistics of a normalisation by sample, which nothing ever used."""
    plan = plan_upgrade(source_of(sample))
    used = [source for output in plan.outputs for source in output.sources]
    with h5py.File(source_of(sample)) as file:
        found = []
        file["model_weights"].visititems(
            lambda name, value: (
                found.append(f"model_weights/{name}") if isinstance(value, h5py.Dataset) else None
            )
        )
    if sample == "keras122_theano_th/bn_mode1_dense":
        found = [name for name in found if "running" not in name]
    assert sorted(used) == sorted(found)

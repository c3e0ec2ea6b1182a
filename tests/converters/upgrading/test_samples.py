"""Every whole model that the original software wrote gives what was recorded."""

from __future__ import annotations

import h5py
import pytest

from converters import plan_upgrade, upgrade_file
from converters.errors import ConversionError
from tests.support.dialect_samples import DATA, SAMPLES, in_each_run, is_last
from tests.support.upgrading import MODELS, config_of, said_shapes, source_of, worst


def turns(sample):
    """Return whether a sample's new configuration depends on the order of its maps."""
    plans = [plan_upgrade(source_of(sample), data_format=order) for order in (None, "channels_last")]
    return plans[0].config != plans[1].config


def test_all_models_are_there():
    """None is left out: each has its own test below, and is upgraded."""
    assert len(MODELS) == 147


@pytest.mark.parametrize("sample", in_each_run(MODELS))
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


@pytest.mark.parametrize("sample", in_each_run([sample for sample in MODELS if not is_last(sample)]))
def test_a_model_that_was_channels_first_becomes_channels_last(sample, tmp_path):
    """Its maps come in and go out channels last; where none does, the file is the same."""
    if not turns(sample):
        return
    done = upgrade_file(source_of(sample), tmp_path / "new.keras", data_format="channels_last")
    assert worst(done.target, sample, turned=True)[0] < 1e-5


@pytest.mark.parametrize("sample", in_each_run([sample for sample in MODELS if is_last(sample)]))
def test_a_model_that_is_channels_last_stays_so(sample):
    """Asked for or not."""
    assert not turns(sample)


@pytest.mark.parametrize("sample", MODELS)
def test_a_configuration_and_a_weights_file_become_the_same(sample):
    """As the whole model, array for array; how it is trained stands in the whole model alone."""
    parts = plan_upgrade(DATA / f"{sample}.json", weights=DATA / f"{sample}.weights.h5")
    whole = plan_upgrade(source_of(sample))
    assert parts.refusals == whole.refusals == ()
    configs = [config_of(plan) for plan in (parts, whole)]
    assert configs[0].pop("compile_config") is None
    assert bool(configs[1].pop("compile_config")) == ("compiled" in sample)
    assert configs[0] == configs[1]
    assert [paths(output) for output in parts.outputs] == [paths(output) for output in whole.outputs]


def paths(output):
    """Return where an array goes, and from where, without the group of a whole model's weights."""
    return output.target_path, [source.removeprefix("model_weights/") for source in output.sources]


@pytest.mark.parametrize("sample", MODELS)
def test_each_array_of_the_old_file_is_used_once(sample):
    """But the running statistics of a normalisation by sample or by batch, which nothing ever used."""
    plan = plan_upgrade(source_of(sample))
    used = [source for output in plan.outputs for source in output.sources]
    with h5py.File(source_of(sample)) as file:
        found = []
        file["model_weights"].visititems(
            lambda name, value: (
                found.append(f"model_weights/{name}") if isinstance(value, h5py.Dataset) else None
            )
        )
    if sample in ("keras122_theano_th/bn_mode1_dense", "keras122_theano_th/bn_mode2_dense"):
        found = [name for name in found if "running" not in name]
    assert sorted(used) == sorted(found)


OLDER = {
    f"keras{digits}_theano_th": version
    for digits, version in (("033", None), ("107", "1.0.7"), ("108", "1.0.8"))
}
"""Who wrote weights beside a configuration that does not say it; that of Keras 0 has a form of its own."""
OLD = [name for name in SAMPLES if name.split("/")[0] in OLDER and not name.endswith("/graph")]


def asked(sample):
    """Return what is said of an older sample; one of sequences alone tells nothing of its backend."""
    backend = "theano" if sample == "keras033_theano_th/conv1d" else None
    return {
        "weights": DATA / f"{sample}.weights.h5",
        "keras_version": OLDER[sample.split("/")[0]],
        "backend": backend,
    }


@pytest.mark.parametrize("sample", OLD)
def test_an_older_configuration_and_its_weights(sample, tmp_path):
    """Give what was recorded."""
    path = DATA / f"{sample}.json"
    upgrade_file(path, tmp_path / "new.keras", **asked(sample))
    assert worst(tmp_path / "new.keras", sample)[0] < 1e-5


def test_a_backend_that_nothing_tells_is_asked_for(tmp_path):
    """Where kernels would be rotated or not."""
    sample = "keras033_theano_th/conv1d"
    with pytest.raises(ConversionError) as error:
        plan_upgrade(DATA / f"{sample}.json", **{**asked(sample), "backend": None})
    assert str(error.value).endswith(
        "conv1d.weights.h5: nothing tells on which backend it ran, and Theano rotates kernels that no other"
        " does; say --backend theano or tensorflow (backend=)"
    )

"""The published networks as whole models of Keras 1, and the layers that they define for themselves."""

from __future__ import annotations

import numpy as np
import pytest

from converters import plan_upgrade, upgrade_file
from converters.errors import doubts_of
from tests.support.paths import NETWORK_DATA
from tests.support.upgrading import chain, layer, opened, write_model
from zoo.practice import values

MAPS = (3, 6, 5)


def given(config, tmp_path, arrays=None):
    """Return random maps, channels first, and what an upgraded model makes of them."""
    model = opened(write_model(tmp_path / "old.h5", config, arrays, version="1.2.2"), tmp_path / "new.keras")
    x = np.random.default_rng(0).normal(size=(2, *MAPS)).astype("float32")
    return x, np.asarray(model(x))


def mapped(*layers):
    """Return a chain whose maps are channels first, as a padding of nothing tells."""
    return chain(layer("ZeroPadding2D", "none", padding=[0, 0], dim_ordering="th"), *layers, shape=MAPS)


def test_a_pool_helper_cuts_the_first_row_and_column(tmp_path):
    """Of maps that are channels first."""
    x, result = given(mapped(layer("PoolHelper")), tmp_path)
    assert np.array_equal(result, x[:, :, 1:, 1:])


@pytest.mark.parametrize(("k", "beta", "n"), [(1, 0.75, 5), (2.0, 0.5, 4)])
def test_a_local_response_is_normalised_over_channels(k, beta, n, tmp_path):
    """With zeros beyond the first and the last."""
    x, result = given(mapped(layer("LRN", alpha=0.5, k=k, beta=beta, n=n)), tmp_path)
    square = np.pad(x**2, [(0, 0), (n // 2, n // 2), (0, 0), (0, 0)])
    total = k + 0.5 / n * sum(square[:, at : at + x.shape[1]] for at in range(n))
    assert np.abs(result - x / total**beta).max() < 1e-6


@pytest.mark.parametrize("axis", [1, -1])
def test_a_scale_multiplies_and_adds_along_its_axis(axis, tmp_path):
    """Which is that of the old maps."""
    size = MAPS[axis - 1 if axis > 0 else axis]
    gamma, beta = np.random.default_rng(1).normal(size=(2, size)).astype("float32")
    arrays = {"none": {}, "layer": {"layer_gamma": gamma, "layer_beta": beta}}
    x, result = given(mapped(layer("Scale", axis=axis)), tmp_path, arrays)
    along = [1, 1, 1, 1]
    along[axis] = size
    assert np.abs(result - (x * gamma.reshape(along) + beta.reshape(along))).max() < 1e-6


def test_that_such_a_class_is_the_published_one_is_said(tmp_path):
    """It may be another of the same name."""
    plan = plan_upgrade(write_model(tmp_path / "old.h5", mapped(layer("PoolHelper")), version="1.2.2"))
    assert doubts_of(plan.notes) == (
        "layer 'layer' is of a class PoolHelper of its own: taken for that of published networks",
    )


@pytest.mark.long
@pytest.mark.parametrize("name", ["googlenet", "resnet50"])
def test_a_whole_network_gives_what_the_original_software_gave(name, practice_file, tmp_path):
    """All of its outputs, from its configuration and its weights file."""
    import keras

    path = NETWORK_DATA / f"{name}.keras122.json"
    done = upgrade_file(path, tmp_path / "new.keras", weights=practice_file(name))
    results = keras.models.load_model(done.target)(values.images(name)[:1])
    results = results if isinstance(results, list) else [results]
    with np.load(NETWORK_DATA / f"{name}.npz") as data:
        wanted = [data[key] for key in sorted(data) if key.startswith("probs")]
    assert len(results) == len(wanted)
    for found in results:
        assert min(float(np.abs(np.asarray(found) - one).max()) for one in wanted) < 1e-5

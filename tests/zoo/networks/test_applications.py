"""The networks of keras.applications: each against the package's own constructor, with practice weights.

One file of each network is written, and the package is made to read it as if it had fetched it. All that is
asked of a network is asked where its file is at hand, so that each is drawn as seldom as may be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

import zoo
from converters.errors import StructureMismatchError
from converters.formats.dialects import describe
from converters.planning.structure_files import OWN
from converters.planning.structures import load_structure, match
from tests import applications_facts
from tests.support.alone import EXPECTED, IMAGES, MODEL, Alone, alone
from tests.support.long import long_but
from tests.support.outlines import without_values
from tests.support.shares import OF_KERAS, SMALLEST_OF_FAMILY
from zoo.networks.families.whole import roles_of
from zoo.practice.files import write
from zoo.registry.families import FAMILIES
from zoo.registry.records import Architecture

LAST_ONLY = {"convnext", "densenet_keras", "nasnet"}
"""Families that Keras draws with the channels last alone."""


def constructed(network: Architecture, path: Path, monkeypatch: pytest.MonkeyPatch) -> keras.Model:
    """Return what the package draws for ``weights="imagenet"``, with our file for the one it fetches."""
    numbers = dict(network.default_graph.config)
    constructor = getattr(keras.applications, numbers.pop("constructor"))
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *args, **kwargs: str(path))
    side = network.input.height
    return constructor(weights="imagenet", input_shape=(side, side, 3), classifier_activation=None, **numbers)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network and the practice twin of its file with the top."""

    network: Architecture
    path: Path

    def load(self, **wish) -> keras.Model:
        """Load it from that file."""
        return zoo.load(self.network.name, weights=self.path, **wish)


@pytest.fixture(scope="module")
def case(request, tmp_path_factory) -> Iterator[Case]:
    """Give a network's file, which goes when the next network comes."""
    network = OF_KERAS[request.param]
    path = tmp_path_factory.mktemp(network.name) / "top.h5"
    write(next(file for file in network.weights if file.top), network, path)
    yield Case(network=network, path=path)
    path.unlink()
    keras.backend.clear_session()


SLOW = ("densenet_keras", "efficientnet_v2", "inception_resnet_v2", "nasnet", "resnet_v2")
"""Families whose smallest network has so many layers that it is but drawn in each run, without values."""

OFTEN = [name for family, name in SMALLEST_OF_FAMILY.items() if family not in SLOW]
each = pytest.mark.parametrize("case", long_but(OFTEN, OF_KERAS), indirect=True)
one = pytest.mark.parametrize("case", long_but(["mobilenet_0.25"], OF_KERAS), indirect=True)
"""What takes long is asked of one network in each run, of all others long."""


@pytest.mark.filterwarnings("ignore")
@each
def test_layers_and_logits_are_those_of_the_package(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same file: names of a fresh session, the graph of the published weights, logits to the bit."""
    keras.layers.Conv2D(1, 1)
    network, side = case.network, case.network.input.height
    images = np.random.default_rng(0).uniform(0, 255, (1, side, side, 3)).astype(np.float32)
    images = zoo.preprocess_input(network.name, images)
    ours, theirs = case.load(activation=None, compile=False), constructed(network, case.path, monkeypatch)
    assert applications_facts.layers_of(ours) == load_structure(network.default_graph.structures[0]).layers
    epsilons = {layer.epsilon for layer in ours.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert epsilons == {network.default_graph.batch_norm_epsilon} - {None}
    logits = np.asarray(ours(images))
    assert logits.shape == (1, 1000)
    assert np.ptp(logits) > 0
    assert np.array_equal(logits, np.asarray(theirs(images)))


@pytest.mark.parametrize("name", long_but(SMALLEST_OF_FAMILY.values(), OF_KERAS))
def test_a_structure_is_what_the_installed_keras_draws(name: str) -> None:
    """To the byte; where another Keras draws something else, `make applications` writes it down."""
    network = OF_KERAS[name]
    structure = network.default_graph.structures[0]
    text = (OWN / f"{structure}.json").read_text("utf-8")
    layers = applications_facts.layers_of(applications_facts.drawn(network))
    assert layers == load_structure(structure).layers
    assert applications_facts.text_of(network, layers) == text


def test_what_another_keras_draws_is_written_down() -> None:
    """With where it is from and how many values it has; what cannot be told from a drawing stays."""
    network = OF_KERAS["convnexttiny"]
    layers = load_structure("convnexttiny").layers[:-1]
    told = json.loads(applications_facts.text_of(network, layers))
    before = json.loads((OWN / "convnexttiny.json").read_text("utf-8"))
    assert told["source"] == (
        f"keras {keras.__version__} keras.applications.ConvNeXtTiny(), as it draws for weights=imagenet"
    )
    assert told["parameters"] == before["parameters"] - 769_000
    assert told["layers"] == before["layers"][:-1]
    assert told["inside"] == before["inside"]


def _below_the_top(side: int | None) -> set[tuple[str, str, tuple[int, ...]]]:
    """Return the arrays of NASNet-Large as the package draws it without its top."""
    with without_values():
        model = keras.applications.NASNetLarge(weights=None, include_top=False, input_shape=(side, side, 3))
    layers = applications_facts.layers_of(model)
    return {(layer.name, role, shape) for layer in layers for role, shape in layer.arrays.items()}


@pytest.mark.long
def test_nasnet_without_its_top_is_the_same_at_any_size_but_an_open_one() -> None:
    """For images of any size, the package draws another network, whose weights nobody published.

    It compares sides that are not known, and leaves out what joins cells of different sizes.
    """
    structure = load_structure("nasnetlarge").without(["predictions"])
    expected = {(layer.name, role, s) for layer in structure.layers for role, s in layer.arrays.items()}
    assert structure.array_count == len(expected) == 1544
    assert _below_the_top(331) == _below_the_top(224) == expected
    opened = _below_the_top(None)
    assert len(opened) == 1535
    assert not FAMILIES["nasnet"].open_sizes


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Alone]:
    """Give the process that opens models without this package; one for all networks."""
    with alone() as process:
        yield process


@pytest.mark.filterwarnings("ignore")
@one
def test_a_fresh_head_learns_and_the_model_opens_without_this_package(
    case: Case, tmp_path: Path, elsewhere: Alone
) -> None:
    """All below the head is the file's, a step changes the head, and Keras alone opens what is saved."""
    size = max(case.network.input.min_size, 64)
    model = case.load(num_classes=10, input_shape=(size, size, 3), freeze="backbone", dropout=0.1)
    head = model.get_layer(case.network.default_graph.heads[-1].layer)
    assert model.output_shape == (None, 10)
    assert held_by(model, case, {head.name})
    before = [np.array(array) for array in head.get_weights()]
    images = np.random.default_rng(1).uniform(-1, 1, (2, size, size, 3)).astype(np.float32)
    model.run_eagerly = True
    model.fit(images, np.array([0, 9]), verbose=0)
    assert any(not np.array_equal(one, other) for one, other in zip(before, head.get_weights(), strict=True))
    model.save(tmp_path / MODEL)
    np.save(tmp_path / IMAGES, images)
    np.save(tmp_path / EXPECTED, np.asarray(model(images)))
    assert elsewhere.opens(tmp_path) == "opens"


def held_by(model: keras.Model, case: Case, fresh: set[str]) -> bool:
    """Tell whether all arrays of a model but some layers' are those of the file."""
    held = match(describe(case.path), load_structure(case.network.default_graph.structures[0]))
    paths = {
        (pair.expected.name, role): array.path for pair in held.layers for role, array in pair.arrays.items()
    }
    with h5py.File(case.path) as file:
        return all(
            np.array_equal(np.asarray(variable), file[paths[layer.name, role]][()])
            for layer in model.layers
            if layer.name not in fresh
            for role, variable in roles_of(layer).items()
        )


@pytest.mark.filterwarnings("ignore")
@one
def test_a_file_without_the_top_is_read_below_the_classifier(case: Case, tmp_path: Path) -> None:
    """As Keras' constructors draw it without the top, whatever its layers are called."""
    network = case.network
    file = next(file for file in network.weights if not file.top)
    path = tmp_path / "notop.h5"
    write(file, network, path)
    size = max(network.input.min_size, 64)
    features = zoo.load(network.name, weights=path, num_classes=0, input_shape=(size, size, 3))
    assert held_by(features, case, set())
    if len(network.default_graph.top) == 1:
        headed = zoo.load(network.name, weights=path, num_classes=2, input_shape=(size, size, 3))
        assert held_by(headed, case, {network.default_graph.heads[-1].layer})
    else:
        with pytest.raises(StructureMismatchError, match="has no top, layer 'conv_2'"):
            zoo.load(network.name, weights=path, num_classes=2)


@pytest.mark.filterwarnings("ignore")
@one
def test_feature_maps_open_sizes_and_preprocessing_inside(case: Case) -> None:
    """Each halves the sides; images as they are go in; the other order of channels is refused or drawn."""
    network = case.network
    side = 96 if network.input.min_size <= 96 else network.input.height
    strides = (4, 8, 16, 32)
    with without_values():
        plain = {"weights": None, "num_classes": 2, "compile": False}
        maps = zoo.feature_maps(network.name, weights=None, input_shape=(side, side, 3), strides=strides)
        assert list(maps.output) == [f"stride{stride}" for stride in strides]
        inside = zoo.load(network.name, include_preprocessing=True, **plain)
        assert inside.output_shape == (None, 2)
        if network.family == "nasnet":
            with pytest.raises(zoo.ArgumentError, match="takes images of one size"):
                zoo.load(network.name, input_shape=(None, None, 3), **plain)
        else:
            opened = zoo.load(network.name, input_shape=(None, None, 3), **plain)
            assert (opened.input_shape, opened.output_shape) == ((None, None, None, 3), (None, 2))
        if network.family in LAST_ONLY:
            with pytest.raises(zoo.ArgumentError, match="channels_last"):
                zoo.load(network.name, weights=None, data_format="channels_first")
        else:
            first = zoo.load(network.name, data_format="channels_first", **plain)
            assert first.input_shape[1] == 3

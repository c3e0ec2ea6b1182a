"""The builders against the published structures, layer by layer; what they compute is in test_networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
import pytest

from converters.planning.structures import StructureLayer, load_structure
from tests.support.outlines import without_values
from tests.support.shares import FIRST_OF_FAMILY, NETWORKS
from zoo.networks.families import FAMILIES, builder
from zoo.networks.families.drawing import AutoNames, Pen
from zoo.networks.families.googlenet import _normalise
from zoo.networks.families.names import keras_name
from zoo.networks.loading import Wish, draw
from zoo.registry.records import Architecture, Graph
from zoo.surgery.graph import wiring

GRAPHS = [(network, graph) for network in NETWORKS.values() for graph in network.graphs.values()]
STRUCTURES = [(network, graph, name) for network, graph in GRAPHS for name in graph.structures]
DATA_FORMATS = ("channels_last", "channels_first")
GRAPH_IDS = [f"{network.name}-{graph.name}" for network, graph in GRAPHS]
FIRST_GRAPHS = [
    pytest.param(
        network,
        graph,
        id=f"{network.name}-{graph.name}",
        marks=() if network.name in FIRST_OF_FAMILY.values() else pytest.mark.long,
    )
    for network, graph in GRAPHS
]
"""All graphs, those of networks that are not the first of their family long."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the tests ask of a drawn model, so that each is drawn once and not kept.

    Attributes:
        kinds: The class of each layer by its name.
        arrays: The shape of each array of each layer that has any, by its role.
        epsilons: What batch normalisation adds.
        parameters: How many there are.
        channels: Of the last feature map.
        foreign: What is drawn that is no layer of Keras' own, of which a .h5 file keeps nothing.
        listed: The layers that have weights, in the order in which Keras saves them, by their class.
    """

    kinds: dict[str, str]
    arrays: dict[str, dict[str, tuple[int, ...]]]
    epsilons: set[float]
    parameters: int
    channels: int
    foreign: set[str]
    listed: dict[str, list[str]]


def drawn(network: Architecture, graph: Graph, **changes) -> keras.Model:
    """Return a model of the published size whose arrays have shapes alone."""
    wish = Wish(**({"height": network.input.height, "width": network.input.width} | changes))
    with without_values():
        return draw(network, graph, wish)


@cache
def facts(name: str, graph_name: str) -> Facts:
    """Return what there is to know of a graph as it is drawn at its published size."""
    network = NETWORKS[name]
    model = drawn(network, network.graphs[graph_name])
    layers = {layer.name: layer for layer in model.layers}
    foreign = {
        operation.name
        for operation in (step.operation for step in wiring(model).steps)
        if getattr(keras.layers, type(operation).__name__, None) is not type(operation)
    }
    maps = [layer.output.shape[3] for layer in model.layers if len(layer.output.shape) == 4]
    return Facts(
        kinds={layer: type(own).__name__ for layer, own in layers.items()},
        arrays={layer: arrays_of(own) for layer, own in layers.items() if own.weights},
        epsilons={own.epsilon for own in layers.values() if hasattr(own, "epsilon")},
        parameters=model.count_params(),
        channels=maps[-1],
        foreign=foreign,
        listed=by_class((layer.name, type(layer).__name__) for layer in model.layers if layer.weights),
    )


def by_class(layers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return names by class, those of each class in their order."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, kind in layers:
        found[kind].append(name)
    return dict(found)


def pen(data_format: str = "channels_last") -> Pen:
    """Return a pen whose arrays are zeros."""
    return Pen(data_format=data_format, epsilon=1e-3)


def arrays_of(layer: keras.Layer) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array of a drawn layer by its role."""
    return {variable.name: tuple(variable.shape) for variable in layer.weights}


@pytest.mark.parametrize(
    ("network", "graph", "name"), STRUCTURES, ids=[f"{n.name}-{s}" for n, _, s in STRUCTURES]
)
def test_every_structure_lists_the_weighted_layers_of_its_builder(network, graph, name):
    """Kinds, roles and shapes agree in the structure's order, names with the one that names the model."""
    found = facts(network.name, graph.name)
    first, listed = load_structure(graph.structures[0]), load_structure(name)
    assert len(listed.weighted) == len(first.weighted)
    for layer, own in zip(listed.weighted, first.weighted, strict=True):
        assert (layer.kind, layer.arrays, layer.flatten) == (own.kind, own.arrays, own.flatten)
        if own.kind != "Scale":
            twin = keras_name(own.name)
            assert (found.kinds[twin], found.arrays[twin]) == (layer.kind, layer.arrays)
    assert set(found.arrays) == {keras_name(layer.name) for layer in first.weighted if layer.kind != "Scale"}


@pytest.mark.parametrize(("network", "graph"), GRAPHS, ids=GRAPH_IDS)
def test_only_layers_of_keras_are_drawn(network, graph):
    """A saved model opens with Keras alone, from a .h5 file too, which keeps operations by a layer's name."""
    assert facts(network.name, graph.name).foreign == set()


@pytest.mark.parametrize(("network", "graph"), GRAPHS, ids=GRAPH_IDS)
def test_a_structure_tells_the_order_in_which_keras_lists_the_drawn_layers(network, graph):
    """Files of Keras 3 number the layers of each class in that order."""
    folded = load_structure(graph.structures[0]).folded()
    expected = by_class((keras_name(layer.name), layer.kind) for layer in folded.drawn)
    assert facts(network.name, graph.name).listed == expected


@pytest.mark.parametrize("name", ["googlenet", "resnet50", "densenet121"])
def test_without_its_top_a_structure_tells_that_order_too(name):
    """What is left of the order is that of the layers that are drawn then."""
    network, graph = NETWORKS[name], NETWORKS[name].default_graph
    size = network.input.min_size
    model = drawn(network, graph, height=size, width=size, classes=0)
    folded = load_structure(graph.structures[0]).folded().without(graph.top)
    expected = by_class((keras_name(layer.name), layer.kind) for layer in folded.drawn)
    listed = by_class((layer.name, type(layer).__name__) for layer in model.layers if layer.weights)
    assert listed == expected


def is_left_out(layer: StructureLayer, graph: Graph) -> bool:
    """Tell whether a published layer is drawn as part of another one, or under the name of a head."""
    separate_softmax = any(head.name != head.layer for head in graph.heads)
    pooled_globally = not any(other.flatten for other in load_structure(graph.structures[0]).layers)
    return (
        layer.kind == "Scale"
        or (layer.kind == "Flatten" and (pooled_globally or layer.name == "flatten_3"))
        or (
            layer.kind == "Activation"
            and separate_softmax
            and layer.name in {"activation_1", "activation_2", "prob"}
        )
    )


@pytest.mark.parametrize(("network", "graph"), GRAPHS, ids=GRAPH_IDS)
def test_layers_without_weights_have_their_published_names(network, graph):
    """Every published layer is in the model, but for what is folded, pooled globally or a head's softmax."""
    names = facts(network.name, graph.name).kinds
    layers = load_structure(graph.structures[0]).layers
    missing = [layer for layer in layers if keras_name(layer.name) not in names]
    assert [layer.name for layer in missing if not is_left_out(layer, graph)] == []


@pytest.mark.parametrize(("network", "graph"), GRAPHS, ids=GRAPH_IDS)
def test_parameters_are_those_of_the_structure_but_for_folded_scale_layers(network, graph):
    """The number of parameters is the published one, less two vectors for each Scale layer."""
    structure = load_structure(graph.structures[0])
    folded = sum(2 * layer.arrays["gamma"][0] for layer in structure.weighted if layer.kind == "Scale")
    assert facts(network.name, graph.name).parameters == structure.parameters - folded


@pytest.mark.parametrize(("network", "graph"), GRAPHS, ids=GRAPH_IDS)
def test_batch_normalisation_has_the_registered_epsilon(network, graph):
    """Every batch normalisation adds the graph's epsilon, which no weights file holds."""
    assert facts(network.name, graph.name).epsilons == {graph.batch_norm_epsilon} - {None}


@pytest.mark.parametrize(("network", "graph"), FIRST_GRAPHS)
def test_the_smallest_size_ends_in_a_map(network, graph):
    """At the registered minimum the last feature map still has one pixel or more."""
    size = network.input.min_size
    rows, columns, channels = drawn(network, graph, height=size, width=size, classes=0).output.shape[1:]
    assert min(rows, columns) >= 1
    assert channels == facts(network.name, graph.name).channels


@pytest.mark.parametrize("family", ["inception_v3", "inception_v4"])
def test_below_the_smallest_size_inception_has_no_map_left(family):
    """One pixel less than the registered minimum is too few for the valid convolutions."""
    network = NETWORKS[family]
    size = network.input.min_size - 1
    with pytest.raises(ValueError, match="Computed output size would be zero or negative"):
        drawn(network, network.default_graph, height=size, width=size, classes=0)


@pytest.mark.parametrize("name", FIRST_OF_FAMILY.values())
@pytest.mark.parametrize(
    ("data_format", "setting"),
    [
        pytest.param(first, second, marks=pytest.mark.long if second == "channels_last" else ())
        for first in DATA_FORMATS
        for second in DATA_FORMATS
    ],
)
def test_keras_global_channel_order_does_not_matter(name, setting, data_format):
    """Every layer is told its channel order: the same shapes come out under either global setting."""
    network, before = NETWORKS[name], keras.config.image_data_format()
    keras.config.set_image_data_format(setting)
    try:
        model = drawn(network, network.default_graph, classes=0, pooling="avg", data_format=data_format)
    finally:
        keras.config.set_image_data_format(before)
    told = {layer.data_format for layer in model.layers if hasattr(layer, "data_format")}
    axes = {layer.axis for layer in model.layers if hasattr(layer, "axis")}
    assert told == {data_format}
    assert axes <= {1 if data_format == "channels_first" else 3}
    assert model.output.shape == (None, facts(name, network.default_graph.name).channels)


@pytest.mark.long
def test_inception_v3_of_2017_is_that_of_keras_applications():
    """With the same weights, in the order of creation, both give the same features and probabilities."""
    network = NETWORKS["inception_v3"]
    keras.utils.set_random_seed(7)
    side = 139
    ours = draw(network, network.graphs["v2017"], Wish(height=side, width=side))
    theirs = keras.applications.InceptionV3(weights=None, input_shape=(side, side, 3))
    for kind in (keras.layers.Conv2D, keras.layers.BatchNormalization, keras.layers.Dense):
        pairs = [
            sorted((layer for layer in model.layers if isinstance(layer, kind)), key=_number)
            for model in (ours, theirs)
        ]
        for own, other in zip(*pairs, strict=True):
            other.set_weights([_varied(array) for array in own.get_weights()])
            own.set_weights(other.get_weights())
    images = np.random.default_rng(3).uniform(-1, 1, (1, side, side, 3)).astype(np.float32)
    outputs = [
        keras.Model(model.input, [model.get_layer(name).output for name in ("avg_pool", "predictions")])(
            images
        )
        for model in (ours, theirs)
    ]
    for computed, expected in zip(*outputs, strict=True):
        assert np.ptp(expected) > 1e-4
        assert np.abs(computed - expected).max() < 1e-5 * np.abs(expected).max()


def _number(layer: keras.Layer) -> int:
    """Return the number in an automatic name, 0 if there is none."""
    number = layer.name.rpartition("_")[2]
    return int(number) if number.isdigit() else 0


def _varied(array: np.ndarray) -> np.ndarray:
    """Return kernels as they are, and vectors that are not all zeros or ones."""
    noise = np.random.default_rng(array.size).uniform(0, 0.2, array.shape)
    return array if array.ndim > 1 else array + noise.astype(np.float32)


@pytest.mark.parametrize("data_format", DATA_FORMATS)
def test_local_response_normalisation_divides_by_its_neighbours(data_format):
    """Seven channels against the formula, written out channel by channel in float64."""
    values = np.random.default_rng(5).normal(0, 200, (2, 3, 4, 7)).astype(np.float32)
    expected = np.empty(values.shape)
    for channel in range(7):
        nearby = values[..., max(0, channel - 2) : channel + 3].astype(np.float64)
        expected[..., channel] = values[..., channel] / (1 + 1e-4 / 5 * (nearby**2).sum(-1)) ** 0.75
    if data_format == "channels_first":
        values, expected = values.transpose(0, 3, 1, 2), expected.transpose(0, 3, 1, 2)
    images = keras.Input(values.shape[1:])
    model = keras.Model(images, _normalise(pen(data_format), images, "pool1/norm1"))
    assert np.abs(model(values) - expected).max() < 1e-6 * np.abs(expected).max()


def test_flattened_rows_run_over_channels_fastest_in_either_order():
    """A map in channels-first order is flattened to the order (H, W, C) too."""
    values = np.arange(2 * 3 * 4, dtype=np.float32).reshape(1, 2, 3, 4)
    first = keras.Input((4, 2, 3))
    model = keras.Model(first, pen("channels_first").flatten(first, "flatten_1"))
    assert np.array_equal(model(values.transpose(0, 3, 1, 2)), values.reshape(1, -1))


def test_automatic_names_count_each_kind_for_itself():
    """Keras 1 and Keras 2 number the same kinds under different names."""
    first, second = AutoNames("keras1"), AutoNames("keras2")
    assert [first.next("conv"), first.next("merge"), first.next("conv")] == [
        "convolution2d_1",
        "merge_1",
        "convolution2d_2",
    ]
    assert [second.next("conv"), second.next("merge")] == ["conv2d_1", "concatenate_1"]


def test_a_builder_is_found_by_its_family():
    """Each family has a module of its own, which its record names with the function in it."""
    named = [f"{builder(family).__module__}:{builder(family).__name__}" for family in FAMILIES]
    assert named == [family.builder for family in FAMILIES.values()]

"""Following shapes through a configuration, and writing it down in the other layout."""

from __future__ import annotations

import json

import pytest

from converters.arrays.rows import Flattened
from converters.errors import ConversionError
from converters.layers.following import flattened_inputs
from converters.layers.rewriting import converted_config
from converters.layers.table import KINDS, PerInput


def rows_of(config, layout):
    """Return the flattened maps by layer, none of which a Reshape has taken as they lie."""
    found = flattened_inputs(config, layout)
    assert not any(rows.reshaped for rows in found.values())
    return {name: rows.rows for name, rows in found.items()}


def layer(kind, name=None, **config):
    """Return a Sequential's entry for a layer."""
    return {"class_name": kind, "config": {"name": name or kind.lower(), **config}}


def sequential(*layers, shape):
    """Return the configuration of a Keras 1 Sequential."""
    layers[0]["config"]["batch_input_shape"] = [None, *shape]
    return {"class_name": "Sequential", "config": list(layers)}


def conv(filters=4, rows=3, cols=3, *, mode="valid", stride=1, order="th", name="conv"):
    """Return a Keras 1 convolution."""
    return layer(
        "Convolution2D",
        name,
        nb_filter=filters,
        nb_row=rows,
        nb_col=cols,
        border_mode=mode,
        subsample=[stride, stride],
        dim_ordering=order,
    )


def pooling(kind="MaxPooling2D", size=2, stride=2, mode="valid", order="th"):
    """Return a Keras 1 pooling."""
    return layer(kind, pool_size=[size, size], strides=[stride, stride], border_mode=mode, dim_ordering=order)


FLATTEN = layer("Flatten")
DENSE = layer("Dense", "fc", output_dim=3)

MAPS = {
    "valid convolution": ([conv(4, 3, 5)], (4, 7, 8)),
    "same convolution with stride": ([conv(4, mode="same", stride=2)], (4, 5, 6)),
    "full convolution": ([conv(4, mode="full")], (4, 11, 14)),
    "pooling": ([conv(), pooling()], (4, 3, 5)),
    "same pooling": ([conv(), pooling(size=3, mode="same")], (4, 4, 5)),
    "padding": ([layer("ZeroPadding2D", padding=[1, 2]), conv()], (4, 9, 14)),
    "padding of four sides": ([layer("ZeroPadding2D", padding=[1, 0, 2, 1]), conv()], (4, 8, 13)),
    "padding in pairs": ([layer("ZeroPadding2D", padding=[[1, 0], [2, 1]]), conv()], (4, 8, 13)),
    "cropping": ([conv(), layer("Cropping2D", cropping=[[1, 0], [0, 2]])], (4, 6, 8)),
    "upsampling": ([conv(), layer("UpSampling2D", size=[2, 3])], (4, 14, 30)),
    "dilation": (
        [
            layer(
                "Conv2D", filters=4, kernel_size=[3, 3], strides=[1, 1], padding="valid", dilation_rate=[2, 3]
            )
        ],
        (4, 5, 6),
    ),
    "what keeps the shape": ([conv(), layer("BatchNormalization", axis=1), layer("Dropout")], (4, 7, 10)),
    "a flat reshape": ([conv(), layer("Activation", activation="relu")], (4, 7, 10)),
}


@pytest.mark.parametrize("case", MAPS)
def test_shapes_are_followed(case):
    """From an image of 9 x 12 to the map in front of the Flatten."""
    layers, shape = MAPS[case]
    flat = layer("Reshape", target_shape=[-1]) if case == "a flat reshape" else FLATTEN
    config = sequential(*json.loads(json.dumps(layers)), flat, DENSE, shape=(3, 9, 12))
    assert flattened_inputs(config, "th")["fc"].rows == (shape,)


def test_channels_last_shapes_are_written_channels_first():
    """The map's channels come first in what is told, wherever they are in the network."""
    config = sequential(conv(order="tf"), FLATTEN, DENSE, shape=(9, 12, 3))
    assert rows_of(config, "tf") == {"fc": ((4, 7, 10),)}


@pytest.mark.parametrize(
    "layers",
    [
        [conv(), layer("GlobalAveragePooling2D", dim_ordering="th"), DENSE],
        [conv(4, 9, 12), FLATTEN, DENSE],
    ],
    ids=["global pooling", "a map of one place"],
)
def test_where_nothing_is_flattened_no_row_moves(layers):
    """Global pooling, and a map without any space."""
    assert rows_of(sequential(*json.loads(json.dumps(layers)), shape=(3, 9, 12)), "th") == {"fc": None}


@pytest.mark.parametrize(
    "unknown",
    [
        layer("Lambda", function="?"),
        layer("Permute", dims=[2, 3, 1]),
        layer("Reshape", target_shape=[4, 70]),
        layer("SomebodysOwn"),
        conv(order="tf", name="other"),
        layer("MaxPooling2D", pool_size="?", strides=None, border_mode="valid"),
    ],
    ids=["lambda", "permute", "reshape", "custom", "the other order", "nonsense"],
)
def test_what_cannot_be_followed_is_left_open(unknown):
    """Never guessed, whatever comes behind."""
    config = sequential(conv(), json.loads(json.dumps(unknown)), FLATTEN, DENSE, shape=(3, 9, 12))
    assert rows_of(config, "th") == {}


def test_open_sizes_are_left_open():
    """A network for images of any size has no rows that could be known."""
    assert rows_of(sequential(conv(), FLATTEN, DENSE, shape=(3, None, None)), "th") == {}


def test_a_sequence_has_no_layout():
    """What a 1-D convolution gives is flattened in the same order everywhere."""
    one = layer("Convolution1D", nb_filter=5, filter_length=3)
    assert rows_of(sequential(one, FLATTEN, DENSE, shape=(10, 4)), "th") == {"fc": None}


@pytest.mark.parametrize(
    ("between", "reshaped"),
    [
        (layer("Flatten"), False),
        (layer("Flatten", data_format="channels_first"), False),
        (layer("Flatten", data_format="channels_last"), True),
        (layer("Reshape", target_shape=[-1]), True),
        (layer("Reshape", dims=[280]), True),
    ],
)
def test_a_flatten_of_another_order_or_a_reshape_takes_values_as_they_lie(between, reshaped):
    """Told the network's own order, as from Keras 2.2 on, or nothing, it is what its version makes of it."""
    two = layer("Conv2D", "conv", filters=4, kernel_size=[3, 3], strides=[1, 1], padding="valid")
    config = sequential(two, between, DENSE, shape=(3, 9, 12))
    known = Flattened(rows=((4, 7, 10),), source="model_config", reshaped=reshaped)
    assert flattened_inputs(config, "th") == {"fc": known}


def test_a_normalisation_behind_a_flatten_has_the_same_rows():
    """On a map it has none."""
    on_map, behind = layer("BatchNormalization", "map", axis=1), layer("BatchNormalization", "vector")
    config = sequential(conv(), on_map, FLATTEN, behind, DENSE, shape=(3, 9, 12))
    assert rows_of(config, "th") == {"map": None, "vector": ((4, 7, 10),), "fc": ((4, 7, 10),)}


def functional(*entries):
    """Return the configuration of a functional model: name, class, what feeds it, settings."""
    layers = [
        {
            "name": name,
            "class_name": kind,
            "config": {"name": name, **config},
            "inbound_nodes": [[[source, 0, 0] for source in sources]] if sources else [],
        }
        for name, kind, sources, config in entries
    ]
    return {"class_name": "Model", "config": {"name": "model", "layers": layers}}


TWO = {
    "nb_filter": 4,
    "nb_row": 3,
    "nb_col": 3,
    "border_mode": "valid",
    "subsample": [1, 1],
    "dim_ordering": "th",
}


@pytest.mark.parametrize(
    ("kind", "settings", "shape"),
    [
        ("Merge", {"mode": "concat", "concat_axis": 1}, (8, 4, 5)),
        ("Merge", {"mode": "sum", "concat_axis": -1}, (4, 4, 5)),
        ("Concatenate", {"axis": 1}, (8, 4, 5)),
        ("Add", {}, (4, 4, 5)),
    ],
)
def test_branches_are_followed(kind, settings, shape):
    """Joined along the channels or added, in either version's words."""
    config = functional(
        ("image", "InputLayer", [], {"batch_input_shape": [None, 3, 6, 7]}),
        ("a", "Convolution2D", ["image"], TWO),
        ("b", "Convolution2D", ["image"], TWO),
        ("joined", kind, ["a", "b"], settings),
        ("flat", "Flatten", ["joined"], {}),
        ("fc", "Dense", ["flat"], {"output_dim": 2}),
    )
    assert rows_of(config, "th") == {"fc": (shape,)}


def test_a_layer_in_two_places_must_mean_the_same_in_both():
    """A dense layer on a flattened map here and on a vector there is left open."""
    config = functional(
        ("image", "InputLayer", [], {"batch_input_shape": [None, 3, 6, 7]}),
        ("vector", "InputLayer", [], {"batch_input_shape": [None, 80]}),
        ("a", "Convolution2D", ["image"], TWO),
        ("flat", "Flatten", ["a"], {}),
        ("fc", "Dense", ["flat"], {"output_dim": 2}),
    )
    config["config"]["layers"][-1]["inbound_nodes"].append([["vector", 0, 0]])
    assert rows_of(config, "th") == {}


def test_what_keras_3_writes_is_left_open():
    """Its connections have another form."""
    config = functional(("a", "Dense", [], {"units": 3}))
    config["config"]["layers"][0]["inbound_nodes"] = [{"args": [], "kwargs": {}}]
    assert rows_of(config, "th") == {}


def test_a_sequential_of_keras_3_is_followed():
    """Its input's shape has another name."""
    config = {
        "class_name": "Sequential",
        "config": {
            "layers": [
                layer("InputLayer", "input_layer", batch_shape=[None, 9, 12, 3]),
                layer("Conv2D", "conv", filters=4, kernel_size=[3, 3], strides=[1, 1], padding="valid"),
                layer("Flatten", "flat"),
                layer("Dense", "fc", units=3),
            ]
        },
    }
    assert rows_of(config, "tf")["fc"] == ((4, 7, 10),)
    text, undo = converted_config(json.dumps(config), "tf", "th", "model.h5")
    assert json.loads(text)["config"]["layers"][0]["config"]["batch_shape"] == [None, 3, 9, 12]
    assert undo is None


def test_orders_shapes_and_axes_are_turned():
    """Everything that names an axis of a map; what names none stays."""
    config = functional(
        ("image", "InputLayer", [], {"batch_input_shape": [None, 3, 6, 7]}),
        ("vector", "InputLayer", [], {"batch_input_shape": [None, 5]}),
        ("a", "Convolution2D", ["image"], TWO),
        ("norm", "BatchNormalization", ["a"], {"axis": 1, "mode": 0}),
        ("joined", "Merge", ["a", "norm"], {"mode": "concat", "concat_axis": -3}),
        ("summed", "Merge", ["a", "norm"], {"mode": "sum", "concat_axis": -1}),
        ("flat", "Flatten", ["joined"], {}),
        ("side", "BatchNormalization", ["vector"], {"axis": -1, "mode": 0}),
    )
    text, undo = converted_config(json.dumps(config), "th", "tf", "model.h5")
    new = {entry["name"]: entry["config"] for entry in json.loads(text)["config"]["layers"]}
    assert new["image"]["batch_input_shape"] == [None, 6, 7, 3]
    assert new["vector"]["batch_input_shape"] == [None, 5]
    assert (new["a"]["dim_ordering"], new["norm"]["axis"], new["joined"]["concat_axis"]) == ("tf", 3, 3)
    assert (new["summed"]["concat_axis"], new["side"]["axis"]) == (-1, -1)
    assert undo == json.dumps(config)


def test_the_way_back_gives_the_text_or_keeps_it():
    """An axis counted from the end would come back as a number from the front, so the old text is kept."""
    config = json.dumps(sequential(conv(), layer("BatchNormalization", axis=1), shape=(3, 9, 12)))
    new, undo = converted_config(config, "th", "tf", "model.h5")
    assert undo is None
    assert converted_config(new, "tf", "th", "model.h5") == (config, None)
    spaced = config.replace(": ", ":  ")
    assert converted_config(spaced, "th", "tf", "model.h5") == (new, spaced)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (layer("Permute", "p", dims=[2, 3, 1]), "it works on the axes of a feature map"),
        (layer("Lambda", "p", function="?"), "it works on the axes of a feature map"),
        (layer("Activation", "p", activation="softmax"), "it works on the axes of a feature map"),
    ],
    ids=["permute", "lambda", "softmax"],
)
def test_what_has_no_words_in_the_other_layout_is_refused(entry, why):
    """With the layer, the reason, and what can be done."""
    config = json.dumps(sequential(conv(), entry, shape=(3, 9, 12)))
    with pytest.raises(ConversionError) as refused:
        converted_config(config, "th", "tf", "model.h5")
    assert str(refused.value) == (
        f"model.h5: layer 'p' ({entry['class_name']}) cannot be written down in the other layout: {why}; "
        "--to keras1 or keras2 (to=) converts its weights alone"
    )


def test_an_axis_behind_something_unknown_is_refused():
    """Whether it is a map's cannot be known."""
    entries = (conv(), layer("SomebodysOwn", "own"), layer("BatchNormalization", "norm", axis=1))
    with pytest.raises(
        ConversionError, match=r"layer 'norm' \(BatchNormalization\) .* cannot be followed; --to"
    ):
        converted_config(json.dumps(sequential(*entries, shape=(3, 9, 12))), "th", "tf", "model.h5")


@pytest.mark.parametrize("source", ["th", "tf"])
def test_a_reshape_that_makes_maps_is_not_written_down(source):
    """What it is told, and the columns of the layer before it, would have to move."""
    target = "tf" if source == "th" else "th"
    shape = [4, 3, 3] if source == "th" else [3, 3, 4]
    made = layer("Reshape", "made", target_shape=shape)
    config = sequential(layer("Dense", "fc", output_dim=36), made, conv(order=source), shape=(5,))
    with pytest.raises(ConversionError) as refused:
        converted_config(json.dumps(config), source, target, "m.h5")
    assert str(refused.value) == (
        "m.h5: layer 'made' (Reshape) cannot be written down in the other layout: it makes a feature map of "
        "what is none; --to keras1 or keras2 (to=) converts its weights alone"
    )


@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_flatten_gives_is_told_of_every_kind_that_has_something_for_each_input(kind, flatten):
    """Of no other kind is anything told, but that the vectors of a map's channels are no rows."""
    layers = [conv(4), *([FLATTEN] if flatten else []), layer(kind, "it")]
    found = rows_of(sequential(*layers, shape=(3, 5, 6)), "th")
    has = KINDS[kind].per_input
    if flatten:
        assert found == ({} if has in (PerInput.NOTHING, PerInput.WINDOW) else {"it": ((4, 3, 4),)})
    elif has is not PerInput.WINDOW:
        assert found == ({"it": None} if has is PerInput.CHANNEL else {})

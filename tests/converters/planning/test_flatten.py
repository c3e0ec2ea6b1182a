"""What a file tells of its network, what is asked for, and what a record hands on."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

from converters import convert_file, plan_file
from converters.arrays.rows import Flattened, parse_flattened
from converters.errors import ArgumentError, ConversionError, UnknownFlattenError
from converters.formats.dialects import describe
from converters.formats.table import targets
from converters.layers.network import LayerFacts, Network, PartFacts, parse_network
from tests.support.weight_files import arrays, counted, keras1, write_named


def written(path, **shapes):
    """Write a file of Keras 1 on Theano, channels first."""
    return write_named(path / "th.h5", keras1(**shapes))


def keras2(path, *, version, **shapes):
    """Write a file of Keras 2 in which nothing but the version tells anything."""
    layers = {
        name: {f"{name}/kernel:0": counted(*shape), f"{name}/bias:0": counted(shape[-1])}
        for name, shape in shapes.items()
    }
    return write_named(path / "two.h5", layers, keras_version=version, backend="theano")


class TestOrder:
    """What the order of the layers proves, and what it does not."""

    @pytest.mark.parametrize(
        ("shapes", "asked"),
        [
            ({"conv": (6, 3, 3, 5), "fc": (72, 7), "out": (7, 5)}, ["fc"]),
            ({"conv": (6, 3, 3, 5), "fc": (6, 7), "out": (7, 5)}, []),
            ({"conv": (6, 3, 3, 5), "one": (72, 72), "two": (72, 5)}, ["one", "two"]),
            ({"conv": (6, 3, 3, 5), "one": (72, 7), "two": (72, 5)}, ["one", "two"]),
            ({"a": (4, 3, 3, 5), "b": (16, 4, 3, 3), "fc": (16, 5)}, ["fc"]),
            ({"a": (6, 3, 3, 5), "b": (16, 6, 3, 3), "fc": (16, 5)}, []),
            ({"conv": (6, 3, 3, 5), "fc": (3, 7)}, []),
            ({"fc": (72, 7), "out": (7, 5)}, []),
        ],
        ids=[
            "flattened",
            "pooled",
            "two heads, one square",
            "two heads",
            "chance",
            "none fits",
            "few",
            "none",
        ],
    )
    def test_what_two_networks_could_have_written_is_asked_for(self, shapes, asked, tmp_path):
        """Two heads may leave one Flatten, and rows may be as many as channels by chance."""
        source = written(tmp_path, **shapes)
        if not asked:
            plan_file(source, direction="th-to-tf", from_layout="th")
            return
        with pytest.raises(UnknownFlattenError) as refused:
            plan_file(source, direction="th-to-tf")
        assert [name for name in shapes if f"--flatten {name}=" in str(refused.value)] == asked

    def test_an_activation_with_a_value_for_each_row_is_asked_about(self, tmp_path):
        """Behind a convolution it fits no layer but a Flatten."""
        layers = {**keras1(conv=(6, 3, 3, 5)), "act": {"act_alphas": counted(72)}}
        source = write_named(tmp_path / "th.h5", layers)
        with pytest.raises(UnknownFlattenError, match="--flatten act=6x3x4 or --flatten act=none"):
            plan_file(source, direction="th-to-tf", layers={"act": "PReLU"})
        plan = plan_file(source, direction="th-to-tf", layers={"act": "PReLU"}, flatten={"act": (6, 3, 4)})
        assert [array.layer for array in plan.changed] == ["conv", "act"]


class TestFlatten:
    """What is said of rows is obeyed or refused, in every version."""

    @pytest.mark.parametrize("version", ["2.0.5", "2.1.6", "2.2.4", "2.4.0-tf"])
    @pytest.mark.parametrize("reshaped", [False, True])
    @pytest.mark.parametrize("to", [None, "keras1", "keras2", "keras3"])
    @pytest.mark.parametrize("layout", ["th", "tf"])
    def test_rows_move_by_the_versions_of_the_two_ends(self, version, reshaped, to, layout, tmp_path):
        """A Flatten puts the channels last by itself from 2.2 on; what a Reshape took lies as it lay."""
        source = keras2(tmp_path, version=version, conv=(3, 5, 3, 6), fc=(72, 2))
        said = {"fc": "6x3x4:reshape" if reshaped else (6, 3, 4)}
        new = tmp_path / "new.h5"
        if to == "keras3":
            form = {"to": to, "to_layout": layout}
        else:
            form = {"to": to, "to_layout": layout, "to_kernels": "tf"}
        convert_file(source, new, from_layout="th", flatten=said, **form)
        new_version = (to is None and version[:3] in ("2.2", "2.4")) or to in ("keras2", "keras3")
        last = version[:3] in ("2.2", "2.4") and not reshaped
        new_last = layout == "tf" or (new_version and not reshaped)
        old, rows = counted(72, 2), np.arange(72)
        if last != new_last:
            shape, order = ((3, 4, 6), (2, 0, 1)) if last else ((6, 3, 4), (1, 2, 0))
            rows = rows.reshape(shape).transpose(order).ravel()
        (kernel,) = (values for values in arrays(new).values() if values.shape == (72, 2))
        np.testing.assert_array_equal(kernel, old[rows])

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ({"*": None}, {"one": None, "two": None, "two_b": None}),
            ({"one": (6, 3, 4), "*": None}, {"one": (6, 3, 4), "two": None, "two_b": None}),
            ({"*": None, "one": (6, 3, 4)}, {"one": (6, 3, 4), "two": None, "two_b": None}),
            ({"*": (6, 3, 4)}, dict.fromkeys(("one", "two", "two_b"), (6, 3, 4))),
            ({"tw*": (6, 3, 4), "*": None}, {"one": None, "two": (6, 3, 4), "two_b": (6, 3, 4)}),
            ({"*": None, "tw*": (6, 3, 4)}, {"one": None, "two": None, "two_b": None}),
            (
                {"*o": "6x3x4:reshape", "o*e": None, "*_*": "none"},
                {"one": None, "two": "6x3x4:reshape", "two_b": None},
            ),
        ],
    )
    def test_a_pattern_is_said_of_each_layer_that_nothing_else_tells_of(self, pattern, names, tmp_path):
        """The first that fits, as if each were named; what the order proves, and what is named, it leaves."""
        source = keras2(
            tmp_path, version="2.1.6", conv=(3, 5, 3, 6), one=(72, 72), two=(72, 5), two_b=(72, 5), out=(5, 4)
        )
        with pytest.raises(UnknownFlattenError) as refused:
            plan_file(source, direction="th-to-tf")
        assert str(refused.value).endswith(
            "\nIf nothing is flattened in front of any of them, say so at once: --flatten '*=none'."
        )
        plans = [plan_file(source, direction="th-to-tf", flatten=said) for said in (pattern, names)]
        assert plans[0].flatten == plans[1].flatten
        assert plans[0].arrays == plans[1].arrays
        assert plans[0].flatten["out"] == Flattened(rows=None, source="order")

    def test_a_pattern_that_fits_nothing_leaves_the_question(self, tmp_path):
        """No character but the star is special."""
        source = written(tmp_path, conv=(6, 3, 3, 5), fc=(72, 7))
        for pattern in ("f*x", "[f]*", "*C", ".*"):
            with pytest.raises(UnknownFlattenError, match="--flatten fc=6x3x4 or --flatten fc=none"):
                plan_file(source, direction="th-to-tf", flatten={pattern: None})

    def test_both_ways_of_a_layer_are_told_by_a_pattern(self, tmp_path):
        """Both have the same inputs, and the first alone is asked for."""
        source = write_named(
            tmp_path / "th.h5",
            {
                **keras1(conv=(6, 3, 3, 5)),
                "both": {
                    f"{way}_lstm_1_{role}_{gate}": counted(*shape)
                    for way in ("forward", "backward")
                    for gate in "icfo"
                    for role, shape in (("W", (72, 4)), ("U", (4, 4)), ("b", (4,)))
                },
            },
        )
        plans = [
            plan_file(source, direction="th-to-tf", flatten=said, layers={"both": "Bidirectional"})
            for said in ({"*": (6, 3, 4)}, {"forward_lstm_1": (6, 3, 4)})
        ]
        assert plans[0].arrays == plans[1].arrays
        assert len(plans[0].changed) == 9

    def test_a_window_of_a_map_is_never_none(self, tmp_path):
        """What is said of all leaves the question of it."""
        source = write_named(
            tmp_path / "th.h5",
            {
                **keras1(conv=(6, 3, 3, 5)),
                "local": {"local_W": counted(4, 24, 7), "local_b": counted(7, 2, 2)},
            },
        )
        with pytest.raises(UnknownFlattenError, match=r"local \(24 values in each window"):
            plan_file(
                source, direction="th-to-tf", flatten={"*": None}, layers={"local": "LocallyConnected2D"}
            )
        plan_file(
            source, direction="th-to-tf", flatten={"*": (6, 2, 2)}, layers={"local": "LocallyConnected2D"}
        )

    def test_what_has_no_rows_is_refused(self, tmp_path):
        """A map in front of a convolution says nothing."""
        source = written(tmp_path, conv=(6, 3, 3, 5), fc=(6, 2))
        with pytest.raises(
            ArgumentError, match=r"layer 'conv' is of kind Conv2D, which has no rows: flatten"
        ):
            plan_file(source, direction="th-to-tf", flatten={"conv": (3, 2, 1)})

    def test_a_record_of_the_first_version_says_nothing_of_rows(self, tmp_path):
        """It left out what did not have to move as well as what is not behind a map."""
        source = written(tmp_path, conv=(6, 3, 3, 5), fc=(72, 7))
        with h5py.File(source, "r+") as file:
            for name in ("layout", "kernels", "source_layout", "source_kernels"):
                file.attrs[f"zoo_{name}"] = "th"
            file.attrs["zoo_flatten"] = "{}"
        with pytest.raises(UnknownFlattenError, match="--flatten fc=6x3x4 or --flatten fc=none"):
            plan_file(source, direction="th-to-tf")


class TestKeras3:
    """Files of Keras 3, which are listed by class."""

    @pytest.fixture()
    def model(self):
        """Return a network whose classes are not in the order of the alphabet."""
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input((6, 6, 3)),
                layers.SeparableConv2D(4, 3),
                layers.Flatten(),
                layers.Dense(5),
                layers.BatchNormalization(),
            ]
        )

    def test_weights_alone_do_not_tell_the_order(self, model, tmp_path):
        """It is asked for, and obeyed: Keras 1 and 2 load by position."""
        model.save_weights(tmp_path / "m.weights.h5")
        names = [layer.name for layer in model.layers if layer.weights]
        with pytest.raises(
            ConversionError, match=r"does not tell the order of its layers.*say --order LAYER"
        ):
            plan_file(tmp_path / "m.weights.h5", to="keras2")
        new = convert_file(tmp_path / "m.weights.h5", tmp_path / "new.h5", to="keras2", order=names).target
        assert [layer.name for layer in describe(new).weighted] == names
        for order, message in (
            (names[1:], f"order does not name {names[0]!r}"),
            ([*names, names[0]], "twice"),
        ):
            with pytest.raises(ArgumentError, match=message):
                plan_file(tmp_path / "m.weights.h5", to="keras2", order=order)

    @pytest.mark.parametrize("to", [target for target in targets() if target not in ("keras1", "keras2")])
    def test_what_was_not_told_stays_untold(self, model, to, tmp_path):
        """A file that the weights alone were converted to asks for the order as they do."""
        model.save_weights(tmp_path / "m.weights.h5")
        names = [layer.name for layer in model.layers if layer.weights]
        between = convert_file(
            tmp_path / "m.weights.h5", tmp_path / "between", to=to, flatten={names[1]: None}
        ).target
        with pytest.raises(
            ConversionError, match=r"does not tell the order of its layers.*say --order LAYER"
        ):
            plan_file(between, to="keras2")
        new = convert_file(between, tmp_path / "new.h5", to="keras2", order=names).target
        assert [layer.name for layer in describe(new).weighted] == names

    def test_rows_are_asked_for_without_an_order(self, model, tmp_path):
        """What lies before a matrix is unknown; the shape of the map is the user's to say."""
        model.save_weights(tmp_path / "m.weights.h5")
        names = [layer.name for layer in model.layers if layer.weights]
        dense = names[1]
        with pytest.raises(UnknownFlattenError, match=f"--flatten {dense}=4x4x4"):
            plan_file(tmp_path / "m.weights.h5", to="keras1", to_layout="th", order=names)

    def test_a_whole_model_has_the_order_in_its_configuration(self, model, tmp_path):
        """And loads in Keras by position."""
        model.save(tmp_path / "m.keras")
        new = convert_file(tmp_path / "m.keras", tmp_path / "new.h5", to="keras2").target
        assert [layer.name for layer in describe(new).weighted] == [
            layer.name for layer in model.layers if layer.weights
        ]
        before = [np.array(values) for values in model.get_weights()]
        model.set_weights([values * 0 for values in before])
        model.load_weights(new)
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_layers_that_a_layer_holds_under_other_names_are_not_passed_over(self, tmp_path):
        """Refused by name, or carried as they are; the state of a random generator is none of them."""
        layers = keras.layers
        inputs = keras.Input((4, 6))
        attended = layers.MultiHeadAttention(2, 3, dropout=0.1, name="mha")(inputs, inputs)
        model = keras.Model(inputs, layers.Dense(2)(layers.Dropout(0.5)(attended)))
        model.save_weights(tmp_path / "m.weights.h5")
        with pytest.raises(ConversionError, match=r"layer 'mha.*say --layer mha.*=Other to carry its arrays"):
            plan_file(tmp_path / "m.weights.h5", to="npz", to_layout="th", from_layout="tf")
        plan = plan_file(tmp_path / "m.weights.h5", to="npz")
        assert sum(array.nbytes for array in plan.arrays) == 4 * model.count_params()
        assert plan.typed_notes[-1].startswith("no rule is known for 'mha")

    def test_the_first_of_a_class_has_no_number(self, tmp_path):
        """A first ``conv2d_transpose`` is one, though its shape could be a convolution's."""
        layers = {
            "conv2d_transpose": {"conv2d_transpose/kernel:0": counted(3, 3, 4, 4)},
            "dense": {"dense/kernel:0": counted(4, 2), "dense/bias:0": counted(2)},
        }
        path = write_named(tmp_path / "m.h5", layers, keras_version="2.4.0-tf", backend="tensorflow")
        assert [layer.kind for layer in describe(path).layers] == ["Conv2DTranspose", "Dense"]
        odd = {
            "group_normalization": {f"group_normalization/{role}:0": counted(4) for role in ("gamma", "beta")}
        }
        path = write_named(tmp_path / "n.h5", odd, keras_version="2.4.0-tf", backend="tensorflow")
        with pytest.raises(
            ConversionError, match="layer 'group_normalization' is of kind GroupNormalization"
        ):
            plan_file(path, to="keras3")


class TestVersions:
    """What the version of Keras that wrote a file decides."""

    @pytest.mark.parametrize(
        ("file", "said", "possible"),
        [
            ("keras1", "0.3.3", "1.x"),
            ("keras1", "2.2.4", "1.x"),
            ("keras2", "1.2.2", "2.x"),
            ("old", "1.0.6", "2.x"),
        ],
    )
    def test_a_version_that_the_file_contradicts_is_refused(self, file, said, possible, tmp_path):
        """Half a conversion would come of it."""
        paths = {
            "keras1": lambda: written(tmp_path, conv=(6, 3, 3, 5)),
            "keras2": lambda: keras2(tmp_path, version="2.1.6", fc=(3, 2)),
            "old": lambda: keras2(tmp_path, version="2.0.5", fc=(3, 2)),
        }
        text = rf"keras_version {said} cannot be: the file is one of Keras {possible}; leave it out, or say"
        with pytest.raises(ArgumentError, match=text):
            plan_file(paths[file](), direction="th-to-tf", keras_version=said)

    def normalised(self, path, running_std, **attributes):
        """Write a batch normalisation of Keras 1."""
        names = ("gamma", "beta", "running_mean", "running_std")
        values = dict(zip(names, (*counted(3, 4), np.array(running_std, "f4")), strict=True))
        layers = {"bn": {f"bn_{name}": array for name, array in values.items()}}
        return write_named(path / "th.h5", {**keras1(conv=(4, 3, 3, 3)), **layers}, **attributes)

    def test_a_copy_says_what_was_assumed(self, tmp_path):
        """And is held to it until somebody knows better: once, and not twice."""
        source = self.normalised(tmp_path, [1, 2, 3, 4])
        copy = convert_file(source, tmp_path / "tf.h5", direction="th-to-tf").target
        assert describe(copy).record.network.running_std == "variance, assumed"
        told = convert_file(source, tmp_path / "told.h5", direction="th-to-tf", keras_version="1.0.6").target
        assert describe(told).record.network.running_std == "variance"
        np.testing.assert_array_equal(arrays(told)["bn/bn_running_std"], [1, 4, 9, 16])
        again = convert_file(told, tmp_path / "again.h5", to="keras3").target
        np.testing.assert_array_equal(arrays(again)["layers/batch_normalization/vars/3"], [1, 4, 9, 16])
        with pytest.raises(ArgumentError, match="a conversion has made variances of its running_std"):
            plan_file(told, to="keras3", keras_version="1.0.5")

    def test_values_that_exclude_a_reading_are_said(self, tmp_path):
        """No variance is negative; a deviation of 0 would multiply by a million."""
        plan = plan_file(self.normalised(tmp_path, [1, -2, 3, 4]), direction="th-to-tf")
        assert plan.typed_notes[-1] == (
            "running_std of 'bn' has negative values, so it holds no variances: if Keras up to 1.0.6 wrote "
            "the file, say --keras-version 1.0.6"
        )
        zero = self.normalised(tmp_path, [1, 0, 3, 4])
        assert "zeros" not in "".join(plan_file(zero, direction="th-to-tf").typed_notes)
        plan = plan_file(zero, direction="th-to-tf", keras_version="1.0.6")
        assert plan.typed_notes[-1] == (
            "running_std of 'bn' has zeros where gamma is not: as a standard deviation that would multiply "
            "by 1,000,000, so it holds variances; leave --keras-version out"
        )


def test_a_network_is_read_as_it_was_written():
    """Every fact, through its text."""
    inside = (
        PartFacts(name="forward_lstm_1", kind="LSTM", flattened=parse_flattened("none", "user")),
        PartFacts(name="odd", kind="Other", own_class="Mine", roles=("a", "b")),
    )
    own = PartFacts(name="fc", kind="Dense", flattened=Flattened(rows=((4, 2, 3), (6,)), source="user"))
    reshaped = parse_flattened("4x2x3:reshape", "user")
    network = Network(
        layers=(
            LayerFacts(name="in"),
            LayerFacts(
                name="conv", kind="Conv2D", parts=(PartFacts(name="conv", kind="Conv2D", doubtful=True),)
            ),
            LayerFacts(name="both", kind="Model", parts=inside),
            LayerFacts(name="fc", kind="Dense", parts=(own,)),
            LayerFacts(
                name="r", kind="Dense", parts=(PartFacts(name="r", kind="Dense", flattened=reshaped),)
            ),
        ),
        keras_version="1.0.6",
        running_std="deviation",
        old_1d=True,
    )
    assert parse_network(network.as_text()) == network

"""What a conversion will do, and how it knows."""

from __future__ import annotations

import json
import re

import h5py
import pytest

from converters.arrays.form import TF, TH, Form
from converters.arrays.rows import parse_rows, rows_text
from converters.errors import ArgumentError, ConversionError, UnknownFlattenError, doubts_of
from converters.formats.dialects import describe
from converters.layers.table import RULES
from converters.planning.facts import Fact, layout_of_shapes, learn_layout
from converters.planning.flatten import parse_flatten
from converters.planning.making import make_plan
from converters.planning.structures import load_structure, match
from tests.support.paths import DIALECTS
from tests.support.weight_files import (
    BY_NAMES,
    counted,
    keras1,
    names,
    write_empty,
    write_named,
    write_numbered,
)

DATA = DIALECTS


def planned(path, target=TF, **arguments):
    """Return the plan for a file."""
    return make_plan(describe(path), target=target, **arguments)


def actions(plan):
    """Return what happens to the arrays that change, by layer and role."""
    return {(array.layer, array.role): (array.target_shape, array.actions) for array in plan.changed}


@pytest.fixture
def small(tmp_path):
    """A Keras 1 file in th layout: a convolution, a Flatten, two dense layers."""
    layers = keras1(conv=(6, 3, 3, 5), flatten=None, fc=(72, 7), out=(7, 5))
    return write_named(tmp_path / "small.h5", layers)


class TestFacts:
    """Who is believed about layout and kernels."""

    def test_the_shapes_tell_the_layout_of_a_keras_1_file(self, small):
        """The outputs are first in th layout; the names are Theano's, and that they may lie is said."""
        plan = planned(small, flatten={"fc": ((6, 3, 4),)})
        assert (str(plan.layout), str(plan.kernels)) == ("th (shapes)", "th (array names)")
        assert plan.typed_notes == (BY_NAMES,)

    @pytest.mark.parametrize(
        ("arguments", "kernels"),
        [
            ({"from_kernels": "tf"}, "tf (user)"),
            ({"registry_form": Form(layout="th", kernels="tf")}, "tf (registry)"),
            ({"registry_form": Form(layout="th", kernels="tf"), "from_kernels": "th"}, "th (user)"),
        ],
    )
    def test_the_user_comes_before_the_registry(self, arguments, kernels, small):
        """Each is named in the plan."""
        assert str(planned(small, flatten={"fc": ((6, 3, 4),)}, **arguments).kernels) == kernels

    def test_a_record_comes_before_the_registry(self, tmp_path):
        """A file that was converted knows better than what was published."""
        record = {
            "zoo_layout": "tf",
            "zoo_kernels": "th",
            "zoo_source_layout": "th",
            "zoo_source_kernels": "th",
        }
        path = write_named(
            tmp_path / "new.h5", {"c": {"c_W": counted(3, 3, 2, 4), "c_b": counted(4)}}, **record
        )
        plan = planned(path, registry_form=TH)
        assert (str(plan.layout), str(plan.kernels)) == ("tf (record)", "th (record)")
        plan = planned(path, from_kernels="tf")
        assert (str(plan.layout), str(plan.kernels)) == ("tf (record)", "tf (user)")

    @pytest.mark.parametrize(
        ("backend", "kernels"),
        [("theano", "th"), ("tensorflow", "tf"), ("cntk", "tf")],
    )
    def test_the_backend_tells_the_kernels_of_a_keras_2_file(self, backend, kernels, tmp_path):
        """Only Theano rotates them; the shapes tell nothing there."""
        layers = {"c": {"c/kernel:0": counted(3, 3, 2, 4), "c/bias:0": counted(4)}}
        path = write_named(tmp_path / "two.h5", layers, backend=backend, keras_version="2.0.5")
        plan = planned(path, expected=TH)
        assert (str(plan.layout), str(plan.kernels)) == ("th (direction)", f"{kernels} (backend attribute)")
        assert layout_of_shapes(describe(path)) is None

    @pytest.mark.parametrize(
        ("sample", "layout"),
        [("keras205_theano_cf", "th"), ("keras224_theano_cl", "tf"), ("keras122_theano_th", "th")],
    )
    def test_a_configuration_tells_the_layout(self, sample, layout):
        """Whole models say it for each of their layers, in Keras 2 too."""
        path = DATA / sample / "conv3d.model.h5"
        assert learn_layout(describe(path)) == Fact(value=layout, source="model_config")

    def test_what_is_said_must_fit_the_shapes(self, small):
        """Nobody can make a th kernel a tf kernel by saying so."""
        with pytest.raises(ConversionError) as refused:
            planned(small, from_layout="tf")
        text = (
            "layout is tf (user), but its shapes are those of layout th (layer 'conv': kernel (6, 3, 3, 5))"
        )
        assert str(refused.value) == f"{small}: {text}; leave the layout out, or check the file"

    def test_a_normalisation_tells_the_outputs_where_there_is_no_bias(self, tmp_path):
        """ResNet's convolutions have none."""
        vectors = {f"bn_{name}": counted(8) for name in ("gamma", "beta", "running_mean", "running_std")}
        path = write_named(tmp_path / "weights.h5", {"conv": {"conv_W": counted(8, 3, 7, 7)}, "bn": vectors})
        assert layout_of_shapes(describe(path)) == "th"

    def test_a_file_that_mixes_layouts_is_refused(self, tmp_path):
        """One layer of each cannot be."""
        layers = keras1(a=(8, 3, 5, 5)) | {"b": {"b_W": counted(5, 5, 8, 4), "b_b": counted(4)}}
        path = write_named(tmp_path / "weights.h5", layers)
        text = "layer 'a' has th shapes but layer 'b' has tf shapes; the file mixes layouts"
        with pytest.raises(ConversionError, match=f"{text}$"):
            planned(path)

    def test_what_nothing_tells_is_asked_for_only_if_it_matters(self, tmp_path):
        """A lone convolution without a bias has no layout; a lone dense layer needs none."""
        path = DATA / "keras122_theano_th" / "conv2d_nobias.weights.h5"
        with pytest.raises(ConversionError) as refused:
            planned(path)
        assert str(refused.value) == (
            f"{path}: nothing in the file tells its layout; say --from-layout th or --from-layout tf"
        )
        assert planned(path, from_layout="th").changed
        dense = write_named(tmp_path / "dense.h5", keras1(fc=(4, 2)))
        assert str(planned(dense).layout) == "tf (assumed: nothing in the file depends on it)"


class TestArrays:
    """What happens to each array."""

    def test_th_to_tf_of_a_keras_1_file(self, small):
        """Axes move, kernels are rotated, rows behind the Flatten move, all else stays."""
        plan = planned(small, flatten={"fc": ((6, 3, 4),)})
        assert actions(plan) == {
            ("conv", "kernel"): ((3, 5, 3, 6), ("channels last", "rotate by 180 degrees")),
            ("fc", "kernel"): ((72, 7), ("rows of 6x3x4 to channels last",)),
        }
        assert [array.name for array in plan.arrays] == ["conv_W", "conv_b", "fc_W", "fc_b", "out_W", "out_b"]

    def test_layout_and_kernels_change_apart(self, small):
        """Kernels alone, and layout alone; no map is asked for where the layout stays."""
        kernels = planned(small, Form(layout="th", kernels="tf"))
        assert actions(kernels) == {("conv", "kernel"): ((6, 3, 3, 5), ("rotate by 180 degrees",))}
        assert kernels.flatten.keys() == {"out"}
        layout = planned(small, Form(layout="tf", kernels="th"), flatten={"fc": ((6, 3, 4),)})
        assert actions(layout)["conv", "kernel"] == ((3, 5, 3, 6), ("channels last",))

    def test_a_keras_2_kernel_keeps_its_axes(self):
        """Only rows follow the layout there, and up to Keras 2.1 alone."""
        path = DATA / "keras205_theano_cf" / "conv2d_flatten_dense_dense.weights.h5"
        plan = planned(path, expected=TH, flatten={"dense_1": ((6, 3, 4),)})
        assert actions(plan) == {
            ("conv2d_1", "kernel"): ((3, 5, 3, 6), ("rotate by 180 degrees",)),
            ("dense_1", "kernel"): ((72, 7), ("rows of 6x3x4 to channels last",)),
        }
        path = DATA / "keras224_theano_cf" / "conv2d_flatten_dense_dense.weights.h5"
        plan = planned(path, expected=TH)
        assert list(actions(plan)) == [("conv2d_1", "kernel")]
        assert plan.flatten.keys() == {"dense_2"}

    @pytest.mark.parametrize(
        ("sample", "axes"),
        [
            ("keras107_theano_th/conv1d", (2,)),
            ("keras122_theano_th/conv1d", (0,)),
            ("keras205_theano_cf/conv1d", (0,)),
        ],
    )
    def test_a_1d_kernel_is_rotated_along_its_length(self, sample, axes):
        """Its axes have no layout: (O, I, L, 1), (L, 1, I, O) and (L, I, O)."""
        plan = planned(DATA / f"{sample}.weights.h5", expected=TH)
        (array,) = plan.changed
        assert (array.rotate, array.order, array.shape) == (axes, None, array.target_shape)

    def test_a_1d_kernel_of_neither_form_is_refused(self, tmp_path):
        """With one input and one output, length and channels cannot be told apart."""
        layers = {
            "convolution1d_1": {"convolution1d_1_W": counted(1, 1, 3, 1), "convolution1d_1_b": counted(1)}
        }
        path = write_named(tmp_path / "weights.h5", layers)
        text = "the kernel (1, 1, 3, 1) of layer 'convolution1d_1' is neither clearly (O, I, L, 1) nor (L, 1"
        with pytest.raises(ConversionError, match=re.escape(text)):
            planned(path, from_layout="th")

    def test_a_structure_tells_its_maps_and_names(self, tmp_path):
        """For loading, every array knows the published layer it belongs to."""
        structure = load_structure("googlenet")
        path = write_empty(tmp_path / "weights.h5", structure, rename=lambda name: name.replace("/", "__"))
        description = describe(path)
        plan = make_plan(description, target=TF, match=match(description, structure))
        assert {name: found.rows for name, found in plan.flatten.items() if found.rows} == {
            "loss1__fc": ((128, 4, 4),),
            "loss2__fc": ((128, 4, 4),),
        }
        first = plan.arrays[0]
        assert (first.layer, first.structure_layer) == ("conv1__7x7_s2", "conv1/7x7_s2")
        assert plan.structure == "googlenet"
        shapes = [(array.structure_layer, array.role, array.target_shape) for array in plan.arrays]
        assert shapes == [
            (layer.name, role, shape) for layer in structure.weighted for role, shape in layer.arrays.items()
        ]

    def test_normalisations_behind_a_flatten_have_rows(self, tmp_path):
        """Their vectors follow the flattened map as the dense layer's rows do."""
        vectors = {f"bn_{name}": counted(72) for name in ("gamma", "beta", "running_mean", "running_std")}
        path = write_named(
            tmp_path / "weights.h5", keras1(conv=(6, 3, 3, 5)) | {"bn": vectors} | keras1(fc=(72, 7))
        )
        plan = planned(path, flatten={"fc": ((6, 3, 4),)})
        moved = [
            key for key, (_, words) in actions(plan).items() if words == ("rows of 6x3x4 to channels last",)
        ]
        roles = ["gamma", "beta", "moving_mean", "moving_variance"]
        assert moved == [*(("bn", role) for role in roles), ("fc", "kernel")]


class TestFlatten:
    """What is in front of a dense layer."""

    def test_what_would_fit_is_offered(self, small):
        """The refusal prints the arguments that would answer it."""
        with pytest.raises(UnknownFlattenError) as refused:
            planned(small)
        assert str(refused.value) == (
            f"{small}: it cannot be told from the file what is in front of\n"
            "  fc (72 rows, after a convolution with 6 channels): --flatten fc=6x3x4 or --flatten fc=none\n"
            "Rows that come from a flattened feature map move with the layout. Give the map's channels, "
            "height and\nwidth (those shown are only one possibility), or none if nothing is flattened "
            "there, or only the output\nof a 1-D convolution."
        )

    def test_a_square_proves_nothing(self, tmp_path):
        """A pooled concatenation of four maps with 6 channels has 24 = 6 x 2 x 2 rows as well."""
        path = write_named(tmp_path / "weights.h5", keras1(conv=(6, 3, 3, 5), fc=(24, 7)))
        with pytest.raises(UnknownFlattenError, match="--flatten fc=6x2x2 or --flatten fc=none"):
            planned(path)

    def test_a_kernel_without_a_bias_has_its_outputs_where_the_layout_puts_them(self, tmp_path):
        """256 rows behind 64 channels are not pooled, though the convolution has 256 inputs."""
        layers = {"a": {"a_W": counted(8, 3, 5, 5), "a_b": counted(8)}, "b": {"b_W": counted(64, 256, 1, 1)}}
        path = write_named(tmp_path / "weights.h5", layers | keras1(fc=(256, 7)))
        with pytest.raises(
            UnknownFlattenError, match=r"after a convolution with 64 channels\): --flatten fc=64x2x2"
        ):
            planned(path)

    def test_rows_that_no_map_fits_may_be_part_of_one(self):
        """A concatenation with a flattened map has such rows, so they are asked about too."""
        with pytest.raises(UnknownFlattenError) as refused:
            planned(DATA / "keras122_theano_th" / "merge_two_inputs.weights.h5")
        lines = str(refused.value).splitlines()[1:4]
        assert lines == [
            f"  {name} ({rows} rows, after a convolution with 4 channels): no map of 4 channels fits; "
            f"--flatten {name}=none"
            for name, rows in (("dvec", 5), ("out", 86), ("skip", 5))
        ]

    def test_what_needs_no_answer_is_not_asked(self, tmp_path):
        """No convolution before it, global pooling (rows = channels), or a dense layer right before it."""
        layers = keras1(before=(72, 3), conv=(6, 3, 3, 5), pooled=(6, 8), next=(8, 2))
        plan = planned(write_named(tmp_path / "weights.h5", layers))
        assert {name: (found.rows, found.source) for name, found in plan.flatten.items()} == {
            "before": (None, "order"),
            "pooled": (None, "order"),
            "next": (None, "order"),
        }

    def test_the_user_may_say_none(self, small):
        """Then no row moves."""
        assert list(actions(planned(small, flatten={"fc": None}))) == [("conv", "kernel")]

    def test_what_the_user_says_must_fit(self, small):
        """The number of rows, and the layer's name."""
        with pytest.raises(ArgumentError) as refused:
            planned(small, flatten={"fc": ((6, 3, 3),)})
        assert (
            str(refused.value) == f"{small}: layer 'fc' has 72 rows, but flatten 6x3x3 (user) gives 54 rows"
        )
        with pytest.raises(
            ArgumentError, match=r"flatten names 'fd', but no layer with weights has that name$"
        ):
            planned(small, flatten={"fd": None})

    def test_a_configuration_settles_it(self):
        """Shapes are followed from the input, through the concatenation of a map with a vector."""
        plan = planned(DATA / "keras122_theano_th" / "merge_two_inputs.model.h5")
        assert {name: found.rows for name, found in plan.flatten.items()} == {
            "dvec": None,
            "out": ((4, 4, 5), (6,)),
            "skip": None,
        }

    def test_arguments_of_the_command_line_are_read(self):
        """A layer's name may hold an equals sign; the rest has one form."""
        assert parse_flatten(["fc=6x3x4", "a=b=none", "out=4x4x5+6", "x=NONE"]) == {
            "fc": ((6, 3, 4),),
            "a=b": None,
            "out": ((4, 4, 5), (6,)),
            "x": None,
        }
        for text in ("fc", "=3x4", ""):
            with pytest.raises(ArgumentError, match=f"takes LAYER=CxHxW or LAYER=none, not {text!r}$"):
                parse_flatten([text])
        for text in ("6x0x4", "6x3x", "six", "", "6x3x4+"):
            with pytest.raises(
                ArgumentError, match=re.escape(f"written CxHxW, for instance 512x7x7, not {text!r}")
            ):
                parse_rows(text)
        assert rows_text(parse_rows("4x4x5+6")) == "4x4x5+6"


UNKNOWN = [
    (
        {"group_normalization_1": {"group_normalization_1/gamma:0": (4,)}},
        "group_normalization_1",
        "is of kind GroupNormalization",
    ),
    ({"norm": {"norm_gamma": (4, 4)}}, "norm", "is of a kind that its arrays do not tell"),
    ({"conv": {"conv_W": (5, 4, 3, 1), "conv_b": (5,)}}, "conv", "is of a kind that its arrays do not tell"),
    ({"lstm_1": {"lstm_1_Q": (4, 4)}}, "lstm_1", "should be of kind LSTM, but its arrays are not"),
    ({"a": {"a_W": (3, 5, 6), "a_b": (3, 6)}}, "a", "is of a kind that its arrays do not tell"),
]


@pytest.mark.parametrize(("layers", "layer", "message"), UNKNOWN)
def test_kinds_without_a_rule_are_refused_by_name(layers, layer, message, tmp_path):
    """Nothing that might have to change is passed through in silence; the user may say what it is."""
    arrays = {name: {array: counted(*shape) for array, shape in own.items()} for name, own in layers.items()}
    path = write_named(tmp_path / "weights.h5", arrays)
    with pytest.raises(ConversionError) as refused:
        planned(path, expected=TH)
    shapes = ", ".join(f"{array} {shape}" for array, shape in layers[layer].items())
    like = "Scale if it works as a Scale does" if "Group" in message else "KIND for what it is"
    hint = f"say --layer {layer}=Other to carry its arrays as they are, or --layer {layer}={like}"
    known = f"there are rules for {', '.join(RULES)}"
    assert str(refused.value) == f"{path}: layer {layer!r} {message} ({shapes}); {hint}; {known}"


def test_the_user_says_what_the_arrays_do_not(tmp_path):
    """The same kernel is turned in place as a 1-D one and moved as a 2-D one; beside a 2-D one it is that."""
    layers = {"conv": {"conv_W": counted(5, 4, 3, 1), "conv_b": counted(5)}}
    path = write_named(tmp_path / "weights.h5", layers)
    one, two = (
        make_plan(describe(path, layers={"conv": kind}), target=TF, from_layout="th")
        for kind in ("Conv1D", "Conv2D")
    )
    assert actions(one) == {("conv", "kernel"): ((5, 4, 3, 1), ("rotate by 180 degrees",))}
    assert actions(two)["conv", "kernel"][0] == (3, 1, 4, 5)
    both = write_named(tmp_path / "both.h5", {**layers, **keras1(other=(6, 5, 3, 3))})
    assert [part.kind for part in describe(both).parts] == ["Conv2D", "Conv2D"]


def test_a_layer_that_is_not_there_cannot_be_told(small):
    """A slip in a name is not passed over."""
    with pytest.raises(ArgumentError, match=r"--layer names 'cnv', but no layer has that name$"):
        describe(small, layers={"cnv": "Conv2D"})


def test_both_ways_of_a_bidirectional_have_the_same_rows(tmp_path):
    """Told once for the layer, the rows of both kernels move, even if as many as the units of one."""
    layers = keras1(convolution2d_1=(2, 3, 3, 3))
    gates = {
        f"{way}_gru_1_{letter}_{gate}": counted(*shape)
        for way in ("forward", "backward")
        for gate in "zrh"
        for letter, shape in (("W", (8, 4)), ("U", (4, 4)), ("b", (4,)))
    }
    path = write_named(tmp_path / "weights.h5", {**layers, "both": gates})
    with pytest.raises(UnknownFlattenError, match="--flatten forward_gru_1=2x2x2"):
        planned(path)
    plan = planned(path, flatten={"both": ((2, 2, 2),)})
    moved = [array.name for array in plan.changed if array.rows]
    assert moved == [f"{way}_gru_1_W_{gate}" for way in ("forward", "backward") for gate in "zrh"]


def test_a_sequence_of_maps_is_refused(tmp_path):
    """Its parameters have four axes, of which the first may be time."""
    layers = {**keras1(convolution2d_1=(2, 3, 3, 3)), "prelu_1": {"prelu_1_alphas": counted(4, 2, 3, 3)}}
    path = write_named(tmp_path / "weights.h5", layers)
    with pytest.raises(ConversionError, match=r"layer 'prelu_1' \(PReLU\) has prelu_1_alphas \(4, 2, 3, 3\)"):
        planned(path)
    layers |= {"convolution3d_1": {"convolution3d_1_W": counted(2, 3, 2, 2, 2)}}
    path = write_named(tmp_path / "other.h5", layers)
    assert actions(planned(path))["prelu_1", "alpha"] == ((2, 3, 3, 4), ("channels last",))


def test_a_refusal_shows_the_arrays(tmp_path):
    """Which layer, its kind, and the names and shapes of its arrays."""
    layers = {"dense_1": {"dense_1_W": counted(4, 3, 2, 2), "dense_1_b": counted(4)}}
    path = write_named(tmp_path / "weights.h5", layers)
    arrays = "dense_1_W (4, 3, 2, 2), dense_1_b (4,)"
    text = f"layer 'dense_1' should be of kind Dense, but its arrays are not ({arrays})"
    with pytest.raises(ConversionError, match=re.escape(f"{path}: {text}; say --layer dense_1=Other to ")):
        planned(path)


def test_a_plan_prints_itself(small):
    """What is known and from where, then one line for each array that changes."""
    plan = planned(small, flatten={"fc": ((6, 3, 4),)})
    assert plan.as_typed() == (
        f"{small} (keras1)\n"
        "  from    layout th (shapes), kernels th (array names)\n"
        "  to      layout tf, kernels tf\n"
        "  flatten fc=6x3x4 (user)\n"
        f"  note    {BY_NAMES}\n"
        "  arrays  6 (3,308 bytes), 2 of them change\n"
        "  conv  kernel  (6, 3, 3, 5) -> (3, 5, 3, 6)  channels last, rotate by 180 degrees\n"
        "  fc    kernel  (72, 7)                       rows of 6x3x4 to channels last"
    )
    assert str(plan) == plan.as_typed().replace("say --from-kernels tf", "say from_kernels='tf'")


def test_a_plan_speaks_python_in_python(small):
    """What is a doubt stays one; JSON, which commands print, has the words of the command line."""
    plan = planned(small, flatten={"fc": ((6, 3, 4),)})
    assert "say --from-kernels tf" in BY_NAMES
    assert plan.typed_notes == (BY_NAMES,)
    assert plan.notes == (BY_NAMES.replace("--from-kernels tf", "from_kernels='tf'"),)
    assert doubts_of(plan.notes) == plan.notes
    assert plan.as_dict()["notes"] == list(plan.typed_notes)


def test_a_plan_is_plain_data(small):
    """JSON can hold it, with how each fact was learned."""
    plan = json.loads(json.dumps(planned(small, flatten={"fc": ((6, 3, 4),)}).as_dict()))
    assert plan["source"] == {
        "layout": "th",
        "layout_from": "shapes",
        "kernels": "th",
        "kernels_from": "array names",
    }
    assert plan["target"] == {"layout": "tf", "kernels": "tf"}
    assert plan["flatten"] == {"fc": {"rows": "6x3x4", "from": "user"}}
    assert plan["arrays"][0] == {
        "layer": "conv",
        "kind": "Conv2D",
        "name": "conv_W",
        "role": "kernel",
        "path": "conv/conv_W",
        "shape": [6, 3, 3, 5],
        "target_shape": [3, 5, 3, 6],
        "dtype": "float32",
        "actions": ["channels last", "rotate by 180 degrees"],
    }
    assert (plan["changed"], plan["bytes"]) == (2, 3308)


def test_a_plan_notes_what_it_leaves_alone(tmp_path):
    """An optimizer's state, and a dense layer that may be made a feature map."""
    path = DATA / "keras122_theano_th" / "compiled_adam_one_step.model.h5"
    assert (
        "optimizer_weights are copied as they are: what they hold belongs to the source's form"
        in planned(path).typed_notes
    )
    layers = keras1(fc=(4, 24), reshape_1=None, conv=(6, 3, 3, 5))
    notes = planned(write_named(tmp_path / "weights.h5", layers)).typed_notes
    assert "'fc' is followed by 'reshape_1': if a feature map is made of it, it is not moved" in notes


def test_a_nameless_file_takes_the_user_by_its_numbers(tmp_path):
    """layer_2 is a name like any other."""
    path = write_numbered(
        tmp_path / "weights.h5", [[counted(6, 3, 3, 5), counted(6)], [], [counted(72, 7), counted(7)]]
    )
    assert ("layer_2", "kernel") in actions(planned(path, flatten={"layer_2": ((6, 3, 4),)}))


def test_attributes_in_chunks_make_no_difference(small):
    """The plan is the same however the names are stored."""
    before = planned(small, flatten={"fc": ((6, 3, 4),)}).arrays
    with h5py.File(small, "r+") as file:
        listed = [name.decode() for name in file.attrs["layer_names"]]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names(listed[:2]), names(listed[2:])
    assert planned(small, flatten={"fc": ((6, 3, 4),)}).arrays == before

"""What users and the command line call."""

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file

import converters
from converters import Form, convert_file, inspect_file, plan_file
from converters.errors import (
    AlreadyConvertedError,
    ArgumentError,
    ConversionError,
    FileFormatError,
    StructureMismatchError,
    UnknownFlattenError,
    UnknownNameError,
    ZooError,
)
from converters.planning.structures import load_structure
from tests.support.paths import DIALECTS
from tests.support.weight_files import counted, fill_named, keras1, write_empty, write_named

DATA = DIALECTS


@pytest.fixture
def convolution(tmp_path):
    """A Keras 1 file in th layout with one convolution and a pooled dense layer: nothing to ask."""
    return write_named(tmp_path / "weights.h5", keras1(conv=(6, 3, 3, 5), fc=(6, 2)))


def test_importing_the_package_imports_neither_numpy_nor_h5py():
    """The public names are looked up when they are used."""
    code = (
        "import sys, converters;"
        "print(sorted({'numpy', 'h5py', 'converters.api'} & set(sys.modules)), dir(converters))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"[] {sorted(converters.__all__)}\n"


def test_using_the_package_imports_no_framework_and_no_zoo():
    """NumPy and h5py are all it takes."""
    code = (
        "import sys; from converters import *; import converters.planning.structures as s;"
        "list(s.known_structures());"
        "print(sorted({'zoo', 'keras', 'tensorflow', 'torch', 'jax', 'yaml', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_is_there():
    """And no other is."""
    assert all(getattr(converters, name) is not None for name in converters.__all__)
    with pytest.raises(AttributeError, match=r"^module 'converters' has no attribute 'convert'$"):
        converters.convert  # noqa: B018


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"direction": "th-to-tf"}, "weights_tf.h5"),
        ({"to_layout": "tf"}, "weights_tf_th_kernels.h5"),
        ({"to_kernels": "tf"}, "weights_th_tf_kernels.h5"),
    ],
)
def test_the_new_file_is_beside_the_old_one(arguments, name, convolution):
    """Its name says what it became; what is not asked for stays."""
    done = convert_file(convolution, **arguments)
    assert (done.source, done.target) == (convolution, convolution.with_name(name))
    assert done.target.is_file()
    assert json.loads(json.dumps(done.as_dict()))["target"] == str(done.target)


def test_the_way_back_has_its_name_too(convolution):
    """OLD_tf.h5 becomes OLD_tf_th.h5."""
    there = convert_file(convolution, direction="th-to-tf").target
    assert convert_file(there, direction="tf-to-th").target.name == "weights_tf_th.h5"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {},
            "say what the file is to become: --th-to-tf, --tf-to-th or --to "
            "(direction=, to=, or to_layout= and to_kernels=)",
        ),
        ({"direction": "up"}, "direction must be one of 'th-to-tf', 'tf-to-th', not 'up'"),
        (
            {"direction": "th-to-tf", "to_layout": "th"},
            "give either direction, or to_layout and to_kernels, not both",
        ),
        (
            {"to": "keras4"},
            "to must be one of 'keras1', 'keras2', 'keras3', 'safetensors', 'npz', not 'keras4'",
        ),
        (
            {"to": "keras3", "to_kernels": "th", "flatten": {"dense_1": (6, 3, 4)}},
            "Keras 3 has no backend that stores kernels as Theano does; say the layout alone: "
            "--to-layout th or --to-layout tf (to_layout=)",
        ),
        (
            {"direction": "th-to-tf", "keras_version": "new"},
            "keras_version='new': must be a version such as 1.0.6",
        ),
        ({"to_layout": "TF"}, "to_layout must be 'th' or 'tf', not 'TF'"),
        ({"to_layout": "tf", "to_kernels": "x"}, "to_kernels must be 'th' or 'tf', not 'x'"),
        ({"direction": "th-to-tf", "from_layout": "nchw"}, "from_layout must be 'th' or 'tf', not 'nchw'"),
        ({"direction": "th-to-tf", "from_kernels": ""}, "from_kernels must be 'th' or 'tf', not ''"),
        (
            {"direction": "th-to-tf", "flatten": {"fc": (6, 0, 1)}},
            "flatten of 'fc' must be (channels, height, width) or None, not (6, 0, 1)",
        ),
        (
            {"direction": "th-to-tf", "flatten": {"fc": ()}},
            "flatten of 'fc' must be (channels, height, width) or None, not ()",
        ),
        (
            {"direction": "th-to-tf", "flatten": {"fc": (6.0, 2, 1)}},
            "flatten of 'fc' must be (channels, height, width) or None, not (6.0, 2, 1)",
        ),
    ],
)
def test_arguments_are_checked(arguments, message, convolution):
    """The message says what is allowed."""
    with pytest.raises(ArgumentError) as refused:
        plan_file(convolution, **arguments)
    assert str(refused.value) == message


# What a name's ending says, and what is written then.
NAMED = {
    "new.npz": "npz",
    "new.NPZ": "npz",
    "new.safetensors": "safetensors",
    "new.weights.h5": "keras3",
    "new.h5": None,
    "new.hdf5": None,
    "new": None,
}


@pytest.mark.parametrize("name", NAMED)
def test_the_ending_says_what_is_written(name, convolution, tmp_path):
    """Asked for in words, it is the same file; an ending that says nothing leaves it in its dialect."""
    (tmp_path / "said").mkdir()
    done = convert_file(convolution, tmp_path / name, direction="th-to-tf")
    assert done.plan.to == NAMED[name]
    said = convert_file(convolution, tmp_path / "said" / name, direction="th-to-tf", to=NAMED[name])
    assert said.target.read_bytes() == done.target.read_bytes()


ONE_OF_OTHERS = "no {} file is written; its name may end in .h5, .weights.h5, .safetensors, .npz"


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("new.npz", "keras3", "files of the format keras3 are called NAME.weights.h5; see --to (to=)"),
        (
            "new.npz",
            "safetensors",
            "files of the format safetensors are called NAME.safetensors; see --to (to=)",
        ),
        ("new.safetensors", "keras1", "files of the format keras1 are called NAME.h5; see --to (to=)"),
        ("new.h5", "npz", "files of the format npz are called NAME.npz; see --to (to=)"),
        (
            "new.keras",
            None,
            "is the name of a whole model, and weights alone are none: call it NAME.weights.h5; "
            "of a whole old model zoo upgrade makes one",
        ),
        ("new.onnx", None, ONE_OF_OTHERS.format(".onnx")),
        ("new.pt", "keras3", ONE_OF_OTHERS.format(".pt")),
        ("NEW.TXT", "npz", ONE_OF_OTHERS.format(".txt")),
        (
            "new.keras",
            "keras3",
            "is the name of a whole model, and weights alone are none: call it NAME.weights.h5; "
            "of a whole old model zoo upgrade makes one",
        ),
    ],
)
def test_a_name_that_says_otherwise_is_refused(name, to, message, convolution, tmp_path):
    """Nothing is written under a name that would be read as something else."""
    with pytest.raises(ArgumentError) as caught:
        convert_file(convolution, tmp_path / name, direction="th-to-tf", to=to)
    assert str(caught.value) == f"{tmp_path / name}: {message}"
    assert sorted(tmp_path.iterdir()) == [convolution]


def test_what_a_file_is_already_is_refused(convolution, tmp_path):
    """With how that was learned; and what to say if it is wrong, unless a record said it."""
    done = convert_file(convolution, direction="th-to-tf").target
    with pytest.raises(AlreadyConvertedError) as refused:
        convert_file(done, direction="th-to-tf")
    assert str(refused.value) == f"{done}: is already in layout tf (record) with kernels tf (record)"
    with pytest.raises(AlreadyConvertedError) as refused:
        convert_file(convolution, direction="tf-to-th")
    assert str(refused.value) == (
        f"{convolution}: is already in layout th (shapes) with kernels th (array names); "
        "if that is wrong, say what it is with --from-layout and --from-kernels"
    )
    assert convert_file(convolution, direction="tf-to-th", from_kernels="tf").plan.changed
    with pytest.raises(AlreadyConvertedError, match=r"layout th \(registry\) with kernels th \(registry\);"):
        plan_file(convolution, direction="tf-to-th", registry_form=Form(layout="th", kernels="th"))


def test_what_no_answer_helps_is_said_before_anything_is_asked(tmp_path):
    """A Lambda hides the map that is flattened, and has no words in the other layout whatever the map is."""
    layers = {
        "Lambda": {
            "name": "lambda_1",
            "batch_input_shape": [None, 9, 9, 3],
            "function": ["code", None, None],
        },
        "Conv2D": {"name": "conv", "filters": 6, "kernel_size": [3, 3], "data_format": "channels_last"},
        "Flatten": {"name": "flat"},
        "Dense": {"name": "fc", "units": 2},
    }
    entries = [{"class_name": name, "config": own} for name, own in layers.items()]
    config = {"class_name": "Sequential", "config": entries}
    source = tmp_path / "model.h5"
    with h5py.File(source, "w") as file:
        file.attrs.update(keras_version="2.0.8", backend="tensorflow", model_config=json.dumps(config))
        arrays = {"conv/kernel:0": counted(3, 3, 3, 6), "conv/bias:0": counted(6)}
        dense = {"fc/kernel:0": counted(294, 2), "fc/bias:0": counted(2)}
        weights = file.create_group("model_weights")
        weights.attrs.update(keras_version="2.0.8", backend="tensorflow")
        fill_named(weights, {"lambda_1": {}, "conv": arrays, "flat": {}, "fc": dense})
    why = (
        f"{source}: layer 'lambda_1' (Lambda) cannot be written down in the other layout: it works on the "
        "axes of a feature map; --to keras1 or keras2 (to=) converts its weights alone"
    )
    for flatten in (None, {"fc": (6, 7, 7)}):
        with pytest.raises(ConversionError) as refused:
            plan_file(source, direction="tf-to-th", flatten=flatten)
        assert str(refused.value) == why
    plan = plan_file(source, direction="tf-to-th", to="keras1", flatten={"fc": (6, 7, 7)})
    assert (plan.source, plan.target) == (Form(layout="tf", kernels="tf"), Form(layout="th", kernels="th"))


def test_a_direction_is_overruled_by_what_is_certain(convolution, tmp_path):
    """A file of tf layout with th kernels becomes a tf file by rotating its kernels alone."""
    mixed = convert_file(convolution, tmp_path / "mixed.h5", to_layout="tf", to_kernels="th").target
    plan = plan_file(mixed, direction="th-to-tf")
    assert (str(plan.layout), str(plan.kernels)) == ("tf (record)", "th (record)")
    assert [(array.layer, array.actions) for array in plan.changed] == [("conv", ("rotate by 180 degrees",))]


def test_the_user_overrules_a_record(convolution, tmp_path):
    """Kernels can be wrong in a record as they can be in a registry."""
    done = convert_file(convolution, tmp_path / "tf.h5", direction="th-to-tf").target
    plan = plan_file(done, direction="th-to-tf", from_kernels="th")
    assert (str(plan.layout), str(plan.kernels)) == ("tf (record)", "th (user)")


def test_a_licence_that_is_told_goes_from_file_to_file(convolution, tmp_path):
    """It is provenance: no plan reads it, and a file of which nobody told it has none."""
    there = convert_file(convolution, tmp_path / "tf.h5", direction="th-to-tf", licence="MIT (by somebody)")
    back = convert_file(there.target, tmp_path / "th.h5", direction="tf-to-th")
    silent = convert_file(convolution, tmp_path / "silent.h5", direction="th-to-tf")
    records = [inspect_file(done.target).description.record for done in (there, back, silent)]
    assert [record.licence for record in records] == ["MIT (by somebody)", "MIT (by somebody)", None]
    assert "zoo_licence" not in records[2].attributes()
    assert records[0].plan_sha256 == records[2].plan_sha256


def test_a_layout_that_nothing_tells_must_be_said():
    """Before a target can be worked out from it."""
    path = DATA / "keras122_theano_th" / "conv2d_nobias.weights.h5"
    text = "nothing in the file tells its layout; say --from-layout th or --from-layout tf (from_layout=)"
    for asked in ({"to_kernels": "tf"}, {"to": "keras1"}):
        with pytest.raises(ArgumentError) as refused:
            plan_file(path, **asked)
        assert str(refused.value) == f"{path}: {text}"
    assert str(plan_file(path, direction="th-to-tf").layout) == "th (direction)"


def test_a_layout_that_nothing_depends_on_is_not_asked_for(tmp_path):
    """Dense layers alone: in a dialect whose files keep their layout, too."""
    dense = {"fc/kernel:0": counted(7, 3), "fc/bias:0": counted(3)}
    source = write_named(tmp_path / "old.h5", {"fc": dense}, keras_version="2.4.0", backend="tensorflow")
    new = convert_file(source, tmp_path / "keras1.h5", to="keras1").target
    with h5py.File(new) as file:
        assert file["fc/fc_W:0"][()].tobytes() == dense["fc/kernel:0"].tobytes()


@pytest.mark.parametrize("name", ["vgg16", "vgg19_blocks", "googlenet"])
def test_known_files_convert_without_being_told(name, tmp_path):
    """The structure tells the flattened maps; --arch gives the same, under the architecture's name."""
    structure = load_structure(name)
    path = write_empty(tmp_path / "weights.h5", structure)
    maps = {layer.name: (layer.flatten,) for layer in structure.layers if layer.flatten}
    plan = plan_file(path, direction="th-to-tf")
    assert {key: found.rows for key, found in plan.flatten.items() if found.rows} == maps
    assert {found.source for found in plan.flatten.values()} == {"structure"}
    assert plan_file(path, direction="th-to-tf", arch=name.split("_")[0]).arrays == plan.arrays


def test_an_architecture_that_is_asked_for_must_fit(convolution):
    """A wrong name and a wrong file are told apart."""
    with pytest.raises(StructureMismatchError, match="not the layers of resnet50: layer 'conv1' is missing"):
        plan_file(convolution, direction="th-to-tf", arch="resnet50")
    with pytest.raises(UnknownNameError, match=r"^no structure is called 'resnet5'; did you mean resnet50"):
        plan_file(convolution, direction="th-to-tf", arch="resnet5")


def test_the_user_overrules_a_structure(tmp_path):
    """Somebody may have trained the same layers on another order of rows."""
    path = write_empty(tmp_path / "weights.h5", load_structure("vgg16"))
    plan = plan_file(path, direction="th-to-tf", flatten={"dense_1": None})
    assert plan.flatten["dense_1"].rows is None


def test_nothing_is_read_or_written_for_a_plan(tmp_path):
    """A plan of a 553 MB network costs no more than its names and shapes."""
    path = write_empty(tmp_path / "weights.h5", load_structure("vgg16"))
    plan = plan_file(path, direction="th-to-tf")
    assert (plan.nbytes, path.stat().st_blocks * 512 < 1_000_000) == (553_430_176, True)
    assert [item.name for item in tmp_path.iterdir() if item.is_file()] == ["weights.h5"]


@pytest.mark.parametrize(
    ("sample", "layer"),
    [
        ("permute_reshape_dense", "permute_1"),
        ("nested_model", "inner_bn"),
        ("timedist_conv2d", "timedistributed_1"),
    ],
)
def test_a_whole_model_that_cannot_be_told_in_the_other_layout_is_refused(sample, layer):
    """Before anything is read, with the layer's name."""
    with pytest.raises(ConversionError, match=f"layer '{layer}'"):
        plan_file(
            DATA / "keras122_theano_th" / f"{sample}.model.h5",
            direction="th-to-tf",
            flatten={layer_of(sample): None},
        )


def layer_of(sample):
    """Return the sample's layer of which the file alone does not tell what is in front of it."""
    return {"nested_model": "outer_fc", "timedist_conv2d": "lstm_1"}.get(sample, "dense_1")


def test_errors_share_one_root(tmp_path):
    """One except clause catches all of them."""
    with pytest.raises(ZooError):
        plan_file(tmp_path / "missing.h5", direction="th-to-tf")
    assert issubclass(UnknownFlattenError, ZooError)


def test_inspecting_says_what_a_file_is(convolution):
    """Dialect, layout, kernels, layers, arrays and parameters, as JSON can hold them."""
    found = inspect_file(convolution)
    assert json.loads(json.dumps(found.as_dict())) == {
        "path": str(convolution),
        "bytes": convolution.stat().st_size,
        "dialect": "keras1",
        "keras_version": None,
        "backend": None,
        "whole_model": False,
        "layout": "th",
        "layout_from": "shapes",
        "kernels": "th",
        "kernels_from": "array names",
        "structure": None,
        "record": None,
        "layers": [
            {
                "name": "conv",
                "kind": "Conv2D",
                "arrays": [
                    {"name": "conv_W", "role": "kernel", "shape": [6, 3, 3, 5], "dtype": "float32"},
                    {"name": "conv_b", "role": "bias", "shape": [6], "dtype": "float32"},
                ],
            },
            {
                "name": "fc",
                "kind": "Dense",
                "arrays": [
                    {"name": "fc_W", "role": "kernel", "shape": [6, 2], "dtype": "float32"},
                    {"name": "fc_b", "role": "bias", "shape": [2], "dtype": "float32"},
                ],
            },
        ],
        "arrays": 4,
        "parameters": 290,
    }


def test_inspecting_a_converted_file_shows_its_record(convolution):
    """What it was made from can be looked up later."""
    done = convert_file(convolution, direction="th-to-tf")
    found = inspect_file(done.target).as_dict()
    assert (found["layout_from"], found["kernels_from"]) == ("record", "record")
    assert found["record"] == done.record.attributes()


def test_inspecting_says_what_is_not_known(tmp_path):
    """A Keras 2 weights file tells its kernels but not its layout; unknown kinds are shown, not refused."""
    found = inspect_file(DATA / "keras224_theano_cf" / "bilstm.weights.h5").as_dict()
    assert (found["layout"], found["kernels"], found["kernels_from"]) == (None, "th", "backend attribute")
    assert (found["keras_version"], found["layers"][0]["kind"]) == ("2.2.4", "Bidirectional")
    path = write_named(tmp_path / "weights.h5", {"odd": {"odd_omegas": counted(3, 2)}})
    assert inspect_file(path).as_dict()["layers"][0]["kind"] is None


def test_inspecting_recognises_a_published_network(tmp_path):
    """By its layers, not by the file's name."""
    path = write_empty(tmp_path / "weights.h5", load_structure("densenet161"), layout="tf")
    found = inspect_file(path)
    assert (found.structure, found.layout.value, found.arrays) == ("densenet161", "tf", 1128)


def test_inspecting_anything_else_says_what_it_is(tmp_path):
    """As opening it for a conversion does."""
    (tmp_path / "page.h5").write_text("<html>")
    with pytest.raises(FileFormatError, match="not an HDF5 file but an HTML page"):
        inspect_file(tmp_path / "page.h5")


_PATH, _TEXTS = "must be a text or a path", "must be several texts in a list"


@pytest.mark.parametrize(
    ("function", "arguments", "name", "must"),
    [
        (converters.inspect_file, [], "path", _PATH),
        (converters.plan_file, [], "src", _PATH),
        (converters.convert_file, [], "src", _PATH),
        (converters.convert_file, ["old.h5"], "dst", _PATH),
        (converters.plan_upgrade, [], "source", _PATH),
        (converters.upgrade_file, [], "source", _PATH),
        (converters.upgrade_file, ["old.h5"], "target", _PATH),
        (converters.parse_flatten, [], "texts", _TEXTS),
        (converters.parse_layers, [], "texts", _TEXTS),
    ],
)
def test_what_is_no_path_is_refused_in_our_words(function, arguments, name, must):
    """Nothing, where it stands for nothing, a number, and of texts one alone or other things."""
    wrong = [*([] if arguments else [None]), 7, *(["fc=none", [None]] if must == _TEXTS else [])]
    for given in wrong:
        with pytest.raises(ArgumentError) as caught:
            function(*arguments, given)
        assert str(caught.value) == f"{name}={given!r}: {must}"


def test_every_public_function_is_among_them():
    """One that is new is tested so too."""
    marks = test_what_is_no_path_is_refused_in_our_words.pytestmark
    tested = {function for function, *_ in marks[0].args[1]}
    public = {getattr(converters, name) for name in converters.__all__}
    assert tested == {one for one in public if callable(one) and not isinstance(one, type)}


def test_weights_beside_a_configuration_are_a_path():
    """Whatever the file is."""
    with pytest.raises(ArgumentError) as caught:
        converters.plan_upgrade("old.json", weights=7)
    assert str(caught.value) == "weights=7: must be a text or a path"


@pytest.mark.parametrize("packed", [{}, {"chunks": (4,), "compression": "gzip"}], ids=["plain", "packed"])
def test_truth_values_are_numbers_of_one_byte(packed, tmp_path):
    """As TensorFlow Addons keep them; in a file of the same dialect they are what they were."""
    old, new, other = (tmp_path / name for name in ("old.h5", "new.h5", "new.safetensors"))
    layers = {**keras1(conv=(6, 3, 3, 5)), "wn": {"wn_g": counted(5), "wn_initialized": counted(9)}}
    write_named(old, layers)
    truth = np.arange(9) % 2 == 0
    with h5py.File(old, "r+") as file:
        del file["wn/wn_initialized"]
        file["wn"].create_dataset("wn_initialized", data=truth, **packed)
    said = {"direction": "th-to-tf", "layers": {"wn": "Other"}}
    convert_file(old, new, **said)
    convert_file(old, other, **said, to="safetensors")
    with h5py.File(new) as file:
        found = file["wn/wn_initialized"]
        assert (found.dtype, found[()].tolist()) == (np.dtype(bool), truth.tolist())
    (numbers,) = (values for values in load_file(other).values() if values.shape == (9,))
    assert (numbers.dtype, numbers.tolist()) == (np.dtype("i1"), truth.astype(int).tolist())

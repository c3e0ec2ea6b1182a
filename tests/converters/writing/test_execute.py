"""Carrying out conversions: the samples of the original software, round trips, and what must never happen."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import convert_file, plan_file
from converters.arrays.form import TF, TH, Form
from converters.errors import AlreadyConvertedError, ConversionError, FileFormatError
from converters.formats.dialects import describe
from converters.planning.making import make_plan
from converters.planning.plan import plan_digest
from converters.version import RULES_NUMBER
from converters.writing.execute import arrays, write
from tests.support.dialect_samples import DATA, SAMPLES, in_each_run, is_last, told
from tests.support.numpy_network import outputs
from tests.support.weight_files import counted, keras1, write_named

# How each version divides by the deviation: the one vector holds a deviation, then a variance.
DEVIATIONS = {
    "keras033": lambda stored, epsilon: stored + epsilon,
    "keras107": lambda stored, epsilon: np.sqrt(stored) + epsilon,
}
# Layers that the NumPy executor lacks: their samples run in Keras itself, in test_dialect_samples.
NOT_HERE = re.compile(
    r'"(Bidirectional|Conv.DTranspose|ConvLSTM2D|Deconvolution2D|DepthwiseConv2D|Embedding|GRU|Highway|LSTM|'
    r"LocallyConnected.D|MaxoutDense|PReLU|ParametricSoftplus|SReLU|SeparableConv.D|SimpleRNN|"
    r'TimeDistributed)"'
)
# Besides, pooling with Theano's own padding, and models within a layer.
RUN = [
    sample
    for sample in SAMPLES
    if not re.search("/(pool_same|legacy_merge_sequential|nested_.*)$", sample)
    and not NOT_HERE.search((DATA / f"{sample}.json").read_text())
]
# What works on the axes of a map cannot be written down in the other layout, so the whole model is refused
# and its weights are not.
_REFUSED = re.compile(
    r".*/(permute_reshape_dense|nested_model|nested_sequential|timedist_(conv2d|bn)|convlstm2d)\.model\.h5"
)
FILES = sorted(
    path.relative_to(DATA).as_posix()
    for path in DATA.glob("*/*.h5")
    if not _REFUSED.fullmatch(path.relative_to(DATA).as_posix())
)


def to_tf(source, target, name):
    """Convert a sample's file to tf layout and kernels."""
    return convert_file(source, target, **told(name.removesuffix(".h5").rpartition(".")[0] or name))


def contents(path):
    """Return everything in a file: attributes with their types, datasets with their types and bytes."""
    found = {}

    def note(name, item):
        attributes = {
            key: plain(item.attrs.get_id(key), value)
            for key, value in item.attrs.items()
            if not key.startswith("zoo_")
        }
        data = (item.dtype, item.shape, item[()].tobytes()) if isinstance(item, h5py.Dataset) else None
        found[name] = (attributes, data)

    with h5py.File(path, "r") as file:
        note("", file)
        file.visititems(note)
    return found


def plain(attribute, value):
    """Return an attribute's type, shape and bytes; text and nothing as they are."""
    if isinstance(value, str | h5py.Empty):
        return value
    return attribute.dtype, attribute.shape, np.asarray(value).tobytes()


def channels_last(array):
    """Return a batch of maps with the channels last."""
    return np.moveaxis(array, 1, -1) if array.ndim > 3 else array


@pytest.mark.parametrize("name", in_each_run(FILES))
def test_there_and_back_gives_every_bit(name, tmp_path):
    """A sample comes back from tf with all its bytes, attributes and types as they were."""
    source = DATA / name
    to_tf(source, tmp_path / "tf.h5", name)
    back = {"to_layout": "tf", "to_kernels": "th"} if is_last(name) else {"direction": "tf-to-th"}
    layers = told(name.removesuffix(".h5").rpartition(".")[0])["layers"]
    convert_file(tmp_path / "tf.h5", tmp_path / "back.h5", layers=layers, **back)
    assert contents(tmp_path / "back.h5") == contents(source)


@pytest.mark.parametrize("kind", ["weights", "model"])
@pytest.mark.parametrize("sample", in_each_run(RUN))
def test_a_converted_sample_gives_the_recorded_outputs(sample, kind, tmp_path):
    """What the original software computed comes out of the converted file too."""
    source = DATA / f"{sample}.{kind}.h5"
    if f"{sample}.{kind}.h5" not in FILES:
        source = DATA / f"{sample}.weights.h5"
    to_tf(source, tmp_path / "tf.h5", sample)
    recorded = np.load(DATA / f"{sample}.npz")
    order = np.asarray if is_last(sample) else channels_last
    inputs = [order(recorded[key]) for key in sorted(recorded) if key.startswith("x")]
    expected = [order(recorded[key]) for key in sorted(recorded) if key.startswith("y")]
    deviation = DEVIATIONS.get(sample.split("_")[0], lambda stored, epsilon: np.sqrt(stored + epsilon))
    got = outputs(DATA / f"{sample}.json", tmp_path / "tf.h5", inputs, {"deviation": deviation})
    for value, wanted in zip(got, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def small(path, **attributes):
    """Write a Keras 1 file in th layout: a convolution, a Flatten, two dense layers."""
    layers = keras1(conv=(6, 3, 3, 5), flatten=None, fc=(72, 7), out=(7, 5))
    return write_named(path, layers, **attributes)


MAP = {"fc": (6, 3, 4)}
FORMS = [Form(layout=layout, kernels=kernels) for layout in ("th", "tf") for kernels in ("th", "tf")]


@pytest.mark.parametrize("end", FORMS, ids=str)
@pytest.mark.parametrize("start", FORMS, ids=str)
def test_each_of_the_four_forms_becomes_each_other(start, end, tmp_path):
    """Whatever the way, the same form is the same file."""
    files = {TH: small(tmp_path / "0.h5")}
    for number, form in enumerate(FORMS[1:], 1):
        files[form] = tmp_path / f"{number}.h5"
        convert_file(files[TH], files[form], to_layout=form.layout, to_kernels=form.kernels, flatten=MAP)
    target = tmp_path / "again.h5"
    if start == end == TH:
        start = TF
    if start == end:
        with pytest.raises(AlreadyConvertedError):
            convert_file(files[start], target, to_layout=end.layout, to_kernels=end.kernels)
        return
    convert_file(files[start], target, to_layout=end.layout, to_kernels=end.kernels, flatten=MAP)
    assert contents(target) == contents(files[end])


@st.composite
def networks(draw):
    """Draw a small network in th form: its arrays by layer, and the maps in front of its dense layers."""
    layers, maps = {}, {}
    channels = draw(st.integers(1, 4))
    for number in range(draw(st.integers(1, 3))):
        space = draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
        outputs_ = draw(st.integers(1, 5))
        name = f"convolution{len(space)}d_{number + 1}"
        layers[name] = {
            f"{name}_W": counted(outputs_, channels, *space, dtype=draw(DTYPES)),
            f"{name}_b": counted(outputs_),
        }
        channels = outputs_
    for number in range(draw(st.integers(0, 2))):
        shape = tuple(draw(st.lists(st.integers(1, 3), min_size=2, max_size=3)))
        rows = channels * int(np.prod(shape))
        layers[f"fc{number}"] = {f"fc{number}_W": counted(rows, 2, dtype=draw(DTYPES))}
        maps[f"fc{number}"] = (channels, *shape)
    return layers, maps


DTYPES = st.sampled_from(["<f2", "<f4", "<f8", ">f4"])


@settings(max_examples=20)
@given(networks(), st.permutations(FORMS))
def test_any_network_comes_back_from_any_tour(network, tour):
    """Through all four forms in any order and home again: every bit, type and attribute is as it was."""
    layers, maps = network
    with tempfile.TemporaryDirectory() as folder:
        first = now = write_named(Path(folder) / "0.h5", layers)
        form = TH
        for number, step in enumerate([*tour, TH], 1):
            if step == form:
                continue
            target = Path(folder) / f"{number}.h5"
            known = (
                {}
                if number > 1 and form != TH
                else {"from_layout": form.layout, "from_kernels": form.kernels}
            )
            convert_file(now, target, to_layout=step.layout, to_kernels=step.kernels, flatten=maps, **known)
            now, form = target, step
        assert contents(now) == contents(first)


def test_arrays_are_given_in_the_target_form_without_a_file(tmp_path):
    """What loading reads is what the file would hold."""
    source = small(tmp_path / "th.h5")
    plan = plan_file(source, direction="th-to-tf", flatten=MAP)
    found = {array.path: values for array, values in arrays(plan)}
    write(plan, tmp_path / "tf.h5")
    with h5py.File(tmp_path / "tf.h5") as file:
        for path, values in found.items():
            assert values.flags.c_contiguous
            np.testing.assert_array_equal(file[path][()], values)
    assert [array.layer for array in plan.arrays] == ["conv", "conv", "fc", "fc", "out", "out"]


def test_a_plan_that_changes_nothing_gives_the_arrays_as_they_are(tmp_path):
    """A tf file loads through the same door."""
    source = small(tmp_path / "th.h5")
    plan = make_plan(describe(source), target=TH)
    for array, values in arrays(plan):
        with h5py.File(source) as file:
            np.testing.assert_array_equal(file[array.path][()], values)


def test_the_new_file_says_what_it_is(tmp_path):
    """Its form, what it was made from, and which rows moved."""
    source = small(tmp_path / "th.h5")
    conversion = convert_file(source, tmp_path / "tf.h5", direction="th-to-tf", flatten=MAP)
    record = conversion.record
    with h5py.File(tmp_path / "tf.h5") as file:
        kept = {name: value for name, value in file.attrs.items() if name.startswith("zoo_")}
    assert (
        kept
        == record.attributes()
        == {
            "zoo_schema": "1",
            "zoo_layout": "tf",
            "zoo_kernels": "tf",
            "zoo_source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            "zoo_source_layout": "th",
            "zoo_source_kernels": "th",
            "zoo_converter": "keras-weight-zoo 0.1.0",
            "zoo_rules": str(RULES_NUMBER),
            "zoo_plan_sha256": plan_digest(conversion.plan),
            "zoo_verified": '{"arrays": 6, "values": 827, "recomputed": []}',
            "zoo_network": '{"schema":1,"layers":[{"name":"conv","kind":"Conv2D","doubtful":true},'
            '{"name":"flatten","kind":"Flatten","weights":false},'
            '{"name":"fc","kind":"Dense","flatten":"6x3x4"},{"name":"out","kind":"Dense","flatten":"none"}]}',
        }
    )
    assert describe(tmp_path / "tf.h5").record == record


def test_the_backend_follows_the_kernels(tmp_path):
    """Keras 2 rotates kernels on loading where the attribute is another backend's, so it must not lie."""
    name = "keras205_theano_cf/conv2d_flatten_dense_dense.model.h5"
    convert_file(DATA / name, tmp_path / "tf.h5", direction="th-to-tf")
    with h5py.File(tmp_path / "tf.h5") as file:
        assert (file.attrs["backend"], file["model_weights"].attrs["backend"]) == ("tensorflow", "tensorflow")
    source = write_named(
        tmp_path / "cntk.h5",
        {"c": {"c/kernel:0": counted(3, 3, 2, 4), "c/bias:0": counted(4)}},
        backend="cntk",
        keras_version="2.1.0",
    )
    convert_file(source, tmp_path / "th.h5", direction="tf-to-th")
    convert_file(tmp_path / "th.h5", tmp_path / "back.h5", direction="th-to-tf")
    with h5py.File(tmp_path / "th.h5") as there, h5py.File(tmp_path / "back.h5") as back:
        assert (there.attrs["backend"], back.attrs["backend"]) == ("theano", "cntk")


def test_the_configuration_follows_the_layout(tmp_path):
    """Orders, input shapes and axes of a whole model are those of the new file; its optimizer stays."""
    source = DATA / "keras122_theano_th" / "compiled_adam_one_step.model.h5"
    convert_file(source, tmp_path / "tf.h5", direction="th-to-tf")
    with h5py.File(tmp_path / "tf.h5") as file, h5py.File(source) as old:
        conv, norm, *_ = [layer["config"] for layer in json.loads(file.attrs["model_config"])["config"]]
        assert (conv["dim_ordering"], conv["batch_input_shape"], norm["axis"]) == ("tf", [None, 6, 7, 3], 3)
        assert file.attrs["training_config"] == old.attrs["training_config"]
        np.testing.assert_array_equal(
            file["optimizer_weights/param_9"][()], old["optimizer_weights/param_9"][()]
        )


def test_what_is_not_converted_stays(tmp_path):
    """Other groups, datasets and attributes of any type are copied as they are."""
    source = small(tmp_path / "th.h5", note="mine", numbers=np.arange(3), nothing=h5py.Empty("f4"))
    with h5py.File(source, "r+") as file:
        file.create_dataset(
            "history/loss", data=np.arange(5.0), chunks=(2,), compression="gzip", maxshape=(None,)
        )
        file["history"].attrs["epochs"] = np.array([b"one", b"two"])
        file["conv"].attrs["flag"] = True
        file["conv/conv_W"].attrs["unit"] = "none"
    convert_file(source, tmp_path / "tf.h5", direction="th-to-tf", flatten=MAP)
    before, after = contents(source), contents(tmp_path / "tf.h5")
    for name in ("", "conv", "history", "history/loss", "conv/conv_b"):
        assert after[name] == before[name]
    assert after["conv/conv_W"][0] == before["conv/conv_W"][0]
    with h5py.File(tmp_path / "tf.h5") as file:
        assert (file["history/loss"].chunks, file["history/loss"].compression) == ((2,), "gzip")


def test_chunks_and_filters_follow_the_axes(tmp_path):
    """A compressed kernel stays one, its chunks turned as its axes are."""
    source = small(tmp_path / "th.h5")
    with h5py.File(source, "r+") as file:
        values = file["conv/conv_W"][()]
        del file["conv/conv_W"]
        file["conv"].create_dataset(
            "conv_W",
            data=values,
            chunks=(2, 3, 1, 5),
            compression="gzip",
            shuffle=True,
            maxshape=(None, 3, 3, 5),
        )
    convert_file(source, tmp_path / "tf.h5", direction="th-to-tf", flatten=MAP)
    with h5py.File(tmp_path / "tf.h5") as file:
        kernel = file["conv/conv_W"]
        assert (kernel.shape, kernel.chunks, kernel.maxshape) == ((3, 5, 3, 6), (1, 5, 3, 2), (3, 5, 3, None))
        assert (kernel.compression, kernel.shuffle) == ("gzip", True)
        assert file["fc/fc_W"].chunks is None
    convert_file(tmp_path / "tf.h5", tmp_path / "back.h5", direction="tf-to-th")
    assert contents(tmp_path / "back.h5") == contents(source)


def test_progress_counts_every_byte_once(tmp_path):
    """It ends with all bytes done."""
    seen = []
    plan = convert_file(
        small(tmp_path / "th.h5"),
        direction="th-to-tf",
        flatten=MAP,
        progress=lambda done, total: seen.append((done, total)),
    ).plan
    sizes = [array.nbytes for array in plan.arrays]
    assert seen == [(sum(sizes[: count + 1]), plan.nbytes) for count in range(len(sizes))]
    assert seen[-1] == (plan.nbytes, plan.nbytes)


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError, OSError("no space left")])
def test_a_target_appears_whole_or_not_at_all(fault, tmp_path):
    """Whatever goes wrong on the way, nothing is left behind and the source is as it was."""
    source = small(tmp_path / "th.h5")
    before = source.read_bytes()
    expected = ConversionError if isinstance(fault, OSError) else fault

    def fail(done, total):
        assert [path.suffix for path in tmp_path.iterdir()].count(".part") == 1
        raise fault

    with pytest.raises(expected) as refused:
        convert_file(source, tmp_path / "tf.h5", direction="th-to-tf", flatten=MAP, progress=fail)
    if expected is ConversionError:
        assert str(refused.value) == f"{tmp_path / 'tf.h5'}: cannot be written (no space left)"
    assert [path.name for path in tmp_path.iterdir()] == ["th.h5"]
    assert source.read_bytes() == before


@pytest.mark.parametrize("direction", ["th-to-tf", "tf-to-th"])
def test_no_large_array_is_held(direction, tmp_path):
    """Neither writing nor verifying takes a quarter of the memory of one array."""
    source = write_named(tmp_path / "old.h5", {"conv": {}})
    shape = (1024, 1820, 3, 3) if direction == "th-to-tf" else (3, 3, 1820, 1024)
    values = np.lib.stride_tricks.as_strided(np.float32(1.5), shape, (0, 0, 0, 0))
    with h5py.File(source, "r+") as file:
        file["conv"].attrs["weight_names"] = [b"conv_W", b"conv_b"]
        file["conv"].create_dataset("conv_W", data=values)
        file["conv"]["conv_b"] = np.zeros(1024, "f4")
    tracemalloc.start()
    try:
        proof = convert_file(source, tmp_path / "new.h5", direction=direction, verify=True).record.proof
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert proof.values == 1024 * 1820 * 9 + 1024
    assert most < 4 * proof.values // 4


def test_a_file_that_is_there_is_kept(tmp_path):
    """Unless it is to be replaced, and even then until the new one is whole."""
    source, target = small(tmp_path / "th.h5"), tmp_path / "tf.h5"
    target.write_text("precious")
    with pytest.raises(ConversionError) as refused:
        convert_file(source, target, direction="th-to-tf", flatten=MAP)
    assert str(refused.value) == f"{target}: exists already; use --force (force=True) to replace it"
    with pytest.raises(KeyboardInterrupt):
        convert_file(source, target, direction="th-to-tf", flatten=MAP, force=True, progress=interrupt)
    assert target.read_text() == "precious"
    convert_file(source, target, direction="th-to-tf", flatten=MAP, force=True)
    assert describe(target).record.form == TF


def test_a_disk_that_fails_is_noticed(tmp_path, monkeypatch):
    """The system tells of a failed write only once, to the first who asks: that must not be lost."""

    def fail(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("converters.writing.execute.sync", fail)
    with pytest.raises(ConversionError) as refused:
        convert_file(small(tmp_path / "th.h5"), direction="th-to-tf", flatten=MAP)
    assert str(refused.value) == (
        f"{tmp_path / 'th_tf.h5'}: cannot be written ([Errno 5] Input/output error)"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["th.h5"]


def test_what_is_no_file_is_never_replaced(tmp_path):
    """Not by force either: a pipe or a device would be gone."""
    target = tmp_path / "pipe"
    os.mkfifo(target)
    with pytest.raises(ConversionError) as refused:
        convert_file(small(tmp_path / "th.h5"), target, direction="th-to-tf", flatten=MAP, force=True)
    assert str(refused.value) == f"{target}: is a device or a pipe, no file; give the name of a file"
    assert target.is_fifo()


def interrupt(done, total):
    """Stop as a user does."""
    raise KeyboardInterrupt


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    """Somebody else may have written it."""
    target = tmp_path / "tf.h5"
    with pytest.raises(ConversionError, match="exists already"):
        convert_file(
            small(tmp_path / "th.h5"),
            target,
            direction="th-to-tf",
            flatten=MAP,
            progress=lambda done, total: target.write_text("theirs"),
        )
    assert target.read_text() == "theirs"


@pytest.mark.parametrize("kind", ["same", "symbolic", "hard"])
def test_the_source_is_never_the_target(kind, tmp_path):
    """Not under another name either, and not by force."""
    source = target = small(tmp_path / "th.h5")
    before = source.read_bytes()
    if kind != "same":
        target = tmp_path / "link.h5"
        (target.symlink_to if kind == "symbolic" else target.hardlink_to)(source)
    with pytest.raises(ConversionError) as refused:
        convert_file(source, target, direction="th-to-tf", flatten=MAP, force=True)
    assert (
        str(refused.value) == f"{target}: is the source itself, which is never written to; give another name"
    )
    assert source.read_bytes() == before


def test_a_map_may_be_of_numpy_integers(tmp_path):
    """As they come out of a shape that was computed."""
    source = small(tmp_path / "th.h5")
    plain = convert_file(source, tmp_path / "a.h5", direction="th-to-tf", flatten=MAP).target
    numbers = {name: tuple(map(np.int64, shape)) for name, shape in MAP.items()}
    other = convert_file(source, tmp_path / "b.h5", direction="th-to-tf", flatten=numbers).target
    assert plain.read_bytes() == other.read_bytes()


def test_a_target_needs_a_folder(tmp_path):
    """And must not be one."""
    source = small(tmp_path / "th.h5")
    with pytest.raises(ConversionError) as refused:
        convert_file(source, tmp_path / "no" / "tf.h5", direction="th-to-tf", flatten=MAP)
    assert str(refused.value) == f"{tmp_path / 'no' / 'tf.h5'}: the folder {tmp_path / 'no'} does not exist"
    with pytest.raises(ConversionError, match=r": is a folder; give the name of a file$"):
        convert_file(source, tmp_path, direction="th-to-tf", flatten=MAP, force=True)


def test_the_new_file_has_ordinary_permissions(tmp_path):
    """Those that any new file gets, not those of a temporary one."""
    (tmp_path / "other").touch()
    target = convert_file(small(tmp_path / "th.h5"), direction="th-to-tf", flatten=MAP).target
    assert target.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_source_that_changes_meanwhile_is_noticed(tmp_path):
    """A plan is for the file that it was made of."""
    source = small(tmp_path / "th.h5")
    plan = plan_file(source, direction="th-to-tf", flatten=MAP)
    with h5py.File(source, "r+") as file:
        del file["out/out_b"]
        file["out/out_b"] = counted(6)
    with pytest.raises(ConversionError, match=r"'out/out_b' has changed since the plan was made$"):
        write(plan, tmp_path / "tf.h5")
    with h5py.File(source, "r+") as file:
        del file["out/out_b"]
    with pytest.raises(ConversionError, match=r"'out/out_b' is gone since the plan was made$"):
        write(plan, tmp_path / "tf.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["th.h5"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.__setitem__("more", h5py.SoftLink("/conv")), "'more' is a soft link"),
        (lambda file: file.__setitem__("more", h5py.ExternalLink("x.h5", "/")), "'more' is an external link"),
        (
            lambda file: file["conv"].__setitem__("loop", file["/"]),
            "'conv/loop' is in the file under two names",
        ),
        (lambda file: file.__setitem__("twin", file["conv/conv_b"]), "'twin' is in the file under two names"),
        (
            lambda file: file.create_dataset("raw", (3,), "f4", external=[("x.bin", 0, 12)]),
            "dataset 'raw' keeps its values in other files",
        ),
        (
            lambda file: file.attrs.create("ref", file.ref, dtype=h5py.ref_dtype),
            "attribute 'ref' of the root holds references",
        ),
    ],
)
def test_whatever_leads_elsewhere_is_refused(spoil, message, tmp_path):
    """Links, loops, references and storage in other files are not copied, even beside the weights."""
    source = small(tmp_path / "th.h5")
    with h5py.File(source, "r+") as file:
        spoil(file)
    with pytest.raises(FileFormatError, match=re.escape(f"{source}: {message}")):
        convert_file(source, direction="th-to-tf", flatten=MAP)
    assert not list(tmp_path.glob("*tf*"))

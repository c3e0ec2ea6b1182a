"""What the names of arrays tell of a Keras 1 file's kernels: they end in ``:0`` if TensorFlow wrote it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import h5py
import numpy as np
import pytest

from converters import convert_file, inspect_file, plan_file
from converters.errors import ConversionError, doubts_of
from converters.planning.facts import kernels_of_file_name
from tests.support.dialect_samples import DATA, SAMPLES, told
from tests.support.weight_files import BY_NAMES, arrays, counted, rewritten, without_record, write_named
from zoo.registry import architecture, list_models

KERAS_1 = [sample for sample in SAMPLES if sample.startswith("keras1")]
MODELS = [sample for sample in KERAS_1 if (DATA / f"{sample}.model.h5").exists()]


def as_tensorflow(source, target, *, ending=":0"):
    """Write what TensorFlow would have of the network of a Theano file: turned kernels, other names."""
    return rewritten(source, target, lambda name: f"{name}{ending}", _turned)


def _turned(values):
    """Return a kernel of th layout turned in its spatial axes; a 1-D one has them first, or (L, 1) last."""
    if values.ndim < 4:
        return values
    spatial = (0, 1) if values.shape[1] == 1 else tuple(range(2, values.ndim))
    return np.flip(values, spatial)


def kernels(path, **facts):
    """Return how a file's kernels are stored and who tells it."""
    return str(inspect_file(path, **facts).kernels)


@pytest.mark.parametrize("sample", KERAS_1)
def test_a_file_of_tensorflow_becomes_what_its_theano_twin_does(sample, tmp_path):
    """The same network saved on either backend, both in th order: one file is the other's rotation."""
    source = DATA / f"{sample}.weights.h5"
    twin = as_tensorflow(source, tmp_path / "twin.h5")
    assert kernels(source) == "th (array names)"
    assert kernels(twin) == "tf (array names)"
    for path in (source, twin):
        convert_file(path, tmp_path / f"{path.name}.weights.h5", to="keras3", **told(sample))
    expected, found = (arrays(tmp_path / f"{path.name}.weights.h5") for path in (source, twin))
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("sample", MODELS)
def test_of_a_whole_model_the_names_are_believed(sample, tmp_path):
    """Nobody takes one apart to turn its kernels: no question and no doubt, whatever it is called."""
    twin = as_tensorflow(DATA / f"{sample}.model.h5", tmp_path / "model_th_kernels.h5")
    plan = plan_file(twin, to_layout="th", to_kernels="th")
    assert str(plan.kernels) == "tf (array names)"
    assert not [note for note in plan.typed_notes if "kernels" in note]


CONV = {"conv": {"conv_W": counted(6, 3, 3, 5), "conv_b": counted(6)}}


def conv(path, ending=""):
    """Write a Keras 1 file with one convolution in th layout."""
    layers = {
        name: {f"{array}{ending}": values for array, values in own.items()} for name, own in CONV.items()
    }
    return write_named(path, layers)


@pytest.mark.parametrize(
    ("ending", "note"),
    [
        ("", BY_NAMES),
        (
            ":0",
            "the kernels are taken to be stored as TensorFlow does (tf): its arrays' names end in :0;"
            " if somebody turned them, say --from-kernels th",
        ),
    ],
)
def test_of_weights_alone_it_is_said(ending, note, tmp_path):
    """Somebody may have turned Theano's kernels on TensorFlow and saved them, or forgotten to."""
    plan = plan_file(conv(tmp_path / "weights.h5", ending), direction="th-to-tf")
    assert plan.typed_notes == doubts_of(plan.typed_notes) == (note,)


@pytest.mark.parametrize(
    ("ending", "called", "said", "why"),
    [
        (
            ":0",
            "tf_dim_ordering_th_kernels.h5",
            "th",
            "its arrays' names end in :0, as TensorFlow gives them (kernels tf)",
        ),
        (
            "",
            "tagger_tensorflow.h5",
            "tf",
            "none of its arrays' names ends in :0, as Theano gives them (kernels th)",
        ),
    ],
)
def test_a_file_whose_own_name_contradicts_is_asked_about(ending, called, said, why, tmp_path):
    """The question names both; either answer is obeyed, and what the names say against it is noted."""
    path = conv(tmp_path / called, ending)
    with pytest.raises(ConversionError) as refused:
        plan_file(path, direction="th-to-tf")
    advice = "say --from-kernels th or --from-kernels tf (from_kernels=, of zoo.load kernels=)"
    assert str(refused.value) == f"{path}: {why}, but the file's own name says kernels {said}; {advice}"
    for answer in ("th", "tf"):
        plan = plan_file(path, direction="th-to-tf", from_kernels=answer)
        assert str(plan.kernels) == f"{answer} (user)"
        assert [
            note.partition(", as was said, although ")[2].partition(",")[0] for note in plan.typed_notes
        ] == ([] if answer != said else [why.partition(",")[0]])
        assert doubts_of(plan.typed_notes) == ()


def test_a_name_of_the_file_without_kernels_is_nobody_s_concern(tmp_path):
    """Where there is nothing to turn, nothing is asked and nothing is noted."""
    path = write_named(tmp_path / "theano_fc.h5", {"fc": {"fc_W:0": counted(3, 4), "fc_b:0": counted(4)}})
    assert plan_file(path, to="keras2").typed_notes == ()


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("vgg16_weights_tf_dim_ordering_th_kernels.h5", "th"),
        ("vgg16_weights_th_dim_ordering_tf_kernels_notop.h5", "tf"),
        ("weights_tf_dim_ordering.h5", None),
        ("tensorflow_dim_ordering.h5", None),
        ("music_tagger_cnn_weights_tensorflow.h5", "tf"),
        ("music_tagger_crnn_weights_theano.h5", "th"),
        ("Model-Theano-Kernels.hdf5", "th"),
        ("theano_to_tensorflow.h5", None),
        ("tensorflow_th_kernels.h5", "th"),
        ("resnet101_weights_tf.h5", None),
        ("theanolike.h5", None),
    ],
)
def test_what_a_file_s_own_name_says(called, told):
    """Of a layout's short name nothing follows for the kernels."""
    assert kernels_of_file_name(Path("tensorflow") / called) == told


def test_no_published_name_is_contradicted():
    """Of all files that the registry knows, a name either says nothing or what the registry says."""
    said = [
        (kernels_of_file_name(Path(urlsplit(url).path)), file.kernels, url)
        for name in list_models()
        for file in architecture(name).weights
        for url in file.urls
    ]
    assert [url for told, kernels, url in said if told not in (None, kernels)] == []
    assert len([url for told, _, url in said if told]) > 20


@pytest.mark.parametrize("sample", ["keras122_theano_th/conv1d", "keras107_theano_th/conv1d"])
@pytest.mark.parametrize("ending", ["", ":0"])
def test_kernels_without_a_layout_are_told_by_the_names_too(sample, ending, tmp_path):
    """Nothing is asked about a layout on which nothing depends."""
    source = DATA / f"{sample}.weights.h5"
    path = as_tensorflow(source, tmp_path / "new.h5") if ending else source
    plan = plan_file(path, to="keras2")
    assert str(plan.layout) == "tf (assumed: nothing in the file depends on it)"
    assert any(array.rotate for array in plan.arrays) == (not ending)


def test_names_of_both_sorts_tell_nothing(tmp_path):
    """Then the kernels are assumed, or asked about where there is no layout to go by."""
    layers = {"conv": {"conv_W:0": counted(6, 3, 3, 5), "conv_b": counted(6)}}
    plan = plan_file(write_named(tmp_path / "two.h5", layers), direction="th-to-tf")
    assert str(plan.kernels) == "th (assumed)"
    assert doubts_of(plan.typed_notes) == (
        "nothing tells how the kernels are stored: taken to match the layout (th)",
    )
    layers = {
        "convolution1d_1": {"convolution1d_1_W:0": counted(3, 1, 4, 5), "convolution1d_1_b": counted(5)}
    }
    path = write_named(tmp_path / "one.h5", layers)
    with pytest.raises(ConversionError) as refused:
        plan_file(path, to="keras2")
    question = "nothing in the file tells how its kernels are stored"
    assert str(refused.value) == f"{path}: {question}; say --from-kernels th or --from-kernels tf"
    assert plan_file(path, to="keras2", from_kernels="th").changed


def test_what_is_more_certain_comes_first(tmp_path):
    """A record and a backend attribute are believed before the names, and nothing is in doubt then."""
    new = tmp_path / "new_tensorflow.h5"
    convert_file(conv(tmp_path / "old.h5"), new, direction="th-to-tf")
    assert kernels(new) == "tf (record)"
    assert plan_file(new, direction="tf-to-th").typed_notes == ()
    assert kernels(without_record(new)) == "th (array names)"
    path = conv(tmp_path / "backend.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "1.2.2", "tensorflow"
    assert kernels(path) == "tf (backend attribute)"


MADE_KERAS_1 = [
    "keras033_theano_th/conv1d",
    "keras033_theano_th/vgg_like",
    "keras122_theano_th/convlstm2d",
    "keras122_theano_th/nested_sequential",
    "keras205_theano_cf/conv3d",
    "keras224_theano_cf/conv1d",
    "keras224_theano_cf/conv2d_flatten_dense_dense",
]


@pytest.mark.parametrize("value", ["th", "tf"])
@pytest.mark.parametrize("sample", MADE_KERAS_1)
def test_a_written_keras_1_file_has_the_names_that_its_kernels_have(sample, value, tmp_path):
    """Without its record it is still read as what it is, as a file of Keras 1 itself would be."""
    facts = {**told(sample), "direction": None, "to_layout": "th", "to_kernels": value}
    facts.setdefault("from_layout", "th")
    new = tmp_path / "new.h5"
    convert_file(DATA / f"{sample}.weights.h5", new, to="keras1", **facts)
    assert kernels(without_record(new)) == f"{value} (array names)"

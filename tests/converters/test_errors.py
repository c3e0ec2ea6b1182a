"""What had to be taken for granted reaches whoever uses a plan: a warning in Python, a line in a terminal."""

from __future__ import annotations

import warnings
from concurrent.futures import BrokenExecutor, CancelledError

import pytest

import converters
import zoo as package
from converters import convert_file, errors, plan_file
from converters.arrays.form import TH
from converters.compare import compare_files
from converters.errors import ConversionWarning, Doubt, doubts_of, given_up, in_python
from converters.planning.structures import load_structure
from converters.writing.execute import arrays
from tests.support.shares import NETWORKS, first_of_families
from tests.support.weight_files import BY_NAMES, BY_NAMES_IN_PYTHON, counted, keras1, write_empty, write_named
from zoo.networks.weights import _opened
from zoo.registry import architecture

TENSORFLOW = {"conv_W:0": counted(6, 3, 3, 5), "conv_b:0": counted(6)}
TF_FORM = {"to_layout": "tf", "to_kernels": "tf"}


@pytest.fixture
def source(tmp_path):
    """Return a Keras 1 file in th layout whose kernels its names alone tell."""
    return write_named(tmp_path / "old.h5", keras1(conv=(6, 3, 3, 5)))


def _convert(source):
    convert_file(source, source.with_name("new.h5"), **TF_FORM)


def _read(source):
    list(arrays(plan_file(source, **TF_FORM)))


def _compare(source):
    other = write_named(source.with_name("other.h5"), {"conv": TENSORFLOW})
    compare_files(source, other)


USES = [_convert, _read, _compare]


@pytest.mark.parametrize("use", USES)
def test_whoever_uses_a_plan_is_warned(use, source):
    """The warning is of one class, names the file, and shows the line that asked."""
    with pytest.warns(ConversionWarning) as warned:
        use(source)
    assert str(warned[0].message) == f"{source}: {BY_NAMES_IN_PYTHON}"
    assert {one.filename for one in warned} == {__file__}
    assert {one.category for one in warned} == {package.ConversionWarning}
    assert converters.ConversionWarning is package.ConversionWarning is ConversionWarning
    assert issubclass(ConversionWarning, UserWarning)


@pytest.mark.parametrize("use", USES)
def test_the_warning_is_silenced_or_made_an_error(use, source):
    """As its documentation says; an error comes before anything is written."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=package.ConversionWarning)
        use(source)
    assert warned == []
    source.with_name("new.h5").unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=package.ConversionWarning)
        with pytest.raises(ConversionWarning, match=r"old\.h5: the kernels are taken"):
            use(source)
    assert not source.with_name("new.h5").exists()


@pytest.mark.parametrize(
    "said", [{"from_kernels": "th"}, {"from_kernels": "tf"}, {"registry_form": TH}], ids=str
)
def test_what_is_said_leaves_nothing_to_warn_of(source, said):
    """Neither where it is the user's word against the names, nor where it is the registry's."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = convert_file(source, source.with_name("new.h5"), **TF_FORM, **said)
    assert doubts_of(done.plan.typed_notes) == ()


def test_what_only_informs_is_no_warning(source):
    """That an optimizer's state is left as it is, for instance; it is among the notes all the same."""
    assert doubts_of(("for your information", Doubt("may be wrong"))) == ("may be wrong",)


def test_files_that_are_compared_as_they_are_raise_no_doubt(source, tmp_path):
    """Both may be turned, but then they are so alike."""
    other = write_named(tmp_path / "other.h5", keras1(conv=(6, 3, 3, 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compare_files(source, other).equal


def published(network, path):
    """Write a file with the layers of one published in Theano's form; return what is known of it."""
    file = next(file for file in network.weights if file.top and file.kernels == "th")
    write_empty(path, load_structure(file.structure), layout=file.layout)
    return file


@pytest.mark.parametrize("name", first_of_families(NETWORKS))
def test_of_a_published_file_nothing_is_in_doubt(name, tmp_path):
    """The registry tells its form, so that loading a network by its name warns of nothing."""
    network, path = architecture(name), tmp_path / "weights.h5"
    file = published(network, path)
    opened = _opened(path, network, tuple(network.graphs.values()), registered=file)
    assert doubts_of(opened.plan.typed_notes) == ()


def test_of_a_copy_at_a_path_it_is_said(tmp_path):
    """Unless the user says how its kernels are stored."""
    network, path = architecture("googlenet"), tmp_path / "weights.h5"
    published(network, path)
    graphs = tuple(network.graphs.values())
    assert doubts_of(_opened(path, network, graphs).plan.typed_notes) == (BY_NAMES,)
    for kernels in ("th", "tf"):
        assert doubts_of(_opened(path, network, graphs, kernels=kernels).plan.typed_notes) == ()


class TestCommandLine:
    """There they are lines on standard error, each of them once, whatever Python's own filters say."""

    @pytest.mark.parametrize("filters", ["default", "error", "ignore"])
    def test_a_conversion_says_it_once(self, zoo, source, filters):
        """Among the notes, without a word of Python's."""
        with warnings.catch_warnings():
            warnings.simplefilter(filters)
            code, _, err = zoo("convert", "--th-to-tf", source)
        assert code == 0
        assert err.count(BY_NAMES) == 1
        assert f"zoo: {BY_NAMES}\n" in err
        assert "Warning" not in err

    @pytest.mark.parametrize("filters", ["default", "error", "ignore"])
    def test_any_other_command_says_it_with_the_file(self, zoo, source, tmp_path, filters):
        """A comparison has two of them."""
        other = write_named(tmp_path / "other.h5", {"conv": TENSORFLOW})
        with warnings.catch_warnings():
            warnings.simplefilter(filters)
            code, _, err = zoo("diff", source, other)
        assert code == 1
        lines = err.splitlines()
        assert lines[0] == f"zoo: {source}: {BY_NAMES}"
        assert lines[1].startswith(
            f"zoo: {other}: the kernels are taken to be stored as TensorFlow does (tf)"
        )
        assert len(lines) == 2


@pytest.mark.parametrize(
    ("typed", "arguments", "said"),
    [
        ("say --from-kernels tf", None, "say from_kernels='tf'"),
        ("say --from-kernels tf", {"from_kernels": "kernels"}, "say kernels='tf'"),
        ("say --keras-version 1.0.6; or not", None, "say keras_version='1.0.6'; or not"),
        ("say --keras-version 1.0.6", {"from_kernels": "kernels"}, "say --keras-version 1.0.6"),
        ("say --layer NAME=Dense", None, "say layers={'NAME': 'Dense'}"),
        ("--as-published (as_published=True) leaves it", None, "as_published=True leaves it"),
        ("say --to keras3 (to='keras3')", None, "say to='keras3'"),
    ],
)
def test_advice_is_in_the_words_of_python(typed, arguments, said):
    """An option has the name that it has there, and its value is written as one."""
    assert in_python(typed, arguments) == said


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (CancelledError(), "it has cancelled them: its scheduler is gone, or was told to end"),
        (BrokenExecutor("it was killed\nmore"), "it was killed"),
    ],
)
def test_what_an_executor_says_that_runs_no_more(error, reason):
    """Its first line, or, where it says nothing, what was raised."""
    told = f"the executor takes no more tasks ({reason}); what is done is kept: do the same again"
    assert given_up(error) == told


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ((0, "file"), "0 files"),
        ((1, "file"), "1 file"),
        ((1000, "class"), "1,000 classes"),
        ((1, "class"), "1 class"),
        ((2, "batch"), "2 batches"),
        ((2, "epoch"), "2 epochs"),
        ((2, "array"), "2 arrays"),
        ((1, "entry"), "1 entry"),
        ((2, "entry"), "2 entries"),
        ((1, "layer", "is", "are"), "1 layer is"),
        ((2, "layer", "is", "are"), "2 layers are"),
    ],
)
def test_one_and_several(told, words):
    """Thousands are set apart, and the verb goes by the number."""
    assert errors.counted(*told) == words

"""What the commands do with weights files, as functions: files, folders, and networks by their names."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import h5py
import pytest

import zoo
from tests.support.weight_files import keras1, write_named
from zoo.cli import main
from zoo.errors import ArgumentError, FileFormatError, UnknownNameError
from zoo.fetching import fetcher

KNOWN = {"flatten": {"fc": (6, 3, 4)}}


@pytest.fixture
def source(tmp_path):
    """Return a Keras 1 file in th layout: a convolution, a Flatten, two dense layers."""
    layers = keras1(conv=(6, 3, 3, 5), flatten=None, fc=(72, 7), out=(7, 5))
    return write_named(tmp_path / "old.h5", layers)


def test_a_file(source, tmp_path):
    """Beside the old one, told about as it goes, and compared as the command does."""
    told = []
    done = zoo.convert(source, direction="th-to-tf", **KNOWN, progress=lambda *what: told.append(what))
    assert done.target == tmp_path / "old_tf.h5"
    first, last = told[0], told[-1]
    assert first == (0, last[1], "converting old.h5")
    assert last[0] == last[1]
    found = zoo.diff(source, done.target, **KNOWN)
    assert found.equal
    assert str(found) == "equal: of 3 layers 1 equal, 2 permuted, 0 different"
    assert zoo.inspect(done.target).layout.value == "tf"


def test_what_is_written_as_a_folder_is_none_of_a_file(source, tmp_path, capsys):
    """A slash at the end is no part of a name, whether the folder is there or not."""
    target = f"{tmp_path}/new/"
    message = f"{target}: is a folder; give the name of a file"
    with pytest.raises(ArgumentError) as caught:
        zoo.convert(source, target, direction="th-to-tf", **KNOWN)
    assert str(caught.value) == message
    for command in (["convert", "--th-to-tf"], ["upgrade"]):
        assert main([*command, str(source), target]) == 2
        assert capsys.readouterr().err == f"zoo: {message}\n"
    assert not (tmp_path / "new").exists()


def test_a_warning_shows_the_caller_s_line(source):
    """Not a line within the package."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        zoo.convert(str(source), direction="th-to-tf", **KNOWN)
    assert {one.filename for one in told} == {__file__}


def test_a_folder(source, tmp_path):
    """Each file into the new one; what became of it is returned."""
    folder = tmp_path / "all"
    folder.mkdir()
    source.rename(folder / "old.h5")
    told = []
    report = zoo.convert(
        folder,
        tmp_path / "new",
        direction="th-to-tf",
        **KNOWN,
        jobs=1,
        progress=lambda *what: told.append(what),
    )
    assert str(report) == "1 converted, 0 done before, 0 skipped, 0 failed"
    assert told[-1] == (report.files[0].bytes, None, f"converting {folder}")


def test_a_network_by_its_name(source, tmp_path, monkeypatch):
    """What is published of it is fetched, and the new file lies in the working folder."""
    asked = []

    def resolve(name, *, backend, progress):
        asked.append((name, backend))
        form = SimpleNamespace(layout="th", kernels="th", licence="MIT")
        return SimpleNamespace(path=source, converted=False, file=form, notes=())

    monkeypatch.setattr(fetcher, "resolve", resolve)
    monkeypatch.chdir(tmp_path)
    assert str(zoo.convert("resnet50", direction="th-to-tf", **KNOWN).target) == "resnet50_tf.h5"
    assert str(zoo.convert("resnet50", direction="th-to-tf", **KNOWN, to="npz").target) == "resnet50.npz"
    assert asked == [("resnet50", "th")] * 2
    assert zoo.inspect("resnet50_tf.h5").description.record.licence == "MIT"
    with h5py.File("resnet50_tf.h5") as file:
        assert len(file) == 4


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda folder: zoo.convert("resnet50"),
            ArgumentError,
            "direction=None: say which form of resnet50 to convert: 'th-to-tf' or 'tf-to-th'",
        ),
        (
            lambda folder: zoo.convert(folder, direction="th-to-tf"),
            ArgumentError,
            "target=None: {folder} is a folder: say where the new files go",
        ),
        (
            lambda folder: zoo.convert(folder / "old.h5", jobs=2),
            ArgumentError,
            "jobs=2: is for folders, and {folder}/old.h5 is none",
        ),
        (
            lambda folder: zoo.convert("no/such.h5", direction="th-to-tf"),
            FileFormatError,
            "no/such.h5: there is no such file, nor a network of this name",
        ),
        (
            lambda folder: zoo.convert(folder / "old.h5", arch="resnet5"),
            UnknownNameError,
            "no architecture is called 'resnet5'; nearest: ",
        ),
        (
            lambda folder: zoo.diff(folder / "old.h5", folder / "old.h5", arch=("resnet50", "x")),
            UnknownNameError,
            "no architecture is called 'x'",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(call, error, message, source, tmp_path):
    """In Python's words, not in those of the command line."""
    with pytest.raises(error) as caught:
        call(tmp_path)
    assert str(caught.value).startswith(message.format(folder=tmp_path))


NAMES = {
    "resnet50": "; it is a network: `zoo fetch resnet50` brings its file",
    "resnet50-caffe": "; it is a weights file of resnet50: `zoo fetch resnet50-caffe` brings it",
    "./resnet50": "",
    "resnet5": "",
}


@pytest.mark.parametrize(("given", "advice"), NAMES.items())
def test_a_name_of_the_registry_where_a_file_goes(given, advice, tmp_path, monkeypatch, capsys):
    """Is told to be one, with what brings its file; what is written as a path is none."""
    monkeypatch.chdir(tmp_path)
    for code, *command in ((1, "inspect"), (2, "diff", given), (1, "upgrade")):
        assert main([*command, given]) == code
        assert capsys.readouterr().err == f"zoo: {given.removeprefix('./')}: no such file{advice}\n"


@pytest.mark.parametrize("command", ["fetch", "show"])
def test_a_file_where_a_name_goes(command, source, monkeypatch, capsys):
    """The way to hand it over is told, and to look at it; a folder of that name is not one."""
    monkeypatch.chdir(source.parent)
    assert main([command, "old.h5"]) == 2
    assert capsys.readouterr().err == (
        "zoo: no network and no file is called 'old.h5', which is a file here: `zoo fetch NAME --from "
        "old.h5` (from_file=) takes it for a network's, `zoo inspect old.h5` says what it is\n"
    )
    (source.parent / "images").mkdir()
    assert main([command, "images"]) == 2
    assert "which is a file here" not in capsys.readouterr().err

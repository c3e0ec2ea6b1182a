"""``zoo upgrade`` from the command line: what it prints, where it writes, how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.support.paths import DIALECTS, ROOT
from tests.support.upgrading import chain, layer, write_model

SAMPLES = DIALECTS / "keras122_theano_th"
PADDED = "convolution2d_1: padded by 1+1 x 1+1 before it, as Theano pads on both sides"
PROOF = "zoo: verified 2 arrays, 140 values: the new file gives the source again, bit for bit"
REFUSED = (
    "cannot be upgraded: layer 'code' (Lambda): it holds code, which is never run: its code is no base64;"
    " say what it computes (--lambda LAYER=EXPRESSION, lambdas=),"
    " or what takes its place (--custom, custom_objects=)"
)


@pytest.fixture
def copied(tmp_path):
    """Return what copies a sample's file and gives its new path."""

    def copy(name):
        shutil.copy(SAMPLES / name, tmp_path / name)
        return tmp_path / name

    return copy


@pytest.fixture
def refused(tmp_path):
    """Return a model with a layer that has no place."""
    layers = [
        layer("Activation", "first", activation="relu"),
        layer("Lambda", "code", function=["x", None, None]),
    ]
    return write_model(tmp_path / "old.h5", chain(*layers, shape=(4,)))


def test_the_new_file_lies_beside_the_old_one(zoo, copied, tmp_path):
    """Its path on standard output, what was composed and proved on standard error."""
    source = copied("conv2d_same_stride2.model.h5")
    code, out, err = zoo("upgrade", source)
    assert (code, out) == (0, f"{tmp_path / 'conv2d_same_stride2.model.keras'}\n")
    assert err.splitlines()[-3:] == ["zoo: opens in Keras 3.4.0 and later", f"zoo: {PADDED}", PROOF]
    code, out, err = zoo("upgrade", source)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].endswith("exists already; use --force (force=True) to replace it")


def test_a_name_that_keras_takes_for_another_format_is_refused(zoo, copied, tmp_path):
    """It goes by the ending: a .keras file called new.h5 opens nowhere."""
    source = copied("conv2d_same_stride2.model.h5")
    for name in ("new.h5", "new", "new.KERAS"):
        code, out, err = zoo("upgrade", source, tmp_path / name)
        message = f"{tmp_path / name}: a whole model is written as a .keras file; call it new.keras"
        assert (code, out, err) == (2, "", f"zoo: {message}\n")
    assert list(tmp_path.iterdir()) == [source]


def test_a_configuration_and_its_weights_are_two_files(zoo, copied, tmp_path):
    """And the new one the third; the same file comes of it as of the whole model."""
    files = copied("conv2d_same_stride2.json"), copied("conv2d_same_stride2.weights.h5")
    code, out, _ = zoo("upgrade", *files, tmp_path / "new.keras")
    assert (code, out) == (0, f"{tmp_path / 'new.keras'}\n")
    code, out, _ = zoo("upgrade", *files, tmp_path / "again.keras", "--json")
    told = json.loads(out)
    assert told["target"] == str(tmp_path / "again.keras")
    (layer,) = told["layers"]
    assert layer["becomes"] == ["Permute", "ZeroPadding2D", "Conv2D", "Permute"]
    assert (tmp_path / "again.keras").read_bytes() == (tmp_path / "new.keras").read_bytes()


def test_check_shows_layer_by_layer_what_would_be_done(zoo, refused, tmp_path):
    """And writes nothing; where a layer has no place, it exits with 1."""
    code, out, err = zoo("upgrade", "--check", refused)
    assert code == 1
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["layer", "class", "becomes"],
        ["first", "Activation", "Activation"],
        ["code", "Lambda", "-"],
    ]
    assert err == f"zoo: {REFUSED}\n"
    code, out, _ = zoo("upgrade", "--check", "--json", refused)
    assert code == 1
    assert [found["layer"] for found in json.loads(out)["refused"]] == ["code"]
    assert list(tmp_path.iterdir()) == [refused]


def test_the_version_of_keras_that_the_new_file_needs_is_told(zoo, tmp_path):
    """By --check and --json, and in the file: operations open later than layers."""
    settings = {"pool_size": [2, 2], "strides": [1, 1], "padding": "same", "data_format": "channels_last"}
    path = write_model(
        tmp_path / "old.h5", chain(layer("MaxPooling2D", **settings), shape=(7, 8, 2)), backend="theano"
    )
    assert zoo("upgrade", "--check", path)[2].splitlines()[0] == "zoo: opens in Keras 3.11.0 and later"
    code, out, _ = zoo("upgrade", "--json", path)
    assert (code, json.loads(out)["needs_keras"]) == (0, "3.11.0")
    with zipfile.ZipFile(tmp_path / "old.keras") as archive:
        metadata = json.loads(archive.read("metadata.json"))
    assert metadata["zoo_needs_keras"] == metadata["keras_version"] == "3.11.0"


def test_what_has_no_place_ends_with_1_and_nothing_is_written(zoo, refused, tmp_path):
    """One line: the file, the layer, the reason."""
    assert zoo("upgrade", refused) == (1, "", f"zoo: {refused}: {REFUSED}\n")
    assert list(tmp_path.iterdir()) == [refused]


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        (["a.json"], 2, "a.json: is a configuration alone; give the weights' file too"),
        (["a.json", "new.keras"], 2,
         "a.json: is a configuration alone; give the weights' file too, before new.keras"),
        (["w.h5"], 1, "w.h5: holds weights alone; give the .json of its model too, or a file of model.save"),
        (["w.h5", "new.keras", "more.keras"], 2, "more.keras: one file too many"),
        (["--check", "w.h5", "new.keras"], 2, "new.keras: one file too many"),
        (["none.h5"], 1, "none.h5: no such file"),
        (["saved"], 1, "saved: a SavedModel, whose layers are code; open it with the TensorFlow that wrote it"
         " and save it with model.save('NAME.h5')"),
    ],
)  # fmt: skip
def test_what_is_no_whole_model_is_said(zoo, files, code, message, tmp_path, monkeypatch):  # noqa: PLR0917
    """In one line, with what to give instead."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAMPLES / "srelu.json", "a.json")
    shutil.copy(SAMPLES / "srelu.weights.h5", "w.h5")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    assert zoo("upgrade", *files) == (code, "", f"zoo: {message}\n")


def test_a_folder_is_upgraded_into_another(zoo, copied, tmp_path):
    """File by file; only one folder more may be named, and what is of single models is refused."""
    (tmp_path / "old").mkdir()
    copied("conv1d.model.h5").rename(tmp_path / "old" / "conv1d.h5")
    code, out, err = zoo("upgrade", tmp_path / "old", tmp_path / "new", "--jobs", "1")
    assert (code, out) == (0, "1 converted, 0 done before, 0 skipped, 0 failed\n")
    assert err.startswith(f"zoo: converted: {tmp_path / 'old' / 'conv1d.h5'}: verified 2 arrays")
    assert (tmp_path / "new" / "conv1d.keras").is_file()
    for more, why in (
        ([], f"{tmp_path / 'old'} is a folder: say where the new files go, in one other folder"),
        ([tmp_path / "new", "--check"], "--check is for single models"),
        ([tmp_path / "new", "--prove"], "--prove is for single models"),
        ([tmp_path / "new", "--custom", "no:thing"], "--custom is for single models"),
        ([tmp_path / "new", "--lambda", "a=x"], "--lambda is for single models"),
    ):
        assert zoo("upgrade", tmp_path / "old", *more) == (2, "", f"zoo: {why}\n")
    source = tmp_path / "old" / "conv1d.h5"
    assert zoo("upgrade", source, "--jobs", "1")[2] == f"zoo: --jobs is for folders, and {source} is none\n"


def test_no_framework_is_imported(copied, tmp_path):
    """The new file is written from the configuration and the arrays alone."""
    source = copied("merge_two_inputs.model.h5")
    script = (
        "import sys; from zoo.cli import main; code = main(sys.argv[1:]);"
        "assert not {'keras', 'tensorflow'} & set(sys.modules); sys.exit(code)"
    )
    command = [sys.executable, "-c", script, "upgrade", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'merge_two_inputs.model.keras'}\n")


def test_what_a_layer_computes_is_said(zoo, refused, tmp_path):
    """By its name, as an expression or the name of one; in another form it is wrong usage."""
    code, out, err = zoo("upgrade", refused, "--lambda", "code=x ** 2")
    assert (code, out) == (0, f"{tmp_path / 'old.keras'}\n")
    assert "zoo: code: said to be: x ** 2" in err.splitlines()
    code, out, err = zoo("upgrade", "--check", refused, "--lambda", "square")
    assert (code, out, err) == (2, "", "zoo: --lambda 'square': say it as LAYER=EXPRESSION\n")
    twice = ("--lambda", "code=square", "--lambda", "code=x + 1")
    assert zoo("upgrade", "--check", refused, *twice) == (2, "", "zoo: --lambda: 'code' is said twice\n")
    code, _, err = zoo("upgrade", "--check", refused, "--lambda", "code=sin x")
    assert code == 2
    assert err.startswith("zoo: lambdas: 'code': 'sin x' is no expression: SyntaxError; say ")

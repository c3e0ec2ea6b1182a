"""Who is asked what an image shows: told apart, and refused with what to do, without Keras."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

from tests.support.paths import WRITTEN_BEFORE
from zoo.cli import main
from zoo.errors import ArgumentError, FileFormatError
from zoo.networks.predicting import predict
from zoo.networks.predictors import Run, WholeModel, predictor
from zoo.registry.records import Architecture

SIDE = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with an image, red at the left and black at the right, and models that see red."""
    root = tmp_path_factory.mktemp("models")
    pixels = np.zeros((SIDE, 3 * SIDE, 3), np.uint8)
    pixels[:, :SIDE, 0] = 255
    Image.fromarray(pixels).save(root / "red.png")
    images = keras.Input((SIDE, SIDE, 3))
    kernel = keras.initializers.Constant(np.array([[1, 0], [0, 0], [0, 0]]) / 64)
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    outputs = keras.layers.Dense(2, activation="softmax", kernel_initializer=kernel)(pooled)
    keras.Model(images, outputs).save(root / "mine.keras")
    inside = keras.layers.Rescaling(0.0)(images)
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.GlobalAveragePooling2D()(inside))
    keras.Model(images, outputs).save(root / "inside.keras")
    (root / "classes.txt").write_text("red\nother\n", "utf-8")
    return root


def test_each_source_is_told_apart(folder):
    """A network, a run, the model in it, and a model of one's own."""
    assert isinstance(predictor("resnet50", top=5), Architecture)
    run = WRITTEN_BEFORE / "finished"
    for source in (run, run / "model.keras"):
        found = predictor(source, top=5)
        assert isinstance(found, Run)
        assert (found.model, found.fit, found.recipe) == (run / "model.keras", "stretch", None)
    found = predictor(folder / "mine.keras", top=5, classes=folder / "classes.txt")
    assert found == WholeModel(
        source=folder / "mine.keras", classes=("red", "other"), preprocessing=None, fit="crop"
    )


def test_the_model_of_a_run_is_what_the_run_is(tmp_path):
    """Classes, preprocessing and fit come from the record beside it; by itself it is any whole model."""
    run = shutil.copytree(WRITTEN_BEFORE / "finished", tmp_path / "run")
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / "grey.png")
    answers = [predict(source, tmp_path / "grey.png") for source in (run, run / "model.keras")]
    assert answers[0] == answers[1]
    (run / "run.json").unlink()
    with pytest.raises(ArgumentError, match="a model alone does not tell its classes; say --classes FILE"):
        predict(run / "model.keras", tmp_path / "grey.png")


def red(folder, **options):
    """Return how probable red is."""
    (answer,) = predict(folder / "mine.keras", folder / "red.png", classes=folder / "classes.txt", **options)
    return {guess.name: guess.probability for guess in answer.guesses}["red"]


def test_a_model_in_memory_is_asked_as_its_file_is(folder, caplog):
    """The same answer; what is assumed is said in the words of Python."""
    model = keras.saving.load_model(folder / "mine.keras")
    named = {"classes": folder / "classes.txt"}
    from_file = predict(folder / "mine.keras", folder / "red.png", **named)
    caplog.clear()
    assert predict(model, folder / "red.png", **named) == from_file
    assert [one.message for one in caplog.records] == [
        f"the model {model.name!r}: its preprocessing is not known: it gets values from 0 to 255; "
        "preprocessing=NAME says another; images of another shape: crop"
    ]


def network_of(outputs, name):
    """Return a model of a name with as many outputs."""
    images = keras.Input((SIDE, SIDE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    return keras.Model(images, keras.layers.Dense(outputs)(pooled), name=name)


@pytest.mark.parametrize(
    ("outputs", "name", "advice"),
    [
        (1000, "resnet50", "; with the published weights, give the name alone: zoo.predict('resnet50', ...)"),
        (3, "resnet50", ""),
        (1000, "mine", ""),
    ],
)
def test_a_model_in_memory_does_not_tell_its_classes(outputs, name, advice, folder):
    """Nor is one that is called like a published network taken for it."""
    with pytest.raises(ArgumentError) as caught:
        predict(network_of(outputs, name), folder / "red.png")
    assert str(caught.value) == (
        f"the model {name!r}: a model alone does not tell its classes; say classes=, a list of them or a "
        f"file with one a line, in the order of its outputs{advice}"
    )


def test_a_model_that_is_not_built_is_refused(folder):
    """It has no outputs that classes could be the names of."""
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)], name="later")
    with pytest.raises(ArgumentError) as caught:
        predict(model, folder / "red.png", classes=["a", "b"])
    assert (
        str(caught.value) == "the model 'later': is not built; call it once with images, or give it an Input"
    )


def test_a_model_of_ones_own_sees_what_it_is_shown(folder, caplog):
    """The middle of the image is black; all of it is a third red; what is assumed is said."""
    assert red(folder) == pytest.approx(0.5)
    assert [one.message for one in caplog.records] == [
        f"{folder}/mine.keras: its preprocessing is not known: it gets values from 0 to 255; --preprocessing "
        "NAME says another; images of another shape: crop"
    ]
    caplog.clear()
    third = 1 / (1 + np.exp(-255 / 3 / 64))
    assert red(folder, fit="stretch", preprocessing="none") == pytest.approx(third, abs=1e-3)
    assert red(folder, fit="stretch", preprocessing="inception") == pytest.approx(0.5, abs=0.01)
    assert caplog.records == []


def test_a_model_that_prepares_images_itself_is_said_to(folder, caplog):
    """By the layer that does it."""
    predict(folder / "inside.keras", folder / "red.png", classes=["a", "b"])
    assert caplog.records[0].message.startswith(f"{folder}/inside.keras: its layer 'rescaling")


def test_a_rescaling_behind_a_convolution_prepares_no_images(folder, caplog):
    """It is part of the network, as in a local response normalisation."""
    images = keras.Input((SIDE, SIDE, 3))
    inner = keras.layers.Rescaling(2.0)(keras.layers.Conv2D(2, 1)(images))
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(inner)), name="m")
    predict(model, folder / "red.png", classes=["a", "b"])
    assert caplog.records[0].message.startswith("the model 'm': its preprocessing is not known: ")


@pytest.mark.parametrize("name", ["red.png", "classes.txt"])
def test_what_is_no_model_is_told_so(name, folder):
    """Whoever named the image first, or the record of a run, is told what goes where."""
    with pytest.raises(FileFormatError) as caught:
        predictor(folder / name, top=1)
    assert str(caught.value) == (
        f"{folder}/{name}: is no whole model, neither a .keras archive nor an HDF5 file; the network, the "
        "run's folder or the model goes first, the images behind it"
    )


CLASSES = {
    "lines.txt": "red\n other \n\n",
    "list.json": '["red", "other"]',
    "places.json": '{"1": "other", "0": "red"}',
    "keras.json": '{"0": ["n01", "red"], "1": ["n02", "other"]}',
}


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_read_from_a_file(name, folder, tmp_path):
    """One a line, or JSON as Keras has it."""
    (tmp_path / name).write_text(CLASSES[name], "utf-8")
    found = predictor(folder / "mine.keras", top=1, classes=tmp_path / name)
    assert found.classes == ("red", "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n\n", "names no class; must have one a line, or be JSON"),
        ('{"1": "a"}', 'is JSON, but not a list of names, or {"0": name, "1": name, ...}, or'),
        ("[1, 2]", "is JSON, but not a list of names"),
        ("[", "is JSON, but not a list of names"),
    ],
)
def test_a_file_without_classes_is_refused(text, message, folder, tmp_path):
    """With what it must hold."""
    path = tmp_path / "classes"
    path.write_text(text, "utf-8")
    with pytest.raises(ArgumentError) as caught:
        predictor(folder / "mine.keras", top=1, classes=path)
    assert str(caught.value).startswith(f"--classes {path}: {message}")


def test_another_number_of_classes_is_refused_with_both(folder, tmp_path, capsys):
    """On the command line too, where the exit code is that of wrong usage."""
    (tmp_path / "three").write_text("a\nb\nc\n", "utf-8")
    model, picture = str(folder / "mine.keras"), str(folder / "red.png")
    assert main(["predict", model, picture, "--classes", str(tmp_path / "three")]) == 2
    assert capsys.readouterr().err == (f"zoo: {model}: has 2 outputs, and --classes names 3 (classes=)\n")
    assert main(["predict", model, picture, "--classes", str(folder / "classes.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["classes"][0]["name"] in ("red", "other")


@pytest.mark.parametrize(
    ("source", "said"), [("resnet50", "the network resnet50"), (WRITTEN_BEFORE / "finished", "the run of")]
)
@pytest.mark.parametrize("option", ["classes", "preprocessing", "fit"])
def test_what_is_known_is_not_to_be_said(source, said, option):
    """A network and a run have their own."""
    with pytest.raises(ArgumentError, match=f"^{option}='x': {said}"):
        predictor(source, top=1, **{option: "x"})


def test_old_models_are_sent_to_zoo_upgrade_by_their_name(tmp_path):
    """And weights alone to the network whose they are."""
    for name, config in (("old.h5", True), ("weights.h5", False)):
        with h5py.File(tmp_path / name, "w") as file:
            file.attrs["keras_version"] = "2.2.4"
            file.attrs["backend"] = "tensorflow"
            top = file.create_group("model_weights") if config else file
            top.attrs["layer_names"] = np.array([b"dense"])
            group = top.create_group("dense")
            group.attrs["weight_names"] = np.array([b"dense/kernel:0"])
            group["dense/kernel:0"] = np.zeros((3, 2), np.float32)
            if config:
                layers = [{"class_name": "Dense", "config": {"name": "dense", "units": 2}}]
                file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers})
    with pytest.raises(FileFormatError) as caught:
        predictor(tmp_path / "old.h5", top=1, classes=["a", "b"])
    assert str(caught.value) == (
        f"{tmp_path}/old.h5: a whole model that Keras 2.2.4 wrote; `zoo upgrade {tmp_path}/old.h5` writes "
        f"{tmp_path}/old.keras, which can be asked"
    )
    with pytest.raises(FileFormatError, match="holds weights alone, no model"):
        predictor(tmp_path / "weights.h5", top=1, classes=["a", "b"])


def test_what_is_wrong_is_told_without_keras():
    """In a process of its own: importing the module, and asking, imports none."""
    program = (
        "import sys; from zoo.networks.predictors import predictor; predictor('resnet50', top=1);"
        "from zoo.finetuning import resuming; print('keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

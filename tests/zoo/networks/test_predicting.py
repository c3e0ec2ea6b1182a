"""Naming what images show: size, crop and preprocessing per network, runs, and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support.forgetting import forget
from zoo import practice
from zoo.cli import main
from zoo.cli.predict import bar
from zoo.errors import ArgumentError, FileFormatError, UnknownNameError
from zoo.networks import predicting
from zoo.networks.predicting import Guess, centre
from zoo.registry import load_registry

NETWORKS = load_registry(()).architectures
EXPECTED_SIZE = dict.fromkeys(("densenet", "googlenet", "resnet", "vgg"), (224, 224)) | dict.fromkeys(
    ("inception_v3", "inception_v4"), (299, 299)
)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a practice zoo with GoogLeNet."""
    path = tmp_path_factory.mktemp("zoo")
    practice.build(path, ["googlenet"])
    return path


@pytest.fixture(scope="module")
def registry(folder) -> Iterator[Path]:
    """Serve that folder; return the registry that leads to it."""
    with practice.serve(folder) as running:
        yield running.registry


@pytest.fixture
def served(registry, monkeypatch) -> None:
    """Let the weights and the class index come from that folder."""
    monkeypatch.setenv("ZOO_REGISTRY", str(registry))


def picture(path: Path, height: int = 300, width: int = 400, seed: int = 0) -> Path:
    """Write an image of random pixels and return its path."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Return a folder with two images and a file that only looks like one."""
    path = tmp_path / "pictures"
    (path / "more").mkdir(parents=True)
    picture(path / "a.png")
    picture(path / "more" / "c.png", seed=1)
    (path / "b.jpg").write_text("no image")
    return path


# What part of an image is looked at.


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((256, 256), 224, (16, 16)), ((256, 512), 224, (16, 144)), ((342, 400), 299, (21, 50))],
)
def test_the_middle_is_cut_out(size, side, expected):
    """Of an image whose shorter side is the size by 0.875 exactly the middle is left."""
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    above, left = expected
    assert np.array_equal(centre(pixels, side, side), pixels[above : above + side, left : left + side])


@pytest.mark.parametrize("size", [(17, 23), (1000, 61), (224, 224), (3000, 2000)])
def test_any_picture_comes_to_size(size):
    """Small, narrow and large ones; a grey one stays grey, and none is distorted."""
    assert (centre(np.full((*size, 3), 77, np.uint8), 224, 224) == 77).all()
    assert centre(np.zeros((*size, 3), np.uint8), 224, 224).shape == (224, 224, 3)


def test_nothing_is_distorted():
    """A square in the middle of a wide image is still a square."""
    pixels = np.zeros((512, 1024, 3), np.uint8)
    pixels[206:306, 462:562] = 255
    lit = centre(pixels, 224, 224)[..., 0] > 127
    rows, columns = lit.any(1).sum(), lit.any(0).sum()
    assert rows == columns == 50


# Published networks.


def test_a_published_network(served, pictures):
    """Probabilities are those of the model on the prepared middle; the unreadable file is told about."""
    found = zoo.predict("googlenet", pictures, top=3)
    assert [one.file.name for one in found] == ["a.png", "b.jpg", "c.png"]
    assert found[1].guesses == ()
    assert found[1].problem.startswith(f"{pictures / 'b.jpg'}: ")
    model = zoo.load("googlenet", aux_heads=False)
    pixels = np.asarray(Image.open(pictures / "a.png"))
    images = zoo.preprocess_input("googlenet", centre(pixels, 224, 224)[np.newaxis])
    expected = zoo.decode_predictions("googlenet", np.asarray(model(images)), top=3)[0]
    assert [guess.name for guess in found[0].guesses] == [name for _, name, _ in expected]
    assert [guess.probability for guess in found[0].guesses] == pytest.approx(
        [probability for *_, probability in expected], rel=1e-4
    )
    assert all(guess.id.startswith("n") for guess in found[0].guesses)


def test_batches_keep_the_order(served, pictures, monkeypatch):
    """One image at a time or all at once: the same."""
    whole = zoo.predict("googlenet", pictures, top=1)
    monkeypatch.setattr(predicting, "BATCH", 1)
    alone = zoo.predict("googlenet", [pictures / "more", pictures / "a.png"], top=1)
    names = [one.guesses[0].name for one in alone]
    assert names == [whole[2].guesses[0].name, whole[0].guesses[0].name]


class Stub:
    """Stands in for a network: remembers the images and is sure of one class."""

    def __init__(self, classes: int, answer: int) -> None:
        self.row = np.zeros(classes, np.float32)
        self.row[answer] = 1
        self.images = np.empty(0)

    def __call__(self, images, training):
        """Return the same probabilities for each image."""
        assert training is False
        self.images = images
        return np.stack([self.row] * len(images))


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_each_network_sees_what_it_was_trained_on(network, served, tmp_path, monkeypatch):
    """Its size, its recipe, and the last of its outputs is the last of a thousand classes."""
    stub, asked = Stub(network.classes, network.classes - 1), {}

    def load(name, **arguments):
        asked.update(arguments, name=name)
        return stub

    monkeypatch.setattr(predicting, "load", load)
    path = picture(tmp_path / "a.png", 400, 500)
    (seen,) = zoo.predict(network.name, path, top=1, weights="some")
    assert (asked["name"], asked["weights"], asked["data_format"]) == (network.name, "some", "channels_last")
    pixels, side = np.asarray(Image.open(path)), network.input.height
    expected = zoo.preprocess_input(network.name, centre(pixels, side, side)[np.newaxis])
    published = EXPECTED_SIZE.get(network.family, (side, side))
    assert stub.images.shape == (1, *published, 3)
    assert np.array_equal(stub.images, expected)
    assert seen.guesses == (Guess(id="n00000999", name="practice_class_0999", probability=1.0),)


def test_the_output_before_the_first_class(served, tmp_path, monkeypatch):
    """Inception-V4 has 1,001 outputs: the first is no class of ImageNet's."""
    monkeypatch.setattr(predicting, "load", lambda name, **arguments: Stub(1001, 0))
    path = picture(tmp_path / "a.png")
    (seen,) = zoo.predict("inception_v4", path, top=2)
    assert seen.guesses[0] == Guess(id="", name="background", probability=1.0)
    assert seen.guesses[1] == Guess(id="n00000000", name="practice_class_0000", probability=0.0)
    assert len(zoo.predict("inception_v4", path, top=1001)[0].guesses) == 1001


class Paired:
    """A progress that wants a step to be over before the next one begins."""

    def __init__(self) -> None:
        self.told, self.under_way = [], False

    def start(self, total, what: str) -> None:
        """Take down what begins."""
        assert not self.under_way
        self.under_way = True
        self.told.append(what)

    def advance(self, count: int) -> None:
        """Want a step that this belongs to."""
        assert self.under_way

    def done(self) -> None:
        """Note the end."""
        self.under_way = False


def test_images_are_counted_when_all_is_fetched(served, tmp_path, monkeypatch):
    """Also where the first of them, a whole batch, cannot be read and so ask for no model."""
    monkeypatch.setattr(predicting, "BATCH", 1)
    (tmp_path / "bad.jpg").write_text("no image")
    images = [tmp_path / "bad.jpg", picture(tmp_path / "a.png"), picture(tmp_path / "b.png")]
    progress = Paired()
    found = zoo.predict("googlenet", images, progress=progress)
    assert [one.problem is None for one in found] == [False, True, True]
    assert progress.told[0].startswith("fetching practice-googlenet")
    assert progress.told[-1] == "looking at images"


def test_nothing_is_fetched_for_pictures_that_cannot_be_read(tmp_path, monkeypatch):
    """A mistyped name costs no download."""
    monkeypatch.setattr(predicting, "load", None)
    (seen,) = zoo.predict("vgg16", tmp_path / "none.png")
    assert seen.problem == f"{tmp_path / 'none.png'}: cannot be read as an image: No such file or directory"


# Fine-tuned models.


def run_folder(path: Path, **changes) -> Path:
    """Write the folder of a run whose model tells the colour that an image has most of."""
    inputs = keras.Input((8, 6, 3))
    means = keras.layers.GlobalAveragePooling2D()(inputs)
    layer = keras.layers.Dense(3, activation="softmax", use_bias=False)
    model = keras.Model(inputs, layer(means))
    layer.set_weights([np.eye(3) * changes.pop("slope", 1)])
    path.mkdir()
    model.save(path / "model.keras")
    record = {
        "classes": ["blue", "green", "red"],
        "input": [8, 6, 3],
        "preprocessing": "caffe",
        "data_format": "channels_last",
    }
    (path / "run.json").write_text(json.dumps(record | changes), "utf-8")
    return path


def colour(path: Path, *rgb: int) -> Path:
    """Write an image of one colour."""
    Image.new("RGB", (40, 30), rgb).save(path)
    return path


def test_a_run(tmp_path):
    """Class names, size and preprocessing come from its record: caffe's order is BGR."""
    run = run_folder(tmp_path / "run")
    (red,) = zoo.predict(run, colour(tmp_path / "red.png", 255, 100, 100), top=9)
    assert [guess.name for guess in red.guesses] == ["red", "blue", "green"]
    assert sum(guess.probability for guess in red.guesses) == pytest.approx(1)
    assert red.guesses[0].id == ""


def test_a_run_that_preprocesses_by_itself(tmp_path):
    """The model gets the pixels as they are, in RGB."""
    run = run_folder(tmp_path / "run", preprocessing="included", classes=["red", "green", "blue"], slope=0.01)
    (seen,) = zoo.predict(str(run), colour(tmp_path / "red.png", 200, 100, 0), top=1)
    powers = np.exp([2, 1, 0])
    assert seen.guesses == (Guess(id="", name="red", probability=pytest.approx(powers[0] / powers.sum())),)


def test_arrays_and_images_in_memory(tmp_path):
    """Beside paths, in their order; each entry says which it is, and they are counted for who looks."""
    run, told = run_folder(tmp_path / "run"), []
    red = colour(tmp_path / "red.png", 255, 100, 100)
    green = np.full((30, 40, 3), (0, 200, 0), np.float32)
    given = [red, green, Image.new("RGB", (9, 9), "blue")]
    found = zoo.predict(run, given, top=1, progress=lambda *what: told.append(what))
    assert [(one.name, one.file, one.guesses[0].name) for one in found] == [
        (str(red), red, "red"),
        ("pictures[1]", None, "green"),
        ("pictures[2]", None, "blue"),
    ]
    assert told == [(place, 2, "looking at images") for place in range(3)]


def test_one_image(tmp_path):
    """It is seen with the model that was made for it: nothing is left to count; it is shown in one line."""
    run, told = run_folder(tmp_path / "run"), []
    red = colour(tmp_path / "red.png", 255, 0, 0)
    found = zoo.predict(run, red, top=1, progress=lambda *what: told.append(what))
    assert (told, repr(found)) == ([], f"[<{red}: red {found[0].guesses[0].probability:.1%}>]")
    (missing,) = zoo.predict(run, tmp_path / "none.png")
    assert repr(missing) == f"<{missing.problem}>"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("run.json", "{run}: is no network's name, nor the folder of a finished run: it has no run.json"),
        (
            "model.keras",
            "{run}: is no network's name, nor the folder of a finished run: it has no model.keras",
        ),
    ],
)
def test_a_run_that_is_not_finished(tmp_path, missing, expected):
    """What is missing is named."""
    run = run_folder(tmp_path / "run")
    (run / missing).unlink()
    with pytest.raises(FileFormatError) as caught:
        zoo.predict(run, colour(tmp_path / "red.png", 255, 0, 0))
    assert str(caught.value) == expected.format(run=run)


def test_a_record_that_is_none(tmp_path):
    """Damaged JSON, a missing entry and an unknown recipe are told apart."""
    run, file = run_folder(tmp_path / "run", preprocessing="cafe"), colour(tmp_path / "red.png", 255, 0, 0)
    with pytest.raises(UnknownNameError) as caught:
        zoo.predict(run, file)
    assert str(caught.value) == (
        f"{run / 'run.json'}: no preprocessing is called 'cafe'; there is caffe, caffe_x0.017, inception,"
        " inside, torch, torch_x255, included"
    )
    (run / "run.json").write_text("{}", "utf-8")
    with pytest.raises(FileFormatError) as caught:
        zoo.predict(run, file)
    assert str(caught.value) == f"{run / 'run.json'}: is not the record of a run (KeyError('classes'))"


# What is asked.


@pytest.mark.parametrize("top", [0, -1, True, 2.0, "5"])
def test_counts_that_are_none(top, tmp_path):
    """At least one class is named."""
    with pytest.raises(ArgumentError) as caught:
        zoo.predict("googlenet", picture(tmp_path / "a.png"), top=top)
    assert str(caught.value) == f"top={top!r}: must be an integer from 1"


def test_more_classes_than_there_are(tmp_path):
    """A network has a thousand."""
    with pytest.raises(ArgumentError) as caught:
        zoo.predict("googlenet", picture(tmp_path / "a.png"), top=1001)
    assert str(caught.value) == "top=1001: must be an integer from 1 to 1000"


def test_no_pictures(tmp_path):
    """An empty folder and an empty list."""
    with pytest.raises(ArgumentError) as caught:
        zoo.predict("googlenet", tmp_path)
    assert str(caught.value) == f"{tmp_path}: no image files are in this folder"
    with pytest.raises(ArgumentError) as caught:
        zoo.predict("googlenet", [])
    assert str(caught.value) == "pictures: none were given"


def test_a_name_that_is_none(tmp_path):
    """What is neither a network nor a folder gets the nearest networks."""
    with pytest.raises(UnknownNameError, match="googlenet"):
        zoo.predict("googlnet", picture(tmp_path / "a.png"))


# The command.


def test_the_command_draws_bars(tmp_path, capsys):
    """An image's path, then its classes, the likeliest first."""
    run = run_folder(
        tmp_path / "run", preprocessing="included", classes=["red", "green", "sky blue"], slope=0.01
    )
    red = colour(tmp_path / "red.png", 200, 100, 0)
    assert main(["predict", str(run), str(red)]) == 0
    assert capsys.readouterr().out == (
        f"{red}\n"
        "  red       66.52%  ████████████████████\n"
        "  green     24.47%  ███████▍\n"
        "  sky blue   9.00%  ██▊\n"
    )


def test_the_command_prints_json(tmp_path, capsys):
    """One entry for each image; what cannot be read is also said on standard error, and is a failure."""
    run = run_folder(tmp_path / "run")
    red, broken = colour(tmp_path / "red.png", 255, 0, 0), tmp_path / "broken.png"
    broken.write_bytes(b"")
    assert main(["predict", str(run), str(red), str(broken), "--top", "1", "--json"]) == 1
    captured = capsys.readouterr()
    first, second = json.loads(captured.out)
    assert first["file"] == str(red)
    assert [one["name"] for one in first["classes"]] == ["red"]
    assert first["problem"] is None
    assert second["classes"] == []
    assert captured.err == f"zoo: {second['problem']}\n"


def test_the_command_names_pictures_that_cannot_be_read(tmp_path, capsys):
    """Those before and after are shown all the same; so is a name that would steer the terminal."""
    run = run_folder(tmp_path / "run", classes=["blue", "green", "r\x1bd"])
    red = colour(tmp_path / "red.png", 255, 0, 0)
    assert main(["predict", str(run), str(tmp_path / "none.png"), str(red), "--top", "1"]) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{red}\n  r\\x1bd 100.00%  {'█' * 30}\n"
    reason = "cannot be read as an image: No such file or directory"
    assert captured.err == f"zoo: {tmp_path / 'none.png'}: {reason}\n"


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, ""), (1.0, "█" * 30), (0.5, "█" * 15), (1 / 60, "▌"), (0.001, "")]
)
def test_bars(share, expected):
    """Thirty characters are everything; an eighth of one is the least."""
    assert bar(share) == expected


def test_bars_where_blocks_cannot_be_shown(monkeypatch):
    """A terminal of plain ASCII gets number signs."""

    class Plain:
        encoding = "ascii"

    monkeypatch.setattr("sys.stdout", Plain())
    assert bar(0.5) == "#" * 15

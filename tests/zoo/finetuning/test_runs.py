"""From a network's name and a folder of images to a run folder, in Python and on the command line."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from zoo.cli import main
from zoo.errors import ArgumentError, UnknownNameError
from zoo.finetuning import finetune, runs
from zoo.finetuning.arguments import learning_rate_factors
from zoo.finetuning.data import from_folder
from zoo.finetuning.options import Settings
from zoo.finetuning.runs import load_classifier
from zoo.networks.weights import as_trained
from zoo.practice.digits import write_digits
from zoo.registry import architecture
from zoo.registry.digests import hash_file

pytestmark = pytest.mark.usefixtures("untraced")

NETWORK = "googlenet"
SIDE = 64


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Return a folder of 150 digits, a folder for each."""
    return write_digits(tmp_path_factory.mktemp("photos"), count=150)


@pytest.fixture
def arguments(photos, practice_file, tmp_path):
    """Return what every command here is given: network, images, weights, size, and a folder for the run."""
    weights = str(practice_file(NETWORK))
    return [
        NETWORK,
        str(photos),
        "--weights",
        weights,
        "--input-size",
        str(SIDE),
        "--out",
        str(tmp_path / "run"),
    ]


@pytest.mark.long
def test_a_support_vector_machine_from_the_command_line(arguments, tmp_path, practice_file, capsys):
    """Auto takes it for so few images; digits are told apart, and everything is in the run folder."""
    assert main(["finetune", *arguments, "--json"]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["strategy"] == "svm"
    assert told["accuracy"] > 0.5
    assert told["reason"].endswith("images are under 1,000: a linear SVM has the least to overfit with")
    assert f"strategy svm: {told['reason']}" in captured.err.splitlines()
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    path = practice_file(NETWORK)
    assert record["weights"] == {"id": path.name, "sha256": hash_file(path, ["sha256"])["sha256"]}
    assert record["network"] == NETWORK
    assert record["preprocessing"] == "caffe"
    assert record["arguments"]["strategy"] == "auto"
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.long
def test_a_finished_run_is_not_done_again(arguments, capsys):
    """With --resume the same result is told, from the folder; without it the folder is refused."""
    brief = ["--strategy", "head", "--epochs", "2"]
    assert main(["finetune", *arguments, *brief]) == 0
    first = capsys.readouterr().out
    assert main(["finetune", *arguments, *brief, "--resume"]) == 0
    again = capsys.readouterr()
    assert again.out == first
    assert "this run is finished; nothing is left to do" in again.err
    assert main(["finetune", *arguments, "--strategy", "svm", "--resume"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"zoo: --strategy svm: the run was made with head ({arguments[-1]}); leave it out, or name another "
        "folder for a run of its own"
    )
    assert main(["finetune", *arguments, "--strategy", "head"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"zoo: {arguments[-1]}: holds a finished run; name another folder, or delete it"
    )


def test_a_number_of_layers_is_for_last_layers(arguments, capsys):
    """Other strategies refuse it."""
    assert main(["finetune", *arguments, "--strategy", "head", "--last", "3"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "zoo: last=3: is for the strategy last-layers, not head"
    )


@pytest.mark.long
def test_training_the_last_layers_of_a_network(arguments, practice_file):
    """From a published name on, with either way to write it, everything before stays as in the file."""
    photos = arguments[1]
    result = finetune(
        NETWORK,
        photos,
        strategy="last-layers",
        last="inception_5b/1x1",
        weights=practice_file(NETWORK),
        input_size=SIDE,
        epochs=3,
        learning_rate=1e-5,
        learning_rate_factors={"head": 100},
        augmentation=False,
    )
    assert result.accuracy > 0.4
    fresh = load_classifier(NETWORK, 10, size=(SIDE, SIDE), weights=practice_file(NETWORK))
    changed = {
        layer.name
        for layer in result.model.layers
        if layer.weights
        and not np.array_equal(layer.get_weights()[0], fresh.get_layer(layer.name).get_weights()[0])
    }
    assert "loss3__classifier" in changed
    assert {name.split("__")[0] for name in changed} == {"inception_5b", "loss3"}


def test_features_from_the_command_line(arguments, tmp_path, capsys):
    """The file has a row for each image; a second time they come from the cache, the same."""
    arguments = [*arguments[:-1], str(tmp_path / "features.npz")]
    assert main(["features", *arguments]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'features.npz'}\n"
    with np.load(tmp_path / "features.npz") as file:
        first = dict(file)
    assert first["features"].shape == (150, 1024)
    assert first["classes"].tolist() == list("0123456789")
    assert tuple(first["files"]) == from_folder(arguments[1]).names
    assert main(["features", *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["features"] == 1024
    with np.load(tmp_path / "features.npz") as file:
        assert np.array_equal(file["features"], first["features"])
    assert len(list((tmp_path / "zoo-home" / "_features").iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "side", "rows"),
    [("vgg16", 64, 512), ("googlenet", 64, 1024), ("resnet50", 64, 2048), ("densenet121", 64, 1024)],
)
def test_a_classifier_fits_images_of_any_size(name, side, rows):
    """Where dense layers fix the size it stands on pooled features, under its published name."""
    model = load_classifier(name, 5, size=(side, side), weights=None)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.kernel.shape for layer in dense] == [(rows, 5)]
    assert model.name == name
    assert model.output_shape == (None, 5)


def test_dropout_of_ones_own_before_a_classifier_on_pooled_features():
    """VGG on small images has it too."""
    model = load_classifier("vgg16", 5, size=(64, 64), weights=None, dropout=0.25)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.25]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"strategy": "heads"},
            UnknownNameError,
            "strategy='heads': must be one of svm, head, last-layers, "
            "freeze-pretrain-finetune, all, auto; did you mean head?",
        ),
        ({"input_size": 16}, ArgumentError, "input_size=16: googlenet takes images from 32 pixels upwards"),
        (
            {"input_size": "64"},
            ArgumentError,
            "input_size='64': must be a number of pixels, or height and width",
        ),
        (
            {"input_size": (64,)},
            ArgumentError,
            "input_size=(64,): must be a number of pixels, or height and width",
        ),
        (
            {"train": "a"},
            ArgumentError,
            "give data, to be divided, or train and valid, which are",
        ),
        ({"validation_share": 2}, ArgumentError, "validation_share=2: must be a number between 0 and 1"),
    ],
)
def test_arguments_that_are_not_allowed(photos, options, error, message):
    """They come to light before any weights are fetched."""
    with pytest.raises(error) as caught:
        finetune(NETWORK, photos, **{"input_size": SIDE, **options})
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["head", "head=", "=2", "head=ten"])
def test_learning_rate_factors_are_typed_as_pairs(text):
    """Anything else is refused with an example."""
    with pytest.raises(ArgumentError) as caught:
        learning_rate_factors([text])
    assert str(caught.value) == f"--learning-rate-factor {text}: must be GROUP=FACTOR, head=10 for example"


def test_learning_rate_factors_may_be_several():
    """The last equals sign divides."""
    assert learning_rate_factors(["head=10", "a=b*=0.5"]) == {"head": 10.0, "a=b*": 0.5}


@pytest.mark.parametrize(
    ("epsilon", "asked", "said"),
    [
        (1e-5, "auto", "preprocessing torch, as its weights set torchvision has it"),
        (1e-3, "auto", "preprocessing caffe, as the published resnet50 has it"),
        (1e-3, "inception", None),
    ],
)
def test_what_weights_at_a_path_are_taken_for_is_said(tmp_path, epsilon, asked, said):
    """Of a set's name everybody can look it up, and what the user says need not be told again."""
    pooled = keras.layers.ZeroPadding2D(1, name="pool1_zeropadding")
    stride = keras.layers.Conv2D(1, 3, strides=2, name="res3a_branch2b")
    norm = keras.layers.BatchNormalization(epsilon=epsilon, name="bn_conv1")
    layers = [pooled, stride, norm] if epsilon == 1e-5 else [norm]
    path = tmp_path / "mine.keras"
    keras.Sequential([keras.Input((8, 8, 3)), *layers]).save(path)
    lines = []
    settings = Settings(report=lines.append, preprocessing=asked)
    for weights in ("imagenet", None, path):
        runs._say_what_for(settings, as_trained(architecture("resnet50"), weights), weights)
    assert lines == ([] if said is None else [f"weights mine.keras: {said}"])

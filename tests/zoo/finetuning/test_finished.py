"""A finished run that is asked for again: told if it is the same, refused if it is not, never in silence."""

from __future__ import annotations

import json
import shutil

import keras
import pytest

from tests.support.small_network import same
from zoo.cli import main
from zoo.errors import ArgumentError, DownloadError, FileFormatError
from zoo.finetuning import finetune, job, runs
from zoo.finetuning.resuming import resumed
from zoo.finetuning.training import TrainingError
from zoo.practice.digits import write_digits
from zoo.practice.files import write_published

pytestmark = pytest.mark.usefixtures("untraced")

NETWORK = "googlenet"
OPTIONS = {"strategy": "head", "input_size": 32, "epochs": 1, "cache": False, "patience": 3}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a folder with images, others, weights, other weights, and a finished run."""
    folder = tmp_path_factory.mktemp("finished")
    write_digits(folder / "photos", count=40, side=32)
    write_digits(folder / "others", count=40, side=32, seed=5)
    write_published(NETWORK, folder / "weights.h5", "th")
    write_published(NETWORK, folder / "other.h5", "tf")
    finetune(NETWORK, folder / "photos", weights=folder / "weights.h5", out=folder / "run", **OPTIONS)
    return folder


def again(world, data="photos", weights="weights.h5", run="run", **changes):
    """Ask for a run once more; return its result and what was said."""
    lines = []
    pictures = None if data is None else world / data
    options = {**OPTIONS, "weights": world / weights, **changes}
    result = finetune(
        changes.pop("name", NETWORK), pictures, out=world / run, resume=True, report=lines.append, **options
    )
    return result, lines


def test_the_same_run_is_told_and_not_done_again(world, monkeypatch):
    """Its result comes from the folder; nothing is trained or loaded but the model that is there."""
    monkeypatch.setattr(runs, "load_classifier", None)
    result, lines = again(world)
    assert lines == [f"{world / 'run'}: this run is finished; nothing is left to do"]
    assert result.strategy == "head"
    record = json.loads((world / "run" / "run.json").read_text("utf-8"))
    assert result.accuracy == record["result"]["accuracy"]


CHANGES = {
    "strategy": ({"strategy": "svm"}, "strategy='svm': the run was made with head"),
    "input_size": ({"input_size": 64}, "input_size=[64, 64]: the run was made with [32, 32]"),
    "dropout": ({"dropout": 0.5}, "dropout=0.5: the run was made with 0.0"),
    "data_format": (
        {"data_format": "channels_first"},
        "data_format='channels_first': the run was made with channels_last",
    ),
    "last": ({"last": 3}, "last=3: the run was made with the default"),
    "batch_size": ({"batch_size": 4}, "batch_size=4: the run was made with the default"),
    "learning_rate": ({"learning_rate": 0.5}, "learning_rate=0.5: the run was made with the default"),
    "patience": ({"patience": 2}, "patience=2: the run was made with 3"),
    "seed": ({"seed": 1}, "seed=1: the run was made with 0"),
    "augmentation": ({"augmentation": False}, "augmentation=False: the run was made with True"),
    "class_weights": ({"class_weights": False}, "class_weights=False: the run was made with True"),
    "learning_rate_factors": (
        {"learning_rate_factors": {"head": 2}},
        "learning_rate_factors={'head': 2.0}: the run was made with {}",
    ),
    "freeze_batch_norm": (
        {"freeze_batch_norm": True},
        "freeze_batch_norm=True: the run was made with the default",
    ),
    "fit": ({"fit": "pad"}, "fit='pad': the run was made with crop"),
    "conflicts": ({"conflicts": "drop"}, "conflicts='drop': the run was made with refuse"),
    "preprocessing": ({"preprocessing": "torch"}, "preprocessing='torch': the run was made with auto"),
    "include_preprocessing": (
        {"include_preprocessing": True},
        "include_preprocessing=True: the run was made with False",
    ),
    "fused": ({"fused": True}, "fused=True: the run was made with False"),
    "pictures": ({"data": "others"}, "{run}: the run was made with other pictures to train on: "),
    "share": ({"validation_share": 0.5}, "{run}: the run was made with other pictures to train on: "),
    "weights": ({"weights": "other.h5"}, "{run}: the run was made with other weights: "),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_argument_is_refused(world, change):
    """With its name and both values; the old result is not told."""
    changes, told = CHANGES[change]
    with pytest.raises(ArgumentError) as caught:
        again(world, **changes)
    assert str(caught.value).startswith(told.format(run=world / "run") if "{run}" in told else told)


@pytest.mark.parametrize(
    "change", [one for one in CHANGES if one not in ("last", "pictures", "share", "weights")]
)
def test_any_other_argument_is_refused_with_the_folder_alone(world, change):
    """The same, of what is said besides the folder of the run."""
    changes, told = CHANGES[change]
    told = told.replace(
        "batch_size=4: the run was made with the default", "batch_size=4: the run was made with 16"
    )
    with pytest.raises(ArgumentError) as caught:
        finetune(resume=world / "run", **changes)
    advice = "leave it out, or name another folder for a run of its own"
    assert str(caught.value) == f"{told} ({world / 'run'}); {advice}"


TYPED = {
    "--batch-size 32": "--batch-size 32: the run was made with 16",
    "--seed 7": "--seed 7: the run was made with 0",
    "--no-class-weights": "--no-class-weights: the run was made with True",
    "--no-freeze-batch-norm": "--no-freeze-batch-norm: the run was made with the default",
    "--augmentation none": "--augmentation none: the run was made with True",
    "--learning-rate-factor head=2": "--learning-rate-factor head=2: the run was made with {}",
    "--strategy all": "--strategy all: the run was made with head",
    "--input-size 64": "--input-size 64: the run was made with [32, 32]",
    "--validation-share 0.5": "--validation-share 0.5: the run was made with 0.2",
    "vgg16": "NAME vgg16: the run was made with googlenet",
}


@pytest.mark.parametrize("typed", TYPED)
def test_on_the_command_line_an_argument_has_the_name_that_it_has_there(world, typed, capsys):
    """Whether it is typed before or behind the run."""
    told = (
        f"zoo: {TYPED[typed]} ({world / 'run'}); leave it out, or name another folder for a run of its own\n"
    )
    for arguments in (
        [*typed.split(), "--resume", str(world / "run")],
        ["--resume", str(world / "run"), *typed.split()],
    ):
        assert main(["finetune", *arguments]) == 2
        assert capsys.readouterr().err == told


def test_a_finished_run_needs_its_folder_alone(world, capsys, monkeypatch):
    """It says that it is finished, and where its model is; images and weights are not looked for."""
    monkeypatch.setattr(runs, "load_classifier", None)
    monkeypatch.setattr(runs, "_divided", None)
    assert main(["finetune", "--resume", str(world / "run")]) == 0
    captured = capsys.readouterr()
    assert captured.err == f"{world / 'run'}: this run is finished; nothing is left to do\n"
    assert f"run       {world / 'run'}" in captured.out
    assert finetune(resume=str(world / "run")).out == world / "run"


@pytest.mark.long  # with a small network it is asked in test_strategies.py
def test_more_epochs_are_trained_as_if_they_had_been_asked_for_at_first(world, tmp_path):
    """To the bit, from the folder alone or with all that the run was made with; then it is finished again."""
    at_once = finetune(
        NETWORK,
        world / "photos",
        weights=world / "weights.h5",
        out=tmp_path / "at once",
        **OPTIONS | {"epochs": 3},
    )
    shutil.copytree(world / "run", tmp_path / "run")
    lines = []
    result = finetune(resume=tmp_path / "run", epochs=3, report=lines.append)
    assert [one.epoch for one in result.history] == [1, 2, 3]
    assert [one.val_loss for one in result.history] == [one.val_loss for one in at_once.history]
    assert same(result.model.get_weights(), at_once.model.get_weights())
    kept = tmp_path / "run" / "checkpoint"
    assert lines[-1] == f"{kept} is kept, so that the run can go on with more epochs; it may be deleted"
    _, lines = again(world, run=tmp_path / "run", epochs=3)
    assert lines == [f"{tmp_path / 'run'}: this run is finished; nothing is left to do"]
    with pytest.raises(ArgumentError) as caught:
        finetune(resume=tmp_path / "run", epochs=2)
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: phase classifier has done 3 epochs and is to have 2; ask for as many or more"
    )


def test_more_epochs_are_refused_where_what_they_need_is_gone(world, tmp_path):
    """With what can be done."""
    shutil.copytree(world / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    with pytest.raises(ArgumentError) as caught:
        finetune(resume=tmp_path / "run", epochs=3)
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: epochs=3: the run is finished after 1 epoch, and what it needs to go on is not "
        f"in {tmp_path / 'run' / 'checkpoint'}; make a new run"
    )


def test_a_run_that_had_stopped_by_itself_says_so(world, tmp_path):
    """More epochs would not have been used."""
    shutil.copytree(world / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text("utf-8"))
    record["phases"][0]["is_cut"] = False
    path.write_text(json.dumps(record))
    lines = []
    finetune(resume=tmp_path / "run", epochs=30, report=lines.append)
    assert (
        lines[0]
        == f"{tmp_path / 'run'}: this run is finished; it had stopped by itself: epochs=30 changes nothing"
    )


@pytest.mark.long
def test_an_interrupted_run_needs_its_folder_alone(world, tmp_path, monkeypatch):
    """Where images and weights are is in its record from the start."""

    def stop(*_):
        raise KeyboardInterrupt

    given = {"weights": world / "weights.h5", "out": tmp_path / "run", **OPTIONS, "epochs": 2}
    with monkeypatch.context() as patch:
        patch.setattr(job.Logs, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            finetune(NETWORK, world / "photos", **given)
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert (record["status"], record["sources"]["data"]) == ("running", str(world / "photos"))
    result = finetune(resume=tmp_path / "run")
    assert [one.epoch for one in result.history] == [1, 2]
    assert json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["status"] == "finished"


def test_images_in_memory_or_elsewhere_have_to_be_given_again(world, tmp_path):
    """Where they were is said."""
    shutil.copytree(world / "run", tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text("utf-8"))
    record["sources"]["data"] = str(tmp_path / "gone")
    path.write_text(json.dumps(record))
    with pytest.raises(ArgumentError) as caught:
        finetune(resume=tmp_path / "run", epochs=2)
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: its images were in {tmp_path / 'gone'}, where nothing is now; say where: data="
    )
    record["sources"] |= {"data": None, "in_memory": ["data"]}
    path.write_text(json.dumps(record))
    with pytest.raises(ArgumentError) as caught:
        finetune(resume=tmp_path / "run", epochs=2)
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: its images were in memory, not in files; give them again: data="
    )
    complete = resumed({"resume": tmp_path / "run", "data": world / "photos", "epochs": 2})
    assert {
        name: complete[name] for name in ("name", "strategy", "data", "weights", "input_size", "epochs")
    } == {
        "name": NETWORK,
        "strategy": "head",
        "data": world / "photos",
        "weights": str(world / "weights.h5"),
        "input_size": (32, 32),
        "epochs": 2,
    }


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path, capsys):
    """On the command line too; and what is missing is named."""
    assert main(["finetune", "--resume", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"zoo: {tmp_path}: holds no run to resume: it has no run.json\n"
    assert main(["finetune", "--resume"]) == 2
    assert capsys.readouterr().err == "zoo: --resume: which run? --resume RUN, with the folder of one\n"


def test_a_record_that_does_not_tell_its_network_cannot_be_resumed(tmp_path):
    """As where a disk was full; what is missing is named."""
    (tmp_path / "run.json").write_text('{"format": 1}')
    with pytest.raises(FileFormatError) as caught:
        finetune(resume=tmp_path)
    assert str(caught.value) == f"{tmp_path / 'run.json'}: not as a run writes it: it has no 'network'"


def test_another_network_is_refused(world):
    """Before its weights are looked for."""
    with pytest.raises(ArgumentError, match="network='vgg16': the run was made with googlenet"):
        finetune("vgg16", world / "photos", out=world / "run", resume=True, weights=None, **OPTIONS)


def test_random_weights_are_other_weights(world):
    """And what has none has no digest."""
    with pytest.raises(ArgumentError, match=r"with other weights: [0-9a-f]{64}, now the default"):
        finetune(NETWORK, world / "photos", out=world / "run", resume=True, weights=None, **OPTIONS)


def test_what_is_not_given_is_not_compared_and_that_is_said(world):
    """No images; and the strategy that the number of images would choose."""
    _, lines = again(world, data=None, strategy="auto")
    assert lines == [
        f"{world / 'run'}: no images are given: not compared",
        f"{world / 'run'}: this run is finished; nothing is left to do",
        f"{world / 'run'}: strategy head: as the run had it",
    ]


def test_weights_that_cannot_be_had_are_not_compared(world, monkeypatch):
    """The result needs none; it is told all the same."""

    def fail(*_):
        raise DownloadError("no network")

    monkeypatch.setattr(runs, "provenance", fail)
    _, lines = again(world)
    assert lines[0] == f"{world / 'run'}: the weights cannot be had: not compared (no network)"


@pytest.fixture
def old(world, tmp_path):
    """Return a folder with a run as version 0.1.0 recorded it."""
    shutil.copytree(world / "run", tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text("utf-8"))
    for name in ("asked", "depth", "failure", "sources", "fit"):
        del record[name]
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    path.write_text(json.dumps(record))
    return tmp_path / "run"


def test_a_run_of_before_is_told_and_what_it_did_not_record_is_said(world, old):
    """It recorded no images; the rest is compared."""
    _, lines = again(world, run=old)
    assert lines == [
        f"{old}: this run is finished; nothing is left to do",
        f"{old}: run.json does not tell dropout, last, augmentation, learning_rate_factors, "
        "pictures to train on, pictures to validate with: not compared",
    ]


@pytest.mark.parametrize("change", ["seed", "input_size", "weights", "class_weights", "strategy"])
def test_a_run_of_before_is_compared_as_far_as_it_tells(world, old, change):
    """What it does tell is refused as ever."""
    changes, told = CHANGES[change]
    with pytest.raises(ArgumentError) as caught:
        again(world, run=old, **changes)
    assert str(caught.value).startswith(told.format(run=old) if "{run}" in told else told)


def test_a_run_of_before_cannot_have_more_epochs(world, old):
    """Its checkpoint was not kept."""
    with pytest.raises(ArgumentError, match="epochs=2: the run is finished after 1 epoch, and what it needs"):
        again(world, run=old, epochs=2)


def test_a_run_that_came_to_nothing_says_so_again(world, old):
    """With its result in the error, and not as if it had gone well."""
    path = old / "run.json"
    record = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(record | {"failure": "phase classifier: nothing was learned"}))
    with pytest.raises(TrainingError) as caught:
        again(world, run=old)
    assert str(caught.value) == "phase classifier: nothing was learned"
    assert isinstance(caught.value.result.model, keras.Model)

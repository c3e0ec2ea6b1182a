"""Each strategy learns handwritten digits, changes what it should and nothing else, and repeats itself."""

from __future__ import annotations

import functools
import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pytest

from converters.planning.structures import load_structure
from tests.support.long import long_but
from tests.support.small_network import OPTIONS, divided_digits, same, small_network, some_digits, weights_of
from zoo import finetuning
from zoo.errors import ArgumentError, UnknownNameError
from zoo.finetuning import strategies
from zoo.finetuning.backbone import recipe_for
from zoo.finetuning.data import as_pictures, from_arrays, from_folder
from zoo.finetuning.digests import digest_model
from zoo.finetuning.division import split
from zoo.finetuning.job import Result
from zoo.finetuning.options import Settings
from zoo.finetuning.run_folder import RunFolder, read_history, read_probabilities
from zoo.finetuning.runs import load_classifier, read_result
from zoo.finetuning.schedule import STRATEGIES
from zoo.finetuning.support_vectors import decision_weights
from zoo.finetuning.training import TrainingError
from zoo.practice.digits import write_digits
from zoo.registry import architecture, get_registry
from zoo.surgery.prefix import with_preprocessing

pytestmark = pytest.mark.usefixtures("untraced")

ENOUGH = 0.5  # five times what guessing reaches
FUNCTIONS = {
    "svm": finetuning.svm,
    "head": finetuning.head,
    "last-layers": finetuning.last_layers,
    "freeze-pretrain-finetune": finetuning.freeze_pretrain_finetune,
    "all": finetuning.train_all,
}
SPECIAL = {"last-layers": {"last": "second", "fresh_head": True}, "all": {"fresh_head": True}}


def run(strategy, model=None, *, train=None, valid=None, **options):
    """Run a strategy on digits."""
    if train is None:
        train, valid = divided_digits()
    options = {**OPTIONS, **SPECIAL.get(strategy, {}), **options}
    return FUNCTIONS[strategy](model or small_network(), train, valid, **options)


def names_of(pictures):
    """Return the class of each image by its name."""
    return [pictures.classes[label] for label in pictures.labels]


def few():
    """Return so few digits that a run takes a moment, for tests that ask for no accuracy."""
    train, valid = divided_digits(80)
    return {"train": train, "valid": valid}


def shorten(monkeypatch, strategy):
    """Give a strategy at most four epochs to a phase."""
    record = STRATEGIES[strategy]
    phases = tuple(replace(phase, epochs=min(phase.epochs, 4)) for phase in record.phases)
    monkeypatch.setitem(STRATEGIES, strategy, replace(record, phases=phases))


@pytest.fixture
def brief(monkeypatch):
    """Let every phase be short, for tests that ask for no accuracy."""
    for strategy in list(STRATEGIES):
        shorten(monkeypatch, strategy)


def brighter():
    """Return a layer that changes images at random, and takes less to be traced than all that are usual."""
    return keras.Sequential([keras.layers.RandomBrightness(0.2)])


def epochs_of(result):
    """Return the epochs without their times."""
    return [(one.phase, one.epoch, one.loss, one.val_loss, one.val_accuracy) for one in result.history]


@pytest.fixture(scope="module")
def learned():
    """Return what gives the result of a strategy with its defaults, to be looked at only."""
    return functools.cache(run)


def with_weights_of(result):
    """Return a network that knows what another has learned."""
    model = small_network()
    model.set_weights(result.model.get_weights())
    return model


@pytest.mark.parametrize(
    "strategy",
    long_but(("svm", "head"), FUNCTIONS),
)
def test_every_strategy_learns(learned, strategy):
    """Well above chance; the model that comes out gives the probabilities that were judged."""
    result = learned(strategy)
    assert result.strategy == strategy
    assert result.accuracy > ENOUGH
    images = result.valid.batch(range(len(result.valid)), 16, 16).astype(np.float32)
    probabilities = result.model.predict(images, verbose=0)
    assert np.allclose(probabilities, result.predictions, atol=1e-4)
    assert np.mean(probabilities.argmax(axis=1) == result.valid.labels) == pytest.approx(result.accuracy)
    picked = probabilities[np.arange(len(images)), result.valid.labels].clip(1e-7)
    assert -np.log(picked).mean() == pytest.approx(result.log_loss, rel=1e-3)
    best = min(one.val_loss for one in result.history)
    assert best == pytest.approx(result.log_loss, rel=1e-3)


@pytest.mark.long  # an interrupted run that ends as a whole one does is asked in each
@pytest.mark.parametrize("strategy", FUNCTIONS)
def test_every_strategy_repeats_itself(strategy, brief):
    """The same seed gives the same weights; another seed others."""
    options = {"epochs": 2, "patience": 2, **few()}
    augmentations = [True if strategy == "all" else brighter() for _ in range(3)]
    first = run(strategy, augmentation=augmentations[0], **options)
    again = run(strategy, augmentation=augmentations[1], **options)
    other = run(strategy, augmentation=augmentations[2], seed=1, **options)
    assert epochs_of(first) == epochs_of(again)
    assert same(first.model.get_weights(), again.model.get_weights())
    if strategy != "svm":  # which has one best machine, wherever it starts from
        assert not same(first.model.get_weights(), other.model.get_weights())


def test_a_result_is_told_in_few_words(learned):
    """In one line, and in a notebook in a table; what failed says so."""
    result = learned("head")
    count = len(result.predictions)
    said = f"head: {result.accuracy:.1%} of {count} validation images, log loss {result.log_loss:.4f}"
    assert (str(result), repr(result)) == (said, f"<{said}>")
    assert str(replace(result, failure="why", out=Path("run1"))) == f"head FAILED{said[4:]}, run run1"
    page = replace(result, classes=("<b>", "c"), out=Path("run1"))._repr_html_()
    for text in ("&lt;b&gt;, c", f"{result.accuracy:.1%} of {count} validation images", "run1"):
        assert f">{text}</td>" in page
    assert ">failed</th>" not in page


CHANGED = {
    "svm": {"classes"},
    "head": {"classes"},
    "last-layers": {"second", "classes"},
    "all": {"first", "norm", "second", "classes"},
}


@pytest.fixture(scope="module")
def moved():
    """Return what tells of an epoch of a strategy which weights of which layers it changed."""

    @functools.cache
    def one_epoch(strategy, **options):
        model = small_network()
        before = weights_of(model)
        assert run(strategy, model, epochs=1, **few(), **options).model is model
        after = weights_of(model)
        return {
            name: [not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True)]
            for name in before
        }

    return one_epoch


@pytest.mark.parametrize("strategy", CHANGED)
def test_what_is_frozen_stays_and_all_else_learns(moved, strategy):
    """To the bit, batch normalisation's statistics too."""
    assert {name for name, weights in moved(strategy).items() if any(weights)} == CHANGED[strategy]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A short run of both phases: the weights before it, what came of it, its folder and what it said."""

    before: dict
    result: Result
    folder: RunFolder
    lines: list


@pytest.fixture(scope="module")
def both_phases(tmp_path_factory):
    """Return a run with a folder, to be looked at only."""
    folder, lines, model = RunFolder(path=tmp_path_factory.mktemp("runs") / "run"), [], small_network()
    before = weights_of(model)
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch, "freeze-pretrain-finetune")
        numbers = {"pretrain_epochs": 4, "finetune_epochs": 2}
        result = run("freeze-pretrain-finetune", model, **numbers, out=folder.path, report=lines.append)
    return Run(before=before, result=result, folder=folder, lines=lines)


def test_freeze_pretrain_finetune_puts_two_layers_on_and_trains_everything_but_batch_normalisation(
    both_phases,
):
    """The first phase leaves the backbone alone; in the second it moves, at a tenth of the learning rate."""
    before, result = both_phases.before, both_phases.result
    after = weights_of(result.model)
    assert list(after) == ["first", "norm", "second", "classes_hidden", "classes"]
    assert {name for name in before if same(before[name], after[name])} == {"norm"}
    assert after["classes_hidden"][0].shape == (384, 256)
    assert after["classes"][0].shape == (256, 10)
    rates = {one.phase: one.learning_rate for one in result.history}
    assert rates == {"pretrain": pytest.approx(1e-3), "finetune": pytest.approx(1e-4)}


@pytest.mark.parametrize(
    ("strategy", "options", "trained"),
    [
        ("all", {}, True),
        pytest.param("all", {"freeze_batch_norm": True}, False, marks=pytest.mark.long),
        ("last-layers", {"last": "norm"}, False),
        pytest.param(
            "last-layers", {"last": "norm", "freeze_batch_norm": False}, True, marks=pytest.mark.long
        ),
    ],
)
def test_batch_normalisation_is_trained_only_if_asked(moved, strategy, options, trained):
    """`all` trains it unless told not to; the others the other way round."""
    assert moved(strategy, **options)["norm"] == [trained] * 4


def test_a_trained_head_can_go_on(learned):
    """Without a fresh head the model starts from what it knows: its first epoch begins where head ended."""
    before = learned("head")
    options = {"fresh_head": False, "epochs": 1, "learning_rate": 1e-9, "freeze_batch_norm": True}
    went_on = run("all", with_weights_of(before), **options)
    assert went_on.log_loss == pytest.approx(before.log_loss, rel=1e-3)


def test_dropout_of_the_model_is_kept(learned):
    """The rate before the classifier is used in training and stays in the model."""
    model = small_network(dropout=0.4)
    result = run("head", model, epochs=3)
    assert result.model.get_layer("dropped").rate == 0.4
    assert result.history[2].loss > learned("head").history[2].loss


def test_class_weights_count_for_the_few():
    """Where one class has hardly any images, weights make the model find them more often."""
    pictures = some_digits(600)
    few = np.flatnonzero(pictures.labels == 8)[:4]
    many = np.flatnonzero(pictures.labels == 3)
    uneven = pictures.subset(np.concatenate([many[:40], few]))
    train = from_arrays(uneven.batch(range(len(uneven)), 16, 16), names_of(uneven))
    rest = pictures.subset(np.flatnonzero((pictures.labels == 8) | (pictures.labels == 3))[60:])
    valid = as_pictures((rest.batch(range(len(rest)), 16, 16), names_of(rest)), like=train)

    def found(**options):
        result = run("head", small_network(2), train=train, valid=valid, epochs=2, **options)
        return result.predictions[valid.labels == 1, 1].mean()

    assert found() > found(class_weights=False) + 0.02


def test_learning_rate_factors_reach_the_layers():
    """With the backbone's factor 0 only the head moves; an unknown group is refused before anything runs."""
    model = small_network()
    before = weights_of(model)
    run("all", model, epochs=1, learning_rate_factors={"backbone": 0}, freeze_batch_norm=True, **few())
    after = weights_of(model)
    assert {name for name in before if not same(before[name], after[name])} == {"classes"}
    with pytest.raises(UnknownNameError, match="learning-rate factor 'classe': there is no such layer"):
        run("all", learning_rate_factors={"classe": 2})


def test_channels_first_works_too():
    """Images are turned round for a model that has its channels first."""
    images = keras.Input((3, 16, 16))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 128, offset=-1)(images))
    model = keras.Model(
        images, keras.layers.Dense(10, activation="softmax", name="classes")(flat), name="turned"
    )
    result = run("head", model)
    assert result.accuracy > ENOUGH
    pixels = result.valid.batch(range(5), 16, 16).transpose(0, 3, 1, 2).astype(np.float32)
    assert np.allclose(result.model.predict(pixels, verbose=0), result.predictions[:5], atol=1e-4)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_support_vector_machine_is_the_one_of_scikit_learn(classes):
    """The dense layer decides as scikit-learn does, for two classes as for more."""
    from sklearn.svm import LinearSVC

    from zoo.finetuning.support_vectors import decision_weights

    rng = np.random.default_rng(1)
    labels = np.arange(60) % classes
    rows = (rng.normal(size=(classes, 5))[labels] + rng.normal(size=(60, 5))).astype(np.float32)
    kernel, bias = decision_weights(rows, labels, classes + 1, cost=0.1, balanced=True, seed=0)
    machine = LinearSVC(C=0.1, class_weight="balanced", random_state=0).fit(rows, labels)
    assert np.array_equal((rows @ kernel + bias).argmax(axis=1), machine.predict(rows))
    assert kernel.shape == (5, classes + 1)


@pytest.mark.parametrize("cost", [0, -1, True, float("nan")])
def test_a_cost_is_above_zero(cost):
    """Anything else is refused."""
    with pytest.raises(ArgumentError) as caught:
        run("svm", cost=cost)
    assert str(caught.value) == f"cost={cost!r}: must be a number above 0"


@pytest.mark.parametrize(
    ("last", "frozen"),
    [
        (1, {"first", "norm", "second", "classes"}),  # the softmax alone
        (2, {"first", "norm", "second"}),  # and the dense layer
        ("second", {"first", "norm"}),
        ("first", set()),
        (None, {"first", "norm", "second", "classes"}),  # the network has no more than ten layers
    ],
)
def test_last_layers_of_a_model_that_is_not_ours(last, frozen):
    """Its own list of layers counts; by default the first ten stay, here all."""
    model = small_network()
    before = strategies.first_layers(model, last)
    assert {layer.name for layer in model.layers if layer.weights and before(layer.name)} == frozen


@pytest.mark.parametrize("last", [0, 11, -1, True, 2.5])
def test_last_layers_that_are_no_number(last):
    """The message says how many there are."""
    with pytest.raises(ArgumentError) as caught:
        run("last-layers", last=last)
    assert (
        str(caught.value) == f"last={last!r}: must be a number of layers from 1 to 10, a layer's name or None"
    )


def test_a_last_layer_that_is_not_there():
    """The nearest name is offered."""
    with pytest.raises(UnknownNameError) as caught:
        run("last-layers", last="secund")
    assert str(caught.value) == "last='secund': there is no such layer; did you mean second?"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ArgumentError, "epochs=0: must be an integer from 1"),
        ({"patience": -1}, ArgumentError, "patience=-1: must be an integer from 1"),
        ({"seed": 1.5}, ArgumentError, "seed=1.5: must be an integer from 0"),
        ({"learning_rate": 0}, ArgumentError, "learning_rate=0: must be a number above 0"),
        ({"batch_size": 0}, ArgumentError, "batch_size=0: must be an integer from 1"),
        (
            {"preprocessing": "cafe"},
            ArgumentError,
            "preprocessing='cafe': must be auto, none or one of caffe, caffe_x0.017, inception, inside,"
            " torch, torch_x255",
        ),
        (
            {"preprocessing": "auto"},
            ArgumentError,
            "model 'small' is not in the registry: say which preprocessing it was trained with, "
            "preprocessing='none' or one of caffe, caffe_x0.017, inception, inside, torch, torch_x255",
        ),
    ],
)
def test_options_that_are_not_allowed(options, error, message):
    """The message names the option, its value and what is allowed."""
    with pytest.raises(error) as caught:
        run("head", **options)
    assert str(caught.value) == message


def test_a_model_for_another_number_of_classes_is_refused():
    """The message says which call makes one that fits."""
    with pytest.raises(ArgumentError) as caught:
        run("head", small_network(7))
    assert str(caught.value) == (
        "model 'small' has 7 outputs: the images have 10 classes; zoo.load(..., num_classes=10) makes one "
        "that fits"
    )


def test_the_run_folder_tells_all(both_phases):
    """Model, record, history, predictions, logs and report; the result can be read back from it."""
    result, folder, lines = both_phases.result, both_phases.folder, both_phases.lines
    assert sorted(path.name for path in folder.path.iterdir() if path.suffix != ".svg") == [
        "README.md",
        "checkpoint",
        "history.csv",
        "logs",
        "model.keras",
        "predictions.csv",
        "report.html",
        "run.json",
    ]
    assert result.report == folder.path / "report.html"
    record = json.loads(folder.record.read_text("utf-8"))
    assert {
        name: record[name] for name in ("format", "status", "network", "weights", "strategy", "classes")
    } == {
        "format": 1,
        "status": "finished",
        "network": "small",
        "weights": None,
        "strategy": "freeze-pretrain-finetune",
        "classes": list("0123456789"),
    }
    assert (record["input"], record["preprocessing"], record["data_format"], record["fit"]) == (
        [16, 16, 3],
        "included",
        "channels_last",
        "crop",
    )
    assert [phase["name"] for phase in record["phases"]] == ["pretrain", "finetune"]
    assert record["phases"][0]["frozen"] == ["first", "norm", "second"]
    assert record["phases"][1]["frozen"] == ["norm"]
    assert record["data"]["train"] + record["data"]["valid"] == 300
    assert record["result"]["accuracy"] == result.accuracy
    assert read_history(folder.history) == result.history
    assert np.allclose(read_probabilities(folder.predictions), result.predictions, atol=1e-5)
    assert sorted(path.name for path in folder.logs.iterdir()) == ["finetune", "pretrain"]
    again = read_result(folder)
    images = result.valid.batch(range(5), 16, 16).astype(np.float32)
    assert np.array_equal(again.model.predict(images, verbose=0), result.model.predict(images, verbose=0))
    assert (again.accuracy, again.history, again.classes) == (result.accuracy, result.history, result.classes)
    assert lines[0] == "freeze-pretrain-finetune: 210 images of 10 classes to train on, 90 to validate with"
    assert lines[-2:] == [
        f"{result.accuracy:.1%} of 90 validation images correctly classified, log loss {result.log_loss:.3f}",
        f"{folder.path / 'checkpoint'} is kept, so that the run can go on with more epochs; it may be"
        " deleted",
    ]


def test_each_epoch_is_told_on_one_line(both_phases):
    """Where Keras shows none: with the numbers of the history, behind the phase that it belongs to."""
    told = [line for line in both_phases.lines if line.startswith("epoch ")]
    assert told == [
        f"epoch {one.epoch}/{4 if one.phase == 'pretrain' else 2}: loss {one.loss:.4f}, accuracy "
        f"{one.accuracy:.1%}, val_loss {one.val_loss:.4f}, val_accuracy {one.val_accuracy:.1%}, "
        f"{one.seconds:.1f} s"
        for one in both_phases.result.history
    ]


class PulledPlugError(Exception):
    """Someone pulled the plug."""


def in_two_phases(**options):
    """Run one phase for four epochs, the other for three, on a model with dropout and changed images."""
    options = {
        "pretrain_epochs": 4,
        "finetune_epochs": 3,
        "patience": 9,
        "augmentation": brighter(),
        **few(),
        **options,
    }
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch, "freeze-pretrain-finetune")
        return run("freeze-pretrain-finetune", small_network(dropout=0.3), **options)


@pytest.fixture(scope="module")
def whole():
    """Return what comes of such a run in one go."""
    return in_two_phases()


@pytest.mark.parametrize(
    ("phase", "number"),
    [("pretrain", 2), *(pytest.param("finetune", number, marks=pytest.mark.long) for number in (1, 2))],
)
def test_an_interrupted_run_goes_on(tmp_path, monkeypatch, whole, phase, number):
    """Whichever phase it was in, the result is that of a run in one go."""
    from zoo.finetuning import job

    def stop(logs, epoch):
        if (epoch.phase, epoch.epoch) == (phase, number):
            raise PulledPlugError

    with monkeypatch.context() as patch:
        patch.setattr(job.Logs, "add", stop)
        with pytest.raises(PulledPlugError):
            in_two_phases(out=tmp_path / "run")
    assert not RunFolder(path=tmp_path / "run").is_finished
    resumed = in_two_phases(out=tmp_path / "run", resume=True)
    assert epochs_of(resumed) == epochs_of(whole)
    assert same(resumed.model.get_weights(), whole.model.get_weights())
    assert RunFolder(path=tmp_path / "run").is_finished


def test_more_epochs_are_as_if_they_had_been_asked_for_at_first(tmp_path):
    """To the bit; a run that has done more is not taken back."""
    at_once = run("head", small_network(dropout=0.3), epochs=4, **few())
    run("head", small_network(dropout=0.3), epochs=2, out=tmp_path / "run", **few())
    folder = RunFolder(path=tmp_path / "run")
    assert folder.is_finished
    assert folder.may_go_on
    resumed = run("head", small_network(dropout=0.3), epochs=4, resume=tmp_path / "run", **few())
    assert epochs_of(resumed) == epochs_of(at_once)
    assert same(resumed.model.get_weights(), at_once.model.get_weights())
    with pytest.raises(ArgumentError) as caught:
        run("head", small_network(dropout=0.3), epochs=3, resume=tmp_path / "run", **few())
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: phase classifier has done 4 epochs and is to have 3; ask for as many or more"
    )


@pytest.mark.long  # for one phase it is asked above
def test_a_finished_run_goes_on_with_more_epochs(tmp_path, whole):
    """In its last phase, to the bit; the phase before it has ended, and is not to have been longer."""
    numbers = {"pretrain_epochs": 4, "finetune_epochs": 1}
    in_two_phases(out=tmp_path / "run", **numbers)
    resumed = in_two_phases(out=tmp_path / "run", resume=True)
    assert epochs_of(resumed) == epochs_of(whole)
    assert same(resumed.model.get_weights(), whole.model.get_weights())
    with pytest.raises(ArgumentError) as caught:
        in_two_phases(out=tmp_path / "run", resume=True, pretrain_epochs=6)
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: phase pretrain ended with its 4 epochs, and finetune went on from there: with "
        "6 it would have been another run; ask for pretrain_epochs=4 and finetune_epochs=N"
    )


def interrupt(monkeypatch):
    """Let runs end after their first epoch."""
    from zoo.finetuning import job

    def stop(logs, epoch):
        raise PulledPlugError

    monkeypatch.setattr(job.Logs, "add", stop)


def test_a_run_folder_is_not_written_over(tmp_path, monkeypatch):
    """A finished run, an interrupted one and a folder of something else are refused in their own words."""
    out = tmp_path / "run"
    run("svm", out=out, **few())
    with pytest.raises(ArgumentError) as caught:
        run("svm", out=out, **few())
    assert str(caught.value) == f"{out}: holds a finished run; name another folder, or delete it"
    interrupt(monkeypatch)
    with pytest.raises(PulledPlugError):
        run("all", out=tmp_path / "broken", **few())
    with pytest.raises(ArgumentError) as caught:
        run("all", out=tmp_path / "broken", **few())
    assert str(caught.value) == (
        f"{tmp_path}/broken: holds an interrupted run; --resume goes on with it, or delete it"
    )
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(ArgumentError) as caught:
        run("svm", out=tmp_path / "photos")
    assert str(caught.value) == f"{tmp_path}/photos: is not an empty folder; name one that is new or empty"


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """Return the folder of a run of `all` that ended after an epoch; to be refused only."""
    out = tmp_path_factory.mktemp("interrupted") / "run"
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch)
        with pytest.raises(PulledPlugError):
            run("all", out=out, learning_rate=0.01, **few())
    return out


def test_another_run_is_not_resumed(interrupted):
    """The first argument that differs is named with both values; other images are noticed too."""
    with pytest.raises(ArgumentError) as caught:
        run("all", out=interrupted, learning_rate=0.1, resume=True, **few())
    assert str(caught.value) == (
        f"learning_rate=0.1: the run was made with 0.01 ({interrupted}); leave it out, or name another "
        "folder for a run of its own"
    )
    with pytest.raises(ArgumentError, match="the run was made with other pictures to train on: "):
        run("all", out=interrupted, learning_rate=0.01, resume=True)


def test_a_fresh_head_is_part_of_what_is_resumed(interrupted):
    """Going on with the model's own classifier instead is refused."""
    with pytest.raises(ArgumentError, match="fresh_head=False: the run was made with True"):
        run("all", out=interrupted, learning_rate=0.01, fresh_head=False, resume=True, **few())


@pytest.mark.parametrize(
    ("strategy", "changed", "what"),
    [
        ("freeze-pretrain-finetune", {"seed": 5}, "{run}: the run was made with other weights before: "),
        ("last-layers", {"dropout": 0.5}, "dropout=0.5: the run was made with 0.3 ({run})"),
    ],
)
def test_a_run_does_not_go_on_with_another_model(tmp_path, monkeypatch, strategy, changed, what):
    """Other weights or another dropout are noticed: what came out would be neither the one nor the other."""
    interrupt(monkeypatch)
    with pytest.raises(PulledPlugError):
        run(strategy, small_network(dropout=0.3), out=tmp_path / "run", **few())
    model = small_network(**{"dropout": 0.3, **changed})
    with pytest.raises(ArgumentError) as caught:
        run(strategy, model, out=tmp_path / "run", resume=True, **few())
    assert str(caught.value).startswith(what.format(run=tmp_path / "run"))


@pytest.mark.long
def test_layers_of_ones_own_that_change_pictures_are_known_again(tmp_path, monkeypatch):
    """Their names, which Keras makes up anew each time, do not keep a run from going on."""
    options = {"epochs": 5, "out": tmp_path / "run"}
    with monkeypatch.context() as patch:
        interrupt(patch)
        with pytest.raises(PulledPlugError):
            run("all", augmentation=brighter(), **options)
    result = run("all", augmentation=brighter(), resume=True, patience=None, **options)
    assert result.accuracy > ENOUGH
    with pytest.raises(ArgumentError, match="holds a finished run"):
        run("all", augmentation=brighter(), **options)


def test_a_run_that_was_killed_before_its_report_gets_one(tmp_path, monkeypatch):
    """It is not finished while anything is missing; going on writes the rest, to the same numbers."""
    from zoo.finetuning import job

    def stop(folder, picture):
        raise PulledPlugError

    with monkeypatch.context() as patch:
        patch.setattr(job, "write_report", stop)
        with pytest.raises(PulledPlugError):
            run("head", epochs=2, out=tmp_path / "run", **few())
    folder = RunFolder(path=tmp_path / "run")
    before = json.loads(folder.record.read_text("utf-8"))
    assert not folder.is_finished
    result = run("head", epochs=2, out=tmp_path / "run", resume=True, **few())
    assert folder.is_finished
    assert result.report == tmp_path / "run" / "report.html"
    assert json.loads(folder.record.read_text("utf-8"))["result"] == before["result"]


@pytest.mark.parametrize("library", ["jinja2", "PIL"])
def test_what_the_report_lacks_is_known_before_anything_is_trained(tmp_path, monkeypatch, library):
    """Nothing is begun; a run without a folder has no report and needs neither."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ArgumentError, match=r"^the report of a run needs .*jinja2>="):
        run("head", out=tmp_path / "run", **few())
    assert not (tmp_path / "run").exists()
    assert run("svm", **few()).report is None


@pytest.mark.parametrize("left", [[], ["checkpoint"], ["checkpoint", "checkpoint/.plan.json.new"]])
def test_a_folder_in_which_nothing_has_begun_may_be_used(tmp_path, left):
    """An empty one, or one that a run left which was killed as it started."""
    out = tmp_path / "run"
    out.mkdir()
    for name in left:
        (out / name).touch() if name.endswith("new") else (out / name).mkdir()
    assert run("svm", out=out, **few()).report == out / "report.html"


def test_the_weights_of_a_backbone_are_hashed_once(tmp_path, monkeypatch):
    """For the plan of the run and for the features of both parts."""
    from zoo.finetuning import features, job

    hashed = []

    def digest(model):
        hashed.append(model.name)
        return digest_model(model)

    for module in (features, job):
        monkeypatch.setattr(module, "digest_model", digest)
    run("svm", out=tmp_path / "run", cache=tmp_path / "cache", **few())
    assert hashed == ["small_body"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    """Before anything is computed."""
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError) as caught:
        run("svm", out=tmp_path / "file" / "run")
    assert str(caught.value) == f"{tmp_path}/file/run: cannot be written: Not a directory"


def test_what_cannot_be_fitted_leaves_no_folder(tmp_path):
    """A wrong cost, and a classifier that cannot take the features' mean, are noticed before it is made."""
    with pytest.raises(ArgumentError, match="cost=-1: must be a number above 0"):
        run("svm", out=tmp_path / "run", cost=-1)
    images = keras.Input((16, 16, 3))
    flat = keras.layers.Flatten()(images)
    dense = keras.layers.Dense(10, activation="softmax", use_bias=False, name="classes")
    with pytest.raises(ArgumentError, match="its classifier 'classes' has no bias"):
        run("head", keras.Model(images, dense(flat), name="unbiased"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_that_learned_nothing_fails(learned):
    """A fresh classifier that no epoch made better is not a result; one that had learned before may stay."""
    with pytest.raises(TrainingError) as caught:
        run("head", learning_rate=1e-12, epochs=2, **few())
    assert str(caught.value) == (
        "phase classifier: nothing was learned: no epoch was better than the start after 2 epochs; "
        "try a smaller learning rate than 1e-12, 1e-13 for example"
    )
    before = learned("head")
    kept = run("all", with_weights_of(before), fresh_head=False, epochs=1, learning_rate=0.5)
    assert kept.log_loss == pytest.approx(before.log_loss, rel=1e-3)


def test_pictures_that_vanish_count_for_nothing_and_are_named(tmp_path, monkeypatch):
    """Deleted after they were read first: neither the accuracy nor the predictions know them."""
    from zoo.finetuning import sources

    monkeypatch.setattr(sources, "MEMORY", 0)
    photos = write_digits(tmp_path / "photos", count=120, side=16)
    train, valid = split(from_folder(photos, size=(16, 16)), 0.3, seed=0)
    gone = [train.names[0], valid.names[0], valid.names[5]]
    for name in gone:
        Path(name).unlink()
    result = run("head", train=train, valid=valid, epochs=2, out=tmp_path / "run")
    assert [one.file for one in result.problems] == gone
    assert {one.problem for one in result.problems} == {
        "could no longer be read; it counted for nothing from then on"
    }
    assert len(result.predictions) == len(result.valid) == len(valid) - 2
    assert not set(gone).intersection(result.valid.names)
    rows = (tmp_path / "run" / "predictions.csv").read_text("utf-8").splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == list(result.valid.names)


@pytest.mark.parametrize("strategy", ["svm", "head", "last-layers"])
def test_the_history_counts_the_images_that_the_result_does(tmp_path, monkeypatch, strategy):
    """Where some can no longer be read the loss is that of the others, and not smaller for their sake."""
    from zoo.finetuning import sources

    monkeypatch.setattr(sources, "MEMORY", 0)
    photos = write_digits(tmp_path / "photos", count=120, side=16)
    train, valid = split(from_folder(photos, size=(16, 16)), 0.3, seed=0)
    for name in (*train.names[::3], *valid.names[::2]):
        Path(name).unlink()
    brief = {} if strategy == "svm" else {"epochs": 1, "learning_rate": 1e-2}
    result = run(strategy, train=train, valid=valid, **brief)
    assert result.history[-1].val_loss == pytest.approx(result.log_loss, rel=1e-4)
    assert result.history[-1].val_accuracy == pytest.approx(result.accuracy)


def test_saved_model_takes_one_array_and_gives_one(tmp_path):
    """Not lists of one, of which Keras warns whenever the model is called."""
    result = run("svm", out=tmp_path / "run", **few())
    opened = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert isinstance(opened.input, keras.KerasTensor)
    assert isinstance(opened.output, keras.KerasTensor)
    assert opened.output.shape == (None, len(result.classes))


def test_preprocessing_goes_into_the_model_if_wanted(tmp_path):
    """The saved model then takes values from 0 to 255 and says the same."""
    options = {"preprocessing": "caffe", **few()}
    result = run("svm", include_preprocessing=True, out=tmp_path / "run", **options)
    images = result.valid.batch(range(20), 16, 16)
    opened = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert np.allclose(opened.predict(images, verbose=0), result.predictions[:20], atol=1e-3)
    assert json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["preprocessing"] == "included"
    apart = run("svm", out=tmp_path / "other", **options)
    assert np.allclose(apart.predictions, result.predictions, atol=1e-3)
    assert json.loads((tmp_path / "other" / "run.json").read_text("utf-8"))["preprocessing"] == "caffe"


def test_problems_of_the_data_reach_the_result():
    """What was said of the images is in the result once, not once for each part."""
    pictures = some_digits(60)
    labels = np.append(pictures.labels, 10)
    images = np.concatenate([pictures.batch(range(60), 16, 16), np.zeros((1, 16, 16, 3), np.uint8)])
    train, valid = split(from_arrays(images, labels), 0.3, seed=0)
    result = run("svm", small_network(11), train=train, valid=valid)
    told = [(one.file, one.problem) for one in result.problems]
    assert told == [
        ("10", "this class has one image: nothing validates it"),
        ("10", "this class has no images to validate with"),
    ]


def with_a_layer_called_preprocessing():
    """Return a small network, the first layer of which is called like the one that preprocesses."""
    images = keras.Input((16, 16, 3), name="images")
    x = keras.layers.Rescaling(1 / 128, offset=-1, name="preprocessing")(images)
    probabilities = keras.layers.Dense(10, activation="softmax", name="classes")(keras.layers.Flatten()(x))
    return keras.Model(images, probabilities, name="small")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(name, name) for name in (*get_registry().preprocessing,)] + [("none", None), ("auto", None)],
)
def test_a_recipe_that_is_asked_for_is_obeyed_whatever_layers_are_called(asked, expected):
    """Only where nothing is said the name of a layer tells that there is one inside."""
    recipe = recipe_for(with_a_layer_called_preprocessing(), asked)
    assert recipe == (None if expected is None else get_registry().preprocessing[expected])


@pytest.fixture(scope="module")
def prepared():
    """Return what gives a network with a recipe inside, to be looked at only."""
    return functools.cache(
        lambda inside: with_preprocessing(small_network(), get_registry().preprocessing[inside])
    )


@pytest.mark.parametrize("asked", get_registry().preprocessing)
@pytest.mark.parametrize("inside", get_registry().preprocessing)
def test_what_is_inside_a_model_is_not_done_twice(prepared, asked, inside):
    """Drawn by us, it is known by its numbers; nothing and ``auto`` go on with it."""
    model = prepared(inside)
    with pytest.raises(ArgumentError) as caught:
        recipe_for(model, asked)
    assert str(caught.value) == (
        f"preprocessing={asked!r}: model 'small' has its preprocessing inside, in the layer 'preprocessing', "
        "and it would be done twice; say preprocessing='none' or 'auto'"
    )
    assert recipe_for(model, "auto") is recipe_for(model, "none") is None


def test_preprocessing_goes_into_a_model_that_has_a_layer_of_that_name(tmp_path):
    """Under another name, at the end of the run; the probabilities stay."""
    options = {"preprocessing": "caffe", "include_preprocessing": True, "out": tmp_path / "run"}
    result = run("svm", with_a_layer_called_preprocessing(), **options, **few())
    opened = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert [layer.name for layer in opened.layers if "preprocessing" in layer.name] == [
        "preprocessing_2",
        "preprocessing",
    ]
    images = result.valid.batch(range(8), 16, 16)
    assert np.allclose(opened.predict(images, verbose=0), result.predictions[:8], atol=1e-3)


def test_from_the_first_layer_on_everything_learns():
    """Of a published network and of any other: nothing is left frozen."""
    for name, first in (("googlenet", "input_1"), ("vgg16", "convolution2d_1")):
        model = load_classifier(name, 5, size=(64, 64), weights=None)
        structures = [load_structure(one) for one in architecture(name).default_graph.structures]
        names = [layer.name for structure in structures for layer in structure.layers[:1]]
        for last in (first, *names):
            before = strategies.first_layers(model, last)
            assert not [layer.name for layer in model.layers if layer.weights and before(layer.name)]


NUMBERS = [
    ("epochs", np.int64(1), 1),
    ("epochs", np.uint8(1), 1),
    ("patience", np.int32(2), 2),
    ("seed", np.int16(3), 3),
    ("batch_size", np.int64(8), 8),
    ("learning_rate", np.float32(0.5), 0.5),
    ("learning_rate", np.float64(0.25), 0.25),
    ("learning_rate", np.int64(1), 1.0),
    ("class_weights", np.True_, True),
    ("fused", np.False_, False),
    ("freeze_batch_norm", np.True_, True),
    ("include_preprocessing", np.False_, False),
    ("cache", np.False_, False),
    ("augmentation", np.False_, False),
]


@pytest.mark.parametrize(("name", "value", "plain"), NUMBERS)
def test_numbers_of_numpy_are_numbers(name, value, plain):
    """They become Python's own, so that the record can be written."""
    settled = getattr(Settings(**{name: value}), name)
    assert settled == plain
    assert type(settled) is type(plain)


def test_a_run_takes_numbers_of_numpy(tmp_path):
    """All of them at once; what is recorded is plain."""
    options = {
        "epochs": np.int64(1),
        "batch_size": np.int32(16),
        "learning_rate": np.float32(2**-10),
        "seed": np.uint8(0),
        "learning_rate_factors": {"head": np.float64(2)},
    }
    result = run("head", out=tmp_path / "run", **few(), **options)
    assert len(result.history) == 1
    arguments = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["arguments"]
    assert (arguments["epochs"], arguments["learning_rate"], arguments["learning_rate_factors"]) == (
        1,
        2**-10,
        {"head": 2.0},
    )
    assert run("svm", cost=np.float32(0.5), **few()).accuracy > 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": "3"}, "epochs='3': must be an integer from 1"),
        ({"epochs": np.float64(1)}, f"epochs={np.float64(1)!r}: must be an integer from 1"),
        ({"seed": None}, "seed=None: must be an integer from 0"),
        ({"batch_size": 2.0}, "batch_size=2.0: must be an integer from 1"),
        ({"learning_rate": "fast"}, "learning_rate='fast': must be a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan: must be a number above 0"),
        ({"class_weights": "no"}, "class_weights='no': must be True or False"),
        ({"freeze_batch_norm": 1}, "freeze_batch_norm=1: must be True, False or None"),
        ({"augmentation": "all"}, "augmentation='all': must be True, False or a Keras layer"),
        ({"cache": 3}, "cache=3: must be True, False or a folder"),
        ({"report": "loud"}, "report='loud': must be a function that takes a line of text"),
    ],
)
def test_options_of_another_kind_are_refused(options, message):
    """With their name, their value and what is allowed, whatever was given."""
    with pytest.raises(ArgumentError) as caught:
        Settings(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize("cost", ["1", None])
def test_a_cost_is_a_number(cost):
    """Anything else is refused in our own words."""
    with pytest.raises(ArgumentError) as caught:
        run("svm", cost=cost)
    assert str(caught.value) == f"cost={cost!r}: must be a number above 0"


def test_a_support_vector_machine_needs_two_classes(tmp_path):
    """Said before anything is computed; classes that no image shows do not count."""
    pictures = some_digits(60)
    alone = pictures.subset(np.flatnonzero(pictures.labels == 3))
    with pytest.raises(ArgumentError) as caught:
        run("svm", train=alone, valid=pictures, out=tmp_path / "run")
    assert str(caught.value) == (
        "the strategy svm tells classes apart, and needs images of two to train on: all of them show '3'; "
        "give images of another class too"
    )
    assert not (tmp_path / "run").exists()
    with pytest.raises(ArgumentError, match="needs images of two to train on: all of them show 1"):
        decision_weights(np.ones((4, 2), np.float32), np.ones(4, np.int64), 3, cost=1, balanced=True, seed=0)


NOTHING = "nothing was learned: no epoch was better than the start"


@pytest.mark.parametrize(
    ("strategy", "rate", "message"),
    [
        pytest.param("head", 1e-12, f"phase classifier: {NOTHING}", marks=pytest.mark.long),
        pytest.param("last-layers", 0.5, f"phase last-layers: {NOTHING}", marks=pytest.mark.long),
        ("freeze-pretrain-finetune", 1e-12, f"phase pretrain: {NOTHING}"),
        (
            "all",
            1e20,
            "phase all: the loss is not a number after 1 epoch; try a smaller learning rate than 1e+20, "
            "1e+19 for example",
        ),
    ],
)
def test_of_a_run_that_came_to_nothing_all_is_kept(tmp_path, brief, strategy, rate, message):
    """Model, record, epochs, predictions and report of its best epoch; the error has them too.

    A learning rate that is far too large ends so as well, not in a model that guesses.
    """
    folder, lines = RunFolder(path=tmp_path / "run"), []
    options = {"learning_rate": rate, "epochs": 3, "out": folder.path, "report": lines.append, **few()}
    with pytest.raises(TrainingError, match=f"^{re.escape(message)}") as caught:
        run(strategy, **options)
    result, record = caught.value.result, json.loads(folder.record.read_text("utf-8"))
    assert (record["status"], record["failure"], result.failure) == ("failed", *[str(caught.value)] * 2)
    assert folder.is_finished
    assert {one.phase for one in result.history} == {STRATEGIES[strategy].phases[0].name}
    finite = [one for one in result.history if np.isfinite(one.val_loss) and np.isfinite(one.loss)]
    best = min(finite, key=lambda one: one.val_loss, default=None)
    assert record["phases"][0]["best_epoch"] == (0 if best is None else best.epoch)
    kept = "the weights stay as they were"
    if best is not None:
        kept = f"the weights of the best epoch, {best.epoch}, are kept"
        assert result.accuracy == pytest.approx(best.val_accuracy)
    assert f"{caught.value}; {kept}" in lines
    opened = keras.saving.load_model(folder.model)
    images = result.valid.batch(range(len(result.valid)), 16, 16).astype(np.float32)
    assert np.allclose(opened.predict(images, verbose=0), result.predictions, atol=1e-4)
    page = result.report.read_text("utf-8")
    assert "<strong>It came to nothing.</strong>" in page
    assert read_result(folder).failure == str(caught.value)

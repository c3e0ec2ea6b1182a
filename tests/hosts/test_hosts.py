"""Two processes on loopback train as one would: losses, the run folder, and what happens when one is lost.

Run by ``make test-hosts`` in an environment that has JAX and no TensorFlow; not part of the ordinary run.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import pytest
from PIL import Image

from tests.hosts import processes
from tests.hosts.commands import WROTE
from tests.hosts.learning import WAYS
from tests.hosts.processes import Ended, ended, run, started, together
from tests.support.small_network import small_network
from zoo.finetuning.run_folder import read_history
from zoo.finetuning.schedule import STRATEGIES
from zoo.practice.digits import digits

OPTIONS = (
    *("--strategy", "all", "--freeze-batch-norm", "--preprocessing", "none"),
    *("--patience", "9999", "--epochs", "3", "--batch-size", "7"),
)
"""Of a run whose batches two processes do not divide."""


DIGITS = "0123456789"
"""The classes."""


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give all processes a home of the zoo that has a small network of its own in its registry."""
    home = tmp_path_factory.mktemp("home")
    processes.SHARED["ZOO_HOME"] = str(home)
    small_network().save(home / "small.keras")
    added = ("registry", "add", str(home / "small.keras"), "--name", "small", "--preprocessing", "inception")
    (one,) = run([["-m", "zoo", *added]])
    assert one.code == 0, one.err
    return home


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 60 digits, a folder for each of ten."""
    folder = tmp_path_factory.mktemp("photos")
    for number, (image, label) in enumerate(zip(*digits(60, side=16), strict=True)):
        place = folder / str(label)
        place.mkdir(exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    return folder


def zoo(out: Path, *arguments: object) -> list[str]:
    """Return a command that fine-tunes and tells what it wrote in its run folder."""
    return ["-m", "tests.hosts.commands", str(out), "finetune", *map(str, arguments)]


def finetuning(photos: Path, out: Path, *more: object) -> list[str]:
    """Return a command that begins a run."""
    return zoo(out, "small", photos, "--out", out, *OPTIONS, *more)


def epochs(out: Path) -> list[list[float]]:
    """Return the losses and accuracies of a run."""
    return [
        [one.loss, one.accuracy, one.val_loss, one.val_accuracy] for one in read_history(out / "history.csv")
    ]


def predictions(out: Path) -> list[dict[str, str]]:
    """Return what a run wrote down of each validation image, by the columns' names."""
    return list(csv.DictReader((out / "predictions.csv").read_text().splitlines()))


def flat(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return the numbers of a table in one list."""
    return [value for row in rows for value in row]


def last_line(one: Ended) -> dict:
    """Return the JSON in the last line that a process printed."""
    assert one.code == 0, one.err
    return json.loads(one.out.splitlines()[-1])


def test_there_is_no_tensorflow():
    """Keras runs on JAX here, and nothing else can help."""
    assert keras.backend.backend() == "jax"
    assert importlib.util.find_spec("tensorflow") is None


BRIEF = ("svm", "head", "all")
"""A strategy of each way to learn: computed at once, from features, from images."""


@pytest.fixture(scope="session")
def learned(request: pytest.FixtureRequest) -> tuple[dict, list[dict]]:
    """Return what one process learns by the strategies that are asked for, and what each of two does."""
    calls = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    asked = dict.fromkeys(call["strategy"] for call in calls if "strategy" in call)
    command = ["-m", "tests.hosts.learning", "--strategies", *asked]
    alone, *both = run([command]) + run(together(command))
    return last_line(alone), list(map(last_line, both))


def test_every_strategy_is_among_them():
    """A new one has to be tried as well."""
    assert WAYS.keys() == STRATEGIES.keys()


@pytest.mark.parametrize(
    "strategy",
    [pytest.param(name, marks=pytest.mark.brief if name in BRIEF else ()) for name in STRATEGIES],
)
def test_two_processes_learn_what_one_does(learned, strategy):
    """Losses, accuracies and predictions, on both; the model is there for each alone."""
    alone, both = learned[0][strategy], [one[strategy] for one in learned[1]]
    assert both[0]["epochs"] == both[1]["epochs"]
    for one in both:
        assert flat(one["epochs"]) == pytest.approx(flat(alone["epochs"]), rel=1e-5, abs=1e-5)
        for what in ("predictions", "asked"):
            assert len(one[what]) == 13
            assert flat(one[what]) == pytest.approx(flat(alone[what]), abs=1e-5)


@pytest.fixture(scope="session")
def runs(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Ended]]:
    """Return the folders of a run of one process and of one of two, and what came of the two."""
    folder = tmp_path_factory.mktemp("runs")
    (alone,) = run([finetuning(photos, folder / "alone")])
    assert alone.code == 0, alone.err
    both = run(together(finetuning(photos, folder / "both", "--json")))
    return folder / "alone", folder / "both", both


def test_the_command_line_gives_the_same_run(runs):
    """The epochs, and a prediction for each validation image."""
    alone, together_, both = runs
    assert [one.code for one in both] == [0, 0], both[0].err + both[1].err
    assert flat(epochs(together_)) == pytest.approx(flat(epochs(alone)), rel=1e-5, abs=1e-5)
    tables = [predictions(one) for one in (alone, together_)]
    assert [row["file"] for row in tables[0]] == [row["file"] for row in tables[1]]
    for row, other in zip(*tables, strict=True):
        assert [float(other[name]) for name in DIGITS] == pytest.approx(
            [float(row[name]) for name in DIGITS], abs=1e-5
        )


def test_one_process_writes_and_speaks(runs):
    """The first prints one document; the other nothing, and it writes nothing into the run."""
    _, out, (first, second) = runs
    assert json.loads(first.out)["out"] == str(out)
    assert second.out == ""
    assert int(first.err.rpartition(WROTE)[2]) > 10
    assert second.err == f"{WROTE}0\n"
    kept = {"model.keras", "README.md", "run.json", "history.csv", "predictions.csv", "report.html"}
    assert kept <= {path.name for path in out.iterdir()}
    assert not {"hosts", "coordinator"} & json.loads((out / "run.json").read_text())["arguments"].keys()


@pytest.mark.skipif("ZOO_TENSORFLOW" not in os.environ, reason="ZOO_TENSORFLOW names no Python that has it")
def test_the_model_opens_on_tensorflow(runs, photos):
    """And gives there what it gave here, to the digits that the run wrote down."""
    _, out, _ = runs
    row = predictions(out)[0]
    command = [os.environ["ZOO_TENSORFLOW"], "-m", "zoo", "predict", str(out), row["file"], "--json"]
    environment = {**processes.environment(), "KERAS_BACKEND": "tensorflow"}
    told = json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)
    for one in told[0]["classes"]:
        assert one["probability"] == pytest.approx(float(row[one["name"]]), abs=1e-5)


@pytest.fixture(scope="session")
def died(
    request: pytest.FixtureRequest, photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, Path, Ended]:
    """Return which of two processes was killed, the folder of their run, and what came of the other."""
    lost: int = request.param
    out = tmp_path_factory.mktemp("died") / "run"
    with started(together(finetuning(photos, out, "--epochs", "10000"))) as running:
        wait_for_an_epoch(out, running)
        running[lost].send_signal(signal.SIGKILL)
        return lost, out, ended(running[1 - lost])


@pytest.mark.parametrize("died", [0, pytest.param(1, marks=pytest.mark.brief)], indirect=True)
def test_a_process_that_dies_ends_the_run(died):
    """The other says so and ends."""
    lost, _, other = died
    assert other.code == 1, other.err
    assert (
        f"zoo: process {1 - lost} of 2: another process has ended, so that this one cannot go on; its own "
        "message says why. Start all of them again with --resume RUN (resume=RUN) to go on from the last "
        "whole epoch\n"
    ) in other.err


@pytest.mark.parametrize("died", [0, 1], indirect=True)
def test_such_a_run_goes_on_later(died, runs):
    """Started again, the two come to what they would have come to."""
    (_, out, _), (_, whole, _) = died, runs
    done = json.loads((out / "checkpoint" / "all" / "state.json").read_text())["epochs"]
    more = str(len(done) + 1)
    both = run(together(zoo(out, "--resume", out, "--epochs", more)))
    assert [one.code for one in both] == [0, 0], both[0].err + both[1].err
    found = epochs(out)
    assert len(found) == int(more)
    assert found[:3] == epochs(whole)[: len(found)][:3]


def wait_for_an_epoch(out: Path, running: Sequence[subprocess.Popen[str]]) -> None:
    """Return when a run has kept its first epoch."""
    end = time.monotonic() + processes.SECONDS
    while not (out / "checkpoint" / "all" / "state.json").is_file():
        assert time.monotonic() < end
        assert all(process.poll() is None for process in running), [ended(one).err for one in running]
        time.sleep(0.05)


def test_processes_that_see_other_images_do_not_train(photos, tmp_path):
    """Both say so, before any folder is made."""
    fewer = tmp_path / "photos"
    for path in photos.rglob("*.png"):
        (fewer / path.parent.name).mkdir(parents=True, exist_ok=True)
        (fewer / path.parent.name / path.name).write_bytes(path.read_bytes())
    next(fewer.rglob("*.png")).unlink()
    out = tmp_path / "run"
    first, second = together(finetuning(photos, out))
    second[second.index(str(photos))] = str(fewer)
    for one in run([first, second]):
        assert one.code == 1
        assert "zoo: process 1 sees other images, weights, options or run folder than process 0" in one.err
    assert not out.exists()


MISSING = """
from zoo.finetuning import hosts
hosts.JOIN_SECONDS = 2
import zoo
zoo.finetune("small", {photos!r}, coordinator={coordinator!r}, process=1, processes=2)
"""


def test_a_process_that_finds_no_other_gives_up(photos):
    """From Python as well."""
    where = f"127.0.0.1:{processes.free_port()}"
    (one,) = run([["-c", MISSING.format(photos=str(photos), coordinator=where)]])
    assert one.code != 0
    assert f"HostsError: {where}: no process was found there in 2 s (Connection refused)" in one.err


LATE = """
import keras
keras.ops.ones(2) + 1
import zoo
zoo.finetune("small", "photos", coordinator="127.0.0.1:9", process=0, processes=1)
"""


def test_who_has_computed_already_cannot_join():
    """JAX connects processes before it computes anything."""
    (one,) = run([["-c", LATE]])
    assert one.code == 1
    assert (
        "ArgumentError: hosts: JAX has computed something in this process already, and cannot join others "
        "any more: call zoo.finetune first, before any layer or model of Keras is made"
    ) in one.err

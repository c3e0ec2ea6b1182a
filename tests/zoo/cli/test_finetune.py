"""What ``zoo finetune``, ``zoo features`` and ``zoo predict`` do around the work itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shares import EVERY_NETWORK
from zoo.cli import finetune, main
from zoo.cli import keras_import as keras_import_module
from zoo.cli.parser import parse
from zoo.finetuning.job import Result
from zoo.finetuning.training import TrainingError


@pytest.fixture
def no_keras(monkeypatch):
    """Fail a test in which Keras would be imported."""

    def refuse():
        raise AssertionError("Keras was about to be imported")

    for name in ("finetune", "features"):
        module = __import__(f"zoo.cli.{name}", fromlist=["import_keras"])
        monkeypatch.setattr(module, "import_keras", refuse)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["finetune", "resnet5", "photos", "--out", "run"], "zoo: no architecture is called 'resnet5'"),
        (["features", "resnet5", "photos", "--out", "f.npz"], "zoo: no architecture is called 'resnet5'"),
        (
            ["finetune", "resnet50", "photos", "--out", "run", "--learning-rate-factor", "head"],
            "zoo: --learning-rate-factor head: must be GROUP=FACTOR, head=10 for example",
        ),
        (
            ["finetune", "resnet50", "photos"],
            "zoo: --out RUN is missing: zoo finetune NAME PICTURES --out RUN, or --resume RUN\n",
        ),
        (
            ["finetune", "--out", "run"],
            "zoo: NAME is missing: zoo finetune NAME PICTURES --out RUN, or --resume RUN\n",
        ),
        (["finetune", "resnet50", "photos", "--out", "run", "--epochs", "0"], "zoo: --epochs 0: must be"),
        (
            ["finetune", "resnet50", "photos", "--out", "run", "--validation-share", "2"],
            "zoo: --validation-share 2.0: must be a number between 0 and 1\n",
        ),
        (
            ["finetune", "resnet50", "photos", "--out", "run", "--dropout", "1"],
            "zoo: --dropout 1.0: must be a number from 0 up to, but not including, 1\n",
        ),
        (
            ["finetune", "resnet50", "--train", "photos", "--out", "run"],
            "zoo: give PICTURES, to be divided, or --train and --valid, which are\n",
        ),
    ],
)
@pytest.mark.usefixtures("no_keras")
def test_mistakes_are_told_before_keras_is_imported(arguments, message, capsys):
    """Which takes seconds."""
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    ("out", "problem"),
    [(".", "is a folder"), ("nowhere/f.npz", "lies in a folder that is not there")],
)
@pytest.mark.usefixtures("no_keras")
def test_features_need_a_file_to_be_written_to(out, problem, tmp_path, monkeypatch, capsys):
    """That is known before anything is computed."""
    monkeypatch.chdir(tmp_path)
    assert main(["features", "resnet50", "photos", "--out", out]) == 1
    expected = f"zoo: --out {out}: {problem}; name a file to write, features.npz for example\n"
    assert capsys.readouterr().err == expected
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Let there be a folder of images in the working directory."""
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("photos")
def test_a_system_error_is_one_line(monkeypatch, capsys):
    """With the name of the file and the reason, and exit code 1."""

    def fail(*_):
        raise PermissionError(13, "Permission denied", "/lab/run1/model.keras")

    monkeypatch.setattr(finetune, "check_training", lambda _: None)
    monkeypatch.setattr(finetune, "import_keras", lambda: None)
    monkeypatch.setattr(finetune, "_finetuned", fail)
    assert main(["finetune", "resnet50", "photos", "--out", "run1"]) == 1
    assert capsys.readouterr().err == "zoo: /lab/run1/model.keras: Permission denied\n"


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("has_begun", [True, False])
def test_an_interrupted_run_says_how_to_go_on(has_begun, monkeypatch, capsys):
    """Exit code 130, as for every command; where nothing can be resumed yet, it does not say so."""

    def interrupt(*_):
        if has_begun:
            Path("run1").mkdir()
            Path("run1/run.json").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune, "check_training", lambda _: None)
    monkeypatch.setattr(finetune, "import_keras", lambda: None)
    monkeypatch.setattr(finetune, "_finetuned", interrupt)
    assert main(["finetune", "resnet50", "photos", "--out", "run1"]) == 130
    advice = ["zoo: `zoo finetune --resume run1` continues from the last whole epoch"]
    assert capsys.readouterr().err.splitlines() == [*(advice if has_begun else []), "zoo: interrupted"]


def test_neither_a_network_nor_a_run_can_be_asked(tmp_path, monkeypatch, capsys):
    """The message says so of both."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.jpg").touch()
    assert main(["predict", "run9", "cat.jpg"]) == 2
    assert capsys.readouterr().err == (
        "zoo: no architecture is called 'run9';"
        f" none of the {len(EVERY_NETWORK)} is near. `zoo list` shows all. "
        "There is no file or folder of this name either.\n"
    )


def imported(folder=None, **variables):
    """Import Keras as the command line does, in a process of its own; return its standard error and code."""
    kept = {name: value for name, value in os.environ.items() if name != keras_import_module.LEVEL}
    if folder is not None:
        kept["PYTHONPATH"] = str(folder)
    program = "from zoo.cli.keras_import import import_keras; import_keras()"
    done = subprocess.run(
        [sys.executable, "-c", program], env=kept | variables, stderr=subprocess.PIPE, text=True, check=False
    )
    return done.stderr, done.returncode


@pytest.mark.long
def test_keras_is_imported_without_what_tensorflow_says_of_itself():
    """Nothing is on standard error."""
    assert imported() == ("", 0)


@pytest.fixture
def noisy_keras(tmp_path):
    """Return a folder with a package that goes by the name of Keras, writes two lines and may fail."""
    (tmp_path / "keras.py").write_text(
        "import os\nos.write(2, b'noise\\n')\nif os.environ.get('FAIL'):\n    raise ImportError('broken')\n"
    )
    return tmp_path


def test_what_was_written_is_shown_where_it_matters(noisy_keras):
    """If the import fails, or the user has said that TensorFlow shall tell more than the least."""
    assert imported(noisy_keras) == ("", 0)
    assert imported(noisy_keras, TF_CPP_MIN_LOG_LEVEL="3") == ("", 0)
    assert imported(noisy_keras, TF_CPP_MIN_LOG_LEVEL="0") == ("noise\n", 0)
    told, code = imported(noisy_keras, FAIL="1")
    assert code == 1
    assert told.startswith("noise\n")
    assert told.endswith("ImportError: broken\n")


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("as_json", [False, True])
def test_a_run_that_came_to_nothing_says_what_it_kept(as_json, monkeypatch, capsys):
    """The exit code is that of a failure; where model, record and report are is told all the same."""
    failure = "phase classifier: nothing was learned: no epoch was better than the start after 2 epochs"
    result = Result(
        strategy="head",
        reason=None,
        model=None,
        classes=("a", "b"),
        accuracy=0.5,
        log_loss=0.7,
        history=(),
        predictions=None,
        valid=None,
        problems=(),
        seconds=1.0,
        out=Path("run1"),
        report=Path("run1/report.html"),
        failure=failure,
    )

    def fail(*_):
        raise TrainingError(failure, result)

    monkeypatch.setattr(finetune, "check_training", lambda _: None)
    monkeypatch.setattr(finetune, "import_keras", lambda: None)
    monkeypatch.setattr(finetune, "_finetuned", fail)
    arguments = ["finetune", "resnet50", "photos", "--out", "run1", *(["--json"] if as_json else [])]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.err == f"zoo: {failure}; what there is was kept in run1\n"
    if as_json:
        told = json.loads(captured.out)
        assert (told["failure"], told["report"]) == (failure, "run1/report.html")
        assert told["error"] == {"type": "TrainingError", "message": failure}
    else:
        assert "run1/report.html" in captured.out


ORDERS = [
    "googlenet photos --out run --resume",
    "googlenet photos --resume --out run",
    "--resume googlenet photos --out run",
    "googlenet --resume photos --out run",
    "googlenet photos --out run --resume run",
]


@pytest.mark.parametrize("typed", ORDERS)
def test_the_long_way_to_resume_a_run_may_be_typed_in_any_order(typed):
    """What stands behind ``--resume`` is no run where ``--out`` names it."""
    asked = finetune._asked(parse(["finetune", *typed.split()]))
    assert [asked[name] for name in ("name", "data", "out", "resume")] == ["googlenet", "photos", "run", True]


def test_beside_a_run_only_what_was_typed_is_asked_for(tmp_path, monkeypatch):
    """Defaults are the run's own; images that have moved may stand where a network's name does."""
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    typed = [
        "--resume",
        "run",
        "photos",
        "--seed",
        "0",
        "--no-class-weights",
        "--learning-rate-factor",
        "head=2",
    ]
    assert finetune._asked(parse(["finetune", *typed])) == {
        "resume": "run",
        "data": "photos",
        "seed": 0,
        "class_weights": False,
        "learning_rate_factors": {"head": 2.0},
    }

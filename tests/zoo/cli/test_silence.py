"""What frameworks write about themselves: unseen while all goes well, there to the last line otherwise."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from tests.support.paths import DIALECTS
from zoo.cli.keras_import import LEVEL

SAMPLES = DIALECTS / "keras122_theano_th"

KERAS = """
import os, sys, warnings
from zoo.cli import output
os.write(1, b"noise on 1\\n")
os.write(2, b"noise on 2\\n")
print("printed noise")
print("told noise", file=sys.stderr)
warnings.warn("warned noise")
output.note("zoo: a note meanwhile")
if os.environ["END"] == "import":
    raise ImportError("libcudart is missing")
if os.environ["END"] == "abort":
    os.abort()
__version__ = "3.0.0"
class backend:
    backend = staticmethod(lambda: "tensorflow")
"""
PROGRAM = """
import gc, logging, os, signal, subprocess, sys
from zoo.cli import inspect, main, output
from zoo.cli.keras_import import import_keras
from zoo.errors import DownloadError

def run(arguments):
    output.note("zoo: a note before")
    import_keras()
    os.write(2, b"later noise\\n")
    logging.getLogger("tensorflow").warning("logged noise")
    print("a line of the user's class")
    if os.environ["END"] == "alone":
        watcher = next(one for one in gc.get_objects() if isinstance(one, subprocess.Popen))
        watcher.kill()
        watcher.wait()
    if os.environ["END"] == "error":
        raise DownloadError("no source")
    if os.environ["END"] == "fault":
        raise RuntimeError("CUDA error")
    if os.environ["END"] == "kill":
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    output.print_line("result")
    return 0

inspect.run = run
code = main(["inspect", "x.h5", *sys.argv[1:]])
os.write(2, b"after the end\\n")
sys.exit(code)
"""
NOISE = {"noise on 1", "noise on 2", "printed noise", "told noise"}
OURS = ["zoo: a note before", "zoo: a note meanwhile", "a line of the user's class"]


def ended(tmp_path, end, *options, **variables):
    """Run a command whose framework is noisy, and which ends in some way."""
    (tmp_path / "keras.py").write_text(KERAS)
    kept = {name: value for name, value in os.environ.items() if name != LEVEL}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *options],
        env=kept | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "END": end} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("end", "code", "said"), [("", 0, []), ("error", 1, ["zoo: no source"])])
def test_nothing_is_seen_of_a_framework_while_all_is_foreseen(tmp_path, end, code, said):
    """What the program says itself is seen, in its order, and what was held is not there afterwards."""
    done = ended(tmp_path, end)
    assert done.stderr.splitlines() == [*OURS, *said, "after the end"]
    assert (done.returncode, done.stdout) == (code, "" if code else "result\n")


def test_a_command_ends_as_ever_where_somebody_has_ended_the_watcher(tmp_path):
    """As when memory is short: what was held is lost, and nothing else."""
    done = ended(tmp_path, "alone")
    assert done.stderr.splitlines() == [*OURS, "after the end"]
    assert (done.returncode, done.stdout) == (0, "result\n")


def test_a_framework_that_cannot_be_imported_is_heard(tmp_path):
    """All of it, before what is said of the error."""
    done = ended(tmp_path, "import")
    *told, unexpected, _ = done.stderr.splitlines()
    assert set(told) > NOISE
    assert unexpected.startswith("zoo: unexpected: ImportError: libcudart is missing (keras.py, line ")
    assert (done.returncode, done.stdout) == (1, "")


def test_a_framework_is_heard_where_a_command_ends_as_nobody_foresaw(tmp_path):
    """Also what it said after its import."""
    told = ended(tmp_path, "fault").stderr.splitlines()
    assert set(told) > NOISE | {"later noise", *OURS}
    assert told[-2].startswith("zoo: unexpected: RuntimeError: CUDA error")


@pytest.mark.parametrize(("end", "by"), [("abort", signal.SIGABRT), ("kill", signal.SIGKILL)])
def test_what_was_held_outlives_the_process(tmp_path, end, by):
    """A framework that aborts has said why, and nobody in its process can pass it on."""
    done = ended(tmp_path, end)
    assert done.returncode == -by
    assert {"noise on 1", "noise on 2"} <= set(done.stderr.splitlines())


def test_who_sets_how_much_tensorflow_tells_is_told(tmp_path):
    """Nothing is held then."""
    done = ended(tmp_path, "", **{LEVEL: "0"})
    assert {"noise on 2", "told noise", "later noise"} <= set(done.stderr.splitlines())


def test_how_long_the_import_took_is_told_to_who_asks(tmp_path):
    """With what was imported."""
    told = ended(tmp_path, "", "--verbose").stderr.splitlines()
    assert told[2].startswith("zoo: Keras 3.0.0 on tensorflow imported in ")


SHARING = """
import subprocess, sys
from zoo.cli import main
from zoo.errors import DataError
from zoo.finetuning import shards

def shared_out(*_, **options):
    subprocess.run([sys.executable, "-c", "import sys; print('noise', file=sys.stderr)"], check=True)
    raise {"error": DataError, "fault": RuntimeError}[sys.argv[1]]("no images")

shards.feature_shards = shared_out
sys.exit(main(["features", "resnet50", "photos", "--out", "features/"]))
"""


@pytest.mark.parametrize("level", [None, "0"])
@pytest.mark.parametrize("end", ["error", "fault"])
def test_what_is_written_where_features_are_shared_out(end, level, tmp_path):
    """By the processes that the command starts: unseen, unless nobody foresaw the end, or it is asked for."""
    others = {name: value for name, value in os.environ.items() if name != LEVEL}
    environment = {**others, "ZOO_HOME": str(tmp_path), **({LEVEL: level} if level else {})}
    command = [sys.executable, "-c", SHARING, end]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert ("noise" in lines) == (end == "fault" or level is not None)
    (told,) = (line for line in lines if line != "noise")
    assert told == "zoo: no images" or (end == "fault" and "RuntimeError: no images" in told)


FRAMEWORK = re.compile(
    r"^[IWEF]\d{4} |^\d{4}-\d\d-\d\d |onednn|cuda|absl|xla|tensorflow/|warning", re.IGNORECASE
)
"""What lines of TensorFlow and its libraries have, and ours have not."""


@pytest.mark.long
def test_the_real_framework_is_not_heard(photos, tmp_path):
    """In every command that needs it, in processes as a user starts them."""
    model = shutil.copy(SAMPLES / "conv2d_same_stride2.model.h5", tmp_path / "old.h5")
    random = ["googlenet", "photos", "--weights", "none", "--input-size", "64"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "CUDA_"))}
    kept["ZOO_HOME"] = str(tmp_path / "home")
    for typed in (
        ["features", *random, "--out", "f.npz"],
        ["features", *random, "--out", "f", "--cluster", "local:1"],
        ["finetune", *random, "--out", "run", "--strategy", "head", "--epochs", "2"],
        ["predict", "run", str(photos / "dark")],
        ["upgrade", "--prove", model],
        ["registry", "add", model, "--name", "old"],
        ["demo", "googlenet"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *typed],
            cwd=tmp_path,
            env=kept,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "unexpected" not in done.stderr, (typed, done.stderr)
        heard = [line for line in (done.stderr + done.stdout).splitlines() if FRAMEWORK.search(line)]
        assert heard == [], typed

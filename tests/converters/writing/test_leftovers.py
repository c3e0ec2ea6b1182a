"""What killed processes leave of new files: swept by the next run, and nobody else's file with it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from converters.trees import convert_tree
from converters.writing import files
from converters.writing.files import new_file, sweep
from tests.support.weight_files import keras1, write_named


@pytest.fixture(scope="module")
def dead():
    """Return the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def left(folder, name, process, where=None, age=0.0):
    """Leave a temporary file as a process that was killed does."""
    path = folder / f".{name}.{process}-{where or files._where()}-0123abcd.part"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_a_temporary_file_says_whose_it_is(tmp_path):
    """So that it is known for what it is; it is not swept while it is written."""
    with new_file(tmp_path / "old", tmp_path / "new.h5") as temporary:
        found = files._TEMPORARY.fullmatch(temporary.name)
        assert (found["name"], int(found["process"]), found["where"]) == (
            "new.h5",
            os.getpid(),
            files._where(),
        )
        sweep([tmp_path / "new.h5"])
        assert temporary.exists()


@pytest.mark.parametrize(
    ("what", "stays"),
    [
        ({}, False),
        ({"process": os.getpid()}, True),
        ({"process": 1}, True),
        ({"name": "other.h5"}, True),
        ({"where": "00000000"}, True),
        ({"where": "00000000", "age": 90_000}, False),
        ({"where": "00000000", "age": 80_000, "process": 1}, True),
    ],
)
def test_what_nobody_writes_to_any_more_is_removed(what, stays, dead, tmp_path):
    """Of these targets, by the process' number where that means something here, or else by its age."""
    path = left(tmp_path, **{"name": "new.h5", "process": dead, **what})
    sweep([tmp_path / "new.h5", tmp_path / "deep" / "new.h5"])
    assert path.exists() is stays


@pytest.mark.parametrize(
    "name",
    [".new.h5.part", "new.h5.12-00000000-0123abcd.part", ".new.h5.12-0123abcd.part", ".new.h5.0-a.part"],
)
def test_what_only_looks_like_one_stays(name, tmp_path):
    """Nothing is removed that this program did not make."""
    (tmp_path / name).touch()
    sweep([tmp_path / "new.h5"])
    assert (tmp_path / name).exists()


def test_what_a_killed_process_was_writing_is_removed_by_the_next_run(tmp_path):
    """Killed in the middle; the file is made by the run that sweeps."""
    (tmp_path / "old").mkdir()
    write_named(tmp_path / "old" / "a.h5", keras1(conv=(6, 3, 3, 5)))
    (tmp_path / "new").mkdir()
    text = (
        "import pathlib, sys; from converters.writing.files import new_file\n"
        "with new_file(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])): print(1, flush=True); input()"
    )
    command = [sys.executable, "-c", text, str(tmp_path / "old" / "a.h5"), str(tmp_path / "new" / "a.h5")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.read(1) == b"1"
        convert_tree(tmp_path / "old", tmp_path / "new", direction="th-to-tf", jobs=1, force=True)
        assert len(list((tmp_path / "new").iterdir())) == 2
        process.kill()
    convert_tree(tmp_path / "old", tmp_path / "new", direction="th-to-tf", jobs=1)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.h5"]


def test_the_next_run_over_a_tree_sweeps(dead, tmp_path):
    """What is done is not done again, and what was left of it is gone."""
    (tmp_path / "old" / "deep").mkdir(parents=True)
    write_named(tmp_path / "old" / "deep" / "a.h5", keras1(conv=(6, 3, 3, 5)))
    for _ in range(2):
        convert_tree(tmp_path / "old", tmp_path / "new", direction="th-to-tf", jobs=1)
        assert [path.name for path in (tmp_path / "new" / "deep").iterdir()] == ["a.h5"]
        left(tmp_path / "new" / "deep", "a.h5", dead)

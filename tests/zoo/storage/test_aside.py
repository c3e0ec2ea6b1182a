"""Folders for files on their way: gone in the end, and swept after a process that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile

import pytest

from converters.writing.files import whose
from zoo.storage import aside
from zoo.storage.aside import passing_folder


@pytest.fixture(autouse=True)
def _own(tmp_path, monkeypatch):
    """Let temporary files lie in a folder of the test's own, and nothing be swept yet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    aside.sweep.cache_clear()
    yield
    aside.sweep.cache_clear()


def test_a_folder_is_gone_in_the_end(tmp_path):
    """With what is in it, and when something was raised."""
    with pytest.raises(RuntimeError), passing_folder() as folder:
        (folder / "a.h5").write_bytes(b"half")
        assert folder.parent == tmp_path
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept(tmp_path):
    """By the next one that needs such a folder; what is in use, and whatever else is there, stays."""
    text = (
        "from zoo.storage.aside import passing_folder\nwith passing_folder(): print(1, flush=True); input()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", text]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.read(1) == b"1"
        (left,) = tmp_path.iterdir()
        (tmp_path / "zoo-mine").mkdir()
        (tmp_path / f"zoo-{whose()}-file").touch()
        with passing_folder():
            assert left.exists()
        process.send_signal(signal.SIGKILL)
    aside.sweep.cache_clear()
    with passing_folder():
        assert not left.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"zoo-{whose()}-file", "zoo-mine"]

"""The process that unpacks: what it may not do, and what becomes of the user's when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from converters.errors import FileFormatError
from converters.formats.opening import open_untrusted
from converters.hdf5.sandbox import Sandbox, SandboxError
from converters.limits import Limits
from tests.support.weight_files import counted

# What is put in the place of the child's program, and what the user reads.
MISHAPS = {
    "crash": (
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "cannot be read (the process that decompresses it was killed by signal 11)",
    ),
    "end": (
        "raise SystemExit(3)",
        "cannot be read (the process that decompresses it ended with exit code 3)",
    ),
    "half an answer": (
        "import sys; sys.stdout.buffer.write(b'+' + (12).to_bytes(8, 'little') + b'half')",
        "cannot be read (the process that decompresses it ended with exit code 0)",
    ),
    "too much": (
        "import sys; sys.stdout.buffer.write(b'+' + (1 << 62).to_bytes(8, 'little'))",
        "cannot be read (4611686018427387904 bytes came where 12 were due)",
    ),
    "nonsense": (
        "import sys; sys.stdout.buffer.write(b'?' + bytes(20))",
        "cannot be read (0 bytes came where 12 were due)",
    ),
    "control characters": (
        r"import sys; sys.stdout.buffer.write(b'-' + (4).to_bytes(8, 'little') + b'\x1b[2J')",
        "cannot be read (\\x1b[2J)",
    ),
    "endless refusal": (
        "import sys; sys.stdout.buffer.write(b'-' + (1 << 62).to_bytes(8, 'little') + bytes(b'x' * 2000))",
        "cannot be read (" + "x" * 2000 + ")",
    ),
}


@pytest.fixture
def packed(tmp_path):
    """A file with one compressed dataset of three values."""
    path = tmp_path / "packed.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=counted(3), chunks=(3,), compression="gzip")
    return path


def box(source, **options):
    """Return a sandbox for a file that is open."""
    return Sandbox(source._stream.fileno(), 0, source.size, options.pop("limits", source.limits), **options)


@pytest.mark.parametrize("mishap", MISHAPS)
def test_whatever_the_child_does_is_a_refusal(mishap, packed):
    """A crash or an answer that is none costs the user nothing; the child is gone afterwards."""
    program, message = MISHAPS[mishap]
    with open_untrusted(packed) as source:
        child = box(source, program=program)
        with pytest.raises(SandboxError) as refused:
            child.rows(source.root.dataset("w"), 0, 3)
    assert str(refused.value) == message
    assert child._child is None


def test_a_child_that_hangs_is_ended(packed):
    """It waits for what never comes; the clock is the test's own and says at once that it is late."""
    times = iter([0.0, 5.1])
    with open_untrusted(packed) as source:
        child = box(
            source,
            program="import sys; sys.stdin.read()",
            clock=lambda: next(times),
            limits=Limits(seconds=5),
        )
        with pytest.raises(SandboxError, match=r"^takes longer than 5 s to read \(limit seconds\)$"):
            child.rows(source.root.dataset("w"), 0, 3)
    assert child._child is None


def test_a_failed_child_is_followed_by_a_new_one(packed):
    """One damaged dataset does not keep the others from being read."""
    with open_untrusted(packed) as source:
        good = source.root.dataset("w")
        with pytest.raises(FileFormatError) as refused:
            source.read(replace(good, chunks=(2,)))
        assert str(refused.value) == (
            f"{packed}: dataset 'w' cannot be read (it is not what it was described as)"
        )
        assert source.read(good).tolist() == [0, 1, 2]


def test_a_file_that_stores_too_little_is_refused_by_the_child(tmp_path):
    """Chunks that were never written would be made of nothing, a thousand times over."""
    path = tmp_path / "sparse.h5"
    with h5py.File(path, "w") as file:
        found = file.create_dataset("w", (10**6,), "f4", chunks=(1000,), compression="gzip")
        found[:1000] = 1
        file["other"] = np.ones(10_000, "f4")  # makes the file large enough to hold it
    with open_untrusted(path, limits=Limits(ratio=800)) as source, pytest.raises(FileFormatError) as refused:
        source.read(source.root.dataset("w"))
    assert str(refused.value).startswith(
        f"{path}: dataset 'w' cannot be read (it declares 4000000 bytes and stores "
    )
    assert str(refused.value).endswith(", which is too few (limit ratio))")


PROBE = """
import json, os, resource, sys
sys.path[:] = json.loads(sys.argv[1])
from converters.hdf5 import sandbox_child
from converters.hdf5.sandbox import HEAD, REFUSAL
found = {}
sandbox_child._lock_down()
for name, attempt in {
    "open": lambda: open(json.loads(sys.argv[2])["canary"]),
    "create": lambda: open("/tmp/new", "w"),
    "pipe": os.pipe,
}.items():
    try:
        attempt()
        found[name] = "done"
    except OSError as error:
        found[name] = error.strerror
sandbox_child._grant(
    {"dtype": "<f4", "chunks": [3], "shape": [3], "begin": 0, "end": 3},
    {"seconds": 5, "memory": 1 << 20}, 1 << 30)
found["core"] = resource.getrlimit(resource.RLIMIT_CORE)[0]
found["memory"] = resource.getrlimit(resource.RLIMIT_AS)[0] - (1 << 30)
found["seconds"] = resource.getrlimit(resource.RLIMIT_CPU)[0] <= 7
print(json.dumps(found))
"""


def test_the_child_can_open_nothing_and_take_little(tmp_path):
    """After the door is shut no file can be opened, not even by the child's own program."""
    canary = tmp_path / "canary"
    canary.write_bytes(b"a secret")
    path = json.dumps([os.path.abspath(entry) for entry in sys.path])  # noqa: PTH100
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE, path, json.dumps({"canary": str(canary)})],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {
        "open": "Too many open files",
        "create": "Too many open files",
        "pipe": "Too many open files",
        "core": 0,
        "memory": (1 << 20) + 3 * 12 + 2 * 12,
        "seconds": True,
    }


def test_a_library_that_follows_a_link_finds_no_file(tmp_path):
    """A file that slipped past every rule: all that the child's library can open is the file once more."""
    canary, path = tmp_path / "canary.h5", tmp_path / "outside.h5"
    with h5py.File(canary, "w") as file:
        file.create_dataset("w", data=counted(3), chunks=(3,), compression="gzip")
    with open_untrusted(canary) as source:
        described = source.root.dataset("w")
    with h5py.File(path, "w") as file:
        file["w"] = h5py.ExternalLink(str(canary), "/w")
    with path.open("rb") as stream:
        child = Sandbox(stream.fileno(), 0, path.stat().st_size, Limits())
        with pytest.raises(SandboxError, match="too many links"):
            child.rows(described, 0, 3)
        child.close()


def test_memory_is_limited(tmp_path):
    """A block that needs more than the child may take is refused; the user's process needs none of it."""
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=np.zeros(1 << 22, "f4"), chunks=(1 << 22,), compression="gzip")
    limits = Limits(memory_bytes=1, seconds=20)
    with open_untrusted(path, limits=limits) as source:
        small = replace(source.root.dataset("w"), chunks=(1,), shape=(1 << 22,))
        with pytest.raises(FileFormatError, match=r"dataset 'w' cannot be read \("):
            source.read(small)


def test_nothing_is_left_running(packed):
    """The child ends with the file."""
    with open_untrusted(packed) as source:
        source.read(source.root.dataset("w"))
        child = source._sandbox._child
        assert child is not None
        assert child.poll() is None
    assert child.poll() is not None

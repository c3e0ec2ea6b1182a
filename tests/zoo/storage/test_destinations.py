"""Where files can be written: whole or not at all, whatever keeps them, and looked at when they are there."""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys

import pytest

from converters.writing.files import temporary_name
from tests.support.buckets import bucket_server, fill, objects
from zoo.errors import ArgumentError, CacheError
from zoo.storage import destinations
from zoo.storage.destinations import Bucket, Folder, destination


@pytest.fixture(scope="module")
def bucket():
    """Return the URL of an empty bucket."""
    with bucket_server():
        yield fill("s3://destinations", {})


@pytest.fixture
def memory():
    """Return a URL of what fsspec keeps in this process, which shows files as they grow."""
    from fsspec.implementations.memory import MemoryFileSystem

    yield "memory://here/files"
    MemoryFileSystem.store.clear()


@pytest.fixture(params=["bucket", "memory", "folder"])
def place(request, tmp_path):
    """Return the address of an empty place of each kind."""
    if request.param == "folder":
        return str(tmp_path / "files")
    url = request.getfixturevalue(request.param)
    return f"{url}/{request.node.name.replace('[', '-').strip(']')}"


def test_what_is_written_is_there_under_its_name_alone(place):
    """Large or small; listed, and removed."""
    there = destination(place)
    assert there.names() == []
    with there.making("a.h5") as path:
        path.write_bytes(b"weights")
        assert there.size("a.h5") is None
    there.write("b.json", b"{}")
    assert sorted(there.names()) == ["a.h5", "b.json"]
    assert (there.size("a.h5"), there.read("b.json")) == (7, b"{}")
    there.remove("a.h5")
    there.remove("a.h5")
    assert there.names() == ["b.json"]


def test_what_was_there_stays_when_the_next_cannot_be_made(place):
    """Nor is anything beside it."""
    there = destination(place)
    there.write("a.h5", b"before")
    with pytest.raises(RuntimeError), there.making("a.h5") as path:
        path.write_bytes(b"half")
        raise RuntimeError
    assert (there.names(), there.read("a.h5")) == (["a.h5"], b"before")


def test_what_a_killed_process_left_is_swept(memory):
    """Of the files that are named; what is written now stays, and what only looks like it."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    left = temporary_name("a.h5").replace(f".{os.getpid()}-", f".{process.pid}-")
    stay = [temporary_name("a.h5"), left.replace("a.h5", "b.h5"), "a.h5", left.replace(".part", "")]
    fill(memory, {f"deep/{name}": b"half" for name in (left, *stay)})
    Bucket(memory).sweep(["deep/a.h5", "gone/a.h5"])
    assert sorted(objects(memory)) == sorted(f"deep/{name}" for name in stay)


@pytest.mark.parametrize("method", ["put_file", "mv"])
def test_what_was_there_stays_when_sending_breaks(method, memory, monkeypatch):
    """Where half of a file would be seen, it has another name, and is removed."""
    from fsspec.implementations.memory import MemoryFileSystem

    there = Bucket(memory)
    there.write("a.h5", b"before")
    whole = getattr(MemoryFileSystem, method)

    def breaking(self, source, target, **rest):
        if method == "put_file":
            self.pipe_file(target, b"half")
        raise OSError("Broken pipe")

    monkeypatch.setattr(MemoryFileSystem, method, breaking)
    with pytest.raises(CacheError) as caught, there.making("a.h5") as path:
        path.write_bytes(b"after")
    assert str(caught.value) == f"{memory}/a.h5: the bucket refuses: Broken pipe"
    assert objects(memory) == {"a.h5": b"before"}
    monkeypatch.setattr(MemoryFileSystem, method, whole)
    with there.making("a.h5") as path:
        path.write_bytes(b"after")
    assert objects(memory) == {"a.h5": b"after"}


def test_what_came_as_something_else_is_noticed(bucket, monkeypatch):
    """The storage's own digest tells; where it is none of the content, the object is read."""
    import s3fs

    system, there, read = s3fs.S3FileSystem(), Bucket(bucket), []
    put = system.put_file
    sha256 = Bucket.sha256
    monkeypatch.setattr(Bucket, "sha256", lambda self, *rest: read.append(rest[0]) or sha256(self, *rest))
    with there.making("a.h5") as path:
        path.write_bytes(b"weights")
    assert read == []
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "state", lambda self, name: '"' + 32 * "0" + '"')
        with there.making("encrypted.h5") as path:
            path.write_bytes(b"weights")
    assert read == ["encrypted.h5"]

    def damaging(source, target, **rest):
        put(source, target, **rest)
        system.pipe_file(target, b"wEights")

    monkeypatch.setattr(system, "put_file", damaging)
    with pytest.raises(CacheError) as caught, there.making("a.h5") as path:
        path.write_bytes(b"weights")
    assert str(caught.value) == f"{bucket}/a.h5: holds something else than was sent; run the same again"


def test_what_is_sent_in_parts_is_known_by_its_parts(bucket, monkeypatch):
    """Their digests' digest; and parts that an upload left which was cut off are given up."""
    import s3fs

    system, there = s3fs.S3FileSystem(), Bucket(bucket)
    part, content = 5 << 20, b"0123456789abcdef" * (11 << 16)
    monkeypatch.setattr(system, "put_file", functools.partial(system.put_file, chunksize=part))
    monkeypatch.setattr(destinations, "_PART", part)
    monkeypatch.setattr(Bucket, "sha256", None)
    for key in ("large.h5", "other.h5"):
        system.call_s3("create_multipart_upload", Bucket="destinations", Key=key)
    with there.making("large.h5") as path:
        path.write_bytes(content)
    assert there.state("large.h5").strip('"').endswith("-3")
    assert [one["Key"] for one in system.list_multipart_uploads("destinations")] == ["other.h5"]


def test_nothing_is_written_to_the_web():
    """Where files are read."""
    with pytest.raises(ArgumentError) as refused:
        destination("https://me:secret@host/x")
    text = "nothing is written there; name a folder, or a bucket (s3://, gs://)"
    assert str(refused.value) == f"https://host/x: {text}"


def test_workers_open_it_anew(bucket):
    """What is sent to them is its address."""
    again = pickle.loads(pickle.dumps(Bucket(f"{bucket}/x")))
    assert (again.place, again.name("a")) == (f"{bucket}/x", f"{bucket}/x/a")
    assert isinstance(destination("file:///x"), Folder)

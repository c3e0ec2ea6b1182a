"""Files by URL: listed and read where they lie, and clearly told where that cannot be."""

from __future__ import annotations

import io

import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from zoo.errors import ArgumentError, DataError
from zoo.finetuning.listing import listed
from zoo.storage.remote import brought, is_remote


@pytest.fixture(scope="module")
def bucket():
    """Return the URL of a folder with pictures in a bucket on loopback."""
    import s3fs

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        }.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        system = s3fs.S3FileSystem()
        system.mkdir("pictures")
        for name in ("b/2.png", "a/1.png", "a/deep/3.png", "a/.hidden.png", ".away/4.png", "loose.png"):
            system.pipe_file(f"pictures/all/{name}", png(len(name)))
        system.pipe_file("pictures/all/notes.txt", b"words")
        system.pipe_file("pictures/all/list.csv", b"file,label\na/1.png,x\nlost.png,y\n")
        yield "s3://pictures/all"
    server.stop()


def png(side):
    """Return a small picture's file."""
    file = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), side, np.uint8)).save(file, "png")
    return file.getvalue()


def test_a_folder_in_a_bucket_is_listed_as_one_on_the_disk(bucket):
    """By name, with the class that the folder says; each has what changes with it."""
    found = list(listed(f"{bucket}/"))
    assert sorted((one.name.removeprefix(bucket), one.label) for one in found) == [
        ("/a/1.png", "a"),
        ("/a/deep/3.png", "a"),
        ("/b/2.png", "b"),
        ("/loose.png", ""),
    ]
    assert found == list(listed(bucket))
    assert all(one.state for one in found)


def test_a_table_in_a_bucket_names_files_beside_it(bucket):
    """Whether each is there is told when it is read."""
    found = list(listed(f"{bucket}/list.csv"))
    assert [(one.name, one.label) for one in found] == [
        (f"{bucket}/a/1.png", "x"),
        (f"{bucket}/lost.png", "y"),
    ]


def test_a_file_is_brought_for_as_long_as_it_is_needed(bucket, tmp_path):
    """Under its own name; a path is taken as it is."""
    with brought(f"{bucket}/b/2.png") as local:
        assert (local.name, local.read_bytes()) == ("2.png", png(7))
    assert not local.exists()
    with brought(str(tmp_path)) as local:
        assert local == tmp_path
    assert is_remote(bucket) and not is_remote(tmp_path)


def test_what_is_not_there_is_told(bucket):
    """With its URL."""
    with pytest.raises(DataError) as caught, brought(f"{bucket}/lost.png"):
        pass
    assert str(caught.value) == f"{bucket}/lost.png: there is no such file"
    with (
        pytest.raises(ArgumentError, match=r"teapot://x: cannot be reached: .*brings s3://"),
        brought("teapot://x"),
    ):
        pass

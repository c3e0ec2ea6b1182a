"""Files by URL: listed and read where they lie, and clearly told where that cannot be."""

from __future__ import annotations

import functools
import io
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from tests.support.buckets import bucket_server
from zoo.errors import ArgumentError, CacheError, DataError
from zoo.finetuning.listing import listed
from zoo.storage.remote import brought, files_below, is_remote, last_name, shown


@pytest.fixture(scope="module")
def bucket():
    """Return the URL of a folder with pictures in a bucket on loopback."""
    import s3fs

    with bucket_server():
        system = s3fs.S3FileSystem()
        system.mkdir("pictures")
        for name in ("b/2.png", "a/1.png", "a/deep/3.png", "a/.hidden.png", ".away/4.png", "loose.png"):
            system.pipe_file(f"pictures/all/{name}", png(len(name)))
        system.pipe_file("pictures/all/notes.txt", b"words")
        system.pipe_file("pictures/all/list.csv", b"file,label\na/1.png,x\nlost.png,y\n")
        yield "s3://pictures/all"


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a?b@c/x.h5", "s3://bucket/a?b@c/x.h5"),
        ("https://me:p@ss@host/x.h5", "https://host/x.h5"),
        ("https://host/x.h5?X-Amz-Credential=K&X-Amz-Signature=s&X-Amz-Date=1", "https://host/x.h5"),
        ("https://host/get?id=5&sig=abc&se=2026", "https://host/get?id=5"),
        ("https://host/x?AWSAccessKeyId=K&Signature=s&Expires=9", "https://host/x"),
        (
            "403, url='https://host/x?access_token=s' of ftp://a:b@h/y",
            "403, url='https://host/x' of ftp://h/y",
        ),
        ("/home/me@here/x?token=3", "/home/me@here/x?token=3"),
    ],
)
def test_what_lets_in_is_not_shown(text, expected):
    """Names, passwords and signatures; what only says which file it is stays."""
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("https://host/a/b%20c.h5?sig=a/b", "b c.h5"),
        ("s3://bucket/a/b%20c?.h5", "b%20c?.h5"),
        ("simplecache::https://host/x.h5?y", "x.h5"),
    ],
)
def test_a_file_is_called_by_the_last_part_of_its_path(place, expected):
    """On the web without a query, and not as it is quoted."""
    assert last_name(place) == expected


@pytest.fixture
def web(tmp_path):
    """Return the URL of a folder on a web server that makes pages of lists, and that folder."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/old", tmp_path / "old"
        server.shutdown()
        thread.join()


def test_a_folder_on_the_web_is_listed_where_the_server_does(web, capfd):
    """In the order of the names, as people write these; sizes and times are not listed."""
    place, folder = web
    for name in ("b c/2.png", "a/1.png", "z.png", "d/3.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(len(name)))
    assert list(files_below(place)) == [
        (f"{place}/z.png", "z.png", ""),
        (f"{place}/a/1.png", "a/1.png", ""),
        (f"{place}/b%20c/2.png", "b c/2.png", ""),
        (f"{place}/d/3.png", "d/3.png", ""),
    ]
    with brought(f"{place}/b%20c/2.png?sig=secret") as local:
        assert (local.name, local.read_bytes()) == ("2.png", png(9))
    for there, what in ((f"{place}/lost/", "folder"), (f"{place}/lost.png?sig=secret", "file")):
        with pytest.raises(DataError) as caught:
            list(files_below(there)) if what == "folder" else brought(there).__enter__()
        assert str(caught.value) == f"{shown(there)}: there is no such {what}"


def test_what_a_folder_is_not_let_be_listed_is_told(bucket, monkeypatch):
    """And not taken for one that is empty."""
    import s3fs

    async def refused(*_, **__):
        raise PermissionError("Access Denied")

    monkeypatch.setattr(s3fs.S3FileSystem, "_lsdir", refused)
    with pytest.raises(CacheError) as caught:
        list(files_below(bucket))
    assert str(caught.value) == f"{bucket}: cannot be read: Access Denied"
    with pytest.raises(DataError) as missing:
        monkeypatch.undo()
        list(files_below("s3://nowhere/x"))
    assert str(missing.value) == "s3://nowhere/x: there is no such folder"

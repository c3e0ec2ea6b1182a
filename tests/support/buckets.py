"""An S3 server on loopback, and a bucket on it that the environment leads to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def bucket_server() -> Iterator[str]:
    """Run a server that nothing remembers another one in place of, and let the environment lead to it."""
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
        yield f"http://{host}:{port}"
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


def objects(place: str) -> dict[str, bytes]:
    """Return the content of each object below a URL, by its name there."""
    from fsspec.core import url_to_fs

    system, root = url_to_fs(place)
    system.invalidate_cache()
    return {path[len(root) :].lstrip("/"): system.cat_file(path) for path in system.find(root)}


def fill(place: str, files: dict[str, bytes]) -> str:
    """Put objects below a URL, in a bucket that is made for it, and return the URL."""
    from fsspec.core import url_to_fs

    system, root = url_to_fs(place)
    system.makedirs(root.partition("/")[0], exist_ok=True)
    for name, content in files.items():
        system.pipe_file(f"{root}/{name}", content)
    return place

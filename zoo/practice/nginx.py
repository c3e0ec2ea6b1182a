"""nginx on the loopback address, for whoever wants to see files served by a real web server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import ArgumentError

_CONFIGURATION = """\
daemon off;
master_process off;
pid {state}/nginx.pid;
error_log {state}/error.log;
events {{}}
http {{
    access_log {state}/access.log;
    client_body_temp_path {state}/body;
    proxy_temp_path {state}/proxy;
    fastcgi_temp_path {state}/fastcgi;
    uwsgi_temp_path {state}/uwsgi;
    scgi_temp_path {state}/scgi;
    default_type application/octet-stream;
    sendfile on;
    {settings}
    server {{
        listen 127.0.0.1:{port};
        root {root};
    }}
}}
"""


def find_nginx() -> str | None:
    """Return the program, or ``None`` if it is not installed."""
    return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


@contextmanager
def serve_folder(root: Path, state: Path, settings: str = "") -> Iterator[str]:
    """Serve a folder with nginx on a free port.

    Args:
        root: What to serve.
        state: An empty folder for its configuration and logs.
        settings: Further directives for all requests, for example ``limit_rate 1m;``.

    Yields:
        ``http://127.0.0.1:PORT``.

    Raises:
        ArgumentError: nginx is not installed, or does not start.
    """
    program = find_nginx()
    if program is None:
        raise ArgumentError("nginx is not installed: apt-get install nginx-light")
    port = _free_port()
    configuration = state / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(state=state, root=root, port=port, settings=settings), "utf-8"
    )
    process = subprocess.Popen(
        [program, "-p", str(state), "-e", str(state / "error.log"), "-c", str(configuration)]
    )
    try:
        _await(process, port, state)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(process: subprocess.Popen[bytes], port: int, state: Path) -> None:
    """Wait until the server answers."""
    while process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise ArgumentError(f"nginx does not start: {(state / 'error.log').read_text('utf-8').strip()}")

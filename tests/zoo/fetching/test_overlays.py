"""Registries that ``ZOO_REGISTRY`` names by an address and a digest."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.command import Command
from zoo.registry import architecture, get_registry
from zoo.registry.places import FOLDER, split

TEXT = b"architectures: {vgg16: {title: From afar}}\n"
SHA256 = hashlib.sha256(TEXT).hexdigest()


class Host(HTTPServer):
    """Serves one registry and counts who asks."""

    asked = 0
    text = TEXT

    @property
    def url(self) -> str:
        """Where the registry is."""
        return f"http://127.0.0.1:{self.server_address[1]}/lab.yaml"


class _Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        """Answer."""
        self.server.asked += 1
        self.send_response(200 if self.path == "/lab.yaml" else 404)
        self.send_header("Content-Length", str(len(self.server.text)))
        self.end_headers()
        self.wfile.write(self.server.text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def host() -> Iterator[Host]:
    """Serve a registry on this machine."""
    with Host(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_it_is_fetched_once_and_works_without_a_network(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another one follows it."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("architectures: {vgg19: {title: Mine}}")
    monkeypatch.setenv("ZOO_REGISTRY", f"{host.url}#sha256={SHA256}:{overlay}")
    for _ in range(3):
        assert (architecture("vgg16").title, architecture("vgg19").title) == ("From afar", "Mine")
    assert host.asked == 1
    kept = tmp_path / "zoo-home" / FOLDER / f"{SHA256}.yaml"
    assert kept.read_bytes() == TEXT
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    kept.touch()
    assert architecture("vgg16").title == "From afar"


def test_what_was_changed_in_the_cache_is_fetched_again(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never read as it is."""
    monkeypatch.setenv("ZOO_REGISTRY", f"{host.url}#sha256={SHA256}")
    get_registry()
    kept = tmp_path / "zoo-home" / FOLDER / f"{SHA256}.yaml"
    kept.write_bytes(TEXT.replace(b"afar", b"here and there"))
    assert architecture("vgg16").title == "From afar"
    assert (kept.read_bytes(), host.asked) == (TEXT, 2)


def test_where_nothing_can_be_kept_it_is_fetched_all_the_same(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file stands in the place of the cache."""
    (tmp_path / "zoo-home").touch()
    monkeypatch.setenv("ZOO_REGISTRY", f"{host.url}#sha256={SHA256}")
    assert architecture("vgg16").title == "From afar"


def test_a_mistake_in_it_is_told_with_its_address(
    host: Host, zoo: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its line."""
    host.text = b"# lab\narchitectures: {vgg16: {title: 7}}\n"
    monkeypatch.setenv("ZOO_REGISTRY", f"{host.url}#sha256={hashlib.sha256(host.text).hexdigest()}")
    reason = "architectures.vgg16.title: 7 is not text; put it in quotes"
    assert zoo("show", "vgg16") == (1, "", f"zoo: {host.url}:2: {reason}\n")


HOW = "#sha256=DIGEST, with the 64 digits that sha256sum prints for the file"
RULE = "must be an https:// URL (plain http:// is for loopback only: localhost, 127.0.0.0/8, [::1])"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "https://example.org/x.yaml",
            "ZOO_REGISTRY: https://example.org/x.yaml: needs a digest, so that nobody can change it unseen:"
            f" write https://example.org/x.yaml{HOW}",
        ),
        (
            "https://example.org/x.yaml#sha256=12",
            "ZOO_REGISTRY: https://example.org/x.yaml: needs a digest, so that nobody can change it unseen:"
            f" write https://example.org/x.yaml{HOW}",
        ),
        (f"http://example.org/x.yaml#sha256={SHA256}", f"ZOO_REGISTRY: 'http://example.org/x.yaml' {RULE}"),
        (f"ftp://example.org/x.yaml#sha256={SHA256}", f"ZOO_REGISTRY: 'ftp://example.org/x.yaml' {RULE}"),
    ],
)
def test_what_may_not_be_asked_is_refused(
    text: str, reason: str, zoo: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with exit code 1, and nothing is changed."""
    monkeypatch.setenv("ZOO_REGISTRY", text)
    assert zoo("list") == (1, "", f"zoo: {reason}\n")
    assert not (tmp_path / "zoo-home").exists()


def test_another_file_is_refused(host: Host, zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As is what is not there, and what would have to be fetched where that is forbidden."""
    other = "0" * 64
    monkeypatch.setenv("ZOO_REGISTRY", f"{host.url}#sha256={other}")
    reason = f"is not the registry that ZOO_REGISTRY names: its sha256 is {SHA256}, not {other}"
    assert zoo("list") == (1, "", f"zoo: {host.url}: {reason}\n")
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    reason = "is not in the cache, and ZOO_OFFLINE forbids to fetch it"
    assert zoo("list") == (1, "", f"zoo: {host.url}: {reason}\n")
    monkeypatch.delenv("ZOO_OFFLINE")
    monkeypatch.setenv("ZOO_REGISTRY", f"{host.url}x#sha256={other}")
    code, out, err = zoo("list")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"zoo: {host.url}x: cannot be fetched: 404 Not Found")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a:b", ["a", "b"]),
        ("https://a/b.yaml#sha256=12:/home/x.yaml", ["https://a/b.yaml#sha256=12", "/home/x.yaml"]),
        ("/x:https://a/b:https://c:8080/d:80", ["/x", "https://a/b", "https://c:8080/d", "80"]),
        ("HTTP://[::1]:80/b:c::d", ["HTTP://[::1]:80/b", "c", "d"]),
        ("http://[::1]/b:c", ["http://[::1]/b", "c"]),
        ("https:x://y", ["https", "x", "//y"]),
        ("https://a:443", ["https://a:443"]),
    ],
)
def test_colons_of_addresses_are_none_between_paths(text: str, parts: list[str]) -> None:
    """Scheme, IPv6 host and port have some."""
    assert split(text, ":") == parts


def test_where_semicolons_separate_a_colon_is_a_character() -> None:
    """Drives have one."""
    text = r"C:\x.yaml;;https://a:80/b#sha256=1;D:/y"
    assert split(text, ";") == [r"C:\x.yaml", "https://a:80/b#sha256=1", "D:/y"]

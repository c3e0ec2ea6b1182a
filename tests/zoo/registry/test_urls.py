"""Tests of which addresses are trusted."""

from __future__ import annotations

import pytest

from zoo.registry.urls import is_trusted


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "https://example.org/",
        "https://example.org:8443/a/b.h5?x=1&y=2#z",
        "https://example.org?x",
        "HTTPS://Example.ORG/a",
        "http://localhost/a",
        "http://LOCALHOST:8000/a",
        "http://127.0.0.1",
        "http://127.255.3.4:1/a?b",
        "http://[::1]:8000/a",
        "https://127.0.0.1/",
    ],
)
def test_https_and_loopback_are_trusted(url: str) -> None:
    """HTTPS goes anywhere, plain HTTP stays on this machine."""
    assert is_trusted(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a",
        "http://localhost.example.org/",
        "http://127.0.0.1.example.org/",
        "http://127.0.0.1@example.org/",
        "http://127.0.0.256/",
        "http://128.0.0.1/",
        "http://[::2]/",
        "http://0.0.0.0/",
        "https://user@example.org/",
        "https://user:password@example.org/",
        "https://",
        "https:///a",
        "https://example.org/a b",
        "https://example.org/\n",
        " https://example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "//example.org/",
        "example.org",
        "",
    ],
)
def test_everything_else_is_not(url: str) -> None:
    """Other schemes, other hosts in disguise, passwords, blanks and half addresses are refused."""
    assert not is_trusted(url)

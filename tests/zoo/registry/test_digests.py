"""Tests of digests: their form, their values against other implementations, and what a difference says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import ArgumentError, ChecksumError
from zoo.registry.digests import ALGORITHMS, CHUNK, Hashes, any_strong, hash_file, parse_digest, verify_file
from zoo.registry.records import Digest

# The first column of what `cksum`, `md5sum`, `sha256sum` and `git hash-object` print.
VECTORS = {
    b"": {
        "sha256-prefix8": "e3b0c442",
        "cksum": "4294967295",
        "md5": "d41d8cd98f00b204e9800998ecf8427e",
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "git-blob-sha1": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "sha1": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "sha384": (
            "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"
        ),
    },
    b"123456789": {
        "sha256-prefix8": "15e2b0d3",
        "cksum": "930766865",
        "md5": "25f9e794323b453885f5181f1b624d0b",
        "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        "git-blob-sha1": "e2e107ac61ac259b87c544f6e7a4eb03422c6c21",
        "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
        "sha384": (
            "eb455d56d2c1a69de64e832011f3393d45f3fa31d6842f21af92d2fe469c499da5e3179847334a18479c8d1dedea1be3"
        ),
    },
}


def _digest(text: str, grade: str = "A") -> Digest:
    algorithm, value = parse_digest(text)
    return Digest(algorithm=algorithm, value=value, grade=grade, source="a table")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("data", VECTORS, ids=["empty", "nine digits"])
def test_known_values(algorithm: str, data: bytes, tmp_path: Path) -> None:
    """Each algorithm gives what the command-line tool of its name prints."""
    path = tmp_path / "file"
    path.write_bytes(data)
    assert hash_file(path, [algorithm]) == {algorithm: VECTORS[data][algorithm]}


def _slow_cksum(data: bytes) -> int:
    """POSIX's definition, bit by bit."""
    size, remainder = len(data), 0
    while size:
        data += bytes([size & 255])
        size >>= 8
    for byte in data:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (0x104C11DB7 if remainder & 0x80000000 else 0)
    return remainder ^ 0xFFFFFFFF


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_cksum_is_the_posix_one(pieces: list[bytes]) -> None:
    """The way by zlib gives the value of the definition, whatever the pieces."""
    hashes = Hashes(["cksum"])
    for piece in pieces:
        hashes.update(piece)
    assert hashes.values() == {"cksum": str(_slow_cksum(b"".join(pieces)))}


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_pieces_do_not_matter(pieces: list[bytes]) -> None:
    """Several algorithms at once, in pieces, give what each gives of the whole."""
    whole = b"".join(pieces)
    hashes = Hashes(ALGORITHMS, size=len(whole))
    for piece in pieces:
        hashes.update(piece)
    assert hashes.size == len(whole)
    assert hashes.values() == {
        "sha256": hashlib.sha256(whole).hexdigest(),
        "sha384": hashlib.sha384(whole).hexdigest(),
        "sha1": hashlib.sha1(whole).hexdigest(),
        "md5": hashlib.md5(whole).hexdigest(),
        "git-blob-sha1": hashlib.sha1(b"blob %d\0" % len(whole) + whole).hexdigest(),
        "cksum": str(_slow_cksum(whole)),
        "sha256-prefix8": hashlib.sha256(whole).hexdigest()[:8],
    }


def test_values_may_be_asked_for_between_pieces() -> None:
    """Asking does not end or change the stream."""
    hashes = Hashes(["cksum", "md5"])
    hashes.update(b"1234")
    assert hashes.values()["cksum"] == str(_slow_cksum(b"1234"))
    hashes.update(b"56789")
    assert hashes.values() == {name: VECTORS[b"123456789"][name] for name in ("cksum", "md5")}


@pytest.mark.parametrize("announced", [None, 8, 10])
def test_a_digest_that_needs_the_size_is_left_out_unless_it_was_right(announced: int | None) -> None:
    """Without the right size beforehand git's name of a file cannot be known from one pass."""
    hashes = Hashes(["git-blob-sha1", "md5"], size=announced)
    hashes.update(b"123456789")
    assert hashes.values() == {"md5": VECTORS[b"123456789"]["md5"]}


def test_a_file_longer_than_a_chunk(tmp_path: Path) -> None:
    """Reading goes on to the last byte."""
    path = tmp_path / "file"
    data = bytes(range(256)) * (CHUNK // 256) + b"rest"
    path.write_bytes(data)
    assert hash_file(path, ["sha256"]) == {"sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("sha256:" + "0aB1" * 16, ("sha256", "0ab1" * 16)),
        ("md5:" + "0" * 32, ("md5", "0" * 32)),
        ("git-blob-sha1:" + "f" * 40, ("git-blob-sha1", "f" * 40)),
        ("cksum:0", ("cksum", "0")),
        ("sha256-prefix8:0676BA61", ("sha256-prefix8", "0676ba61")),
        ("cksum:4294967295", ("cksum", "4294967295")),
    ],
)
def test_a_digest_is_read(text: str, pair: tuple[str, str]) -> None:
    """The value is kept in lower case, and a digest prints itself as it was written."""
    assert parse_digest(text) == pair
    assert str(_digest(text)) == text.lower()


_UNKNOWN = (
    "it must start with one of sha256, sha384, sha1, md5, git-blob-sha1, cksum, sha256-prefix8, then a colon"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sha256:12", "sha256 needs 64 hexadecimal digits"),
        ("sha256:" + "0" * 65, "sha256 needs 64 hexadecimal digits"),
        ("sha256:" + "g" * 64, "sha256 needs 64 hexadecimal digits"),
        ("sha256:" + "0" * 64 + "\n", "sha256 needs 64 hexadecimal digits"),
        ("md5", "md5 needs 32 hexadecimal digits"),
        ("md5: " + "0" * 32, "md5 needs 32 hexadecimal digits"),
        ("git-blob-sha1:" + "0" * 41, "git-blob-sha1 needs 40 hexadecimal digits"),
        ("cksum:12ab", "cksum needs an integer of at most 10 digits"),
        ("cksum:012", "cksum needs an integer of at most 10 digits"),
        ("cksum:12345678901", "cksum needs an integer of at most 10 digits"),
        ("SHA256:" + "0" * 64, _UNKNOWN),
        ("sha512:" + "0" * 128, _UNKNOWN),
        ("0" * 64, _UNKNOWN),
        ("", _UNKNOWN),
    ],
)
def test_what_is_no_digest_is_refused(text: str, reason: str) -> None:
    """The message repeats the text and says what its algorithm needs."""
    with pytest.raises(ArgumentError) as caught:
        parse_digest(text)
    assert str(caught.value) == f"{text!r} is not a digest: {reason}"


_ALL = [_digest(f"{name}:{value}") for name, value in VECTORS[b"123456789"].items()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of the nine digits."""
    path = tmp_path / "weights.h5"
    path.write_bytes(b"123456789")
    return path


def test_the_published_file_is_accepted(file: Path) -> None:
    """All digests and the size fit; so do fewer, or none."""
    verify_file(file, _ALL, 9)
    verify_file(file, _ALL)
    verify_file(file, [])


@pytest.mark.parametrize("digest", _ALL, ids=lambda digest: digest.algorithm)
def test_every_digest_is_checked(digest: Digest, file: Path) -> None:
    """One wrong digest among right ones is enough; the message names all there is to know."""
    wrong = Digest(algorithm=digest.algorithm, value="0" * len(digest.value), grade="B", source="two copies")
    digests = [wrong if other is digest else other for other in _ALL]
    with pytest.raises(ChecksumError) as caught:
        verify_file(file, digests, 9)
    assert str(caught.value) == (
        f"{file}: its {digest.algorithm} is {digest.value}, the published file's is {wrong.value}"
        " (grade B: two copies); it is damaged or another file: fetch it again, or get it from somewhere else"
    )


def test_the_size_is_checked_first(file: Path) -> None:
    """A truncated file is told by its size, before its digests are computed."""
    with pytest.raises(ChecksumError) as caught:
        verify_file(file, [_digest("md5:" + "0" * 32)], 10)
    assert str(caught.value) == (
        f"{file}: has 9 bytes, the published file has 10; it is damaged or another file: fetch it again,"
        " or get it from somewhere else"
    )


def test_digests_computed_while_streaming_are_not_computed_again(file: Path) -> None:
    """Known values are compared as they are; only what is missing is read from the file."""
    known = {"md5": VECTORS[b""]["md5"]}
    verify_file(file, [_digest("md5:" + VECTORS[b""]["md5"]), _ALL[-1]], known=known)
    with pytest.raises(ChecksumError, match="its md5 is d41d8cd98f00b204e9800998ecf8427e"):
        verify_file(file, _ALL, known=known)


def test_a_file_whose_digests_are_all_known_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even to hash nothing: that is a pass over the whole file after each download."""
    monkeypatch.setattr("zoo.registry.digests.hash_file", None)
    verify_file(file, _ALL, 9, known={digest.algorithm: digest.value for digest in _ALL})
    with pytest.raises(TypeError):
        verify_file(file, _ALL, 9)


def test_a_label_stands_for_the_path(file: Path) -> None:
    """A temporary name means nothing to the reader of a message."""
    with pytest.raises(ChecksumError, match=r"^vgg16-th-gist: has 9 bytes, the published file has 8; "):
        verify_file(file, [], 8, label="vgg16-th-gist")


def test_the_beginning_of_a_digest_is_checked_and_is_no_proof(tmp_path: Path) -> None:
    """What PyTorch's hosts put into names: checked, but not strong."""
    path = tmp_path / "resnet.pth"
    path.write_bytes(b"123456789")
    whole, start = (
        _digest(f"sha256:{VECTORS[b'123456789']['sha256']}"),
        _digest("sha256-prefix8:15e2b0d3", "D"),
    )
    verify_file(path, [whole, start])
    assert any_strong([whole, start])
    assert not any_strong([start])
    with pytest.raises(ChecksumError) as caught:
        verify_file(path, [_digest("sha256-prefix8:15e2b0d4", "D")], label="resnet")
    assert str(caught.value).startswith(
        "resnet: its sha256-prefix8 is 15e2b0d3, the published file's is 15e2b0d4"
    )
    hashes = Hashes(["sha256-prefix8", "sha256"])
    hashes.update(b"123456789")
    assert hashes.values() == {"sha256-prefix8": start.value, "sha256": whole.value}

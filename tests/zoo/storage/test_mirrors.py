"""A mirror: a static tree of whole files and one index, in a folder or in a bucket."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import s3fs

from tests.support.shelf import GOOGLENET, THEANO, everything, fixed_cache, keep, one_of_each_ending, sha256
from zoo.errors import ArgumentError, CacheError, DownloadError
from zoo.registry.records import Digest
from zoo.storage.cache import Cache, Item
from zoo.storage.destinations import Bucket, Destination, Folder, destination
from zoo.storage.mirrors import CHECKED, INDEX, Outcome, check, mirror, parse_index

BODY, OTHER = b"\x89HDF\r\n\x1a\nweights", b"\x89HDF\r\n\x1a\nothers!"
CLASSES = b'{"0": ["n01440764", "tench"]}'
KNOWN = everything()
ITEMS = [
    KNOWN[THEANO].item,
    replace(KNOWN["class_indexes/imagenet"].item, bytes=None, digests=()),
    KNOWN[GOOGLENET].item,
]
BODIES = dict(zip((item.key for item in ITEMS), (BODY, CLASSES, OTHER), strict=True))
TRUST = (
    ": no cryptographic digest of this file was ever published: whoever fetches it from this mirror trusts"
    " the mirror, as whatever is first seen"
)


@dataclass
class Source:
    """Plays the fetching of files: brings them into a cache and counts; some cannot be had."""

    cache: Cache
    gone: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def __call__(self, item: Item) -> Path:
        """Return a verified file."""
        self.asked.append(item.key)
        if item.key in self.gone:
            raise DownloadError(f"{item.key}: 404 Not Found")
        return self.cache.find(item) or keep(self.cache, item, BODIES[item.key])


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Return an empty cache into which files can be fetched."""
    return Source(fixed_cache(tmp_path / "home"))


@pytest.fixture
def bucket(s3: None, request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty bucket that the environment leads to."""
    name = f"zoo-{abs(hash(request.node.nodeid))}"
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}/mirror"


@pytest.fixture(params=["folder", "file URL", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Destination:
    """Return each kind of place for a mirror, empty."""
    if request.param == "bucket":
        return destination(request.getfixturevalue("bucket"))
    folder = tmp_path / "a mirror"
    return destination(str(folder) if request.param == "folder" else folder.as_uri())


def build(place: Destination, source: Source, items: list[Item] = ITEMS) -> list[Outcome]:
    """Mirror some files."""
    return list(mirror(place, items, source, source.cache))


def test_a_mirror_is_files_by_content_and_one_index(place: Destination, source: Source) -> None:
    """The index maps ids to digest, size and path; what no digest was published of is said."""
    outcomes = build(place, source)
    assert [(one.key, one.state, one.bytes, one.problem) for one in outcomes] == [
        (key, "added", len(body), None) for key, body in BODIES.items()
    ]
    assert [one.notes for one in outcomes] == [(key + TRUST,) for key in BODIES]
    index = json.loads(place.read(INDEX) or b"")
    assert index == {
        "format": 1,
        "files": {
            key: {
                "sha256": sha256(body),
                "bytes": len(body),
                "path": f"files/{sha256(body)}{'.json' if body == CLASSES else '.h5'}",
            }
            for key, body in BODIES.items()
        },
    }
    for key, body in BODIES.items():
        assert place.read(index["files"][key]["path"]) == body


def test_what_is_there_is_not_fetched_again(place: Destination, source: Source) -> None:
    """Not even into a new cache; what is missing is brought, and the rest of the index stays."""
    build(place, source, ITEMS[:2])
    assert [one.state for one in build(place, source)] == ["there", "there", "added"]
    fresh = Source(fixed_cache(source.cache.home.parent / "other"))
    assert [one.state for one in build(place, fresh)] == ["there", "there", "there"]
    assert fresh.asked == []
    assert [one.state for one in build(place, fresh, ITEMS[2:])] == ["there"]
    assert sorted(json.loads(place.read(INDEX) or b"")["files"]) == sorted(BODIES)


def test_a_failure_does_not_keep_the_others_away(place: Destination, source: Source) -> None:
    """What cannot be had is told, and the next run goes on there."""
    source.gone = {THEANO}
    outcomes = build(place, source)
    assert [one.state for one in outcomes] == ["failed", "added", "added"]
    assert outcomes[0].problem == f"{THEANO}: 404 Not Found"
    source.gone = set()
    assert [one.state for one in build(place, source)] == ["added", "there", "there"]


def test_a_file_that_an_interrupted_run_left_is_used(place: Destination, source: Source) -> None:
    """It has its name, so it is whole; only the index did not know it yet."""
    build(place, source)
    place.write(INDEX, b'{"format": 1, "files": {}}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(place), "put", lambda *_: pytest.fail("was copied again"))
        assert [one.state for one in build(place, source)] == ["added", "added", "added"]


def test_a_file_that_was_cut_short_is_brought_again(place: Destination, source: Source) -> None:
    """Whatever the index says of it."""
    build(place, source, ITEMS[:1])
    path = f"files/{sha256(BODY)}.h5"
    place.write(path, BODY[:-1])
    assert [one.state for one in build(place, source, ITEMS[:1])] == ["added"]
    assert place.read(path) == BODY


@pytest.mark.parametrize("damaged", range(len(ITEMS)))
def test_a_damaged_file_is_mended(place: Destination, source: Source, damaged: int) -> None:
    """By the next run, which says so, though the size is right; the one after that has nothing to do."""
    build(place, source)
    body = list(BODIES.values())[damaged]
    path = json.loads(place.read(INDEX) or b"")["files"][ITEMS[damaged].key]["path"]
    place.write(path, b"?" * len(body))
    outcomes = build(place, source)
    assert [one.state for one in outcomes] == [
        "added" if number == damaged else "there" for number in range(len(ITEMS))
    ]
    assert outcomes[damaged].notes[0] == (
        f"{place.name(path)}: is damaged: its sha256 is {sha256(b'?' * len(body))}; it was brought again"
    )
    assert place.read(path) == body
    assert [one.problem for one in check(place)] == [None] * len(ITEMS)
    assert [one.state for one in build(place, source)] == ["there"] * len(ITEMS)


def test_a_file_that_an_interrupted_run_left_damaged_is_not_used(place: Destination, source: Source) -> None:
    """Nothing says that it was right, but its name and its size."""
    build(place, source, ITEMS[:1])
    place.write(INDEX, b'{"format": 1, "files": {}}')
    place.write(f"files/{sha256(BODY)}.h5", OTHER)
    assert [one.state for one in build(place, source, ITEMS[:1])] == ["added"]
    assert place.read(f"files/{sha256(BODY)}.h5") == BODY


def test_an_object_is_fetched_to_be_hashed_only_if_it_may_have_changed(
    bucket: str, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror of gigabytes that is brought up to date each night costs no traffic; `--check` fetches all."""
    place, fetched, whole = Bucket(bucket), [], Bucket.sha256
    build(place, source)

    def counted(self: Bucket, name: str, advance: Callable[[int], None]) -> str:
        fetched.append(name)
        return whole(self, name, advance)

    monkeypatch.setattr(Bucket, "sha256", counted)
    assert [one.state for one in build(place, source)] == ["there"] * 3
    assert fetched == []
    place.write(CHECKED, b"nobody's notes")
    assert [one.state for one in build(place, source)] == ["there"] * 3
    assert len(fetched) == 3
    assert [one.state for one in build(place, source)] == ["there"] * 3
    assert len(fetched) == 3
    assert [one.state for one in check(place)] == ["right"] * 3
    assert len(fetched) == 6


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    """Its path is the one that the URL spells."""
    folder = tmp_path / "a mirror"
    assert destination(folder.as_uri()).name("index.json") == str(folder / "index.json")


def test_every_file_is_hashed_again(place: Destination, source: Source) -> None:
    """A check finds what is damaged, cut short or missing, and says where."""
    build(place, source)
    assert {one.key: (one.state, one.problem) for one in check(place)} == dict.fromkeys(
        BODIES, ("right", None)
    )
    index = json.loads(place.read(INDEX) or b"")["files"]
    paths = {key: entry["path"] for key, entry in index.items()}
    place.write(paths[THEANO], OTHER)
    place.write(paths[GOOGLENET], OTHER[:-1])
    index["gone"] = index[THEANO] | {"sha256": "0" * 64, "path": f"files/{'0' * 64}.h5"}
    place.write(INDEX, json.dumps({"format": 1, "files": index}).encode())
    assert {one.key: one.problem for one in check(place)} == {
        THEANO: f"{place.name(paths[THEANO])}: is damaged: its sha256 is {sha256(OTHER)}",
        "class_indexes/imagenet": None,
        GOOGLENET: f"{place.name(paths[GOOGLENET])}: has 14 bytes, the index says 15",
        "gone": f"{place.name('files/' + '0' * 64 + '.h5')}: is missing",
    }


def test_a_place_without_a_mirror_is_no_mirror_that_is_right(place: Destination) -> None:
    """A mistyped folder must not pass its check."""
    with pytest.raises(DownloadError) as caught:
        list(check(place))
    assert str(caught.value) == f"{place.name(INDEX)}: there is no mirror here; `zoo mirror` makes one"


def test_a_mirror_of_another_file_is_replaced(place: Destination, source: Source) -> None:
    """What this cache has seen, and what was published, says which file belongs there."""
    build(place, source, ITEMS[:1])
    accepted = Source(fixed_cache(source.cache.home.parent / "other"))
    keep(accepted.cache, ITEMS[0], OTHER)
    assert [one.state for one in build(place, accepted, ITEMS[:1])] == ["added"]
    assert json.loads(place.read(INDEX) or b"")["files"][THEANO]["sha256"] == sha256(OTHER)
    published = replace(
        ITEMS[0], digests=(Digest(algorithm="sha256", value=sha256(BODY), grade="A", source="the author"),)
    )
    fresh = Source(fixed_cache(source.cache.home.parent / "fresh"))
    (outcome,) = build(place, fresh, [published])
    assert (outcome.state, outcome.notes) == ("added", ())
    assert json.loads(place.read(INDEX) or b"")["files"][THEANO]["sha256"] == sha256(BODY)


def test_a_damaged_file_of_the_cache_is_not_mirrored(place: Destination, source: Source) -> None:
    """It is hashed once more before it leaves."""
    path = keep(source.cache, ITEMS[0], BODY)
    known = path.stat()
    path.write_bytes(OTHER)
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    (outcome,) = build(place, source, ITEMS[:1])
    assert outcome.problem == (
        f"{path}: is damaged: its sha256 is {sha256(OTHER)}, it was {sha256(BODY)}; remove it (zoo cache"
        f" remove {THEANO}) and run the same again"
    )
    assert place.size(f"files/{sha256(BODY)}.h5") is None


ENTRY = {"sha256": "a" * 64, "bytes": 1, "path": f"files/{'a' * 64}.h5"}


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("<html>", "it is not JSON"),
        ("[]", "a list is not a mapping"),
        ({"format": 0, "files": {}}, "format: 0 is not one of 1"),
        ({"format": 1}, "files: is missing"),
        ({"format": 1, "files": {"x": {**ENTRY, "sha256": "A" * 64}}}, "files.x.sha256: "),
        (
            {"format": 1, "files": {"x": {**ENTRY, "path": "../../etc/passwd"}}},
            "files.x.path: '../../etc/passwd'",
        ),
        (
            {"format": 1, "files": {"x": {**ENTRY, "path": f"files/{'b' * 64}.h5"}}},
            "files.x: path and sha256 differ",
        ),
        ({"format": 1, "files": {"x": {**ENTRY, "bytes": -1}}}, "files.x.bytes: -1 is less than 0"),
    ],
)
def test_an_index_is_not_trusted(index: object, reason: str) -> None:
    """Whoever wrote it: anything but the form is refused, paths of its own above all."""
    data = index if isinstance(index, str) else json.dumps(index)
    with pytest.raises(DownloadError) as caught:
        parse_index(data.encode(), "https://mirror.example.org/index.json")
    start = "https://mirror.example.org/index.json: is no index of a mirror: "
    assert str(caught.value).startswith(start + reason)


@pytest.mark.parametrize("item", one_of_each_ending(), ids=lambda item: item.ending)
def test_whatever_the_cache_can_hold_a_mirror_can(item: Item, tmp_path: Path, source: Source) -> None:
    """Files of other software too: the index is understood, and so the mirror goes on being one."""
    place, source.cache = Folder(tmp_path / "mirror"), fixed_cache(tmp_path / "home")
    keep(source.cache, item, BODY)
    assert [one.state for one in build(place, source, [item])] == ["added"]
    held = parse_index(place.read(INDEX) or b"", "it")[item.key]
    assert (held.path, place.read(held.path)) == (f"files/{sha256(BODY)}{item.ending}", BODY)
    assert [one.state for one in build(place, source, [item])] == ["there"]
    assert [one.state for one in check(place)] == ["right"]


def test_what_is_no_index_is_not_overwritten(place: Destination, source: Source) -> None:
    """Somebody else's index.json stays as it is."""
    place.write(INDEX, b"mine")
    with pytest.raises(DownloadError, match="is no index of a mirror: it is not JSON"):
        build(place, source)
    assert place.read(INDEX) == b"mine"


def test_a_full_disk_leaves_no_half_file(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing under a final name, nothing temporary, and one clear line."""
    folder = tmp_path / "mirror"

    sync = os.fsync

    def full(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(28, "No space left on device")
        sync(descriptor)

    keep(source.cache, ITEMS[0], BODY)
    monkeypatch.setattr("zoo.storage.disk.os.fsync", full)
    (outcome,) = build(Folder(folder), source, ITEMS[:1])
    assert outcome.problem == (
        f"{folder}: cannot be written: No space left on device; see that the mirror's folder can be written,"
        " and run the same again"
    ).replace(f"{folder}:", f"{folder / 'files' / (sha256(BODY) + '.h5')}:")
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_an_upload_that_fell_short_is_noticed(
    bucket: str, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size is asked for after sending."""
    monkeypatch.setattr(Bucket, "size", lambda self, name: None)
    (outcome,) = build(destination(bucket), source, ITEMS[:1])
    assert outcome.problem == (
        f"{bucket}/files/{sha256(BODY)}.h5: has None bytes after 15 were sent; run the same again"
    )


def test_a_bucket_that_is_not_there_is_one_clear_line(bucket: str, source: Source) -> None:
    """What the storage says, with the address."""
    (outcome,) = build(destination("s3://nowhere/x"), source, ITEMS[:1])
    assert outcome.problem is not None
    assert outcome.problem.startswith("s3://nowhere/x/files/")
    assert outcome.problem.endswith(": the bucket refuses: The specified bucket does not exist")


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Let s3fs ask the environment anew, and those that come next too."""
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_storage_that_does_not_answer_is_one_clear_line(
    bucket: str, forgotten: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The libraries behind fsspec have errors of their own; they are told like the others."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        with pytest.raises(CacheError) as caught:
            list(check(destination("s3://nowhere/x")))
    assert str(caught.value).startswith("s3://nowhere/x/index.json: the bucket refuses: Could not connect to")


@pytest.mark.parametrize("place", ["ftpx://host/x", "gs://bucket/x"])
def test_a_place_that_nothing_can_reach_is_wrong_usage(place: str) -> None:
    """An unknown scheme, or one whose library is not there."""
    with pytest.raises(ArgumentError) as caught:
        destination(place)
    assert str(caught.value).startswith(f"{place}: cannot be reached: ")
    advice = (
        "pip install 'fsspec>=2024.6' 's3fs>=2024.6' brings s3:// and https://, and pip install gcsfs gs://"
    )
    assert str(caught.value).endswith(f"; {advice}")


def test_progress_is_told_of_every_byte(place: Destination, source: Source) -> None:
    """Copying and hashing are steps."""
    steps: list[tuple[int | None, str]] = []
    counted: list[int] = []

    class Recorder:
        """Keeps what it is told."""

        def start(self, total: int | None, what: str) -> None:
            steps.append((total, what))

        def advance(self, count: int) -> None:
            counted.append(count)

        def done(self) -> None:
            steps.append((None, "done"))

    list(mirror(place, ITEMS[:1], source, source.cache, Recorder()))
    list(check(place, Recorder()))
    name = f"hashing files/{sha256(BODY)}.h5"
    assert steps == [(15, f"mirroring {THEANO}"), (None, "done"), (15, name), (None, "done")]
    assert sum(counted) == 30

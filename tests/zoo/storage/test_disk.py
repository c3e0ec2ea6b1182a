"""`zoo.storage.disk`: small files that nobody sees half of, with hard links and without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.errors import CacheError
from zoo.storage import disk


@pytest.fixture(params=["links", "no links"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a path in a folder that is not there yet, on both kinds of file system."""

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    if request.param == "no links":
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    return tmp_path / "a" / "b" / "file"


def test_the_first_file_stays(path: Path) -> None:
    """Whoever comes second is told, and leaves nothing."""
    assert disk.create(path, b"first") is True
    assert disk.create(path, b"second") is False
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_replaced_file_is_the_new_one(path: Path) -> None:
    """With nothing beside it."""
    disk.replace(path, b"first")
    disk.replace(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("other", [None, ".file.new"])
def test_what_breaks_off_leaves_the_old_file_alone(path: Path, other: str | None) -> None:
    """Whatever is raised, and under whichever name was written."""
    disk.replace(path, b"first")
    with pytest.raises(KeyboardInterrupt), disk.replacing(path, other and path.with_name(other)) as temporary:
        assert temporary.parent == path.parent
        assert other in (None, temporary.name)
        temporary.write_bytes(b"sec")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_file_is_synced_before_it_is_renamed_and_its_folder_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could leave the name without the content, or nothing at all."""
    path.parent.mkdir(parents=True)
    steps: list[tuple[str, str]] = []
    rename = Path.replace
    monkeypatch.setattr(disk, "sync_file", lambda which: steps.append(("file", which.name)))
    monkeypatch.setattr(disk, "sync_folder", lambda which: steps.append(("folder", which.name)))
    monkeypatch.setattr(
        Path, "replace", lambda self, target: [steps.append(("rename", target.name)), rename(self, target)][1]
    )
    with disk.replacing(path, path.with_name("new")) as temporary:
        temporary.write_bytes(b"whole")
        assert steps == []
    assert steps == [("file", "new"), ("rename", "file"), ("folder", "b")]
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize("filename", [None, "other"])
def test_what_could_not_be_written_is_named(path: Path, filename: str | None) -> None:
    """A disk that is full tells no name; what tells one keeps it."""
    with pytest.raises(OSError, match="No space") as caught, disk.replacing(path):
        raise OSError(28, "No space left on device", filename)
    assert caught.value.filename == (filename or str(path))


def test_a_copy_is_told_piece_by_piece(tmp_path: Path) -> None:
    """All bytes, in order; over a file that is there nothing is copied."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 5000)
    told: list[bytes] = []
    disk.copy(source, target, told.append)
    assert target.read_bytes() == b"".join(told) == source.read_bytes()
    assert len(told) > 1
    with pytest.raises(FileExistsError):
        disk.copy(source, target, told.append)


def test_another_error_than_a_missing_feature_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is no reason to try a rename."""

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "hardlink_to", full)
    with pytest.raises(OSError, match="No space left on device"):
        disk.create(tmp_path / "file", b"first")
    assert list(tmp_path.iterdir()) == []


def test_new_folders_are_synced_from_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder that gets a new name in it, and no other."""
    synced: list[Path] = []
    monkeypatch.setattr(disk, "sync_folder", synced.append)
    disk.make_folder(tmp_path / "a" / "b")
    disk.make_folder(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]


@pytest.mark.parametrize(
    ("manager", "message"),
    [
        (disk.writing, "x: cannot be written: Is a directory; ZOO_HOME names the folder to use"),
        (disk.reading, "x: cannot be read: Is a directory"),
    ],
)
def test_what_the_system_says_is_one_line(manager: object, message: str) -> None:
    """With the path and what to do."""
    assert callable(manager)
    with pytest.raises(CacheError) as caught, manager(Path("x")):
        os.open("/", os.O_WRONLY)
    assert str(caught.value) == message

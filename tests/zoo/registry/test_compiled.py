"""Compiled copies of large registry files: never wrong, whatever became of them; entries read one by one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import Command
from zoo.errors import RegistryError
from zoo.registry import compiled, find_registry, get_registry, load_registry, look_up, places, reading
from zoo.registry import files as registry
from zoo.registry.places import Layer


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read every file anew, and keep copies of small ones too."""
    monkeypatch.setattr(compiled, "WORTH_BYTES", 0)
    forget()


def forget() -> None:
    """Forget what this process has read."""
    registry._load_once.cache_clear()
    reading.read_once.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where compiled copies lie."""
    return tmp_path / "zoo-home" / places.FOLDER


def copy_in(folder: Path) -> Path:
    """Return the one compiled copy."""
    (path,) = folder.iterdir()
    return path


def test_a_compiled_copy_says_what_the_file_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No YAML is read where there is one."""
    truth = load_registry(())
    assert get_registry() == truth
    assert copy_in(folder).name.startswith(compiled.digest_of(find_registry().read_bytes()))
    forget()
    monkeypatch.setattr("zoo.registry.strict_yaml.parse_yaml", None)
    assert get_registry() == truth
    assert look_up("vgg16-th-gist") == truth.files["vgg16-th-gist"][1]


@pytest.mark.parametrize("step", [0, 1, 30, 300, 2000, 20_000])
@pytest.mark.parametrize("damage", ["a byte", "the rest"])
def test_a_damaged_copy_is_never_believed(folder: Path, step: int, damage: str) -> None:
    """Wherever it is damaged: the file is read again, and the copy is written anew."""
    get_registry()
    path = copy_in(folder)
    whole = path.read_bytes()
    changed = bytes([whole[step] ^ 1]) if damage == "a byte" else b""
    path.write_bytes(whole[:step] + changed + (whole[step + 1 :] if changed else b""))
    forget()
    assert get_registry() == load_registry(())
    assert path.read_bytes() == whole


def test_a_copy_that_goes_while_it_is_used(folder: Path) -> None:
    """What it has not told yet is read from the file."""
    get_registry()
    forget()
    found = get_registry()
    copy_in(folder).unlink()
    assert found == load_registry(())


def test_a_copy_that_goes_when_the_file_has_changed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a file says in one state is never mixed with what it says in another."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("architectures: {vgg16: {title: One}, vgg19: {title: One}}")
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    get_registry()
    forget()
    found = get_registry()
    assert found.architectures["vgg16"].title == "One"
    overlay.write_text("architectures: {vgg16: {title: Two}, vgg19: {title: Two}}")
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(RegistryError) as caught:
        found.architectures["vgg19"]
    assert str(caught.value) == f"{overlay}: was changed while it was in use; run this again"
    assert get_registry().architectures["vgg19"].title == "Two"


def test_a_changed_file_has_another_copy(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the file as it was is not looked at, though size and time of the file are the same."""
    overlay = tmp_path / "mine.yaml"
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    for title in ("One", "Two"):
        overlay.write_text(f"architectures: {{vgg16: {{title: {title}}}}}")
        os.utime(overlay, ns=(5, 5))
        forget()
        assert get_registry().architectures["vgg16"].title == title
    assert len(list(folder.iterdir())) == 3


def test_old_copies_go_and_what_is_not_ours_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are kept; of what was never finished what is older than a day goes."""
    monkeypatch.setattr(compiled, "KEPT", 2)
    folder.mkdir(parents=True)
    names = [f"{digit * 40}-0.1.index" for digit in "abc"]
    unfinished = [f".{'d' * 40}-0.1.index-{digit * 16}.part" for digit in "ef"]
    for age, name in enumerate([*names, *unfinished, "notes.txt"]):
        (folder / name).touch()
        os.utime(folder / name, (age, age))
    os.utime(folder / unfinished[1])
    get_registry()
    left = {path.name for path in folder.iterdir()}
    assert left - {"notes.txt", unfinished[1], names[2]} == {
        f"{compiled.digest_of(find_registry().read_bytes())}-{compiled.VERSION}.index"
    }
    assert len(left) == 4


def test_where_nothing_can_be_written_the_file_is_read(tmp_path: Path) -> None:
    """A file stands in the place of the cache."""
    (tmp_path / "zoo-home").touch()
    assert get_registry() == load_registry(())


def test_a_small_file_needs_no_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as quickly."""
    monkeypatch.setattr(compiled, "WORTH_BYTES", 1 << 30)
    get_registry()
    assert not folder.exists()


BROKEN = """architectures:
  vgg19:
    classes: many
  mine: 5
  resnet50:
    weights:
    - {id: vgg16-th-gist}
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an overlay with mistakes in three networks."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(BROKEN)
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    return overlay


def test_a_mistake_in_one_network_stops_no_other(zoo: Command, broken: Path) -> None:
    """Whoever asks for that one, or for all, is told; what is compiled is told in the same line."""
    reason = f"zoo: {broken}:3: architectures.vgg19.classes: 'many' is not an integer\n"
    for _ in range(2):
        assert zoo("show", "vgg16")[0] == 0
        assert zoo("show", "vgg16-th-gist")[0] == 0
        assert zoo("show", "vgg19") == (1, "", reason)
        assert zoo("list") == (1, "", reason)
        assert zoo("show", "mine") == (1, "", f"zoo: {broken}:4: architectures.mine: 5 is not a mapping\n")
        forget()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("schema: 0", "1: schema: 0 is not one of 1"),
        ("# mine\nnetworks: {}", "2: networks: is not a known key"),
        ("architectures: [vgg16]", "1: architectures: a list is not a mapping"),
        ("preprocessing:\n", "1: preprocessing: null is not a mapping"),
    ],
)
def test_a_mistake_at_the_top_stops_all(
    text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the file is about is not known."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(text)
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    with pytest.raises(RegistryError) as caught:
        get_registry()
    assert str(caught.value) == f"{overlay}:{reason}"


def test_looking_up_what_is_compiled_imports_no_yaml(tmp_path: Path) -> None:
    """And not what would take as long as all the rest."""
    code = (
        "import sys; from zoo.registry import compiled, architecture; compiled.WORTH_BYTES = 0;"
        "architecture('vgg16'); print(*sys.modules)"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"yaml", "hashlib", "sqlite3", "importlib.metadata"}.isdisjoint(done.stdout.split())


def test_a_layer_is_read_with_what_messages_call_it(tmp_path: Path) -> None:
    """One of a newer form is refused before anything in it is looked at."""
    path = tmp_path / "x.yaml"
    path.write_text("schema: 2\n")
    with pytest.raises(RegistryError, match=r"^it: "):
        reading.read_layer(Layer(path=path, origin="own", label="it"))


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 25])
def test_a_file_has_the_digest_of_its_content(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small and large, whose halves are digested side by side; another content has another."""
    monkeypatch.setattr(compiled, "_LARGE", 10)
    monkeypatch.setattr(compiled, "_PIECE", 4)
    path, content = tmp_path / "registry.yaml", bytes(range(size))
    path.write_bytes(content)
    digest = compiled.digest_of(content)
    assert len(digest) == 40
    assert compiled.digest_of_file(path) == digest
    others = {compiled.digest_of(content[:at] + b"x" + content[at + 1 :]) for at in range(size)}
    assert len({digest, *others}) == size + 1


@pytest.mark.parametrize("large", [0, 10])
def test_a_file_that_is_not_there_has_none(
    large: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one that is too large for a registry, or of which one half cannot be read."""
    monkeypatch.setattr(compiled, "_LARGE", large)
    assert compiled.digest_of_file(tmp_path / "gone.yaml") is None
    path = tmp_path / "registry.yaml"
    path.write_bytes(bytes(20))
    monkeypatch.setattr(compiled, "MOST_BYTES", 19)
    assert compiled.digest_of_file(path) is None

    def fail(path: Path, start: int, end: int) -> bytes:
        raise OSError

    monkeypatch.setattr(compiled, "MOST_BYTES", 100)
    monkeypatch.setattr(compiled, "_digest_of_part", fail)
    assert compiled.digest_of_file(path) is None

"""Registries that cannot be used: each is one line with exit code 1, and nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import Command

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]\n"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)

BAD: dict[str, tuple[str, str]] = {
    "a family that is not in the package": (
        "architectures:\n  vgg16:\n    family: alexnet\n",
        "3: architectures.vgg16.family: 'alexnet' is not one of vgg, ",
    ),
    "a head that does not fit the structure": (
        "architectures:\n  vgg16:\n    graphs:\n      published:\n"
        "        heads: [{name: x, layer: dense_2}]\n",
        "5: architectures.vgg16.graphs.published.heads[0].layer: 'dense_2' has 4,096 outputs, but the"
        " architecture has 1,000 classes\n",
    ),
    "an address without https": (
        "architectures:\n  vgg16:\n    weights:\n      vgg16-th-gist:\n        urls: [http://example.org/x]\n",
        "5: architectures.vgg16.weights.vgg16-th-gist.urls[0]: 'http://example.org/x' must be an https:// ",
    ),
    "an id that exists": (
        "architectures:\n  vgg19:\n    weights:\n      mine: {id: vgg16-th-gist}\n",
        "4: architectures.vgg19.weights.mine.id: 'vgg16-th-gist' is not 'mine', under which it stands\n",
    ),
    "nested aliases": (BOMB, "5: e[7]: the file's aliases repeat more than 100,000 values; write them out\n"),
    "100 MB": ("#" * 100_000_000, " has 100,000,000 bytes; a registry of more than 67,108,864 is not read\n"),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("command", [("list",), ("list", "--json"), ("show", "vgg19")], ids=" ".join)
def test_a_bad_registry_is_one_line(
    what: str, command: tuple[str, ...], zoo: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list fails; what shows another network may go on, and says nothing then."""
    text, reason = BAD[what]
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(text)
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    code, out, err = zoo(*command)
    if command[0] == "show" and "vgg16:" in text:
        assert (code, err) == (0, "")
    else:
        assert code == 1
        assert err.startswith(f"zoo: {overlay}:{reason}")
        assert err.count("\n") == 1
        assert ("error" in out) == ("--json" in command)
    assert not (tmp_path / "zoo-home").exists()


@pytest.mark.parametrize("what", BAD)
def test_a_bad_registry_of_ones_own_is_one_line(what: str, zoo: Command, tmp_path: Path) -> None:
    """It is read always, so it is what people break; it stays as it was, and nothing lies beside it."""
    text, reason = BAD[what]
    own = tmp_path / "zoo-home" / "registry.yaml"
    own.parent.mkdir()
    own.write_text(text)
    for command, lines in ((("list",), 1), (("registry", "check"), 2)):
        code, out, err = zoo(*command)
        assert (code, out, err.count("\n")) == (1, "", lines), command
        assert err.startswith(f"zoo: {own}:{reason}"), command
    assert own.read_text() == text
    assert [path.name for path in own.parent.iterdir()] == ["registry.yaml"]


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("named", [True, False], ids=["a file", "all that is read"])
def test_a_check_tells_of_a_bad_registry(
    what: str, named: bool, zoo: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same line, as one mistake; ``--json`` has it too."""
    text, reason = BAD[what]
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(text)
    if not named:
        monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    command = ("registry", "check", *([str(overlay)] if named else []))
    code, out, err = zoo(*command)
    line, count = err.splitlines()
    assert (code, out, count) == (1, "", "zoo: 1 mistake")
    assert f"{line}\n".startswith(f"zoo: {overlay}:{reason}")
    code, out, _ = zoo(*command, "--json")
    assert (code, json.loads(out)["mistakes"]) == (1, [line.removeprefix("zoo: ")])
    assert not (tmp_path / "zoo-home").exists()

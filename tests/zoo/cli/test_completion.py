"""What fits a line that is being typed, and bash that asks for it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import Command
from zoo.cli import HIDDEN
from zoo.cli.candidates import KINDS, candidates, kind_of
from zoo.cli.completion import script_of
from zoo.cli.parser import build_parser
from zoo.registry import list_models

SHELLS = ("bash", "zsh", "fish")


def fitting(line: str) -> list[str]:
    """Return what the last word of a line may become; a blank at its end begins a new one."""
    return [word for word, _ in candidates([*shlex.split(line), *([""] if line.endswith(" ") else [])])[0]]


COMMANDS = next(one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("fe", ["fetch", "features"]),
        ("-q --json fe", ["fetch", "features"]),
        ("--ver", ["--verbose", "--version"]),
        ("nonsense ", []),
        ("cache ver", ["verify"]),
        ("cache -q ver", ["verify"]),
        ("cache remove vgg16-tf-top", ["vgg16-tf-top-v0.1"]),
        ("fetch densenet161", ["densenet161", "densenet161-th-flyyufelix"]),
        ("fetch resnet50 vgg1", ["vgg16", "vgg19"]),
        ("finetune vgg1", ["vgg16", "vgg19"]),
        ("show class_ind", ["class_indexes/imagenet"]),
        ("fetch resnet50 --weights ", ["imagenet", "imagenet-0.1"]),
        (
            "fetch --weights imagenet-2",
            ["imagenet-2017", "imagenet-2017-pytorch", "imagenet-2.1", "imagenet-2.1-pytorch"],
        ),
        ("fetch resnet50 --weights=imagenet-", ["--weights=imagenet-0.1"]),
        ("fetch --backend ", ["th", "tf"]),
        ("fetch --back", ["--backend"]),
        ("fetch --backend=t", ["--backend=th", "--backend=tf"]),
        ("fetch --no-top --a --no-", ["--no-origin"]),
        ("fetch --jobs ", []),
        ("fetch -- --no-", []),
        ("fetch -- vgg1", ["vgg16", "vgg19"]),
        ("show vgg16 ", []),
        ("registry ad", ["add"]),
        ("registry check vgg1", ["vgg16", "vgg19"]),
        ("list --family DENSE", []),
        ("list --family dense", ["densenet"]),
        ("list --layout ", ["th", "tf"]),
        ("list --columns name,top", ["name,top1", "name,top5"]),
        ("list --sort name,-par", ["name,-params"]),
        ("list --sort -par", ["-params"]),
        ("completion ", [*SHELLS]),
        ("predict --preprocessing caffe_", ["caffe_x0.017"]),
        ("convert --to saf", ["safetensors"]),
    ],
)  # fmt: skip
def test_what_fits(line: str, found: list[str]) -> None:
    """Commands, options, choices, names, ids and weights sets, wherever they may stand."""
    got = fitting(line)
    assert got[: len(found)] == found
    assert bool(got) == bool(found)


def test_all_commands_and_networks_fit_nothing() -> None:
    """In their orders; ids come once something is typed, as there are many."""
    assert [one for one in fitting(" ") if not one.startswith("-")] == list(COMMANDS.choices)
    assert fitting("show ") == list_models()
    assert candidates(["show", ""])[0][0] == ("vgg16", "VGG-16")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["fetch", "resnet50", "--weights", "=", "imagenet-"], ["imagenet-0.1"]),
        (["fetch", "--backend", "="], ["th", "tf"]),
        (["fetch", "--backend", "=", "th", "googlenet-th-"], ["googlenet-th-author-git"]),
        (["mirror", "s3", ":", "//bucket", "vgg1"], ["vgg16", "vgg19"]),
        (["fetch", '"vgg16-tf-top'], ["vgg16-tf-top-v0.1"]),
    ],
)
def test_words_as_bash_takes_them_apart(words: list[str], found: list[str]) -> None:
    """Options from their values, and addresses at their colons; a quotation mark is no part of a name."""
    assert [word for word, _ in candidates(words)[0]][: len(found)] == found


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("fetch --from ", True),
        ("fetch ", False),
        ("inspect ", True),
        ("registry check ", True),
        ("convert ", True),
        ("convert old.h5 ", True),
        ("convert --to ", False),
        ("predict vgg16 ", True),
        ("predict --weights ", True),
        ("finetune --out ", True),
        ("fetch --jobs ", False),
        ("mirror ", True),
        ("", False),
    ],
)
def test_where_paths_fit(line: str, files: bool) -> None:
    """The shell completes them itself."""
    assert candidates([*line.split(), ""])[1] is files


def leaves(parser: argparse.ArgumentParser):
    """Yield every argument of every command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from leaves(child)
        elif action.nargs != 0 and action.choices is None:
            yield action


def test_of_every_argument_it_is_known_what_it_is() -> None:
    """A new one is put into the table under how its value is called; none stays there that is gone."""
    actions = list(leaves(build_parser()))
    known = {str(action.metavar) for action in actions}
    assert known - set(KINDS) == set()
    options = {name for action in actions for name in action.option_strings}
    assert set(KINDS) - known - options == set()
    assert [kind_of(action) for action in actions if kind_of(action) not in KINDS.values()] == []


def test_the_hidden_command_prints_a_line_for_each(zoo: Command) -> None:
    """First whether paths fit, then what fits with what it is."""
    assert zoo(HIDDEN, "predict", "vgg1") == (0, "files\nvgg16\tVGG-16\nvgg19\tVGG-19\n", "")
    assert zoo(HIDDEN, "show", "vgg16", "") == (0, "words\n", "")


def test_what_goes_wrong_is_told_to_nobody(
    zoo: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that cannot be read is no reason to write into the line that somebody types."""
    monkeypatch.setenv("ZOO_REGISTRY", str(tmp_path / "missing.yaml"))
    assert zoo(HIDDEN, "show", "vgg1") == (1, "", "")
    assert zoo(HIDDEN, "fetc") == (
        0,
        "words\nfetch\tbring verified weights files and print their paths\n",
        "",
    )


def test_completing_imports_no_more_than_a_list_does() -> None:
    """Neither a framework nor arrays, neither rich nor the cache."""
    code = f"import sys; from zoo.cli import main; main(['{HIDDEN}', 'fetch', 'vgg1']); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"keras", "tensorflow", "numpy", "h5py", "requests", "rich", "zoo.storage.cache"}
    assert heavy.isdisjoint(printed.stdout.split())
    assert "vgg16\tVGG-16\n" in printed.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_printed(zoo: Command, shell: str) -> None:
    """As text, or within JSON."""
    assert zoo("completion", shell) == (0, script_of(shell), "")
    told = json.loads(zoo("completion", shell, "--json")[1])
    assert told == {"shell": shell, "script": script_of(shell)}
    assert HIDDEN in script_of(shell)


BASH = """
zoo() { "$PYTHON" -m zoo "$@"; }
source /dev/stdin <<< "$SCRIPT"
complete -p zoo
ask() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _zoo zoo "${!#}" "${@:$#-1:1}"
    printf '%s|' "${COMPREPLY[@]}"
    echo
}
ask zoo fetc
ask zoo fetch densenet161
ask zoo fetch resnet50 --weights = imagenet-
ask zoo predict vgg1
ask zoo inspect two
ask zoo show vgg16 ''
"""


def test_bash_completes(tmp_path: Path) -> None:
    """Names, values, and beside them files, blanks and all."""
    for name in ("vgg1 mine.h5", "two words.h5"):
        (tmp_path / name).touch()
    run = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", BASH],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable, "SCRIPT": script_of("bash"), "ZOO_HOME": str(tmp_path)},
    )
    assert run.stderr.replace("bash: line 1: ", "") == ""
    assert run.stdout.splitlines() == [
        "complete -o bashdefault -o default -F _zoo zoo",
        "fetch|",
        "densenet161|densenet161-th-flyyufelix|densenet161-tf-flyyufelix|densenet161-caffe|"
        "densenet161-torchvision|densenet161-timm|",
        "imagenet-0.1|imagenet-caffe|",
        "vgg1 mine.h5|vgg16|vgg19|",
        "two words.h5|",
        "|",
    ]

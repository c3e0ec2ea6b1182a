"""What ``--cluster`` asks for, and where it makes no sense."""

from __future__ import annotations

import pytest

from tests.support.weight_files import keras1, write_named
from zoo.cli import main

ENGINES = "must be local:N, dask://HOST:PORT or tls://HOST:PORT"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Work in a folder that holds one with a weights file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").mkdir()
    write_named(tmp_path / "old" / "a.h5", keras1(conv=(6, 3, 3, 5)))
    return tmp_path


def test_processes_of_this_machine_convert_a_folder(tree, capsys):
    """As with ``--jobs``, to the byte."""
    for how, new in ((["--jobs", "1"], "one"), (["--cluster", "local:2"], "other")):
        assert main(["convert", "--th-to-tf", "old", new, *how]) == 0
        assert capsys.readouterr().out == "1 converted, 0 done before, 0 skipped, 0 failed\n"
    assert (tree / "one" / "a.h5").read_bytes() == (tree / "other" / "a.h5").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", "--th-to-tf", "old", "new", "--cluster", "ssh://x"], f"cluster 'ssh://x': {ENGINES}"),
        (
            ["upgrade", "old", "new", "--cluster", "local:0"],
            "cluster 'local:0': must be local:N with N processes, 1 or more",
        ),
        (
            ["convert", "--th-to-tf", "old", "new", "--cluster", "local:2", "--jobs", "2"],
            "--jobs and --cluster both say how files are shared out: leave one out",
        ),
        (["upgrade", "old/a.h5", "--cluster", "local:2"], "--cluster is for folders, and old/a.h5 is none"),
        (
            ["features", "vgg16", "old", "--out", "new/", "--devices", "2"],
            "--devices is for one file; a folder is written by --cluster, one thread a worker",
        ),
        (["features", "vgg16", "old", "--out", "new", "--cluster", "x:1"], f"cluster 'x:1': {ENGINES}"),
        (["features", "vgg16", "lost", "--out", "new/"], "{here}/lost: there is no such folder or file"),
        (
            ["features", "vgg16", "old", "--out", "old/"],
            "old: holds 'a.h5', which is no file of features; name a folder of their own",
        ),
    ],
)
def test_what_makes_no_sense_is_said(arguments, message, tree, capsys):
    """In one line, before anything is written."""
    is_usage = "--" in message or "must be" in message
    assert main(arguments) == (2 if is_usage else 1)
    assert capsys.readouterr().err == f"zoo: {message.format(here=tree)}\n"
    assert [path.name for path in tree.iterdir()] == ["old"]

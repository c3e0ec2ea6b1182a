"""The commands of the README and of docs/, run as they stand; what they print is compared with the pages.

These tests write 830 MB of practice files and train, so they are run by `make test-pages`, not with the
others. Nothing leaves this machine: ``LEFT_OUT`` says which commands are not run, and why.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import DIALECTS, ROOT
from tests.support.weight_files import counted, write_named
from tests.test_readme import PAGES, per_page
from zoo import practice
from zoo.practice.files import write_published
from zoo.practice.stand_in import stand_in

NETWORKS = ["densenet161", "googlenet", "resnet50", "vgg16"]
"""Those that commands of the pages fetch."""

LEFT_OUT = {
    "--all": "all networks are 2.2 GB",
    "s3://": "a bucket is on another machine",
    "SHA256": "stands for a digest",
    "mirror": "asks for all networks",
    "--tf-keras": "tf-keras is in an environment of its own, and real files lie in other repositories",
}
"""What a command that cannot be run here has in it, and why it cannot."""

SHOWN_TO_FAIL = ("zoo registry check my.yaml",)
"""Commands that end with 1 on a page, which shows what they say."""

HOME = "/home/me/practice/home"
"""What the pages call the cache."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A command of a page, and the lines that the page shows below it."""

    command: str
    printed: list[str]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the commands of a page in their order."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    code = re.findall(r"(?:^ {4}.*\n(?:\n(?= {4}))?)+", text, re.MULTILINE)
    for command, printed in re.findall(
        r"^ {4}\$ (.*)\n((?: {4}(?!\$ ).*\n)*)", "\n".join(code), re.MULTILINE
    ):
        yield Block(command=command, printed=[line[4:] for line in printed.splitlines()])


def why_not(command: str) -> str | None:
    """Return why a command cannot be run here, or ``None`` if it can."""
    return next((reason for part, reason in LEFT_OUT.items() if part in command.split("zoo ", 1)[-1]), None)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with all files that the pages speak of, and the practice zoo's registry, served."""
    folder = tmp_path_factory.mktemp("world")
    practice.build(folder / "published", NETWORKS)
    _write_weights(folder)
    _write_registry(folder)
    _write_photos(folder)
    with practice.serve(folder / "published") as zoo:
        (folder / "registry").write_text(str(zoo.registry), "utf-8")
        yield folder
    shutil.rmtree(folder)


def _write_weights(folder: Path) -> None:
    import keras

    write_published("resnet50", folder / "resnet50_th.h5", "th")
    write_published("googlenet", folder / "my_weights.h5", "th")
    samples = DIALECTS / "keras122_theano_th"
    shutil.copy(samples / "lstm_consume_cpu.weights.h5", folder / "lstm.h5")
    shutil.copy(samples / "bn_mode0_axis1.weights.h5", folder / "old.h5")
    (folder / "weights").mkdir()
    shutil.copy(samples / "lstm_consume_cpu.weights.h5", folder / "weights" / "a.h5")
    write_named(
        folder / "net.h5",
        {
            "up1": {"up1_W": counted(3, 4, 3, 3), "up1_b": counted(4)},
            "body": {"dense_1_W": counted(4, 5), "dense_1_b": counted(5)},
        },
    )
    layers = [
        keras.layers.Conv2D(4, 3, name="conv2d"),
        keras.layers.Flatten(),
        keras.layers.Dense(2, name="dense"),
    ]
    keras.Sequential([keras.Input((8, 8, 3)), *layers]).save_weights(folder / "new.weights.h5")


def _write_registry(folder: Path) -> None:
    (folder / "drivers.txt").write_text("".join(f"driver {index}\n" for index in range(1000)), "utf-8")
    (folder / "my.yaml").write_text("schema: 1\narchitectures:\n  vgg16:\n    classes: 999\n", "utf-8")


def _write_photos(folder: Path) -> None:
    written = stand_in(folder / "digits", {"cats": 0, "dogs": 1}, count=120)
    shutil.copytree(written.photos, folder / "photos")
    for name in ("cat.jpg", "picture.jpg"):
        shutil.copy(sorted(folder.glob("photos/cats/*"))[0], folder / name)


@pytest.mark.parametrize("page", [page for page in PAGES if list(blocks(page))], ids=per_page)
def test_what_a_page_prints_is_what_is_printed(page: Path, world: Path, tmp_path: Path) -> None:
    """In the order of the page, from an empty cache; decimals may differ from one processor to another."""
    for path in world.iterdir():
        if path.name != "published":
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, tmp_path / path.name)
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ZOO_HOME": str(home),
        "ZOO_REGISTRY": (world / "registry").read_text("utf-8"),
        "COLUMNS": "200",
    }
    for block in blocks(page):
        if why_not(block.command) is None:
            run = subprocess.run(
                ["bash", "-c", block.command],
                check=False,
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                encoding="utf-8",
            )
            expected = 1 if block.command in SHOWN_TO_FAIL else 0
            assert run.returncode == expected, f"{block.command}\n{run.stdout}{run.stderr}"
            notes = [line for line in run.stderr.splitlines() if line.startswith("zoo: ")]
            said = [line.replace(str(home), HOME) for line in (*notes, *run.stdout.splitlines())]
            assert _masked(said)[len(said) - len(block.printed) :] == _masked(block.printed), block.command


def _masked(lines: list[str]) -> list[str]:
    """Return lines without decimals and bars, and without what only fills a table's columns."""
    return [re.sub(r" *\d+\.\d+|[█-▏]+", "#", line).rstrip() for line in lines if line.strip()]

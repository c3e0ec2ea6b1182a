"""The plug-in of ``examples/plugin_package``, installed as users install it and used in fresh processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.plugins import EXAMPLE

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder into which the package was installed, from a copy of its source."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    alone = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *alone, "--target", str(folder / "site"), str(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture
def run(site: Path, tmp_path: Path) -> Run:
    """Return what runs Python in a process that has the package installed."""
    environment = {name: value for name, value in os.environ.items() if name != "ZOO_PLUGINS"}
    path = os.pathsep.join([str(site), str(ROOT)])

    def in_a_process(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment | {"PYTHONPATH": path} | variables,
            check=False,
            capture_output=True,
            text=True,
        )

    return in_a_process


def test_what_is_installed_has_all_of_it(site: Path) -> None:
    """Data too, under the names that installers give things."""
    (found,) = metadata.distributions(path=[str(site)])
    assert (found.name, found.version) == ("tiny-nets", "0.1.0")
    assert {(one.group.partition(".")[2], one.name, one.value) for one in found.entry_points} == {
        ("registries", "tiny-nets", "tinynets"),
        ("families", "tiny", "tinynets.family:FAMILY"),
    }
    assert {one.name for one in (site / "tinynets" / "structures").iterdir()} == {
        "tinynet8.json",
        "tinynet16.json",
    }


def test_its_networks_are_there_and_it_can_be_left_out(run: Run) -> None:
    """In the list and shown, as any other; with the variable, as if it were not installed."""
    listed = run("-m", "zoo", "list", "--family", "tiny", "--json")
    assert [row["name"] for row in json.loads(listed.stdout)] == ["tinynet8", "tinynet16"], listed.stderr
    shown = run("-m", "zoo", "show", "tinynet8")
    assert (shown.returncode, shown.stdout.splitlines()[0]) == (
        0,
        "network          TinyNet-8 (tinynet8), family tiny",
    )
    without = run("-m", "zoo", "show", "tinynet8", ZOO_PLUGINS="0")
    assert (without.returncode, "no network and no file is called 'tinynet8'" in without.stderr) == (2, True)
    checked = run("-m", "zoo", "registry", "check")
    assert (checked.returncode, "no mistakes in " in checked.stderr) == (0, True), checked.stderr


def test_importing_zoo_imports_nothing_of_it(run: Run) -> None:
    """Nor does a list of all networks."""
    code = "import sys, zoo; zoo.list_models(); print('tinynets' in sys.modules)"
    assert run("-c", code).stdout == "False\n"


USE = """
import os, sys
from pathlib import Path
import h5py, numpy as np
from zoo import practice

work = Path.cwd()
practice.build(work / "published", ["tinynet8"], ("tf",))
with practice.serve(work / "published") as served:
    os.environ |= {"ZOO_REGISTRY": str(served.registry), "ZOO_HOME": str(work / "home"), "ZOO_QUIET": "1"}
    import zoo

    fetched = {backend: zoo.fetch("tinynet8", backend=backend) for backend in ("tf", "th")}
    model = zoo.load("tinynet8")
    mine = zoo.load("tinynet8", num_classes=3, freeze="backbone")
    features = zoo.load("tinynet8", num_classes=0, input_shape=(None, None, 3))
    pictures = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    (first, *_), names = zoo.predict("tinynet8", pictures, top=1), zoo.spec("tinynet8").class_names
    kernel = lambda one: one.get_layer("conv2").kernel.numpy()
    before = kernel(mine).copy()
    mine.fit(zoo.preprocess_input("tinynet8", pictures), np.eye(3)[[0, 1, 2, 0, 1, 2]], verbose=0)
    with h5py.File(fetched["tf"]) as file:
        held = file["conv2/conv2/kernel:0"][()]
    mine.save("mine.keras")

assert (model.output_shape, mine.output_shape) == ((None, 10), (None, 3))
assert features.output_shape == (None, None, None, 32)
assert model.count_params() == 6530
assert zoo.inspect(fetched["th"]).structure == "tinynet8"
assert (kernel(model) == held).all() and (before == held).all() and (kernel(mine) == held).all()
assert first.guesses[0].name in names
"""


def test_it_is_used_like_any_other_network(run: Run, tmp_path: Path) -> None:
    """Fetched from its practice host, converted, loaded with heads, trained, saved, predicted with.

    What was saved opens with Keras alone.
    """
    done = run("-c", USE)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    reopened = "import keras, sys; keras.models.load_model('mine.keras'); print('zoo' in sys.modules)"
    done = run("-c", reopened, PYTHONPATH="")
    assert done.stdout.endswith("False\n"), done.stderr[-2000:]


def test_its_structures_are_what_it_writes(run: Run) -> None:
    """The script in it gives the files that are there."""
    code = (
        "from tinynets.write_structures import HERE, structures\n"
        "for name, text in structures():\n"
        "    assert (HERE / 'structures' / f'{name}.json').read_text('utf-8') == text, name\n"
        "    print(name)\n"
    )
    done = run("-c", code)
    assert done.stdout.split() == ["tinynet8", "tinynet16"], done.stderr[-2000:]

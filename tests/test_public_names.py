"""Every public name says what it is, stands in the documentation, and its examples run."""

from __future__ import annotations

import doctest
import inspect
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import converters
import converters.errors
import zoo
import zoo.errors
import zoo.finetuning
from tests.support.paths import DIALECTS, ROOT
from tests.support.weight_files import counted, write_named

MODULES = (zoo, zoo.finetuning, converters, zoo.errors, converters.errors)
NAMES = [f"{module.__name__}.{name}" for module in MODULES for name in getattr(module, "__all__", ())]
# Neither a function nor a class: what they are stands on the page alone.
VALUES = ("zoo.__version__", "zoo.finetuning.STRATEGIES")
# What an example cannot do here: download, or train for longer than it takes to read it.
WITHOUT_EXAMPLE = (
    "zoo.fetch",
    "zoo.decode_predictions",
    "zoo.feature_maps",
    "zoo.feature_shards",
    "zoo.features",
    "zoo.finetune",
    "zoo.predict",
    "zoo.prove",
    "zoo.finetuning.extract",
    "zoo.finetuning.finetune",
    "zoo.finetuning.freeze_pretrain_finetune",
    "zoo.finetuning.head",
    "zoo.finetuning.last_layers",
    "zoo.finetuning.svm",
    "zoo.finetuning.train_all",
)

PAGE = ROOT / "docs" / "api.md"
_ENTRY = re.compile(r"^\.\. (?:auto)?(?:function|class|exception|data|module):: ([\w.]+)", re.MULTILINE)


def entries() -> list[str]:
    """Return what the page of the Python API describes, by its full name."""
    return _ENTRY.findall(PAGE.read_text("utf-8"))


def value_of(path: str) -> object:
    """Return what a public name names."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@pytest.mark.parametrize("path", [path for path in NAMES if path not in VALUES])
def test_it_has_a_docstring_of_its_own(path: str) -> None:
    """Not one that it has from what it is an instance or a subclass of."""
    documented = value_of(path)
    own = documented.__dict__.get("__doc__") if inspect.isclass(documented) else inspect.getdoc(documented)
    assert own
    assert not own.startswith(f"{path.rpartition('.')[2]}("), "a dataclass without a docstring"


@pytest.mark.parametrize("path", [path for path in NAMES if inspect.isroutine(value_of(path))])
def test_it_says_what_each_argument_is(path: str) -> None:
    """Those that it takes, in their order, and no others."""
    function = inspect.unwrap(value_of(path))
    listed = re.search(r"^Args:\n((?:    .*\n|\n)*)", f"{inspect.getdoc(function)}\n", re.MULTILINE)
    told = re.findall(r"^    (\w+):", listed[1], re.MULTILINE) if listed else []
    assert told == list(inspect.signature(function).parameters)


@pytest.mark.parametrize("path", NAMES)
def test_it_is_on_the_page_of_the_python_api(path: str) -> None:
    """Under this name, or, for an error that has several, under another one."""
    described = entries()
    module, _, name = path.rpartition(".")
    others = [f"zoo.{name}", f"zoo.errors.{name}"] if module.endswith("errors") else []
    assert set(described) & {path, *others}


def test_the_page_describes_nothing_else_and_nothing_twice() -> None:
    """A name that was removed or renamed is no longer promised."""
    described = entries()
    modules = {module.__name__ for module in MODULES}
    assert len(described) == len(set(described))
    assert set(described) <= {*NAMES, *modules}


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put what examples name into the working directory."""
    monkeypatch.chdir(tmp_path)
    layers = {
        "conv1": {"conv1_W": counted(8, 3, 3, 3), "conv1_b": counted(8)},
        "fc": {"fc_W": counted(32, 10), "fc_b": counted(10)},
    }
    write_named(tmp_path / "small_th.h5", layers)
    (tmp_path / "old_model.h5").write_bytes(
        (DIALECTS / "keras122_theano_th/conv2d_flatten_dense_dense.model.h5").read_bytes()
    )
    rows = ["file,label"]
    for number, name in enumerate(("cats/1.png", "cats/2.png", "dogs/1.png", "dogs/2.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), number, np.uint8)).save(path)
        rows.append(f"photos/{name},{name[:3]}")
    (tmp_path / "photos.csv").write_text("\n".join(rows), "utf-8")


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize("path", NAMES)
def test_its_examples_run(path: str) -> None:
    """And print what they say; every public function has one, unless it would have to download or train."""
    value = value_of(path)
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for test in finder.find(value, path, module=False) if test.examples]
    if inspect.isfunction(value):
        assert bool(found) != (path in WITHOUT_EXAMPLE)
    for test in found:
        said: list[str] = []
        assert doctest.DocTestRunner().run(test, out=said.append).failed == 0, "".join(said)

"""A folder of practice files, and the overlay registry that leads to them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from zoo.errors import ArgumentError, UnknownNameError
from zoo.practice.files import write
from zoo.practice.server import PracticeServer
from zoo.practice.values import recipe
from zoo.registry import fields, load_registry
from zoo.registry.digests import hash_file
from zoo.registry.records import Architecture, ClassIndex, Digest, Layout, Registry, WeightsFile

CATALOGUE = "practice.yaml"
"""The overlay in a folder of practice files; its URLs are those of the published files."""

_PREFIX = "practice-"
_ALGORITHMS = ("sha256", "md5")
_SOURCE = "drawn by the rule of zoo.practice, not trained"


@dataclass(frozen=True, kw_only=True)
class PracticeZoo:
    """A practice zoo that is being served.

    Attributes:
        registry: Overlay registry whose URLs lead to the server: the value for ``ZOO_REGISTRY``.
        server: Plays the hosts of the published files.
    """

    registry: Path
    server: PracticeServer


def build(
    folder: Path,
    names: Iterable[str] | None = None,
    forms: Sequence[Layout] = ("th",),
    *,
    ids: Iterable[str] | None = None,
) -> Path:
    """Write the practice twins of published files, and the class index, into a folder.

    Args:
        folder: Where to write; made if it is missing. Files of an earlier build are replaced.
        names: Networks; all that have such files by default, which take 2.2 GB for th and 9 GB for tf.
        forms: Layouts of which each network's first published file with its top is written.
        ids: Ids of weights files, instead of the ones that ``forms`` picks.

    Returns:
        The folder's catalogue: an overlay registry with the URLs of the published files.

    Raises:
        UnknownNameError: There is no such network or weights file.
        ArgumentError: There is nothing to write.
    """
    base = load_registry(overlays=())
    chosen = _chosen(base, names, forms, ids)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        architecture: [_write_twin(folder, base.architectures[architecture], file) for file in files]
        for architecture, files in chosen.items()
    }
    needed = _indexes_of(base, chosen)
    indexes = [_write_index(folder, base.class_indexes[name]) for name in needed]
    catalogue = folder / CATALOGUE
    catalogue.write_text(_overlay(base, weights, indexes), "utf-8")
    return catalogue


@contextmanager
def serve(folder: Path) -> Iterator[PracticeZoo]:
    """Serve a folder that :func:`build` wrote, on loopback, as the hosts of the published files would.

    Args:
        folder: A folder with a catalogue.

    Yields:
        The zoo; its overlay registry and its server end with the context.

    Raises:
        ArgumentError: The folder has no catalogue.
    """
    catalogue = folder / CATALOGUE
    if not catalogue.is_file():
        raise ArgumentError(f"{folder}: no practice zoo is here; `python -m zoo.practice` writes one")
    known = load_registry(overlays=[catalogue])
    weights, indexes = _practice_entries(known)
    with PracticeServer(_served(folder, weights, indexes)) as server:
        registry = folder / f"registry-{urlsplit(server.origin()).port}.yaml"
        registry.write_text(_overlay(known, *_relocated(server, weights, indexes)), "utf-8")
        try:
            yield PracticeZoo(registry=registry, server=server)
        finally:
            registry.unlink(missing_ok=True)


def _chosen(
    base: Registry, names: Iterable[str] | None, forms: Sequence[Layout], ids: Iterable[str] | None
) -> dict[str, list[WeightsFile]]:
    """Return the published files to write a twin of, by architecture."""
    architectures = [_known(name, base.architectures, "architecture") for name in names or base.architectures]
    files = {file.id: (architecture, file) for architecture in architectures for file in architecture.weights}
    if ids is None:
        picked = [(one, file) for one in architectures for form in forms for file in _first(one, form)]
    else:
        picked = [_known(identifier, files, "weights file") for identifier in ids]
    if not picked:
        raise ArgumentError(f"nothing to write: no such file was published in {' or '.join(forms)} form")
    chosen: dict[str, list[WeightsFile]] = {}
    for architecture, file in picked:
        chosen.setdefault(architecture.name, []).append(file)
    return chosen


def _known(name: str, known: Mapping[str, Any], what: str) -> Any:  # noqa: ANN401 - whatever is known
    if name not in known:
        raise UnknownNameError(
            f"no {what} is called {name!r}; {fields.nearest_of(name, known)}; `zoo list` shows the networks,"
            " `zoo show NAME` their files"
        )
    return known[name]


def _first(architecture: Architecture, form: Layout) -> list[WeightsFile]:
    """Return the first file of the main set that has its top, layout and kernels in ``form``; or none."""
    main = architecture.weights_sets[0]
    fitting = (file for file in architecture.weights if (file.set, file.top) == (main, True))
    return [file for file in fitting if file.layout == file.kernels == form][:1]


def _write_twin(folder: Path, architecture: Architecture, file: WeightsFile) -> WeightsFile:
    path = _weights_path(folder, twin := replace(file, id=_PREFIX + file.id))
    path.parent.mkdir(exist_ok=True)
    write(file, architecture, path)
    size, digests = path.stat().st_size, _digests(path)
    return replace(twin, bytes=size, digests=digests, licence="none needed", source=_SOURCE)


def _write_index(folder: Path, index: ClassIndex) -> ClassIndex:
    path = _index_path(folder, index)
    path.parent.mkdir(exist_ok=True)
    classes = {str(place): [f"n{place:08d}", f"practice_class_{place:04d}"] for place in range(index.classes)}
    path.write_text(json.dumps(classes), "utf-8")
    return replace(index, bytes=path.stat().st_size, digests=_digests(path))


def _digests(path: Path) -> tuple[Digest, ...]:
    found = hash_file(path, _ALGORITHMS)
    return tuple(
        Digest(algorithm=algorithm, value=found[algorithm], grade="practice", source=_SOURCE)
        for algorithm in _ALGORITHMS
    )


def _weights_path(folder: Path, file: WeightsFile) -> Path:
    # The name as published: Drive tells it to those who download.
    return folder / file.id / file.filename


def _index_path(folder: Path, index: ClassIndex) -> Path:
    return folder / f"{_PREFIX}{index.name}" / PurePosixPath(urlsplit(index.urls[0]).path).name


_Weights = Mapping[str, Sequence[WeightsFile]]
_Entries = tuple[_Weights, Sequence[ClassIndex]]


def _indexes_of(registry: Registry, names: Iterable[str]) -> list[str]:
    """Return the class indexes that networks need, each once."""
    needed = dict.fromkeys(registry.architectures[name].class_index for name in names)
    return [name for name in needed if name is not None]


def _practice_entries(registry: Registry) -> _Entries:
    """Return the weights files, by architecture, and the class indexes that a catalogue brought in."""
    weights = {
        name: [file for file in architecture.weights if file.id.startswith(_PREFIX)]
        for name, architecture in registry.architectures.items()
    }
    weights = {name: files for name, files in weights.items() if files}
    names = _indexes_of(registry, weights)
    return weights, [registry.class_indexes[name] for name in names]


def _served(folder: Path, weights: _Weights, indexes: Sequence[ClassIndex]) -> dict[str, Path]:
    """Return the files to serve, by published URL."""
    served = {url: _index_path(folder, index) for index in indexes for url in index.urls}
    for file in (file for files in weights.values() for file in files):
        served |= dict.fromkeys(file.urls, _weights_path(folder, file))
    return served


def _relocated(server: PracticeServer, weights: _Weights, indexes: Sequence[ClassIndex]) -> _Entries:
    """Return the same entries with the server's URLs."""

    def local(urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(server.local(url) for url in urls))

    moved = {name: [replace(file, urls=local(file.urls)) for file in weights[name]] for name in weights}
    return moved, [replace(index, urls=local(index.urls)) for index in indexes]


def _overlay(known: Registry, weights: _Weights, indexes: Sequence[ClassIndex]) -> str:
    """Return an overlay registry as YAML: the files, and the recipe that their values need."""
    recipes = {name: recipe(known.architectures[name]) for name in weights}
    overlay = {
        "schema": 1,
        "class_indexes": {index.name: _entry(index) for index in indexes},
        "architectures": {
            name: {"preprocessing": recipes[name], "weights": list(map(_entry, files))}
            for name, files in weights.items()
        },
    }
    return yaml.safe_dump(overlay, sort_keys=False, allow_unicode=True, width=120)


def _entry(record: WeightsFile | ClassIndex) -> dict[str, Any]:
    entry = asdict(record) | {
        "digests": [{"digest": str(one), "grade": one.grade, "source": one.source} for one in record.digests],
        "urls": list(record.urls),
    }
    if isinstance(record, ClassIndex):
        del entry["name"]  # it stands as the key
    return entry

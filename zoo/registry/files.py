"""The registry: find it, read it, check it, look things up in it.

The base registry ships with the package. Further files of the same form are laid over it, in the order that
:mod:`zoo.registry.places` lists. Each need hold only the parts that differ: mappings are merged key by key,
lists and single values are replaced, later files win. Over the list of a network's weights files a mapping
from ids to files may be laid as well: it changes the fields that it names of a file that is there, and adds
any other behind them. What is checked is the merged whole.

    architectures:
      vgg16:
        weights:
          vgg16-th-gist: {urls: ["https://mirror.example.org/vgg16_weights.h5"]}
          vgg16-mine: {set: mine, structure: vgg16, ...}
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from converters.boundary import uncollected
from zoo.calling import public
from zoo.errors import RegistryError, UnknownNameError
from zoo.registry import fields
from zoo.registry.assembly import complete
from zoo.registry.fields import Mistake
from zoo.registry.merged import Merged, check_names, placed_in
from zoo.registry.origins import Origins, lay_over
from zoo.registry.places import Layer, installed_layers, layers, overlay_layer
from zoo.registry.reading import read_layer, read_once
from zoo.registry.records import Architecture, ClassIndex, Kernels, Layout, Registry, WeightsFile

_Found = TypeVar("_Found")


def load_registry(overlays: Sequence[Path] | None = None) -> Registry:
    """Read the base registry, lay overlays over it and check the whole.

    Args:
        overlays: Files to lay over it and over what plug-ins bring, later ones win; all that
            :func:`zoo.registry.places.layers` lists if left out.

    Raises:
        RegistryError: A file cannot be read or breaks the form. The message, one line, starts with the file,
            the line and the path of the mistake.
    """
    return load_layers(layers() if overlays is None else (*installed_layers(), *map(overlay_layer, overlays)))


def load_layers(chosen: Sequence[Layer]) -> Registry:
    """Read layers, lay each over those before it and check the whole.

    Raises:
        RegistryError: As :func:`load_registry`.
    """
    found = Merged([read_layer(layer) for layer in chosen]).registry
    check(found)
    return found


def laid_over(chosen: Sequence[Layer]) -> tuple[dict[str, Any], Origins]:
    """Return what layers say together, unchecked, and which of them said what.

    Raises:
        RegistryError: A file cannot be read.
    """
    base, *others = [read_layer(layer) for layer in chosen]
    origins, raw = Origins(base.layer.label), base.whole()
    check_names([base, *others])
    for file in others:
        try:
            lay_over(raw, file.whole(), file.layer.label, origins)
        except Mistake as mistake:
            raise placed(mistake, chosen, origins) from None
    return raw, origins


def placed(mistake: Mistake, chosen: Sequence[Layer], origins: Origins) -> RegistryError:
    """Return the error of a mistake, with the file and the line that it stands in."""
    path, label = origins.written(mistake.path), origins.of(mistake.path)
    return placed_in(Mistake(path, mistake.reason), next(one for one in chosen if one.label == label))


def check(registry: Registry) -> None:
    """Check every entry of a registry.

    Raises:
        RegistryError: One breaks the form.
    """
    with uncollected():
        for part in (registry.class_indexes, registry.preprocessing, registry.architectures):
            for name in part:
                part[name]


def get_registry() -> Registry:
    """Return the registry that the environment describes, read again only if one of its files has changed.

    Networks, recipes and class indexes are checked when they are first asked for, each by itself;
    :func:`check` asks for all.

    Raises:
        RegistryError: As :func:`load_registry`, of a mistake at the top of a file.
    """
    chosen = layers()
    return _load_once(chosen, tuple(_stamp(layer.path) for layer in chosen))


@lru_cache(maxsize=4)
def _load_once(chosen: tuple[Layer, ...], stamps: tuple[tuple[int, ...], ...]) -> Registry:
    """Load a registry; the stamps only tell one state of the files from another."""
    with uncollected():
        return Merged([read_once(layer, stamp) for layer, stamp in zip(chosen, stamps, strict=True)]).registry


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()  # reading it will say why
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


@public(name="spec")
def architecture(name: str) -> Architecture:
    """Return everything the registry says about one network.

    Args:
        name: Of the network, for example ``densenet161``; :func:`zoo.list_models` has all of them.

    Raises:
        UnknownNameError: There is no such network; the message lists the nearest names.
        RegistryError: It is of a plug-in's family, and the plug-in cannot be used.

    Examples:
        >>> import zoo
        >>> network = zoo.spec("densenet161")
        >>> network.input.height, network.preprocessing.channel_order, network.classes
        (224, 'bgr', 1000)
    """
    registry = get_registry()
    known = registry.architectures
    if name not in known and name in registry.files:
        owner = registry.files[name][0].name
        raise UnknownNameError(f"no architecture is called {name!r}: it is a weights file of {owner}")
    if name not in known and name and (path := Path(name)).exists():
        raise UnknownNameError(f"no architecture is called {name!r}, which is a {_advice(path)}")
    return _complete(_look_up(name, known, "architecture", "`zoo list` shows all."))


def _advice(path: Path) -> str:
    """Return what to do with what lies here, given where a network's name goes."""
    if path.is_dir():
        return "folder here: a network's name goes there, images and runs elsewhere; `zoo list` shows all"
    return (
        "file here: a network's name goes there; --weights (weights=) takes a file of weights, and "
        "keras.saving.load_model opens a whole model"
    )


def list_models(pattern: str = "*") -> list[str]:
    """Return the names of the networks in the registry's order; :func:`zoo.list_models` takes filters too.

    Args:
        pattern: As there.
    """
    return like(pattern, get_registry().architectures)


def networks_like(pattern: str = "*") -> list[Architecture]:
    """Return the networks of these names, as :func:`list_models` takes them.

    Raises:
        RegistryError: What a file says of one breaks the form.
    """
    known = get_registry().architectures  # once: to ask for it is to look at all of its files
    return [known[name] for name in like(pattern, known)]


EVERY = "*"
"""The pattern for all names."""


def like(pattern: str, names: Iterable[str]) -> list[str]:
    """Return those names that a pattern is for."""
    if pattern == EVERY:
        return list(names)
    whole = _whole(pattern)
    return [name for name in names if fnmatchcase(name, whole)]


def _whole(pattern: str) -> str:
    """Return a pattern for whole names: what has no wildcard is a part of one, in any case."""
    return pattern.lower() if any(sign in pattern for sign in "*?[") else f"*{pattern.lower()}*"


def weights_file(identifier: str) -> tuple[Architecture, WeightsFile]:
    """Return the weights file with this id, and the network it belongs to.

    Raises:
        UnknownNameError: There is no such file; the message lists the nearest ids.
    """
    hint = "`zoo show NAME` shows those of a network."
    network, file = _look_up(identifier, get_registry().files, "weights file", hint)
    return _complete(network), file


CLASS_INDEXES = "class_indexes/"
"""What the ids of files that name classes begin with; no weights file's id can have a slash."""


def is_class_index(name: str) -> bool:
    """Tell whether something is written as the id of a file that names classes."""
    return isinstance(name, str) and name.startswith(CLASS_INDEXES)


def look_up(name: str) -> Architecture | WeightsFile | ClassIndex:
    """Return what a name stands for: a network, a weights file by its id, or ``class_indexes/NAME``.

    Raises:
        UnknownNameError: There is no such thing; the message lists the nearest names.
    """
    registry = get_registry()
    if name in registry.architectures:
        return _complete(registry.architectures[name])
    if name in registry.files:
        return registry.files[name][1]
    indexes = {f"{CLASS_INDEXES}{key}": key for key in registry.class_indexes}
    if name in indexes:
        return registry.class_indexes[indexes[name]]
    if name and Path(name).is_file():
        raise UnknownNameError(f"no network and no file is called {name!r}, {_FILE_HERE.format(name)}")
    raise unknown_name(name, [*registry.architectures, *registry.files, *indexes])


_FILE_HERE = (
    "which is a file here: `zoo fetch NAME --from {0}` (from_file=) takes it for a network's, "
    "`zoo inspect {0}` says what it is"
)


def fetched_by(name: str) -> str:
    """Return what to tell a user who gave a name of the registry where a file goes; nothing if it is none."""
    registry = get_registry()
    if name in registry.architectures:
        return f"; it is a network: `zoo fetch {name}` brings its file"
    if name in registry.files:
        return f"; it is a weights file of {registry.files[name][0].name}: `zoo fetch {name}` brings it"
    return ""


def unknown_name(name: str, known: Collection[str]) -> UnknownNameError:
    """Return the error of a name that is neither a network's nor a file's.

    Args:
        name: The name.
        known: All names of networks and files.
    """
    hint = "`zoo list` shows the networks, `zoo show NAME` their files"
    near = fields.nearest_of(name, known)
    return UnknownNameError(f"no network and no file is called {name!r}; {near}; {hint}")


def weights_files(
    architecture: Architecture,
    weights_set: str = "imagenet",
    *,
    top: bool | None = None,
    layout: Layout | None = None,
    kernels: Kernels | None = None,
) -> tuple[WeightsFile, ...]:
    """Return the files of a weights set, in the registry's order, best first.

    Args:
        architecture: The network.
        weights_set: Name of the set.
        top: Only files with, or only files without the classifier.
        layout: Only files in this layout.
        kernels: Only files with such kernels.

    Raises:
        UnknownNameError: The network has no such set; the message lists those it has.
    """
    weights_set = architecture.set_of(weights_set)
    if weights_set not in architecture.weights_sets:
        known = ", ".join(architecture.weights_sets) or "none"
        hint = architecture.why_not(weights_set)
        hint += fields.did_you_mean(weights_set, architecture.weights_sets)
        raise UnknownNameError(
            f"{architecture.name} has no weights set {weights_set!r}; it has: {known}{hint}"
        )
    return tuple(
        file
        for file in architecture.weights
        if file.set == weights_set
        and top in (None, file.top)
        and layout in (None, file.layout)
        and kernels in (None, file.kernels)
    )


def _complete(network: Architecture) -> Architecture:
    """Return a network that is asked for by its name, with what a plug-in knows of its numbers.

    Raises:
        RegistryError: They break the form of its family, or the plug-in cannot be used.
    """
    try:
        return complete(network)
    except Mistake as mistake:
        chosen = layers()
        raise placed(mistake, chosen, laid_over(chosen)[1]) from None


def _look_up(name: str, known: Mapping[str, _Found], what: str, hint: str) -> _Found:
    if name in known:
        return known[name]
    raise UnknownNameError(f"no {what} is called {name!r}; {fields.nearest_of(name, known)}. {hint}")

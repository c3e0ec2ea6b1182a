"""Networks of a user's own: put into the registry and taken out of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from converters.formats.description import Description
from converters.formats.dialects import describe
from zoo.calling import public
from zoo.curating.entries import Source, Told, file_id, of_network, of_whole_model
from zoo.curating.recognising import Unsaid, find
from zoo.errors import ArgumentError, FileFormatError, RegistryError, StructureMismatchError, UnknownNameError
from zoo.fetching.fetcher import Fetcher
from zoo.fetching.verification import check_structure
from zoo.networks.predictors import Names, class_names
from zoo.networks.whole_facts import Whole
from zoo.progress.asked import Asked, chosen
from zoo.progress.protocol import Progress
from zoo.registry import Layer, get_registry, layers, own_registry
from zoo.registry.editing import SECTION, with_entry, without_entry, written
from zoo.registry.fields import Mistake
from zoo.registry.files import load_layers
from zoo.registry.kinds import NAME
from zoo.registry.places import FILENAME, read_bytes
from zoo.registry.records import Architecture, Kernels, Layout, Registry, WeightsFile
from zoo.registry.strict_yaml import parse_yaml
from zoo.registry.urls import URL_RULE, is_trusted
from zoo.storage import disk
from zoo.storage.cache import Cache, Item, is_offline, utc_now
from zoo.storage.clock import SystemClock
from zoo.storage.locks import one_at_a_time

_SCHEMES = ("https://", "http://")


@dataclass(frozen=True, kw_only=True)
class Added:
    """A network that was put into the user's own registry, or would be.

    Attributes:
        name: Its name.
        registry: The file that the entry is in.
        text: The lines of the entry.
        network: What the registry says of it now.
        path: Where a copy of its file is kept; ``None`` where nothing was written.
    """

    name: str
    registry: Path
    text: str
    network: Architecture
    path: Path | None


before_keras: ContextVar[Callable[[], None]] = ContextVar("before_keras", default=lambda: None)
"""Called before Keras is imported, which only whole models need: a command imports it without a word then."""


class _Got(NamedTuple):
    """A file at hand, that of the user or one that has just come."""

    path: Path
    source: Source
    keep: Callable[[Architecture, WeightsFile], Path]


@public("name", "classes", "input_size")
def register(
    file: str | os.PathLike[str],
    name: str | None = None,
    *,
    arch: str | None = None,
    layout: Layout | None = None,
    kernels: Kernels | None = None,
    preprocessing: str | None = None,
    classes: Names | None = None,
    title: str | None = None,
    licence: str | None = None,
    input_size: int | tuple[int, int] | None = None,
    weights_only: bool = False,
    replace: bool = False,
    dry_run: bool = False,
    progress: Asked = None,
) -> Added:
    """Put a network of your own into your registry, so that it goes by a name like the published ones.

    What a file is, is told by its layers, their names and shapes. It is copied into the cache, and its
    digest is held to. A file that holds its network as well is taken as a whole model.

    Args:
        file: A weights file of a network of the registry, whatever number of classes it has; a whole model,
            ``.keras`` or ``.h5``; or the URL of such a file.
        name: What it is to be called.
        arch: The network whose weights it holds, where it fits several.
        layout: ``th`` or ``tf``, where the shapes do not tell it.
        kernels: ``th`` or ``tf``: how its kernels are stored, where nothing in it tells that.
        preprocessing: Name of the recipe that its images went through; not known if left out, and whoever
            needs it then says so.
        classes: Names of its classes in the order of its outputs, a file with them, or the name of a class
            index: ``imagenet``.
        title: Its name in print; ``name`` if left out.
        licence: Of the weights.
        input_size: Height and width of its images, or one number for both, in pixels.
        weights_only: Take the weights alone of a whole model that holds a network of the registry.
        replace: Put it in the place of the network of your own that has this name.
        dry_run: Only say what would be written.
        progress: As for :func:`zoo.fetch`.

    Returns:
        What was written, and where.

    Raises:
        RegistryError: The name is taken, the URL is not to be trusted, or your registry file cannot be
            changed. Nothing was changed then.
        ArgumentError: Something is not allowed, or has to be said.
        FileFormatError: It is no weights file.
        StructureMismatchError: It holds no network of the registry.
        DownloadError: The URL does not lead to a file.
        CacheError: The cache or your registry file cannot be written.

    Examples:
        >>> import zoo
        >>> added = zoo.register("old_model.h5", "mine", title="A model of ours")
        >>> added.network
        <A model of ours (mine): 9 × 12 × 3, 5 classes, 1 file>
        >>> zoo.load("mine", num_classes=3).output_shape
        (None, 3)
    """
    known, own = get_registry(), own_registry()
    told = Told(
        title=title,
        preprocessing=preprocessing,
        classes=_classes(classes, known),
        licence=licence,
        input_size=_sides(input_size),
    )
    told_form = {"arch": arch, "layout": layout, "kernels": kernels}
    if arch is not None and arch not in known.architectures:
        raise UnknownNameError(f"arch={arch!r}: there is no network of this name; `zoo list` shows all")
    called = _checked_name(name)
    _check_free(called, known, own, may_replace=replace)
    shown = chosen(progress)
    with _at_hand(file, called, shown) as got:
        entry = _entry(called, got, told, known, told_form, weights_only=weights_only)
        with _alone(shown):
            text = _changed(own, lambda old: with_entry(old, called, entry, str(own)))
            network = _valid(text, own).architectures[called]
            _check_fits(network, got.path, str(file))
            kept = None if dry_run else got.keep(network, network.weights[0])
            if not dry_run:
                _write(own, text)
    return Added(name=called, registry=own, text=written(called, entry), network=network, path=kept)


@public("name")
def unregister(name: str, *, dry_run: bool = False) -> Path:
    """Take a network of your own out of your registry; the copy of its file stays in the cache.

    Args:
        name: Its name.
        dry_run: Only say what would be taken out.

    Returns:
        The file that it was in.

    Raises:
        UnknownNameError: Your registry has no such network.
        RegistryError: The file cannot be changed, or something in it needs the network.
        CacheError: It cannot be written.

    Examples:
        >>> import zoo
        >>> added = zoo.register("old_model.h5", "mine")
        >>> zoo.unregister("mine").name
        'registry.yaml'
    """
    own = own_registry()
    with _alone(chosen(None)):
        held = _names_in(own)
        if name not in held:
            there = f"it has {', '.join(held)}" if held else "there is none in it"
            raise UnknownNameError(f"{name}: {own} has no network of this name; {there}")
        text = _changed(own, lambda old: without_entry(old, name, str(own)))
        _valid(text, own)
        if not dry_run:
            _write(own, text)
    return own


def _entry(
    name: str, got: _Got, told: Told, known: Registry, form: Mapping[str, Any], *, weights_only: bool
) -> Any:  # noqa: ANN401 - plain values
    description = describe(got.path)
    if description.whole_model and not weights_only:
        return of_whole_model(name, _whole(got, description, told), got.source, told, known)
    found = find(description, known.architectures.values(), **form)
    return of_network(name, found, got.source, told, known)


def _whole(got: _Got, description: Description, told: Told) -> Whole:
    """Return what a whole model is, which Keras opens for it.

    Raises:
        Unsaid: It takes images of any size.
        ZooError: Keras does not open it, or it is no classifier of images.
    """
    before_keras.get()()
    from zoo.networks.whole_entries import facts_of

    whole = facts_of(got.path, got.source.filename, description)
    if None in (whole.height, whole.width) and told.input_size is None:
        why = f"{got.source.filename}: takes images of any size"
        raise Unsaid("input_size", why, "side of its images in pixels?")
    return whole


def _checked_name(name: object) -> str:
    if name is None:
        raise Unsaid("name", "the network needs a name", "name of the network?")
    try:
        return NAME.check(name, ())
    except Mistake as mistake:
        raise ArgumentError(f"name={name!r}: {str(mistake).removeprefix(f'{name!r} ')}") from None


def _check_free(name: str, known: Registry, own: Path, *, may_replace: bool) -> None:
    """Check that a name is nobody's, or that of a network that may be replaced.

    Raises:
        RegistryError: It is taken.
    """
    is_own = name in _names_in(own)
    if is_own and may_replace:
        return
    if is_own:
        raise RegistryError(
            f"{name}: is a network of {own} already; --replace (replace=True) puts this there"
        )
    ids = {file.id: network.name for network in known.architectures.values() for file in network.weights}
    taken = next((one for one in (name, file_id(name)) if one in ids), None)
    if name in known.architectures:
        raise RegistryError(f"{name}: is a network of the registry already; choose another name")
    if taken is not None:
        what = "" if taken == name else f"{taken} "
        raise RegistryError(f"{name}: {what}is a weights file of {ids[taken]}; choose another name")


def _names_in(own: Path) -> list[str]:
    """Return the names of the networks that a registry file has entries for."""
    content = _read(own)
    if not content.strip():
        return []
    networks = parse_yaml(content, str(own)).get(SECTION)
    return list(networks) if isinstance(networks, dict) else []


def _read(own: Path) -> bytes:
    return read_bytes(own, str(own)) if own.exists() else b""


def _classes(classes: Names | None, known: Registry) -> tuple[str, ...] | str | None:
    if classes is None:
        return None
    if isinstance(classes, str) and classes in known.class_indexes:
        return classes
    return class_names(classes)


def _sides(size: object) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = size if isinstance(size, tuple) else (size, size)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise ArgumentError(f"input_size={size!r}: must be a number of pixels, or height and width")
    return pair


@contextmanager
def _at_hand(file: str | os.PathLike[str], name: str, progress: Progress) -> Iterator[_Got]:
    """Give the user's file, or the one that a URL leads to for as long as the block lasts."""
    text = os.fspath(file)
    if "://" in text:
        if not is_trusted(text):
            raise RegistryError(f"{text}: must {URL_RULE}")
        with _downloaded(text, name, progress) as got:
            yield got
    else:
        yield _of_path(Path(text), progress)


def _of_path(path: Path, progress: Progress) -> _Got:
    from zoo.registry.digests import hash_file

    if path.is_dir():
        raise FileFormatError(f"{path}: is a folder; of a run, the file to name is its model.keras")
    if not path.is_file():
        raise FileFormatError(f"{path}: there is no such file")
    where = path.absolute()
    sha256 = hash_file(where, ["sha256"])["sha256"]
    source = Source(
        filename=_filename(path.name),
        sha256=sha256,
        bytes=where.stat().st_size,
        when=_today(),
        path=str(where),
    )

    def keep(network: Architecture, item: WeightsFile) -> Path:
        cache = Cache.from_environment()
        _hold_to(cache, network, item, sha256)
        return Fetcher(cache, progress).published(network, item, from_file=where).path

    return _Got(path=where, source=source, keep=keep)


@contextmanager
def _downloaded(url: str, name: str, progress: Progress) -> Iterator[_Got]:
    from zoo.download.sources import Source as Address
    from zoo.download.sources import Sources
    from zoo.errors import CacheError

    if is_offline():
        raise CacheError(f"{url}: ZOO_OFFLINE is set; unset it to fetch the file")
    cache = Cache.from_environment()
    filename = _filename(unquote(urlsplit(url).path).rpartition("/")[2] or f"{name}.h5")
    ending = ".keras" if filename.endswith(".keras") else ".h5"
    wanted = Item(key=file_id(name), folder=name, stem=file_id(name), ending=ending, bytes=None, digests=())
    address = Address(url=url, size=None, digests=())
    with Sources(cache.partials, progress).download(
        wanted, address, what=f"fetching {filename}", signature=b""
    ) as got:
        digests = dict(got.digests)
        source = Source(
            filename=filename,
            sha256=digests["sha256"],
            bytes=got.path.stat().st_size,
            when=_today(),
            url=url,
        )

        def keep(network: Architecture, item: WeightsFile) -> Path:
            _hold_to(cache, network, item, digests["sha256"])
            return cache.keep(got.path, Item.of_weights(network.name, item), digests=digests, url=url)

        yield _Got(path=got.path, source=source, keep=keep)


def _hold_to(cache: Cache, network: Architecture, file: WeightsFile, sha256: str) -> None:
    """Hold to a file of the user's from now on, whatever went by its name before."""
    seen = cache.seen(Item.of_weights(network.name, file))
    if seen is not None and seen.sha256 != sha256:
        cache.accept(file.id, sha256)


def _filename(name: str) -> str:
    return "_".join(name.replace("\\", "_").split())


def _today() -> str:
    return utc_now().date().isoformat()


def _check_fits(network: Architecture, path: Path, label: str) -> None:
    """Check that the entry that was made says what the file is.

    Raises:
        StructureMismatchError: It lacks layers of the network.
    """
    file = network.weights[0]
    if not file.structure:
        return
    try:
        check_structure(network, file, path, label)
    except RegistryError as error:  # what it says of the registry is not to the point
        raise StructureMismatchError(str(error.__cause__)) from error


@contextmanager
def _alone(progress: Progress) -> Iterator[None]:
    """Let nobody else change the registry meanwhile."""
    cache = Cache.from_environment()
    with one_at_a_time(
        cache.partials / f"{FILENAME}.lock",
        clock=SystemClock(),
        progress=progress,
        what="changing the registry",
        total=None,
        so_far=lambda: 0,
    ):
        yield


def _changed(own: Path, change: Callable[[str], str]) -> str:
    """Return what a registry file is to hold; what it holds now must be one.

    Raises:
        RegistryError: It is none.
    """
    content = _read(own)
    if content.strip():
        _check_readable(content, own)
    return change(content.decode("utf-8"))


def _check_readable(content: bytes, own: Path) -> None:
    try:
        parse_yaml(content, str(own))
    except RegistryError:
        lines = content.decode("utf-8", "replace").splitlines()
        if any(line.strip() and not line.lstrip().startswith("#") for line in lines):
            raise


def _valid(text: str, own: Path) -> Registry:
    """Return the registry as it will be.

    Raises:
        RegistryError: Something in it does not fit together.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-registry-") as folder:
        candidate = Path(folder) / FILENAME
        candidate.write_bytes(text.encode())
        return load_layers(_with_own(Layer(path=candidate, origin="own", label=str(own))))


def _with_own(own: Layer) -> tuple[Layer, ...]:
    others = [layer for layer in layers() if layer.origin != "own"]
    over = [layer for layer in others if layer.origin == "ZOO_REGISTRY"]
    below = [layer for layer in others if layer.origin != "ZOO_REGISTRY"]
    return (*below, own, *over)


def _write(own: Path, text: str) -> None:
    target = own.resolve()  # where it is a link, what it leads to is changed
    with disk.writing(own):
        disk.replace(target, text.encode())

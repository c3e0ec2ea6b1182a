"""From the name of a network to a verified weights file in the form that was asked for.

Files of that form are tried first, in the registry's order; if there is none to be had, a file of another
form is fetched and converted. Whatever is in the cache already needs no network.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from zoo.cache import Cache, Item, default_home
from zoo.checksums import CHUNK, Hashes, verify_file
from zoo.download.progress import Progress, Silence
from zoo.errors import (
    ArgumentError,
    CacheError,
    DownloadError,
    FileFormatError,
    StructureMismatchError,
    UnknownNameError,
)
from zoo.records import Architecture, ClassIndex, WeightsFile
from zoo.registry import architecture, get_registry, weights_files
from zoo.verification import check_structure, is_attested

Backend = Literal["th", "tf"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A verified weights file in the cache.

    Attributes:
        file: What the registry says of the published file.
        path: Where it lies, or where its converted copy lies.
        converted: Whether ``path`` is a converted copy: then its form is not the one that ``file`` states.
        notes: What the user should know, one line each.
    """

    file: WeightsFile
    path: Path
    converted: bool = False
    notes: tuple[str, ...] = ()


def fetch(
    name: str,
    *,
    backend: Backend = "tf",
    weights: str = "imagenet",
    top: bool = True,
    from_file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the path of a verified weights file, fetched and converted if need be.

    What the user should know about it is logged as a warning.

    Args:
        name: An architecture, for example ``densenet161``.
        backend: ``th`` or ``tf``: layout and kernels both.
        weights: Name of a weights set.
        top: Whether the file is to hold the classifier.
        from_file: A file that was got in another way; it is checked and copied into the cache.
        progress: Told about long steps.

    Raises:
        ArgumentError: ``backend`` is neither.
        UnknownNameError: There is no such architecture, weights set, or file with or without the classifier.
        DownloadError: No source gave the file; one line for each, and what can be done about it.
        CacheError: The cache cannot be used, or a file in it was changed.
        RegistryError: The registry contradicts a file that has every published digest.
    """
    found = resolve(name, backend=backend, weights=weights, top=top, from_file=from_file, progress=progress)
    for note in found.notes:
        _LOG.warning("%s", note)
    return found.path


def resolve(
    name: str,
    *,
    backend: Backend = "tf",
    weights: str = "imagenet",
    top: bool = True,
    convert: bool = True,
    from_file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Do what :func:`fetch` does, and say which published file it came from.

    Args:
        name: An architecture, for example ``densenet161``.
        backend: The form that is preferred.
        weights: Name of a weights set.
        top: Whether the file is to hold the classifier.
        convert: Whether a file of another form is converted; if not, it is returned as it is.
        from_file: A file that was got in another way; it is checked and copied into the cache.
        progress: Told about long steps.

    Raises:
        ZooError: As :func:`fetch`.
    """
    fetcher = Fetcher(Cache(default_home()), progress)
    return fetcher.resolve(
        architecture(name),
        backend=backend,
        weights=weights,
        top=top,
        convert=convert,
        from_file=None if from_file is None else Path(from_file),
    )


def fetch_class_index(name: str, *, progress: Progress | None = None) -> Path:
    """Return the path of a verified file that names classes, fetched if need be.

    Args:
        name: Name of the class index, as an architecture's ``class_index`` gives it.
        progress: Told about long steps.

    Raises:
        UnknownNameError: The registry has no such class index.
        DownloadError: No source gave the file.
        CacheError: The cache cannot be used, or the file in it was changed.
    """
    known = get_registry().class_indexes
    if name not in known:
        raise UnknownNameError(f"no class index is called {name!r}; there is {', '.join(known)}")
    return Fetcher(Cache(default_home()), progress).class_index(known[name])


class Fetcher:
    """Brings published files into a cache.

    Args:
        cache: Where files live.
        progress: Told about long steps.
    """

    def __init__(self, cache: Cache, progress: Progress | None = None) -> None:
        self._cache = cache
        self._progress = progress or Silence()

    def resolve(
        self,
        network: Architecture,
        *,
        backend: Backend = "tf",
        weights: str = "imagenet",
        top: bool = True,
        convert: bool = True,
        from_file: Path | None = None,
    ) -> Fetched:
        """Return a verified weights file of a network; the arguments are those of :func:`resolve`."""
        if backend not in ("th", "tf"):
            raise ArgumentError(f"backend={backend!r}: must be 'th' or 'tf'")
        files = _files_of(network, weights, top)
        exact = [file for file in files if file.layout == file.kernels == backend]
        others = [file for file in files if file not in exact]
        if from_file is not None:
            found = self._adopt(network, [*exact, *others], from_file)
        else:
            asked = _command(network.name, backend, weights, top)
            copies = others if convert else []
            found = self._cached(network, exact, copies, backend) or self._obtain(
                network, exact, others, asked
            )
        if found.converted or not convert or found.file in exact:
            return found
        return self._converted(network, found, backend)

    def class_index(self, index: ClassIndex) -> Path:
        """Return a verified class index; the errors are those of :func:`fetch_class_index`."""
        item = Item.of_class_index(index)
        path = self._cache.find(item)
        reasons: list[str] = []
        for url in () if path else index.urls:
            try:
                return self._download_index(index, item, url)
            except DownloadError as error:
                reasons.append(str(error))
        if path is None:
            advice = "try again later, or name another source in an overlay registry (ZOO_REGISTRY)"
            raise DownloadError(_table(f"no source gave the class index {index.name}:", reasons, advice))
        return path

    def _download_index(self, index: ClassIndex, item: Item, url: str) -> Path:
        from zoo.download.http import download

        with self._cache.temporary(item) as temporary:
            got = download(
                url,
                temporary,
                size=index.bytes,
                digests=index.digests,
                signature=b"",
                progress=self._progress,
                what=f"fetching the class index {index.name}",
            )
            self._cache.check_seen(item, got.digests["sha256"], url)
            return self._cache.keep(temporary, item, digests=got.digests, url=url)

    # What the cache has.

    def _cached(
        self,
        network: Architecture,
        exact: Iterable[WeightsFile],
        others: Iterable[WeightsFile],
        backend: Backend,
    ) -> Fetched | None:
        """Return a file of the form that was asked for, published or converted, that needs no network."""
        for file in exact:
            path = self._cache.find(Item.of_weights(network.name, file))
            if path is not None:
                return Fetched(file=file, path=path)
        for file in others:
            path = self._cache.find(Item.of_weights(network.name, file), backend)
            if path is not None:
                return Fetched(file=file, path=path, converted=True)
        return None

    # What the network has.

    def _obtain(
        self, network: Architecture, exact: Sequence[WeightsFile], others: Sequence[WeightsFile], asked: str
    ) -> Fetched:
        """Return the first file that can be had: as asked, else of another form, what is in the cache first.

        Raises:
            DownloadError: There is none.
        """
        reasons: list[str] = []
        found = self._first_downloaded(network, exact, reasons)
        for file in others if found is None else ():
            path = self._cache.find(Item.of_weights(network.name, file))
            if path is not None:
                return Fetched(file=file, path=path, notes=tuple(reasons))
        found = found or self._first_downloaded(network, others, reasons)
        if found is None:
            advice = f"get the file in another way, then run: {asked} --from FILE"
            raise DownloadError(_table(f"{network.name}: no source gave the weights file:", reasons, advice))
        return found

    def _first_downloaded(
        self, network: Architecture, files: Iterable[WeightsFile], reasons: list[str]
    ) -> Fetched | None:
        """Try every source of some files in turn; why one failed is added to ``reasons``."""
        for file in files:
            for url in file.urls:
                try:
                    found = self._download(network, file, url)
                except (DownloadError, FileFormatError, StructureMismatchError) as error:
                    reasons.append(str(error))
                else:
                    return Fetched(file=file, path=found.path, notes=(*reasons, *found.notes))
        return None

    def _download(self, network: Architecture, file: WeightsFile, url: str) -> Fetched:
        from zoo.download.http import download

        with self._cache.temporary(Item.of_weights(network.name, file)) as temporary:
            got = download(
                url,
                temporary,
                size=file.bytes,
                digests=file.digests,
                progress=self._progress,
                what=f"fetching {file.id}",
            )
            return self._keep(network, file, temporary, got.digests, url)

    def _keep(
        self, network: Architecture, file: WeightsFile, temporary: Path, digests: Mapping[str, str], url: str
    ) -> Fetched:
        """Give a file whose published digests were checked its place, if it holds what it should."""
        item = Item.of_weights(network.name, file)
        self._cache.check_seen(item, digests["sha256"], url)
        check_structure(network, file, temporary, url)
        notes = () if self._cache.seen(item) or is_attested(file) else (_first_seen(file, digests["sha256"]),)
        path = self._cache.keep(temporary, item, digests=digests, url=url)
        return Fetched(file=file, path=path, notes=notes)

    # What the user has.

    def _adopt(self, network: Architecture, files: Sequence[WeightsFile], source: Path) -> Fetched:
        """Copy the user's file into the cache, once it is clear which of some published files it is."""
        from converters.hdf5 import check_signature

        check_signature(source)
        algorithms = {"sha256", *(digest.algorithm for file in files for digest in file.digests)}
        with self._cache.temporary(Item.of_weights(network.name, files[0])) as temporary:
            digests = self._copy(source, temporary, algorithms)
            file = self._identify(network, files, source, temporary, digests)
            return self._keep(network, file, temporary, digests, source.resolve().as_uri())

    def _copy(self, source: Path, target: Path, algorithms: Iterable[str]) -> dict[str, str]:
        """Copy a file, so that what is checked from here on cannot be changed by anybody else."""
        size = source.stat().st_size
        hashes = Hashes(algorithms, size)
        self._progress.start(size, f"copying {source.name}")
        try:
            with source.open("rb") as reader, target.open("xb") as writer:
                while piece := reader.read(CHUNK):
                    hashes.update(piece)
                    writer.write(piece)
                    self._progress.advance(len(piece))
                writer.flush()
                os.fsync(writer.fileno())
        except OSError as error:
            raise CacheError(f"{source}: cannot be copied to {target.parent}: {error.strerror}") from error
        finally:
            self._progress.done()
        return hashes.values()

    def _identify(
        self,
        network: Architecture,
        files: Iterable[WeightsFile],
        source: Path,
        path: Path,
        digests: Mapping[str, str],
    ) -> WeightsFile:
        """Return which published file a file is: by its digests, or where there are none by what it holds.

        Raises:
            DownloadError: It is none of them, or could be several that are not alike.
        """
        fitting, reasons = [], []
        for file in files:
            try:
                verify_file(path, file.digests, file.bytes, known=digests, label=file.id)
                self._cache.check_seen(Item.of_weights(network.name, file), digests["sha256"], file.id)
                if file.digests:
                    return file
                check_structure(network, file, path, file.id)
                fitting.append(file)
            except (DownloadError, FileFormatError, StructureMismatchError) as error:
                reasons.append(str(error))
        if not fitting:
            advice = "get the file from somewhere else, or say with --weights and --no-top what it is"
            raise DownloadError(_table(f"{source}: is no weights file of {network.name}:", reasons, advice))
        if len({(file.layout, file.kernels) for file in fitting}) > 1:
            names = ", ".join(file.id for file in fitting)
            raise DownloadError(f"{source}: could be any of {names}, and nothing in the file tells which")
        return fitting[0]

    # The other form.

    def _converted(self, network: Architecture, found: Fetched, backend: Backend) -> Fetched:
        """Return a copy of a file in another form, converted now or before."""
        file, item = found.file, Item.of_weights(network.name, found.file)
        path = self._cache.find(item, backend)
        if path is None:
            with self._cache.temporary(item) as temporary:
                self._convert(network, found, backend, temporary)
                path = self._cache.keep_converted(temporary, item, backend)
        form = f"layout {file.layout} and kernels {file.kernels}"
        note = f"{file.id} was published with {form}: this is a converted copy"
        return Fetched(file=file, path=path, converted=True, notes=(*found.notes, note))

    def _convert(self, network: Architecture, found: Fetched, backend: Backend, target: Path) -> None:
        from converters.execute import write
        from converters.layouts import Form
        from converters.plan import make_plan

        file = found.file
        description, matched = check_structure(network, file, found.path, str(found.path))
        plan = make_plan(
            description,
            target=Form(layout=backend, kernels=backend),
            registry_form=Form(layout=file.layout, kernels=file.kernels),
            match=matched,
        )
        done = 0

        def advance(so_far: int, total: int) -> None:
            nonlocal done
            self._progress.advance(so_far - done)
            done = so_far

        self._progress.start(plan.nbytes, f"converting {file.id}")
        try:
            write(plan, target, progress=advance)
        finally:
            self._progress.done()
        check_structure(network, replace(file, layout=backend), target, f"the converted {file.id}")


def _first_seen(file: WeightsFile, sha256: str) -> str:
    return (
        f"{file.id}: no cryptographic digest of this file was ever published; its layers, names and shapes"
        f" are right, and its sha256 {sha256} is held to from now on: a different file will be refused"
    )


def _files_of(network: Architecture, weights: str, top: bool) -> tuple[WeightsFile, ...]:
    """Return the files of a weights set with or without the classifier.

    Raises:
        UnknownNameError: There is no such set or no such file; the message lists what there is.
    """
    files = weights_files(network, weights, top=top)
    if not files:
        there = ", ".join(file.id for file in weights_files(network, weights))
        missing = "with" if top else "without"
        raise UnknownNameError(
            f"{network.name}: no file of the weights set {weights!r} {missing} the classifier was published;"
            f" there is {there}"
        )
    return files


def _command(name: str, backend: Backend, weights: str, top: bool) -> str:
    """Return the command line that asks for the same."""
    options = [f" --backend {backend}"] if backend != "tf" else []
    options += [f" --weights {weights}"] if weights != "imagenet" else []
    options += [] if top else [" --no-top"]
    return f"zoo fetch {name}{''.join(options)}"


def _table(heading: str, reasons: Iterable[str], advice: str) -> str:
    """Return a message with one line for each reason and the advice last."""
    return "\n".join([heading, *(f"  {reason}" for reason in reasons), advice])

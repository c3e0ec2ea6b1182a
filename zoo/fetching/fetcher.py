"""From the name of a network to a verified weights file in the form that was asked for.

Files of that form are tried first, in the registry's order; if there is none to be had, a file of another
form is fetched and converted. Whatever is in the cache already needs no network. Where no source of a weights
set answers, the file that it was converted from is taken, if somebody states which that is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zoo.calling import public
from zoo.download.asking import TransferLimits
from zoo.download.failures import Attempt, NoSourceError, notes_on
from zoo.download.reach import Hosts
from zoo.errors import (
    ArgumentError,
    CacheError,
    ChecksumError,
    DownloadError,
    FileFormatError,
    StructureMismatchError,
    UnknownNameError,
)
from zoo.fetching.verification import (
    Opened,
    check_class_index,
    check_structure,
    check_whole,
    get_ready,
    is_attested,
    without_top,
)
from zoo.progress.asked import Asked, chosen
from zoo.progress.protocol import Progress, shown
from zoo.registry import (
    CLASS_INDEXES,
    get_registry,
    is_class_index,
    look_up,
    weights_file,
    weights_files,
)
from zoo.registry.digests import Hashes, verify_file
from zoo.registry.records import Architecture, ClassIndex, WeightsFile, WeightsSet
from zoo.storage import disk
from zoo.storage.cache import Cache, Item, is_offline
from zoo.storage.clock import Clock, SystemClock

if TYPE_CHECKING:
    from zoo.download.sources import Source, Sources
    from zoo.registry.records import StatedProof
    from zoo.storage.pins import CopyForm
    from zoo.storage.proofs import Proven

Backend = Literal["th", "tf"]
Origins = Mapping[WeightsFile, WeightsSet]
"""Files that may stand in for those of another weights set, with what is said of theirs."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A verified weights file in the cache.

    Attributes:
        file: What the registry says of the published file.
        path: Where it lies, or where its converted copy lies.
        converted: Whether ``path`` is a converted copy: then its form is not the one that ``file`` states.
        notes: What the user should know, one line each.
        opened: What was found in the published file, if it had to be looked into.
    """

    file: WeightsFile
    path: Path
    converted: bool = False
    notes: tuple[str, ...] = ()
    opened: Opened | None = field(default=None, repr=False, compare=False)


@public("backend")
def fetch(
    name: str,
    *,
    backend: Backend | None = None,
    weights: str | None = None,
    top: bool | None = None,
    from_file: str | os.PathLike[str] | None = None,
    require_checksum: bool = False,
    origin: bool = True,
    progress: Asked = None,
) -> Path:
    """Return the path of a verified file, fetched and converted if need be.

    What the user should know about it is logged as a warning.

    Args:
        name: An architecture, for example ``densenet161``; the id of one published file, which is returned
            as it was published; or ``class_indexes/NAME``.
        backend: ``th`` or ``tf``: layout and kernels both; ``tf`` if left out. With a file's id this and the
            next two only say what the file is anyway.
        weights: Name of a weights set; ``imagenet`` if left out.
        top: Whether the file is to hold the classifier; it is if left out.
        from_file: A file that was got in another way; it is checked and copied into the cache.
        require_checksum: Refuse files of which no cryptographic digest was published.
        origin: Whether the file that the authors published, and that a weights set is stated to have been
            converted from, may be taken where no source of the set answers; a warning says so.
        progress: ``None`` draws bars where somebody looks, on a terminal or in a notebook; ``False``, or
            ``ZOO_QUIET=1``, none; ``True`` tells elsewhere too when a step is over. A function is called with
            what is done, the total, which may be ``None``, and what is being done.

    Raises:
        ArgumentError: ``backend`` is neither, a file's id is contradicted, or an argument is not allowed.
        UnknownNameError: There is no such architecture, file, weights set, or file with or without the
            classifier.
        DownloadError: No source gave the file; what each did and what it means, and what can be done.
        CacheError: The cache cannot be used, or a file in it was changed.
        RegistryError: The registry contradicts a file that has every published digest.
    """
    if is_class_index(name):
        given = {"backend": backend, "weights": weights, "top": top, "from_file": from_file}
        check_alone(name, [key for key, value in given.items() if value is not None])
        return fetch_class_index(name.removeprefix(CLASS_INDEXES), progress=chosen(progress))
    found = resolve(
        name,
        backend=backend,
        weights=weights,
        top=top,
        from_file=from_file,
        require_checksum=require_checksum,
        origin=origin,
        progress=chosen(progress),
    )
    for note in found.notes:
        _LOG.warning("%s", note)
    return found.path


def resolve(
    name: str,
    *,
    backend: Backend | None = None,
    weights: str | None = None,
    top: bool | None = None,
    convert: bool = True,
    from_file: str | os.PathLike[str] | None = None,
    require_checksum: bool = False,
    origin: bool = True,
    progress: Progress | None = None,
    hosts: Hosts | None = None,
) -> Fetched:
    """Do what :func:`fetch` does for a weights file, and say which published file it came from.

    Args:
        name: An architecture, for example ``densenet161``, or the id of one published weights file.
        backend: The form that is preferred.
        weights: Name of a weights set.
        top: Whether the file is to hold the classifier.
        convert: Whether a file of another form is converted; if not, it is returned as it is.
        from_file: A file that was got in another way; it is checked and copied into the cache.
        require_checksum: Refuse files of which no cryptographic digest was published.
        origin: Whether the authors' own file may stand in.
        progress: Told about long steps.
        hosts: Which hosts were reached and which were not, where several files are fetched by one command.

    Raises:
        ZooError: As :func:`fetch`.
    """
    fetcher = Fetcher(Cache.from_environment(), progress, hosts=hosts)
    given = None if from_file is None else Path(from_file)
    network, file = _chosen(name)
    if file is not None:
        check_agrees(file, backend=backend, weights=weights, top=top)
        return fetcher.published(network, file, from_file=given, require_checksum=require_checksum)
    return fetcher.resolve(
        network,
        backend="tf" if backend is None else backend,
        weights="imagenet" if weights is None else weights,
        top=top is not False,
        convert=convert,
        from_file=given,
        require_checksum=require_checksum,
        origin=origin,
    )


def _chosen(name: str) -> tuple[Architecture, WeightsFile | None]:
    """Return the network that a name stands for, and the file where it is that of one."""
    found = look_up(name)
    return (found, None) if isinstance(found, Architecture) else weights_file(name)


WORDS: Mapping[str, str] = {"backend": "backend={!r}", "weights": "weights={!r}", "top": "top={!r}"}
"""How messages call what was asked for, by argument."""


def check_agrees(
    file: WeightsFile,
    *,
    backend: Backend | None,
    weights: str | None,
    top: bool | None,
    words: Mapping[str, str] = WORDS,
) -> None:
    """Check that what is said beside a file's id is what the file is.

    Args:
        file: The file.
        backend: Layout and kernels both, if anything is said of them.
        weights: The weights set, if anything is said of it.
        top: Whether it holds the classifier, if anything is said of that.
        words: How messages call these.

    Raises:
        ArgumentError: It is something else.
    """
    form = f"its layout is {file.layout} and its kernels are {file.kernels}"
    facts = (
        ("backend", backend, file.layout == file.kernels == backend, form),
        ("weights", weights, file.set == weights, f"it belongs to the weights set {file.set}"),
        ("top", top, file.top == top, f"it is a file {'with' if file.top else 'without'} the classifier"),
    )
    for key, asked, agrees, fact in facts:
        if asked is not None and not agrees:
            said = words[key].format(asked)
            raise ArgumentError(f"{file.id}: {fact}, which contradicts {said}; leave that out")


def check_alone(name: str, given: Sequence[str]) -> None:
    """Check that nothing is said beside the name of a file that names classes.

    Args:
        name: The file's id.
        given: What is said that only weights files have, in the user's words.

    Raises:
        ArgumentError: Something is.
    """
    if given:
        raise ArgumentError(f"{name}: {given[0]} is for weights files; leave that out")


def find_cached(network: Architecture, weights: str, *, top: bool, origin: bool = False) -> Fetched | None:
    """Return a file of a weights set that the cache has, published or converted, in whatever form.

    Args:
        network: The network.
        weights: Name of one of its weights sets.
        top: Whether the file is to hold the classifier.
        origin: Whether one that the set was converted from is meant instead.

    Raises:
        UnknownNameError: There is no such file with or without the classifier.
        CacheError: The cache cannot be used, or the file in it was changed.
    """
    return Fetcher(Cache.from_environment()).find_cached(network, weights, top=top, origin=origin)


def fetch_class_index(name: str, *, progress: Progress | None = None, hosts: Hosts | None = None) -> Path:
    """Return the path of a verified file that names classes, fetched if need be.

    Args:
        name: Name of the class index, as an architecture's ``class_index`` gives it.
        progress: Told about long steps.
        hosts: Which hosts were reached and which were not, where several files are fetched by one command.

    Raises:
        UnknownNameError: The registry has no such class index.
        DownloadError: No source gave the file.
        CacheError: The cache cannot be used, or the file in it was changed.
    """
    known = get_registry().class_indexes
    if name not in known:
        raise UnknownNameError(f"no class index is called {name!r}; there is {', '.join(known)}")
    return Fetcher(Cache.from_environment(), progress, hosts=hosts).class_index(known[name])


class Fetcher:
    """Brings published files into a cache.

    Args:
        cache: Where files live.
        progress: Told about long steps.
        limits: How long a download may take and how often it is tried; as the environment says if left out.
        clock: Time and chance; the machine's if left out.
        hosts: Which hosts were reached before and which were not, if somebody knows.
    """

    def __init__(
        self,
        cache: Cache,
        progress: Progress | None = None,
        *,
        limits: TransferLimits | None = None,
        clock: Clock | None = None,
        hosts: Hosts | None = None,
    ) -> None:
        self._cache = cache
        self._hosts = hosts or Hosts()
        self._progress = progress or shown()
        self._limits = limits
        self._clock = clock or SystemClock()

    def resolve(
        self,
        network: Architecture,
        *,
        backend: Backend = "tf",
        weights: str = "imagenet",
        top: bool = True,
        convert: bool = True,
        from_file: Path | None = None,
        require_checksum: bool = False,
        origin: bool = True,
    ) -> Fetched:
        """Return a verified weights file of a network; the arguments are those of :func:`resolve`."""
        if backend not in ("th", "tf"):
            raise ArgumentError(f"backend={backend!r}: must be 'th' or 'tf'")
        files = _files_of(network, weights, top)
        origins = _origins(network, weights, top=top, convert=convert) if origin else {}
        notes: tuple[str, ...] = ()
        if require_checksum:
            origins = {file: said for file, said in origins.items() if is_attested(file)}
            kept = _attested(network.name, files, origins)
            notes = () if kept else (_unattested(network.name, files),)
            files = kept
        # A whole model has one form, and comes in it.
        exact = [file for file in files if file.layout == file.kernels == backend or not file.structure]
        others = [file for file in files if file not in exact]
        _LOG.info(
            "%s for %s: published so: %s; in another form: %s; the cache is %s",
            network.name,
            backend,
            ", ".join(file.id for file in exact) or "none",
            ", ".join(file.id for file in others) or "none",
            self._cache.home,
        )
        if from_file is not None:
            found = self._adopted(network, [*exact, *others], origins, from_file)
        else:
            asked = _command(network.name, backend, weights, top)
            copies = others if convert else []
            found = (
                self._cached(network, exact, copies, backend, top=top)
                or self._instead(network, others, origins, backend if convert else None, top=top)
                or self._obtain(network, exact, others, origins, asked=asked, convert=convert)
            )
        _LOG.info("%s: taken from %s: %s", network.name, found.file.id, found.path)
        if not (found.converted or not convert or found.file in exact):
            found = self._converted(network, found, _copy_form(found.file, backend, top))
        return self._told(replace(found, notes=(*notes, *found.notes)))

    def find_cached(
        self, network: Architecture, weights: str, *, top: bool, origin: bool = False
    ) -> Fetched | None:
        """Return what the cache has of a weights set; the arguments are those of :func:`find_cached`."""
        if origin:
            origins = _origins(network, weights, top=top, convert=False)
            return self._origin_cached(network, origins, top=top)
        files = sorted(_files_of(network, weights, top), key=lambda file: file.layout != "tf")
        found = self._cached(network, files, files, "tf", top=top)
        return found or self._cached(network, (), files, "th", top=top)

    def published(
        self,
        network: Architecture,
        file: WeightsFile,
        *,
        from_file: Path | None = None,
        require_checksum: bool = False,
    ) -> Fetched:
        """Return one published file as it is, from the cache or from its sources.

        Args:
            network: The network.
            file: One of its files.
            from_file: As :func:`fetch`.
            require_checksum: As :func:`fetch`.

        Raises:
            ZooError: As :func:`fetch`.
        """
        if require_checksum:
            authors = {said.name for said in network.origins_of(file.set)}
            origins = [one.id for one in network.weights if one.set in authors and is_attested(one)]
            _attested(file.id, [file], instead=origins)
        if from_file is not None:
            return self._told(self._adopt(network, [file], from_file))
        found = self._at_hand(network, file)
        if found is not None:
            return self._told(found)
        self._check_online(network.name, [file.id])
        attempts: list[Attempt] = []
        found = self._first_downloaded(network, [file], attempts)
        if found is None:
            advice = f"get the file in another way, then run: zoo fetch {file.id} --from FILE"
            raise self._nobody(f"{file.id}: no source gave the weights file:", attempts, advice)
        return self._told(found)

    def class_index(self, index: ClassIndex) -> Path:
        """Return a verified class index; the errors are those of :func:`fetch_class_index`."""
        item = Item.of_class_index(index)
        path = self._cache.find(item)
        if path is not None:
            return path
        self._check_online(item.key, [index.name])
        what = f"fetching the class index {index.name}"
        attempts: list[Attempt] = []
        with self._alone(item, what):
            path = self._cache.find(item)
            for source in () if path else self._sources.of(item, index.urls, attempts):
                try:
                    return self._download_index(index, item, source, what)
                except (DownloadError, FileFormatError) as error:
                    attempts.append(source.failed(error, item.key))
        if path is None:
            advice = "try again later, or name another source in an overlay registry (ZOO_REGISTRY)"
            raise self._nobody(f"no source gave the class index {index.name}:", attempts, advice)
        return path

    def _download_index(self, index: ClassIndex, item: Item, source: Source, what: str) -> Path:
        with self._sources.download(item, source, what=what, signature=b"") as got:
            check_class_index(index, got.path, source.url)
            self._cache.check_seen(item, got.digests["sha256"], source.url)
            return self._cache.keep(got.path, item, digests=got.digests, url=source.url)

    # The network.

    @cached_property
    def _sources(self) -> Sources:
        from zoo.download.sources import Sources  # only who goes to the network needs its libraries

        return Sources(
            self._cache.partials, self._progress, limits=self._limits, clock=self._clock, hosts=self._hosts
        )

    def _check_online(self, name: str, ids: Iterable[str]) -> None:
        if is_offline():
            missing = ", ".join(ids)
            problem = f"; {self._cache.problem}" if self._cache.problem else ""
            reason = f"ZOO_OFFLINE is set, and the cache has none of {missing}; unset it to fetch them"
            raise CacheError(f"{name}: {reason}{problem}")

    def _nobody(self, heading: str, attempts: Iterable[Attempt], advice: str) -> NoSourceError:
        """Return the error of a file that nobody gave; a shared folder that was left out may have it."""
        said = [self._cache.problem] if self._cache.problem else []
        return NoSourceError(heading, attempts, "\n".join([*said, advice]))

    def _told(self, found: Fetched) -> Fetched:
        """Return a file with what the user should know of the cache itself."""
        said = (self._cache.problem,) if self._cache.problem else ()
        return replace(found, notes=(*said, *found.notes))

    @contextmanager
    def _alone(self, item: Item, what: str, form: CopyForm | None = None) -> Iterator[None]:
        """Let nobody else do the same meanwhile, as far as locks work."""
        from zoo.storage.locks import one_at_a_time
        from zoo.storage.partials import plain_key, progress_of_others

        name = plain_key(item.key) + (f"-{form}" if form else "")
        with one_at_a_time(
            self._cache.partials / f"{name}.lock",
            clock=self._clock,
            progress=self._progress,
            what=what,
            total=None if form else item.bytes,
            so_far=lambda: 0 if form else progress_of_others(self._cache.partials, item.key),
        ):
            yield

    # What the cache has.

    def _cached(
        self,
        network: Architecture,
        exact: Iterable[WeightsFile],
        others: Iterable[WeightsFile],
        backend: Backend,
        *,
        top: bool,
    ) -> Fetched | None:
        """Return a file of the form that was asked for, published or converted, that needs no network."""
        for file in exact:
            if found := self._at_hand(network, file):
                return found
        for file in others:
            item = Item.of_weights(network.name, file)
            path = self._cache.find(item, _copy_form(file, backend, top))
            if path is not None:
                return Fetched(file=file, path=path, converted=True)
        return None

    def _at_hand(self, network: Architecture, file: WeightsFile) -> Fetched | None:
        """Return a file as published from the cache, or from where the registry says that it lies here."""
        path = self._cache.find(Item.of_weights(network.name, file))
        if path is not None:
            return Fetched(file=file, path=path)
        if found := self._under_another_id(network, file):
            return found
        if file.path is None or not Path(file.path).is_file():
            return None
        return self._adopt(network, [file], Path(file.path))

    def _under_another_id(self, network: Architecture, file: WeightsFile) -> Fetched | None:
        """Keep what the cache has as a file of another weights set, where both sets are of the same file."""
        from zoo.storage.partials import scratch

        for twin in (one for one in network.entries_of(file) if one.id != file.id):
            own = self._cache.remembered(Item.of_weights(network.name, file))
            item = Item.of_weights(network.name, twin)
            seen = self._cache.remembered(item)
            # Another file than this cache holds to under this id is fetched, or refused, as any is.
            if seen is None or (own is not None and own.sha256 != seen.sha256):
                continue
            path = self._undamaged(item)
            if path is not None:
                with scratch(self._cache.partials, file.id, self._clock.time()) as temporary:
                    disk.link(path, temporary)
                    return self._keep(network, file, temporary, seen.digests, seen.url)
        return None

    def _undamaged(self, item: Item) -> Path | None:
        """Return an item's verified file; one that is damaged is told of to whoever asks for it."""
        try:
            return self._cache.find(item)
        except (CacheError, ChecksumError) as error:
            _LOG.debug("%s: passed over: %s", item.key, error)
            return None

    def _first_at_hand(self, network: Architecture, files: Iterable[WeightsFile]) -> Fetched | None:
        """Return the first of some files that needs no network, as it was published."""
        return next(filter(None, (self._at_hand(network, file) for file in files)), None)

    def _instead(
        self,
        network: Architecture,
        others: Iterable[WeightsFile],
        origins: Origins,
        backend: Backend | None,
        *,
        top: bool,
    ) -> Fetched | None:
        """Return an origin that the cache has, or if it has a file of the set in another form that one."""
        found = self._origin_cached(network, origins, backend, top=top)
        return found and (self._first_at_hand(network, others) or found)

    def _origin_cached(
        self, network: Architecture, origins: Origins, backend: Backend | None = None, *, top: bool
    ) -> Fetched | None:
        """Return an origin that the cache has, as it was published or converted to a form.

        One that was fetched for its own sake is none, unless it is proven to be the same: sources are asked.

        Args:
            network: The network.
            origins: The files, with what is said of their sets.
            backend: The form that it is to be converted to; None for any.
            top: Whether the classifier is wanted.
        """
        forms: tuple[Backend, ...] = ("tf", "th") if backend is None else (backend,)
        for file, said in origins.items():
            copies = (self._cached(network, (), (file,), form, top=top) for form in forms)
            found = next(filter(None, copies), None) or self._at_hand(network, file)
            if found and self._counts(network, file, said):
                return self._from_origin(network, found, said)
        return None

    def _counts(self, network: Architecture, file: WeightsFile, said: WeightsSet) -> bool:
        """Tell whether an origin in the cache is taken before any source of the set is asked."""
        stood_in = self._cache.has_stood_in(Item.of_weights(network.name, file))
        return is_offline() or stood_in or self._proof(network, file, said) is not None

    def _stood_in(self, network: Architecture, found: Fetched, said: WeightsSet) -> Fetched:
        """Return an origin that stands in from now on, with the same line."""
        self._cache.stand_in(Item.of_weights(network.name, found.file))
        return self._from_origin(network, found, said)

    def _from_origin(self, network: Architecture, found: Fetched, said: WeightsSet) -> Fetched:
        """Return a file with the line that says whose it is, and what is known of it."""
        note = _stands_in(network, found.file, said, self._proof(network, found.file, said))
        return replace(found, notes=(*found.notes, note))

    def _proof(self, network: Architecture, file: WeightsFile, said: WeightsSet) -> str | None:
        """Return who proved, here or elsewhere, that the file that is held has the values of a set's file."""
        from zoo.storage.proofs import saved_proofs

        ids = {one.id: one for one in network.weights if one.set == said.same_values_as}
        held = self._cache.remembered(Item.of_weights(network.name, file))
        found: list[tuple[Proven | StatedProof, str | None, str]] = [
            *((one, one.id, "here") for one in saved_proofs(self._cache.home) if one.id in ids),
            *((one, name, f"by {one.by}") for name, told in ids.items() for one in told.proofs),
        ]
        for one, name, where in found:
            is_of_held = held is not None and one.origin_sha256 == held.sha256
            if one.proven and one.origin == file.id and is_of_held:
                return f"proven {where} on {one.date} to hold the same values as {name}"
        return None

    # What the network has.

    def _obtain(
        self,
        network: Architecture,
        exact: Sequence[WeightsFile],
        others: Sequence[WeightsFile],
        origins: Origins,
        *,
        asked: str,
        convert: bool,
    ) -> Fetched:
        """Return the first file that can be had: as asked, else of another form, what is in the cache first.

        The origins come last: nobody has proven that they hold the same values.

        Raises:
            DownloadError: There is none.
            CacheError: There is none in the cache, and the network must not be asked.
        """
        attempts: list[Attempt] = []
        found = None if is_offline() else self._first_downloaded(network, exact, attempts)
        if found is None and (held := self._first_at_hand(network, others)):
            return replace(held, notes=notes_on(attempts))
        if found is None:
            self._check_online(network.name, [file.id for file in (*exact, *others, *origins)])
            found = self._first_downloaded(network, others, attempts, convert=convert)
        if found is None and (held := self._first_downloaded(network, origins, attempts, convert=convert)):
            return self._stood_in(network, held, origins[held.file])
        if found is None:
            advice = f"get the file in another way, then run: {asked} --from FILE"
            raise self._nobody(f"{network.name}: no source gave the weights file:", attempts, advice)
        return found

    def _first_downloaded(
        self,
        network: Architecture,
        files: Iterable[WeightsFile],
        attempts: list[Attempt],
        *,
        convert: bool = False,
    ) -> Fetched | None:
        """Try every source of some files in turn; the ones that failed are added to ``attempts``."""
        for file in files:
            item = Item.of_weights(network.name, file)
            attempts += [_moved(file, file.path)] if file.path else []
            with self._alone(item, f"fetching {file.id}"):
                path = self._cache.find(item)
                if path is not None:  # somebody else has fetched it meanwhile
                    return Fetched(file=file, path=path, notes=notes_on(attempts))
                for source in self._sources.of(item, file.urls, attempts):
                    try:
                        found = self._download(network, file, source, convert=convert)
                    except (DownloadError, FileFormatError, StructureMismatchError) as error:
                        attempts.append(source.failed(error, file.id))
                    else:
                        return replace(found, notes=(*notes_on(attempts), *found.notes))
        return None

    def _download(
        self, network: Architecture, file: WeightsFile, source: Source, *, convert: bool
    ) -> Fetched:
        from zoo.download.pages import HDF5_SIGNATURE

        item = Item.of_weights(network.name, file)
        signature = HDF5_SIGNATURE if file.is_hdf5 else b""
        with self._sources.download(
            item,
            source,
            what=f"fetching {file.id}",
            signature=signature,
            converts=convert,
            meanwhile=partial(get_ready, converts=convert),
        ) as got:
            found = self._keep(network, file, got.path, got.digests, source.url, mirror=source.mirror)
        return replace(found, notes=(*got.notes, *found.notes))

    def _keep(
        self,
        network: Architecture,
        file: WeightsFile,
        temporary: Path,
        digests: Mapping[str, str],
        url: str,
        *,
        mirror: str | None = None,
        opened: Opened | None = None,
    ) -> Fetched:
        """Give a file whose published digests were checked its place, if it holds what it should."""
        item = Item.of_weights(network.name, file)
        # First whether it is whole: what is refused after that is offered to be accepted.
        try:
            opened = opened or check_whole(network, file, temporary, url)
        except (FileFormatError, StructureMismatchError) as error:
            undone = self._cache.reject(item, digests["sha256"])
            if undone is None:
                raise
            raise type(error)(f"{error}; {undone}") from error
        seen = self._cache.check_seen(item, digests["sha256"], url)
        is_known = seen is not None or is_attested(file)
        notes = () if is_known else (_first_seen(file, digests["sha256"], mirror),)
        path = self._cache.keep(temporary, item, digests=digests, url=url)
        return Fetched(file=file, path=path, notes=notes, opened=opened and opened.at(path))

    # What the user has.

    def _adopted(
        self, network: Architecture, files: Sequence[WeightsFile], origins: Origins, source: Path
    ) -> Fetched:
        """Return the user's copy of a file that will do; where none of a set will, of one that stands in."""
        from converters.formats.opening import HEAD
        from converters.formats.table import format_of
        from converters.hdf5.reader import open_regular

        with open_regular(source) as stream:
            head = stream.read(HEAD)
        formats = ((file, format_of(file.format)) for file in origins)
        stands_in = [file for file, found in formats if found and found.load().recognise(head)]
        fitting = [file for file in files if not (stands_in and file.is_hdf5)]
        found = self._adopt(network, [*fitting, *stands_in] or list(origins), source)
        said = origins.get(found.file)
        return self._stood_in(network, found, said) if said else found

    def _adopt(self, network: Architecture, files: Sequence[WeightsFile], source: Path) -> Fetched:
        """Copy the user's file into the cache, once it is clear which of some published files it is."""
        from converters.hdf5.reader import check_signature, open_regular
        from zoo.storage.partials import scratch

        open_regular(source).close()  # no pipe is waited for
        if all(file.is_hdf5 for file in files):
            check_signature(source)
        algorithms = {"sha256", *(digest.algorithm for file in files for digest in file.digests)}
        with scratch(self._cache.partials, files[0].id, self._clock.time()) as temporary:
            digests = self._copy(source, temporary, algorithms)
            file, opened = self._identify(network, files, source, temporary, digests)
            return self._keep(network, file, temporary, digests, source.resolve().as_uri(), opened=opened)

    def _copy(self, source: Path, target: Path, algorithms: Iterable[str]) -> dict[str, str]:
        """Copy a file, so that what is checked from here on cannot be changed by anybody else."""
        from zoo.storage.space import check_space

        size = source.stat().st_size
        check_space(self._cache.home, copy=size)
        hashes = Hashes(algorithms, size)

        def note(piece: bytes) -> None:
            hashes.update(piece)
            self._progress.advance(len(piece))

        self._progress.start(size, f"copying {source.name}")
        try:
            disk.copy(source, target, note)
        except OSError as error:
            raise CacheError(f"{source}: cannot be copied to {self._cache.home}: {error.strerror}") from error
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
    ) -> tuple[WeightsFile, Opened | None]:
        """Return which published file a file is: by its digests, or where there are none by what it holds.

        What was found in it is returned as well, if it was looked into.

        Raises:
            DownloadError: It is none of them, or could be several that are not alike.
        """
        fitting, reasons = [], []
        for file in files:
            try:
                verify_file(path, file.digests, file.bytes, known=digests, label=file.id)
                if file.digests:
                    return file, None
                opened = check_whole(network, file, path, file.id)
                item, url = Item.of_weights(network.name, file), source.resolve().as_uri()
                self._cache.check_seen(item, digests["sha256"], file.id, url=url)
                fitting.append((file, opened))
            except (DownloadError, FileFormatError, StructureMismatchError) as error:
                reasons.append(str(error))
        if not fitting:
            advice = "get the file from somewhere else, or say with --weights and --no-top what it is"
            raise DownloadError(_table(f"{source}: is no weights file of {network.name}:", reasons, advice))
        if len({(file.layout, file.kernels) for file, _ in fitting}) > 1:
            names = ", ".join(file.id for file, _ in fitting)
            raise DownloadError(f"{source}: could be any of {names}, and nothing in the file tells which")
        return fitting[0]

    # The other form.

    def _converted(self, network: Architecture, found: Fetched, form: CopyForm) -> Fetched:
        """Return a copy of a file in another form; there was none before, but one may come meanwhile."""
        file, item = found.file, Item.of_weights(network.name, found.file)
        with self._alone(item, f"converting {file.id}", form):
            path = self._cache.find(item, form) or self._convert_and_keep(network, found, form)
        was = f"layout {file.layout} and kernels {file.kernels}"
        was = f"{was}, in the format {file.format}" if file.format else was
        lacks = " without the classifier" if _leaves_top_out(form) else ""
        note = f"{file.id} was published with {was}: this is a converted copy{lacks}"
        return Fetched(file=file, path=path, converted=True, notes=(*found.notes, note))

    def _convert_and_keep(self, network: Architecture, found: Fetched, form: CopyForm) -> Path:
        from zoo.storage.partials import scratch
        from zoo.storage.space import check_space

        item = Item.of_weights(network.name, found.file)
        with scratch(self._cache.partials, found.file.id, self._clock.time()) as temporary:
            check_space(temporary.parent, convert=found.path.stat().st_size)
            plan = self._convert(network, found, form, temporary)
            return self._cache.keep_converted(temporary, item, form, plan=plan)

    def _convert(self, network: Architecture, found: Fetched, form: CopyForm, target: Path) -> str:
        """Write a copy of a file in another form, and return the digest of the plan."""
        from converters.arrays.form import Form
        from converters.planning.making import make_plan
        from converters.planning.plan import plan_digest
        from converters.writing.execute import write

        file, backend = found.file, _backend_of(form)
        opened = found.opened or check_structure(network, file, found.path, str(found.path))
        if _leaves_top_out(form):
            opened = without_top(network, file, opened)
        description, matched = opened
        plan = make_plan(
            description,
            target=Form(layout=backend, kernels=backend),
            registry_form=Form(layout=file.layout, kernels=file.kernels),
            match=matched,
            to=_dialect_of_copies(network, file) if file.format else None,
        )
        done = 0

        def advance(so_far: int, total: int) -> None:
            nonlocal done
            self._progress.advance(so_far - done)
            done = so_far

        self._progress.start(plan.nbytes, f"converting {file.id}")
        try:
            write(plan, target, progress=advance, licence=file.licence)
        finally:
            self._progress.done()
        made = replace(file, layout=backend, format=None, top=file.top and not _leaves_top_out(form))
        label = f"the converted {file.id}"
        check_structure(network, made, target, label, structure=matched.structure)
        return plan_digest(plan)


def _moved(file: WeightsFile, path: str) -> Attempt:
    """Return why there is nothing where the registry says that a file lies on this machine."""
    advice = "it was moved or removed: `zoo registry add FILE --replace` says where it is now"
    return Attempt(source=path, happened="there is no such file", meaning=advice, file=file.id)


def _first_seen(file: WeightsFile, sha256: str, mirror: str | None) -> str:
    whose = f" it came from the mirror {mirror}, which is trusted as first seen only;" if mirror else ""
    return (
        f"{file.id}: no cryptographic digest of this file was ever published;{whose} its layers, names and"
        f" shapes are right, and its sha256 {sha256} is held to from now on: a different file will be refused"
    )


def _copy_form(file: WeightsFile, backend: Backend, top: bool) -> CopyForm:
    """Return the form of a copy of a file, which lacks the classifier where the file has it in vain."""
    if file.top == top:
        return backend
    return "tf-notop" if backend == "tf" else "th-notop"


def _dialect_of_copies(network: Architecture, file: WeightsFile) -> str:
    """Return the dialect of copies of other software's file.

    It is Keras 1, in which files state both layout and kernels, unless all files of Keras that have the same
    graph are of Keras 2: its graph may have what Keras 1 lacks, normalisations without a slope.
    """
    structures = network.graph_of(file.structure).structures
    dialects = {one.dialect for one in network.weights if one.structure in structures and not one.format}
    return "keras2" if dialects == {"keras2"} else "keras1"


def _leaves_top_out(form: CopyForm) -> bool:
    return form.endswith("-notop")


def _backend_of(form: CopyForm) -> Backend:
    return "tf" if form.startswith("tf") else "th"


def _unattested(name: str, files: Iterable[WeightsFile]) -> str:
    """Return why none of a set's own files is taken where a digest is required."""
    ids = ", ".join(file.id for file in files)
    return f"{name}: no cryptographic digest was published of {ids}: one of its authors' file was"


def _attested(
    name: str,
    files: Iterable[WeightsFile],
    others: Collection[WeightsFile] = (),
    *,
    instead: Sequence[str] = (),
) -> tuple[WeightsFile, ...]:
    """Return the files of which a cryptographic digest was published.

    Args:
        name: What was asked for.
        files: The files.
        others: What else may be taken.
        instead: What the user may ask for instead.

    Raises:
        DownloadError: There is none, and nothing else may be taken.
    """
    files = tuple(files)
    attested = tuple(file for file in files if is_attested(file))
    if not attested and not others:
        reasons = [f"{file.id}: no cryptographic digest of this file was published" for file in files]
        advice = f"ask for {instead[0]}, which its authors published, or " if instead else ""
        advice += "leave the option out to go by layers, names and shapes, and by what was first seen"
        raise DownloadError(_table(f"{name}: --require-checksum refuses every file:", reasons, advice))
    return attested


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


def _origins(network: Architecture, weights: str, *, top: bool, convert: bool) -> Origins:
    """Return the files that a weights set is said to have been converted from, best first.

    One with the classifier will do: whoever reads it takes what is wanted, and a copy leaves it out; those of
    Keras are never copied within their own form.
    """
    known = {said.name: said for said in network.origins_of(weights)}
    fitting = (file for file in network.weights if file.set in known)
    leaves_out = (file for file in fitting if file.top == top or (file.top and (file.format or not convert)))
    return {file: known[file.set] for file in leaves_out}


_CLAIMS: Mapping[str, str] = {
    "stated": "stated by {} to hold the same values",
    "common ancestor": "stated by {} to come from what the weights set comes from",
    "inferred": "inferred to hold the same values: {}",
}
"""What is said of an origin, by how it is known."""


def _stands_in(network: Architecture, file: WeightsFile, said: WeightsSet, proof: str | None) -> str:
    if proof is not None:
        return f"{network.name}: taken from {file.id}: {proof}"
    claim = _CLAIMS[str(said.claim)].format(said.stated_by)
    return f"{network.name}: taken from {file.id}: {claim}, not proven"


def _command(name: str, backend: Backend, weights: str, top: bool) -> str:
    """Return the command line that asks for the same."""
    options = [f" --backend {backend}"] if backend != "tf" else []
    options += [f" --weights {weights}"] if weights != "imagenet" else []
    options += [] if top else [" --no-top"]
    return f"zoo fetch {name}{''.join(options)}"


def _table(heading: str, reasons: Iterable[str], advice: str) -> str:
    """Return a message with one line for each reason and the advice last."""
    return "\n".join([heading, *(f"  {reason}" for reason in reasons), advice])

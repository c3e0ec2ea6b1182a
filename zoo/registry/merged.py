"""Registry files laid over each other, and entries that are checked when they are first asked for.

What is at the top of the files is checked at once, each network, recipe and class index by itself: whoever
asks for one network waits for no other, and a mistake in another stops nobody.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

from converters.planning.plugins import WITHOUT
from zoo.errors import RegistryError
from zoo.registry import fields
from zoo.registry.assembly import architecture_of, clash
from zoo.registry.fields import Mistake
from zoo.registry.form import FORM, PARTS, SCHEMA_KEY
from zoo.registry.lazy import Lazy
from zoo.registry.origins import Origins, lay_over
from zoo.registry.places import Layer
from zoo.registry.reading import LayerFile, ids_of
from zoo.registry.records import Architecture, ClassIndex, Registry, WeightsFile

_Entry = TypeVar("_Entry")


Owner = Sequence[Any]
"""Which network has a weights file, at which place of its list, and how the id is written there."""


class Merged:
    """What several files say together.

    Args:
        files: The files, the lowest first.

    Raises:
        RegistryError: The top of one breaks the form.
    """

    def __init__(self, files: Sequence[LayerFile]) -> None:
        self._files = files
        self._check_top()
        self._holders = {part: self._holders_of(part) for part in PARTS}
        self._check_not_empty()
        self.registry = Registry(
            class_indexes=self._lazy("class_indexes", self._class_index),
            preprocessing=self._lazy("preprocessing", lambda _, entry: entry),
            architectures=self._lazy("architectures", self._architecture),
            files=Lazy(lambda: self._ids_of_files, self._file),
        )

    def _check_top(self) -> None:
        top: dict[str, LayerFile] = {}
        for file in self._files:
            top |= dict.fromkeys([*file.top, *file.parts], file)
            for part in PARTS:
                if part in file.top:
                    mistake = Mistake((part,), f"{fields.show(file.top[part])} is not a mapping")
                    raise placed_in(mistake, file.layer)
        try:
            FORM.check_keys(top, ())
            SCHEMA_KEY.kind.check(top["schema"].top["schema"], ("schema",))
        except Mistake as mistake:
            name = mistake.path[0]
            raise placed_in(mistake, top[str(name)].layer if name in top else self._files[0].layer) from None

    def _check_not_empty(self) -> None:
        for part, holders in self._holders.items():
            if not holders:
                raise placed_in(Mistake((part,), "is empty"), self._files[0].layer)

    def _holders_of(self, part: str) -> dict[str, tuple[LayerFile, ...]]:
        """Return which files say something of each name in a part."""
        holders: dict[str, tuple[LayerFile, ...]] = {}
        for file in self._files:
            names = file.names(part)
            if holders.keys().isdisjoint(names):
                holders |= dict.fromkeys(names, (file,))
            else:
                holders |= {name: (*holders.get(name, ()), file) for name in names}
        return holders

    def _lazy(self, part: str, finish: Callable[[str, Any], _Entry]) -> Lazy[_Entry]:
        def make(name: str) -> _Entry:
            raw, origins = self._laid_over(part, name)
            try:
                return finish(name, PARTS[part].check_entry(name, raw, (part,)))
            except Mistake as mistake:
                raise self._explained(mistake, part, name, origins) from None

        return Lazy(lambda: self._holders[part], make)

    def _laid_over(self, part: str, name: str) -> tuple[Any, Origins]:
        """Return what the files say of a name together, and who said what."""
        first, *others = self._holders[part][name]
        check_owner(part, name, self._holders[part][name])
        origins, raw = Origins(first.layer.label), first.entry(part, name)
        if others:
            whole = {part: {name: copy.deepcopy(raw)}}
            for file in others:
                above = {part: {name: copy.deepcopy(file.entry(part, name))}}
                try:
                    lay_over(whole, above, file.layer.label, origins)
                except Mistake as mistake:
                    raise self._explained(mistake, part, name, origins) from None
            raw = whole[part][name]
        return raw, origins

    def _explained(self, mistake: Mistake, part: str, name: str, origins: Origins) -> RegistryError:
        """Return the error of a mistake, with the file and the line that it stands in."""
        label = origins.of(mistake.path)
        layer = next(file.layer for file in self._holders[part][name] if file.layer.label == label)
        return placed_in(Mistake(origins.written(mistake.path), mistake.reason), layer)

    def _class_index(self, name: str, entry: ClassIndex) -> ClassIndex:
        first = next(known for known in self._holders["class_indexes"] if known.lower() == name.lower())
        if first != name:
            raise Mistake(("class_indexes", name), clash(name, first, ("class_indexes", first)))
        return entry

    def _architecture(self, name: str, entry: dict[str, Any]) -> Architecture:
        network = architecture_of(entry, self.registry.preprocessing, self.registry.class_indexes)
        for place, file in enumerate(network.weights):
            if self._is_unique(file.id):
                continue
            owner, at, known = self._owners[file.id.lower()]
            if (owner, at) != (name, place):
                reason = clash(file.id, known, ("architectures", owner, "weights", at))
                raise Mistake(("architectures", name, "weights", place, "id"), reason)
        return network

    @cached_property
    def _ids_of_files(self) -> Mapping[str, Owner]:
        """The ids of all weights files, as they are written."""
        return {owner[2]: owner for owner in self._owners.values()}

    def _is_unique(self, identifier: str) -> bool:
        """Tell whether an id surely stands once in all files, without reading whose it is."""
        return self._is_disjoint and sum(file.times(identifier) for file in self._files) == 1

    @cached_property
    def _is_disjoint(self) -> bool:
        """Whether no two files say something of the same network."""
        names = sum(len(file.names("architectures")) for file in self._files)
        return len(self._holders["architectures"]) == names

    @cached_property
    def _owners(self) -> Mapping[str, Owner]:
        """Which network each id of a file belongs to: the first that has it."""
        holders = self._holders["architectures"]
        owners: dict[str, Owner] = {}
        if self._is_disjoint:
            for file in reversed(self._files):
                owners |= file.owners()
            return owners
        for name in holders:
            for place, identifier in self._ids(name):
                owners.setdefault(identifier.lower(), (name, place, identifier))
        return owners

    def _ids(self, name: str) -> Iterator[tuple[int, str]]:
        with suppress(RegistryError):  # whoever asks for the network is told
            yield from ids_of(self._laid_over("architectures", name)[0])

    def _file(self, identifier: str) -> tuple[Architecture, WeightsFile]:
        name, place, _ = self._owners[identifier.lower()]
        network = self.registry.architectures[name]
        return network, network.weights[place]


def check_names(files: Sequence[LayerFile]) -> None:
    """Check that no plug-in says something of what another package has.

    Raises:
        RegistryError: One does.
    """
    for brought in (file for file in files if file.layer.package):
        for part in brought.parts:
            for name in brought.names(part):
                check_owner(part, name, [file for file in files if name in file.names(part)])


def check_owner(part: str, name: str, files: Sequence[LayerFile]) -> None:
    """Check that one package alone brings a name: what a plug-in adds cannot change what is there.

    Args:
        part: The part of the registry.
        name: The name in it.
        files: Those that say something of it.

    Raises:
        RegistryError: Several do.
    """
    owners = [file.layer for file in files if file.layer.origin in ("shipped", "plug-in")]
    if len(owners) > 1:
        first, second = owners[:2]
        reason = f"{first.package or 'keras-weight-zoo'} has this name already; uninstall one; {WITHOUT}"
        raise placed_in(Mistake((part, name), reason), second)


def placed_in(mistake: Mistake, layer: Layer) -> RegistryError:
    """Return the error of a mistake in a file, with its line."""
    from zoo.registry.strict_yaml import line_of  # only mistakes pay for this import

    return RegistryError(f"{layer.label}{line_of(layer.path, mistake.path)}: {mistake}")

"""Registry files laid over each other, and entries that are checked when they are first asked for.

What is at the top of the files is checked at once, each network, recipe and class index by itself: whoever
asks for one network waits for no other, and a mistake in another stops nobody.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from zoo.errors import RegistryError
from zoo.registry import fields
from zoo.registry.assembly import architecture_of
from zoo.registry.fields import Mistake
from zoo.registry.form import FORM, PARTS, SCHEMA_KEY
from zoo.registry.lazy import Lazy
from zoo.registry.origins import Origins, lay_over
from zoo.registry.places import Layer
from zoo.registry.reading import LayerFile, ids_of
from zoo.registry.records import Architecture, Registry, WeightsFile

_Entry = TypeVar("_Entry")


class Owner(NamedTuple):
    """Which network has a weights file, and at which place of its list."""

    network: str
    place: int


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
            class_indexes=self._lazy("class_indexes", lambda _, entry: entry),
            preprocessing=self._lazy("preprocessing", lambda _, entry: entry),
            architectures=self._lazy("architectures", self._architecture),
            files=Lazy(lambda: self._owners, self._file),
        )

    def _check_top(self) -> None:
        top: dict[str, LayerFile] = {}
        for file in self._files:
            top |= dict.fromkeys([*file.top, *file.parts], file)
            for part in PARTS:
                if part in file.top:
                    mistake = Mistake((part,), f"{fields.show(file.top[part])} is not a mapping")
                    raise _placed(mistake, file.layer)
        try:
            FORM.check_keys(top, ())
            SCHEMA_KEY.kind.check(top["schema"].top["schema"], ("schema",))
        except Mistake as mistake:
            name = mistake.path[0]
            raise _placed(mistake, top[str(name)].layer if name in top else self._files[0].layer) from None

    def _check_not_empty(self) -> None:
        for part, holders in self._holders.items():
            if not holders:
                raise _placed(Mistake((part,), "is empty"), self._files[0].layer)

    def _holders_of(self, part: str) -> dict[str, list[LayerFile]]:
        """Return which files say something of each name in a part."""
        holders: dict[str, list[LayerFile]] = {}
        for file in self._files:
            for name in file.names(part):
                holders.setdefault(name, []).append(file)
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
        return _placed(Mistake(origins.written(mistake.path), mistake.reason), layer)

    def _architecture(self, name: str, entry: dict[str, Any]) -> Architecture:
        network = architecture_of(entry, self.registry.preprocessing, self.registry.class_indexes)
        for place, file in enumerate(network.weights):
            owner = self._owners[file.id]
            if owner != (name, place):
                first = fields.dotted(("architectures", owner.network, "weights", owner.place))
                raise Mistake(
                    ("architectures", name, "weights", place, "id"),
                    f"{file.id!r} is the id of {first} already",
                )
        return network

    @cached_property
    def _owners(self) -> Mapping[str, Owner]:
        """Which network each id of a file belongs to: the first that has it."""
        owners: dict[str, Owner] = {}
        for name, holders in self._holders["architectures"].items():
            for place, identifier in self._ids(name, holders):
                owners.setdefault(identifier, Owner(name, place))
        return owners

    def _ids(self, name: str, holders: Sequence[LayerFile]) -> Iterator[tuple[int, str]]:
        if len(holders) == 1:
            yield from holders[0].ids(name)
            return
        try:
            raw = self._laid_over("architectures", name)[0]
        except RegistryError:
            return  # whoever asks for the network is told
        yield from ids_of(raw)

    def _file(self, identifier: str) -> tuple[Architecture, WeightsFile]:
        network = self.registry.architectures[self._owners[identifier].network]
        return network, network.weights[self._owners[identifier].place]


def _placed(mistake: Mistake, layer: Layer) -> RegistryError:
    """Return the error of a mistake in a file, with its line."""
    from zoo.registry.strict_yaml import line_of  # only mistakes pay for this import

    return RegistryError(f"{layer.label}{line_of(layer.path, mistake.path)}: {mistake}")

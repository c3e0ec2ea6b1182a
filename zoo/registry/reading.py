"""One registry file, as the parts that it says something of; large ones by way of a compiled copy."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pkgutil import resolve_name
from typing import Any

from converters.version import newer_fault
from zoo.errors import RegistryError
from zoo.registry import compiled
from zoo.registry.form import PARTS, SCHEMA
from zoo.registry.places import Layer, read_bytes


class LayerFile:
    """What one file says.

    Args:
        layer: The file.
        by_copy: Whether a compiled copy may be read and written in its place.

    Attributes:
        layer: The file.
        top: What it says beside the parts of a registry, or in the place of one.

    Raises:
        RegistryError: It cannot be read, is too large, is not YAML, or of a newer form.
    """

    def __init__(self, layer: Layer, *, by_copy: bool) -> None:
        self.layer = layer
        self._by_copy = by_copy
        self._digest = compiled.digest_of_layer(layer) if by_copy else None
        self._parts: Mapping[str, Mapping[str, Any]] | None = None
        self._text_of_ids: str | None = None
        self._compiled = self._kept()
        self.top = self._compiled.top if self._compiled else self._read()

    def _kept(self) -> compiled.Compiled | None:
        with suppress(compiled.Damaged):
            return compiled.Compiled(self._digest) if self._digest else None
        return None

    def _read(self) -> dict[str, Any]:
        """Read the YAML, and return the top."""
        from zoo.registry.strict_yaml import parse_yaml  # what is compiled needs no reader

        content = _content(self.layer)
        raw = parse_yaml(content, self.layer.label)
        if fault := newer_fault(raw.get("schema"), SCHEMA):
            raise RegistryError(f"{self.layer.label}: {fault}")
        self._parts = {part: raw.pop(part) for part in PARTS if isinstance(raw.get(part), dict)}
        self._digest = compiled.digest_of_layer(self.layer, content) if self._by_copy else None
        if self._digest and len(content) >= compiled.WORTH_BYTES:
            found = _owners(self._parts.get("architectures", {}))
            owners = {compiled.OWNERS: found, compiled.IDS: self._ids()}
            compiled.keep(self._digest, raw, {**self._parts, compiled.OWNERS: owners})
        return raw

    def _read_again(self) -> None:
        """Read the YAML in place of a compiled copy that cannot be used any more.

        Raises:
            RegistryError: It says something else by now.
        """
        compiled_of, self._compiled = self._digest, None
        self._read()
        if self._digest != compiled_of:
            raise RegistryError(f"{self.layer.label}: was changed while it was in use; run this again")

    @property
    def parts(self) -> Collection[str]:
        """The parts of a registry that the file says something of."""
        return self._compiled.parts if self._compiled else self._said

    @property
    def _said(self) -> Mapping[str, Mapping[str, Any]]:
        assert self._parts is not None
        return self._parts

    def names(self, part: str) -> Collection[str]:
        """Return the names that the file has in a part of the registry."""
        if self._compiled:
            return self._compiled.names(part)
        return self._said.get(part, {})

    def entry(self, part: str, name: str) -> Any:  # noqa: ANN401 - whatever a registry file can hold
        """Return what the file says of one name; not to be changed."""
        if self._compiled:
            try:
                return self._compiled.entry(part, name)
            except compiled.Damaged:
                self._read_again()
        return self._said[part][name]

    def whole(self) -> dict[str, Any]:
        """Return all that the file says, as a copy."""
        parts = {part: {name: self.entry(part, name) for name in self.names(part)} for part in self.parts}
        return copy.deepcopy(self.top | parts)

    def owners(self) -> Mapping[str, Sequence[Any]]:
        """Return which network of the file, and which place there, each id of a weights file belongs to."""
        if self._compiled:
            with suppress(compiled.Damaged):
                kept: dict[str, Sequence[Any]] = self._compiled.entry(compiled.OWNERS, compiled.OWNERS)
                return kept
        return _owners({name: self.entry("architectures", name) for name in self.names("architectures")})

    def _ids(self) -> str:
        """Return the ids of all weights files, with a line of its own around each."""
        networks = (self.entry("architectures", name) for name in self.names("architectures"))
        return "".join(
            f"\n{identifier.lower()}\n" for network in networks for _, identifier in ids_of(network)
        )

    def times(self, identifier: str) -> int:
        """Return how often the file has a weights file of an id, in whatever case."""
        if self._text_of_ids is None and self._compiled:
            with suppress(compiled.Damaged):
                self._text_of_ids = self._compiled.entry(compiled.OWNERS, compiled.IDS)
        if self._text_of_ids is None:
            self._text_of_ids = self._ids()
        return self._text_of_ids.count(f"\n{identifier.lower()}\n")


def _owners(networks: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """Return the first owner of each id."""
    owners: dict[str, Sequence[Any]] = {}
    for name, network in networks.items():
        for place, identifier in ids_of(network):
            owners.setdefault(identifier.lower(), (name, place, identifier))
    return owners


def ids_of(network: object) -> Iterator[tuple[int, str]]:
    """Yield the ids in what was not checked yet, with their places in the list of weights files."""
    files = network.get("weights") if isinstance(network, dict) else None
    for place, file in enumerate(files if isinstance(files, list) else ()):
        if isinstance(file, dict) and isinstance(file.get("id"), str):
            yield place, file["id"]


def read_layer(layer: Layer, *, by_copy: bool = False) -> LayerFile:
    """Return what the file of a layer says.

    Args:
        layer: The file.
        by_copy: Whether a compiled copy may be read and written in its place.

    Raises:
        RegistryError: It cannot be read, is too large, is not YAML, or of a newer form.
    """
    return LayerFile(layer, by_copy=by_copy)


FETCH = "zoo.fetching.overlays:fetch_overlay"
"""What fetches a registry from an address: ``module:function``, imported when one has to be fetched."""


def _content(layer: Layer) -> bytes:
    """Return what a layer's file holds; of one from an address, what is as it must be, fetched if need be.

    Raises:
        RegistryError: It cannot be read, or not be had.
    """
    if layer.sha256 is None:
        return read_bytes(layer.path, layer.label)
    from hashlib import sha256  # few name addresses

    with suppress(RegistryError):
        content = read_bytes(layer.path, layer.label)
        if sha256(content).hexdigest() == layer.sha256:
            return content
    fetched: bytes = resolve_name(FETCH)(layer.label, layer.sha256, layer.path)
    return fetched


@lru_cache(maxsize=16)
def read_once(layer: Layer, stamp: tuple[int, ...]) -> LayerFile:
    """Return the same; the stamp only tells one state of the file from another."""
    return read_layer(layer, by_copy=True)

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
        content: Its bytes.
        by_copy: Whether a compiled copy may be read and written in its place.

    Attributes:
        layer: The file.
        top: What it says beside the parts of a registry, or in the place of one.

    Raises:
        RegistryError: It is not YAML, or of a newer form.
    """

    def __init__(self, layer: Layer, content: bytes, *, by_copy: bool) -> None:
        self.layer = layer
        self._content = content
        self._by_copy = by_copy and len(content) >= compiled.WORTH_BYTES
        self._parts: Mapping[str, Mapping[str, Any]] | None = None
        self._text_of_ids: str | None = None
        self._compiled = self._kept()
        self.top = self._compiled.top if self._compiled else self._read()

    def _kept(self) -> compiled.Compiled | None:
        if not self._by_copy:
            return None
        try:
            return compiled.Compiled(compiled.digest_of(self._content))
        except compiled.Damaged:
            return None

    def _read(self) -> dict[str, Any]:
        """Read the YAML, and return the top."""
        from zoo.registry.strict_yaml import parse_yaml  # what is compiled needs no reader

        raw = parse_yaml(self._content, self.layer.label)
        if fault := newer_fault(raw.get("schema"), SCHEMA):
            raise RegistryError(f"{self.layer.label}: {fault}")
        self._parts = {part: raw.pop(part) for part in PARTS if isinstance(raw.get(part), dict)}
        if self._by_copy:
            found = _owners(self._parts.get("architectures", {}))
            owners = {compiled.OWNERS: found, compiled.IDS: self._ids()}
            compiled.keep(compiled.digest_of(self._content), raw, {**self._parts, compiled.OWNERS: owners})
        self._content = b""
        return raw

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
                self._compiled = None
                self._read()
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
    return LayerFile(layer, _content(layer), by_copy=by_copy)


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

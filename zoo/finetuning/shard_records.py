"""What is sent between the process that shares features out and those that compute them: plain data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from zoo import __version__
from zoo.finetuning.listing import Listed
from zoo.finetuning.pictures import Size
from zoo.networks.fitting import Fit
from zoo.networks.images import UNDECIDED, Depth
from zoo.storage.remote import shown


@dataclass(frozen=True, kw_only=True)
class Network:
    """What computes features, as it is told to each worker.

    Attributes:
        name: Of an architecture.
        size: Height and width of the images in pixels.
        weights: A set's name, a path or a URL; ``None``: random ones, the same for all.
        fit: What becomes of images of another shape.
        fused: Whether batch normalisation is folded into the convolutions.
    """

    name: str
    size: Size
    weights: str | None
    fit: Fit
    fused: bool


@dataclass(frozen=True, kw_only=True)
class Described:
    """What a worker finds of a network.

    Attributes:
        digest: Of all that features depend on besides the images.
        width: How many there are of each.
        version: Of zoo, as the worker has it.
    """

    digest: str
    width: int
    version: str = __version__


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One task: images, what is to be made of them, and where it goes.

    Attributes:
        number: Its place among all, from 0.
        pictures: The images.
        network: What computes.
        described: What every worker has to find of it.
        depth: The scale of images of more than 8 bits a channel, once it is known.
        folder: Where its file goes.
        format: In which it is written.
        deadly: The names of images that end the process that reads them, once that is known. No part of the
            key: the next run does not know it, and takes the file.
    """

    number: int
    pictures: tuple[Listed, ...]
    network: Network
    described: Described
    depth: Depth = UNDECIDED
    folder: str
    format: str
    deadly: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """A digest of all that the content of its file depends on."""
        named = [one._replace(name=shown(one.name)) for one in self.pictures]
        facts = [named, self.network.fit, self.described.digest, self.depth.as_record(), self.format]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @property
    def file(self) -> str:
        """The name of its file: sorted by name, files are in the order of their images."""
        return f"shard-{self.number:06d}-{self.key[:16]}.{self.format}"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What came of a shard.

    Attributes:
        number: As for :class:`Shard`.
        file: Its name.
        sha256: Of its content.
        labels: The class of each row.
        failed: The images that are left out, and what is wrong with each.
        depth: The scale of its images of more than 8 bits a channel; undecided if it has none.
        taken: Whether its file was there when the task began. An engine may run a task twice, so that this is
            no word on who wrote it.
    """

    number: int
    file: str
    sha256: str
    labels: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    depth: Depth
    taken: bool

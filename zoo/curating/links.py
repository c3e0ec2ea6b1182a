"""Which links of a registry still lead to their files.

At most four hosts are asked at once, and each of them one thing after the other, with a pause in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from converters.errors import counted
from zoo.download import failures
from zoo.download.asking import Asking, TransferLimits
from zoo.download.failures import NO_NETWORK, SourceError
from zoo.download.probing import BrowserError, Probe, probe
from zoo.errors import CacheError, DownloadError
from zoo.progress.protocol import Count, Progress
from zoo.registry.records import Digest, Registry
from zoo.registry.urls import origin
from zoo.storage.cache import is_offline
from zoo.storage.cleanup import describe, keys_of
from zoo.storage.clock import Clock, SystemClock

AT_ONCE: Final = 4
"""Hosts that are asked at the same time."""

PAUSE_S: Final = 1.0
"""Seconds between two questions to one host."""

State = Literal["alive", "moved", "changed", "dead", "needs a browser", "unknown"]

LIVE: Final = frozenset({"alive", "moved", "unknown"})
"""States in which a file may still be had: a host that is only busy says nothing of its files."""

_STATES: Mapping[str, State] = {
    failures.QUOTA: "unknown",
    failures.BUSY: "unknown",
    failures.BROKEN: "unknown",
    failures.DEAD_PROXY: "unknown",
    failures.NOT_LED: "unknown",
    failures.INTERCEPTED: "unknown",
    failures.CLOSED: "needs a browser",
}
"""By what a failure means; all others are of links that lead nowhere."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One link of a file.

    Attributes:
        network: The network that the file is of; ``None`` for one that names classes.
        file: The file, by the registry's id.
        url: The link.
        bytes: The file's size, if it is published.
        digests: Its published digests.
    """

    network: str | None
    file: str
    url: str
    bytes: int | None
    digests: tuple[Digest, ...]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What became of a link.

    Attributes:
        asked: The link.
        state: What it is.
        reason: Why, in words; empty where it is as it should be.
        address: Where it leads from now on, if its host says that it has moved.
    """

    asked: Asked
    state: State
    reason: str = ""
    address: str | None = None


def links(names: Sequence[str], registry: Registry) -> list[Asked]:
    """Return the links of networks or files, of all where there are no names; each file's in its order.

    Raises:
        UnknownNameError: There is no network and no file of a name.
    """
    known = describe(registry)
    keys = dict.fromkeys(key for name in names for key in keys_of(name, known, ())) or dict.fromkeys(known)
    urls = {file.id: file.urls for network in registry.architectures.values() for file in network.weights}
    urls |= {f"class_indexes/{index.name}": index.urls for index in registry.class_indexes.values()}
    return [
        Asked(
            network=known[key].network,
            file=key,
            url=url,
            bytes=known[key].item.bytes,
            digests=known[key].item.digests,
        )
        for key in keys
        for url in urls[key]
    ]


def ask(
    asked: Sequence[Asked],
    progress: Progress,
    *,
    clock: Clock | None = None,
    limits: TransferLimits | None = None,
) -> list[Answered]:
    """Ask all links, and return what became of each, in their order.

    Args:
        asked: The links.
        progress: Told about each.
        clock: Waits between two questions to a host.
        limits: How long is waited for an answer.

    Raises:
        CacheError: ``ZOO_OFFLINE`` forbids it.
        DownloadError: Nobody at all was reached.
    """
    if is_offline():
        raise CacheError("ZOO_OFFLINE is set, and links are to be asked; unset it")
    asking = Asking(limits=limits or TransferLimits(), clock=clock or SystemClock())
    by_host: dict[str, dict[str, list[Asked]]] = {}
    for one in asked:
        by_host.setdefault(origin(one.url), {}).setdefault(one.url, []).append(one)
    found: dict[int, Answered] = {}
    reached = not asked
    progress.start(Count(len(asked), "links"), f"asking {counted(len(by_host), 'host')}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            jobs = [pool.submit(lambda urls: list(_host(urls, asking)), urls) for urls in by_host.values()]
            for job in as_completed(jobs):
                for answered, was_reached in job.result():
                    found[id(answered.asked)] = answered
                    reached = reached or was_reached
                    progress.advance(1)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            progress.done()
    if not reached:
        raise DownloadError(NO_NETWORK)
    return [found[id(one)] for one in asked]


def _host(urls: Mapping[str, Iterable[Asked]], asking: Asking) -> Iterator[tuple[Answered, bool]]:
    """Ask one host, one link after the other; yield what became of each, and whether anybody answered."""
    for place, (url, files) in enumerate(urls.items()):
        if place:
            asking.clock.sleep(PAUSE_S)
        answer = _answer(url, asking)
        was_reached = not (isinstance(answer, SourceError) and answer.unreached is not None)
        for one in files:
            yield _judged(one, answer), was_reached


def _answer(url: str, asking: Asking) -> Probe | SourceError:
    try:
        return probe(url, asking)
    except SourceError as error:
        return error


def _judged(asked: Asked, answer: Probe | SourceError) -> Answered:
    if isinstance(answer, SourceError):
        state = "needs a browser" if isinstance(answer, BrowserError) else _STATES.get(answer.meaning, "dead")
        return Answered(asked=asked, state=state, reason=str(answer))
    change = _change(asked, answer)
    if change is not None:
        return Answered(asked=asked, state="changed", reason=change)
    if answer.moved_to is not None:
        return Answered(asked=asked, state="moved", reason=f"to {answer.moved_to}", address=answer.moved_to)
    return Answered(asked=asked, state="alive")


def _change(asked: Asked, answer: Probe) -> str | None:
    """Return how what a host states differs from what was published."""
    if asked.bytes is not None and answer.bytes not in (None, asked.bytes):
        return f"it has {answer.bytes:,} bytes, the published file has {asked.bytes:,}"
    for digest in asked.digests:
        stated = answer.digests.get(digest.algorithm)
        if stated not in (None, digest.value):
            return f"its {digest.algorithm} is {stated}, that of the published file is {digest.value}"
    return None


def without_source(answered: Iterable[Answered], registry: Registry) -> list[str]:
    """Return the networks of which no link leads to a file any more, and none lies on this machine."""
    states: dict[str, set[str]] = {}
    for one in answered:
        if one.asked.network is not None:
            states.setdefault(one.asked.network, set()).add(one.state)
    lying = {
        network.name
        for network in registry.architectures.values()
        if any(file.path and Path(file.path).is_file() for file in network.weights)
    }
    return [name for name, found in states.items() if not found & LIVE and name not in lying]

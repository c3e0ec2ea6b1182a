"""Networks by what is known of them, and by what the cache has of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypedDict, Unpack

from zoo.calling import public
from zoo.registry import architecture, like, networks_like
from zoo.registry.columns import FACTS, choose, sort_keys
from zoo.registry.kept_rows import kept_rows, rows_of
from zoo.registry.listed import Held, Row, listed, with_cached
from zoo.registry.names import Names
from zoo.registry.records import Layout
from zoo.variables import SHARED, default_home, path_variable

_LOG = logging.getLogger(__name__)

Amount = float | str
"""A number, or its text with a unit: ``4.5e6``, ``"4.5M"``."""


class Filters(TypedDict, total=False):
    """What networks are chosen by; :data:`zoo.registry.columns.FILTERS` says what each means."""

    family: str | None
    max_params: Amount | None
    min_params: Amount | None
    input: int | str | None
    max_input: Amount | None
    min_input: Amount | None
    max_top1_error: Amount | None
    max_top5_error: Amount | None
    layout: Layout | None
    max_size: Amount | None
    min_size: Amount | None
    cached: bool
    max_year: int | str | None
    min_year: int | str | None
    weights: str | None
    licence: str | None
    origin: str | None


@public()
def list_models(
    pattern: str = "*", *, sort: str | None = None, reverse: bool = False, **filters: Unpack[Filters]
) -> list[str]:
    """Return the names of the networks that suit, as ``zoo list`` does.

    All filters have to be met. One that looks at files (``layout``, ``cached``, ``weights``, ``licence``,
    ``origin``) looks for one file that suits all of those. A network that does not state what a filter looks
    at, as some do not state their top-1 error, is left out; ``left_out`` of what is returned names it.

    Args:
        pattern: Only those with this in their names, in any case; with ``*``, ``?`` or ``[`` a shell pattern
            for whole names.
        sort: By what: ``name``, ``family``, ``params``, ``size``, ``top1``, ``top5``, ``input``, ``year`` or
            another column of ``zoo list``; ``-params`` for the largest first, ``"family,-params"`` by the
            one and then the other. What does not state it comes last. In the registry's order if left out.
        reverse: Turn the order round.
        filters: ``family``, ``weights``, ``licence``, ``origin`` (a part of the text, in any case);
            ``layout`` (``"th"`` or ``"tf"``); ``cached`` (``True``: with a file in the cache); ``input``
            (``224`` or ``"224x224"``); and what is at most and at least so much: ``max_params`` and
            ``min_params`` (``"30M"``), ``max_size`` and ``min_size`` (MB unless the text says otherwise),
            ``max_top1_error``, ``max_top5_error`` (per cent, one crop), ``max_input``, ``min_input``
            (pixels, the larger side), ``max_year``, ``min_year``.

    Returns:
        A list, which a notebook shows as a table of the networks.

    Raises:
        ArgumentError: A value is not allowed, or there is nothing of that name to sort by.
        CacheError: ``cached`` is asked for, and what is remembered of the cache is damaged.

    Examples:
        >>> import zoo
        >>> zoo.list_models("res", layout="th")
        ['resnet50', 'resnet101', 'resnet152']
        >>> zoo.list_models(family="densenet", layout="th", max_params="20M", sort="params")
        ['densenet121', 'densenet169']
    """
    rows = _rows_like(pattern)
    by_cached = any(fact is FACTS["cached"] for fact, _ in sort_keys(sort))
    held = held_of(rows) if by_cached or filters.get("cached") else {}
    found = choose(with_cached(rows, held), dict(filters), sort, reverse=reverse)
    return Names(found.names, architecture, found.left_out)


def _rows_like(pattern: str) -> Mapping[str, Row]:
    """Return what is known of the networks of these names, where it is not kept of them alone."""
    kept = kept_rows()
    if kept is not None:
        return rows_of({name: kept[name] for name in like(pattern, kept)})
    return {network.name: listed(network) for network in networks_like(pattern)}


def held_of(names: Collection[str]) -> Held:
    """Return what the cache has of some networks; a shared folder that is not there is told and left out.

    Raises:
        CacheError: It is not known.
    """
    shared = path_variable(SHARED)
    possible = _with_a_folder(names, default_home(), shared)
    if not possible and shared is None:
        return {}
    from zoo.storage.cache import Cache, Item  # only who has fetched something pays for this import

    cache = Cache.from_environment()
    held: dict[str, dict[str, tuple[Layout | None, ...]]] = {}
    for network in map(architecture, possible):
        items = [Item.of_weights(network.name, file) for file in network.weights]
        held[network.name] = {item.key: cache.forms_of(item) for item in items}
    if cache.problem:
        _LOG.warning("%s", cache.problem)
    return held


def _with_a_folder(names: Collection[str], *homes: Path | None) -> list[str]:
    """Return the networks that have a folder in a cache, in whatever case; all if that cannot be told."""
    found: set[str] = set()
    for home in homes:
        try:
            found |= {name.lower() for name in os.listdir(home)} if home else set()  # noqa: PTH208
        except FileNotFoundError:
            continue
        except OSError:
            return list(names)
    return [name for name in names if name.lower() in found]

"""Networks by what is known of them, and by what the cache has of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TypedDict, Unpack

from zoo.calling import public
from zoo.registry import architecture, networks_like
from zoo.registry.columns import FACTS, Chosen, choose, sort_keys
from zoo.registry.listed import Held, listed, with_cached
from zoo.registry.names import Names
from zoo.registry.records import Architecture, Layout

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
    networks = networks_like(pattern)
    by_cached = any(fact is FACTS["cached"] for fact, _ in sort_keys(sort))
    held = held_of(networks) if by_cached or filters.get("cached") else {}
    found = chosen(networks, held, filters, sort, reverse=reverse)
    return Names([row["name"] for row in found.rows], architecture, found.left_out)


def chosen(
    networks: Iterable[Architecture], held: Held, filters: Filters, sort: str | None, *, reverse: bool
) -> Chosen:
    """Return what a list says of the networks that suit; see :func:`list_models`.

    Args:
        networks: Of which.
        held: What the cache has of them.
        filters: As there.
        sort: As there.
        reverse: As there.

    Raises:
        ArgumentError: As there.
    """
    rows = with_cached((listed(network) for network in networks), held)
    return choose(rows, dict(filters), sort, reverse=reverse)


def held_of(networks: Iterable[Architecture]) -> Held:
    """Return what the cache has of some networks; a shared folder that is not there is told and left out.

    Raises:
        CacheError: It is not known.
    """
    from zoo.storage.cache import Cache, Item  # only who asks for it pays for this import

    cache = Cache.from_environment()
    items = [Item.of_weights(network.name, file) for network in networks for file in network.weights]
    held = {item.key: cache.forms_of(item) for item in items}
    if cache.problem:
        _LOG.warning("%s", cache.problem)
    return held

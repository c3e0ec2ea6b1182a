"""What runs tasks: one table, from how an engine is named to what makes its executor.

All that works over many files takes an executor of :mod:`concurrent.futures`, whoever made it. What is given
to one is a function at the top of a module and plain data: it is sent to another process, or another machine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from zoo.errors import ArgumentError
from zoo.extras import how_to_install
from zoo.work.processes import Processes

_LOG = logging.getLogger(__name__)
_PATIENCE = 30
"""Seconds within which a scheduler has to answer."""


def engine(cluster: str) -> AbstractContextManager[Executor]:
    """Return what runs tasks, as a context: nothing that it started is left behind.

    Args:
        cluster: ``local:N``, N processes on this machine; ``dask://HOST:PORT`` or ``tls://HOST:PORT``, a Dask
            scheduler that runs already.

    Raises:
        ArgumentError: It is none of these; the scheduler does not answer, or its library is not installed.
    """
    scheme, rest = parted(cluster)
    return ENGINES[scheme](rest)


def parted(cluster: str) -> tuple[str, str]:
    """Return the engine's name, a key of :data:`ENGINES`, and what is said to it.

    Raises:
        ArgumentError: There is no such engine.
    """
    scheme, _, rest = cluster.partition(":")
    if scheme not in ENGINES:
        raise ArgumentError(f"cluster {cluster!r}: must be local:N, dask://HOST:PORT or tls://HOST:PORT")
    return scheme, rest


def processes_in(rest: str) -> int:
    """Return N of ``local:N``.

    Raises:
        ArgumentError: It is no number of processes.
    """
    if not (rest.isascii() and rest.isdecimal() and int(rest) > 0):
        raise ArgumentError(f"cluster 'local:{rest}': must be local:N with N processes, 1 or more")
    return int(rest)


@contextmanager
def _local(rest: str) -> Iterator[Executor]:
    with Processes(processes_in(rest)) as executor:
        yield executor


def _dask(scheme: str, protocol: str) -> Callable[[str], AbstractContextManager[Executor]]:
    @contextmanager
    def connected(rest: str) -> Iterator[Executor]:
        cluster, address = f"{scheme}:{rest}", f"{protocol}:{rest}"
        library = _dask_for(cluster)
        with (
            _unlogged(),  # once it is imported, which sets what it logs
            _client(library, cluster, address) as client,
            client.get_executor(pure=False) as executor,
        ):
            if not client.scheduler_info()["workers"]:
                _LOG.warning(
                    "cluster %r: has no workers, and waits for one: `dask worker %s`", cluster, address
                )
            yield executor

    return connected


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep Dask from logging on standard error what becomes an error of ours, whole stacks of it."""
    logs = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.setLevel(level)


def _dask_for(cluster: str) -> Any:  # noqa: ANN401 - of a library that need not be there
    """Return Dask's library for clusters.

    Raises:
        ArgumentError: It is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        missing = f"cluster {cluster!r}: Dask is missing; {how_to_install('dask')} brings it"
        raise ArgumentError(missing) from error
    return distributed


def _client(library: Any, cluster: str, address: str) -> Any:  # noqa: ANN401 - of a library without types
    """Return a connection to a scheduler.

    Args:
        library: Dask's.
        cluster: What the user calls it.
        address: What Dask does.

    Raises:
        ArgumentError: It does not answer.
    """
    try:
        # The certificates for TLS are in Dask's own configuration.
        return library.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TypeError, ValueError) as error:
        said = str(error).replace(address, cluster)
        raise ArgumentError(
            f"cluster {cluster!r}: no Dask scheduler answers there ({said}); start one with `dask scheduler`"
        ) from error


ENGINES: Mapping[str, Callable[[str], AbstractContextManager[Executor]]] = {
    "local": _local,
    "dask": _dask("dask", "tcp"),
    "tls": _dask("tls", "tls"),
}
"""By name: what makes an executor of the text behind the name's colon."""

"""The list of networks' names that people look at."""

from __future__ import annotations

from collections.abc import Callable

from zoo.registry.parameters import parameters_of
from zoo.registry.records import Architecture
from zoo.registry.tables import rows_table


class Names(list[str]):
    """Names of networks: a list like any other, which a notebook shows as a table."""

    def __init__(self, names: list[str], look_up: Callable[[str], Architecture]) -> None:
        """Make the list.

        Args:
            names: The names.
            look_up: Returns what the registry says of one.
        """
        super().__init__(names)
        self._look_up = look_up

    def _repr_html_(self) -> str:
        return rows_table(("name", *_COLUMNS), [_row(self._look_up(name)) for name in self])

    def __reduce__(self) -> tuple[type[list[str]], tuple[list[str]]]:
        """Say how a copy is made: as a plain list."""
        return list, (list(self),)


_COLUMNS = ("network", "input", "parameters", "top-5 error")


def _row(network: Architecture) -> tuple[str, ...]:
    size, error = network.input, network.accuracy.top5_error_percent
    shape = f"{size.height} × {size.width}"
    return (
        network.name,
        network.title,
        shape,
        f"{parameters_of(network):,}",
        ("not stated" if error is None else f"{error} %"),
    )

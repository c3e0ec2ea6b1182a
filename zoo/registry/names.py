"""The list of networks' names that people look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from converters.errors import counted
from zoo.registry.parameters import parameters_of
from zoo.registry.records import Architecture, percent
from zoo.registry.tables import rows_table

ROWS = 60
"""Networks that a notebook shows at most: as many as fit one without scrolling for long."""


class Names(list[str]):
    """Names of networks: a list like any other, which a notebook shows as a table.

    Attributes:
        left_out: Names of networks that were left out because they do not state what a filter looks at, by
            what it is that they do not state.
    """

    def __init__(
        self,
        names: list[str],
        look_up: Callable[[str], Architecture],
        left_out: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Make the list.

        Args:
            names: The names.
            look_up: Returns what the registry says of one.
            left_out: See the class.
        """
        super().__init__(names)
        self._look_up = look_up
        self.left_out = left_out or {}

    def _repr_html_(self) -> str:
        rows = [_row(self._look_up(name)) for name in self[:ROWS]]
        return rows_table(("name", *_COLUMNS), rows, below=self._below())

    def _below(self) -> list[str]:
        """Return what stands below the table: what it does not show."""
        more = len(self) - ROWS
        hidden = [f"and {more:,} more, which a filter or a pattern would show"] if more > 0 else []
        return hidden + [left_out_note(what, names) for what, names in self.left_out.items()]

    def __reduce__(self) -> tuple[type[list[str]], tuple[list[str]]]:
        """Say how a copy is made: as a plain list."""
        return list, (list(self),)


_FEW = 3


def left_out_note(what: str, names: Sequence[str]) -> str:
    """Return how it is told that networks were left out: ``left out, as its year is not stated: mine``.

    Args:
        what: What is not stated.
        names: Of the networks; of many, the first few are named.
    """
    named = ", ".join([*names[:_FEW], *(["..."] if len(names) > _FEW else [])])
    return f"left out: {counted(len(names), 'network')} whose {what} ({named})"


_COLUMNS = ("network", "input", "parameters", "top-5 error")


def _row(network: Architecture) -> tuple[str, ...]:
    size, errors = network.input, network.accuracy
    shape = f"{size.height} × {size.width}"
    error = percent(errors.top5_error_percent if errors else None)
    return network.name, network.title, shape, f"{parameters_of(network):,}", error

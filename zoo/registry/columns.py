"""Everything by which networks are told apart in a list: ONE record for each such fact.

A record says what stands in the column of its name, what is sorted by, and which filters look at it; the
options of ``zoo list``, the arguments of :func:`zoo.list_models` and a page of the documentation follow.
What nobody states is ``None``: it is sorted behind the rest, and a filter that looks at it leaves it out and
tells so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from zoo.errors import ArgumentError
from zoo.progress.bars import megabytes
from zoo.registry.fields import did_you_mean, nearest
from zoo.registry.listed import Row
from zoo.registry.quantities import COUNTS, MEGABYTES, PER_CENT, quantity
from zoo.registry.records import ReadOnly, percent


class Filter(NamedTuple):
    """One way to choose networks.

    Attributes:
        metavar: How its value is called; ``None`` where it is a flag.
        meaning: Which networks are kept.
        must: What its value must be, to be read after "must".
        read: Returns what is compared, of what was given; ``None`` where it must not be that.
        keeps: Tells whether what a network, or a file, states is as wanted.
        of_file: The field of a file that it looks at; some file of the network must suit all such filters.
        choices: All values that it can have, where they are few.
    """

    metavar: str | None
    meaning: str
    must: str
    read: Callable[[Any], Any]
    keeps: Callable[[Any, Any], bool]
    of_file: str | None = None
    choices: tuple[str, ...] | None = None


class Fact(NamedTuple):
    """One fact of a network.

    Attributes:
        heading: What stands above its column; ``>`` at its end aligns it to the right.
        meaning: What it is.
        value: What is sorted by; ``None`` where nobody states it.
        text: What stands in the column, where it is not the value.
        filters: By their names in Python; with ``--`` before them and hyphens in them those of the command.
        unstated: What is said of a network without it.
    """

    heading: str
    meaning: str
    value: Callable[[Row], Any]
    text: Callable[[Row], str] | None = None
    filters: Mapping[str, Filter] = ReadOnly()
    unstated: str = "is not stated"

    def shown(self, row: Row) -> str:
        """Return what stands in the column."""
        if self.text is not None:
            return self.text(row)
        value = self.value(row)
        return "-" if value is None else str(value)


def _bounds(
    name: str, metavar: str, units: Mapping[str, int], must: str, *, most: str, least: str = ""
) -> Mapping[str, Filter]:
    """Return filters for at most, and where that is of use for at least so much of something."""

    def read(given: object) -> float | None:
        return quantity(given, units)

    at_most = Filter(
        metavar=metavar,
        meaning=most,
        must=must,
        read=read,
        keeps=lambda value, bound: _largest(value) <= bound,
    )
    at_least = at_most._replace(meaning=least, keeps=lambda value, bound: _largest(value) >= bound)
    return {f"max_{name}": at_most} | ({f"min_{name}": at_least} if least else {})


def _largest(value: float | Sequence[float]) -> float:
    return max(value) if isinstance(value, Sequence) else value


def _part(metavar: str, meaning: str, of_file: str | None = None) -> Filter:
    """Return a filter for a text that has a part, in any case."""
    return Filter(
        metavar=metavar,
        meaning=f"{meaning}, in any case",
        must="be a text",
        read=lambda given: given.casefold() if isinstance(given, str) and given.strip() else None,
        keeps=lambda value, part: part in value.casefold(),
        of_file=of_file,
    )


def _side(given: object) -> tuple[int, int] | None:
    """Return height and width of ``224`` or ``224x320``."""
    parts = given.lower().split("x") if isinstance(given, str) else [given]
    sides = [int(side) for part in parts if (side := quantity(part, {"": 1})) and side == int(side)]
    return (sides[0], sides[-1]) if len(sides) == len(parts) <= 2 else None


_COUNT = "be a number that is not negative, such as 30M, 4.5M or 30000000"
_SIZE = "be a size that is not negative, in MB unless it says otherwise: 100, 100MB, 1.5GB"
_SHARE = "be a number of per cent that is not negative, such as 25"
_WHOLE = "be a number that is not negative, such as 224"
_YEAR = "be a year, such as 2016"
_LAYOUTS = ("th", "tf")


def _of_files(key: str) -> Callable[[Row], str]:
    """Return what says once what the files of a network state."""
    return lambda row: "; ".join(dict.fromkeys(str(file[key]) for file in row["files"])) or "-"


def _layouts_of_files(row: Row) -> list[str]:
    """Return the layout of each published file; one that stands in several weights sets counts once."""
    return [file["layout"] for file in row["files"] if file["same_file_as"] is None]


def _counts(row: Row) -> str:
    layouts = _layouts_of_files(row)
    return ", ".join(f"{layouts.count(layout)} {layout}" for layout in _LAYOUTS)


def _size(row: Row) -> str:
    return f"{'' if row['bytes_are_stated'] else '~'}{megabytes(row['bytes'])}"


def _error(place: int) -> Fact:
    """Return what is known of the share of images whose class is not among the first guesses."""
    what, key = f"top-{place} error", f"top{place}_error_percent"
    return Fact(
        heading=f"{what}>",
        meaning=f"published {what} of the weights set imagenet, one crop, in per cent",
        value=lambda row: row[key],
        text=lambda row: percent(row[key]),
        filters=_bounds(
            f"top{place}_error", "PERCENT", PER_CENT, _SHARE, most=f"with at most this {what}, in per cent"
        ),
        unstated=f"{what} is not stated",
    )


FACTS: Mapping[str, Fact] = {
    "name": Fact(heading="name", meaning="name in the registry", value=lambda row: row["name"]),
    "network": Fact(heading="network", meaning="name in print", value=lambda row: row["title"]),
    "family": Fact(
        heading="family",
        meaning="what draws it",
        value=lambda row: row["family"],
        filters={"family": _part("NAME", "whose family has this in its name")},
    ),
    "params": Fact(
        heading="parameters>",
        meaning="parameters, with the published classifier",
        value=lambda row: row["parameters"],
        text=lambda row: f"{row['parameters'] / 1e6:.1f} M",
        filters=_bounds(
            "params",
            "N",
            COUNTS,
            _COUNT,
            most="with at most so many parameters: 30M",
            least="with at least so many parameters",
        ),
    ),
    "input": Fact(
        heading="input>",
        meaning="height and width of the images that it was published for, in pixels",
        value=lambda row: tuple(row["input"][:2]),
        text=lambda row: "x".join(map(str, row["input"][:2])),
        filters={
            "input": Filter(
                metavar="PIXELS",
                meaning="published for images of this side, or height and width: 224, 224x224",
                must="be a side in pixels, or height and width: 224, 224x224",
                read=_side,
                keeps=lambda value, wanted: value == wanted,
            ),
            **_bounds(
                "input",
                "PIXELS",
                {"": 1},
                _WHOLE,
                most="published for images of at most this larger side",
                least="published for images of at least this larger side",
            ),
        },
    ),
    "top1": _error(1),
    "top5": _error(5),
    "files": Fact(
        heading="files",
        meaning="published files in each layout; sorted by their number",
        value=lambda row: len(_layouts_of_files(row)),
        text=_counts,
        filters={
            "layout": Filter(
                metavar="LAYOUT",
                meaning="with a file published in this layout",
                must=f"be {' or '.join(_LAYOUTS)}",
                read=lambda given: given if given in _LAYOUTS else None,
                keeps=lambda value, wanted: value == wanted,
                of_file="layout",
                choices=_LAYOUTS,
            )
        },
    ),
    "size": Fact(
        heading="size>",
        meaning="size of a file with the classifier; with ~ about four bytes for each parameter",
        value=lambda row: row["bytes"],
        text=_size,
        filters=_bounds(
            "size",
            "MB",
            MEGABYTES,
            _SIZE,
            most="whose file with the classifier has at most so many MB: 100, or 1.5GB",
            least="whose file with the classifier has at least so many MB",
        ),
    ),
    "cached": Fact(
        heading="cached",
        meaning="layouts in which the cache has a file, as published or converted",
        value=lambda row: row["cached"] or None,
        text=lambda row: ", ".join(row["cached"]) or "-",
        filters={
            "cached": Filter(
                metavar=None,
                meaning="with a file in the cache, as published or converted",
                must="be True or False",
                read=lambda given: given if isinstance(given, bool) else None,
                keeps=lambda value, wanted: bool(value) == wanted,
                of_file="cached",
            )
        },
    ),
    "year": Fact(
        heading="year>",
        meaning="year of the paper",
        value=lambda row: row["year"],
        filters=_bounds(
            "year",
            "YEAR",
            {"": 1},
            _YEAR,
            most="whose paper appeared in this year or before",
            least="whose paper appeared in this year or later",
        ),
        unstated="year is not stated",
    ),
    "weights": Fact(
        heading="weights",
        meaning="weights sets",
        value=lambda row: ", ".join(row["weights_sets"]) or None,
        filters={"weights": _part("SET", "with a weights set with this in its name", of_file="set")},
    ),
    "preprocessing": Fact(
        heading="preprocessing",
        meaning="recipe of preprocessing",
        value=lambda row: row["preprocessing"],
    ),
    "classes": Fact(
        heading="classes>",
        meaning="outputs of the published classifier",
        value=lambda row: row["classes"],
        text=lambda row: f"{row['classes']:,}",
    ),
    "smallest": Fact(
        heading="smallest side>",
        meaning="smallest side of images that it takes without the classifier, in pixels",
        value=lambda row: row["smallest_side"],
    ),
    "licence": Fact(
        heading="licence",
        meaning="licences of the files",
        value=_of_files("licence"),
        filters={"licence": _part("TEXT", "with a file with this in its licence", of_file="licence")},
    ),
    "origin": Fact(
        heading="origin",
        meaning="where the weights come from",
        value=_of_files("origin"),
        filters={"origin": _part("TEXT", "with a file with this in where it comes from", of_file="origin")},
    ),
}
"""By their names: columns, and keys to sort by."""

SHOWN = ("name", "network", "params", "input", "top5", "files", "size", "cached")
"""The columns of a list that nobody chose."""

FILTERS: Mapping[str, tuple[Fact, Filter]] = {
    name: (fact, one) for fact in FACTS.values() for name, one in fact.filters.items()
}
"""By their names in Python."""


class Chosen(NamedTuple):
    """The names of the networks that filters kept.

    Attributes:
        names: In the order asked for.
        left_out: Names of networks that were left out because they do not state what a filter looks at, by
            what it is that they do not state.
    """

    names: list[str]
    left_out: Mapping[str, Sequence[str]]


def choose(
    rows: Mapping[str, Row],
    wanted: Mapping[str, object],
    sort: str | None = None,
    *,
    reverse: bool = False,
) -> Chosen:
    """Return which networks all filters keep, sorted; nobody looks at a row if nothing is asked of it.

    Args:
        rows: What is known of the networks, by name.
        wanted: Values of filters by their names; ``None`` for one that is not used.
        sort: Names of facts, with commas between them, each with ``-`` before it for the largest first; as
            the rows come if left out.
        reverse: Turn the order round; networks that do not state what is sorted by stay behind the others.

    Raises:
        ArgumentError: There is no such fact, or a value is not allowed.
    """
    asked = {name: _read(name, given) for name, given in wanted.items() if _is_asked(name, given)}
    keys = sort_keys(sort, reverse=reverse)
    kept, left_out = _kept(rows, asked) if asked else (list(rows), {})
    for fact, down in reversed(keys):
        kept = _sorted(kept, {name: fact.value(rows[name]) for name in kept}, down=down)
    return Chosen(kept[::-1] if reverse and not keys else kept, left_out)


def meant(rows: Mapping[str, Row], wanted: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the filter whose text no network has in it, and the nearest text that one has, if any is near.

    Args:
        rows: What is known of the networks, by name.
        wanted: Values of filters by their names, as for :func:`choose`.
    """
    for name, given in wanted.items():
        fact, one = FILTERS[name]
        if one.choices is None and isinstance(given, str) and isinstance(one.read(given), str):
            known = dict.fromkeys(text for row in rows.values() for text in _texts(row, fact, one))
            held = any(one.keeps(text, one.read(given)) for text in known)
            if not held and (near := nearest(given, known, count=1)):
                return name, near[0]
    return None


def _texts(row: Row, fact: Fact, one: Filter) -> list[str]:
    stated = [file[one.of_file] for file in row["files"]] if one.of_file else [fact.value(row)]
    return [text for text in stated if text is not None]


def _is_asked(name: str, given: object) -> bool:
    return given is not None and not (given is False and FILTERS[name][1].metavar is None)


def _read(name: str, given: object) -> object:
    wanted = FILTERS[name][1].read(given)
    if wanted is None:
        raise ArgumentError(f"{name}={given!r}: must {FILTERS[name][1].must}")
    return wanted


def _kept(rows: Mapping[str, Row], asked: Mapping[str, Any]) -> tuple[list[str], Mapping[str, Sequence[str]]]:
    kept: list[str] = []
    left_out: dict[str, list[str]] = {}
    whole = {name: wanted for name, wanted in asked.items() if FILTERS[name][1].of_file is None}
    of_files = {name: wanted for name, wanted in asked.items() if name not in whole}
    for name, row in rows.items():
        if of_files and not any(_suits(file, of_files) for file in row["files"]):
            continue
        unknown = _unstated(row, whole)
        if unknown is None:
            kept.append(name)
        for what in unknown or ():
            left_out.setdefault(what, []).append(name)
    return kept, left_out


def _suits(file: Row, asked: Mapping[str, Any]) -> bool:
    filters = ((FILTERS[name][1], wanted) for name, wanted in asked.items())
    return all(one.keeps(file[one.of_file or ""], wanted) for one, wanted in filters)


def _unstated(row: Row, asked: Mapping[str, Any]) -> list[str] | None:
    """Return what a network does not state and is left out for; ``None`` if all filters keep it."""
    unknown = []
    for name, wanted in asked.items():
        fact, one = FILTERS[name]
        value = fact.value(row)
        if value is None:
            unknown.append(fact.unstated)
        elif not one.keeps(value, wanted):
            return []  # whatever it does not state, this it states
    return list(dict.fromkeys(unknown)) or None


def sort_keys(sort: str | None, *, reverse: bool = False) -> list[tuple[Fact, bool]]:
    """Return facts to sort by, the first one first, each with whether the largest comes first.

    Raises:
        ArgumentError: There is no such fact.
    """
    words = [word.strip() for word in sort.split(",")] if sort is not None else []
    return [(_fact("sort", word.removeprefix("-")), word.startswith("-") != reverse) for word in words]


def _sorted(names: list[str], values: Mapping[str, Any], *, down: bool) -> list[str]:
    stated = [name for name in names if values[name] is not None]
    ordered = sorted(stated, key=lambda name: _comparable(values[name]), reverse=down)
    return ordered + [name for name in names if values[name] is None]


def _comparable(value: Any) -> Any:  # noqa: ANN401 - whatever a fact is
    return value.casefold() if isinstance(value, str) else value


def columns_of(names: str | Iterable[str] | None) -> list[Fact]:
    """Return the columns of these names; those that nobody chose if left out.

    Args:
        names: Names, or one text with commas between them.

    Raises:
        ArgumentError: There is no such column.
    """
    if names is None:
        return [FACTS[name] for name in SHOWN]
    words = names.split(",") if isinstance(names, str) else names
    return [_fact("columns", word.strip()) for word in words]


def _fact(argument: str, name: str) -> Fact:
    if name in FACTS:
        return FACTS[name]
    raise ArgumentError(f"{argument}={name!r}: must be among {', '.join(FACTS)}{did_you_mean(name, FACTS)}")

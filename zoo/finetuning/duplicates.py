"""The same image more than once: in one class it counts once, in two it is a conflict of labels.

Images are the same if their files are, byte for byte, or their pixels where they are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from zoo.errors import ArgumentError
from zoo.finetuning.pictures import Pictures, Problem

KEEP = "keep"
_TOLD = 5  # conflicts that are named one by one

_Member = tuple[str, str]
"""Name of an image and its class."""


def counted_once(pictures: Pictures, *, conflicts: str = "refuse") -> Pictures:
    """Return images without those that are there a second time.

    Args:
        pictures: The images.
        conflicts: What to do with an image in two classes: ``refuse``, or ``drop`` it from all of them.
            ``keep``: all images stay, as in runs that were begun by version 0.1.0.

    Returns:
        The first of each, in their order; what was left out is among the problems.

    Raises:
        ArgumentError: An image is in two classes, and that is to be refused.
    """
    if conflicts == KEEP:
        return pictures
    members = _members(pictures)
    disputed = dict.fromkeys(
        digest for digest, places in members.items() if len(set(pictures.labels[places])) > 1
    )
    _check(((_named(pictures, members[digest])) for digest in disputed), conflicts, count=len(disputed))
    left_out: dict[int, str] = {}
    for digest, places in members.items():
        if digest in disputed:
            left_out |= {place: _other_class(pictures, place, places) for place in places}
        else:
            left_out |= {place: f"is the same image as {pictures.names[places[0]]}" for place in places[1:]}
    return _without(pictures, left_out)


def without_conflicts(
    train: Pictures, valid: Pictures, *, conflicts: str = "refuse"
) -> tuple[Pictures, Pictures]:
    """Return both parts without images that are in one class here and in another there.

    Args:
        train: Images to train on, each once.
        valid: Images to validate with, each once, of the same classes.
        conflicts: As for :func:`counted_once`.

    Raises:
        ArgumentError: An image is in two classes, and that is to be refused.
    """
    if conflicts == KEEP:
        return train, valid
    learned = {digest: place for place, digest in enumerate(train.digests())}
    pairs = [(learned[digest], place) for place, digest in enumerate(valid.digests()) if digest in learned]
    disputed = [(one, other) for one, other in pairs if train.labels[one] != valid.labels[other]]
    _check(
        ([*_named(train, [one]), *_named(valid, [other])] for one, other in disputed),
        conflicts,
        count=len(disputed),
    )
    learned_too = {one: _also(*_named(valid, [other])[0]) for one, other in disputed}
    held_out_too = {other: _also(*_named(train, [one])[0]) for one, other in disputed}
    return _without(train, learned_too), _without(valid, held_out_too)


def _members(pictures: Pictures) -> dict[str, list[int]]:
    """Return the places of each image by its content."""
    members: dict[str, list[int]] = {}
    for place, digest in enumerate(pictures.digests()):
        members.setdefault(digest, []).append(place)
    return members


def _named(pictures: Pictures, places: Sequence[int]) -> list[_Member]:
    return [(pictures.names[place], pictures.classes[pictures.labels[place]]) for place in places]


def _other_class(pictures: Pictures, place: int, places: Sequence[int]) -> str:
    other = next(one for one in places if pictures.labels[one] != pictures.labels[place])
    return _also(*_named(pictures, [other])[0])


def _also(name: str, label: str) -> str:
    return f"is in the class {label} too, as {name}"


def _check(disputed: Iterable[Sequence[_Member]], conflicts: str, *, count: int) -> None:
    if not count or conflicts == "drop":
        return
    told = [
        " and ".join(f"{name} ({label})" for name, label in members)
        for members, _ in zip(disputed, range(_TOLD), strict=False)
    ]
    more = f"; and {count - _TOLD} more" if count > _TOLD else ""
    what = "the same image is" if count == 1 else f"{count} images are"
    raise ArgumentError(
        f"{what} in two classes: {'; '.join(told)}{more}; delete the wrong ones, or leave them all out with "
        "--conflicts drop (conflicts='drop')"
    )


def _without(pictures: Pictures, left_out: Mapping[int, str]) -> Pictures:
    """Return images without some, and with what is said of these."""
    if not left_out:
        return pictures
    problems = tuple(
        Problem(file=pictures.names[place], problem=left_out[place], used=False) for place in sorted(left_out)
    )
    kept = np.array([place for place in range(len(pictures)) if place not in left_out], np.int64)
    return replace(pictures.subset(kept), problems=(*pictures.problems, *problems))

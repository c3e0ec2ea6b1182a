"""Dividing images into some to train on and some to validate with, and what is wrong with a division."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zoo.calling import public
from zoo.errors import ArgumentError
from zoo.finetuning.pictures import Pictures, Problem
from zoo.numbers import is_real


@public("share")
def split(pictures: Pictures, share: float, seed: int) -> tuple[Pictures, Pictures]:
    """Divide images into some to train on and some to validate with, class by class.

    Of each class the share is validated with, but at least one image and never all; a class of one image
    is only trained on. An image that a class has several times is on one side: to validate with what was
    trained on would flatter.

    Args:
        pictures: All pictures.
        share: Share to validate with, between 0 and 1.
        seed: Of the draw.

    Returns:
        Images to train on, and others to validate with, each in the order they had.

    Raises:
        ArgumentError: The share is not between 0 and 1, or no class has two different images.

    Examples:
        >>> import numpy as np
        >>> from zoo import finetuning
        >>> images = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3))
        >>> found = finetuning.from_arrays(images, ["cat", "dog"] * 5)
        >>> [len(part) for part in finetuning.split(found, 0.2, seed=0)]
        [8, 2]
    """
    check_share(share)
    chosen = np.zeros(len(pictures), np.bool_)
    problems: list[Problem] = []
    digests = np.array(pictures.digests())
    for place, name in enumerate(pictures.classes):
        members = np.flatnonzero(pictures.labels == place)
        groups = _groups(members, digests)
        problems += _repeated(pictures, groups)
        if len(groups) == 1:
            reason = "this class has one image: nothing validates it"
            problems.append(Problem(file=name, problem=reason, used=True))
        elif groups:
            chosen[_held_out(groups, share, np.random.default_rng([seed, place]))] = True
    if not chosen.any():
        raise ArgumentError("no class has two images, one to train on and one to validate with")
    told = replace(pictures, problems=(*pictures.problems, *problems))
    return told.subset(np.flatnonzero(~chosen)), told.subset(np.flatnonzero(chosen))


def check_share(share: float) -> None:
    """Check that a share leaves something on both sides.

    Raises:
        ArgumentError: It is no number between 0 and 1.
    """
    if not is_real(share) or not 0 < share < 1:
        raise ArgumentError(f"validation_share={share!r}: must be a number between 0 and 1")


def check_sources(*given: object, said: tuple[str, str, str] = ("data", "train", "valid")) -> None:
    """Check that there are images to be divided, or both parts of images that are.

    Args:
        given: ``data``, ``train`` and ``valid``; ``None`` where it is not given.
        said: What these are called where they are given.

    Raises:
        ArgumentError: It is something else.
    """
    are_given = tuple(one is not None for one in given)
    if are_given not in {(True, False, False), (False, True, True)}:
        data, train, valid = said
        raise ArgumentError(f"give {data}, to be divided, or {train} and {valid}, which are")


def _groups(members: NDArray[np.int64], digests: NDArray[np.str_]) -> dict[int, list[int]]:
    """Return the members by the first that is the same image."""
    firsts: dict[str, int] = {}
    groups: dict[int, list[int]] = {}
    for member in members.tolist():
        first = firsts.setdefault(str(digests[member]), member)
        groups.setdefault(first, []).append(member)
    return groups


def _repeated(pictures: Pictures, groups: dict[int, list[int]]) -> list[Problem]:
    return [
        Problem(
            file=pictures.names[first],
            problem=f"is there {len(group)} times in its class; all of them on one side of the split",
            used=True,
        )
        for first, group in groups.items()
        if len(group) > 1
    ]


def _held_out(groups: dict[int, list[int]], share: float, draw: np.random.Generator) -> list[int]:
    """Return members to validate with: whole groups, drawn, as near to the share as they come below it."""
    total = sum(map(len, groups.values()))
    count = min(max(1, round(share * total)), total - 1)
    chosen: list[int] = []
    for first in draw.permutation(np.array(list(groups), np.int64)).tolist():
        if len(chosen) + len(groups[first]) <= count:
            chosen += groups[first]
    return chosen or min(groups.values(), key=len)


def divided(train: Pictures, valid: Pictures) -> tuple[Problem, ...]:
    """Return what is wrong with a division that the user made: classes without images, the same twice."""
    problems = [
        Problem(file=name, problem="this class has no images to validate with", used=True)
        for name, count in zip(train.classes, valid.counts, strict=True)
        if not count
    ]
    learned = set(train.digests())
    problems += [
        Problem(file=name, problem="the same image is among those that are trained on", used=True)
        for name, digest in zip(valid.names, valid.digests(), strict=True)
        if digest in learned
    ]
    return tuple(problems)

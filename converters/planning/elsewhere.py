"""What other software calls the layers of a family of networks, where a rule says it: no list has to.

A structure names the rule under ``known_as``, in the place of a list of names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

_BLOCK = re.compile(r"(?:res|bn)([2-5])([a-z])(\d*)_branch(1|2[abc])")
_ENDS = {"conv1": "conv1", "bn_conv1": "bn1", "fc1000": "fc"}
_SHORTCUT = "1"


def _resnet(name: str) -> str | None:
    """Return what torchvision and timm call a layer of a ResNet: ``layer1.0.conv2`` is ``res2a_branch2b``."""
    if name in _ENDS:
        return _ENDS[name]
    found = _BLOCK.fullmatch(name)
    if found is None:
        return None
    stage, letter, number, branch = found.groups()
    # Blocks are a, b, c, ... or a, b1, b2, ...
    block = int(number or ord(letter) - ord("a"))
    norm = name.startswith("bn")
    if branch == _SHORTCUT:
        own = f"downsample.{int(norm)}"
    else:
        own = f"{'bn' if norm else 'conv'}{'abc'.index(branch[1]) + 1}"
    return f"layer{int(stage) - 1}.{block}.{own}"


_NUMBERED = re.compile(r"(?:conv(?:olution)?2d|batch_?normalization)_(\d+)")


def _inception(units: Sequence[str], head: str) -> Callable[[str], str | None]:
    """Return the rule of an Inception, whose convolutions Keras numbers as PyTorch's module defines them.

    Args:
        units: What stands for a convolution and its normalisation there, in that order.
        head: What the classifier is called.
    """

    def called(name: str) -> str | None:
        found = _NUMBERED.fullmatch(name)
        if found is None:
            return head if name in _CLASSIFIERS else None
        number = int(found.group(1))
        own = "conv" if name.startswith("conv") else "bn"
        return f"{units[number - 1]}.{own}" if 0 < number <= len(units) else None

    return called


_CLASSIFIERS = ("dense_1", "predictions")


def _unfolded(*modules: tuple[Iterable[str], str]) -> tuple[str, ...]:
    """Return units by the modules that they are in: places, and the branches of each, apart by blanks."""
    return tuple(
        f"{place}{branch}" for places, branches in modules for place in places for branch in branches.split()
    )


def _features(first: int, last: int) -> Iterable[str]:
    return [f"features.{number}." for number in range(first, last + 1)]


_INCEPTION_V4 = _unfolded(
    (
        ["features."],
        "0 1 2 3.conv 4.branch0.0 4.branch0.1 4.branch1.0 4.branch1.1 4.branch1.2 4.branch1.3 5.conv",
    ),
    (_features(6, 9), "branch0 branch1.0 branch1.1 branch2.0 branch2.1 branch2.2 branch3.1"),
    (_features(10, 10), "branch0 branch1.0 branch1.1 branch1.2"),
    (
        _features(11, 17),
        "branch0 branch1.0 branch1.1 branch1.2 branch2.0 branch2.1 branch2.2 branch2.3 branch2.4 branch3.1",
    ),
    (_features(18, 18), "branch0.0 branch0.1 branch1.0 branch1.1 branch1.2 branch1.3"),
    (
        _features(19, 21),
        "branch0 branch1_0 branch1_1a branch1_1b branch2_0 branch2_1 branch2_2 branch2_3a branch2_3b"
        " branch3.1",
    ),
)
"""Sources: Cadene/pretrained-models.pytorch@8aae3d8f1135 pretrainedmodels/models/inceptionv4.py and
timm 1.0.31 models/inception_v4.py, which have the same names."""

_INCEPTION_V3 = _unfolded(
    ([""], "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 Conv2d_3b_1x1 Conv2d_4a_3x3"),
    (
        ["Mixed_5b.", "Mixed_5c.", "Mixed_5d."],
        "branch1x1 branch5x5_1 branch5x5_2 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3 branch_pool",
    ),
    (["Mixed_6a."], "branch3x3 branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"),
    (
        ["Mixed_6b.", "Mixed_6c.", "Mixed_6d.", "Mixed_6e."],
        "branch1x1 branch7x7_1 branch7x7_2 branch7x7_3 branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3"
        " branch7x7dbl_4 branch7x7dbl_5 branch_pool",
    ),
    (
        ["Mixed_7a."],
        "branch3x3_1 branch3x3_2 branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4",
    ),
    (
        ["Mixed_7b.", "Mixed_7c."],
        "branch1x1 branch3x3_1 branch3x3_2a branch3x3_2b branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a"
        " branch3x3dbl_3b branch_pool",
    ),
)
"""Sources: torchvision 0.29.2 models/inception.py and timm 1.0.31 models/inception_v3.py, the same names."""

RULES: Mapping[str, Callable[[str], str | None]] = {
    "resnet": _resnet,
    "inception_v3": _inception(_INCEPTION_V3, "fc"),
    "inception_v4": _inception(_INCEPTION_V4, "last_linear"),
}
"""From a structure's name of a layer to the other software's, or None of one that is not named there."""

"""What other software calls the layers of a family of networks, where a rule says it: no list has to.

A structure names the rule under ``known_as``, in the place of a list of names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

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


RULES: Mapping[str, Callable[[str], str | None]] = {"resnet": _resnet}
"""From a structure's name of a layer to the other software's, or None of one that is not named there."""

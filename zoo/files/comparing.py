"""Comparing two weights files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from converters.compare import Comparison, Either, compare_files
from converters.planning.flatten import Flatten
from zoo.calling import public
from zoo.files.given import as_named, at_hand


@public()
def diff(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    *,
    from_layout: Either = None,
    from_kernels: Either = None,
    arch: Either = None,
    flatten: Flatten | None = None,
    layers: Mapping[str, str] | None = None,
    keras_version: Either = None,
) -> Comparison:
    """Compare two weights files as if they were in one form, as ``zoo diff`` does.

    Args:
        first: A file, by path or by a URL that fsspec knows (``s3://``, ``https://``).
        second: Another one.
        from_layout: ``"th"`` or ``"tf"``: the layout of both, where no record in them tells it; or a pair,
            what is said of the first and of the second. So too with the other pairs.
        from_kernels: How their kernels are stored, or a pair.
        arch: The network that they hold, or a pair.
        flatten: The feature map, (C, H, W), before a dense layer, by the layer's name.
        layers: The kinds of layers, by name, where the files do not tell them.
        keras_version: Who wrote them, where they do not say it, or a pair.

    Returns:
        How they compare, layer by layer; ``equal`` says it of the whole.

    Raises:
        ArgumentError: An argument is not allowed, or something is said of a layer that neither has.
        UnknownNameError: There is no such network.
        FileFormatError: One of them cannot be read as weights.
        ConversionError: They cannot be brought into one form.
        CacheError: A URL cannot be read.

    Warns:
        ConversionWarning: What had to be taken for granted, where anything is permuted.

    Examples:
        >>> import zoo
        >>> print(zoo.diff("small_th.h5", "small_th.h5"))
        equal: of 2 layers 2 equal, 0 permuted, 0 different
    """
    _passed_over = True
    _check_networks(arch)
    with at_hand(first) as one, at_hand(second) as other, as_named(one, other):
        found = compare_files(
            one.path,
            other.path,
            from_layout=from_layout,
            from_kernels=from_kernels,
            arch=arch,
            flatten=flatten,
            layers=layers,
            keras_version=keras_version,
        )
    return replace(found, first=one.called, second=other.called)


def _check_networks(arch: Either) -> None:
    """Check that networks that are named are there; the registry is read for these alone, as it takes long.

    Raises:
        UnknownNameError: There is no such network.
    """
    if names := [name for name in (arch if isinstance(arch, tuple | list) else (arch,)) if name is not None]:
        from zoo.registry import architecture

        for name in names:
            architecture(name)

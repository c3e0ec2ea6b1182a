"""The exceptions of ``zoo``: the tree of :mod:`converters.errors`, under the name that users import."""

from __future__ import annotations

from converters.errors import (
    AlreadyConvertedError,
    ArgumentError,
    CacheError,
    ChecksumError,
    ConversionError,
    DownloadError,
    FileFormatError,
    RegistryError,
    StructureMismatchError,
    UnknownFlattenError,
    UnknownNameError,
    ZooError,
)

__all__ = [
    "AlreadyConvertedError",
    "ArgumentError",
    "CacheError",
    "ChecksumError",
    "ConversionError",
    "DownloadError",
    "FileFormatError",
    "RegistryError",
    "StructureMismatchError",
    "UnknownFlattenError",
    "UnknownNameError",
    "ZooError",
]

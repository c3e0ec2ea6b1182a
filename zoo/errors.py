"""The exceptions and the warning of ``zoo``: those of :mod:`converters.errors`, as users import them."""

from __future__ import annotations

from converters.errors import (
    AlreadyConvertedError,
    ArgumentError,
    CacheError,
    ChecksumError,
    ConversionError,
    ConversionWarning,
    DataError,
    DownloadError,
    FileFormatError,
    NewerFileError,
    RegistryError,
    StructureMismatchError,
    TargetError,
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
    "ConversionWarning",
    "DataError",
    "DownloadError",
    "FileFormatError",
    "NewerFileError",
    "RegistryError",
    "StructureMismatchError",
    "TargetError",
    "UnknownFlattenError",
    "UnknownNameError",
    "ZooError",
]

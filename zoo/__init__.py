"""ImageNet weights of the classic convolutional networks, whatever Keras wrote them.

    import zoo

    zoo.list_models("*resnet*")                       # which networks there are
    zoo.fetch("densenet161", backend="tf")            # a verified weights file
    model = zoo.load("resnet101", num_classes=10)     # a Keras model, ready to fine-tune

Nothing heavy is imported before it is used: the names below are resolved on first access, and of these only
those that make or change a model import Keras.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from converters.version import VERSION
from zoo import errors
from zoo.errors import ConversionWarning, ZooError

if TYPE_CHECKING:
    from zoo.curating.adding import register, unregister
    from zoo.errors import (
        AlreadyConvertedError,
        ArgumentError,
        CacheError,
        ChecksumError,
        ConversionError,
        DataError,
        DownloadError,
        FileFormatError,
        NewerFileError,
        RegistryError,
        StructureMismatchError,
        TargetError,
        UnknownFlattenError,
        UnknownNameError,
    )
    from zoo.fetching.fetcher import fetch
    from zoo.files.comparing import diff
    from zoo.files.converting import convert
    from zoo.files.inspecting import inspect
    from zoo.finetuning.bottleneck import features
    from zoo.finetuning.runs import finetune
    from zoo.finetuning.shards import feature_shards
    from zoo.networks.heads import extend_head, replace_head
    from zoo.networks.loading import load
    from zoo.networks.predicting import predict
    from zoo.networks.preprocessing import decode_predictions, preprocess_input
    from zoo.networks.stages import feature_maps
    from zoo.networks.upgrading import upgrade
    from zoo.registry import architecture as spec
    from zoo.registry import list_models
    from zoo.surgery.folding import fuse
    from zoo.surgery.prefix import with_preprocessing

__version__ = VERSION

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
    "__version__",
    "convert",
    "decode_predictions",
    "diff",
    "extend_head",
    "feature_maps",
    "feature_shards",
    "features",
    "fetch",
    "finetune",
    "finetuning",
    "fuse",
    "inspect",
    "list_models",
    "load",
    "predict",
    "preprocess_input",
    "prove",
    "register",
    "replace_head",
    "spec",
    "unregister",
    "upgrade",
    "with_preprocessing",
]

_HOMES = {
    "convert": ("zoo.files.converting", "convert"),
    "decode_predictions": ("zoo.networks.preprocessing", "decode_predictions"),
    "diff": ("zoo.files.comparing", "diff"),
    "extend_head": ("zoo.networks.heads", "extend_head"),
    "feature_maps": ("zoo.networks.stages", "feature_maps"),
    "feature_shards": ("zoo.finetuning.shards", "feature_shards"),
    "features": ("zoo.finetuning.bottleneck", "features"),
    "fetch": ("zoo.fetching.fetcher", "fetch"),
    "finetune": ("zoo.finetuning.runs", "finetune"),
    "fuse": ("zoo.surgery.folding", "fuse"),
    "inspect": ("zoo.files.inspecting", "inspect"),
    "list_models": ("zoo.files.listing", "list_models"),
    "load": ("zoo.networks.loading", "load"),
    "predict": ("zoo.networks.predicting", "predict"),
    "preprocess_input": ("zoo.networks.preprocessing", "preprocess_input"),
    "prove": ("zoo.files.proving", "prove"),
    "register": ("zoo.curating.adding", "register"),
    "replace_head": ("zoo.networks.heads", "replace_head"),
    "spec": ("zoo.registry", "architecture"),
    "unregister": ("zoo.curating.adding", "unregister"),
    "upgrade": ("zoo.networks.upgrading", "upgrade"),
    "with_preprocessing": ("zoo.surgery.prefix", "with_preprocessing"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Import a public name when it is first asked for."""
    if name == "finetuning":
        return import_module("zoo.finetuning")
    if name in errors.__all__:
        return getattr(errors, name)
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return sorted(__all__)

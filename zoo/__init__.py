"""ImageNet weights of the classic convolutional networks, whatever Keras wrote them.

    import zoo

    zoo.list_models("*resnet*")                       # which networks there are
    zoo.fetch("densenet161", backend="tf")            # a verified weights file
    model = zoo.load("resnet101", num_classes=10)     # a Keras model, ready to fine-tune

Nothing heavy is imported before it is used: the names below are resolved on first access, and of these only
:func:`zoo.load` imports Keras.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from converters.errors import ZooError

if TYPE_CHECKING:
    from zoo.fetching import fetch
    from zoo.loading import load
    from zoo.preprocessing import decode_predictions, preprocess_input
    from zoo.registry import architecture as spec
    from zoo.registry import list_models

__version__ = "0.1.0"

__all__ = [
    "ZooError",
    "__version__",
    "decode_predictions",
    "fetch",
    "list_models",
    "load",
    "preprocess_input",
    "spec",
]

_HOMES = {
    "decode_predictions": ("zoo.preprocessing", "decode_predictions"),
    "fetch": ("zoo.fetching", "fetch"),
    "list_models": ("zoo.registry", "list_models"),
    "load": ("zoo.loading", "load"),
    "preprocess_input": ("zoo.preprocessing", "preprocess_input"),
    "spec": ("zoo.registry", "architecture"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return sorted(__all__)

"""``registry.yaml`` as validated records: every architecture, its weights files, preprocessing and heads."""

from zoo.registry.files import (
    CLASS_INDEXES,
    architecture,
    check,
    get_registry,
    is_class_index,
    like,
    list_models,
    load_registry,
    look_up,
    networks_like,
    unknown_name,
    weights_file,
    weights_files,
)
from zoo.registry.places import (
    VARIABLE,
    Layer,
    find_registry,
    layers,
    overlays_from_environment,
    own_registry,
)

__all__ = [
    "CLASS_INDEXES",
    "VARIABLE",
    "Layer",
    "architecture",
    "check",
    "find_registry",
    "get_registry",
    "is_class_index",
    "layers",
    "like",
    "list_models",
    "load_registry",
    "look_up",
    "networks_like",
    "overlays_from_environment",
    "own_registry",
    "unknown_name",
    "weights_file",
    "weights_files",
]

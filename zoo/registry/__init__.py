"""``registry.yaml`` as validated records: every architecture, its weights files, preprocessing and heads."""

from zoo.registry.files import (
    CLASS_INDEXES,
    VARIABLE,
    architecture,
    find_registry,
    get_registry,
    is_class_index,
    list_models,
    load_registry,
    look_up,
    overlays_from_environment,
    unknown_name,
    weights_file,
    weights_files,
)

__all__ = [
    "CLASS_INDEXES",
    "VARIABLE",
    "architecture",
    "find_registry",
    "get_registry",
    "is_class_index",
    "list_models",
    "load_registry",
    "look_up",
    "overlays_from_environment",
    "unknown_name",
    "weights_file",
    "weights_files",
]

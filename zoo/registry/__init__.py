"""``registry.yaml`` as validated records: every architecture, its weights files, preprocessing and heads."""

from zoo.registry.files import (
    VARIABLE,
    architecture,
    find_registry,
    get_registry,
    list_models,
    load_registry,
    overlays_from_environment,
    weights_file,
    weights_files,
)

__all__ = [
    "VARIABLE",
    "architecture",
    "find_registry",
    "get_registry",
    "list_models",
    "load_registry",
    "overlays_from_environment",
    "weights_file",
    "weights_files",
]

"""Fine-tuning as it is taught: from images of one's own to a model that tells them apart.

    from zoo import finetuning

    result = finetuning.finetune("resnet50", "photos/", out="run1/")       # photos/CLASS/*.jpg
    result = finetuning.head(zoo.load("resnet50", num_classes=5), "train/", "valid/", epochs=20)

The strategies are described in :mod:`zoo.finetuning.strategies`, the numbers they use are the tables of
:mod:`zoo.finetuning.schedule`. Names below are resolved on first access; all but ``choose_strategy`` and the
readers of data import Keras.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.finetuning.augmentation import default_augmentation
    from zoo.finetuning.data import as_pictures, from_arrays, from_csv, from_folder, from_loader
    from zoo.finetuning.division import split
    from zoo.finetuning.features import extract
    from zoo.finetuning.hosts import HostsError
    from zoo.finetuning.job import Result
    from zoo.finetuning.optimizer import GroupedSGD, factors_by_layer
    from zoo.finetuning.options import Options
    from zoo.finetuning.pictures import Pictures, Problem
    from zoo.finetuning.runs import finetune
    from zoo.finetuning.schedule import STRATEGIES, choose_strategy
    from zoo.finetuning.strategies import freeze_pretrain_finetune, head, last_layers, svm, train_all
    from zoo.finetuning.training import TrainingError

__all__ = [
    "STRATEGIES",
    "GroupedSGD",
    "HostsError",
    "Options",
    "Pictures",
    "Problem",
    "Result",
    "TrainingError",
    "as_pictures",
    "choose_strategy",
    "default_augmentation",
    "extract",
    "factors_by_layer",
    "finetune",
    "freeze_pretrain_finetune",
    "from_arrays",
    "from_csv",
    "from_folder",
    "from_loader",
    "head",
    "last_layers",
    "split",
    "svm",
    "train_all",
]

_HOMES = {
    "data": ("as_pictures", "from_arrays", "from_csv", "from_folder", "from_loader"),
    "division": ("split",),
    "pictures": ("Pictures", "Problem"),
    "augmentation": ("default_augmentation",),
    "features": ("extract",),
    "hosts": ("HostsError",),
    "job": ("Result",),
    "optimizer": ("GroupedSGD", "factors_by_layer"),
    "options": ("Options",),
    "runs": ("finetune",),
    "schedule": ("STRATEGIES", "choose_strategy"),
    "strategies": ("freeze_pretrain_finetune", "head", "last_layers", "svm", "train_all"),
    "training": ("TrainingError",),
}
"""By module: the public names in it."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute may be anything
    """Import a public name when it is first asked for."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"zoo.finetuning.{module}"), name)
    raise AttributeError(f"module 'zoo.finetuning' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return sorted(__all__)

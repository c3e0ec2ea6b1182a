"""How a whole model was being trained, as its file says it: optimizer, loss, metrics, the optimizer's state.

HDF5 files have the attribute ``training_config`` and the group ``optimizer_weights``, whose attribute
``weight_names`` lists the arrays in their order; an archive has ``compile_config`` in its configuration and
the arrays by number under ``optimizer/vars``. No array is read but numbers: how many steps were made.

Sources: save_model() in keras/models.py, Keras 1.2.2, and keras/engine/saving.py, Keras 2.2.4;
save_optimizer_weights_to_hdf5_group() in keras/src/saving/legacy/hdf5_format.py, Keras 2.15.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converters.arrays.form import Shape
from converters.boundary import guarded
from converters.errors import FileFormatError
from converters.formats.description import Description
from converters.formats.opening import open_untrusted
from converters.hdf5.source import Node, Source
from converters.layers.config import Setting, load_config
from converters.limits import check_name


@dataclass(frozen=True, kw_only=True)
class StateArray:
    """An array of an optimizer's state.

    Attributes:
        name: Its name.
        path: Where it lies.
        shape: Its shape.
        dtype: Its type.
        value: The number that it is, if it is one.
    """

    name: str
    path: str
    shape: Shape
    dtype: np.dtype[Any]
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a model was being trained.

    Attributes:
        optimizer: The optimizer, as its configuration names it.
        loss: The loss, or one for each output.
        loss_weights: How much each output's loss counts.
        metrics: What was measured besides.
        weighted_metrics: The same, weighted as the loss is.
        sample_weight_mode: Whether samples or steps had weights.
        state: The optimizer's arrays in their order.
        fault: Why the state cannot be read; empty if it can.
    """

    optimizer: Setting = None
    loss: Setting = None
    loss_weights: Setting = None
    metrics: Setting = None
    weighted_metrics: Setting = None
    sample_weight_mode: Setting = None
    state: tuple[StateArray, ...] = field(default=(), repr=False)
    fault: str = ""


def read_training(description: Description) -> Training | None:
    """Return how a whole model was being trained, or None if its file does not say.

    Args:
        description: The file.

    Raises:
        FileFormatError: If what it says is no JSON, or breaks a rule.
    """
    if not description.whole_model:
        return None
    with open_untrusted(description.path, known=description.stamp) as source, guarded(description.path):
        said = _said(source, description)
        if said is None:
            return None
        try:
            state, fault = tuple(_state(source)), ""
        except FileFormatError as error:
            state, fault = (), str(error).removeprefix(f"{description.path}: ")
    told = {name: said.get(name) for name in _TOLD}
    return Training(
        optimizer=said.get("optimizer_config", said.get("optimizer")), **told, state=state, fault=fault
    )


_TOLD = ("loss", "loss_weights", "metrics", "weighted_metrics", "sample_weight_mode")


def _said(source: Source, description: Description) -> Mapping[str, Setting] | None:
    if source.texts:
        found = (description.model_config or {}).get("compile_config")
    else:
        text = source.root.text("training_config")
        where = f"{description.path}: attribute 'training_config'"
        found = None if text is None else load_config(text, where, source.limits)
    return found if isinstance(found, dict) else None


def _state(source: Source) -> Iterator[StateArray]:
    root = source.root
    if root.has("optimizer_weights"):
        group = root.group("optimizer_weights")
        names = _names(group)
        if names is None:
            raise FileFormatError("its group 'optimizer_weights' has no attribute 'weight_names'")
    elif root.has("optimizer") and root.group("optimizer").has("vars"):
        group = root.group("optimizer").group("vars")
        names = tuple(str(number) for number in range(len(group.children())))
    elif source.texts:
        raise FileFormatError("the archive holds none")
    else:
        return
    for name in names:
        # A name that begins with "/", as Keras 2.0's "/iterations" on Theano, leads from the file's root.
        yield _array(source, root if name.startswith("/") else group, name.removeprefix("/"))


def _names(group: Node) -> tuple[str, ...] | None:
    """Return the names of an optimizer's arrays, in their order; one may begin with ``/``."""
    listed = group.attribute("weight_names")
    if not isinstance(listed, list) or not any(str(name).startswith("/") for name in listed):
        return group.names("weight_names")
    for name in listed:
        check_name(str(name).removeprefix("/"), f"{group.file}: attribute 'weight_names'", group.limits)
    return tuple(map(str, listed))


def _array(source: Source, group: Node, name: str) -> StateArray:
    value, dataset = None, group.dataset(name)
    if not dataset.shape and dataset.type.kind in ("float", "integer"):
        value = float(source.read(dataset))
    path = f"{group.name}/{name}".lstrip("/")
    return StateArray(name=name, path=path, shape=tuple(dataset.shape), dtype=dataset.dtype, value=value)

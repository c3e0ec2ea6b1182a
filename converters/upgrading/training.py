"""How a model goes on being trained: today's optimizer, loss and metrics, and the optimizer's state.

A slot has the shape of the array that it is of, and moves as that does: kernels are turned and gates packed
alike, and the optimizer would have changed the one where it changed the other. Where an array is multiplied,
its gradients are others, and its slots begin anew.

In which order older versions list the arrays that they train: by their names up to Keras 2.0.5, since then
as they stand in the file. Sources: _make_train_function() and compile() in keras/engine/training.py, Keras
1.2.2, 2.0.5 and 2.2.4; compile_from_config() in keras/src/trainers/trainer.py and load_own_variables() in
keras/src/optimizers/base_optimizer.py, Keras 3.15.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from converters.arrays.planned import Enlarged, Given, Output, constant
from converters.errors import counted
from converters.formats.training import StateArray, Training
from converters.layers.config import Setting
from converters.layers.model import Array
from converters.layers.table import OTHER, base_role
from converters.limits import clipped
from converters.upgrading.drawing import UNTRAINED, Placed, Value, Values, straight
from converters.upgrading.graph import Network, Node
from converters.upgrading.losses import by_output, loss_of, metric_of, name_of
from converters.upgrading.named import is_number
from converters.upgrading.optimizers import Dropped, Optimizer, Writer, read_optimizer
from converters.upgrading.origin import Origin
from converters.upgrading.store import Store
from converters.upgrading.today import OLDEST, Version

GROUP = "optimizer/vars"
_BY_NAME_BEFORE = (2, 0, 6)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How the new model goes on being trained.

    Attributes:
        config: What the new file says of it; None if it is to be compiled anew.
        slots: The optimizer's state.
        notes: What was carried over, and what was left out and why.
        optimizer: Today's class of the optimizer; empty if there is none.
        since: The first version of Keras that goes on with it.
    """

    config: dict[str, Any] | None = None
    slots: tuple[Placed, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    optimizer: str = ""
    since: Version = OLDEST


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The outputs of a model: their old names, and whether each is turned."""

    names: tuple[str, ...]
    turned: tuple[bool, ...]


def ends_of(network: Network, outputs: Sequence[Value]) -> Ends:
    """Return the outputs of a model, by the old network and by what is drawn for it."""
    return Ends(
        names=tuple(source.layer for source in network.outputs),
        turned=tuple(value.axes != straight(value.rank) for value in outputs),
    )


def trained(
    training: Training, store: Store, network: Network, outputs: Sequence[Placed], ends: Ends
) -> Trained:
    """Return how a model goes on being trained.

    Args:
        training: What the old file says of it.
        store: The old arrays.
        network: The old network.
        outputs: The arrays of the new file.
        ends: The model's outputs.
    """
    origin = store.origin
    if own := next((output.origin for output in outputs if output.own), None):
        text = f"which arrays of {clipped(own)} are trained only its own code says"
        return Trained(notes=(f"its optimizer is left out: {text}; {_COMPILE}",))
    writer = Writer(version=origin.version, of_tensorflow=origin.tf_keras, anew=_is_anew(training))
    try:
        optimizer = read_optimizer(training.optimizer, writer)
    except Dropped as dropped:
        return Trained(notes=(f"its optimizer is left out: {dropped}; {_COMPILE}",))
    notes = [f"its optimizer {optimizer.rule.today}: {note}" for note in optimizer.notes]
    slots, told = _slots(training, optimizer, trained_arrays(store, network), outputs)
    config = {
        "optimizer": optimizer.config,
        **_measured(training, origin, ends, told),
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": False,
    }
    return Trained(
        config=config,
        slots=tuple(slots),
        notes=(*notes, *told),
        optimizer=optimizer.rule.today,
        since=optimizer.rule.since,
    )


_COMPILE = "compile the new model before training it"


def _is_anew(training: Training) -> bool:
    """Return whether an optimizer is one that tf.keras has had since 2.11: its state begins with one name.

    Archives, which are no older, may say its name alone.
    """
    if isinstance(training.optimizer, str):
        return True
    if training.state and not training.state[0].name.isdecimal():
        return training.state[0].name.partition(":")[0] == "iteration"
    settings = training.optimizer.get("config") if isinstance(training.optimizer, Mapping) else None
    return isinstance(settings, Mapping) and settings.get("is_legacy_optimizer") is False


def trained_arrays(store: Store, network: Network) -> list[Array]:
    """Return the arrays that the old optimizer changed, in its order."""
    known = dict.fromkeys(_trained_paths(store, network, frozen=False))
    description = store.origin.description
    arrays = {array.path: array for layer in description.layers for array in layer.arrays}
    if description.dialect == "keras3":  # its groups are read by the alphabet
        return [arrays[path] for path in known]
    found = [array for path, array in arrays.items() if path in known]
    return sorted(found, key=lambda array: array.name) if store.origin.version < _BY_NAME_BEFORE else found


def _trained_paths(store: Store, network: Network, *, frozen: bool) -> Iterator[str]:
    for node in network.nodes:
        yield from _paths_of(store, node, frozen=frozen)


def _paths_of(store: Store, node: Node, *, frozen: bool) -> Iterator[str]:
    frozen = frozen or node.frozen or (node.inner is not None and node.inner.frozen)
    if node.network is not None:
        yield from _trained_paths(store, node.network, frozen=frozen)
    elif node.inner is not None and id(node) not in store.parts:
        yield from _paths_of(store, node.inner, frozen=frozen)
    elif not frozen:
        for part in store.of(node, needed=False):
            for array in part.arrays:
                role = str(array.role)
                if (role if part.kind == OTHER else base_role(str(part.kind), role)) not in UNTRAINED:
                    yield array.path


# The state


def _slots(
    training: Training, optimizer: Optimizer, arrays: Sequence[Array], outputs: Sequence[Placed]
) -> tuple[list[Placed], list[str]]:
    """Return an optimizer's state, whole since Keras opens no other, and what is told of it."""
    known: dict[str, dict[str, StateArray]] = {}
    steps, told = 0, []
    try:
        if training.fault:
            raise Dropped(training.fault)
        if training.state:
            known, steps = _known(training, optimizer, arrays), _steps(training)
            told = [f"its optimizer {optimizer.rule.today} goes on after {counted(steps, 'step')}"]
    except Dropped as dropped:
        told = [f"the state of its optimizer is left out: {dropped}; it begins anew"]
    found, began = list(_numbers(optimizer, steps)), []
    for group in optimizer.groups:
        for output in (output for output in outputs if output.trained):
            moved = [_moved(output.values, known.get(slot, {})) for slot in group]
            whole = [values for values in moved if values is not None]
            if len(whole) < len(group):
                began.append(output.origin)
                whole = [_begun(output.values, optimizer.first)] * len(group)
            found += whole
    if optimizer.rule.product:
        found.append(_number(_product(optimizer, steps), "float32"))
    if began and known:
        names = ", ".join(clipped(name) for name in dict.fromkeys(began))
        told.append(f"its optimizer begins anew with {names}, whose arrays are not the old ones")
    return [_placed(values, number) for number, values in enumerate(found)], told


def _known(
    training: Training, optimizer: Optimizer, arrays: Sequence[Array]
) -> dict[str, dict[str, StateArray]]:
    """Return the slots of the old file, by their names and the paths of the arrays that they are of.

    Raises:
        Dropped: If they are not those of the arrays that are trained.
    """
    known: dict[str, dict[str, StateArray]] = {}
    state = [array for array in training.state if array.value is None]
    for slot, number, found in optimizer.found(state, len(arrays)):
        array = arrays[number]
        if found.shape != array.shape or found.dtype != array.dtype:
            raise Dropped(f"array {clipped(found.name)} {found.shape} is none of {clipped(array.name)}")
        known.setdefault(slot, {})[array.path] = found
    return known


def _steps(training: Training) -> int:
    """Return how many steps an optimizer made: the first number of its state, if it keeps any."""
    value = next((array.value for array in training.state if array.value is not None), 0.0)
    return int(value) if value is not None and math.isfinite(value) and 0 <= value < 1 << 53 else 0


def _numbers(optimizer: Optimizer, steps: int) -> Iterator[Values]:
    yield _number(steps, "int64")
    if not optimizer.scheduled:
        yield _number(optimizer.settings["learning_rate"], "float32")


def _number(value: float, dtype: str) -> Given:
    return constant(value, (), np.dtype(dtype), "number")


def _product(optimizer: Optimizer, steps: int) -> float:
    """Return the product of the momenta of all steps: b (1 - 0.96 ** i / 2) each, which ends near zero."""
    product = 1.0
    for step in range(1, min(steps, 1 << 14) + 1):
        product *= optimizer.settings.get("beta_1", 0.9) * (1.0 - 0.5 * 0.96**step)
    return product


def _moved(values: Values, slots: Mapping[str, StateArray]) -> Values | None:
    """Return the slot of an array, moved as that is; None if there is none or it would be another's."""
    if isinstance(values, Enlarged):
        moved = _moved(values.output, slots)
        return replace(values, output=moved) if isinstance(moved, Output) else None
    if not isinstance(values, Output) or not values.exact or not set(values.sources) <= set(slots):
        return None
    shares = [
        replace(share, array=replace(share.array, path=slots[share.array.path].path))
        for share in values.shares
    ]
    return replace(values, shares=tuple(shares))


def _begun(values: Values, first: float) -> Values:
    return constant(first, values.target_shape, values.dtype, values.role)


def _placed(values: Values, number: int) -> Placed:
    return Placed(target_path=f"{GROUP}/{number}", values=values, layer="optimizer", owner="optimizer")


# Loss and metrics


def _measured(training: Training, origin: Origin, ends: Ends, told: list[str]) -> dict[str, Any]:
    """Return loss, weights and metrics as today's Keras takes them: alone for one output, else as a list."""
    losses = _losses(training, origin, ends, told)
    if training.sample_weight_mode is not None:
        told.append("its sample_weight_mode is left out: weights have the shape of what they weigh today")
    return {
        "loss": losses,
        "loss_weights": _weights(training, ends, told) if losses is not None else None,
        "metrics": _metrics(training.metrics, ends, told),
        "weighted_metrics": _metrics(training.weighted_metrics, ends, told),
    }


def _alone(found: list[Any]) -> Any:  # noqa: ANN401 - what compile takes
    return found[0] if len(found) == 1 else found


def _losses(training: Training, origin: Origin, ends: Ends, told: list[str]) -> Any:  # noqa: ANN401
    if training.loss is None:
        return None
    said = by_output(training.loss, ends.names)
    if said is None:
        told.append(f"its loss is left out: it is not one for each output; {_WITH_LOSS}")
        return None
    found = [
        None if one is None else loss_of(one, origin.version, turned=turned)
        for one, turned in zip(said, ends.turned, strict=True)
    ]
    for one, loss in zip(said, found, strict=True):
        if one is not None and loss is None:
            told.append(f"its loss {name_of(one)} is left out: it is none of today's; {_WITH_LOSS}")
            return None
    return _alone(found)


_WITH_LOSS = "compile the new model with its own optimizer, model.compile(model.optimizer, loss), to go on"


def _weights(training: Training, ends: Ends, told: list[str]) -> Any:  # noqa: ANN401 - what compile takes
    if training.loss_weights is None:
        return None
    said = by_output(training.loss_weights, ends.names)
    found = [1.0 if one is None else float(one) for one in said or () if one is None or is_number(one)]
    if said is None or len(found) < len(said):
        told.append("its loss_weights are left out: they are not a number for each output")
        return None
    return _alone(found)


def _metrics(value: Setting, ends: Ends, told: list[str]) -> Any:  # noqa: ANN401 - what compile takes
    if not value:
        return None
    said = by_output(value, ends.names, lists=True)
    if said is None:
        told.append("its metrics are left out: they are not those of its outputs")
        return None
    listed = []
    for one, turned in zip(said, ends.turned, strict=True):
        own = one if isinstance(one, list) else [one]
        found = [(metric, metric_of(metric, turned=turned)) for metric in own if metric is not None]
        left = [name_of(metric) for metric, today in found if today is None]
        told += [f"its metric {name} is left out: it is none of today's" for name in dict.fromkeys(left)]
        listed.append([today for _, today in found if today is not None])
    return _alone(listed) if any(listed) else None

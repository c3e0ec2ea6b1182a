"""Where the arrays of a drawn network lie is where Keras looks for them, whatever the network's form."""

from __future__ import annotations

import random

import numpy as np
import pytest

from converters.upgrading.drawing import Call, Drawing, Drawn, Value, configuration, placed


def drawn_at_random(seed):
    """Return a network of layers that add and multiply, some used several times, and its order of making."""
    chance = random.Random(seed)
    drawing = Drawing(name="net", chain=False)
    values = [
        drawing.input(f"in{number}", (None, 4), "float32", (0,)) for number in range(chance.randint(1, 3))
    ]
    unused = set(range(len(values)))
    for number in range(chance.randint(3, 14)):
        class_name = chance.choice(["Dense", "Dense", "Add", "Multiply", "Activation"])
        merging = class_name in ("Add", "Multiply")
        settings = {"Dense": {"units": 4}, "Activation": {"activation": "tanh"}}.get(class_name, {})
        layer = drawing.add(
            Drawn(
                name=f"l{number}",
                class_name=class_name,
                settings={"name": f"l{number}", **settings},
                arrays={},
            )
        )
        for _ in range(1 if merging else chance.randint(1, 2)):
            picked = [chance.randrange(len(values)) for _ in range(2 if merging else 1)]
            layer.calls.append(Call(values=tuple(values[at] for at in picked), listed=merging, said={}))
            unused -= set(picked)
            unused.add(len(values))
            values.append(Value(layer=layer.name, call=len(layer.calls) - 1, shape=(None, 4), axes=(0,)))
    drawing.outputs = [values[at] for at in chance.sample(sorted(unused), len(unused))]
    return drawing


@pytest.mark.parametrize("seed", range(12))
def test_layers_are_listed_in_keras_own_order(seed):
    """Which the groups of arrays are numbered by; a wrong one would swap arrays of one shape in silence."""
    import keras

    drawing = drawn_at_random(seed)
    model = keras.saving.deserialize_keras_object(configuration(drawing))
    assert [layer.name for layer in model.layers] == [drawn.name for drawn in drawing.in_order()]
    assert model.name == "net"


def test_groups_are_numbered_by_class():
    """And those of a model within the model start anew; operations have none."""
    inner = Drawing(name="inner", chain=True)
    inner.outputs = [inner.input("x", (None, 4), "float32", (0,))]
    outer = Drawing(name="outer", chain=False)
    source = outer.input("y", (None, 4), "float32", (0,))
    fields = {"target_shape": (4, 4), "dtype": np.dtype("float32"), "sources": (), "role": "kernel"}
    array = type("Array", (), fields)()
    for name, class_name, inside in (
        ("one", "Dense", None),
        ("root", "Sqrt", None),
        ("model", "Model", inner),
        ("two", "Dense", None),
    ):
        layer = Drawn(name=name, class_name=class_name, settings={}, arrays={"vars/0": array}, inside=inside)
        layer.calls.append(Call(values=(source,), listed=False, said={}))
        outer.add(layer)
        source = Value(layer=name, call=0, shape=(None, 4), axes=(0,))
    outer.outputs = [source]
    assert [found.target_path for found in placed(outer)] == [
        "layers/dense/vars/0",
        "layers/functional/vars/0",
        "layers/dense_1/vars/0",
    ]

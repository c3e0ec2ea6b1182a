"""The structures of the networks that Keras brings with it, as the installed Keras draws them.

`python -m tests.applications_facts` draws each without values and writes its structure anew: layers, kinds,
shapes, and the number of values, which the registry takes from there. What else the registry says of these
networks is read by hand from Keras' source: constructors and their numbers, addresses and digests of files,
errors, licences, preprocessing. So is which layers a file holds within others (``inside``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import keras

from converters.layers.names import kind_of_class
from converters.planning.structure_files import OWN
from converters.planning.structures import NUMBERS, StructureLayer, load_structure, numbers_text
from tests.support.outlines import without_values
from tests.support.shares import OF_KERAS
from zoo.networks.families.whole import roles_of
from zoo.networks.loading import Wish, draw
from zoo.registry.records import Architecture


def drawn(network: Architecture) -> keras.Model:
    """Return a network as its constructor draws it for the published images, without values."""
    with without_values():
        wish = Wish(height=network.input.height, width=network.input.width, data_format="channels_last")
        return draw(network, network.default_graph, wish)


def layers_of(model: keras.Model) -> tuple[StructureLayer, ...]:
    """Return the layers of a model as a structure holds them."""
    return tuple(
        StructureLayer(
            name=layer.name,
            kind=kind_of_class(type(layer).__name__),
            arrays={role: tuple(variable.shape) for role, variable in roles_of(layer).items()},
        )
        for layer in model.layers
    )


def _lines(head: dict[str, Any], layers: tuple[StructureLayer, ...]) -> Iterator[str]:
    """Yield the lines of a structure's file: one for each fact, and one for each layer."""
    for key, value in head.items():
        yield f"{'{' if key == 'format' else ''}{json.dumps(key)}: {json.dumps(value)},"
    yield '"layers": ['
    for layer in layers:
        arrays = {role: list(shape) for role, shape in layer.arrays.items()}
        told = {"name": layer.name, "kind": layer.kind, **({"arrays": arrays} if arrays else {})}
        yield f"{json.dumps(told)}{'' if layer is layers[-1] else ','}"
    yield "]}"


def text_of(network: Architecture, layers: tuple[StructureLayer, ...]) -> str:
    """Return what the file of a network's structure is to hold, where its layers are these.

    Where it is from changes with its layers alone: a new Keras that draws the same changes nothing.
    """
    name = network.default_graph.structures[0]
    path = OWN / f"{name}.json"
    head = {key: value for key, value in json.loads(path.read_text("utf-8")).items() if key != "layers"}
    if layers != load_structure(name).layers:
        numbers = dict(network.default_graph.config)
        given = ", ".join(f"{key}={value}" for key, value in numbers.items() if key != "constructor")
        call = f"keras.applications.{numbers['constructor']}({given})"
        head["source"] = f"keras {keras.__version__} {call}, as it draws for weights=imagenet"
        shapes = (shape for layer in layers for shape in layer.arrays.values())
        head["parameters"] = sum(map(math.prod, shapes))
    return "\n".join(_lines(head, layers)) + "\n"


if __name__ == "__main__":
    for one in OF_KERAS.values():
        target = OWN / f"{one.default_graph.structures[0]}.json"
        text = text_of(one, layers_of(drawn(one)))
        changed = text != target.read_text("utf-8")
        if changed:
            target.write_text(text, "utf-8")
        print(f"{target.name}: {'written anew' if changed else 'as before'}", flush=True)  # noqa: T201
        keras.backend.clear_session()
    # By their paths: what was read by name is remembered.
    NUMBERS.write_text(numbers_text(map(load_structure, sorted(OWN.glob("*.json")))), "utf-8")

"""``python -m tinynets.write_structures``: write down the layers of every network, as its files have them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import yaml

from tinynets.drawing import draw
from tinynets.family import FAMILY

HERE = Path(__file__).parent


def structures() -> Iterator[tuple[str, str]]:
    """Yield the name of each structure, and the text of its file."""
    networks = yaml.safe_load((HERE / "registry.yaml").read_text("utf-8"))["architectures"]
    for network in networks.values():
        size = network["input"]
        for graph in network["graphs"].values():
            images = keras.Input((size["height"], size["width"], size["channels"]), name="images")
            numbers = FAMILY.form.check(graph["config"], ())
            model = draw(None, images, numbers, [head["name"] for head in graph["heads"]])
            yield graph["structures"][0], text(graph["structures"][0], model)


def text(name: str, model: keras.Model) -> str:
    """Return the file of a structure: a line for each layer, shapes as Keras has them."""
    lines = ",\n".join(json.dumps(layer(one)) for one in model.layers)
    head = json.dumps({"format": 1, "name": name, "parameters": model.count_params()})
    return f'{head[:-1]},\n"layers": [\n{lines}\n]}}\n'


def layer(one: keras.Layer) -> Mapping[str, Any]:
    """Return what there is to know of a layer: name, kind, and the shapes of its arrays in their order."""
    arrays = {weight.name: list(weight.shape) for weight in one.weights}
    return {"name": one.name, "kind": type(one).__name__} | ({"arrays": arrays} if arrays else {})


if __name__ == "__main__":
    for name, content in structures():
        (HERE / "structures" / f"{name}.json").write_text(content, "utf-8")

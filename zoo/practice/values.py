"""Practice values: arrays and images drawn from a rule that needs NumPy and nothing else.

Every array of a network comes from a generator of its own::

    rng = numpy.random.default_rng(zlib.crc32(f"{graph}/{layer}/{index}".encode()))

where ``graph`` is the name of the graph's first structure, ``layer`` the published name that it gives the
layer, and ``index`` the array's place in its layer. How it is drawn (normal with an offset and a scale, or
uniform) stands in ``draws/GRAPH.json``; a graph without such a file is drawn by :func:`default_draw`. Shapes
are Theano's: convolution kernels are (O, I, H, W), rotated, as the published Theano files hold them.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.planning.structures import StructureLayer
from zoo.errors import ArgumentError
from zoo.registry.records import Architecture

Float32 = NDArray[np.float32]

# Drawing in blocks gives the same numbers as at once, without a float64 copy of VGG's 102,760,448 values.
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Draw:
    """How one array is drawn.

    Attributes:
        distribution: ``normal`` (offset ``a``, scale ``b``) or ``uniform`` (from ``a`` up to ``b``).
        a: First number of the distribution.
        b: Second number of the distribution.
    """

    distribution: str
    a: float
    b: float

    def fill(self, key: str, shape: tuple[int, ...]) -> Float32:
        """Return an array of this shape, drawn from the generator that ``key`` names, float32."""
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        drawn = np.empty(math.prod(shape), np.float32)
        for start in range(0, drawn.size, _BLOCK):
            count = min(_BLOCK, drawn.size - start)
            drawn[start : start + count] = self._block(rng, count)
        return drawn.reshape(shape)

    def _block(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        if self.distribution == "normal":
            return self.a + self.b * rng.standard_normal(count)
        return rng.uniform(self.a, self.b, count)


def images(name: str) -> Float32:
    """Return the two practice images of a network, already preprocessed.

    Args:
        name: Name of an architecture whose draws are listed, for example ``densenet161``.

    Returns:
        Array of shape (2, 3, S, S), channels first, float32, values between minus and plus the constant that
        the network's draws name.

    Raises:
        ArgumentError: The network has no practice images.
    """
    described = _draws_file(name).get("input")
    if described is None:
        message = f"no practice images for {name!r}; there are some for {', '.join(_listed())}"
        raise ArgumentError(message)
    drawn = Draw(distribution="uniform", a=-1.0, b=1.0).fill(f"{name}/input", tuple(described["shape"]))
    drawn *= np.float32(described["constant"])
    return drawn


_RECIPES = {"caffe_x0.017": "caffe"}
"""Recipes that make images smaller than the values were drawn for, and those without their factor. Images a
sixtieth as large would leave every rectifier of a DenseNet shut, and its features the same for all images."""


def recipe(network: Architecture) -> str:
    """Return the recipe of the registry that images need for a network's practice values.

    Args:
        network: An architecture.

    Returns:
        Its own recipe; for a DenseNet the one that leaves values on the scale of 0 to 255.
    """
    own = network.recipe.name
    return _RECIPES.get(own, own)


def array(graph: str, layer: StructureLayer, role: str) -> Float32:
    """Return one array of a network as its Theano file holds it.

    Args:
        graph: Name of the graph's first structure, for example ``vgg16``.
        layer: The layer, as that structure lists it.
        role: Which of the layer's arrays, for example ``kernel``.

    Returns:
        float32, in Theano's shape: (O, I, H, W) for the kernel of a convolution, as listed otherwise.
    """
    shape = theano_shape(layer.arrays[role])
    index = list(layer.arrays).index(role)
    return _draw(graph, layer.name, index, role, shape).fill(f"{graph}/{layer.name}/{index}", shape)


def theano_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return Theano's shape of an array: (H, W, I, O) becomes (O, I, H, W), anything else stays."""
    if len(shape) != 4:
        return tuple(shape)
    height, width, inputs, outputs = shape
    return outputs, inputs, height, width


def default_draw(role: str, shape: tuple[int, ...]) -> Draw:
    """Return how an array is drawn that no file of draws lists.

    Kernels keep the variance of what flows through a rectified network (He et al. 2015: scale
    sqrt(2 / inputs)); the others stay near what training starts from.

    Args:
        role: Role of the array, for example ``gamma``.
        shape: Theano's shape; inputs are I*H*W for (O, I, H, W) and the rows of a dense kernel.
    """
    if role == "depthwise_kernel":  # (multiplier, inputs, H, W), each input by itself
        return Draw(distribution="normal", a=0.0, b=math.sqrt(2 / math.prod(shape[2:])))
    if role in ("kernel", "pointwise_kernel"):
        inputs = math.prod(shape[1:]) if len(shape) == 4 else shape[0]
        return Draw(distribution="normal", a=0.0, b=math.sqrt(2 / inputs))
    return _DEFAULTS[role]


_DEFAULTS = {
    "bias": Draw(distribution="normal", a=0.0, b=0.05),
    "gamma": Draw(distribution="normal", a=1.0, b=0.1),
    "beta": Draw(distribution="normal", a=0.0, b=0.1),
    "moving_mean": Draw(distribution="normal", a=0.0, b=0.1),
    "moving_variance": Draw(distribution="uniform", a=0.5, b=1.5),
    "mean": Draw(distribution="uniform", a=0.4, b=0.5),
    "variance": Draw(distribution="uniform", a=0.04, b=0.06),
    "count": Draw(distribution="uniform", a=0.0, b=0.0),
}


def _draw(graph: str, layer: str, index: int, role: str, shape: tuple[int, ...]) -> Draw:
    listed = _draws_file(graph).get("draws")
    if listed is None:
        return default_draw(role, shape)
    distribution, a, b = listed[layer][index]
    return Draw(distribution=distribution, a=a, b=b)


def _folder() -> Path:
    return Path(__file__).parent / "draws"


def _listed() -> list[str]:
    return sorted(path.stem for path in _folder().glob("*.json"))


@cache
def _draws_file(graph: str) -> dict[str, Any]:
    path = _folder() / f"{graph}.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}

"""The main job from end to end on the practice zoo, through the same code as with published files.

Fetch a Theano file, convert it, load it with ten classes, take bottleneck features of handwritten digits,
train the new head on them, put it into the model and ask the model for digits that it has not seen.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from converters import convert_file
from converters.arrays.form import TH
from converters.planning.structures import load_structure
from zoo import practice
from zoo.errors import ArgumentError
from zoo.extras import how_to_install
from zoo.fetching.fetcher import fetch
from zoo.networks.families.names import keras_name
from zoo.networks.preprocessing import preprocess_input
from zoo.registry import VARIABLE, architecture
from zoo.registry.records import Architecture
from zoo.variables import HOME

if TYPE_CHECKING:
    import keras

CLASSES = 10
CHANCE = 1 / CLASSES
TRAINING = 600
HELD_OUT = 300

_SMALLEST_SIDE = 64  # pixels: eight for each of a digit's
_BATCH = 50
_EPOCHS = 60

Report = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What a demo reached.

    Attributes:
        name: The network.
        side: Height and width of the images, in pixels.
        training: Number of digits the head was trained on.
        held_out: Number of digits the accuracy was measured on; none of them was trained on.
        accuracy: Share of the held-out digits that the model correctly classified.
        chance: What guessing reaches.
        seconds: Time that each step took.
    """

    name: str
    side: int
    training: int
    held_out: int
    accuracy: float
    chance: float
    seconds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Handwritten digits, made ready for a network.

    Attributes:
        images: Preprocessed images, shape (N, S, S, 3), float32.
        labels: What they show, 0 to 9, shape (N,).
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass
class _Steps:
    """Tells of steps as they are done and keeps their times."""

    report: Report
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step; what it puts into the list is reported when it is done."""
        said: list[str] = []
        start = time.perf_counter()
        yield said
        self.seconds[name] = time.perf_counter() - start
        self.report(f"{name:<9}{self.seconds[name]:6.1f} s  {' '.join(said)}")


def demo(name: str = "densenet161", report: Report = print, *, home: Path | None = None) -> DemoResult:
    """Fetch, convert, load and fine-tune one network on the practice zoo.

    Args:
        name: Name of a network.
        report: Called with one line of text for each step.
        home: Cache folder to use; one of its own that is removed afterwards by default.

    Returns:
        What was reached, with the time of each step.

    Raises:
        ArgumentError: scikit-learn, whose digits are learned, is not installed.
        UnknownNameError: There is no such network.
        ZooError: A step went wrong.
    """
    raw, labels = _load_digits()
    steps = _Steps(report)
    report("The weights are practice values, drawn by a rule and not learned from ImageNet.")
    with tempfile.TemporaryDirectory(prefix="zoo-demo-") as temporary:
        folder = Path(temporary)
        with steps.step("publish") as said:
            practice.build(folder / "published", [name])
            said.append(f"a practice file of {name} as it was published for Theano, on a loopback server")
        with practice.serve(folder / "published") as zoo, _environment(zoo.registry, home or folder / "home"):
            network = architecture(name)
            weights = _fetch_and_convert(name, folder, steps)
            accuracy, side = _learn(network, weights, raw, labels, steps)
    report(f"{accuracy:.1%} of {HELD_OUT} held-out digits correctly classified; chance is {CHANCE:.0%}")
    return DemoResult(
        name=name,
        side=side,
        training=TRAINING,
        held_out=HELD_OUT,
        accuracy=accuracy,
        chance=CHANCE,
        seconds=steps.seconds,
    )


@contextmanager
def _environment(registry: Path, home: Path) -> Iterator[None]:
    """Let the environment name this registry and this cache for a while."""
    wanted = {VARIABLE: str(registry), HOME: str(home)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _load_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return scikit-learn's handwritten digits: images (1797, 8, 8), values 0 to 16, and labels."""
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        advice = how_to_install("demo")
        raise ArgumentError(f"the demo needs scikit-learn for its digits: {advice}") from error
    digits = load_digits()
    return digits.images, digits.target


def _fetch_and_convert(name: str, folder: Path, steps: _Steps) -> Path:
    """Fetch the Theano file and return a converted copy of it."""
    with steps.step("fetch") as said:
        fetched = fetch(name, backend="th")
        said.append(
            f"{fetched.name}, {fetched.stat().st_size / 1e6:,.1f} MB, size, SHA-256 and MD5 as listed"
        )
    with steps.step("convert") as said:
        converted = folder / f"{name}_tf.h5"
        convert_file(fetched, converted, direction="th-to-tf", registry_form=TH)
        said.append("channels first to channels last, kernels rotated")
    return converted


def _learn(
    network: Architecture, weights: Path, raw: NDArray[np.float64], labels: NDArray[np.int64], steps: _Steps
) -> tuple[float, int]:
    """Return the accuracy of the fine-tuned model on held-out digits, and the side of the images."""
    side = _side(network)
    training, held_out = _split(network, raw, labels, side)
    with steps.step("load") as said:
        features, model = _load(network, weights, side)
        said.append(f"a model with {CLASSES} classes for images of {side} x {side} pixels")
    with steps.step("features") as said:
        bottleneck = features.predict(training.images, batch_size=_BATCH, verbose=0)
        said.append(f"{bottleneck.shape[1]} bottleneck features of {TRAINING} digits")
    with steps.step("train") as said:
        head = _train_head(bottleneck, training.labels)
        model.get_layer(_head_name(network)).set_weights(head)
        said.append("the new head, on these features, and put it into the model")
    with steps.step("predict") as said:
        predicted = model.predict(held_out.images, batch_size=_BATCH, verbose=0)
        said.append(f"{HELD_OUT} held-out digits with the whole model")
    return float(np.mean(predicted.argmax(axis=-1) == held_out.labels)), side


def _side(network: Architecture) -> int:
    """Return a small side that the network takes without its top: a multiple of a digit's 8 pixels."""
    return 8 * -(-max(_SMALLEST_SIDE, network.input.min_size) // 8)


def _split(
    network: Architecture, raw: NDArray[np.float64], labels: NDArray[np.int64], side: int
) -> tuple[Digits, Digits]:
    """Return digits to train on and others to be asked about, drawn without regard to who wrote them."""
    order = np.random.default_rng(0).permutation(len(raw))
    parts = (order[:TRAINING], order[TRAINING : TRAINING + HELD_OUT])
    training, held_out = (_digits(network, raw[part], labels[part], side) for part in parts)
    return training, held_out


def _digits(network: Architecture, raw: NDArray[np.float64], labels: NDArray[np.int64], side: int) -> Digits:
    grey = np.kron(raw * (255 / 16), np.ones((side // 8, side // 8)))
    rgb = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    images = preprocess_input(network.name, rgb)
    # Digits are dark, and there are few: on the scale of 0 to 255 they tell more apart than scaled down, as
    # Inception was trained on. The practice registry leaves DenseNet's on it.
    images /= np.asarray(network.recipe.scale, np.float32)
    return Digits(images=images, labels=labels)


def _load(network: Architecture, weights: Path | None, side: int) -> tuple[keras.Model, keras.Model]:
    """Return the network without a head, its last feature map pooled, and the network with ten classes."""
    import keras

    from zoo.networks.loading import load

    small = partial(
        load, network.name, weights=weights, input_shape=(side, side, 3), data_format="channels_last"
    )
    features = small(num_classes=0, pooling="avg")
    if _head_rows(network) == features.output_shape[-1]:
        return features, small(num_classes=CLASSES, aux_heads=False, freeze="backbone")
    # Dense layers below the head fix the size of the images; on small ones it stands on the pooled features.
    head = keras.layers.Dense(CLASSES, activation="softmax", name=_head_name(network))
    return features, keras.Model(features.input, head(features.output))


def _head_rows(network: Architecture) -> int:
    """Return what the published main head's dense layer takes."""
    graph = network.default_graph
    listed = {layer.name: layer for layer in load_structure(graph.structures[0]).layers}
    return listed[graph.heads[-1].layer].arrays["kernel"][0]


def _head_name(network: Architecture) -> str:
    return keras_name(network.default_graph.heads[-1].layer)


def _train_head(features: NDArray[np.float32], labels: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    """Train a softmax layer on bottleneck features.

    Features differ in scale by orders of magnitude, so the layer learns from standardised ones; then mean and
    deviation are folded into its weights, so that it takes the features as they are.

    Args:
        features: Shape (N, F).
        labels: Shape (N,).

    Returns:
        Kernel (F, 10) and bias (10,).
    """
    import keras

    from zoo.finetuning.features import Scale

    scale = Scale.of(features)
    layer = keras.layers.Dense(CLASSES, activation="softmax", kernel_initializer="zeros")
    trained = keras.Sequential([keras.Input(features.shape[1:]), layer])
    trained.compile(optimizer=keras.optimizers.Adam(1e-2), loss="crossentropy")
    standardised = scale.standardise(features)
    # All digits in one step, from zeros: the same head every time.
    trained.fit(standardised, labels, batch_size=len(labels), epochs=_EPOCHS, shuffle=False, verbose=0)
    return scale.fold(layer.get_weights())

"""One shard of features, from its pictures to its file: what a worker does, wherever it is.

A worker draws the network once and computes with one thread, in batches of one size whatever is in them. So a
shard is the same to the bit whoever computes it, on one kind of processor.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import platform
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import PIL
import tensorflow as tf
from numpy.typing import NDArray

from zoo import __version__
from zoo.errors import ArgumentError, DataError
from zoo.files.given import as_named, at_hand
from zoo.finetuning.batches import Preparation
from zoo.finetuning.deadly import PROBLEM
from zoo.finetuning.digests import digest_model
from zoo.finetuning.features import FeaturesError, dissect, features_digest, preparation_for
from zoo.finetuning.listing import Listed
from zoo.finetuning.runs import load_classifier
from zoo.finetuning.shard_files import ShardContent, read_shard, unwritable, write_shard
from zoo.finetuning.shard_records import Described, Done, Network, Shard
from zoo.networks.fitting import Frame
from zoo.networks.images import UNDECIDED, Depth, Picture, PictureError, Seen, see_picture
from zoo.networks.weights import as_trained
from zoo.registry import architecture
from zoo.registry.records import Architecture
from zoo.storage.remote import brought, is_remote, shown
from zoo.surgery.folding import fuse

BATCH = 32
"""How many pictures go through the network at once; the last ones of a shard are joined by grey ones."""

_GREY = 128
_LOG = logging.getLogger(__name__)
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A network that is ready to run.

    Attributes:
        digest: Of all that features depend on besides the pictures.
        width: How many features it gives.
        preparation: What is done to pictures before it gets them.
        run: Takes RGB, uint8 of shape (BATCH, H, W, 3); gives features (BATCH, F).
    """

    digest: str
    width: int
    preparation: Preparation
    run: Any


def describe(network: Network) -> Described:
    """Return what features of a network depend on, and how many there are.

    Raises:
        ZooError: It cannot be loaded.
    """
    with _ONE_AT_A_TIME:
        loaded = _loaded(network)
        return Described(digest=loaded.digest, width=loaded.width)


def compute(shard: Shard) -> Done:
    """Write the file of one shard, unless it is there, and return what is in it.

    Raises:
        ZooError: This worker has another network, or another version; it gives no numbers; or the file cannot
            be written.
    """
    content = read_shard(f"{shard.folder}/{shard.file}")
    if content is not None and content.facts["key"] == shard.key:
        return _done(shard, content, taken=True)
    with _ONE_AT_A_TIME:
        content = _computed(shard)
    write_shard(shard.folder, shard.file, content)
    return _done(shard, content, taken=False)


def _done(shard: Shard, content: ShardContent, *, taken: bool) -> Done:
    return Done(
        number=shard.number,
        file=shard.file,
        sha256=content.sha256,
        labels=tuple(content.labels),
        failed=tuple(content.failed),
        depth=Depth.from_record(content.facts["depth"]),
        taken=taken,
    )


def _computed(shard: Shard) -> ShardContent:
    loaded = _loaded(shard.network)
    if loaded.digest != shard.described.digest:
        raise ArgumentError(
            f"this worker's {shard.network.name} is another one, by its weights or by the versions of zoo, "
            "Keras and TensorFlow: install the same everywhere"
        )
    reading = _Reading(shard, loaded.preparation)
    found = [loaded.run(batch)[:count] for batch, count in reading.batches()]
    features = np.concatenate(found) if found else np.empty((0, loaded.width), np.float32)
    _check_numbers(shard.network.name, features, reading.read)
    return ShardContent(
        names=[shown(one.name) for one in reading.read],
        labels=[one.label for one in reading.read],
        features=features,
        failed=reading.failed,
        facts={"key": shard.key, "depth": reading.depth.as_record()},
    )


def _check_numbers(name: str, features: NDArray[np.float32], read: Sequence[Listed]) -> None:
    damaged = ~np.isfinite(features).all(axis=1)
    if damaged.any():
        one = shown(read[int(damaged.argmax())].name)
        raise FeaturesError(
            f"network {name!r} gives features that are not numbers, of {one!r} for one: its weights are "
            "damaged, or too large for its type of numbers"
        )


class _Reading:
    """The pictures of a shard, a batch at a time.

    Attributes:
        read: Those that could be read.
        failed: The others, each with what is wrong with it.
        depth: The scale on which all of more than 8 bits a channel can be.
    """

    def __init__(self, shard: Shard, preparation: Preparation) -> None:
        self.read: list[Listed] = []
        self.failed: list[tuple[str, str]] = []
        self.depth = UNDECIDED
        self._shard = shard
        self._frame = Frame(height=preparation.height, width=preparation.width, fit=shard.network.fit)

    def batches(self) -> Iterator[tuple[NDArray[np.uint8], int]]:
        """Yield full batches, each with how many of its pictures count: the last may be filled up."""
        batch: list[Picture] = []
        for one in self._shard.pictures:
            picture = self._picture(one)
            if picture is not None:
                self.read.append(one)
                batch.append(picture)
            if len(batch) == BATCH:
                yield np.stack(batch), BATCH
                batch = []
        if batch:
            grey = np.full_like(batch[0], _GREY)
            yield np.stack(batch + [grey] * (BATCH - len(batch))), len(batch)

    def _picture(self, one: Listed) -> Picture | None:
        """Return a picture in the network's frame; if it cannot be read, that is noted."""
        try:
            seen = self._seen(one)
        except PictureError as error:
            self.failed.append((shown(one.name), str(error)))
            return None
        self.depth = self.depth.joined(seen.own)
        return self._frame.of(seen.picture)

    def _seen(self, one: Listed) -> Seen:
        if problem := one.problem or unwritable(self._shard.format, one.name, one.label):
            raise PictureError(problem)
        if one.name in self._shard.deadly:
            raise PictureError(PROBLEM)
        try:
            with brought(one.name) as local:
                return see_picture(local, self._shard.depth)
        except (PictureError, DataError) as error:
            raise PictureError(str(error).partition(": ")[2]) from error
        except MemoryError as error:
            raise PictureError("takes more memory than there is") from error


@functools.lru_cache(1)
def _loaded(network: Network) -> _Loaded:
    _compute_with_one_thread()
    body, preparation = _drawn(network)
    digest = features_digest(digest_model(body), preparation, fused=network.fused)
    model = fuse(body) if network.fused else body

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        prepared = preparation.apply(tf.cast(images, tf.float32))
        return np.asarray(model.predict_on_batch(np.asarray(prepared)), np.float32)

    return _Loaded(
        digest=hashlib.sha256(json.dumps([digest, *_versions()]).encode()).hexdigest(),
        width=int(body.output_shape[1]),
        preparation=preparation,
        run=run,
    )


def _versions() -> list[str]:
    """Return the versions of all that has a part in what a network makes of a picture."""
    libraries = (keras.__version__, tf.__version__, np.__version__, PIL.__version__)
    return [__version__, *map(str, libraries), keras.backend.backend(), platform.machine()]


def _drawn(network: Network) -> tuple[keras.Model, Preparation]:
    """Return a network without its classifier, and what is done to its pictures."""
    if network.weights is None:
        model, trained = _classifier(network, None)
        _draw_weights(model)
    elif is_remote(network.weights):
        with at_hand(network.weights) as local, as_named(local):
            model, trained = _classifier(network, str(local.path))
    else:
        model, trained = _classifier(network, network.weights)
    body = dissect(model).body
    if len(body.output_shape) != 2:
        raise ArgumentError(f"network {network.name!r} gives feature maps of shape {body.output_shape}")
    return body, preparation_for(body, trained.recipe)


def _classifier(network: Network, weights: str | None) -> tuple[keras.Model, Architecture]:
    """Return a network with some classifier, and with the images that its weights were trained on."""
    model = load_classifier(network.name, 2, size=network.size, weights=weights)
    return model, as_trained(architecture(network.name), weights)


def _draw_weights(model: keras.Model) -> None:
    """Draw random weights that are the same in all processes: each by a seed of its own.

    A seed of the whole process would not do: other threads of a worker draw from it too.
    """
    for number, variable in enumerate(model.trainable_variables):
        if len(variable.shape) > 1:
            variable.assign(keras.initializers.HeNormal(seed=number)(variable.shape))


def _compute_with_one_thread() -> None:
    """Let sums be made in one order: how many threads share them out changes the last digits."""
    threading_of = tf.config.threading
    try:
        threading_of.set_intra_op_parallelism_threads(1)
        threading_of.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow has begun in this process, which the executor did not start for this
        if threading_of.get_intra_op_parallelism_threads() != 1:
            _LOG.warning("TensorFlow runs here already, with other threads: features may differ by rounding")

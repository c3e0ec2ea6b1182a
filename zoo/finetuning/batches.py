"""Batches for Keras: in which order, with what weight, and prepared how.

The order of an epoch is drawn from the seed and the number of the epoch alone, and what is changed at random
in a batch from these and its place. So a run that is resumed where it was interrupted sees what it would
have.

Where a model is on several devices, each gets an equal share of a batch. A batch that cannot be shared out
equally is filled up with rows that it has already, and these count for nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from zoo.finetuning.augmentation import Augment, mixed_seed
from zoo.finetuning.pictures import Pictures
from zoo.registry.records import Preprocessing
from zoo.surgery.tensors import DataFormat, Tensor

if TYPE_CHECKING:
    import tensorflow as tf

_AHEAD = 4  # batches that are read while others are trained on

_Read = tuple[NDArray[Any], NDArray[np.bool_]]
_Rows = tuple[NDArray[Any], NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What is done to images before a network gets them.

    Attributes:
        height: That they are resized to, in pixels.
        width: That they are resized to, in pixels.
        data_format: Where the network has its channels.
        recipe: What the network was trained with; ``None`` leaves values from 0 to 255.
    """

    height: int
    width: int
    data_format: DataFormat = "channels_last"
    recipe: Preprocessing | None

    def apply(self, images: Tensor) -> Tensor:
        """Return what the network takes.

        Args:
            images: RGB from 0 to 255, float32, shape (N, H, W, 3).

        Returns:
            float32, shape (N, H, W, 3) or (N, 3, H, W).
        """
        if self.recipe is not None:
            if self.recipe.channel_order == "bgr":
                images = keras.ops.flip(images, axis=-1)
            mean = np.array(self.recipe.mean, np.float32)
            images = (images - mean) * np.array(self.recipe.scale, np.float32)
        return keras.ops.transpose(images, (0, 3, 1, 2)) if self.data_format == "channels_first" else images


class Batches:
    """Rows with labels and weights, a batch at a time, in an order of their own in each epoch.

    Attributes:
        batch_size: How many rows make a batch; the last one may be shorter.
        epoch: Number of the epoch to come, from 1; set it before each.
        replicas: Among how many devices each batch is shared out.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int | None = None,
        class_weights: NDArray[np.float32] | None = None,
        replicas: int = 1,
    ) -> None:
        """Take labels.

        Args:
            labels: Class of each row, shape (N,).
            batch_size: How many rows make a batch; the last one may be shorter.
            seed: Of the order; ``None`` keeps the rows in theirs.
            class_weights: How much a row of each class counts; ``None``: all the same.
            replicas: Among how many devices each batch is shared out.
        """
        self.labels = labels
        self.epoch = 1
        self.replicas = replicas
        self.batch_size = batch_size
        self._seed = seed
        weights = np.ones(int(labels.max()) + 1, np.float32) if class_weights is None else class_weights
        self._weights = weights[labels]

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(len(self.labels) / self.batch_size)

    def rows(self, indices: NDArray[np.int64]) -> _Read:
        """Return some rows, and whether each counts."""
        raise NotImplementedError

    def spec(self) -> tf.TensorSpec:
        """Return what rows are like."""
        raise NotImplementedError

    def prepare(self, rows: Tensor, key: Tensor) -> Tensor:
        """Return what the model takes.

        Args:
            rows: Of a batch, (n, ...).
            key: Two numbers that name the batch, (2,); where rows are changed each by itself, (n, 2).
        """
        return rows

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Whether each row counts, shape (N,)."""
        raise NotImplementedError

    @property
    def rows_per_counted(self) -> float:
        """How many rows there are for each that counts: by so much too small is a mean over all of them."""
        counted = int(self.counts.sum())
        return len(self.labels) / counted if counted else 1.0

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many rows each batch has, shape (batches,); those it is filled up with are not counted."""
        starts = np.arange(0, len(self.labels), self.batch_size)
        return np.minimum(len(self.labels) - starts, self.batch_size)

    @property
    def filled_sizes(self) -> NDArray[np.int64]:
        """How many rows each batch has with those that it is filled up with, shape (batches,)."""
        return -(-self.sizes // self.replicas) * self.replicas

    @property
    def filled_to(self) -> int:
        """How many rows the largest batch has with those that it is filled up with."""
        return int(self.filled_sizes.max())

    @property
    def own(self) -> NDArray[np.bool_]:
        """Which of the rows that :meth:`inputs` gives are not there to fill a batch up."""
        sizes = zip(self.sizes, self.filled_sizes, strict=True)
        return np.concatenate([np.arange(filled) < size for size, filled in sizes])

    def dataset(self, *, judged: bool = False) -> tf.data.Dataset:
        """Return (inputs, labels, weights), batch by batch; each pass is one epoch.

        Keras divides the weighted losses of a batch by the number of its rows, and weighs the batches of an
        epoch by theirs. Weights are larger for as much as rows that only fill up would make a loss smaller.

        Args:
            judged: Whether it is the mean over the epoch that has to come out right, as in ``evaluate``, and
                not that of each batch, which the gradients in ``fit`` are taken of.
        """
        import tensorflow as tf

        overall = self.filled_sizes.sum() / self.sizes.sum()

        def prepare(rows: Tensor, labels: Tensor, weights: Tensor, key: Tensor) -> tuple[Tensor, ...]:
            inputs = self.prepare(rows, key)
            if self.replicas == 1:
                return inputs, labels, weights
            places, is_own = self._filled(labels)
            larger = overall if judged else tf.size(places) / tf.size(labels)
            weights = tf.gather(weights, places) * tf.cast(larger, tf.float32) * tf.cast(is_own, tf.float32)
            return tf.gather(inputs, places), tf.gather(labels, places), weights

        return self._mapped(prepare)

    def inputs(self) -> tf.data.Dataset:
        """Return the inputs alone, batch by batch."""
        import tensorflow as tf

        def prepare(rows: Tensor, labels: Tensor, weights: Tensor, key: Tensor) -> Tensor:
            inputs = self.prepare(rows, key)
            return inputs if self.replicas == 1 else tf.gather(inputs, self._filled(labels)[0])

        return self._mapped(prepare)

    def _filled(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return which rows make a batch that can be shared out, and whether each is there for itself."""
        import tensorflow as tf

        count = tf.size(labels)
        places = tf.range(-(-count // self.replicas) * self.replicas)
        return places % count, places < count

    def _mapped(self, prepare: Callable[..., Tensor]) -> tf.data.Dataset:
        import tensorflow as tf

        signature = (
            self.spec(),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((2,), tf.int32),
        )
        raw = tf.data.Dataset.from_generator(self._generate, output_signature=signature)
        counted = raw.apply(tf.data.experimental.assert_cardinality(len(self)))
        prepared = counted.map(tf.autograph.experimental.do_not_convert(prepare)).prefetch(2)
        return prepared.with_options(_untuned())

    def _generate(self) -> Iterator[tuple[NDArray[Any], ...]]:
        order = self.order
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        for place, rows in enumerate(self.read_ahead(batches)):
            yield *rows, np.array([self._key, place << 8], np.int32)

    @property
    def _key(self) -> int:
        return mixed_seed(self._seed or 0, self.epoch)

    def keys(self, numbers: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Return two numbers that name each of some rows of the epoch to come, shape (n, 2).

        Args:
            numbers: Their places in the epoch, (n,).
        """
        return np.stack([np.full(len(numbers), self._key), numbers << 8], axis=1).astype(np.uint32)

    def read_ahead(self, parts: Sequence[NDArray[np.int64]]) -> Iterator[_Rows]:
        """Return rows, labels and weights, part by part; the next parts are read meanwhile.

        Args:
            parts: Which rows, by number.
        """
        with ThreadPoolExecutor(_AHEAD) as pool:
            reads: deque[Future[_Read]] = deque(pool.submit(self.rows, one) for one in parts[:_AHEAD])
            for place, indices in enumerate(parts):
                rows, counts = reads.popleft().result()
                reads.extend(pool.submit(self.rows, one) for one in parts[place + _AHEAD :][:1])
                yield rows, self.labels[indices], self._weights[indices] * counts

    @property
    def order(self) -> NDArray[np.int64]:
        """The rows of the epoch to come, by number, shape (N,)."""
        if self._seed is None:
            return np.arange(len(self.labels))
        return np.random.default_rng([self._seed, self.epoch]).permutation(len(self.labels))


class FeatureBatches(Batches):
    """Features that were computed once."""

    def __init__(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        *,
        counts: NDArray[np.bool_] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Take features.

        Args:
            features: Shape (N, F).
            labels: Class of each row, shape (N,).
            counts: Whether each row is of an image that could be read, shape (N,); the others weigh nothing.
                ``None``: all.
            options: As for :class:`Batches`.
        """
        super().__init__(labels, **options)
        self._features = features
        self._counts = np.ones(len(labels), np.bool_) if counts is None else counts

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Whether each row counts, shape (N,)."""
        return self._counts

    def rows(self, indices: NDArray[np.int64]) -> _Read:
        """Return some features, and whether each counts."""
        return self._features[indices], self._counts[indices]

    @property
    def columns(self) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
        """All rows in their own order: features (N, F), labels (N,) and weights (N,)."""
        return self._features, self.labels, self._weights * self._counts

    def spec(self) -> tf.TensorSpec:
        """Return what features are like."""
        import tensorflow as tf

        return tf.TensorSpec((None, self._features.shape[1]), tf.float32)


class ImageBatches(Batches):
    """Pictures, read as they are needed, changed at random if wanted, and prepared."""

    def __init__(
        self,
        pictures: Pictures,
        preparation: Preparation,
        *,
        augment: Augment | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Take images.

        Args:
            pictures: What to read.
            preparation: What to do to all of them.
            augment: Changes a batch at random.
            options: As for :class:`Batches`.
        """
        super().__init__(pictures.labels, **options)
        self._pictures = pictures
        self._preparation = preparation
        self._augment = augment

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Whether each image could be read so far, shape (N,)."""
        return self._pictures.readable

    def rows(self, indices: NDArray[np.int64]) -> _Read:
        """Return some images, and whether each could be read."""
        return self._pictures.read(indices, (self._preparation.height, self._preparation.width))

    def spec(self) -> tf.TensorSpec:
        """Return what images are like."""
        import tensorflow as tf

        return tf.TensorSpec((None, self._preparation.height, self._preparation.width, 3), tf.uint8)

    def prepare(self, rows: Tensor, key: Tensor) -> Tensor:
        """Return what the network takes."""
        images = keras.ops.cast(rows, "float32")
        if self._augment is not None:
            images = self._augment(images, key)
        return self._preparation.apply(images)


def balanced_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Return how much a row of each class counts so that all classes count the same.

    Args:
        labels: Class of each row, shape (N,).
        classes: How many classes there are.

    Returns:
        N / (classes with rows * rows of the class), shape (classes,); 0 where a class has none.
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.zeros(classes, np.float32)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights


def _untuned() -> tf.data.Options:
    """Return what keeps TensorFlow from tuning a dataset of which nothing is left to be tuned.

    Its tuner sleeps between its rounds, each time twice as long, up to a minute
    (``kOptimizationPeriodMaxMs`` in tensorflow/core/framework/model.h). Now and then it misses that a pass
    has ended, and what holds the pass waits until it wakes.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def runs_on_tensorflow() -> bool:
    """Return whether Keras runs on TensorFlow; nothing of that is needed where it does not."""
    return bool(keras.backend.backend() == "tensorflow")


def is_plain() -> bool:
    """Return whether TensorFlow computes, and no strategy of its own shares the work out among devices.

    To be asked in the scope of the model.
    """
    if not runs_on_tensorflow():
        return False
    import tensorflow as tf

    return not tf.distribute.has_strategy()


def replicas_of(model: keras.Model) -> int:
    """Return on how many devices a model is.

    It is on 1, unless it was made under a ``tf.distribute`` strategy, or Keras shares out among several.
    """
    strategy = getattr(model, "distribute_strategy", None)
    if strategy is not None:
        return int(strategy.num_replicas_in_sync)
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.num_model_replicas)

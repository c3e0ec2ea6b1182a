"""Batches: their order, their weights, what is done to images; all of it the same every time."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.support.small_network import some_digits
from zoo.finetuning.augmentation import default_augmentation, reseed, seeded
from zoo.finetuning.batches import FeatureBatches, ImageBatches, Preparation, balanced_weights
from zoo.finetuning.data import from_arrays
from zoo.networks.preprocessing import preprocess_input
from zoo.registry import architecture

ROWS = np.arange(14, dtype=np.float32).reshape(7, 2)
LABELS = np.array([0, 1, 0, 1, 1, 0, 1])
RAW = Preparation(height=16, width=16, recipe=None)


def read(batches):
    """Return what one epoch gives, as lists of arrays."""
    return [[np.asarray(part) for part in batch] for batch in batches.dataset()]


def order(batches, epoch):
    """Return the rows of an epoch by their first number."""
    batches.epoch = epoch
    return [int(value) for batch in read(batches) for value in batch[0][:, 0]]


def test_rows_keep_their_order_without_a_seed():
    """The last batch is shorter, everything has weight 1, labels go with their rows."""
    batches = FeatureBatches(ROWS, LABELS, batch_size=3)
    found = read(batches)
    assert [len(batch[0]) for batch in found] == [3, 3, 1]
    assert np.array_equal(np.concatenate([batch[0] for batch in found]), ROWS)
    assert np.array_equal(np.concatenate([batch[1] for batch in found]), LABELS)
    assert np.array_equal(np.concatenate([batch[2] for batch in found]), np.ones(7))
    assert len(batches) == batches.dataset().cardinality() == 3


def test_tensorflow_tunes_nothing():
    """Its tuner sleeps for up to a minute, and what ends a pass may wait until it wakes."""
    batches = FeatureBatches(ROWS, LABELS, batch_size=3)
    for dataset in (batches.dataset(), batches.inputs()):
        assert dataset.options().autotune.enabled is False


def test_each_epoch_has_an_order_of_its_own_that_comes_back():
    """The order depends on the seed and the epoch, not on what was read before."""
    batches = FeatureBatches(ROWS, LABELS, batch_size=3, seed=1)
    first, second = order(batches, 1), order(batches, 2)
    assert sorted(first) == sorted(second) == ROWS[:, 0].tolist()
    assert first != second
    assert order(batches, 1) == first
    assert order(FeatureBatches(ROWS, LABELS, batch_size=2, seed=1), 2) == second
    assert order(FeatureBatches(ROWS, LABELS, batch_size=3, seed=2), 1) != first


def test_class_weights_are_those_of_the_labels():
    """A row's weight is that of its class."""
    weights = np.array([2.0, 0.5], np.float32)
    batches = FeatureBatches(ROWS, LABELS, batch_size=4, seed=3, class_weights=weights)
    told = read(batches)
    assert [len(rows) for rows, *_ in told] == [4, 3]
    for _, labels, found in told:
        assert np.array_equal(found, weights[labels])


def test_rows_that_do_not_count_weigh_nothing():
    """Whatever their class weighs, in the order in which the rows come."""
    counts = np.array([True, False, True, True, True, False, True])
    weights = np.array([2.0, 0.5], np.float32)
    batches = FeatureBatches(ROWS, LABELS, counts=counts, batch_size=4, seed=3, class_weights=weights)
    for rows, labels, found in read(batches):
        assert np.array_equal(found, weights[labels] * counts[rows[:, 0].astype(int) // 2])


@pytest.mark.parametrize("replicas", [2, 3, 8])
@pytest.mark.parametrize("batch_size", [3, 4, 7])
def test_batches_are_filled_up_so_that_devices_share_them_equally(replicas, batch_size):
    """With rows of the batch, of weight 0; what is left of them without these is what one device gets."""
    alone = FeatureBatches(ROWS, LABELS, batch_size=batch_size, seed=3)
    shared = FeatureBatches(ROWS, LABELS, batch_size=batch_size, seed=3, replicas=replicas)
    for one, other in zip(read(alone), read(shared), strict=True):
        count = len(one[0])
        assert len(other[0]) % replicas == 0
        assert count <= len(other[0]) < count + replicas
        assert {row.tobytes() for row in other[0]} == {row.tobytes() for row in one[0]}
        assert all(np.array_equal(a[:count], b) for a, b in zip(other[:2], one[:2], strict=True))
        assert other[2][:count] == pytest.approx(one[2] * len(other[0]) / count)
        assert not other[2][count:].any()
    assert shared.sizes.tolist() == [len(batch[0]) for batch in read(alone)]
    assert shared.filled_sizes.tolist() == [len(batch[0]) for batch in read(shared)]
    ordered = FeatureBatches(ROWS, LABELS, batch_size=batch_size, replicas=replicas)
    filled = np.concatenate([np.asarray(part) for part in ordered.inputs()])
    assert np.array_equal(filled[ordered.own], ROWS)


@pytest.mark.parametrize(("batch_size", "replicas"), [(3, 2), (4, 2), (4, 4)])
def test_filling_up_changes_no_mean(batch_size, replicas):
    """Keras' mean over an epoch to be judged, and over each batch to learn from, are those of the rows."""
    weights = np.array([2.0, 0.5], np.float32)
    options = {"batch_size": batch_size, "class_weights": weights}
    losses = np.arange(1, 8) * weights[LABELS]

    def told(batches, judged):
        return [
            ((np.asarray(rows)[:, 0] / 2 + 1) * np.asarray(found), len(rows))
            for rows, _, found in batches.dataset(judged=judged)
        ]

    shared = FeatureBatches(ROWS, LABELS, replicas=replicas, **options)
    judged = told(shared, True)
    mean = sum(values.sum() for values, _ in judged) / sum(count for _, count in judged)
    assert mean == pytest.approx(losses.mean())
    alone = FeatureBatches(ROWS, LABELS, **options)
    for one, other in zip(told(alone, False), told(shared, False), strict=True):
        assert other[0].sum() / other[1] == pytest.approx(one[0].sum() / one[1])


def test_what_a_batch_is_filled_up_with_is_changed_as_on_one_device():
    """Images are changed at random before the batch is filled up."""
    options = {"augment": seeded(default_augmentation()), "batch_size": 4, "seed": 1}
    alone, shared = (
        ImageBatches(some_digits(6), RAW, **options),
        ImageBatches(some_digits(6), RAW, **options),
    )
    shared.replicas = 4
    for one, other in zip(read(alone), read(shared), strict=True):
        assert np.array_equal(other[0][: len(one[0])], one[0])


def test_balanced_weights_make_classes_count_the_same():
    """Each class adds up to the same, all rows to their number, and a class without rows to nothing."""
    labels = np.array([0] * 6 + [1] * 3 + [3])
    weights = balanced_weights(labels, 4)
    assert weights[2] == 0
    sums = [weights[labels][labels == place].sum() for place in (0, 1, 3)]
    assert sums == pytest.approx([10 / 3] * 3)
    assert weights[labels].sum() == pytest.approx(10)


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "inception_v3"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pictures_are_preprocessed_as_the_network_was_trained(name, data_format):
    """The batches hold what preprocess_input makes of the same images."""
    pictures = some_digits(5)
    preparation = Preparation(
        height=16, width=16, data_format=data_format, recipe=architecture(name).preprocessing
    )
    batches = ImageBatches(pictures, preparation, batch_size=2)
    raw = pictures.batch(range(5), 16, 16)
    if data_format == "channels_first":
        raw = raw.transpose(0, 3, 1, 2)
    expected = preprocess_input(name, raw, data_format)
    assert np.allclose(np.concatenate([np.asarray(part) for part in batches.inputs()]), expected, atol=1e-5)


def test_a_picture_that_cannot_be_read_weighs_nothing(tmp_path, monkeypatch):
    """Its place in the batch is kept, so that labels stay with their images."""
    pictures = some_digits(4)
    monkeypatch.setattr(
        type(pictures),
        "read",
        lambda self, indices, size: (self.batch_of(indices), np.array([i != 2 for i in indices])),
        raising=True,
    )
    monkeypatch.setattr(
        type(pictures),
        "batch_of",
        lambda self, indices: np.zeros((len(indices), 16, 16, 3), np.uint8),
        raising=False,
    )
    weights = np.concatenate([batch[2] for batch in read(ImageBatches(pictures, RAW, batch_size=3))])
    assert weights.tolist() == [1, 1, 0, 1]


def augmented(seed, epoch, layers=None):
    """Return one epoch of changed images."""
    augment = seeded(layers or default_augmentation())
    batches = ImageBatches(some_digits(6), RAW, augment=augment, batch_size=4, seed=seed)
    batches.epoch = epoch
    return np.concatenate([batch[0] for batch in read(batches)])


def test_augmentation_belongs_to_seed_and_epoch():
    """The same epoch comes out the same; another epoch, another seed and another batch do not."""
    first = augmented(1, 1)
    assert np.array_equal(first, augmented(1, 1))
    assert not np.array_equal(first, augmented(1, 2))
    assert not np.array_equal(first, augmented(2, 1))
    assert (first.min(), first.max()) >= (0, 0)
    assert first.max() <= 255


def test_pictures_of_a_batch_are_changed_differently():
    """Twice the same image in a batch gives two; in two batches too."""
    same = from_arrays(np.repeat(some_digits(1).batch([0], 16, 16), 8, axis=0), [0, 1] * 4)
    batches = ImageBatches(same, RAW, augment=seeded(default_augmentation()), batch_size=4)
    found = np.concatenate([batch[0] for batch in read(batches)])
    assert len({picture.tobytes() for picture in found}) == 8


def test_augmentation_without_flips_does_not_mirror():
    """Letters and digits stay readable."""
    assert not any(
        isinstance(one, keras.layers.RandomFlip) for one in default_augmentation(flip=False).layers
    )
    assert any(isinstance(one, keras.layers.RandomFlip) for one in default_augmentation().layers)


def test_an_augmentation_of_ones_own():
    """Any Keras layer will do; values stay between 0 and 255."""
    brighter = keras.layers.Rescaling(1.0, offset=300.0)
    assert np.unique(augmented(1, 1, brighter)).tolist() == [255]


def test_dropout_belongs_to_seed_and_epoch():
    """A layer that was reseeded drops the same again."""
    model = keras.Sequential([keras.Input((50,)), keras.layers.Dropout(0.5)])

    def dropped(seed, epoch):
        reseed(model, seed, epoch)
        return np.asarray(model(np.ones((1, 50)), training=True))

    first = dropped(1, 1)
    assert np.array_equal(first, dropped(1, 1))
    assert not np.array_equal(first, dropped(1, 2))
    assert not np.array_equal(first, dropped(2, 1))

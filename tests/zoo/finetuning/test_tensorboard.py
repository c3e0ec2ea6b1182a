"""What TensorBoard reads: one file for each phase and part, epochs in order, Keras' names."""

from __future__ import annotations

import tensorflow as tf

from zoo.finetuning.run_folder import TrainingEpoch
from zoo.finetuning.tensorboard import Logs


def an_epoch(number, **numbers):
    """Return an epoch whose losses tell its number."""
    known = {"loss": 0.5 * number, "accuracy": 0.75, "val_loss": 0.25 * number, "val_accuracy": 1.0}
    return TrainingEpoch(phase="new", epoch=number, learning_rate=None, seconds=1.0, **{**known, **numbers})


def events_of(folder):
    """Return what each curve in a folder holds, in the order in which TensorBoard reads it."""
    found = {}
    for path in sorted(folder.rglob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                place = f"{path.parent.relative_to(folder)}/{value.tag}"
                found.setdefault(place, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    return found


def test_numbers_of_an_epoch_can_be_seen_at_once(tmp_path):
    """Each phase has a curve to train and one to validate, before the run is over; unknowns have none."""
    logs = Logs(tmp_path)
    logs.add(an_epoch(3))
    assert events_of(tmp_path) == {
        "new/train/epoch_loss": [(3, 1.5)],
        "new/train/epoch_accuracy": [(3, 0.75)],
        "new/validation/epoch_loss": [(3, 0.75)],
        "new/validation/epoch_accuracy": [(3, 1.0)],
    }
    logs.close()


def test_epochs_stay_in_order(tmp_path):
    """More than ten in one second are in one file, so that no order of names can mix them up."""
    logs = Logs(tmp_path)
    for number in range(1, 13):
        logs.add(an_epoch(number))
    logs.close()
    assert len(list(tmp_path.rglob("events*"))) == 2
    assert [step for step, _ in events_of(tmp_path)["new/train/epoch_loss"]] == list(range(1, 13))

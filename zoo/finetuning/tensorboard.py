"""Logs that TensorBoard shows, written without TensorBoard.

Keras' own callback needs TensorBoard installed where the training runs; a scalar is only a number under a
name, and TensorFlow itself can write that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.finetuning.run_folder import TrainingEpoch

_SCALARS = "scalars"  # the plugin that shows them
_CURVES = {
    "train": {"epoch_loss": "loss", "epoch_accuracy": "accuracy", "epoch_learning_rate": "learning_rate"},
    "validation": {"epoch_loss": "val_loss", "epoch_accuracy": "val_accuracy"},
}
"""By folder, as Keras names them: which number of an epoch stands under which name."""


class Logs:
    """The logs of a run, ``FOLDER/PHASE/train`` and ``FOLDER/PHASE/validation``."""

    def __init__(self, folder: Path) -> None:
        """Write into a folder.

        Args:
            folder: The folder that ``tensorboard --logdir`` is given, or one below it.
        """
        self._folder = folder
        # One for each file: TensorBoard reads files in the order of their names, which epochs need not have.
        self._writers: dict[tuple[str, str], Any] = {}

    def add(self, epoch: TrainingEpoch) -> None:
        """Add one epoch to the logs of its phase; it can be seen from now on."""
        for part, curves in _CURVES.items():
            writer = self._writer(epoch.phase, part)
            with writer.as_default():
                for tag, name in curves.items():
                    value = getattr(epoch, name)
                    if value is not None:
                        _write_scalar(tag, float(value), epoch.epoch)
            writer.flush()

    def close(self) -> None:
        """Write no more."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _writer(self, phase: str, part: str) -> Any:  # noqa: ANN401 - TensorFlow tells no types
        import tensorflow as tf

        if (phase, part) not in self._writers:
            path = self._folder / phase / part
            self._writers[phase, part] = tf.summary.create_file_writer(str(path))
        return self._writers[phase, part]


def _write_scalar(tag: str, value: float, step: int) -> None:
    import tensorflow as tf

    metadata = tf.compat.v1.SummaryMetadata(
        plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name=_SCALARS),
        data_class=1,  # a scalar
    )
    tf.summary.write(tag, tf.constant(value, tf.float32), step=step, metadata=metadata)

"""What tests of fine-tuning have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True, scope="package")
def _graphs_as_they_are() -> Iterator[None]:
    """Run graphs as they are traced: to optimise one takes longer than a network this small runs."""
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **before})

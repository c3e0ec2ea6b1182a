"""What tests of fine-tuning have in common."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
import tensorflow as tf

from zoo.finetuning import features


@pytest.fixture(autouse=True, scope="package")
def _graphs_as_they_are() -> Iterator[None]:
    """Run graphs as they are traced: to optimise one takes longer than a network this small runs."""
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **before})


@pytest.fixture(scope="module")
def untraced() -> Iterator[None]:
    """Let networks compute features call by call: to trace one takes longer than it runs on so few images.

    For tests that are not about that; it gives the same numbers.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "_traced", lambda model, rows: functools.partial(model, training=False))
        yield

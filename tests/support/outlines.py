"""Networks as they are drawn, without a value: making the variables is most of the work of drawing one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

import zoo


@contextmanager
def without_values() -> Iterator[None]:
    """Let Keras draw layers whose variables have names and shapes alone; reading one starts it afresh."""
    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.utils.clear_session(free_memory=False)  # or they are made when something else is drawn


def outline(name: str, **arguments) -> keras.Model:
    """Return what ``zoo.load`` draws for these arguments, not compiled and without a value."""
    with without_values():
        return zoo.load(name, weights=None, compile=False, **arguments)

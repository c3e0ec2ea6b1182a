"""Names of layers: the published one, and what Keras 3 takes."""

from __future__ import annotations


def keras_name(published: str) -> str:
    """Return the name of a Keras layer for a published one, which may hold the ``/`` that Keras 3 refuses."""
    return published.replace("/", "__")

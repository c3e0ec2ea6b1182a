"""What cannot be upgraded, and why: one layer, one reason."""

from __future__ import annotations

from dataclasses import dataclass

from converters.limits import clipped


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A layer that has no place in today's Keras.

    Attributes:
        layer: Its name; empty if it is the model as a whole.
        class_name: Its class, as the configuration calls it.
        why: What stands against it, without an end mark.
    """

    layer: str
    class_name: str
    why: str

    def __str__(self) -> str:
        """Return the layer and the reason, for a message."""
        return f"layer {clipped(self.layer)} ({self.class_name}): {self.why}" if self.layer else self.why


class Refused(Exception):  # noqa: N818 - it never reaches a user: what is refused does
    """Raised within this room where a layer cannot be drawn; what draws the network collects them."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


def refused(why: str, *, layer: str = "", class_name: str = "") -> Refused:
    """Return what to raise for a layer, or for a model as a whole."""
    return Refused(Refusal(layer=layer, class_name=class_name, why=why))

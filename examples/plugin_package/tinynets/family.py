"""The family's record: which numbers tell its networks apart, and what draws them.

It is imported when somebody asks for one of its networks, to show it as well as to load it, so it imports no
Keras.
"""

from zoo.registry.families import Family
from zoo.registry.fields import Key, ListOf
from zoo.registry.kinds import COUNT, FRACTION

FAMILY = Family(
    builder="tinynets.drawing:draw",
    numbers={
        "filters": (ListOf(COUNT, 1), "Filters of the convolutions, each of which halves the sides"),
        "dropout": Key(FRACTION, "Dropped before the classifier", 0.0),
    },
    batch_size=64,
    channels_first=False,
)

"""Progress of long steps: how a step reports on itself, who is told, and how that is drawn."""

from zoo.progress.protocol import BytesDone, Count, Progress, Silence, Told, is_shown, showing, shown, step

__all__ = ["BytesDone", "Count", "Progress", "Silence", "Told", "is_shown", "showing", "shown", "step"]

"""The protocol of :mod:`zoo.progress`, where it is imported from by those who only report."""

from __future__ import annotations

from zoo.progress.protocol import Progress, Silence

__all__ = ["Progress", "Silence"]

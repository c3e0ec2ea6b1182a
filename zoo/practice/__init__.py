"""The practice zoo: files laid out as the published ones, with values drawn by a rule instead of trained.

    from zoo import practice

    practice.build(folder, ["densenet161"])
    with practice.serve(folder) as zoo:
        ...                                  # ZOO_REGISTRY=zoo.registry leads to files on loopback

It is what tests, the demo and people without a network use: everything but the values is as published.
"""

from __future__ import annotations

from zoo.practice.overlay import PracticeZoo, build, serve

__all__ = ["PracticeZoo", "build", "serve"]

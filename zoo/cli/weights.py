"""``--weights`` by URL: the file is brought before anything else is done, for as long as a command runs."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable

from zoo.files.given import as_named, at_hand
from zoo.storage.remote import is_remote


def with_weights(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return a command that takes its weights by URL as well."""

    @functools.wraps(run)
    def called(arguments: argparse.Namespace) -> int:
        if not is_remote(arguments.weights):
            return run(arguments)
        with at_hand(arguments.weights) as local, as_named(local):
            arguments.weights = local.path
            return run(arguments)

    return called

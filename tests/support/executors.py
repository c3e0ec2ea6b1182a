"""Executors that do what those of clusters may do."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Twice(ThreadPoolExecutor):
    """Runs each task twice and tells what the second came to: a worker died that had told only itself."""

    def submit(self, task: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        """Run one."""

        def twice() -> Any:
            task(*args, **options)
            return task(*args, **options)

        return super().submit(twice)

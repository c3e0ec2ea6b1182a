"""Print the versions of Keras that new files may need, for ``make test-oldest-keras``."""

from __future__ import annotations

from converters.upgrading.optimizers import versions

if __name__ == "__main__":
    print(*(".".join(map(str, version)) for version in versions()))  # noqa: T201 - make reads it

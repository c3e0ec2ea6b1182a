"""What is installed where JAX runs Keras alone: all that the package and these tests need, but TensorFlow."""

from __future__ import annotations

import sys
import tomllib

from tests.support.paths import ROOT

EXTRAS = ("finetune", "jax")


def requirements() -> list[str]:
    """Return what pip installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    tools = [one for one in extras["dev"] if one.startswith("pytest>")]
    wanted = [*project["dependencies"], *(one for name in EXTRAS for one in extras[name]), *tools]
    return [one for one in wanted if not one.startswith("tensorflow")]


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements()))

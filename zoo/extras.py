"""What each extra brings, and what to type for it wherever this distribution was installed from."""

from __future__ import annotations

from collections.abc import Mapping

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "dask": ("distributed>=2024.8",),
    "demo": ("scikit-learn>=1.5",),
    "drive": ("google-crc32c>=1.6",),
    "finetune": ("pillow>=10.0", "scikit-learn>=1.5", "jinja2>=3.1"),
    "jax": ("jax>=0.8.1",),
    "mirror": ("fsspec>=2024.6", "s3fs>=2024.6"),
    "parquet": ("pyarrow>=16",),
    "tf-keras": ("tf-keras>=2.18",),
}
"""What those extras bring that a command or a call may turn out to need, as pyproject.toml has it."""


def how_to_install(extra: str) -> str:
    """Return the command that installs what an extra brings.

    It names the libraries: what they are called on the index is certain. This distribution itself came from a
    checkout or a wheel, and nobody can tell from here where that lies.

    Args:
        extra: A key of :data:`EXTRAS`.
    """
    return " ".join(["pip install", *(f"'{requirement}'" for requirement in EXTRAS[extra])])

"""What the converter makes of every sample in every form, as digests: `make digests` writes them anew.

Converted copies that lie in caches, and folders that were converted, are made anew when the number of the
rules is another one (converters/version.py). So it must be raised whenever a rule gives other arrays.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from converters import convert_file
from converters.errors import ZooError
from converters.version import RULES_NUMBER
from tests.support.dialect_samples import FLATTEN, LAYERS, SAMPLES, is_last, of_sample
from tests.support.paths import DATA, DIALECTS

FILE = DATA / "conversion_digests.json"
FORMS = {
    "th": (None, "th"),
    "tf": (None, "tf"),
    "keras1 th": ("keras1", "th"),
    "keras1 tf": ("keras1", "tf"),
    "keras2 th": ("keras2", "th"),
    "keras2 tf": ("keras2", "tf"),
    "keras3": ("keras3", "tf"),
}
"""The dialect (``None``: the file's own), and layout and kernels."""

REFUSED = "refused"
AGAIN = "--same-number"

Digests = dict[str, dict[str, str]]


def digests_of(sample: str, folder: Path) -> dict[str, str]:
    """Return the first 16 digits of the SHA-256 of what a sample becomes, by form."""
    return {form: _digest_in(sample, form, folder / "new.h5") for form in FORMS}


def _digest_in(sample: str, form: str, target: Path) -> str:
    dialect, axes = FORMS[form]
    known = {"from_layout": "tf"} if is_last(sample) else {"from_layout": "th", "from_kernels": "th"}
    try:
        convert_file(
            DIALECTS / f"{sample}.weights.h5",
            target,
            to=dialect,
            to_layout=axes,
            to_kernels=axes,
            flatten=of_sample(FLATTEN, sample),
            layers=of_sample(LAYERS, sample),
            force=True,
            verify=False,
            **known,
        )
    except ZooError:
        return REFUSED
    return digest_of_arrays(target)


def digest_of_arrays(path: Path) -> str:
    """Return 16 digits of a SHA-256 over all arrays: names, types, shapes, values; and the lists of names."""
    digest = hashlib.sha256()

    def add(name: str, one: h5py.Group | h5py.Dataset) -> None:
        lists = [(key, one.attrs[key]) for key in ("layer_names", "weight_names", "name") if key in one.attrs]
        for key, value in lists:
            digest.update(f"{name} {key} {np.asarray(value).tolist()}\n".encode())
        if isinstance(one, h5py.Dataset):
            digest.update(f"{name} {one.dtype.str} {one.shape}\n".encode())
            digest.update(np.ascontiguousarray(one[()]).tobytes())

    with h5py.File(path) as file:
        add("/", file)
        file.visititems(add)
    return digest.hexdigest()[:16]


def all_digests() -> Digests:
    """Return the digests of all samples."""
    with tempfile.TemporaryDirectory() as folder:
        return {sample: digests_of(sample, Path(folder)) for sample in SAMPLES}


def read() -> tuple[int, Digests]:
    """Return what the file says: the number of the rules, and the digests."""
    said = json.loads(FILE.read_text("utf-8"))
    return said["rules"], said["samples"]


def changed(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return each sample and form in which a file was written before, and is not the same any more."""
    return [
        f"{sample} to {form}"
        for sample, forms in before.items()
        for form, digest in forms.items()
        if digest != REFUSED and now.get(sample, {}).get(form) not in (digest, None)
    ]


def write(now: Digests) -> None:
    """Write the file, a line for each sample."""
    lines = [f"  {json.dumps(sample)}: {json.dumps(forms)}" for sample, forms in now.items()]
    text = ",\n".join(lines)
    FILE.write_text(f'{{"rules": {RULES_NUMBER}, "samples": {{\n{text}\n}}}}\n', "utf-8")


def main(arguments: list[str]) -> int:
    """Write the digests anew, unless the rules changed and their number did not."""
    now = all_digests()
    number, before = read() if FILE.is_file() else (0, {})
    others = changed(before, now)
    if others and number == RULES_NUMBER and AGAIN not in arguments:
        print(f"other arrays for {len(others)} conversions, {others[0]} for one: raise RULES_NUMBER in")  # noqa: T201
        print(f"converters/version.py first ({AGAIN} if {RULES_NUMBER} was never released)")  # noqa: T201
        return 1
    write(now)
    print(f"{FILE}: rules {RULES_NUMBER}, {len(now)} samples, {len(others)} conversions changed")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What functions of weights files return is shown in shells and notebooks as one line, not as every array."""

from pathlib import Path

import numpy as np

import converters
from converters.compare import compare_files


def _written(folder: Path) -> Path:
    path = folder / "old.npz"
    kernel = np.arange(3 * 3 * 3 * 4, dtype=np.float32).reshape(3, 3, 3, 4)
    np.savez(path, **{"conv/kernel": kernel, "conv/bias": np.zeros(4, np.float32)})
    return path


def test_what_is_returned_is_a_line(tmp_path, monkeypatch):
    """To the letter; the attributes hold the rest."""
    monkeypatch.chdir(tmp_path)
    old = _written(Path())
    done = converters.convert_file(old, "new.npz", direction="tf-to-th")
    assert [repr(done), repr(done.plan), repr(done.plan.description)] == [
        "<old.npz (layout tf, kernels tf) converted to new.npz (layout th, kernels th), verified 2"
        " arrays, 112 values: the new file gives the source again, bit for bit>",
        "<old.npz: layout tf, kernels tf to layout th, kernels th, 1 of 2 arrays changes>",
        "<old.npz: npz, 1 layer, 112 parameters>",
    ]
    assert repr(converters.inspect_file(old)) == (
        "<old.npz: npz, no known network; layout unknown, kernels tf (backend attribute);"
        " 2 arrays, 112 parameters>"
    )
    assert repr(compare_files(old, old)) == "<equal: of 1 layer 1 equal, 0 permuted, 0 different>"

"""Files of Caffe and PyTorch, converted or as they are: they compute what the original software computed."""

from __future__ import annotations

import keras
import numpy as np

import zoo
from converters import convert_file
from tests.support import caffe_files, pytorch_files
from tests.support.goldens import check
from tests.support.shares import NETWORKS


def test_a_network_of_caffes_computes_what_it_did(tmp_path):
    """GoogLeNet from its first form, with three heads, two of them behind flattened maps."""
    path = caffe_files.write(tmp_path / "net.caffemodel", caffe_files.published("googlenet"), first=True)
    new = convert_file(path, to="keras3").target
    assert new.name == "net.weights.h5"
    check(NETWORKS["googlenet"], new)


def test_both_kinds_of_files_are_taken_as_they_are(tmp_path):
    """zoo.load reads them directly, and names what is missing as of any other file."""
    caffe = caffe_files.write(tmp_path / "net.caffemodel", caffe_files.published("googlenet"))
    check(NETWORKS["googlenet"], caffe)
    state = {}
    for layer in caffe_files.published("googlenet"):
        state[f"{layer.name}.weight"], state[f"{layer.name}.bias"] = map(pytorch_files.tensor, layer.blobs)
    torch = pytorch_files.write(tmp_path / "net.pth", state)
    one, other = (zoo.load("googlenet", weights=path, compile=False) for path in (caffe, torch))
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        values = map(keras.ops.convert_to_numpy, (mine, theirs))
        assert np.array_equal(*values), mine.path

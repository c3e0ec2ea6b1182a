"""PyTorch's files as PyTorch writes and reads them, beside our reader: every value, every form.

Run by ``make test-origins``, in an environment of its own: PyTorch takes gigabytes.
"""

from __future__ import annotations

import os
import random

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
import torch
import torchvision

from converters.formats.dialects import describe
from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import datasets_of
from tests.support import pytorch_files

TYPES = (
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32),
    *(torch.int16, torch.int8, torch.uint8, torch.bool),
)
FORMS = {"zip": True, "legacy": False}
NETWORKS = (
    *("vgg16", "vgg19", "resnet50", "resnet101", "resnet152", "densenet121", "densenet161", "densenet169"),
    *("googlenet", "inception_v3"),
)


def as_numpy(value):
    """Return a tensor's values; those that NumPy has no type for as the next larger."""
    value = value.detach()
    wide = {torch.bfloat16: torch.float32, torch.bool: torch.uint8}.get(value.dtype, value.dtype)
    return value.to(wide).numpy()


def values_of(path):
    """Return what our reader makes of a file: mapped, and read in blocks."""
    with open_untrusted(path) as source:
        for name, dataset in datasets_of(source.tree).items():
            read = np.array(source.read(dataset))
            assert source.mapped(dataset).tobytes() == read.tobytes()
            yield name, read


def drawn(chance):
    """Return a tensor of some type, of which some lie in strides, in one storage with others, or nowhere."""
    kind = chance.choice(TYPES)
    sizes = [chance.randrange(0, 6) for _ in range(chance.randrange(0, 5))]
    torch.manual_seed(chance.randrange(1 << 30))
    base = (torch.randn([size + 2 for size in sizes]) * 50).to(kind)
    view = base[tuple(slice(1, 1 + size) for size in sizes)] if sizes else base
    way = chance.randrange(6)
    if way == 1 and view.ndim > 1:
        view = view.transpose(0, -1)
    elif way == 2 and view.ndim:
        view = view[..., ::2]
    elif way == 3:
        view = view.contiguous()
    elif way == 4:
        view = view.reshape(-1)[:1].expand(4, 1) if view.numel() else view
    elif way == 5:
        view = view.contiguous().as_strided((2, 2), (1, 1), 0) if view.numel() > 3 else view
    return view


def state(number):
    """Return a state dict by its number: parameters, buffers, and tensors that share storages."""
    chance = random.Random(number)
    found = {f"layer{at}.x{at}": drawn(chance) for at in range(chance.randrange(1, 9))}
    for name, value in list(found.items())[:2]:
        found[f"{name}_again"] = value
        if value.is_floating_point():
            found[f"{name}_trained"] = torch.nn.Parameter(value.clone(), requires_grad=True)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_a_hundred_state_dicts_value_for_value(form, tmp_path):
    """Of all types, with strides and offsets, shared, empty and without axes: as torch.load reads them."""
    path = tmp_path / "state.pth"
    for number in range(100):
        torch.save(state(number), path, _use_new_zipfile_serialization=FORMS[form])
        expected = torch.load(path, weights_only=True)
        found = dict(values_of(path))
        assert found.keys() >= expected.keys()
        for name, value in expected.items():
            wanted = as_numpy(value)
            assert (found[name].shape, found[name].dtype) == (wanted.shape, wanted.dtype), (number, name)
            assert found[name].tobytes() == wanted.tobytes(), (number, name)


@pytest.mark.parametrize("form", ["zip", "legacy", "tar"])
def test_files_put_together_by_hand_are_pytorchs_own(form, tmp_path):
    """What the ordinary tests stand on: PyTorch reads the three forms that they write."""
    storage = pytorch_files.Storage(np.arange(24, dtype="f4"))
    tensors = {
        "a.weight": pytorch_files.Tensor(storage, (4, 3), (1, 4), 2),
        "a.bias": pytorch_files.Tensor(storage, (3,), (0,), 5),
        "b.weight": pytorch_files.tensor(np.arange(6, dtype="u2"), "bfloat16"),
        "b.count": pytorch_files.tensor(np.array(7)),
    }
    path = pytorch_files.write(tmp_path / "hand.pth", tensors, form)
    # PyTorch refuses to read the oldest form without running its pickle.
    expected = torch.load(path, weights_only=form != "tar")
    found = dict(values_of(path))
    assert {name: found[name].tobytes() for name in expected} == {
        name: as_numpy(value).tobytes() for name, value in expected.items()
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_torchvisions_networks(name, form, tmp_path):
    """Every array of every network, and no layer whose kind is not known."""
    more = {"aux_logits": True, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = getattr(torchvision.models, name)(weights=None, **more)
    path = tmp_path / f"{name}.pth"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=FORMS[form])
    found = dict(values_of(path))
    for key, value in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert found[key].tobytes() == as_numpy(value).tobytes(), key
    kinds = {layer.kind for layer in describe(path).layers}
    assert kinds <= {"Conv2D", "BatchNormalization", "Dense"}

"""torchvision's and timm's networks with drawn values, beside ours that read their files: the same logits.

Run by ``make test-origins``, in an environment of its own. What the registry says of torchvision's weights
sets is held against the package itself.
"""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest
import safetensors.torch
import timm
import torch
import torchvision
from timm.data import ImageNetInfo

import zoo
from tests.support.long import long_but
from tests.support.shares import NETWORKS

CLOSE = 3e-5
OFTEN = ("resnet50", "densenet121")
NAMES = ("vgg16", "vgg19", "resnet50", "resnet101", "resnet152", "densenet121", "densenet161", "densenet169")
FILES = {
    file.id: (network, file)
    for network in NETWORKS.values()
    for file in network.weights
    if file.format == "pytorch" and "pytorch.org" in file.urls[0] and "Weights." in file.source
}


def drawn(model):
    """Return a network with statistics that are not those of one that was never trained, and small sums."""
    torch.manual_seed(0)
    for key, buffer in model.named_buffers():
        if key.endswith("running_var"):
            buffer.uniform_(0.8, 1.2)
        elif key.endswith("running_mean"):
            buffer.uniform_(-0.05, 0.05)
    with torch.no_grad():
        for key, value in model.named_parameters():
            if value.ndim == 1:
                last = key.endswith("bn3.weight")  # or sums grow from block to block
                value.uniform_(
                    *((0.1, 0.3) if last else (0.8, 1.2) if key.endswith("weight") else (-0.1, 0.1))
                )
    return model.eval()


def logits_of(name, path):
    """Return what our network of a file gives for an image, without the softmax."""
    model = zoo.load(name, weights=path, compile=False)
    if isinstance(model.layers[-1], keras.layers.Dense):
        model.layers[-1].activation = keras.activations.linear
        return model
    return keras.Model(model.input, model.layers[-2].output)


def check(name, model, path):
    """Raise unless a file of a network gives the network's logits, relative to the largest of them."""
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = model(image).numpy()
    found = keras.ops.convert_to_numpy(logits_of(name, path)(image.numpy().transpose(0, 2, 3, 1)))
    largest = np.abs(expected).max()
    assert 0.1 < largest < 1e3
    assert np.abs(found - expected).max() < CLOSE * max(largest, 1)


FORMS = [
    *((name, form) for name in OFTEN for form in (True, False)),
    *((name, form) for name in NAMES if name not in OFTEN for form in (True, False)),
]


@pytest.mark.parametrize(
    ("name", "is_zip"),
    [pytest.param(*one, marks=() if one[0] in OFTEN else pytest.mark.long) for one in FORMS],
    ids=[f"{name}-{'zip' if form else 'legacy'}" for name, form in FORMS],
)
def test_torchvisions_network_computes_what_it_does_there(name, is_zip, tmp_path):
    """Saved in both forms and loaded from the file: its graph, its epsilon, its rows behind the map."""
    model = drawn(getattr(torchvision.models, name)(weights=None))
    path = tmp_path / f"{name}.pth"
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=is_zip)
    check(name, model, path)


@pytest.mark.parametrize("name", long_but(OFTEN, NAMES))
def test_timms_network_computes_what_it_does_there(name, tmp_path):
    """Saved as Hugging Face's repositories have it: other names of layers, matrices that are convolutions."""
    model = drawn(timm.create_model(f"{name}.tv_in1k", pretrained=False))
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(model.state_dict(), path, metadata={"format": "pt"})
    check(name, model, path)


@pytest.mark.parametrize("name", FILES)
def test_the_registry_says_what_torchvision_says(name):
    """Address, error, mean, scale and sizes of each of its weights sets."""
    network, file = FILES[name]
    said, published = (
        network.about(file.set),
        torchvision.models.get_weight(file.source.split("'s ")[1].split(",")[0]),
    )
    assert file.urls[0] == published.url
    transforms = published.transforms()
    assert (said.resize, said.interpolation) == (transforms.resize_size[0], transforms.interpolation.value)
    assert [network.input_of(file.set).height] == transforms.crop_size
    metrics = published.meta["_metrics"]["ImageNet-1K"]
    if said.accuracy is not None:
        assert said.accuracy.top1_error_percent == pytest.approx(100 - metrics["acc@1"])
        assert said.accuracy.top5_error_percent == pytest.approx(100 - metrics["acc@5"])
    else:
        assert np.isnan(metrics["acc@1"])
    image = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    tensor = torch.from_numpy(image.transpose(0, 3, 1, 2))
    transforms.resize_size = [224]
    wanted = transforms(tensor).numpy().transpose(0, 2, 3, 1)
    found = zoo.preprocess_input(network.name, image, weights=file.set)
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_classes_are_in_the_order_of_their_numbers():
    """Torchvision's list is that of the synsets in order, as the class index of Keras is."""
    info = ImageNetInfo()
    synsets = info.label_names()
    assert synsets == sorted(synsets)
    assert len(synsets) == 1000
    categories = torchvision.models.ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    lemmas = [info.index_to_description(number).lower() for number in range(1000)]
    unlike = [name for name, told in zip(categories, lemmas, strict=True) if name.lower() not in told]
    assert len(unlike) < 30, unlike

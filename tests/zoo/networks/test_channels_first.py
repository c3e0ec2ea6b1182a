"""Networks whose maps have their channels first compute what Keras 1.2.2 on Theano 1.0.5 did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.channels_first import turn_convolutions
from tests.support.forgetting import forget
from tests.support.goldens import check
from tests.support.long import long_but
from tests.support.shares import FIRST_OF_FAMILY, NETWORKS

OFTEN = ("resnet50", "googlenet")
"""ResNet has the padding, the sums and the normalisation of all, GoogLeNet the modules; for all of them
test_families looks at every layer's axis."""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Free what Keras holds of the last model."""
    yield
    forget()


@pytest.mark.parametrize(
    "name",
    long_but(OFTEN, FIRST_OF_FAMILY.values()),
)
def test_one_network_of_each_family(name, practice_file, monkeypatch):
    """It computes the same in channels-first order."""
    turn_convolutions(monkeypatch)
    check(NETWORKS[name], practice_file(name), "channels_first")


@pytest.mark.long  # minutes each, in TensorFlow's own convolutions
@pytest.mark.parametrize("name", FIRST_OF_FAMILY.values())
def test_by_tensorflow_alone(name, practice_file):
    """With its own convolutions of maps that have their channels first."""
    check(NETWORKS[name], practice_file(name), "channels_first")

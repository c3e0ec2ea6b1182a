"""Networks that are not the first of their family: what they compute is what they did.

All that is asked of the first of a family in test_networks, and in long tests alone: what tells them from
the first is their depth, and test_families looks at that in each run.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.forgetting import forget
from tests.support.goldens import FOLDED, Drawn, check, compare_all
from tests.support.shares import FIRST_OF_FAMILY, NETWORKS

pytestmark = pytest.mark.long
OTHERS = [name for name in NETWORKS if name not in FIRST_OF_FAMILY.values()]


@pytest.fixture(scope="module", params=OTHERS)
def drawn(request: pytest.FixtureRequest, practice_file) -> Iterator[Drawn]:
    """Return a network that was read from its practice file."""
    drawn = Drawn(request.param, practice_file(request.param))
    yield drawn
    del drawn.model  # pytest holds on to the rest a little longer
    forget()


def test_a_theano_file_read_as_it_is(drawn):
    """Read directly from the Theano file, the network computes what it computed in Theano."""
    compare_all(drawn.network, drawn.outputs)


def test_a_file_converted_to_keras_3(drawn, tmp_path):
    """It fits ``load_weights``, and ``zoo.load``: every variable is the same to the bit."""
    drawn.check_keras_3(tmp_path / "network.weights.h5")


def test_a_file_converted_to_tensorflow(drawn, tmp_path):
    """Converted first, the network computes the same from a file for TensorFlow."""
    path = tmp_path / "network_tf.h5"
    drawn.check_tensorflow(path)
    check(drawn.network, path)
    path.unlink()


def test_pooled_features_without_a_head(drawn):
    """Without its classifiers the network gives the features that it gave in Theano."""
    drawn.check_features()


def test_a_fused_network_computes_the_same(drawn):
    """Features and logits are equal; the model that was given stays whole."""
    drawn.check_fused(*FOLDED[drawn.network.name])

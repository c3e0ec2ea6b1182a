"""Models of tf.keras, upgraded: each gives what tf-keras computes with it, or is refused with its reason.

Run by ``make test-tf-keras`` in an environment of its own; not part of the ordinary run, which has plain
Keras alone. What comes of each class stands in docs/upgrading-tf-keras.md, which is compared line by line.
"""

from __future__ import annotations

import pytest

from converters import upgrade_file
from tests.tf_keras.models import MODELS, NETWORKS, NONE, classes, filled
from tests.tf_keras.outcomes import compared
from tests.tf_keras.table import LISTED, PAGE, outcomes, page, row

# What tf-keras says of the format that these files are in.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_every_class_of_layers_is_there():
    """A class that tf-keras has and nobody tried makes this fail."""
    assert sorted([*MODELS, *NONE]) == classes()


@pytest.mark.parametrize("name", LISTED)
def test_none_gives_other_outputs_in_silence(name):
    """Each file is right or refused, and the page says which, and why."""
    found = outcomes(name)
    words = {outcome.word for (_, opener), listed in found.items() if opener != "Keras" for outcome in listed}
    assert words <= {"right", "refused"}
    assert row(name) in PAGE.read_text().splitlines()


@pytest.mark.parametrize("weights", ["old.h5", "old.weights.h5"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_configuration_and_weights_apart(name, weights, tmp_path):
    """Weights called after layers, or after classes and numbered."""
    model = filled(NETWORKS[name]())
    (tmp_path / "old.json").write_text(model.to_json())
    model.save_weights(tmp_path / weights)
    upgrade_file(tmp_path / "old.json", tmp_path / "new.keras", weights=tmp_path / weights)
    assert str(compared(tmp_path / "new.keras", model)) == "right"


def test_most_are_right():
    """Of as many models as there are classes and more."""
    right = [
        name
        for name in LISTED
        if any(
            outcome.word == "right"
            for (_, opener), listed in outcomes(name).items()
            if opener != "Keras"
            for outcome in listed
        )
    ]
    assert len(right) >= 120


def test_the_page_is_what_this_run_gives():
    """``make tf-keras-table`` writes it anew."""
    assert PAGE.read_text() == page()

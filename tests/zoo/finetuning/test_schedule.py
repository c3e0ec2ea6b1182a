"""The tables: what the tutorials say, and which strategy suits how many images."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zoo.errors import ArgumentError, UnknownNameError
from zoo.finetuning.schedule import (
    STRATEGIES,
    batch_size,
    check_strategy,
    choose_strategy,
    own_options,
    phase_epochs,
)
from zoo.registry import load_registry


@pytest.mark.parametrize(
    ("pictures", "classes", "strategy", "reason"),
    [
        (999, 2, "svm", "999 images are under 1,000: a linear SVM has the least to overfit with"),
        (
            1000,
            2,
            "freeze-pretrain-finetune",
            "1,000 images, 500 a class: the new layers first, then everything slowly",
        ),
        (
            3000,
            10,
            "freeze-pretrain-finetune",
            "3,000 images, 300 a class: the new layers first, then everything slowly",
        ),
        (
            4000,
            2,
            "last-layers",
            "4,000 images, 2,000 a class: enough to train all but the first layers",
        ),
        (50000, 1000, "all", "50,000 images are 50,000 or more: enough to train every layer"),
    ],
)
def test_the_number_of_pictures_chooses(pictures, classes, strategy, reason):
    """The limits are those of the tutorials, and the reason is told."""
    choice = choose_strategy(pictures, classes)
    assert (choice.strategy, choice.reason) == (strategy, reason)


def test_the_learning_rates_are_those_of_the_tutorials():
    """1e-3 for what is new, ten times less where good weights are touched after that."""
    rates = {name: [phase.learning_rate for phase in one.phases] for name, one in STRATEGIES.items()}
    assert rates == {
        "svm": [],
        "head": [1e-3],
        "last-layers": [1e-3],
        "freeze-pretrain-finetune": [1e-3, 1e-4],
        "all": [1e-3],
    }


def test_batches_are_sixteen_and_eight_for_densenets():
    """Every family of the registry has its number; the user's own counts more."""
    sizes = {
        network.family: batch_size(network.family, None)
        for network in load_registry(()).architectures.values()
    }
    assert (sizes.pop("densenet"), sizes.pop("densenet_keras")) == (8, 8)
    assert set(sizes.values()) == {16}
    assert batch_size(None, None) == 16
    assert batch_size("densenet", 4) == 4


@pytest.mark.parametrize("asked", [0, -1, True, 2.5])
def test_a_batch_is_a_count(asked):
    """Anything else is refused."""
    with pytest.raises(ArgumentError) as caught:
        batch_size(None, asked)
    assert str(caught.value) == f"batch_size={asked!r}: must be an integer from 1"


def test_an_unknown_strategy_is_refused():
    """All are listed and the nearest is offered."""
    with pytest.raises(UnknownNameError) as caught:
        check_strategy("last-layer")
    assert str(caught.value) == (
        "strategy='last-layer': must be one of svm, head, last-layers, freeze-pretrain-finetune, all, auto; "
        "did you mean last-layers?"
    )


def test_the_tables_need_no_keras():
    """The command line reads them for its help."""
    code = (
        "import sys, zoo.finetuning.options, zoo.finetuning.schedule;"
        " sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("each", [1, 999, 1000, 1001])
@pytest.mark.parametrize("pictures", [1, 999, 1000, 4000, 49999, 50000, 10**7])
def test_exactly_one_strategy_suits(pictures, each):
    """Whatever there is, ``auto`` has an answer, and no second one."""
    classes = max(pictures // each, 1)
    suiting = [name for name, one in STRATEGIES.items() if one.auto and one.auto.holds(pictures, classes)]
    assert suiting == [choose_strategy(pictures, classes).strategy]


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "last-layers"])
def test_an_option_of_another_strategy_is_refused(strategy):
    """Its own are passed on; those that were not given are not."""
    assert own_options({"last": "conv"}, "last-layers") == {"last": "conv"}
    assert own_options({"last": None}, strategy) == {}
    with pytest.raises(ArgumentError) as caught:
        own_options({"last": 3}, strategy)
    assert str(caught.value) == f"last=3: is for the strategy last-layers, not {strategy}"


IN_PHASES = STRATEGIES["freeze-pretrain-finetune"]


@pytest.mark.parametrize(
    ("epochs", "own", "expected"),
    [
        (None, {}, (50, 10)),
        (2, {}, (1, 1)),
        (5, {}, (2, 3)),
        (20, {}, (10, 10)),
        (200, {}, (50, 150)),
        (None, {"pretrain": 5}, (5, 10)),
        (20, {"pretrain": 5}, (5, 15)),
        (20, {"finetune": 4}, (16, 4)),
        (9, {"pretrain": 5, "finetune": 4}, (5, 4)),
    ],
)
def test_the_epochs_are_those_of_the_whole_training(epochs, own, expected):
    """Phases share them; a number of a phase's own comes out of them."""
    found = phase_epochs(IN_PHASES, epochs, own)
    assert tuple(found[name] for name in ("pretrain", "finetune")) == expected
    assert epochs is None or sum(found.values()) == epochs


@pytest.mark.parametrize("strategy", ["head", "last-layers", "all"])
def test_one_phase_has_all_epochs(strategy):
    """In every strategy they mean the same."""
    assert sum(phase_epochs(STRATEGIES[strategy], 7).values()) == 7


@pytest.mark.parametrize(
    ("epochs", "own", "message"),
    [
        (1, {}, "epochs=1: pretrain and finetune share them; must be 2 at least"),
        (5, {"pretrain": 5}, "epochs=5: pretrain_epochs=5 leave none for finetune"),
        (
            5,
            {"pretrain": 3, "finetune": 3},
            "epochs=5: pretrain_epochs=3 and finetune_epochs=3 come to another number",
        ),
        (None, {"pretrain": 0}, "pretrain_epochs=0: must be an integer from 1"),
    ],
)
def test_epochs_that_do_not_go_together_are_refused(epochs, own, message):
    """With the numbers."""
    with pytest.raises(ArgumentError) as caught:
        phase_epochs(IN_PHASES, epochs, own)
    assert str(caught.value) == message

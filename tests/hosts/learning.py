"""Strategies on a small network, alone or as one of several processes; prints what came of each as JSON.

As many images as neither batches nor processes divide, batch normalisation that learns, images changed at
random; dropout is left out, as is what starts at random.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from typing import Any

import numpy as np

from tests.support.small_network import OPTIONS, small_network, some_digits
from zoo import finetuning
from zoo.finetuning import classifier, hosts
from zoo.finetuning.schedule import STRATEGIES

WAYS = {
    "svm": (finetuning.svm, {}),
    "head": (finetuning.head, {"epochs": 2}),
    "last-layers": (finetuning.last_layers, {"epochs": 2, "last": "second"}),
    "freeze-pretrain-finetune": (
        finetuning.freeze_pretrain_finetune,
        {"pretrain_epochs": 2, "finetune_epochs": 2},
    ),
    "all": (
        finetuning.train_all,
        {"epochs": 2, "augmentation": True, "learning_rate_factors": {"head": 10, "first": 0.1}},
    ),
}


def main() -> None:
    """Learn, and print what was learned."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--coordinator")
    parser.add_argument("--process", type=int)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, required=True)
    given = vars(parser.parse_args())
    strategies = given.pop("strategies")
    group = hosts.asked(**given)
    with nullcontext() if group is None else hosts.joined(group):
        found = {name: came_of(name) for name in strategies}
    sys.stdout.write(f"\n{json.dumps(found)}\n")


def came_of(name: str) -> dict[str, Any]:
    """Return the epochs and the predictions of a strategy."""
    classifier.HIDDEN_DROPOUT = 0.0
    digits = some_digits(34)
    learned, held_out = digits.subset(np.arange(21)), digits.subset(np.arange(21, 34))
    strategy, special = WAYS[name]
    result = strategy(small_network(), learned, held_out, **{**OPTIONS, "batch_size": 4, **special})
    told = [[one.loss, one.accuracy, one.val_loss, one.val_accuracy] for one in result.history]
    # The model is this process' own by now: it is asked without the others.
    with hosts.by_itself():
        asked = result.model.predict(held_out.batch(range(13), 16, 16).astype("float32"), verbose=0)
    return {"epochs": told, "predictions": result.predictions.tolist(), "asked": asked.tolist()}


if __name__ == "__main__":
    main()

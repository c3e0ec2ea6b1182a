"""The card of a fine-tuned model: what hubs and people read of it, from its record alone."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.support.paths import WRITTEN_BEFORE
from zoo.finetuning.card import card, hub_licence, write_card
from zoo.registry import get_registry

RECORD = {
    "network": "resnet50",
    "weights": {"id": "resnet50_th", "sha256": "ab" * 32, "licence": "MIT (ported from somewhere)"},
    "strategy": "svm",
    "classes": ["cat", "a|b"],
    "input": [224, 224, 3],
    "fit": "crop",
    "preprocessing": "caffe",
    "seed": 3,
    "phases": [{"name": "svm", "epochs": 1, "learning_rate": None, "frozen": "backbone"}],
    "data": {"train": 60, "valid": 12, "by_class": {"train": [40, 20], "valid": [8, 4]}, "report": []},
    "result": {"accuracy": 0.75, "log_loss": 0.5},
    "seconds": 12.3,
    "failure": None,
}
CARD = r"""---
license: mit
library_name: keras
pipeline_tag: image-classification
base_model: resnet50
tags:
- image-classification
- keras
- fine-tuned
- resnet50
metrics:
- accuracy
---

# resnet50 fine-tuned on 2 classes

An image classifier for: cat, a\|b.

## Use

```python
import zoo
zoo.predict("run_1", "picture.jpg")
```

## Made from

- network: resnet50
- published in: Deep Residual Learning for Image Recognition, https://arxiv.org/abs/1512.03385
- weights: resnet50\_th
- SHA-256 of the weights: abababababababababababababababababababababababababababababababab
- licence of the weights: MIT (ported from somewhere)

## Data

60 images to train on, 12 to validate with; 0 were left out.

| class | to train on | to validate with |
| --- | ---: | ---: |
| cat | 40 | 8 |
| a\|b | 20 | 4 |

## Training

- strategy: svm
- after: Donahue et al., DeCAF, 2013; Razavian et al., CNN Features off-the-shelf, 2014
- images: 224 x 224 pixels; where the shape is another, the middle of an image is used
- preprocessing: caffe
- seed: 3
- took: 12 s

## Results

On the validation images: accuracy 75.0%, log loss 0.5000. The report beside this file, `report.html`, has the confusion matrix.

## Limits

- It names one of its classes whatever an image shows, also where none of them is right.
- The validation images come from the same collection: on others it may be less accurate.
- Its probabilities rank the classes, and are not calibrated.
- Trained on fewer than 30 images each: a\|b.
- What is true of the weights that it was made from, their licence too, is true of it.
"""  # noqa: E501


def test_a_card():
    """Word for word; names in it are no Markdown."""
    assert card(RECORD, "run_1") == CARD


def test_epochs_are_counted_in_words():
    """One is one."""
    phases = [{"name": name, "epochs": count, "learning_rate": 1e-3} for name, count in (("a", 1), ("b", 2))]
    said = card(RECORD | {"phases": phases}, "run_1")
    assert "- phases: a: 1 epoch, learning rate 0.001; b: 2 epochs, learning rate 0.001\n" in said


def test_factors_of_the_learning_rate_are_told_behind_it():
    """As they were asked for."""
    asked = {"learning_rate_factors": {"head": 1000.0, "conv1*": 0.5}}
    phases = [{"name": "all", "epochs": 2, "learning_rate": 1e-6}]
    said = card(RECORD | {"phases": phases, "asked": asked}, "run_1")
    rate = "learning rate 1e-06, times 1000 for head, times 0.5 for conv1*"
    assert f"- phases: all: 2 epochs, {rate}\n" in said.replace("\\", "")


def test_the_head_of_a_card_is_yaml_whatever_a_licence_says():
    """A text that hubs do not know is given by its name."""
    record = RECORD | {"weights": {**RECORD["weights"], "licence": "none: ask #1"}}
    head = yaml.safe_load(card(record, "run").split("---")[1])
    assert (head["license"], head["license_name"]) == ("other", "none: ask #1")
    assert yaml.safe_load(card(RECORD | {"weights": None}, "run").split("---")[1])["license"] == "unknown"


@pytest.mark.parametrize(
    "licence",
    sorted({file.licence for one in get_registry().architectures.values() for file in one.weights}),
)
def test_every_licence_of_the_registry_has_its_word_on_hubs(licence):
    """Unrestricted use alone has none there."""
    told = hub_licence(licence)
    assert told["license"] == licence.split(" ")[0].lower() or told == {
        "license": "other",
        "license_name": licence,
    }
    assert (told["license"] == "other") == licence.startswith("unrestricted")


def test_a_run_of_before_has_a_card_of_what_it_tells(tmp_path):
    """Its record has no numbers by class and no licence."""
    record = json.loads((WRITTEN_BEFORE / "finished" / "run.json").read_text("utf-8"))
    text = write_card(tmp_path, record).read_text("utf-8")
    assert "26 images to train on, 14 to validate with; 0 were left out." in text
    assert "- weights: not recorded" in text
    assert "an image is stretched, its aspect not kept" in text

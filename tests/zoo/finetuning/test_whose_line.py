"""What is warned of while loading a network is about the line that asked for features or training."""

import warnings
from itertools import product

import pytest
from PIL import Image

import zoo
from converters.errors import warn
from zoo.finetuning import runs


@pytest.mark.parametrize(
    "call",
    [
        lambda photos: zoo.features("resnet50", photos, weights=None),
        lambda photos: zoo.finetune("resnet50", photos, weights=None, strategy="all", validation_share=0.5),
    ],
    ids=["features", "finetune"],
)
def test_a_warning_shows_the_caller_s_line(tmp_path, monkeypatch, call):
    """Not one of ours."""
    for kind, grey in product(("cats", "dogs"), (10, 20)):
        (tmp_path / kind).mkdir(exist_ok=True)
        Image.new("L", (40, 40), grey + len(list(tmp_path.glob("*/*")))).save(tmp_path / kind / f"{grey}.png")

    def loaded(*_, **__):
        warn("doubt", stacklevel=2)
        raise zoo.DataError("enough was seen")

    monkeypatch.setattr(runs, "load_classifier", loaded)
    with warnings.catch_warnings(record=True) as told, pytest.raises(zoo.DataError, match="enough was seen"):
        warnings.simplefilter("always")
        call(tmp_path)
    assert [one.filename for one in told if one.category is zoo.ConversionWarning] == [__file__]

"""How often one conversion asks: a file is described once, its texts are worked out once."""

from __future__ import annotations

from collections import Counter

import pytest

import converters.api
import converters.writing.execute
from converters import convert_file
from tests.support.paths import DIALECTS


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return how often each of these is asked."""
    counts: Counter[str] = Counter()

    def count(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def counted(*arguments: object, **options: object) -> object:
            counts[name] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    count(converters.api, "describe")
    count(converters.api, "recognise")
    count(converters.writing.execute, "describe")
    count(converters.writing.execute, "converted_config")
    return counts


@pytest.mark.parametrize("to", [None, "keras2"])
def test_a_file_is_described_once_and_its_configuration_converted_once(tmp_path, asked, to):
    """Of a whole model, which has one; in another dialect none is left of it."""
    source = DIALECTS / "keras122_theano_th" / "conv2d_flatten_dense_dense.model.h5"
    convert_file(source, tmp_path / "tf.h5", direction="th-to-tf", to=to)
    told = {"describe": 1, "recognise": 1}
    assert asked == (told if to else {**told, "converted_config": 1})

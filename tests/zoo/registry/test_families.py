"""Tests of the families' records: what is said elsewhere of a family agrees with them."""

from __future__ import annotations

import pytest

from zoo.cli.parser import parse
from zoo.finetuning.schedule import BATCH_SIZE, batch_size
from zoo.registry.families import FAMILIES
from zoo.registry.fields import Mistake


@pytest.mark.parametrize("family", FAMILIES)
def test_the_record_says_how_many_pictures_make_a_batch(family: str) -> None:
    """Fine-tuning has no table of its own."""
    assert batch_size(family, None) == (FAMILIES[family].batch_size or BATCH_SIZE)


def test_the_help_names_each_family_whose_batches_are_not_the_usual(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With its number, and the usual one."""
    with pytest.raises(SystemExit):
        parse(["finetune", "--help"])
    told = " ".join(capsys.readouterr().out.lower().split())
    sizes = {name: family.batch_size for name, family in FAMILIES.items() if family.batch_size}
    others = "".join(f", for {name} {size}" for name, size in sizes.items())
    assert f"default: {BATCH_SIZE}{others}" in told


@pytest.mark.parametrize("family", FAMILIES)
def test_the_form_asks_for_every_number_and_explains_it(family: str) -> None:
    """None may be left out but those with a default."""
    form = FAMILIES[family].form
    with pytest.raises(Mistake, match=rf"^config\.{next(iter(FAMILIES[family].numbers))}: is missing$"):
        form.check({}, ("config",))
    keys = form.schema()["properties"]
    assert list(keys) == list(FAMILIES[family].numbers)
    assert form.schema()["required"] == [name for name, key in keys.items() if "default" not in key]
    assert all(key["description"] for key in keys.values())

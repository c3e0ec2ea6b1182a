"""The number of the rules goes up whenever a rule gives other arrays than before."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.version import RULES_NUMBER
from tests.support import conversion_digests
from tests.support.conversion_digests import FORMS, REFUSED, changed, digests_of, main, read
from tests.support.dialect_samples import SAMPLES

ADVICE = "other arrays than before: raise RULES_NUMBER in converters/version.py, then run `make digests`"


def test_the_digests_are_those_of_these_rules_and_of_all_samples() -> None:
    """A number that was raised is written down with what its rules give."""
    number, samples = read()
    assert number == RULES_NUMBER, "run `make digests`"
    assert list(samples) == SAMPLES, "run `make digests`"
    assert all(list(forms) == list(FORMS) for forms in samples.values()), "run `make digests`"


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_becomes_what_the_rules_of_this_number_make_of_it(sample: str, tmp_path: Path) -> None:
    """In every form: names, types, shapes and values."""
    before = read()[1].get(sample, {})
    now = digests_of(sample, tmp_path)
    assert not changed({sample: before}, {sample: now}), ADVICE
    assert now == before, "what was refused is written now: run `make digests`"


def test_the_number_must_go_up_before_other_digests_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused before may be written without; what is refused now may not."""
    monkeypatch.setattr(conversion_digests, "FILE", tmp_path / "digests.json")
    now = {"a": {"tf": "1", "th": REFUSED}}
    monkeypatch.setattr(conversion_digests, "all_digests", lambda: now)
    assert main([]) == 0
    now["a"] = {"tf": "1", "th": "2"}
    assert main([]) == 0
    for other in ({"tf": "3", "th": "2"}, {"tf": "1", "th": REFUSED}):
        now["a"] = other
        assert main([]) == 1
        assert read() == (RULES_NUMBER, {"a": {"tf": "1", "th": "2"}})
    monkeypatch.setattr(conversion_digests, "RULES_NUMBER", RULES_NUMBER + 1)
    assert main([]) == 0
    assert read() == (RULES_NUMBER + 1, now)
    now["a"] = {"tf": "4", "th": "4"}
    assert main(["--same-number"]) == 0
    assert read() == (RULES_NUMBER + 1, now)

"""Networks chosen in Python as on the command line."""

from __future__ import annotations

import pickle

import pytest

import zoo
from tests.support.shelf import GOOGLENET, everything, keep
from zoo.storage.cache import Cache


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Use a cache of one's own."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_networks_are_chosen_as_on_the_command_line():
    """A part of a name, filters, and an order."""
    assert zoo.list_models("RES", layout="th") == ["resnet50", "resnet101", "resnet152"]
    found = zoo.list_models("densenet1[26]1", family="DENSE", max_params="30M", sort="-params")
    assert found == ["densenet161", "densenet121"]
    assert zoo.list_models("resnet", reverse=True, min_params="40M", layout="th") == [
        "resnet152",
        "resnet101",
    ]


def test_what_the_cache_has_is_looked_at_only_if_it_is_asked_for(monkeypatch):
    """A cache that cannot be used is an error then, and none otherwise."""
    keep(Cache.from_environment(), everything()[GOOGLENET].item, b"published")
    assert zoo.list_models(cached=True) == ["googlenet"]
    assert zoo.list_models("net", sort="cached")[0] == "googlenet"
    for record in (Cache.from_environment().home / "_memory").rglob("*.json"):
        record.write_text("{")
    assert "vgg16" in zoo.list_models(cached=False)
    for asked in ({"cached": True}, {"sort": "-cached"}):
        with pytest.raises(zoo.CacheError):
            zoo.list_models(**asked)


def test_who_is_left_out_is_told_by_the_list():
    """It is a list all the same."""
    found = zoo.list_models("inception_", max_top1_error=50)
    assert (found, found.left_out) == (["inception_v4"], {"top-1 error is not stated": ["inception_v3"]})
    assert pickle.loads(pickle.dumps(found)) == ["inception_v4"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: zoo.list_models(max_parms=5),
            "list_models(): unknown argument 'max_parms'; did you mean max_params=?",
        ),
        (
            lambda: zoo.list_models(layout="TF"),
            "layout='TF': must be th or tf",
        ),
        (lambda: zoo.list_models(pattern=5), "pattern=5: must be a text"),
        (lambda: zoo.list_models(cached="yes"), "cached='yes': must be True or False"),
        (lambda: zoo.list_models(sort=5), "sort=5: must be a text or None"),
    ],
)
def test_wrong_arguments(call, message):
    """In the words of all functions."""
    with pytest.raises(zoo.ArgumentError) as caught:
        call()
    assert str(caught.value) == message

"""Tests of the JSON Schema: current, true to the registry, as strict as the checks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import zoo
from tests.support.registry_mistakes import FORM, SENSE, Error
from zoo.registry import find_registry
from zoo.registry.families import FAMILIES
from zoo.registry.schema import registry_schema, render

PACKAGE = Path(zoo.__file__).parent


def plain(text: str) -> Any:
    """Return what a text in YAML says, read in C: the registry is long, and read anew for each mistake."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    """Return a validator for the checked-in schema."""
    return jsonschema.Draft202012Validator(json.loads((PACKAGE / "registry.schema.json").read_text("utf-8")))


def test_the_checked_in_schema_is_current() -> None:
    """The file is what the table of the form says; the command that renews it is in the failure."""
    renew = "python -m zoo.registry.schema > zoo/registry.schema.json"
    assert (PACKAGE / "registry.schema.json").read_text("utf-8") == render(), renew


def test_the_command_prints_the_schema() -> None:
    """``python -m zoo.registry.schema`` prints it and nothing else."""
    command = [sys.executable, "-m", "zoo.registry.schema"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    assert json.loads(printed.stdout) == registry_schema()


def test_it_is_a_schema() -> None:
    """It keeps to the rules of its own dialect."""
    jsonschema.Draft202012Validator.check_schema(registry_schema())


def test_the_registry_tells_editors_where_the_schema_is() -> None:
    """The first line is the one that editors with the YAML language server look for."""
    first = find_registry().read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=zoo/registry.schema.json"


def test_the_shipped_registry_is_valid(validator: jsonschema.Draft202012Validator) -> None:
    """The schema accepts what the checks accept."""
    validator.validate(plain(find_registry().read_text(encoding="utf-8")))


@pytest.mark.parametrize("error", [pytest.param(e, id=k) for k, e in FORM.items()])
def test_the_schema_refuses_what_the_checks_refuse(
    error: Error, validator: jsonschema.Draft202012Validator
) -> None:
    """Every mistake of form is one to an editor too."""
    broken = plain(error.apply(find_registry().read_text(encoding="utf-8")))
    assert not validator.is_valid(broken)


@pytest.mark.parametrize("error", [pytest.param(e, id=k) for k, e in SENSE.items()])
def test_the_schema_knows_nothing_of_sense(error: Error, validator: jsonschema.Draft202012Validator) -> None:
    """What only does not fit together has the right form; so the mistakes of form above are that alone."""
    validator.validate(plain(error.apply(find_registry().read_text(encoding="utf-8"))))


def _keys(schema: Any) -> list[dict[str, Any]]:
    """Return every key's schema, at any depth."""
    if isinstance(schema, list):
        return [found for entry in schema for found in _keys(entry)]
    if not isinstance(schema, dict):
        return []
    own = list(schema.get("properties", {}).values()) if schema.get("additionalProperties") is False else []
    return own + [found for entry in schema.values() for found in _keys(entry)]


def test_every_key_is_explained() -> None:
    """An editor can show what each key means."""
    keys = _keys(registry_schema())
    assert len(keys) > 60
    assert all(key["description"] for key in keys)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_has_its_own_numbers(family: str, validator: jsonschema.Draft202012Validator) -> None:
    """A network declared to be of another family is refused, unless the numbers are the same ones."""
    registry = plain(find_registry().read_text(encoding="utf-8"))
    for name, network in registry["architectures"].items():
        alone = registry | {"architectures": {name: network | {"family": family}}}
        assert validator.is_valid(alone) == (family == network["family"])

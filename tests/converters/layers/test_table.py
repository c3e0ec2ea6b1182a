"""The table of kinds: complete by itself, and all that is known of a kind stands in it."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from converters.layers.names import naming_of
from converters.layers.rules import Dialect, Rule, is_rotated
from converters.layers.table import (
    GATES,
    KINDS,
    OLD_GATES,
    PLAIN,
    RULES,
    Cell,
    Cudnn,
    Flow,
    Gates,
    Kind,
    PerInput,
    Role,
    Unnamed,
)

WRITTEN = [
    (kind, role) for kind, record in KINDS.items() for role, found in record.arrays.items() if found.keras1
]
"""The arrays that have a name in Keras 1."""


def test_only_convolutions_are_rotated():
    """Theano's backend rotates depthwise kernels itself, and locally connected layers multiply."""
    rotated = {
        (kind, role) for kind, rules in RULES.items() for role, rule in rules.items() if is_rotated(rule)
    }
    assert rotated == {
        *((f"Conv{rank}D", "kernel") for rank in (1, 2, 3)),
        *((f"Conv{rank}DTranspose", "kernel") for rank in (2, 3)),
        ("SeparableConv2D", "pointwise_kernel"),
        ("ConvLSTM2D", "kernel"),
        ("ConvLSTM2D", "recurrent_kernel"),
    }


@pytest.mark.parametrize(
    "record", [Kind, Flow, Gates, Cell, Cudnn, Unnamed], ids=lambda record: record.__name__
)
def test_no_field_of_a_record_can_be_left_out(record):
    """What is not said of a kind is an error when the table is read, not silence."""
    fields = dataclasses.fields(record)
    assert all(field.default is field.default_factory is dataclasses.MISSING for field in fields)
    for left_out in fields:
        with pytest.raises(TypeError, match=left_out.name):
            record(**{field.name: None for field in fields if field is not left_out})


def test_what_an_array_is_must_be_said():
    """All but another role that its name tells."""
    assert [field.name for field in dataclasses.fields(Role) if field.default is None] == ["also"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_class_in_some_dialect(kind):
    """Each name leads to one kind."""
    classes = KINDS[kind].classes
    assert classes.keys() <= set(get_args(Dialect))
    assert all(classes.values())
    others = [name for other, record in KINDS.items() if other != kind for name in record.classes.values()]
    own = {name for names in classes.values() for name in names if name not in KINDS}
    assert own.isdisjoint(name for names in others for name in names)
    assert kind not in PLAIN


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_a_kind_fits_together(kind):
    """Rules, what there is for each input, gates, and arrays without names."""
    record = KINDS[kind]
    rules = set(RULES[kind].values())
    moved = {Rule.ROWS, Rule.FEATURE_ROWS, Rule.WINDOWS, Rule.DEVIATION, Rule.CUDNN_KERNEL}
    if record.per_input is not PerInput.ROW_AND_OUTPUT:
        assert bool(rules & (moved | {Rule.MAP})) == (record.per_input is not PerInput.NOTHING)
    assert (record.per_input is PerInput.VALUE) == (rules == {Rule.MAP})
    assert (Rule.WINDOWS in rules) == (record.per_input is PerInput.WINDOW)
    assert not any(map(is_rotated, rules)) or record.space > 0
    assert record.alike is None or RULES[record.alike].keys() == RULES[kind].keys()
    for unnamed in record.unnamed:
        assert set(unnamed.roles) <= record.arrays.keys()
        assert len(unnamed.roles) == len(unnamed.ranks)
        assert record.ranks is None or unnamed.ranks[0] in record.ranks
    if isinstance(record.recurrent, Cudnn):
        assert RULES[record.recurrent.native].keys() == RULES[kind].keys()


@pytest.mark.parametrize(("kind", "role"), WRITTEN, ids=map(".".join, WRITTEN))
def test_a_name_of_keras_1_leads_back_to_its_role(kind, role):
    """Whatever the layer is called; the kind makes another role of it where the table says so."""
    found = KINDS[kind].arrays[role]
    for owner in ("conv1", "a/b", "block_2"):
        naming = naming_of(f"{owner}_{found.keras1}_1:0")
        assert (naming.owner, naming.role) == (owner, found.also or role)


def test_gates_are_the_same_in_another_order():
    """Keras 0 and 1 keep the same gates one after the other, LSTM's in an order of their own."""
    assert {kind: sorted(gates) for kind, gates in GATES.items()} == {
        kind: sorted(gates) for kind, gates in OLD_GATES.items()
    }
    assert (GATES["LSTM"], OLD_GATES["LSTM"], GATES["GRU"]) == ("ifco", "icfo", "zrh")
    for gates in (record.recurrent.gates for record in KINDS.values() if isinstance(record.recurrent, Cell)):
        assert gates is None or set(gates.recurrent) < set(gates.packed)

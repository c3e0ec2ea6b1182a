"""Caffe's files that try to harm their reader, or that say of themselves what is not so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from converters.limits import Limits
from tests.support.caffe_files import (
    LAYER,
    LAYERS,
    Layer,
    blob,
    block,
    floats,
    group,
    layer,
    network,
    number,
    tag,
    values,
    varint,
)

ONE = np.ones((2, 3), "f4")
GOOD = Layer("a", "InnerProduct", [ONE])
KERNEL = Layer("c", "Convolution", [np.ones((2, 3, 1, 1), "f4")])


@dataclass(frozen=True)
class Technique:
    """A file, and the message that refuses it, without the file's own name."""

    name: str
    build: Callable[[], bytes]
    message: str
    limits: Limits = field(default_factory=Limits)


def raw(*fields):
    """Return a network of one layer whose fields are these."""
    return block(1, "made") + block(LAYER, b"".join(fields))


def named(*fields):
    """Return the same with a name and a type in front."""
    return raw(block(1, "a"), block(2, "InnerProduct"), *fields)


def held(*fields):
    """Return a network of one layer with one blob whose fields are these."""
    return named(block(7, b"".join(fields)))


def shape(*axes):
    """Return the shape of a blob."""
    return block(7, block(1, b"".join(map(varint, axes))))


def lying(number_of_field, length, data=b""):
    """Return a field of bytes that says that it is longer than it is."""
    return tag(number_of_field, 2) + varint(length) + data


def groups(count):
    """Return groups within each other."""
    return tag(9, 3) * count + tag(9, 4) * count


def norm(factor):
    """Return a network with a batch normalisation of some factor."""
    return network([Layer("bn", "BatchNorm", [np.ones(2, "f4"), np.ones(2, "f4"), np.array([factor], "f4")])])


DATA = values(np.ones(6, "f4"))

TECHNIQUES = [
    Technique(
        "a network shorter than it says",
        lambda: named()[:-3],
        "byte 6: the network has a field 100 of 17 bytes, and 14 are left of it",
    ),
    Technique(
        "a layer of terabytes",
        lambda: block(1, "n") + lying(LAYER, 1 << 42, b"abc"),
        "byte 3: the network has a field 100 of 4398046511104 bytes, and 3 are left of it",
    ),
    Technique(
        "a layer of a length without an end",
        lambda: block(1, "n") + lying(LAYER, (1 << 64) - 1),
        "byte 3: the network has a field 100 of 18446744073709551615 bytes, and 0 are left of it",
    ),
    Technique(
        "a blob longer than its layer",
        lambda: named(lying(7, 100, b"abc")),
        "byte 26: layer 0 has a field 7 of 100 bytes, and 3 are left of it",
    ),
    Technique(
        "values longer than their blob",
        lambda: held(shape(2, 3), lying(5, 1 << 40)),
        "byte 34: blob 0 of layer 0 ('a') has a field 5 of 1099511627776 bytes, and 0 are left of it",
    ),
    Technique(
        "a shape longer than its blob",
        lambda: held(DATA, lying(7, 9, b"\n\x02\x02\x03")),
        "byte 54: blob 0 of layer 0 ('a') has a field 7 of 9 bytes, and 4 are left of it",
    ),
    Technique(
        "axes longer than their shape",
        lambda: held(DATA, block(7, lying(1, 9, b"\x02\x03"))),
        "byte 56: the shape of blob 0 of layer 0 ('a') has a field 1 of 9 bytes, and 2 are left of it",
    ),
    Technique(
        "a number that ends nowhere",
        lambda: named(tag(11, 0) + b"\xff\xff"),
        "byte 27: layer 0 ends within a number",
    ),
    Technique(
        "a number of eleven bytes",
        lambda: named(tag(11, 0) + b"\x80" * 10 + b"\0"),
        "byte 27: layer 0 has a number of more than 10 bytes",
    ),
    Technique(
        "a number of seventy bits",
        lambda: named(tag(11, 0) + b"\xff" * 9 + b"\x7f"),
        "byte 27: layer 0 has a number of more than 64 bits",
    ),
    Technique(
        "an axis of half a number",
        lambda: held(DATA, block(7, block(1, b"\x02\x83"))),
        "byte 59: the shape of blob 0 of layer 0 ('a') ends within a number",
    ),
    Technique(
        "a field of number nought",
        lambda: named(tag(0, 0) + b"\x01"),
        "byte 26: layer 0 has a field of number 0, which is none",
    ),
    Technique(
        "a field of a number beyond all",
        lambda: named(varint(1 << 40) + b"\x01"),
        "byte 26: layer 0 has a field of number 137438953472, which is none",
    ),
    Technique(
        "a wire type that is none",
        lambda: named(tag(11, 6)),
        "byte 26: layer 0 has a field 11 of wire type 6, which is none",
    ),
    Technique(
        "another wire type that is none",
        lambda: named(tag(11, 7)),
        "byte 26: layer 0 has a field 11 of wire type 7, which is none",
    ),
    Technique(
        "a group that does not end",
        lambda: named(tag(11, 3) + number(1, 1)),
        "byte 29: layer 0 ends within its group 11",
    ),
    Technique(
        "a group that never began",
        lambda: named(tag(11, 4)),
        "byte 26: layer 0 ends a group 11 that is not open",
    ),
    Technique(
        "a group that ends as another",
        lambda: named(tag(11, 3), tag(12, 4)),
        "byte 27: layer 0 ends a group 12 that is not open",
    ),
    Technique(
        "groups without a bottom",
        lambda: named(groups(1000)),
        "byte 91: layer 0 holds groups within each other, more than 64 deep (limit depth)",
    ),
    Technique(
        "a length that leaves its group",
        lambda: named(group(11, lying(1, 1 << 30))),
        "byte 27: layer 0 has a field 1 of 1073741824 bytes, and 1 are left of it",
    ),
    Technique(
        "more values declared than held",
        lambda: held(DATA, shape(4, 3)),
        "byte 28: blob 0 of layer 0 ('a') declares (4, 3), so 12 values, and holds 6",
    ),
    Technique(
        "terabytes declared",
        lambda: held(DATA, shape(1 << 39, 1 << 39)),
        "byte 28: blob 0 of layer 0 ('a') declares (549755813888, 549755813888), so "
        "302231454903657293676544 values, and holds 6",
    ),
    Technique(
        "axes whose product goes round",
        lambda: held(shape(1 << 32, 1 << 32)),
        "byte 28: blob 0 of layer 0 ('a') declares (4294967296, 4294967296), so "
        "18446744073709551616 values, and holds 0",
    ),
    Technique(
        "an axis beyond all",
        lambda: held(shape(1 << 40)),
        "byte 28: blob 0 of layer 0 ('a') has an axis of 1099511627776",
    ),
    Technique(
        "an axis below nothing",
        lambda: held(DATA, number(1, -2), number(2, 3)),
        "byte 28: blob 0 of layer 0 ('a') has an axis of -2",
    ),
    Technique(
        "axes without an end",
        lambda: held(DATA, shape(*[1] * 33, 6)),
        "byte 56: blob 0 of layer 0 ('a') has more than 32 axes",
    ),
    Technique(
        "half a value",
        lambda: held(block(5, b"abcde"), shape(1)),
        "byte 28: the data of blob 0 of layer 0 ('a') takes 5 bytes, not values of 4",
    ),
    Technique(
        "values in two pieces",
        lambda: held(block(5, floats(1)), block(5, floats(2)), shape(2)),
        "byte 34: blob 0 of layer 0 ('a') holds its values in more than one piece",
    ),
    Technique(
        "values as float and as double",
        lambda: held(DATA, values(np.ones(6)), shape(2, 3)),
        "byte 54: blob 0 of layer 0 ('a') holds its values in more than one piece",
    ),
    Technique(
        "values one by one and packed",
        lambda: held(values(ONE, packed=False), DATA, shape(2, 3)),
        "byte 58: blob 0 of layer 0 ('a') holds its values in more than one piece",
    ),
    Technique(
        "bytes of a type that is not read",
        lambda: held(number(10, 3), block(12, b"abcd"), shape(1)),
        "byte 30: blob 0 of layer 0 ('a') keeps values of type 3; "
        "read are double (0), float (1) and float16 (2)",
    ),
    Technique(
        "bytes of a type without an end",
        lambda: held(block(12, b"abcd"), number(10, 1 << 63), shape(1)),
        "byte 28: blob 0 of layer 0 ('a') keeps values of type 9223372036854775808; "
        "read are double (0), float (1) and float16 (2)",
    ),
    Technique(
        "bytes of half a float16",
        lambda: held(number(10, 2), block(12, b"abc"), shape(1)),
        "byte 30: the data of blob 0 of layer 0 ('a') takes 3 bytes, not values of 2",
    ),
    Technique(
        "bytes that are a number",
        lambda: held(number(10, 2), number(12, 1), shape(1)),
        "byte 30: the data of blob 0 of layer 0 ('a') is of wire type 0, and should be of 2",
    ),
    Technique(
        "a type that is a text",
        lambda: held(block(10, "2"), block(12, b"ab"), shape(1)),
        "byte 28: the type of blob 0 of layer 0 ('a') is of wire type 2, and should be of 0",
    ),
    Technique(
        "values and bytes of them",
        lambda: held(DATA, number(10, 1), block(12, floats(1)), shape(2, 3)),
        "byte 56: blob 0 of layer 0 ('a') holds its values in more than one piece",
    ),
    Technique(
        "a shape twice",
        lambda: held(DATA, shape(2, 3), shape(3, 2)),
        "byte 60: blob 0 of layer 0 ('a') says its shape twice",
    ),
    Technique(
        "values of another length",
        lambda: held(tag(5, 1) + bytes(8), shape(2)),
        "byte 28: the data of blob 0 of layer 0 ('a') is of wire type 1, and should be of 5",
    ),
    Technique(
        "values with a long tag",
        lambda: held(b"\xad\0" + floats(1), shape(1)),
        "byte 28: the data of blob 0 of layer 0 ('a') has a tag of more bytes than it needs",
    ),
    Technique(
        "values that are a number",
        lambda: held(number(5, 1), shape(1)),
        "byte 28: the data of blob 0 of layer 0 ('a') is of wire type 0, and should be of 5",
    ),
    Technique(
        "an axis that is a text",
        lambda: held(DATA, block(1, "6")),
        "byte 54: an axis of blob 0 of layer 0 ('a') is of wire type 2, and should be of 0",
    ),
    Technique(
        "a shape that is a number",
        lambda: held(DATA, number(7, 6)),
        "byte 54: the shape of blob 0 of layer 0 ('a') is of wire type 0, and should be of 2",
    ),
    Technique(
        "a layer that is a number",
        lambda: network([GOOD]) + number(LAYER, 7),
        "byte 69: layer 1 is of wire type 0, and should be of 2",
    ),
    Technique(
        "a blob that is a number",
        lambda: named(number(7, 7)),
        "byte 26: blob 0 of layer 0 ('a') is of wire type 0, and should be of 2",
    ),
    Technique(
        "a type that is a number",
        lambda: raw(block(1, "a"), number(2, 14)),
        "byte 12: the type of layer 0 ('a') is of wire type 0, and should be of 2",
    ),
    Technique(
        "settings that are a number",
        lambda: named(number(117, 1)),
        "byte 26: field 117 of layer 0 ('a') is of wire type 0, and should be of 2",
    ),
    Technique(
        "a name twice",
        lambda: named(block(1, "b"), block(7, blob(ONE))),
        "byte 26: layer 0 ('a') says field 1 twice",
    ),
    Technique(
        "a name that is no text",
        lambda: raw(block(1, b"\xff\xfe"), block(2, "InnerProduct")),
        "byte 9: the name of layer 0 is not UTF-8: b'\\xff\\xfe'",
    ),
    Technique(
        "a name without an end",
        lambda: network([Layer("a" * 5000, "InnerProduct", [ONE])]),
        "byte 10: the name of layer 0 takes 5000 bytes; more than 1024 are not read (limit name_bytes)",
    ),
    Technique(
        "no name",
        lambda: network([Layer("", "InnerProduct", [ONE])]),
        "array '/kernel': a part of its name is empty",
    ),
    Technique(
        "a name that leads elsewhere",
        lambda: network([Layer("../../x", "Scale", [ONE[0]])]),
        "array '../../x/gamma': a part of its name is a step to another folder, not a name",
    ),
    Technique(
        "a name that steers the terminal",
        lambda: network([Layer("\x1b[2J", "Scale", [ONE[0]])]),
        "array '\\x1b[2J/gamma': a part of its name holds control characters",
    ),
    Technique(
        "two layers of one name",
        lambda: network([GOOD, KERNEL, GOOD]),
        "two layers with weights are called 'a'",
    ),
    Technique(
        "layers of both forms",
        lambda: network([GOOD]) + block(LAYERS, layer(GOOD, first=True)),
        "byte 69: the network has layers of both forms, of which Caffe reads one",
    ),
    Technique(
        "a layer of the oldest form",
        lambda: block(LAYERS, block(1, block(1, "a"))),
        "byte 2: layer 0 is of the form before V1; Caffe's upgrade_net_proto_binary brings it up to date",
    ),
    Technique(
        "no weights", lambda: network([Layer("r", "ReLU")]), "a network of Caffe's without any weights in it"
    ),
    Technique("a factor that is no number", lambda: norm(np.nan), "byte 72: the factor of layer 'bn' is nan"),
    Technique("a factor without an end", lambda: norm(np.inf), "byte 72: the factor of layer 'bn' is inf"),
    Technique(
        "fields without an end",
        lambda: named(number(11, 1) * 1000),
        "byte 1003: what is no value of an array takes 1000 bytes; more than 999 are not read "
        "(limit metadata_bytes)",
        Limits(metadata_bytes=999),
    ),
    Technique(
        "layers without an end",
        lambda: network([KERNEL] * 9),
        "byte 262: more than 4 layers (limit objects)",
        Limits(objects=4),
    ),
    Technique(
        "more bytes than are read",
        lambda: network([GOOD]),
        "its arrays take 24 bytes; more than 23 are not read (limit declared_bytes)",
        Limits(declared_bytes=23),
    ),
]

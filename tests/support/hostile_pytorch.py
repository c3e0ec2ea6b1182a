"""PyTorch's files that try to run something, to read beyond what they hold, or to take all memory."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from converters.limits import Limits
from tests.support.pytorch_files import (
    MAGIC,
    ORDERED,
    REBUILD,
    SYSTEM,
    Pickled,
    add,
    call,
    dict_of,
    legacy_bytes,
    name,
    number,
    persistent,
    pickle,
    rebuilt,
    tar_bytes,
    tensor,
    text,
    tuple_of,
    zip_bytes,
)


@dataclass(frozen=True)
class Technique:
    """A file, given the path of a canary."""

    name: str
    build: Callable[[str], bytes]
    limits: Limits = field(default_factory=Limits)

    @property
    def message(self):
        """The message that refuses it, without the file's own name."""
        return MESSAGES[self.name]


ARRAY = np.arange(6, dtype="f4").reshape(2, 3)
ONE = {"fc.weight": tensor(ARRAY)}
HELD = Pickled(ONE)
LEGACY = Pickled(ONE, more=(b"N",))
STORAGES = HELD.storages
FLOATS = persistent("Float", "0", 6)


def zipped(body, **how):
    """Return a zip archive with a pickle."""
    return zip_bytes(body, STORAGES, **how)


def legacy(body, **how):
    """Return the second form with a pickle."""
    return legacy_bytes(body, LEGACY.storages, **how)


def running(canary):
    """Return the operations that would run a command, and leave a file behind."""
    return call(name("posix", "system"), text(f"touch {canary}"))


def held(*values):
    """Return a state dict with these tensors."""
    return dict_of([(f"fc.{at}", value) for at, value in enumerate(values)])


def one(storage=FLOATS, offset=0, sizes=(2, 3), strides=(3, 1), function=REBUILD):
    """Return a zip archive with a state dict of one tensor, told in some way."""
    return zipped(held(rebuilt(storage, offset, sizes, strides, function)))


def changed(data, old, new):
    """Return bytes with one that is in them once replaced."""
    assert data.count(old) == 1, data.count(old)
    return data.replace(old, new)


def linked(called, kind, target):
    """Return a tar archive with a link in it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        add(archive, "sys_info", pickle(SYSTEM))
        add(archive, called, b"", kind, target)
    return stream.getvalue()


def renamed_by_pax():
    """Return a tar archive in which a header beside the header names another file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("sys_info")
        info.pax_headers = {"path": "/etc/passwd"}
        archive.addfile(info, io.BytesIO(b""))
    return stream.getvalue()


def torn(member, data):
    """Return a tar archive with other bytes in the place of a member."""
    return tar_bytes(ONE, members={member: data})


def tensors_told(*numbers_of):
    """Return the member of a tar archive that tells one tensor."""
    told = tuple_of(number(500), number(100), name("torch", "FloatTensor"))
    return pickle(number(1)) + pickle(told) + b"".join(numbers_of)


def viewed(*numbers_of):
    """Return the second form with a storage that is a stretch of another."""
    storage = persistent("Float", "0", 6, tuple_of(text("1"), *numbers_of))
    return legacy_bytes(held(rebuilt(storage, 0, (1,), (1,))), STORAGES)


def overlapping():
    """Return an archive whose first storage begins, by its own header, where the second does."""
    made = zip_bytes(
        held(rebuilt(FLOATS, 0, (6,), (1,)), rebuilt(persistent("Float", "1", 6), 0, (6,), (1,))),
        {"0": ARRAY.tobytes(), "1": ARRAY.tobytes()},
    )
    at = made.index(b"archive/data/0")
    return made[: at - 4] + struct.pack("<HH", 14, ARRAY.nbytes + 30 + 14) + made[at:]


def memo_bomb():
    """Return pairs of the pair before them: as many texts as two to the power of 99."""
    steps = b"".join(b"h" + bytes([at]) + b"\x86q" + bytes([at + 1]) for at in range(99))
    return text("x") + b"q\0" + steps


TECHNIQUES = [
    Technique(
        "a command in a zip archive",
        lambda canary: zipped(running(canary)),
    ),
    Technique(
        "a command in the second form",
        lambda canary: legacy(running(canary)),
    ),
    Technique(
        "a command in a tar archive",
        lambda canary: tar_bytes(ONE, body=running(canary)),
    ),
    Technique(
        "a command where the machine is told",
        lambda canary: legacy(b"N", system=running(canary)),
    ),
    Technique(
        "a command in a list of keys",
        lambda canary: legacy_bytes(LEGACY.body, {})[: -len(pickle(b"](e"))] + pickle(running(canary)),
    ),
    Technique(
        "a command among storages",
        lambda canary: torn("storages", pickle(running(canary))),
    ),
    Technique(
        "a command among tensors",
        lambda canary: torn("tensors", pickle(running(canary))),
    ),
    Technique(
        "a command by INST", lambda canary: zipped(b"(" + text(f"touch {canary}") + b"iposix\nsystem\n")
    ),
    Technique(
        "a command by OBJ", lambda canary: zipped(b"(" + name("posix", "system") + text(canary) + b"o")
    ),
    Technique(
        "a command by NEWOBJ",
        lambda canary: zipped(ORDERED + tuple_of(text(canary)) + b"\x81"),
    ),
    Technique("a command by STACK_GLOBAL", lambda canary: zipped(text("posix") + text("system") + b"\x93")),
    Technique(
        "a command by EXT1",
        lambda canary: zipped(b"\x82\x01"),
    ),
    Technique(
        "a name that leads to eval",
        lambda canary: zipped(name("builtins", "eval")),
    ),
    Technique(
        "a name within a name",
        lambda canary: zipped(name("torch", "Size.__init__")),
    ),
    Technique(
        "a name that looks like one",
        lambda canary: zipped(name("torch.serialization", "load")),
    ),
    Technique(
        "a name without an end",
        lambda canary: zipped(b"c" + b"a" * 5000),
    ),
    Technique(
        "a name that is no ASCII",
        lambda canary: zipped(b"c\xff\ntouch\n"),
    ),
    Technique(
        "a call of a text",
        lambda canary: zipped(call(text("system"), text(canary))),
    ),
    Technique("a call of a class of storages", lambda canary: zipped(call(name("torch", "FloatStorage")))),
    Technique(
        "a call of what a call gave",
        lambda canary: zipped(call(ORDERED, text(canary))),
    ),
    Technique(
        "a call without a tuple",
        lambda canary: zipped(name("torch", "Size") + b"]R"),
    ),
    Technique(
        "a state for a list",
        lambda canary: zipped(b"]}b"),
    ),
    Technique(
        "a state that is a text",
        lambda canary: zipped(b"}" + text(canary) + b"b"),
    ),
    Technique(
        "an entry of a tensor",
        lambda canary: zipped(rebuilt(FLOATS, 0, (6,), (1,)) + text("a") + text("b") + b"s"),
    ),
    Technique(
        "an entry of a list",
        lambda canary: zipped(b"]" + text("a") + text("b") + b"s"),
    ),
    Technique(
        "a value for a dict",
        lambda canary: zipped(b"}" + text("a") + b"a"),
    ),
    Technique(
        "a key that is a tuple",
        lambda canary: zipped(b"}" + tuple_of() + b"Ns"),
    ),
    Technique(
        "a key without a value",
        lambda canary: zipped(b"}(" + text("a") + b"u"),
    ),
    Technique(
        "a memo bomb",
        lambda canary: zipped(memo_bomb()),
    ),
    Technique(
        "a memo bomb in the second form",
        lambda canary: legacy(memo_bomb()),
    ),
    Technique(
        "a memo bomb as a key",
        lambda canary: zipped(b"}" + memo_bomb() + b"Ns"),
    ),
    Technique(
        "a memo bomb for a protocol",
        lambda canary: MAGIC + pickle(memo_bomb()),
    ),
    Technique(
        "a memo bomb among the keys",
        lambda canary: (
            MAGIC + b"".join(map(pickle, (number(1001), SYSTEM, LEGACY.body, b"](" + memo_bomb() + b"e")))
        ),
    ),
    Technique(
        "a memo bomb for a number of storages",
        lambda canary: torn("storages", pickle(memo_bomb())),
    ),
    Technique(
        "a memo bomb for a type",
        lambda canary: torn(
            "storages", pickle(number(1)) + pickle(tuple_of(number(100), text("cpu"), memo_bomb()))
        ),
    ),
    Technique(
        "a memo bomb for a tensor",
        lambda canary: tar_bytes(ONE, body=dict_of([("fc.weight", memo_bomb() + b"Q")])),
    ),
    Technique(
        "values kept without an end",
        lambda canary: zipped(b"N" + b"".join(b"q" + bytes([at]) for at in range(99))),
        Limits(objects=20),
    ),
    Technique(
        "a value that was never kept",
        lambda canary: zipped(b"h\x07"),
    ),
    Technique(
        "nothing to take",
        lambda canary: zipped(b"\x85"),
    ),
    Technique(
        "nothing above a mark",
        lambda canary: zipped(b"N(b"),
    ),
    Technique(
        "no mark",
        lambda canary: zipped(b"Nt"),
    ),
    Technique(
        "two values at the end",
        lambda canary: zipped(b"NN"),
    ),
    Technique(
        "a text of gigabytes",
        lambda canary: zipped(b"X" + struct.pack("<I", 1 << 31)),
    ),
    Technique("a text longer than its pickle", lambda canary: zipped(b"X" + struct.pack("<I", 999) + b"abc")),
    Technique(
        "a text that is not UTF-8",
        lambda canary: zipped(text(b"\xff\xfe")),
    ),
    Technique(
        "a pickle without an end",
        lambda canary: zipped(b"N" * 900),
        Limits(metadata_bytes=800),
    ),
    Technique(
        "a later protocol",
        lambda canary: zipped(b"\x80\x04N"),
    ),
    Technique(
        "an operation that is none",
        lambda canary: zipped(b"\xff"),
    ),
    Technique(
        "a tensor of terabytes",
        lambda canary: one(sizes=(1 << 20, 1 << 22), strides=(0, 0)),
    ),
    Technique(
        "a tensor beyond its storage",
        lambda canary: one(sizes=(2, 4), strides=(4, 1)),
    ),
    Technique(
        "strides beyond its storage",
        lambda canary: one(strides=(1 << 40, 1)),
    ),
    Technique(
        "an offset beyond its storage",
        lambda canary: one(offset=1),
    ),
    Technique(
        "an offset below nothing",
        lambda canary: one(offset=-1),
    ),
    Technique(
        "strides below nothing",
        lambda canary: one(strides=(-3, 1)),
    ),
    Technique(
        "fewer strides than sizes",
        lambda canary: one(strides=(1,)),
    ),
    Technique(
        "sizes beyond all",
        lambda canary: one(sizes=(1 << 63, 1)),
    ),
    Technique(
        "more axes than NumPy has",
        lambda canary: one(sizes=(1,) * 40, strides=(1,) * 40),
    ),
    Technique(
        "a truth value for a size",
        lambda canary: zipped(held(call(REBUILD, FLOATS, number(0), b"\x88\x85", b"K\1\x85"))),
    ),
    Technique(
        "a storage that is a text",
        lambda canary: one(text("abc")),
    ),
    Technique(
        "a storage told by three",
        lambda canary: one(tuple_of(text("storage"), number(1), text("a")) + b"Q"),
    ),
    Technique(
        "a storage of another's type",
        lambda canary: one(
            tuple_of(text("storage"), name("torch", "Size"), text("0"), text("cpu"), number(6)) + b"Q"
        ),
    ),
    Technique(
        "a storage in two types",
        lambda canary: zipped(
            held(rebuilt(FLOATS, 0, (6,), (1,)), rebuilt(persistent("Int", "0", 6), 0, (6,), (1,)))
        ),
    ),
    Technique(
        "a storage of terabytes",
        lambda canary: one(persistent("Float", "0", 1 << 40)),
    ),
    Technique(
        "a storage shorter than told",
        lambda canary: one(persistent("Double", "0", 6)),
    ),
    Technique("a storage that is not there", lambda canary: one(persistent("Float", "../../etc/passwd", 6))),
    Technique(
        "a compressed storage",
        lambda canary: zipped(HELD.body, method=zipfile.ZIP_DEFLATED),
    ),
    Technique(
        "storages in each other",
        lambda canary: overlapping(),
    ),
    Technique(
        "a member that leads elsewhere",
        lambda canary: zipped(
            HELD.body,
            members=[
                (
                    "archive/../../x",
                    b"",
                )
            ],
        ),
    ),
    Technique(
        "a member of another folder",
        lambda canary: zipped(
            HELD.body,
            members=[("other/x", b"")],
        ),
    ),
    Technique(
        "code beside the pickle",
        lambda canary: zipped(
            HELD.body,
            members=[
                (
                    "archive/constants.pkl",
                    b"",
                )
            ],
        ),
    ),
    Technique(
        "bytes in another order",
        lambda canary: zipped(HELD.body, order=b"big"),
    ),
    Technique("no state dict", lambda canary: zipped(dict_of([("epoch", number(3)), ("args", text("x"))]))),
    Technique(
        "a number for a state dict",
        lambda canary: zipped(number(7)),
    ),
    Technique(
        "a name that is a number",
        lambda canary: zipped(b"}" + number(1) + rebuilt(FLOATS, 0, (6,), (1,)) + b"s"),
    ),
    Technique(
        "a name that steers the terminal",
        lambda canary: zipped(dict_of([("\x1b[2J.weight", rebuilt(FLOATS, 0, (6,), (1,)))])),
    ),
    Technique(
        "tensors without an end",
        lambda canary: zipped(held(*[rebuilt(FLOATS, 0, (6,), (1,))] * 9)),
        Limits(objects=8),
    ),
    Technique(
        "a later protocol of the second form",
        lambda canary: legacy(LEGACY.body, protocol=1002),
    ),
    Technique(
        "a machine of another order",
        lambda canary: legacy(LEGACY.body, system=dict_of([("little_endian", b"\x89")], b"}")),
    ),
    Technique(
        "keys of no storage",
        lambda canary: legacy_bytes(LEGACY.body, {"7": STORAGES["0"]}),
    ),
    Technique(
        "a length other than told",
        lambda canary: legacy(LEGACY.body, lengths={"0": 1 << 40}),
    ),
    Technique(
        "a file cut short",
        lambda canary: legacy(LEGACY.body)[:-5],
    ),
    Technique(
        "bytes behind the last storage",
        lambda canary: legacy(LEGACY.body) + b"more",
    ),
    Technique(
        "a view beyond its storage",
        lambda canary: viewed(number(1), number(6)),
    ),
    Technique(
        "a view that is a text",
        lambda canary: viewed(text("a"), number(6)),
    ),
    Technique(
        "a file that ends after its first number",
        lambda canary: MAGIC,
    ),
    Technique(
        "a link in a tar archive",
        lambda canary: linked("storages", tarfile.LNKTYPE, canary),
    ),
    Technique("a symbolic link in a tar archive", lambda canary: linked("storages", tarfile.SYMTYPE, canary)),
    Technique(
        "a device in a tar archive",
        lambda canary: linked("storages", tarfile.CHRTYPE, canary),
    ),
    Technique(
        "a folder in a tar archive",
        lambda canary: linked("storages", tarfile.DIRTYPE, canary),
    ),
    Technique(
        "a member that leads out of a tar archive",
        lambda canary: torn("../canary", b"x"),
    ),
    Technique(
        "a name beside the header",
        lambda canary: renamed_by_pax(),
    ),
    Technique(
        "a header of another sum", lambda canary: changed(tar_bytes(ONE), b"storages\0", b"storagez\0")
    ),
    Technique(
        "a tar archive without tensors",
        lambda canary: linked("pickle", tarfile.REGTYPE, ""),
    ),
    Technique(
        "storages of terabytes",
        lambda canary: torn(
            "storages",
            pickle(number(1))
            + pickle(tuple_of(number(100), text("cpu"), name("torch", "FloatStorage")))
            + struct.pack("<q", 1 << 40),
        ),
    ),
    Technique(
        "storages without an end",
        lambda canary: torn("storages", pickle(number(1 << 60))),
    ),
    Technique(
        "a tensor of a storage that is not there",
        lambda canary: torn(
            "tensors",
            pickle(number(1)) + pickle(tuple_of(number(500), number(7), name("torch", "FloatTensor"))),
        ),
    ),
    Technique(
        "a tensor of too many axes",
        lambda canary: torn("tensors", tensors_told(struct.pack("<2i", 1 << 30, 0))),
    ),
    Technique(
        "a tensor of a size below nothing",
        lambda canary: torn("tensors", tensors_told(struct.pack("<2i3q", 1, 0, -6, 1, 0))),
    ),
    Technique(
        "a tensor that the pickle makes up",
        lambda canary: tar_bytes(ONE, body=dict_of([("a", text("500") + b"Q"), ("b", text("501") + b"Q")])),
    ),
]

MESSAGES = {
    "a command in a zip archive": (
        "archive/data.pkl: byte 2: the name 'posix.system' is in no state dict; nothing was "
        "imported or run; save what state_dict() gives, alone"
    ),
    "a command in the second form": (
        "its pickles: byte 76: the name 'posix.system' is in no state dict; nothing was "
        "imported or run; save what state_dict() gives, alone"
    ),
    "a command in a tar archive": (
        "pickle: byte 3586: the name 'posix.system' is in no state dict; nothing was "
        "imported or run; save what state_dict() gives, alone"
    ),
    "a command where the machine is told": (
        "its pickles: byte 25: the name 'posix.system' is in no state dict; nothing was "
        "imported or run; save what state_dict() gives, alone"
    ),
    "a command in a list of keys": (
        "its pickles: byte 254: the name 'posix.system' is in no state dict; nothing was "
        "imported or run; save what state_dict() gives, alone"
    ),
    "a command among storages": (
        "storages: byte 5634: the name 'posix.system' is in no state dict; nothing was "
        "imported or run; save what state_dict() gives, alone"
    ),
    "a command among tensors": (
        "tensors: byte 7682: the name 'posix.system' is in no state dict; nothing was "
        "imported or run; save what state_dict() gives, alone"
    ),
    "a command by INST": ("archive/data.pkl: byte 20: operation INST is in no state dict; nothing was run"),
    "a command by OBJ": (
        "archive/data.pkl: byte 3: the name 'posix.system' is in no state dict; nothing was "
        "imported or run; save what state_dict() gives, alone"
    ),
    "a command by NEWOBJ": (
        "archive/data.pkl: byte 43: operation NEWOBJ is in no state dict; nothing was run"
    ),
    "a command by STACK_GLOBAL": (
        "archive/data.pkl: byte 23: operation STACK_GLOBAL is in no state dict; nothing was run"
    ),
    "a command by EXT1": "archive/data.pkl: byte 2: operation EXT1 is in no state dict; nothing was run",
    "a name that leads to eval": (
        "archive/data.pkl: byte 2: the name 'builtins.eval' is in no state dict; nothing was "
        "imported or run; save what state_dict() gives, alone"
    ),
    "a name within a name": (
        "archive/data.pkl: byte 2: the name 'torch.Size.__init__' is in no state dict; "
        "nothing was imported or run; save what state_dict() gives, alone"
    ),
    "a name that looks like one": (
        "archive/data.pkl: byte 2: the name 'torch.serialization.load' is in no state dict; "
        "nothing was imported or run; save what state_dict() gives, alone"
    ),
    "a name without an end": ("archive/data.pkl: byte 2: a name of more than 1024 bytes (limit name_bytes)"),
    "a name that is no ASCII": "archive/data.pkl: byte 2: a name that is not ASCII: b'\\xff'",
    "a call of a text": "archive/data.pkl: byte 26: a call of the text 'system'; nothing was run",
    "a call of a class of storages": (
        "archive/data.pkl: byte 24: a call of the name torch.FloatStorage; nothing was run"
    ),
    "a call of what a call gave": "archive/data.pkl: byte 43: a call of a dict; nothing was run",
    "a call without a tuple": ("archive/data.pkl: byte 15: a call of the name torch.Size; nothing was run"),
    "a state for a list": "archive/data.pkl: byte 4: a state goes to a list",
    "a state that is a text": (
        "archive/data.pkl: byte 14: a state that is the text 'CANARY'; that of a dict is a dict"
    ),
    "an entry of a tensor": "archive/data.pkl: byte 140: an entry goes to a tensor",
    "an entry of a list": "archive/data.pkl: byte 15: an entry goes to a list",
    "a value for a dict": "archive/data.pkl: byte 9: a value goes to a dict",
    "a key that is a tuple": (
        "archive/data.pkl: byte 6: a tuple is the key of an entry; those of state dicts are texts"
    ),
    "a key without a value": "archive/data.pkl: byte 10: a key without a value",
    "a memo bomb": "it holds a tuple, and no state dict of tensors by name",
    "a memo bomb in the second form": ("its pickles: the keys of its storages are not those of its pickle"),
    "a memo bomb as a key": (
        "archive/data.pkl: byte 507: a tuple is the key of an entry; those of state dicts are texts"
    ),
    "a memo bomb for a protocol": "its pickles: its protocol is a tuple, not 1001",
    "a memo bomb among the keys": "its pickles: the keys of its storages are not those of its pickle",
    "a memo bomb for a number of storages": (
        "storages: how many of them it holds is a tuple (limit objects)"
    ),
    "a memo bomb for a type": "storages: the type of a storage is a tuple, which holds no values",
    "a memo bomb for a tensor": "pickle: a tuple names none of its tensors",
    "values kept without an end": (
        "archive/data.pkl: byte 163: more than 80 values are kept (limit objects)"
    ),
    "a value that was never kept": ("archive/data.pkl: byte 2: value 7 is wanted again, and was never kept"),
    "nothing to take": "archive/data.pkl: byte 2: a value is wanted, and none is there",
    "nothing above a mark": "archive/data.pkl: byte 4: a value is wanted, and none is there",
    "no mark": "archive/data.pkl: byte 3: a mark is wanted, and none is there",
    "two values at the end": "archive/data.pkl: byte 4: the pickle ends with 2 values, not with one",
    "a text of gigabytes": (
        "archive/data.pkl: byte 2: a text of 2147483648 bytes; more than 1048576 are in no state dict"
    ),
    "a text longer than its pickle": (
        "archive/data.pkl: byte 2: the pickle is cut short: 999 bytes are wanted, 4 are left"
    ),
    "a text that is not UTF-8": "archive/data.pkl: byte 2: a text that is not UTF-8: b'\\xff\\xfe'",
    "a pickle without an end": (
        "archive/data.pkl: byte 800: the pickle takes 801 bytes; more than 800 are not read "
        "(limit metadata_bytes)"
    ),
    "a later protocol": (
        "archive/data.pkl: byte 2: a pickle of protocol 4; PyTorch writes 2 unless told "
        "otherwise: save it again without pickle_protocol"
    ),
    "an operation that is none": (
        "archive/data.pkl: byte 2: 0xff, which is no operation, is in no state dict; nothing was run"
    ),
    "a tensor of terabytes": (
        "tensor 'fc.0' is made of a storage of 24 bytes and takes 17592186044416 bytes; more "
        "than 24768 are not read (limit ratio)"
    ),
    "a tensor beyond its storage": (
        "tensor 'fc.0': (2, 4) in strides of (4, 1) reaches to value 8 of a storage of 6"
    ),
    "strides beyond its storage": (
        "tensor 'fc.0': (2, 3) in strides of (1099511627776, 1) reaches to value "
        "1099511627779 of a storage of 6"
    ),
    "an offset beyond its storage": (
        "tensor 'fc.0': (2, 3) in strides of (3, 1) reaches to value 7 of a storage of 6"
    ),
    "an offset below nothing": (
        "archive/data.pkl: byte 172: torch._utils._rebuild_tensor_v2 is given a persistent, "
        "the number -1, a tuple, a tuple, a bool, a dict"
    ),
    "strides below nothing": (
        "archive/data.pkl: byte 172: torch._utils._rebuild_tensor_v2 is given a persistent, "
        "the number 0, a tuple, a tuple, a bool, a dict"
    ),
    "fewer strides than sizes": (
        "archive/data.pkl: byte 167: torch._utils._rebuild_tensor_v2 is given a persistent, "
        "the number 0, a tuple, a tuple, a bool, a dict"
    ),
    "sizes beyond all": (
        "archive/data.pkl: byte 178: torch._utils._rebuild_tensor_v2 is given a persistent, "
        "the number 0, a tuple, a tuple, a bool, a dict"
    ),
    "more axes than NumPy has": "tensor 'fc.0' has 40 axes; more than 32 are not read",
    "a truth value for a size": (
        "archive/data.pkl: byte 133: torch._utils._rebuild_tensor_v2 is given a persistent, "
        "the number 0, a tuple, a tuple"
    ),
    "a storage that is a text": (
        "archive/data.pkl: byte 126: torch._utils._rebuild_tensor_v2 is given the text "
        "'abc', the number 0, a tuple, a tuple, a bool, a dict"
    ),
    "a storage told by three": "what its pickle leaves to its reader is no storage",
    "a storage of another's type": "the type of a storage is the name torch.Size, which holds no values",
    "a storage in two types": "storage '0' is told in two ways",
    "a storage of terabytes": (
        "storage 'archive/data/0' takes 4398046511104 bytes by its type and length, and holds 24"
    ),
    "a storage shorter than told": (
        "storage 'archive/data/0' takes 48 bytes by its type and length, and holds 24"
    ),
    "a storage that is not there": "storage 'archive/data/../../etc/passwd' is not in the archive",
    "a compressed storage": (
        "storage 'archive/data/0' is compressed, as PyTorch never writes it; unpack the archive and store it"
    ),
    "storages in each other": "member 'archive/data/0' shares bytes with another member",
    "a member that leads elsewhere": (
        "member 'archive/../../x' has a name, a part of which is a step to another folder, not a name"
    ),
    "a member of another folder": (
        "a zip archive without one folder that holds data.pkl, so none of PyTorch's"
    ),
    "code beside the pickle": ("a TorchScript archive: it holds code; save what state_dict() gives instead"),
    "bytes in another order": "its byte order is b'big', not little",
    "no state dict": "it holds a dict of 'epoch', 'args', and no state dict of tensors by name",
    "a number for a state dict": "it holds the number 7, and no state dict of tensors by name",
    "a name that is a number": "a tensor has the name '1', no text",
    "a name that steers the terminal": (
        "array '\\x1b[2J.weight': a part of its name holds control characters"
    ),
    "tensors without an end": "more than 8 tensors (limit objects)",
    "a later protocol of the second form": "its pickles: its protocol is the number 1002, not 1001",
    "a machine of another order": (
        "its pickles: it was not written on a machine whose numbers begin with their least byte"
    ),
    "keys of no storage": "its pickles: the keys of its storages are not those of its pickle",
    "a length other than told": (
        "its pickles: storage '0' has 6 values by the pickle, and holds 1099511627776"
    ),
    "a file cut short": "its pickles: storage '0' takes 24 bytes, and 19 are left",
    "bytes behind the last storage": "its pickles: 4 bytes are left behind the last of what it holds",
    "a view beyond its storage": "its pickles: a view of storage '0' reaches to value 7 of 6",
    "a view that is a text": "its pickles: a view of storage '0' is not told as one",
    "a file that ends after its first number": (
        "its pickles: byte 15: the pickle is cut short: 1 bytes are wanted, 0 are left"
    ),
    "a link in a tar archive": "member 'storages' is a link, not a file",
    "a symbolic link in a tar archive": "member 'storages' is a symbolic link, not a file",
    "a device in a tar archive": "member 'storages' is a device, not a file",
    "a folder in a tar archive": "member 'storages/' is a folder, not a file",
    "a member that leads out of a tar archive": "member '../canary' is none of PyTorch's",
    "a name beside the header": "member '././@PaxHeader' says 'path' of the next",
    "a header of another sum": "byte 5120: a member's header has not the sum that it says",
    "a tar archive without tensors": "a tar archive without 'storages', so none of PyTorch's",
    "storages of terabytes": "storages: storage '100' takes 4398046511104 bytes, and 0 are left",
    "storages without an end": (
        "storages: how many of them it holds is the number 1152921504606846976 (limit objects)"
    ),
    "a tensor of a storage that is not there": "tensors: tensor 500 lies in a storage that is not there",
    "a tensor of too many axes": "tensors: tensor 500 has 1073741824 axes",
    "a tensor of a size below nothing": "tensors: tensor 500 has a size, a stride or an offset of -6",
    "a tensor that the pickle makes up": "pickle: the text '501' names none of its tensors",
}

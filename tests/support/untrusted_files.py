"""Files that try something: each function writes one, the table says by which words it is refused."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from converters.hdf5.heaps import lookup3
from converters.limits import Limits
from tests.support.weight_files import counted


@dataclass(frozen=True, kw_only=True)
class Technique:
    """One way to do harm: ``build(path, canary)`` writes the file; ``canary`` must stay untouched."""

    name: str
    build: Callable[[Path, Path], None]
    message: str
    suffix: str = ".h5"
    limits: Limits = field(default_factory=Limits)


TECHNIQUES: list[Technique] = []


def technique(name, message, suffix=".h5", **limits):
    """Enter a function into the table."""

    def enter(build):
        caps = Limits(**limits)
        TECHNIQUES.append(Technique(name=name, build=build, message=message, suffix=suffix, limits=caps))
        return build

    return enter


def patch(path, old, new, count=1):
    """Replace bytes that are in a file exactly so many times by as many others."""
    content = path.read_bytes()
    assert len(old) == len(new)
    assert content.count(old) == count, content.count(old)
    path.write_bytes(content.replace(old, new))


def resealed(path, signature, old, new):
    """Change a header of the new kind and put its checksum right."""
    content = path.read_bytes()
    at = content.index(old)
    begin = content.rindex(signature, 0, at)
    end = next(
        end
        for end in range(at, len(content))
        if lookup3(content[begin:end]).to_bytes(4, "little") == content[end : end + 4]
    )
    body = content[begin:end].replace(old, new)
    path.write_bytes(content[:begin] + body + lookup3(body).to_bytes(4, "little") + content[end + 4 :])


# Links


@technique("soft link", "'layer/w' is a soft link; only what is stored in the file itself is read")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file["real"] = np.ones(3)
        file["layer/w"] = h5py.SoftLink("/real")


@technique("external link", "'w' is an external link; only what is stored in the file itself is read")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file["w"] = h5py.ExternalLink(str(canary), "/secret")


@technique("user-defined link", "'w' is a user-defined link; only what is stored in the file itself is read")
def _(path, canary):
    with h5py.File(path, "w", libver="latest") as file:
        file["w"] = h5py.ExternalLink(str(canary), "/secret")
    # Flags that say that the kind follows; the kind; the length of the name; the name.
    resealed(path, b"OHDR", b"\x08\x40\x01w", b"\x08\x80\x01w")


@technique(
    "soft link in a large group", "'b/w99' is a soft link; only what is stored in the file itself is read"
)
def _(path, canary):
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(99):
            file[f"b/w{number}"] = np.ones(1)
        file["b/w99"] = h5py.SoftLink("/b/w1")


@technique("cycle of groups", "'one/two/again' is in the file under two names")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.create_group("one/two")
        file["one/two/again"] = file["one"]


@technique("the root within itself", "'again' is in the file under two names")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file["again"] = file["/"]


@technique("one dataset, two names", "'b' is in the file under two names")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file["a"] = np.ones(3)
        file["b"] = file["a"]


@technique("B-tree that leads to itself", "'b' uses the B-tree at {tree}, which is used already")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file["a/w"], file["b/w"] = np.ones(3), np.ones(3)
    content = path.read_bytes()
    trees = [at for at in range(len(content)) if content.startswith(b"TREE", at)]
    # The root's comes first, then a's and b's; b is told to use a's tree.
    patch(path, struct.pack("<Q", trees[2]), struct.pack("<Q", trees[1]), count=2)


@technique("header that goes on in itself", "'w' uses the header at {header}, which is used already")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file["w"] = np.ones(3)
        file["w"].attrs["a"] = np.arange(40)
        file["w"].attrs["b"] = np.arange(40)
    content = path.read_bytes()
    at = content.index(struct.pack("<HHI", 16, 16, 0)) + 8
    (address,) = struct.unpack_from("<Q", content, at)
    path.write_bytes(content[:address] + content[at - 8 : at + 16] + content[address + 24 :])


# Storage


@technique("external storage", "dataset 'w' keeps its values in other files; that is not read")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.create_dataset("w", (3,), "f4", external=[(str(canary), 0, 12)])


@technique("virtual dataset", "dataset 'w' is virtual: it keeps its values in other files; that is not read")
def _(path, canary):
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(canary), "secret", (3,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("w", layout)


@technique("file in several files", "the file is spread over several files; that is not read")
def _(path, canary):
    with h5py.File(f"{path}.%d", "w", driver="family", memb_size=1 << 20) as file:
        file["w"] = np.ones(3)
    Path(f"{path}.0").rename(path)


@technique(
    "filter from a plug-in",
    "dataset 'w' is compressed with filter 32015; only deflate, shuffle, fletcher32, szip, lzf are read",
)
def _(path, canary):
    chunked(path, lambda plist: plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,)))


@technique(
    "filter that no Keras has",
    "dataset 'w' is compressed with filter 6; only deflate, shuffle, fletcher32, szip, lzf are read",
)
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=np.arange(100), scaleoffset=0)


@technique("filter twice", "dataset 'w' has the same filter twice")
def _(path, canary):
    chunked(path, lambda plist: (plist.set_deflate(4), plist.set_deflate(4)))


def chunked(path, pack):
    """Write a packed dataset with a list of filters of one's own."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((100,))
    pack(plist)
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((100,))
        found = h5py.h5d.create(file.id, b"w", h5py.h5t.IEEE_F32LE, space, plist)
        found.write(h5py.h5s.ALL, h5py.h5s.ALL, counted(100))


# Sizes


def sized(path, shape, old, new, count, **options):
    """Write a dataset and change a number in its header."""
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=counted(*shape), **options)
    patch(path, struct.pack("<Q", old), struct.pack("<Q", new), count)


@technique("more declared than stored", "dataset 'w' declares 4000000000000 bytes and stores 28004")
def _(path, canary):
    sized(path, (7001,), 7001, 10**12, 2)


@technique("less declared than stored", "dataset 'w' declares 4 bytes and stores 28004")
def _(path, canary):
    sized(path, (7001,), 7001, 1, 2)


@technique(
    "terabytes in chunks",
    "dataset 'w' declares 4000000000000 bytes, more than the file can hold ({most}; limit ratio)",
)
def _(path, canary):
    sized(path, (7001,), 7001, 10**12, 2, chunks=(7000,), compression="gzip", maxshape=(7001,))


@technique(
    "chunks that are not packed",
    "dataset 'w' declares 40000000 bytes, more than the file can hold ({size}; limit ratio)",
)
def _(path, canary):
    sized(path, (7001,), 7001, 10**7, 2, chunks=(7000,), maxshape=(7001,))


@technique(
    "bomb", "dataset 'w' declares 4000000 bytes, more than the file can hold ({ten}; limit ratio)", ratio=10
)
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=np.zeros(10**6, "f4"), chunks=(10**6,), compression="gzip")


@technique(
    "all of it together",
    "dataset 'b' makes more than 6000 bytes of values (limit declared_bytes)",
    declared_bytes=6000,
)
def _(path, canary):
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = counted(1000), counted(1000)


@technique("never written", "dataset 'w' declares 4000000000 bytes and stores none of them")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.create_dataset("w", (10**9,), "f4")


@technique("never written, in chunks", "dataset 'w' declares 4000000000 bytes and stores none of them")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.create_dataset("w", (10**9,), "f4", chunks=(1000,))


@technique(
    "outside of the file",
    "dataset 'w' has its values outside of the file (at 99999999, 28004 bytes, of {size})",
)
def _(path, canary):
    move(path, "w", 99999999)


@technique("the same bytes twice", "datasets 'a' and 'w' share the same bytes of the file")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file["a"] = counted(7001)
        place = file["a"].id.get_offset()
    move(path, "w", place + 8, "a")


def move(path, name, place, mode="w"):
    """Write a dataset and say that its values lie elsewhere."""
    with h5py.File(path, mode) as file:
        file[name] = counted(7001)
        at = file[name].id.get_offset()
    patch(path, struct.pack("<QQ", at, 28004), struct.pack("<QQ", place, 28004))


@technique(
    "chunks too large",
    "dataset 'w' has chunks of 4000 bytes; more than 3999 are not read (limit chunk_bytes)",
    chunk_bytes=3999,
)
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=counted(1000), chunks=(1000,))


@technique("too many objects", "'l/w10' is one object too many; 12 are read (limit objects)", objects=12)
def _(path, canary):
    with h5py.File(path, "w") as file:
        for number in range(20):
            file[f"l/w{number:02}"] = np.ones(1)


@technique("too deep", "'" + "/".join(["g"] * 65) + "' lies more than 64 groups deep (limit depth)")
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.create_group("/".join(["g"] * 100))


@technique(
    "endless metadata",
    "'b' makes more than 3000 bytes of metadata (limit metadata_bytes)",
    metadata_bytes=3000,
)
def _(path, canary):
    with h5py.File(path, "w") as file:
        for name in "abcdef":
            file.create_group(name)


# Types


def typed(path, create):
    """Write a dataset or an attribute of some type."""
    with h5py.File(path, "w") as file:
        create(file)


FOREIGN = {
    "references": h5py.ref_dtype,
    "values of varying length": h5py.vlen_dtype("f4"),
    "compound records": np.dtype([("a", "f4")]),
    "opaque bytes": np.dtype("V8"),
    "arrays within values": np.dtype(("f4", (2,))),
}


for _kind, _dtype in FOREIGN.items():

    @technique(f"dataset of {_kind}", f"dataset 'w' holds {_kind}; only plain numbers are read")
    def _(path, canary, dtype=_dtype):
        typed(path, lambda file: file.create_dataset("w", (3,), dtype))

    @technique(
        f"attribute of {_kind}",
        f"attribute 'a' of the root holds {_kind}; only numbers and text are read as attributes",
    )
    def _(path, canary, dtype=_dtype):
        kind, space = h5py.h5t.py_create(dtype, logical=True), h5py.h5s.create_simple((3,))
        typed(path, lambda file: h5py.h5a.create(file.id, b"a", kind, space))


@technique("dataset of text", "dataset 'w' holds text; only plain numbers are read")
def _(path, canary):
    typed(path, lambda file: file.create_dataset("w", data="text"))


@technique("dataset of an enumeration", "dataset 'w' holds an enumeration; only plain numbers are read")
def _(path, canary):
    kind = h5py.enum_dtype({"FALSE": 0, "TRUE": 1, "BOTH": 2}, basetype="i1")
    typed(path, lambda file: file.create_dataset("w", data=np.array([0, 2], "i1"), dtype=kind))


@technique("type of its own", "'t' is neither a group nor a dataset; nothing else is read")
def _(path, canary):
    typed(path, lambda file: file.__setitem__("t", np.dtype("f4")))


@technique("type that lies elsewhere", "'w' has a part of its header stored elsewhere; that is not read")
def _(path, canary):
    def create(file):
        file["z"] = np.dtype("f4")
        file.create_dataset("w", (3,), dtype=file["z"])[...] = 1

    typed(path, create)


# Attributes and names


@technique(
    "endless text",
    "attribute 'a' of 'g' takes 5000000 bytes; more than 4194304 are not read (limit attribute_bytes)",
)
def _(path, canary):
    typed(path, lambda file: file.create_group("g").attrs.__setitem__("a", "x" * 5_000_000))


@technique(
    "one text, many times",
    "attribute 'a' of the root takes 16004000 bytes; more than 4194304 are not read (limit attribute_bytes)",
)
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.attrs["a"] = ["x" * 4001, *["y" * 16] * 3999]
    content = path.read_bytes()
    at = content.index(struct.pack("<I", 4001))
    begin = content.index(content[at : at + 16] + struct.pack("<I", 16))
    path.write_bytes(content[:begin] + content[begin : begin + 16] * 4000 + content[begin + 64000 :])


@technique(
    "one text, many attributes",
    "attribute 'b{number}' of the root makes more than 1000000 bytes of metadata (limit metadata_bytes)",
    metadata_bytes=1_000_000,
)
def _(path, canary):
    with h5py.File(path, "w") as file:
        file.attrs["a"] = "x" * 100_000
        for number in range(20):
            file.attrs[f"b{number}"] = "y" * 7777
    content = path.read_bytes()
    at = content.index(struct.pack("<I", 100_000))
    whole, number = content[at + 4 : at + 16], 0
    # What points to a text: its length, and where it is.
    while (at := content.find(struct.pack("<I", 7777), at + 1)) >= 0:
        number += 1
        # Each takes less of it than the one before, so that each is a text of its own.
        content = content[:at] + struct.pack("<I", 100_000 - number) + whole + content[at + 16 :]
    path.write_bytes(content)


def header(path, parts):
    """Write a file whose root is a header of the new kind with any messages."""
    body = b"OHDR\2\2" + struct.pack("<I", len(parts)) + parts
    body += lookup3(body).to_bytes(4, "little")
    start = b"\x89HDF\r\n\x1a\n" + bytes([3, 8, 8, 0])
    start += struct.pack("<QQQQ", 0, (1 << 64) - 1, 48 + len(body), 48)
    path.write_bytes(start + lookup3(start).to_bytes(4, "little") + body)


@technique("header of many parts", "the file has more than 65535 parts in its header")
def _(path, canary):
    header(path, b"\1\0\0\0" * 65536)


@technique(
    "long way to many objects",
    "'" + "/".join(["n" * 1000] * 20) + "/w{number}' makes more than 2000000 bytes of metadata "
    "(limit metadata_bytes)",
    metadata_bytes=2_000_000,
)
def _(path, canary):
    with h5py.File(path, "w") as file:
        group = file.create_group("/".join(["n" * 1000] * 20))
        for number in range(200):
            group.create_group(f"w{number}")


@technique("text that is not there", "attribute 'a' of the root points to a string that is not there")
def _(path, canary):
    typed(path, lambda file: file.attrs.__setitem__("a", "x" * 77))
    patch(path, struct.pack("<IQ", 77, 2048), struct.pack("<IQ", 97, 2048))


@technique("too many attributes", "the root has more than 5 attributes (limit attributes)", attributes=5)
def _(path, canary):
    typed(path, lambda file: [file.attrs.__setitem__(f"a{number}", 1) for number in range(6)])


@technique(
    "long name",
    "a link in the root has the name "
    + repr("n" * 60)
    + "..., which is longer than 100 bytes (limit name_bytes)",
    name_bytes=100,
)
def _(path, canary):
    with h5py.File(path, "w", libver="latest") as file:
        file.create_group("n" * 101)


@technique(
    "name that steers the terminal",
    "a link in the root has the name '\\x1b[2J', which holds control characters",
)
def _(path, canary):
    typed(path, lambda file: file.create_group("\x1b[2J"))


@technique(
    "name that reads backwards", "a link in 'g' has the name 'a\\u202eb', which holds control characters"
)
def _(path, canary):
    typed(path, lambda file: file.create_group("g/a\u202eb"))


@technique("step upwards", "a link in 'g' has the name '..', which is a step to another folder, not a name")
def _(path, canary):
    typed(path, lambda file: file.create_group("g/qq"))
    patch(path, b"qq\0", b"..\0")


@technique("name that is not UTF-8", "a link in the root has the name b'caf\\xe9', which is not UTF-8")
def _(path, canary):
    typed(path, lambda file: file.create_group(b"caf\xe9"))


@technique(
    "attribute's name", "an attribute of the root has the name 'a\\x07', which holds control characters"
)
def _(path, canary):
    typed(path, lambda file: file.attrs.__setitem__("a\x07", 1))


# Archives


def archive(path, members, **options):
    """Write a zip archive; a member is bytes, or bytes and how to pack them."""
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, data in members.items():
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = options.get("compression", zipfile.ZIP_STORED)
            file.writestr(info, data)


@technique(
    "archive that leads upwards",
    "member '../canary' has a name, a part of which is a step to another folder, not a name",
    ".keras",
)
def _(path, canary):
    archive(path, {"../canary": b"x"})


@technique(
    "archive with an absolute name", "member '/etc/canary' has a name, a part of which is empty", ".keras"
)
def _(path, canary):
    archive(path, {"/etc/canary": b"x"})


@technique(
    "archive with a name of another system",
    "member 'C:\\\\canary' has a name that leads elsewhere on some systems",
    ".keras",
)
def _(path, canary):
    archive(path, {"C:\\canary": b"x"})


@technique(
    "archive that steers the terminal",
    "member '\\x1b[2J' has a name, a part of which holds control characters",
    ".keras",
)
def _(path, canary):
    archive(path, {"\x1b[2J": b"x"})


@technique("archive with a symbolic link", "member 'model.weights.h5' is a symbolic link", ".keras")
def _(path, canary):
    info = zipfile.ZipInfo("model.weights.h5")
    info.external_attr = 0o120777 << 16
    archive(path, {info: str(canary).encode()})


@technique("archive with a member twice", "member 'config.json' is in the archive twice", ".keras")
def _(path, canary):
    archive(path, {"config.json": b"{}", "config.jsom": b"{}"})
    patch(path, b"config.jsom", b"config.json", count=2)


@technique(
    "archive within the archive", "member 'assets/more.keras' is an archive within the archive", ".keras"
)
def _(path, canary):
    archive(path, {"assets/more.keras": b"PK\x03\x04"})


@technique("archive that is encrypted", "member 'config.json' is encrypted", ".keras")
def _(path, canary):
    archive(path, {"config.json": b"{}"})
    # The list's entry: version made by, version needed, flags.
    patch(path, b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0")


@technique(
    "archive packed otherwise",
    "member 'config.json' is compressed by method 12; only stored (0) and deflate (8) are read",
    ".keras",
)
def _(path, canary):
    archive(path, {"config.json": b"{}"}, compression=zipfile.ZIP_BZIP2)


@technique(
    "archive that is a bomb",
    "member 'model.weights.h5' declares 1000000 bytes and stores {packed}, which is too few (limit ratio)",
    ".keras",
    ratio=50,
)
def _(path, canary):
    archive(path, {"model.weights.h5": bytes(10**6)}, compression=zipfile.ZIP_DEFLATED)


@technique(
    "archive that fills the disk",
    "member 'model.weights.h5' decompresses to 1000000 bytes; more than 999999 are not read"
    " (limit archive_bytes)",
    ".keras",
    archive_bytes=999_999,
)
def _(path, canary):
    archive(path, {"model.weights.h5": bytes(10**6)}, compression=zipfile.ZIP_DEFLATED)


@technique(
    "archive with an endless text",
    "member 'config.json' takes 1001 bytes; more than 1000 are not read (limit header_bytes)",
    ".keras",
    header_bytes=1000,
)
def _(path, canary):
    archive(path, {"config.json": b" " * 1001, "model.weights.h5": b""})


@technique(
    "archive with too many members",
    "its list of members takes {list} bytes (limit objects)",
    ".keras",
    objects=2,
)
def _(path, canary):
    archive(path, {f"{number:050}": b"" for number in range(3)})


@technique("archive whose members overlap", "member 'two' shares bytes with another member", ".keras")
def _(path, canary):
    archive(path, {"one": b"x" * 100, "two": b"y"})
    content = path.read_bytes()
    second = content.index(b"PK\x03\x04", 4)
    at = content.rindex(struct.pack("<I", second))
    at = content.rindex(struct.pack("<I", second), 0, len(content) - 22)
    path.write_bytes(content[:at] + struct.pack("<I", 40) + content[at + 4 :])


@technique(
    "archive that is damaged",
    "member 'model.weights.h5' is damaged (Bad CRC-32 for file 'model.weights.h5')",
    ".keras",
)
def _(path, canary):
    archive(path, {"model.weights.h5": b"weights"})
    patch(path, b"h5weights", b"h5weighty")


@technique(
    "archive without weights", "a zip archive without 'model.weights.h5', so not a .keras file", ".keras"
)
def _(path, canary):
    archive(path, {"config.json": b"{}"})


@technique("archive with an archive for weights", "what should be its weights is not an HDF5 file", ".keras")
def _(path, canary):
    archive(path, {"model.weights.h5": b"PK\x03\x04" + bytes(100)})


@technique(
    "link within an archive",
    "'w' is an external link; only what is stored in the file itself is read",
    ".keras",
)
def _(path, canary):
    inner = path.with_suffix(".inner")
    with h5py.File(inner, "w") as file:
        file["w"] = h5py.ExternalLink(str(canary), "/secret")
    archive(path, {"model.weights.h5": inner.read_bytes()}, compression=zipfile.ZIP_DEFLATED)


# safetensors


def tensors(path, header, data=b"", length=None):
    """Write a safetensors file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + data)


def tensor(begin, end, shape=(2,), dtype="F32"):
    """Return one entry of a header."""
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@technique(
    "header longer than the file",
    "not a safetensors file, or cut short (a header of 1000000000000 bytes in a file of 10)",
    ".safetensors",
)
def _(path, canary):
    tensors(path, b"{}", length=10**12)


@technique(
    "header too long",
    "a header of 5000000 bytes; more than 4194304 are not read (limit header_bytes)",
    ".safetensors",
)
def _(path, canary):
    tensors(path, b"{}".ljust(5_000_000))


@technique("header too deep", "the header is JSON nested more than 64 deep (limit depth)", ".safetensors")
def _(path, canary):
    tensors(path, b"[" * 1_000_000)


@technique("header with a key twice", "the header is not JSON ('a' is in it twice)", ".safetensors")
def _(path, canary):
    tensors(path, b'{"a": {}, "a": {}}')


@technique("tensors that overlap", "tensor 'b' shares bytes with another", ".safetensors")
def _(path, canary):
    tensors(path, {"a": tensor(0, 8), "b": tensor(4, 12)}, bytes(12))


@technique("tensors with a gap", "there is a gap before tensor 'b'", ".safetensors")
def _(path, canary):
    tensors(path, {"a": tensor(0, 8), "b": tensor(12, 20)}, bytes(20))


@technique("tensor outside of the file", "tensor 'a' lies outside of the file", ".safetensors")
def _(path, canary):
    tensors(path, {"a": tensor(0, 8)}, bytes(7))


@technique("something behind the tensors", "5 bytes behind the last tensor belong to none", ".safetensors")
def _(path, canary):
    tensors(path, {"a": tensor(0, 8)}, bytes(13))


@technique("tensor of terabytes", "tensor 'a' declares 4000000000000 bytes and stores 8", ".safetensors")
def _(path, canary):
    tensors(path, {"a": tensor(0, 8, (10**12,))}, bytes(8))


@technique(
    "tensor of a negative size", "tensor 'a' has a damaged shape or damaged data_offsets", ".safetensors"
)
def _(path, canary):
    tensors(path, {"a": tensor(0, 8, (-1, -2))}, bytes(8))


@technique(
    "tensor of an unknown type",
    "tensor 'a' is of type 'pickle'; "
    "F64, F32, F16, I64, I32, I16, I8, U64, U32, U16, U8, BF16, BOOL are read",
    ".safetensors",
)
def _(path, canary):
    tensors(path, {"a": tensor(0, 8, dtype="pickle")}, bytes(8))


@technique(
    "tensor that steers the terminal",
    "tensor '\\x1b[2J': a part of its name holds control characters",
    ".safetensors",
)
def _(path, canary):
    tensors(path, {"\x1b[2J": tensor(0, 8)}, bytes(8))


@technique("metadata that is no text", "'__metadata__' does not hold texts", ".safetensors")
def _(path, canary):
    tensors(path, {"__metadata__": {"a": {}}})

"""Files that try to harm their reader: each is refused by its own message, and nothing else is touched."""

from __future__ import annotations

import base64
import codecs
import contextlib
import json
import marshal
import os
import re
import resource
import subprocess
import sys
import tempfile
import zipfile

import h5py
import pytest

from converters import convert_file, inspect_file
from converters.errors import ArgumentError, FileFormatError, ZooError
from converters.formats.archive import open_archive
from converters.formats.opening import open_untrusted
from converters.formats.safetensors_header import TensorInfo, read_header
from converters.hdf5.heaps import Blocks
from converters.hdf5.messages import BrokenRuleError
from converters.limits import Limits, check_name, load_json, printable
from tests.support.untrusted_files import TECHNIQUES, tensor, tensors
from tests.support.weight_files import counted, fill_named, keras1, write_named

# Of 300 MB, in KiB as the system counts: with Python, NumPy and the reader's own modules.
MEMORY = 300_000
_opened: list[str] | None = None
# What zipfile reads names by is imported when it is first needed; later there is no descriptor left for that.
codecs.lookup("cp437")


def _note(event, arguments):
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_note)


@contextlib.contextmanager
def free_descriptors(count):
    """Leave few file descriptors free, so that one more file cannot be opened; yields what is opened."""
    global _opened  # noqa: PLW0603
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208
    filled = [os.open(os.devnull, os.O_RDONLY)]
    while filled[-1] <= highest:
        filled.append(os.open(os.devnull, os.O_RDONLY))
    free = filled.pop()
    os.close(free)
    tempfile.gettempdir()
    _opened = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + count, hard))
    try:
        yield _opened
    finally:
        _opened = None
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in filled:
            os.close(handle)


def read(path, limits):
    """Read a file as far as its metadata goes."""
    if path.suffix == ".safetensors":
        return read_header(path, limits=limits)
    return open_untrusted(path, limits=limits)


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_each_technique_is_refused_by_name(technique, tmp_path):
    """The message names the object and the rule; the canary is not opened, nor any other file."""
    path, canary = tmp_path / f"weights{technique.suffix}", tmp_path / "canary"
    canary.write_bytes(b"a secret")
    technique.build(path, canary)
    before = path.read_bytes()
    # An archive's weights are unpacked into a temporary file, or read through a second handle of the archive.
    with free_descriptors(2 if path.suffix == ".keras" else 1) as opened, pytest.raises(ZooError) as refused:
        read(path, technique.limits)
    assert {name for name in opened if not name.isdecimal()} - {tempfile.gettempdir()} == {str(path)}
    message = re.escape(f"{path}: {technique.message}").replace("\\{", "{").replace("\\}", "}")
    assert re.fullmatch(re.sub(r"\{\w+\}", r"\\d+", message), str(refused.value)), str(refused.value)
    assert str(refused.value).isprintable()
    assert (path.read_bytes(), canary.read_bytes()) == (before, b"a secret")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_an_archive_is_read_as_it_lies_or_unpacked_into_the_nameless(method, tmp_path):
    """Texts and weights of a good archive; nothing is left in its folder."""
    with h5py.File(tmp_path / "inner.h5", "w") as file:
        file["plain"] = counted(3)
        file.create_dataset("packed", data=counted(3), chunks=(3,), compression="gzip")
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", compression=method) as archive:
        archive.writestr("config.json", '{"a": 1}')
        archive.write(tmp_path / "inner.h5", "model.weights.h5")
    (tmp_path / "inner.h5").unlink()
    with open_archive(path) as archive:
        assert archive.names == ("config.json", "model.weights.h5")
        assert (archive.read_text("config.json"), archive.read_text("nothing")) == ('{"a": 1}', None)
    with open_untrusted(path) as source:
        assert source.texts == {"config.json": '{"a": 1}'}
        for name in ("plain", "packed"):
            found = source.root.dataset(name)
            assert source.read(found).tolist() == source.mapped(found).tolist() == [0, 1, 2]
    assert list(tmp_path.glob("*")) == [path]


def test_a_good_safetensors_header_is_read(tmp_path):
    """Offsets count from the start of the file; tensors come in the order of their bytes."""
    path = tmp_path / "weights.safetensors"
    entries = {"b": tensor(8, 16), "a": tensor(0, 8, (2, 1)), "__metadata__": {"format": "np"}}
    tensors(path, entries, bytes(16))
    found = read_header(path)
    start = len(path.read_bytes()) - 16
    assert (found.metadata, list(found.tensors)) == ({"format": "np"}, ["a", "b"])
    assert found.tensors["b"] == TensorInfo(name="b", dtype="F32", shape=(2,), offset=start + 8, nbytes=8)
    assert found.tensors["a"].shape == (2, 1)


def test_the_descriptors_do_run_out(tmp_path):
    """The watch over open files sees a second one, and stops it."""
    (tmp_path / "one").touch()
    with free_descriptors(1) as opened, (tmp_path / "one").open(), pytest.raises(OSError, match="Too many"):
        (tmp_path / "two").open("w")
    assert opened == [str(tmp_path / "one"), str(tmp_path / "two")]


def test_there_are_many_techniques_each_with_a_message_of_its_own():
    """No two rules share their words, but where the same rule is broken in two forms of file."""
    assert len(TECHNIQUES) >= 20
    assert len({technique.name for technique in TECHNIQUES}) == len(TECHNIQUES)
    assert len({technique.message for technique in TECHNIQUES}) >= len(TECHNIQUES) - 3


PROGRAM = """
import json, sys
from pathlib import Path
from converters.errors import FileFormatError
from converters.limits import Limits
from converters.formats.opening import open_untrusted
from converters.hdf5.heaps import Blocks
from converters.hdf5.messages import BrokenRuleError
from converters.formats.safetensors_header import TensorInfo, read_header
from converters.formats.archive import open_archive
refused = 0
for name, limits in json.loads(sys.stdin.read()):
    reader = read_header if name.endswith(".safetensors") else open_untrusted
    try:
        reader(Path(name), limits=Limits(**limits))
    except FileFormatError:
        refused += 1
assert "h5py" not in sys.modules
# Not ru_maxrss: that begins with what the process which started this one held at the time.
status = Path("/proc/self/status").read_text()
print(refused, next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def test_no_technique_takes_more_than_300_megabytes(tmp_path):
    """One process meets all of them, and never runs the HDF5 library."""
    jobs = []
    for number, technique in enumerate(TECHNIQUES):
        path = tmp_path / f"{number}{technique.suffix}"
        technique.build(path, tmp_path / "canary")
        jobs.append((str(path), vars(technique.limits)))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(jobs), capture_output=True, text=True, check=True
    )
    refused, memory = map(int, done.stdout.split())
    assert refused == len(TECHNIQUES)
    assert memory < MEMORY


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("objects", "'objects' is not a limit"),
        ("objects=0", "'objects=0' is not a limit"),
        ("objects=many", "'objects=many' is not a limit"),
        ("seconds=5,stars=3", "'stars=3' is not a limit"),
    ],
)
def test_limits_that_do_not_exist_are_refused(value, message, monkeypatch):
    """A cap that is misspelt must not be taken for one that holds."""
    monkeypatch.setenv("ZOO_LIMITS", value)
    with pytest.raises(ArgumentError) as refused:
        Limits.from_environment()
    known = ", ".join(sorted(vars(Limits())))
    assert str(refused.value) == (f"ZOO_LIMITS: {message}; write name=number, with one of the names {known}")


def test_limits_are_set_for_all_reading(monkeypatch):
    """The environment's caps hold wherever a file is opened."""
    monkeypatch.setenv("ZOO_LIMITS", "objects=3, seconds=5")
    assert Limits.from_environment() == Limits(objects=3, seconds=5)


def test_time_is_limited(tmp_path):
    """A reader that takes too long stops; the clock is the test's own."""
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    times = iter([0, 4.9, 5.1])
    with path.open("rb") as stream:
        blocks = Blocks(stream.fileno(), 0, 100, Limits(seconds=5), lambda: next(times))
        assert blocks.read(0, 10, "header") == bytes(10)
        with pytest.raises(BrokenRuleError, match=r"^takes longer than 5 s to read \(limit seconds\)$"):
            blocks.read(0, 10, "header")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 65 + "]" * 65, "w is JSON nested more than 64 deep (limit depth)"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "w is not JSON ('c' is in it twice)"),
        ("9" * 5000, "w is not JSON ("),
        (
            '"' + "x" * 5_000_000 + '"',
            "w is JSON of 5000002 bytes; more than 4194304 are not read (limit header_bytes)",
        ),
        (b'"\xff"', "w is not JSON ("),
    ],
)
def test_json_is_held_to_the_caps(text, message):
    """Neither depth nor size nor a key twice gets through."""
    with pytest.raises(FileFormatError) as refused:
        load_json(text, "w")
    assert str(refused.value).startswith(message)


def test_brackets_within_strings_do_not_count():
    """Only the nesting of the JSON itself is limited."""
    text = json.dumps({"a\\": "[" * 100 + '"' + "\\", "b": "]"})
    assert load_json(text, "w") == json.loads(text)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "'' is empty"),
        ("a/../b", "'a/../b' is a step to another folder, not a name"),
        ("a\0b", "'a\\x00b' holds control characters"),
        ("a\x1b[0m", "'a\\x1b[0m' holds control characters"),
    ],
)
def test_names_from_elsewhere_are_held_to_the_same_rules(name, fault):
    """A configuration's names can hold what a link's name can."""
    with pytest.raises(FileFormatError) as refused:
        check_name(name, "w: layer")
    assert str(refused.value) == f"w: layer: the name {fault}"
    assert check_name("conv1/7x7_s2", "w: layer") == "conv1/7x7_s2"


def test_what_reaches_a_terminal_is_escaped():
    """Line breaks and tabs stay."""
    assert printable("a\x1b[2J\u202e\x7f\n\tb") == "a\\x1b[2J\\u202e\\x7f\n\tb"


def test_code_in_a_configuration_is_never_run(tmp_path):
    """A Lambda that would write the canary is text, whatever is asked of the file."""
    canary, path = tmp_path / "canary", tmp_path / "model.h5"
    code = marshal.dumps(compile(f"open({str(canary)!r}, 'w').close()", "x", "exec"))
    # What Keras would run, as the layer's function, its arguments or its output's shape.
    function = [base64.b64encode(code).decode(), None, None]
    layers = [
        {"class_name": "Lambda", "config": {"name": "code", "function": function, "function_type": "lambda"}},
        {"class_name": "Dense", "config": {"name": "dense_1", "output_shape": function}},
    ]
    config = json.dumps({"class_name": "Sequential", "config": layers})
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = config.encode()
        file.attrs["keras_version"] = b"2.2.4"
        fill_named(
            file.create_group("model_weights"),
            {"code": {}, "dense_1": {"dense_1/kernel:0": counted(3, 2), "dense_1/bias:0": counted(2)}},
        )
    for work in (
        inspect_file,
        lambda source: convert_file(source, tmp_path / "new.h5", direction="th-to-tf"),
    ):
        with contextlib.suppress(ZooError):
            work(path)
    assert not canary.exists()
    exec(marshal.loads(code), {})
    assert canary.exists()


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("model_config", "attribute 'model_config' is JSON nested more than 64 deep (limit depth)"),
        (
            "zoo_network",
            "the record of an earlier conversion is damaged (zoo_network is JSON nested more than 64 deep "
            "(limit depth))",
        ),
    ],
)
def test_json_within_a_file_is_held_to_the_caps(attribute, message, tmp_path):
    """A configuration, or a record, of brackets alone would exhaust Python's stack."""
    path = tmp_path / "weights.h5"
    forms = {f"zoo_{name}": "th" for name in ("layout", "kernels", "source_layout", "source_kernels")}
    write_named(path, keras1(conv1=(4, 3, 3, 3)), **forms, **{attribute: "[" * 3000})
    with pytest.raises(FileFormatError) as refused:
        inspect_file(path)
    assert str(refused.value) == f"{path}: {message}"

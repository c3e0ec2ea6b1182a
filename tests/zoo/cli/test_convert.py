"""``zoo convert``, ``zoo diff`` and what ``zoo inspect`` says of a conversion, from the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import pytest

from converters import convert_file
from tests.support.paths import ROOT
from tests.support.weight_files import BY_NAMES, keras1, without_record, write_named

KNOWN = {"flatten": {"fc": (6, 3, 4)}}
MAP = "--flatten=fc=6x3x4"
PROOF = "zoo: verified 6 arrays, 827 values: the new file gives the source again, bit for bit"


@pytest.fixture
def source(tmp_path):
    """Return a Keras 1 file in th layout: a convolution, a Flatten, two dense layers."""
    layers = keras1(conv=(6, 3, 3, 5), flatten=None, fc=(72, 7), out=(7, 5))
    return write_named(tmp_path / "old.h5", layers)


def test_convert_says_what_it_proved(zoo, source, tmp_path):
    """On standard error, since a script wants the path alone; in JSON with the rest."""
    code, out, err = zoo("convert", "--th-to-tf", MAP, source)
    assert (code, out) == (0, f"{tmp_path / 'old_tf.h5'}\n")
    assert err.splitlines()[-1] == PROOF
    code, out, err = zoo("convert", "--th-to-tf", MAP, source, "--force", "--no-verify", "--json")
    assert err.splitlines()[-1] == "zoo: not verified"
    assert "zoo_verified" not in json.loads(out)["record"]
    code, out, _ = zoo("convert", "--th-to-tf", MAP, source, "--force", "--verify", "--json")
    assert json.loads(json.loads(out)["record"]["zoo_verified"])["values"] == 827


def test_a_large_file_is_not_verified_and_that_is_said(zoo, source, monkeypatch):
    """So that nobody takes silence for a proof."""
    monkeypatch.setattr("converters.writing.execute.VERIFIED_BELOW", 10)
    _, _, err = zoo("convert", "--th-to-tf", MAP, source)
    assert err.splitlines()[-1] == "zoo: not verified: the file is large; --verify does it all the same"


def test_inspect_shows_the_proof(zoo, source, tmp_path):
    """Who converted it, by which plan, and whether it was verified."""
    zoo("convert", "--th-to-tf", MAP, source)
    _, out, _ = zoo("inspect", tmp_path / "old_tf.h5")
    lines = dict(line.split("  ", 1) for line in out.splitlines() if "  " in line)
    assert lines["converted by"].strip() == "keras-weight-zoo 0.1.0"
    assert lines["verified"].strip() == PROOF.removeprefix("zoo: verified ")
    assert lines["plan"].strip().startswith("sha256:")
    zoo("convert", "--th-to-tf", MAP, source, "--force", "--no-verify")
    assert "\nverified        no\n" in zoo("inspect", tmp_path / "old_tf.h5")[1]


def test_convert_writes_other_dialects(zoo, source, tmp_path):
    """--to needs no direction, and names the new file by what it is."""
    code, out, err = zoo("convert", "--to", "keras2", MAP, source, "--from-layout", "th")
    assert (code, out) == (0, f"{tmp_path / 'old_keras2.h5'}\n")
    assert err.splitlines()[-1] == PROOF


def test_convert_takes_a_folder(zoo, source, tmp_path):
    """Results one by one on standard error, the counts at the end; 1 if one failed."""
    folder, new = tmp_path / "tree", tmp_path / "new"
    folder.mkdir()
    source.rename(folder / "old.h5")
    (folder / "notes.txt").write_text("words")
    code, out, err = zoo("convert", "--th-to-tf", MAP, folder, new, "--jobs", 2)
    assert (code, out) == (0, "1 converted, 0 done before, 1 skipped, 0 failed\n")
    assert err.splitlines() == [
        f"zoo: skipped: {folder / 'notes.txt'}: not a weights file",
        f"zoo: converted: {folder / 'old.h5'}: {PROOF.removeprefix('zoo: ')}",
        f"zoo: {folder / 'old.h5'}: {BY_NAMES}",
    ]
    (folder / "bad.h5").write_text("words")
    code, out, _ = zoo("convert", "--th-to-tf", MAP, folder, new, "--json")
    report = json.loads(out)
    assert (code, report["counts"]) == (1, {"converted": 0, "done before": 1, "skipped": 1, "failed": 1})
    assert report["files"][0] == {
        "source": str(folder / "bad.h5"),
        "status": "failed",
        "target": None,
        "detail": "not an HDF5 file but something that starts with b'words'",
        "bytes": 5,
        "notes": [],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}"], "{folder} is a folder: say where the new files go"),
        (["{folder}", "{folder}/new", "--dry-run"], "--dry-run is for single files"),
        (["{source}", "--jobs", "2"], "--jobs is for folders, and {source} is none"),
        (["{source}", "--cluster", "local:2"], "--cluster is for folders, and {source} is none"),
    ],
)
def test_what_does_not_go_together_is_refused(zoo, source, arguments, message):
    """As wrong usage."""
    names = {"folder": source.parent, "source": source}
    code, out, err = zoo("convert", "--th-to-tf", *(text.format(**names) for text in arguments))
    assert (code, out, err) == (2, "", f"zoo: {message.format(**names)}\n")


def test_diff_tells_by_its_exit_code(zoo, source, tmp_path):
    """0 if the files are equal in one form, 1 if not; the table says where."""
    zoo("convert", "--th-to-tf", MAP, source)
    new = tmp_path / "old_tf.h5"
    code, out, _ = zoo("diff", source, new)
    assert code == 0
    assert out.splitlines()[-1] == "equal: of 3 layers 1 equal, 2 permuted, 0 different"
    with h5py.File(new, "r+") as file:
        file["out/out_W"][0, 0] = 17
    code, out, _ = zoo("diff", source, new)
    assert code == 1
    row = next(line.split() for line in out.splitlines() if line.startswith("out"))
    assert row == ["out", "different", "1", "of", "40", "17", "0.5"]
    code, out, _ = zoo("diff", source, new, "--json")
    assert (code, json.loads(out)["equal"]) == (1, False)


def test_diff_tells_what_it_cannot_compare_from_what_differs(zoo, source, tmp_path):
    """2, whatever the reason: a file that is missing or none, a question that is not answered."""
    text = tmp_path / "text.h5"
    text.write_text("words")
    bare = without_record(convert_file(source, tmp_path / "tf.h5", direction="th-to-tf", **KNOWN).target)
    for files in ((source, tmp_path / "none.h5"), (text, source), (source, tmp_path), (source, bare)):
        code, out, err = zoo("diff", *files)
        assert (code, out) == (2, "")
        assert err.startswith("zoo: ")
    assert zoo("diff", "--arch", "vgg16", source, source)[0] == 2
    assert zoo("diff", "--second-arch", "vgg17", source, source)[0] == 2
    assert zoo("diff", MAP, source, bare)[0] == 1


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([], 1),
        (["--second-from-kernels", "tf"], 0),
        (["--from-kernels", "th", "--second-from-kernels", "tf", "--second-from-layout", "tf"], 0),
        (["--from-kernels", "tf"], 1),
        (["--from-kernels", "tf", "--second-from-kernels", "th"], 0),
        (["--from-layout", "th", "--second-from-layout", "tf", "--second-from-kernels", "tf"], 0),
        (["--from-layout", "th", "--second-from-kernels", "tf"], 2),
    ],
)
def test_diff_takes_what_is_said_of_either_file(zoo, source, tmp_path, said, code):
    """Of both, unless something of its own is said of the second."""
    bare = without_record(convert_file(source, tmp_path / "tf.h5", direction="th-to-tf", **KNOWN).target)
    assert zoo("diff", MAP, *said, source, bare)[0] == code


def test_what_steers_a_terminal_is_shown_not_sent(zoo, tmp_path):
    """A name can hold anything; on standard error it is escaped."""
    code, _, err = zoo("convert", "--th-to-tf", tmp_path / "a\x1b[2Jb.h5")
    assert code == 1
    assert "\x1b" not in err
    assert "\\x1b[2Jb.h5" in err


def test_converting_a_file_imports_nothing_for_the_network(source):
    """Neither requests nor YAML nor rich nor a framework: they cost more than the conversion."""
    code = (
        "import sys; from zoo.cli import main; main(sys.argv[1:]); "
        "heavy = {'requests', 'yaml', 'rich', 'keras', 'tensorflow', 'multiprocessing'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "convert", "--th-to-tf", MAP, str(source)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"

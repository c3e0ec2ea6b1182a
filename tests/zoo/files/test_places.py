"""Files and whole trees between addresses: the same new files, and the same report, as on the disk."""

from __future__ import annotations

import functools
import json
import shutil
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import zoo
from converters.trees import MEANWHILE, convert_tree, upgrade_tree
from converters.writing.journal import NAME
from tests.support.buckets import fill, objects
from tests.support.executors import Twice
from tests.support.paths import DIALECTS
from tests.support.weight_files import keras1, write_named
from zoo.cli import main
from zoo.errors import ArgumentError, CacheError, ConversionError, FileFormatError
from zoo.files.places import place_at
from zoo.storage.destinations import Bucket

TO_TF = {"direction": "th-to-tf"}


pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture
def bucket(request):
    """Return the URL of an empty bucket."""
    return fill(f"s3://places-{abs(hash(request.node.nodeid))}", {})


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return a folder of weights files: two that are well, of odd names, one that is none, and a note."""
    folder = tmp_path_factory.mktemp("tree") / "old"
    (folder / "deep" / "er").mkdir(parents=True)
    write_named(folder / "a.h5", keras1(conv=(6, 3, 3, 5)))
    write_named(folder / "deep" / "er" / "b c.hdf5", keras1(conv=(4, 2, 3, 3), other=(5, 4, 3, 3)))
    write_named(folder / "deep" / "unnamed", keras1(conv=(4, 2, 3, 3)))
    (folder / "bad.h5").write_text("<!DOCTYPE html>")
    (folder / "notes.txt").write_text("words")
    (folder / "empty.txt").touch()
    return folder


def files(folder):
    """Return the content of each file below a folder, by its name there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def uploaded(folder, place):
    """Put a folder's files below a URL."""
    return fill(place, files(folder))


def told(report, old, new):
    """Return a report without where its folders are."""
    return json.loads(json.dumps(report.as_dict()).replace(str(new), "NEW").replace(str(old), "OLD"))


def without_journal(found):
    """Return new files alone."""
    return {name: content for name, content in found.items() if name != NAME}


def counted(monkeypatch):
    """Return a list to which the name of each file is added that is brought from a bucket."""
    names, bring = [], Bucket.bring
    monkeypatch.setattr(
        Bucket, "bring", lambda self, name, local: names.append(name) or bring(self, name, local)
    )
    return names


@pytest.mark.parametrize(
    ("source", "target"), [("s3", "s3"), ("s3", "disk"), ("disk", "s3"), ("disk", "memory")]
)
def test_a_tree_between_addresses_is_that_of_the_disk(  # noqa: PLR0917 - as many as there are fixtures
    source, target, tree, bucket, tmp_path, monkeypatch
):
    """To the byte, with the same report; the next run brings no byte of what is done."""
    here = told(convert_tree(tree, tmp_path / "here", jobs=2, **TO_TF), tree, tmp_path / "here")
    old = uploaded(tree, f"{bucket}/old") if source == "s3" else tree
    new = {"s3": f"{bucket}/new", "memory": "memory://new", "disk": tmp_path / "new"}[target]
    places = place_at(f"{old}/"), place_at(f"{new}/", new=True)
    with pytest.warns(zoo.ConversionWarning, match=rf"^{old}/a\.h5: "):
        there = convert_tree(*places, jobs=2, **TO_TF)
    assert told(there, old, new) == here
    assert here["counts"] == {"converted": 3, "done before": 0, "skipped": 2, "failed": 1}
    read = functools.partial(files, new) if target == "disk" else functools.partial(objects, str(new))
    written = read()
    assert without_journal(written) == files(tmp_path / "here")
    brought = counted(monkeypatch)
    for _ in range(2):
        again = convert_tree(*places, jobs=2, **TO_TF)
        assert again.count("done before") == 3
    assert told(again, old, new) == told(
        convert_tree(tree, tmp_path / "here", jobs=2, **TO_TF), tree, tmp_path / "here"
    )
    assert set(brought) <= {"bad.h5"}
    assert read() == written


def test_a_task_that_an_engine_runs_twice_is_one_of_this_run(tree, bucket):
    """Dask asks again for what a worker had done that died before it told: it was not there before."""
    old, new = place_at(uploaded(tree, f"{bucket}/old")), place_at(f"{bucket}/new", new=True)
    with Twice(2) as executor:
        report = convert_tree(old, new, executor=executor, **TO_TF)
        made = [found.detail for found in report.files if found.status == "converted"]
        assert made == [MEANWHILE] * 3
        assert convert_tree(old, new, executor=executor, **TO_TF).count("done before") == 3


def test_what_is_not_remembered_is_looked_at(tree, bucket, monkeypatch):
    """Both files are brought; the new one's record says what it was made of. A damaged journal is none."""
    old, new = place_at(uploaded(tree, f"{bucket}/old")), place_at(f"{bucket}/new", new=True)
    convert_tree(old, new, jobs=2, **TO_TF)
    before = objects(f"{bucket}/new")
    brought = counted(monkeypatch)
    for journal in (b"no journal", b'{"format": 1, "files": {"a.h5": {}}}', b'{"format": 9}', b"[]"):
        fill(f"{bucket}/new", {NAME: journal})
        assert convert_tree(old, new, jobs=2, **TO_TF).count("done before") == 3
        assert brought.count("a.h5") == 2
        assert objects(f"{bucket}/new") == before
        brought.clear()


def test_what_changed_is_looked_at(tree, bucket, tmp_path):
    """The old file, the new one, or what is asked for: it stays as it is unless forced."""
    old, new = place_at(uploaded(tree, f"{bucket}/old")), place_at(f"{bucket}/new", new=True)
    convert_tree(old, new, jobs=2, **TO_TF)
    path = write_named(tmp_path / "a.h5", keras1(conv=(7, 3, 3, 5)))
    fill(f"{bucket}/old", {"a.h5": path.read_bytes()})
    fill(f"{bucket}/new", {"deep/unnamed": b"mine"})
    report = convert_tree(old, new, jobs=2, **TO_TF)
    assert {one.source: one.detail for one in report.files if one.status == "failed"} == {
        f"{bucket}/old/{name}": f"{bucket}/new/{name}: exists already; use --force (force=True) to replace it"
        for name in ("a.h5", "deep/unnamed")
    } | {f"{bucket}/old/bad.h5": "not an HDF5 file but an HTML page: a download that went wrong"}
    assert objects(f"{bucket}/new")["deep/unnamed"] == b"mine"
    assert convert_tree(old, new, jobs=2, force=True, **TO_TF).count("converted") == 2
    assert convert_tree(old, new, jobs=2, from_kernels="tf", **TO_TF).count("failed") == 4


def test_a_tree_of_models_is_upgraded_with_what_lies_beside_them(bucket, tmp_path):
    """Configurations are brought with their weights."""
    models = tmp_path / "models"
    models.mkdir()
    samples = DIALECTS / "keras122_theano_th"
    shutil.copy(samples / "conv1d.model.h5", models / "whole.h5")
    shutil.copy(samples / "gru_consume_cpu.json", models / "apart.json")
    shutil.copy(samples / "gru_consume_cpu.weights.h5", models / "apart_weights.h5")
    shutil.copy(samples / "conv1d.weights.h5", models / "alone.h5")
    here = told(upgrade_tree(models, tmp_path / "here", jobs=1), models, tmp_path / "here")
    old, new = uploaded(models, f"{bucket}/old"), f"{bucket}/new"
    assert main(["upgrade", f"{old}/", f"{new}/", "--jobs", "2"]) == 0
    assert without_journal(objects(new)) == files(tmp_path / "here")
    again = upgrade_tree(place_at(old), place_at(new, new=True), jobs=2)
    assert again.count("done before") == here["counts"]["converted"] == 2


class Silent(SimpleHTTPRequestHandler):
    """Serves files and lists of them, and says nothing."""

    def log_message(self, *_):
        """Leave it."""


def test_a_tree_on_the_web_is_converted(tree, tmp_path, capsys):
    """Where the server lists it; names are as people write them."""
    handler = functools.partial(Silent, directory=str(tree.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        place = f"http://me:secret@127.0.0.1:{server.server_port}/old"
        for _ in range(2):
            assert main(["convert", f"{place}/", str(tmp_path / "new"), "--th-to-tf", "--jobs", "2"]) == 1
        said = capsys.readouterr()
        assert main(["convert", f"{place}/a.h5?sig=secret", str(tmp_path / "a.h5"), "--th-to-tf"]) == 0
        assert main(["convert", f"{place}/gone.h5?sig=secret", str(tmp_path / "b.h5"), "--th-to-tf"]) == 1
        one = capsys.readouterr()
        server.shutdown()
        thread.join()
    convert_tree(tree, tmp_path / "here", jobs=2, **TO_TF)
    assert without_journal(files(tmp_path / "new")) == files(tmp_path / "here")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "here" / "a.h5").read_bytes()
    shown = place.replace("me:secret@", "")
    assert f"zoo: done before: {shown}/deep/er/b%20c.hdf5\n" in said.err
    assert f"zoo: {shown}/gone.h5: there is no such file" in one.err
    written = [path for path in (tmp_path / "new").iterdir() if path.name == NAME]  # where times are told
    remembered = [path.read_text("utf-8") for path in written]
    assert "secret" not in "".join([said.err, said.out, one.err, one.out, *remembered])


def test_files_that_would_share_a_place_are_named(bucket, tmp_path):
    """By their URLs; and what is called so that it would lie outside the new folder is left alone."""
    path = write_named(tmp_path / "a.h5", keras1(conv=(6, 3, 3, 5)))
    content = path.read_bytes()
    names = ("a.h5", "a.weights.h5", "../out.h5", "b/../../c.h5")
    old = fill(f"{bucket}/old", {name: content for name in names[:2]})
    import s3fs

    system = s3fs.S3FileSystem()
    for name in names[2:]:
        system.call_s3("put_object", Bucket=bucket[5:], Key=f"old/{name}", Body=content)
    report = convert_tree(place_at(old), place_at(tmp_path / "new"), to="keras3", from_layout="th", jobs=1)
    details = {one.source: one.detail for one in report.files}
    target = tmp_path / "new" / "a.weights.h5"
    for one, other in ((names[0], names[1]), (names[1], names[0])):
        advice = f"rename all but one, or convert it by itself: zoo convert {old}/{one} NEW"
        text = f"would be written to {target}, and so would {old}/{other}; {advice}"
        assert details.pop(f"{old}/{one}") == text
    assert set(details.values()) == {"its name is none that a file in a folder can have; rename it"}
    assert len(details) == 2
    assert sorted(files(tmp_path)) == ["a.h5"]


@pytest.mark.parametrize(("source", "target"), [("s3", "s3"), ("s3", "disk"), ("disk", "s3")])
def test_a_file_between_addresses_is_that_of_the_disk(  # noqa: PLR0917 - as many as there are fixtures
    source, target, tree, bucket, tmp_path, capsys
):
    """Its address on standard output, and in what scripts read."""
    old = f"{uploaded(tree, f'{bucket}/old')}/a.h5" if source == "s3" else str(tree / "a.h5")
    new = f"{bucket}/new.h5" if target == "s3" else str(tmp_path / "new.h5")
    zoo.convert(tree / "a.h5", tmp_path / "here.h5", **TO_TF)
    assert main(["convert", old, new, "--th-to-tf"]) == 0
    assert capsys.readouterr().out == f"{new}\n"
    read = (lambda: objects(bucket)["new.h5"]) if target == "s3" else Path(new).read_bytes
    assert read() == (tmp_path / "here.h5").read_bytes()
    assert main(["convert", old, new, "--th-to-tf"]) == 1
    assert f"{new}: exists already; use --force (force=True) to replace it" in capsys.readouterr().err
    assert main(["convert", old, new, "--th-to-tf", "--force", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["source"], said["target"], said["plan"]["path"]) == (old, new, old)
    assert main(["convert", old, "--th-to-tf", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == old
    with pytest.warns(zoo.ConversionWarning, match=rf"^{old}: "):
        done = zoo.convert(old, new, force=True, **TO_TF)
    assert (str(done.source), str(done.target), done.as_dict()["plan"]["path"]) == (old, new, old)
    assert read() == (tmp_path / "here.h5").read_bytes()


def test_a_model_is_upgraded_between_addresses(bucket, tmp_path, capsys):
    """Whole, or as a configuration and its weights."""
    samples = DIALECTS / "keras122_theano_th"
    names = ("gru_consume_cpu.json", "gru_consume_cpu.weights.h5")
    old = fill(f"{bucket}/old", {name: (samples / name).read_bytes() for name in names})
    here = tmp_path / "here.keras"
    assert main(["upgrade", *(str(samples / name) for name in names), str(here)]) == 0
    capsys.readouterr()
    paths = [f"{old}/{name}" for name in names]
    assert main(["upgrade", *paths, f"{bucket}/new.keras", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["source"], said["target"]) == (paths[0], f"{bucket}/new.keras")
    assert (said["path"], said["weights"]) == tuple(paths)
    assert objects(bucket)["new.keras"] == here.read_bytes()
    assert main(["upgrade", paths[0], f"{bucket}/new.keras"]) == 2
    assert f"zoo: {paths[0]}: is a configuration alone; give the weights' file too" in capsys.readouterr().err
    assert main(["upgrade", *paths, "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == paths[0]


def test_an_upload_that_breaks_fails_alone_and_is_made_good(tree, bucket, monkeypatch):
    """It is named by its address; nothing half is there, and the next run makes it."""
    old, new = place_at(uploaded(tree, f"{bucket}/old")), place_at(f"{bucket}/new", new=True)
    put = Bucket.put

    def breaking(self, name, *rest):
        if name == "a.h5":
            raise CacheError(f"{self.name(name)}: the bucket refuses: Broken pipe")
        put(self, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "put", breaking)
        report = convert_tree(old, new, jobs=2, **TO_TF)
    assert {one.source: one.detail for one in report.files if one.status == "failed"}[
        f"{bucket}/old/a.h5"
    ] == (f"{bucket}/new/a.h5: the bucket refuses: Broken pipe")
    assert sorted(objects(f"{bucket}/new")) == sorted([NAME, "deep/er/b c.hdf5", "deep/unnamed"])
    report = convert_tree(old, new, jobs=2, **TO_TF)
    assert (report.count("converted"), report.count("done before")) == (1, 2)


def test_what_somebody_else_has_written_meanwhile_stays(tree, bucket, monkeypatch):
    """As where two write to one folder."""
    old, new = place_at(uploaded(tree, f"{bucket}/old")), place_at(f"{bucket}/new", new=True)
    bring = Bucket.bring

    def slow(self, name, local):
        bring(self, name, local)
        fill(f"{bucket}/new", {name: b"theirs"})

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "bring", slow)
        with new.making("a.h5") as local:
            local.path.write_bytes(b"mine")
            fill(f"{bucket}/new", {"a.h5": b"theirs"})
            with pytest.raises(ConversionError) as caught:
                local.send()
    text = "was written by somebody else meanwhile; run the same again"
    assert str(caught.value) == f"{bucket}/new/a.h5: {text}"
    assert objects(f"{bucket}/new") == {"a.h5": b"theirs"}
    assert old.head("a.h5", 4) == b"\x89HDF"


def test_the_new_tree_may_lie_in_the_old_one(tree, bucket):
    """Its files, and its journal, are not taken for old ones."""
    old = uploaded(tree, f"{bucket}/old")
    for status in ("converted", "done before"):
        report = convert_tree(place_at(old), place_at(f"{old}/new/", new=True), jobs=2, **TO_TF)
        assert (report.count(status), len(report.files)) == (3, 6)


def refusing(monkeypatch, *methods):
    """Let the storage refuse what is asked by some methods, as it does those who may not."""
    import s3fs

    call = s3fs.S3FileSystem._call_s3

    async def refused(self, method, *rest, **options):
        if method in methods:
            raise PermissionError("Access Denied")
        return await call(self, method, *rest, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", refused)


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("get_object", "cannot be read: Access Denied"),
        ("put_object", "{place}/new/a.h5: the bucket refuses: Access Denied"),
    ],
)
def test_what_may_not_be_read_or_written_is_told(method, text, tree, bucket, monkeypatch):
    """File by file; nothing is there in the end that was not before."""
    old, new = place_at(uploaded(tree, f"{bucket}/old")), place_at(f"{bucket}/new", new=True)
    with monkeypatch.context() as patch:
        refusing(patch, method)
        patch.setattr(Bucket, "read", lambda *_: None)  # of what is remembered: nothing is yet
        report = convert_tree(old, new, jobs=2, **TO_TF)
    details = {one.source: one.detail for one in report.files if one.status == "failed"}
    assert details[f"{bucket}/old/a.h5"] == text.format(place=bucket)
    assert report.count("converted") == 0
    assert objects(f"{bucket}/new") == {}


def test_a_place_that_may_not_be_asked_is_told(tree, bucket, monkeypatch):
    """Before anything is converted."""
    old, new = place_at(uploaded(tree, f"{bucket}/old")), place_at(f"{bucket}/new", new=True)
    refusing(monkeypatch, "head_object", "get_object")
    with pytest.raises(CacheError) as caught:
        convert_tree(old, new, jobs=2, **TO_TF)
    assert str(caught.value) == f"{bucket}/new/{NAME}: the bucket refuses: Access Denied"


def test_the_extra_that_is_missing_is_named(tree, monkeypatch, capsys):
    """With what brings it, by every command."""
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    advice = (
        "pip install 'fsspec>=2024.6' 's3fs>=2024.6' brings s3:// and https://, and pip install gcsfs gs://"
    )
    for command in (
        ["convert", "s3://b/a.h5", "a.h5", "--th-to-tf"],
        ["convert", str(tree), "s3://b/new/", "--th-to-tf"],
        ["convert", str(tree / "a.h5"), "s3://b/a.h5", "--th-to-tf"],
        ["upgrade", "s3://b/a.h5", "a.keras"],
        ["features", "resnet50", "s3://b/photos/", "--out", "x/"],
        ["features", "resnet50", str(tree), "--out", "s3://b/x/"],
        ["predict", "resnet50", "a.png", "--weights", "s3://b/a.h5"],
    ):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert said.startswith("zoo: s3://b")
        assert said.endswith(
            f": cannot be reached: import of fsspec.core halted; None in sys.modules; {advice}\n"
        )


def test_arguments_are_checked(tree, bucket, capsys):
    """Where nothing can be read or written is told before anything is."""
    old = uploaded(tree, f"{bucket}/old")
    for command, text in (
        (["convert", f"{old}/a.h5", "--th-to-tf"], f"{old}/a.h5 lies elsewhere: say where the new file goes"),
        (["convert", f"{old}/", "--th-to-tf"], f"{old}/ is a folder: say where the new files go"),
        (["convert", old, f"{old}/", "--th-to-tf"], f"{old}: the new files need a folder of their own"),
        (
            ["convert", f"{old}/a.h5", f"{old}/", "--th-to-tf"],
            f"{old}/: is a folder; give the name of a file",
        ),
        (["convert", f"{old}/a.h5", bucket, "--th-to-tf"], f"{bucket}: is a folder; give the name of a file"),
        (["convert", f"{bucket}/none/", f"{old}/", "--th-to-tf"], f"{bucket}/none: there is no such folder"),
        (
            ["convert", "s3://nowhere-at-all/x/", "new", "--th-to-tf"],
            "s3://nowhere-at-all/x: there is no such folder",
        ),
        (["upgrade", f"{old}/a.h5"], f"{old}/a.h5 lies elsewhere: say where the new file goes"),
        (["upgrade", f"{old}/"], f"{old}/ is a folder: say where the new files go, in one other folder"),
        (
            ["convert", old, "https://a:secret@h/x/", "--th-to-tf"],
            "https://h/x/: nothing is written there; name",
        ),
        (["convert", "gs://bucket/x.h5", "x.h5", "--th-to-tf"], "gs://bucket/x.h5: cannot be reached: "),
    ):
        assert main(command) == (1 if "there is no such folder" in text else 2)
        assert f"zoo: {text}" in capsys.readouterr().err
    for call in (functools.partial(zoo.convert, f"{old}/a.h5"), functools.partial(zoo.convert, old)):
        with pytest.raises(ArgumentError, match=r"^target=None: "):
            call(**TO_TF)
    with pytest.raises(FileFormatError) as caught:
        zoo.convert(f"{old}/gone.h5", f"{bucket}/x.h5", **TO_TF)
    assert str(caught.value) == f"{old}/gone.h5: there is no such file"
    with pytest.raises(FileFormatError) as caught:
        zoo.convert(f"{old}/bad.h5", f"{bucket}/x.h5", **TO_TF)
    assert str(caught.value).startswith(f"{old}/bad.h5: not an HDF5 file")
    with pytest.raises(CacheError) as refused:
        zoo.convert(f"{old}/a.h5", "s3://nowhere-at-all/x.h5", **TO_TF)
    assert str(refused.value) == (
        "s3://nowhere-at-all/x.h5: the bucket refuses: The specified bucket does not exist"
    )

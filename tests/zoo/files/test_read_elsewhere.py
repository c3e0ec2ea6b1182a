"""Files by URL that are only looked at: what is said is what is said of them on the disk, by that URL."""

from __future__ import annotations

import json
import shutil
import threading
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

import zoo
from tests.support.buckets import fill
from tests.support.paths import WRITTEN_BEFORE
from tests.support.weight_files import keras1, write_named
from zoo.cli import main
from zoo.errors import ArgumentError, FileFormatError
from zoo.networks.predictors import MODEL, RECORD

MAP = {"fc": (6, 3, 4)}
RUN = WRITTEN_BEFORE / "finished"


pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Return a folder with a file in two layouts, a run, its model alone, and what is no model."""
    folder = tmp_path_factory.mktemp("here")
    layers = keras1(conv=(6, 3, 3, 5), flatten=None, fc=(72, 7), out=(7, 5))
    zoo.convert(write_named(folder / "a.h5", layers), folder / "b.h5", direction="th-to-tf", flatten=MAP)
    (folder / "run").mkdir()
    for name in (MODEL, RECORD):
        shutil.copy(RUN / name, folder / "run" / name)
    shutil.copy(RUN / MODEL, folder / "mine.keras")
    (folder / "red.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture(scope="module")
def red(tmp_path_factory):
    """Return an image; beside it are the names of the classes."""
    folder = tmp_path_factory.mktemp("red")
    classes = json.loads((RUN / RECORD).read_text("utf-8"))["classes"]
    (folder / "classes.txt").write_text("\n".join(classes), "utf-8")
    Image.new("RGB", (16, 16), "red").save(folder / "red.png")
    return folder / "red.png"


@pytest.fixture(scope="module")
def there(here):
    """Return the URL of a folder with the same files."""
    files = {str(path.relative_to(here)): path.read_bytes() for path in here.rglob("*") if path.is_file()}
    return fill("s3://looked-at/all", {**files, f"alone/{MODEL}": (RUN / MODEL).read_bytes()})


def said(command, place, capsys):
    """Return the exit code of a command on files of a place, and its JSON with the place left out."""
    typed = [word.replace("AT", str(place)) for word in command]
    code = main([*typed, "--json"])
    return code, json.loads(capsys.readouterr().out.replace(str(place), "AT"))


@pytest.mark.parametrize(
    "command",
    [
        ["inspect", "AT/a.h5"],
        ["diff", "AT/a.h5", "AT/b.h5", "--flatten", "fc=6x3x4"],
        ["diff", "AT/b.h5", "AT/b.h5"],
        ["predict", "AT/run", "RED"],
        ["predict", "AT/run/", "RED"],
        ["predict", f"AT/run/{MODEL}", "RED"],
        ["predict", "AT/mine.keras", "RED", "--classes", "CLASSES"],
        ["predict", f"AT/run/{MODEL}", "RED", "--classes", "CLASSES"],
        ["predict", "AT/mine.keras", "RED"],
    ],
    ids=" ".join,
)
def test_commands_say_the_same(command, here, there, red, capsys):
    """But for the place."""
    named = {"RED": str(red), "CLASSES": str(red.with_name("classes.txt"))}
    command = [named.get(word, word) for word in command]
    assert said(command, there, capsys) == said(command, here, capsys)


def test_functions_say_the_same(here, there, red):
    """What they return is called by the URL, without what lets in."""
    found = zoo.inspect(f"{there}/a.h5")
    assert str(found) == str(zoo.inspect(here / "a.h5")).replace(str(here), there)
    assert found.as_dict()["path"] == f"{there}/a.h5"
    compared = zoo.diff(here / "a.h5", f"{there}/b.h5", flatten=MAP)
    assert compared.equal
    assert (compared.first, compared.second) == (here / "a.h5", f"{there}/b.h5")
    assert zoo.predict(f"{there}/run", red) == zoo.predict(here / "run", red)


def test_what_is_taken_for_granted_is_said_by_the_url(here, there, red, caplog):
    """Not by the copy that is here while it is needed."""
    zoo.predict(f"{there}/mine.keras", red, classes=red.with_name("classes.txt"))
    (told,) = (one.getMessage() for one in caplog.records if one.name.startswith("zoo"))
    assert told.startswith(f"{there}/mine.keras: its layer 'rescaling' does the preprocessing; ")
    with pytest.warns(zoo.ConversionWarning) as warned:
        zoo.diff(f"{there}/a.h5", here / "b.h5", flatten=MAP)
    assert str(warned[0].message).startswith(f"{there}/a.h5: the kernels are taken")
    assert {one.filename for one in warned} == {__file__}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none/", "none: is no network's name, nor the folder of a finished run: it has no run.json"),
        ("gone.keras", "gone.keras: there is no such file"),
        (
            "red.png",
            "red.png: is no whole model, neither a .keras archive nor an HDF5 file; the network, the run's "
            "folder or the model goes first, the images behind it",
        ),
    ],
)
def test_who_cannot_be_asked_is_told_by_the_url(source, message, there, red):
    """As on the disk."""
    with pytest.raises(FileFormatError) as caught:
        zoo.predict(f"{there}/{source}", red)
    assert str(caught.value) == f"{there}/{message}"


def test_a_model_without_a_record_does_not_tell_its_classes(there, red):
    """Whatever it is called."""
    with pytest.raises(ArgumentError) as caught:
        zoo.predict(f"{there}/alone/{MODEL}", red)
    assert str(caught.value).startswith(f"{there}/alone/{MODEL}: a model alone does not tell its classes; ")


@pytest.mark.parametrize(
    "command", [["inspect", "URL"], ["diff", "URL", "URL"], ["predict", "URL", "RED"]], ids=" ".join
)
@pytest.mark.parametrize(
    "url", ["http://me:secret@127.0.0.1:9/x.h5?sig=secret", f"http://me:secret@127.0.0.1:9/{MODEL}"]
)
def test_nothing_that_lets_in_is_shown(command, url, red, capsys):
    """Of an address that cannot be read."""
    named = {"URL": url, "RED": str(red)}
    assert main([named.get(word, word) for word in command]) == (2 if command[0] == "diff" else 1)
    told = capsys.readouterr().err
    name = "x.h5" if "x.h5" in url else MODEL
    assert told.startswith(f"zoo: http://127.0.0.1:9/{name}: cannot be read: Cannot connect")
    assert "secret" not in told


class Guarded(SimpleHTTPRequestHandler):
    """Gives files to those alone who know the token."""

    def do_GET(self):
        """Look at the query."""
        if self.path.endswith("?token=secret"):
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *told):
        """Keep quiet."""


def test_what_lets_in_to_a_folder_lets_in_to_its_files(here, red):
    """It stays behind the names of these, and is not shown."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=str(here))) as server:
        threading.Thread(target=server.serve_forever).start()
        place = f"http://127.0.0.1:{server.server_port}"
        try:
            assert zoo.predict(f"{place}/run/?token=secret", red) == zoo.predict(here / "run", red)
            with pytest.raises(FileFormatError) as caught:
                zoo.predict(f"{place}/none/?token=secret", red)
        finally:
            server.shutdown()
    assert str(caught.value).startswith(
        f"{place}/none: is no network's name, nor the folder of a finished run"
    )

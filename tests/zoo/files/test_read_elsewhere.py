"""Files by URL that are only looked at: what is said is what is said of them on the disk, by that URL."""

from __future__ import annotations

import json
import shutil
import threading
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

import zoo
from tests.support.buckets import fill
from tests.support.paths import WRITTEN_BEFORE
from tests.support.weight_files import keras1, write_named
from zoo.cli import main
from zoo.errors import ArgumentError, CacheError, FileFormatError
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
    """Gives files to those alone who know the token, and refuses what lies in a folder that is closed."""

    def do_GET(self):
        """Look at the query."""
        if not self.path.endswith("?token=secret"):
            self.send_error(HTTPStatus.NOT_FOUND)
        elif "closed" in self.path and not Path(self.translate_path(self.path)).exists():
            self.send_error(HTTPStatus.FORBIDDEN)
        else:
            super().do_GET()

    def log_message(self, *told):
        """Keep quiet."""


@pytest.fixture
def guarded(here):
    """Return the URL of a web server with the same files, and with a folder that must not be listed."""
    (here / "closed").mkdir(exist_ok=True)
    shutil.copy(RUN / MODEL, here / "closed" / MODEL)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=str(here))) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("which", ["run/", f"run/{MODEL}"])
def test_what_lets_in_to_a_folder_lets_in_to_its_files(which, here, guarded, red):
    """It stays behind the names of these."""
    assert zoo.predict(f"{guarded}/{which}?token=secret", red) == zoo.predict(here / "run", red)


def test_what_lets_in_is_not_shown(guarded, red):
    """Of a folder without a run."""
    with pytest.raises(FileFormatError) as caught:
        zoo.predict(f"{guarded}/none/?token=secret", red)
    assert str(caught.value) == (
        f"{guarded}/none: is no network's name, nor the folder of a finished run: it has no run.json"
    )


def test_a_record_that_is_refused_is_none(guarded, here, red):
    """Buckets that must not be listed refuse what is not there; of a run's folder that is told as it is."""
    url = f"{guarded}/closed/{MODEL}?token=secret"
    with pytest.raises(ArgumentError) as caught:
        zoo.predict(url, red)
    assert str(caught.value).startswith(
        f"{guarded}/closed/{MODEL}: a model alone does not tell its classes; "
    )
    classes = red.with_name("classes.txt")
    assert zoo.predict(url, red, classes=classes) == zoo.predict(here / "mine.keras", red, classes=classes)
    with pytest.raises(CacheError) as caught:
        zoo.predict(f"{guarded}/closed/?token=secret", red)
    assert str(caught.value).startswith(
        f"{guarded}/closed/run.json: cannot be read: 403, message='Forbidden'"
    )

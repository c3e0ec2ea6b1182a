"""``zoo doctor``: on one screen what there is, and what of it is broken."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import tomllib

import pytest

from tests.support.paths import ROOT
from tests.support.shares import EVERY_NETWORK
from zoo.cli import doctor, output
from zoo.cli.keras_import import LEVEL
from zoo.extras import EXTRAS

ANSWER = {"version": "3.15.1", "backend": "tensorflow", "devices": ["cpu:0"]}


@pytest.fixture
def python(tmp_path):
    """Return what makes an interpreter that does as a script says."""

    def made(script):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return made


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Import no framework, and hear nothing of what the developer has set."""
    finding = doctor.Finding(facts=ANSWER, lines=["3.15.1 on tensorflow"])
    monkeypatch.setitem(doctor.CHECKS, "Keras", lambda: finding)
    monkeypatch.delenv("ZOO_RETRY_SECONDS")


def test_a_healthy_machine(zoo, tmp_path):
    """Nothing is on standard error, and the exit code is 0."""
    home = tmp_path / "zoo-home"
    home.mkdir()
    (home / "file").write_bytes(bytes(1_500_000))
    code, out, err = zoo("doctor")
    assert (code, err) == (0, "")
    told = dict(line.split(maxsplit=1) for line in out.splitlines() if line[0] != " ")
    assert list(told) == list(doctor.CHECKS)
    assert told["cache"] == str(home)
    assert "1 file, 1.5 MB; " in out
    assert f"{len(EVERY_NETWORK)} architectures, " in out
    assert "network: allowed; mirror: none" in out
    assert not list(home.glob("tmp*"))


def test_the_report_as_json(zoo, tmp_path):
    """One object, with the same keys whatever there is."""
    code, out, err = zoo("doctor", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert list(told) == ["healthy", *doctor.CHECKS, "problems"]
    assert (told["healthy"], told["problems"]) == (True, [])
    assert told["cache"]["home"] == str(tmp_path / "zoo-home")
    assert told["libraries"]["PyYAML"]
    assert not (tmp_path / "zoo-home").exists()


@pytest.mark.parametrize("room", [60, 80])
def test_all_of_it_is_on_one_screen(zoo, monkeypatch, tmp_path, room):
    """Also where every extra is missing and much is set; what is to be pasted stands on one line."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("architectures: {vgg16: {weights: {vgg16-th-gist: {bytes: 1}}}}\n")
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.delenv("ZOO_PLUGINS")
    monkeypatch.setattr(output, "width", lambda: room)
    monkeypatch.setattr(doctor, "missing_of", lambda extra: [extra])
    code, out, err = zoo("doctor")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) <= 24
    for line in lines:
        assert len(line) <= room or "/" in line or "pip install" in line, line
    assert f"           {overlay}" in lines
    assert "           lays over: 1 architecture, 1 file" in lines
    assert "network: forbidden (ZOO_OFFLINE)" in out


def test_a_cache_that_cannot_be_written_is_broken(zoo, tmp_path, monkeypatch):
    """A file where a folder should be, say."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file" / "home"))
    code, out, err = zoo("doctor")
    reason = f"is no folder, so that {tmp_path}/file/home cannot be made; ZOO_HOME names the folder to use"
    assert (code, err) == (1, f"zoo: cache: {tmp_path}/file: {reason}\n")
    assert "broken: see below" in out


def test_each_layer_of_the_registry_is_listed(zoo, tmp_path, monkeypatch):
    """In the order in which they are laid over each other, with how much each says."""
    own, overlay = tmp_path / "zoo-home" / "registry.yaml", tmp_path / "mine.yaml"
    own.parent.mkdir()
    own.write_text("architectures: {vgg16: {title: Mine}, vgg19: {title: Mine}}\n")
    overlay.write_text("architectures: {vgg16: {weights: {vgg16-th-gist: {bytes: 1}}}}\n")
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    code, out, err = zoo("doctor")
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    start = lines.index(str(own))
    assert lines[start : start + 4] == [
        str(own),
        "your own, lays over: 2 architectures, 0 files",
        str(overlay),
        "lays over: 1 architecture, 1 file",
    ]
    told = json.loads(zoo("doctor", "--json")[1])["registry"]
    assert [(one["path"], one["origin"], one["architectures"]) for one in told["layers"]] == [
        (told["path"], "shipped", len(EVERY_NETWORK)),
        (str(own), "own", 2),
        (str(overlay), "ZOO_REGISTRY", 1),
    ]
    assert told["overlays"] == {str(overlay): {"architectures": 1, "files": 1}}


def test_a_registry_that_cannot_be_read_is_broken(zoo, tmp_path, monkeypatch):
    """The rest is told all the same."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text("architectures: {vgg16: {classes: many}}\n")
    monkeypatch.setenv("ZOO_REGISTRY", str(overlay))
    code, out, err = zoo("doctor", "--json")
    told = json.loads(out)
    assert (code, told["healthy"]) == (1, False)
    assert err.startswith(f"zoo: registry: {overlay}:1: architectures.vgg16.classes: ")
    assert (told["problems"][0]["what"], told["problems"][0]["type"]) == ("registry", "RegistryError")
    assert told["cache"]["files"] == 0


def test_wrong_settings_are_called_wrong(zoo, monkeypatch):
    """Each of them; what is wrong with a mirror is said without the password in it."""
    monkeypatch.setenv("ZOO_MIRROR", "https://me:secret@example.org/zoo")
    monkeypatch.setenv("ZOO_LIMITS", "objects=none")
    monkeypatch.setenv("ZOO_OFLINE", "1")
    monkeypatch.setenv("ZOO_OFFLINE", "no")
    monkeypatch.setenv("ZOO_RETRY_SECONDS", "soon")
    code, out, err = zoo("doctor")
    assert code == 1
    assert "secret" not in out + err
    assert [line.removeprefix("zoo: settings: ").split(":")[0] for line in err.splitlines()] == [
        "ZOO_LIMITS",
        "ZOO_MIRROR",
        "ZOO_OFFLINE='no'",
        "ZOO_OFLINE",
        "ZOO_RETRY_SECONDS='soon'",
    ]


def test_a_library_that_is_missing_is_broken(monkeypatch):
    """With the command that installs it."""
    monkeypatch.setattr(doctor, "LIBRARIES", ("numpy", "no-such-library"))
    found = doctor.libraries()
    assert [str(one) for one in found.problems] == ["no-such-library is missing: pip install no-such-library"]
    assert found.facts["no-such-library"] is None


def test_keras_is_asked_in_a_process_of_its_own(python):
    """What it prints besides the answer does not matter."""
    found = doctor.keras(python(f"echo noise; echo noise >&2; echo '{json.dumps(ANSWER)}'"))
    assert not found.problems
    assert found.lines[0].startswith("3.15.1 on tensorflow (tensorflow ")
    assert found.lines[0].endswith("; devices: cpu:0")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'ImportError: libcudart.so' >&2; exit 1", "ImportError: libcudart.so"),
        ("kill -9 $$", "its process ended with -9"),
    ],
)
def test_a_framework_that_cannot_be_imported_is_broken(python, script, reason):
    """Even if it takes its process with it."""
    (problem,) = doctor.keras(python(script)).problems
    assert str(problem) == f"Keras cannot be imported: {reason}; install its backend again"


def test_every_variable_that_is_read_is_a_setting():
    """And the other way round."""
    sources = [*(ROOT / "zoo").rglob("*.py"), *(ROOT / "converters").rglob("*.py")]
    read = {
        name
        for path in sources
        if path.name != "doctor.py"
        for name in re.findall(r'= "(ZOO_[A-Z_]+)"', path.read_text(encoding="utf-8"))
    }
    assert set(doctor.SETTINGS) == read


def test_every_library_and_extra_is_looked_for():
    """As pyproject.toml has them; Keras comes with its backend."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[^\w.-]", one)[0].lower() for one in project["dependencies"]}
    assert {name.lower() for name in doctor.LIBRARIES} == needed - {"tensorflow", "keras"}
    assert list(doctor.EXTRAS_FOR) == sorted(EXTRAS)


@pytest.mark.long
def test_the_real_framework_is_found():
    """With at least one device, and nothing of what it says of itself."""
    kept = {name: value for name, value in doctor.os.environ.items() if name != LEVEL}
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "doctor", "--json"],
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["Keras"]["devices"]

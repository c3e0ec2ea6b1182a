"""What holds for every command: the options that all take, JSON whatever happens, and exit codes."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from threading import Event

import pytest

from converters.errors import ConversionWarning, DownloadError, UnknownNameError
from zoo.cli import bars, main, output
from zoo.cli.jobs import run_jobs
from zoo.cli.parser import asks_json, build_parser
from zoo.progress.protocol import Silence


def leaves(parser, words=()):
    """Yield the words of every command below a parser, with its own parser."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield words, parser
    for action in inner:
        for name, child in action.choices.items():
            yield from leaves(child, (*words, name))


COMMANDS = {" ".join(words): words for words, _ in leaves(build_parser())}
NAMES = {
    "show": ["vgg16"],
    "fetch": ["vgg16"],
    "convert": ["old.h5"],
    "upgrade": ["old.h5"],
    "diff": ["a.h5", "b.h5"],
    "prove": ["a.h5"],
    "inspect": ["old.h5"],
    "cache remove": ["vgg16"],
    "trust": ["vgg16"],
    "registry add": ["my.h5"],
    "registry remove": ["mine"],
    "mirror": ["folder"],
    "predict": ["vgg16", "cat.jpg"],
    "finetune": ["vgg16", "photos", "--out", "run"],
    "features": ["vgg16", "photos", "--out", "features.npz"],
    "completion": ["bash"],
}
"""What has to be typed after a command so that it is complete."""

FAILING = {
    "list": [],
    "show": ["resnet51"],
    "fetch": ["resnet51"],
    "convert": ["--th-to-tf", "missing.h5"],
    "upgrade": ["missing.h5"],
    "diff": ["missing.h5", "gone.h5"],
    "prove": ["missing.h5"],
    "inspect": ["missing.h5"],
    "cache list": [],
    "cache verify": [],
    "cache remove": ["resnet51"],
    "cache prune": [],
    "cache path": [],
    "trust": ["resnet51"],
    "registry add": ["missing.h5", "--name", "mine"],
    "registry remove": ["mine"],
    "registry check": ["--online", "resnet51"],
    "registry pin": ["resnet51"],
    "mirror": ["folder", "resnet51"],
    "predict": ["resnet51", "cat.jpg"],
    "finetune": ["resnet51", "photos", "--out", "run"],
    "features": ["resnet51", "photos", "--out", "features.npz"],
    "demo": ["resnet51"],
}
"""What makes each command fail; where nothing need be typed, its registry and its cache are broken."""


def complete(command, *more):
    """Return the words of a command that lacks nothing."""
    return [*COMMANDS[command], *NAMES.get(command, []), *more]


def replaced(monkeypatch, command, run):
    """Let another function run instead of a command."""
    (_, parser) = next(one for one in leaves(build_parser()) if one[0] == COMMANDS[command])
    monkeypatch.setattr(import_module(f"zoo.cli.{parser.get_default('module')}"), "run", run)


def raising(error):
    """Return a command that fails."""

    def run(arguments):
        raise error

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_common_options(command):
    """Each by its long name; how much is told also by one letter."""
    parser = dict(leaves(build_parser()))[COMMANDS[command]]
    for typed in (["--json"], ["--quiet"], ["-q"], ["--verbose"], ["-v"]):
        arguments = parser.parse_intermixed_args([*NAMES.get(command, []), *typed])
        asked = {name for name in ("json", "quiet", "verbose") if getattr(arguments, name)}
        assert {name[0] for name in asked} == {typed[0].strip("-")[0]}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("wrong", [["--nope"], ["--quiet", "--verbose"]], ids=" ".join)
def test_wrong_usage_is_one_json_document(command, wrong, capsys):
    """And on standard error what it is without JSON, with exit code 2."""
    with pytest.raises(SystemExit) as end:
        main(complete(command, *wrong))
    plain = capsys.readouterr()
    assert (end.value.code, plain.out) == (2, "")
    with pytest.raises(SystemExit) as end:
        main(complete(command, *wrong, "--json"))
    told = capsys.readouterr()
    message = plain.err.rpartition(": error: ")[2].removesuffix("\n")
    assert end.value.code == 2
    assert told.err == plain.err
    assert json.loads(told.out) == {"error": {"type": "ArgumentError", "message": message}}


@pytest.mark.parametrize(
    "typed", [["--json"], ["lst", "--json"], ["cache", "--json"], ["cache", "x", "--js"]]
)
def test_wrong_usage_outside_of_a_command_is_one_json_document(typed, capsys):
    """Where nobody knows yet which command it would be."""
    with pytest.raises(SystemExit) as end:
        main(typed)
    assert end.value.code == 2
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "ArgumentError"


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (["list", "--json"], True),
        (["list", "--js"], True),
        (["list", "--", "--json"], False),
        (["fetch", "--j", "3"], False),
        (["list"], False),
    ],
)
def test_json_is_known_to_be_asked_for_before_anything_is_understood(typed, asked):
    """As argparse would understand it."""
    assert asks_json(typed) is asked


def test_every_command_but_two_can_fail():
    """The doctor tells of what is broken in its own document, and a script is only printed."""
    assert {*FAILING, "doctor", "completion"} == set(COMMANDS)


@pytest.mark.parametrize("command", FAILING)
def test_a_failure_is_one_json_document(command, tmp_path, monkeypatch, capsys):
    """Of a mistake that the command itself finds: the message is that of standard error."""
    monkeypatch.chdir(tmp_path)
    if not FAILING[command]:
        monkeypatch.setenv("ZOO_REGISTRY", str(tmp_path / "nowhere.yaml"))
        monkeypatch.setenv("ZOO_HOME", "~nobody-of-this-name/zoo")
    plain_code = main([*COMMANDS[command], *FAILING[command]])
    plain = capsys.readouterr()
    code = main([*COMMANDS[command], *FAILING[command], "--json"])
    told = capsys.readouterr()
    error = json.loads(told.out)["error"]
    assert (code, told.err) == (plain_code, plain.err)
    assert plain.out == ""
    assert code in (1, 2)
    assert told.err == f"zoo: {error['message']}\n"
    assert issubclass(getattr(import_module("zoo.errors"), error["type"]), Exception)


ERRORS = {
    "ours": (DownloadError("no source"), 1, {"type": "DownloadError", "message": "no source"}),
    "usage": (UnknownNameError("no x"), 2, {"type": "UnknownNameError", "message": "no x"}),
    "system": (
        PermissionError(13, "Permission denied", "/a/b.h5"),
        1,
        {"type": "PermissionError", "message": "/a/b.h5: Permission denied", "file": "/a/b.h5"},
    ),
    "socket": (OSError("timed out"), 1, {"type": "OSError", "message": "timed out"}),
    "pipe": (BrokenPipeError(32, "Broken pipe"), 1, {"type": "BrokenPipeError", "message": "Broken pipe"}),
    "interrupted": (
        KeyboardInterrupt(),
        130,
        {"type": "KeyboardInterrupt", "message": "interrupted"},
    ),
    "fault": (KeyError("fc8"), 1, {"type": "KeyError", "message": "'fc8'"}),
    "exit": (SystemExit(0), 1, {"type": "SystemExit", "message": "0"}),
}


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_error_of_any_kind_is_an_object(command, kind, monkeypatch, capsys):
    """Also after the command has left its document; the exit code does not depend on JSON."""
    error, code, expected = ERRORS[kind]

    def run(arguments):
        output.print_json({"result": 1}) if arguments.json else None
        print("what a class of the user's prints")  # noqa: T201
        raise error

    replaced(monkeypatch, command, run)
    if command in ("diff", "prove") and code == 1:
        code = 2  # a script must not take it for a difference
    assert main(complete(command, "--json")) == code
    told = capsys.readouterr()
    assert json.loads(told.out) == {"error": expected}
    assert told.err.startswith("what a class of the user's prints\nzoo: ")
    assert main(complete(command)) == code
    assert capsys.readouterr() == ("", told.err)


def test_an_interruption_before_a_command_runs_is_told_like_one_after(monkeypatch, capsys):
    """While what it takes is drawn up, say."""
    monkeypatch.setattr("zoo.cli.parse", raising(KeyboardInterrupt()))
    assert main(["list", "--json"]) == 130
    told = capsys.readouterr()
    assert json.loads(told.out) == {"error": {"type": "KeyboardInterrupt", "message": "interrupted"}}
    assert told.err == "zoo: interrupted\n"
    assert main(["list"]) == 130
    assert capsys.readouterr() == ("", told.err)


def test_a_fault_shows_its_traceback_to_who_asks(monkeypatch, capsys):
    """Others are told in one line where it happened, and how to see more."""
    replaced(monkeypatch, "inspect", raising(KeyError("fc8")))
    assert main(["inspect", "x.h5"]) == 1
    assert re.fullmatch(
        r"zoo: unexpected: KeyError: 'fc8' \(test_common\.py, line \d+\);"
        r" the same command with --verbose shows where it came from\n",
        capsys.readouterr().err,
    )
    assert main(["inspect", "x.h5", "--verbose"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("Traceback (most recent call last):\n")
    assert "\nKeyError: 'fc8'\n" in told


def test_how_much_is_told(monkeypatch, capsys):
    """Results and errors always; notes, warnings and what the library logs as was asked for."""

    def run(arguments):
        output.print_line("result")
        output.say("zoo: error")
        output.note("zoo: note")
        output.detail("zoo: detail")
        logging.getLogger("zoo.download.x").warning("logged %s", "warning")
        logging.getLogger("converters.y").debug("logged detail")
        import_module("warnings").warn("doubt", ConversionWarning, stacklevel=1)
        return 0

    replaced(monkeypatch, "inspect", run)
    usual = ["zoo: error", "zoo: note", "zoo: logged warning", "zoo: doubt"]
    assert main(["inspect", "x.h5", "-q"]) == 0
    assert capsys.readouterr() == ("result\n", "zoo: error\n")
    assert main(["inspect", "x.h5"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()) == ("result\n", usual)
    assert main(["inspect", "x.h5", "-v"]) == 0
    *lines, last = capsys.readouterr().err.splitlines()
    assert set(lines) == {*usual, "zoo: detail", "zoo: logged detail"}
    assert re.fullmatch(r"zoo: inspect took \d+\.\d\d s", last)
    assert not any(logging.getLogger(name).handlers for name in ("zoo", "converters"))


def test_who_wants_quiet_gets_no_progress():
    """Neither bars nor lines, in this thread and in those of a command."""
    with output.telling(output.Verbosity.QUIET):
        assert isinstance(bars.progress(), Silence)
        assert bars.keras_verbosity(is_json=False) == 0
        with bars.several(2) as new:
            assert isinstance(new(), Silence)
        (within,) = run_jobs([output.quiet], 1, Event())
        assert within.result() is True
    assert not isinstance(bars.progress(), Silence)


READ = {
    "table": (["list"], {}, 0),
    "styled table": (["list"], {"FORCE_COLOR": "1"}, 0),
    "json": (["list", "--json"], {}, 0),
    "facts": (["show", "vgg16"], {}, 0),
    "help": (["--help"], {}, 0),
    "help of a command": (["list", "--help"], {}, 0),
    "version": (["--version"], {}, 0),
    "wrong usage": (["lst", "--json"], {}, 2),
    "failure": (["show", "resnet51", "--json"], {}, 2),
}
"""What is printed when nobody reads it any more, and with which exit code it ends."""


@pytest.mark.parametrize("printed", READ)
def test_a_reader_that_goes_is_no_error(printed):
    """Nothing is said of it, and the exit code is what it would have been."""
    typed, variables, code = READ[printed]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "zoo", *typed],
            stdout=pipe,
            stderr=subprocess.PIPE,
            env=os.environ | variables,
            text=True,
            check=False,
        )
    assert done.returncode == code
    assert not re.search("pipe|Traceback|ignored", done.stderr)
    assert (done.stderr == "") is (code == 0)


def test_a_full_disk_is_an_error():
    """And said once."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "zoo", "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "zoo: standard output: No space left on device\n")


CLOSED = {
    "list >&-": (1, "", "zoo: standard output: Bad file descriptor\n"),
    "list --json >&-": (1, "", "zoo: standard output: Bad file descriptor\n"),
    "--help >&-": (1, "", "zoo: standard output: Bad file descriptor\n"),
    "cache prune <&-": (0, "", "zoo: 0 files removed, 0.0 MB freed\n"),
    "cache path 2>&-": (0, "HOME\n", ""),
    "cache path <&- 2>&-": (0, "HOME\n", ""),
}


def test_a_closed_stream_is_told_as_a_full_one(tmp_path):
    """A process may begin without standard streams, as a service does; then nobody is asked."""
    program = f"{shlex.quote(sys.executable)} -m zoo"
    environment = {**os.environ, "ZOO_HOME": str(tmp_path)}
    for typed, expected in CLOSED.items():
        done = subprocess.run(
            ["sh", "-c", f"{program} {typed}"], env=environment, capture_output=True, text=True, check=False
        )
        said = (done.returncode, done.stdout.replace(str(tmp_path), "HOME"), done.stderr)
        assert (typed, said) == (typed, expected)

"""The command line: what is printed where, exit codes, and what is never imported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from converters import inspect_file
from tests.support import hosts
from tests.support.command import Command
from tests.support.hosts import practice_hosts
from tests.support.paths import DIALECTS
from zoo import practice
from zoo.cli import main
from zoo.cli.parser import build_parser, parse
from zoo.practice.demo import DemoResult
from zoo.registry import architecture, list_models

SAMPLE = DIALECTS / "keras122_theano_th" / "slash_names.weights.h5"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with the practice twin of GoogLeNet's Theano file."""
    folder = tmp_path_factory.mktemp("published")
    practice.build(folder, ["googlenet"])
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def served(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[hosts.Fault | None], None]]:
    """Return a function that makes the hosts misbehave; the registry leads to them."""
    with practice_hosts(published, monkeypatch) as server:

        def misbehave(fault: hosts.Fault | None) -> None:
            server.fault = fault

        yield misbehave


def test_list_names_every_network(zoo: Command) -> None:
    """`zoo list` has a line for each network under a heading."""
    code, out, err = zoo("list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:]] == list_models()


def test_list_json_is_an_array_of_what_matches(zoo: Command) -> None:
    """`zoo list PATTERN --json` prints an array."""
    code, out, _ = zoo("list", "densenet1*", "--json")
    assert code == 0
    assert [entry["name"] for entry in json.loads(out)] == [
        "densenet121",
        "densenet161",
        "densenet169",
        "densenet121_keras",
        "densenet169_keras",
    ]


@pytest.mark.parametrize("typed", ["res", "RESNET", "ResNet*", "*re?net1*", "resnet101"])
def test_list_takes_part_of_a_name_in_any_case(zoo: Command, typed: str) -> None:
    """What has no wildcard may stand anywhere in a name."""
    _, out, _ = zoo("list", typed, "--json")
    found = [entry["name"] for entry in json.loads(out)]
    assert "resnet101" in found
    assert all("res" in name for name in found)
    assert len(found) < len(list_models())


def test_list_says_when_nothing_matches(zoo: Command) -> None:
    """A pattern without a match is no failure, and standard output stays empty."""
    shows = f"`zoo list` shows all {len(list_models())}"
    assert zoo("list", "*alexnet*") == (0, "", f"zoo: no network matches '*alexnet*'; {shows}\n")
    assert zoo("list", "*alexnet*", "--json") == (0, "[]\n", "")


@pytest.mark.parametrize("name", list_models())
def test_show_tells_every_file(zoo: Command, name: str) -> None:
    """`zoo show` names each weights file, and as JSON gives the whole record."""
    code, out, _ = zoo("show", name)
    assert code == 0
    for file in architecture(name).weights:
        assert f"\n{file.id} " in out
        assert all(url in out for url in file.urls)
    code, out, _ = zoo("show", name, "--json")
    shown = json.loads(out)
    assert [file["id"] for file in shown["weights"]] == [file.id for file in architecture(name).weights]
    assert shown["preprocessing"]["mean"] == list(architecture(name).preprocessing.mean)


def test_unknown_name_is_wrong_usage(zoo: Command) -> None:
    """A name that is not in the registry is answered with the nearest ones and exit code 2."""
    code, out, err = zoo("show", "resnet51")
    assert (code, out) == (2, "")
    assert err == (
        "zoo: no network and no file is called 'resnet51'; nearest: resnet50, resnet101, resnet152;"
        " `zoo list` shows the networks, `zoo show NAME` their files\n"
    )


def test_wrong_arguments_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """What the parser does not know ends with exit code 2."""
    with pytest.raises(SystemExit) as raised:
        main(["convert", "--th-to-tf", "--tf-to-th", "old.h5"])
    assert raised.value.code == 2
    assert "not allowed with argument --th-to-tf" in capsys.readouterr().err


def test_a_broken_registry_is_one_line(zoo: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in an overlay is reported with file, line and path, exit code 1."""
    registry = tmp_path / "mine.yaml"
    registry.write_text("architectures: {vgg16: {classes: many}}\n")
    monkeypatch.setenv("ZOO_REGISTRY", str(registry))
    code, out, err = zoo("list")
    assert (code, out) == (1, "")
    assert err.startswith(f"zoo: {registry}:1: architectures.vgg16.classes: ")
    assert err.count("\n") == 1


def test_fetch_prints_the_path_alone(zoo: Command, served: Callable[[hosts.Fault | None], None]) -> None:
    """A file that was published for Theano alone comes converted, and a second fetch needs no host."""
    code, out, err = zoo("fetch", "googlenet", "--backend", "tf")
    path = Path(out.removesuffix("\n"))
    assert code == 0
    assert path.suffix == ".h5"
    inspection = inspect_file(path)
    assert (inspection.structure, str(inspection.layout)) == ("googlenet", "tf (record)")
    assert "fetching practice-googlenet-th: 53.8 MB in " in err
    served(hosts.missing)
    code, again, err = zoo("fetch", "googlenet", "--backend", "tf", "--json")
    assert code == 0
    assert json.loads(again)["path"] == str(path)
    assert json.loads(again)["converted"] is True
    assert "53.8 MB" not in err


FAULTS = {
    "flipped byte": (hosts.flipped_byte, "sha256"),
    "truncated body": (hosts.truncated, "ended after 26878804 of 53757608 bytes"),
    "HTML page": (hosts.html_page, "an HTML page titled"),
    "quota page": (hosts.quota_page, hosts.QUOTA_TEXT),
    "git-lfs pointer": (hosts.lfs_pointer, "a git-lfs pointer came instead of the file"),
    "sign-in redirect": (hosts.sign_in, "asks for a sign-in"),
    "404": (hosts.missing, "404 Not Found"),
    "plain http": (
        hosts.redirect_to("http://files.example.org/x.h5"),
        "a redirect to plain http (http://files.example.org) was refused",
    ),
    "server error": (hosts.with_status(HTTPStatus.INTERNAL_SERVER_ERROR), "500 Internal Server Error"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fetch_fails_clearly(
    zoo: Command,
    served: Callable[[hosts.Fault | None], None],
    fault: str,
    tmp_path: Path,
) -> None:
    """Each fault ends with exit code 1, its reason, the way out, and nothing under a final name."""
    answer, reason = FAULTS[fault]
    served(answer)
    code, out, err = zoo("fetch", "googlenet", "--backend", "tf")
    assert (code, out) == (1, "")
    assert reason in err
    assert err.endswith("get the file in another way, then run: zoo fetch googlenet --from FILE\n")
    left = [path for path in (tmp_path / "zoo-home").rglob("*") if path.is_file()]
    assert [path for path in left if "_partial" not in path.parts] == []


def test_fetch_takes_a_file_by_hand(
    zoo: Command, served: Callable[[hosts.Fault | None], None], published: Path
) -> None:
    """`--from FILE` goes through the same checks and ends in the same place."""
    served(hosts.missing)
    file = next(published.rglob("*.h5"))
    code, out, _ = zoo("fetch", "googlenet", "--backend", "th", "--from", str(file))
    assert code == 0
    assert Path(out.strip()).read_bytes() == file.read_bytes()


def test_convert_prints_the_new_file(zoo: Command, tmp_path: Path) -> None:
    """The new file lies beside the old one, and is named on standard output alone."""
    old = tmp_path / "old.h5"
    shutil.copy(SAMPLE, old)
    assert zoo("convert", "--th-to-tf", str(old))[:2] == (0, f"{tmp_path / 'old_tf.h5'}\n")
    assert str(inspect_file(tmp_path / "old_tf.h5").kernels) == "tf (record)"
    code, out, err = zoo("convert", "--th-to-tf", str(old))
    assert (code, out) == (1, "")
    assert err == (f"zoo: {tmp_path / 'old_tf.h5'}: exists already; use --force (force=True) to replace it\n")
    assert zoo("convert", "--th-to-tf", "--force", str(old))[0] == 0


def test_convert_knows_all_four_forms(zoo: Command, tmp_path: Path) -> None:
    """Layout and kernels are given one by one."""
    new = tmp_path / "new.h5"
    forms = ["--from-layout", "th", "--from-kernels", "tf", "--to-layout", "tf", "--to-kernels", "th"]
    code, out, _ = zoo("convert", *forms, str(SAMPLE), str(new), "--json")
    assert code == 0
    assert json.loads(out)["target"] == str(new)
    assert [str(fact) for fact in (inspect_file(new).layout, inspect_file(new).kernels)] == [
        "tf (record)",
        "th (record)",
    ]


def test_convert_dry_run_writes_nothing(zoo: Command, tmp_path: Path) -> None:
    """The plan is shown, and no file appears."""
    new = tmp_path / "new.h5"
    code, out, _ = zoo("convert", "--th-to-tf", "--dry-run", str(SAMPLE), str(new))
    assert code == 0
    assert "(4, 3, 3, 3) -> (3, 3, 3, 4)" in out
    code, out, _ = zoo("convert", "--th-to-tf", "--dry-run", "--json", str(SAMPLE), str(new))
    assert {array["layer"] for array in json.loads(out)["arrays"]} == {"block1/conv", "block1/conv/bn"}
    assert not new.exists()


def test_convert_takes_a_name(
    zoo: Command,
    served: Callable[[hosts.Fault | None], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A network's name stands for its fetched file; the new file lies in the working folder."""
    monkeypatch.chdir(tmp_path)
    code, out, _ = zoo("convert", "--th-to-tf", "googlenet")
    assert (code, out) == (0, "googlenet_tf.h5\n")
    assert inspect_file(tmp_path / "googlenet_tf.h5").structure == "googlenet"
    for to, name in (("npz", "googlenet.npz"), ("keras3", "googlenet.weights.h5")):
        code, out, _ = zoo("convert", "--th-to-tf", "googlenet", "--to", to, "--no-verify")
        assert (code, out) == (0, f"{name}\n")


def test_convert_names_what_is_missing(zoo: Command) -> None:
    """Neither a file nor a network: both are said, and a network that may be meant."""
    for given, guess in {"nowhere.h5": "", "resnet5": "; did you mean resnet50?", "nowhere": ""}.items():
        code, out, err = zoo("convert", "--th-to-tf", given)
        assert (code, out) == (1, "")
        assert err == f"zoo: {given}: there is no such file, nor a network of this name{guess}\n"


def test_inspect_tells_what_a_file_is(zoo: Command) -> None:
    """`zoo inspect` says dialect, form and arrays; as JSON too."""
    code, out, _ = zoo("inspect", str(SAMPLE))
    assert code == 0
    assert "layout   " in out
    assert "th (shapes)" in out
    code, out, _ = zoo("inspect", str(SAMPLE), "--json")
    told = json.loads(out)
    assert (told["dialect"], told["layout"], told["kernels_from"]) == ("keras1", "th", "array names")
    assert told["parameters"] == 128


def test_demo_fails_below_one_half(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """An accuracy near chance is a failure, a good one is not."""

    def demo(name: str, report: Callable[[str], object]) -> DemoResult:
        return DemoResult(
            name=name,
            side=64,
            training=600,
            held_out=300,
            accuracy=reached,
            chance=0.1,
            seconds={"fetch": 1.0},
        )

    monkeypatch.setattr("zoo.cli.demo.demo", demo)
    reached = 0.5
    code, out, _ = zoo("demo", "--json")
    assert code == 0
    assert json.loads(out)["name"] == "densenet161"
    reached = 0.499
    code, _, err = zoo("demo")
    assert (code, err) == (1, "zoo: an accuracy of 49.9% is below 50%: something is broken\n")


def test_interruption_is_one_line(zoo: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with exit code 130 and no traceback."""

    def interrupt(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.cli.inspect.run", interrupt)
    assert zoo("inspect", "x.h5") == (130, "", "zoo: interrupted\n")


COMMANDS = {
    "help": ["--help"],
    "list": ["list"],
    "show": ["show", "vgg16"],
    "fetch": ["fetch", "googlenet", "--backend", "tf"],
    "convert": ["convert", "--th-to-tf", str(SAMPLE), "new.h5"],
    "inspect": ["inspect", str(SAMPLE)],
}

PROGRAM = """
import sys
from zoo.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as error:
    code = error.code
heavy = {"keras", "tensorflow", "jax", "torch"} & set(sys.modules)
sys.exit(f"imported {sorted(heavy)}" if heavy else code)
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_no_framework_is_imported(
    command: str, served: Callable[[hosts.Fault | None], None], tmp_path: Path
) -> None:
    """All but loading works without Keras and TensorFlow in the process."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *COMMANDS[command]], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("words", [["list"], ["show", "vgg16"], ["--help"]], ids=lambda words: words[0])
def test_what_only_reads_the_registry_starts_without_libraries_that_it_does_not_need(
    words: list[str],
) -> None:
    """In a pipe: no arrays, no HDF5, no HTTP, and nothing that draws on a terminal."""
    program = PROGRAM.replace('"keras", "tensorflow", "jax", "torch"', '"numpy", "h5py", "requests", "rich"')
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(
    "words", [["list"], ["cache", "prune"], ["finetune", "vgg16", "photos", "--out", "x"]]
)
def test_a_command_is_understood_alone_as_it_is_beside_all_others(words: list[str]) -> None:
    """Only the arguments of the command that was typed are drawn up."""
    found = vars(parse(words))
    found.pop("said", None)  # what was typed, which nothing but that command alone is asked
    assert found == vars(build_parser().parse_args(words))


@pytest.mark.parametrize("words", [[], ["lst"], ["--help"]], ids=lambda words: " ".join(words) or "nothing")
def test_where_no_command_was_typed_all_are_named(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the help, and in what is said of a command that is none."""
    with pytest.raises(SystemExit):
        parse(words)
    alone = capsys.readouterr()
    with pytest.raises(SystemExit):
        build_parser().parse_args(words)
    assert alone == capsys.readouterr()


def test_importing_zoo_imports_no_framework() -> None:
    """`import zoo` is cheap, and its public names are there all the same."""
    program = (
        "import sys, zoo, converters; assert 'load' in dir(zoo);"
        "sys.exit(bool({'keras', 'tensorflow', 'numpy', 'h5py', 'yaml'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_python_m_zoo_is_the_command_line() -> None:
    """`python -m zoo` does what `zoo` does."""
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "--version"], capture_output=True, check=True, text=True
    )
    assert done.stdout == "zoo 0.1.0\n"


@pytest.mark.parametrize(("command", "code"), [("list vgg", 0), ("show --json vgg", 2)])
def test_a_closed_standard_error_changes_nothing_but_what_is_heard(command: str, code: int) -> None:
    """Results and the exit code are the same."""
    line = f'exec "$0" -m zoo {command} 2>&-'
    done = subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True, check=False)
    assert (done.returncode, bool(done.stdout), done.stderr) == (code, True, "")


def test_who_asks_is_told_whom_was_asked_and_what_was_chosen(
    zoo: Command, served: Callable[[hosts.Fault | None], None], tmp_path: Path
) -> None:
    """Which files there are, each request with its answer, the file that was taken, and how long it took."""
    code, out, err = zoo("fetch", "googlenet", "--backend", "th", "--verbose")
    told = err.splitlines()
    assert code == 0
    known, *between, took = told
    file = "practice-googlenet-th"
    assert known == (
        f"zoo: googlenet for th: published so: {file}; in another form: none;"
        f" the cache is {tmp_path / 'zoo-home'}"
    )
    hosts_asked = [line for line in between if re.fullmatch(r"zoo: asking https?://[^?\s]+", line)]
    assert hosts_asked
    for line in hosts_asked:
        answered = f"{line.replace('asking ', '')} answered "
        assert any(other.startswith(answered) for other in between)
    assert f"zoo: googlenet: taken from {file}: {out.strip()}" in between
    assert re.fullmatch(r"zoo: fetch took \d+\.\d\d s", took)


def test_who_asks_is_shown_the_plan_of_a_conversion(zoo: Command, tmp_path: Path) -> None:
    """As --dry-run shows it."""
    code, _, err = zoo("convert", "--th-to-tf", str(SAMPLE), str(tmp_path / "new.h5"), "-v")
    assert code == 0
    assert zoo("convert", "--th-to-tf", "--dry-run", str(SAMPLE), str(tmp_path / "new.h5"))[1] in err

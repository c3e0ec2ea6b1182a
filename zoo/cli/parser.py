"""What can be typed: every command with its arguments."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NoReturn, cast

from converters.formats.table import targets
from zoo import __version__

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction["Parser"]

_FORMS = ("th", "tf")
_DIRECTIONS = ("th-to-tf", "tf-to-th")
_CACHE_ACTIONS = {
    "list": "list the files with their sizes and what they are",
    "verify": "hash every file again",
    "remove": "remove the files of a network, or one file with what was converted from it",
    "prune": "remove what nobody can use any more, of what zoo put there",
    "path": "print the folder",
}


class Misused(SystemExit):
    """What was typed is wrong, and has been said so, with the usage of the command.

    Attributes:
        message: What is wrong.
    """

    def __init__(self, code: int | str | None, message: str) -> None:
        super().__init__(code)
        self.message = message


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes keep their message, for whoever has to print them as JSON."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on standard error, below the usage, and end with :class:`Misused`."""
        message = message.replace(_MARK, "")
        message += self._meant(message)
        try:
            super().error(message)
        except SystemExit as end:
            raise Misused(end.code, message) from None

    def _meant(self, message: str) -> str:
        """Return ``; did you mean X?`` for the option, the command or the value that is no such thing."""
        from zoo.registry.fields import did_you_mean  # only mistakes pay for this import

        _, is_option, words = message.partition("unrecognized arguments: ")
        if is_option:
            typed, known = words.split()[0].partition("=")[0], list(self._option_string_actions)
            return did_you_mean(typed, known) if typed.startswith("--") else ""
        typed, is_choice, choices = message.partition(": invalid choice: ")[2].partition(" (choose from ")
        known = [choice.strip("' ") for choice in choices.rstrip(")").split(",")]
        return did_you_mean(typed.strip("'"), known) if is_choice else ""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was typed, with the arguments of that one command drawn up and of no other.

    Args:
        argv: The arguments after the program's name.

    Raises:
        Misused: They are wrong.
        SystemExit: Help was asked for, or the version.
    """
    argv = _common_behind(argv)
    command = argv[0] if argv and argv[0] in _COMMANDS else None
    parser, commands = _build(command, only_names=command is None)
    if argv and argv[0].startswith("--") and not any(one.startswith(argv[0]) for one in _BEFORE):
        parser.error(f"{argv[0]}: an option of a command stands behind it: zoo COMMAND {argv[0]}")
    own = commands.choices[command] if command is not None else None
    if own is None or own.get_default("command") is None:  # it has commands within it
        return parser.parse_args(argv)
    typed = _joined(_names_marked(argv[1:]))
    found = _unmarked(own.parse_intermixed_args(typed))  # options and names in any order
    if command in _SAID:
        found.said = _said(own, typed)
    return found


def _joined(typed: Sequence[str]) -> list[str]:
    """Return what was typed with ``--sort -params`` as one word: behind a blank it would be an option."""
    joined: list[str] = []
    for word in typed:
        if joined and joined[-1] == "--sort" and re.match("-[a-z0-9]", word):
            joined[-1] = f"--sort={word}"
        else:
            joined.append(word)
    return joined


_MARK = "\0"
"""What stands before a name that may look like an option: no argument of a process can hold it."""


def _names_marked(typed: Sequence[str]) -> list[str]:
    """Return what was typed without ``--``, behind which all is names, whatever they begin with."""
    before = list(takewhile(lambda word: word != "--", typed))
    return [*before, *(f"{_MARK}{name}" for name in typed[len(before) + 1 :])]


def _unmarked(found: argparse.Namespace) -> argparse.Namespace:
    for name, value in vars(found).items():
        if isinstance(value, str):
            setattr(found, name, value.removeprefix(_MARK))
        elif isinstance(value, list):
            setattr(found, name, [one.removeprefix(_MARK) for one in value])
    return found


def _common_behind(argv: Sequence[str]) -> Sequence[str]:
    """Return what was typed with the options of every command behind the command."""
    before = list(takewhile(lambda word: word in COMMON, argv))
    command, rest = argv[len(before) : len(before) + 1], argv[len(before) + 1 :]
    if command in (["cache"], ["registry"]):  # whose actions take the options
        command, rest = [*command, *rest[:1]], rest[1:]
    return [*command, *before, *rest] if command else argv


COMMON = ("--json", "-q", "--quiet", "-v", "--verbose")
"""The options of every command."""

_BEFORE = (*COMMON, "--help", "--version")
"""What may stand before a command."""

_SAID = frozenset({"finetune"})
"""Commands to which it matters what was typed, and not only what holds."""


def _said(parser: argparse.ArgumentParser, argv: Sequence[str]) -> frozenset[str]:
    """Return the names of the arguments that were typed, whatever their values."""
    for action in parser._actions:
        action.default = argparse.SUPPRESS
    return frozenset(vars(parser.parse_intermixed_args(argv))) - {"module", "command"}


def asks_json(argv: Sequence[str]) -> bool:
    """Tell whether JSON is asked for, of arguments that may be wrong; ``--js`` is short for ``--json``."""
    options = takewhile(lambda word: word != "--", argv)
    return any(len(word) > len("--j") and "--json".startswith(word) for word in options)


def flags(command: str) -> dict[str, str]:
    """Return how the options of a command are typed, by the names that they have in Python."""
    parser = _build(command)[1].choices.get(command) or _registry_action(command)
    actions = parser._actions if parser is not None else []
    return {action.dest: max(action.option_strings, key=len) for action in actions if action.option_strings}


def parser_of(command: str, action: str | None = None) -> tuple[Parser | None, Mapping[str, str]]:
    """Return the parser of a command, if there is one, and what is said of the actions within it.

    Args:
        command: Its name.
        action: The action within it whose parser is wanted.
    """
    parser = _build(command)[1].choices.get(command)
    within = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)] if parser else []
    if action is not None and within:
        return within[0].choices.get(action), {}
    return parser, dict(_told(within[0])) if within else {}


def summaries() -> list[tuple[str, str]]:
    """Return the names of the commands, each with what it does."""
    return list(_told(_build(None, only_names=True)[1]))


def _told(commands: _Commands) -> Iterator[tuple[str, str]]:
    yield from ((one.dest, one.help or "") for one in commands._choices_actions)


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line; each result names in ``module`` what runs the command.

    Args:
        command: The only command to take; all of them if left out.
    """
    return _build(command)[0]


def _build(command: str | None, *, only_names: bool = False) -> tuple[Parser, _Commands]:
    parser = Parser(
        prog="zoo",
        description="ImageNet weights of the classic convolutional networks: find, fetch, convert, load.",
        epilog="ZOO_HOME is the folder of fetched files, ZOO_SHARED one to look into first, ZOO_MIRROR a"
        " mirror to ask first; ZOO_OFFLINE=1 forbids the network; ZOO_QUIET=1 shows no progress;"
        " ZOO_REGISTRY lists overlay registries; ZOO_PLUGINS=0 does without plug-ins. `zoo doctor` tells"
        " what is set, and what is wrong."
        " Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"zoo {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, add in _COMMANDS.items():
        if command in (None, name):
            add(commands)
        if command in (None, name) and name in _OPTIONS and not only_names:
            _OPTIONS[name](commands.choices[name])
    return parser, commands


def _add_list(commands: _Commands) -> None:
    parser = _command(commands, "list", "list the networks of the registry", module="registry")
    parser.add_argument(
        "pattern",
        nargs="?",
        default="*",
        metavar="PATTERN",
        help="part of a name, or a pattern such as 'resnet*'",
    )
    parser.add_argument("--all", action="store_true", help="every row, however many there are")


def _add_choosing(parser: argparse.ArgumentParser) -> None:
    """Let the user say which networks are listed, in what order, and what of them."""
    from zoo.registry.columns import FACTS, FILTERS  # only whose command it is pays for the table

    known = ", ".join(FACTS)
    parser.add_argument(
        "--sort", metavar="KEY,...", help=f"by what, -KEY for the largest first; there are: {known}"
    )
    parser.add_argument("--reverse", action="store_true", help="turn the order round")
    parser.add_argument("--columns", metavar="NAME,...", help="what is shown; names as for --sort")
    group = parser.add_argument_group("which networks (all filters have to be met)")
    for name, (_, one) in FILTERS.items():
        told: dict[str, Any] = {"action": "store_true"} if one.metavar is None else {"metavar": one.metavar}
        if one.choices:
            told = {"choices": one.choices}
        group.add_argument(f"--{name.replace('_', '-')}", dest=name, help=one.meaning, **told)


def _add_show(commands: _Commands) -> None:
    parser = _command(
        commands, "show", "show all the registry knows about a network or a file", module="registry"
    )
    parser.add_argument("name", metavar="NAME", help="a network, or the id of a file")


def _add_fetch(commands: _Commands) -> None:
    parser = _command(commands, "fetch", "bring verified weights files and print their paths", module="fetch")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="networks (`zoo list` shows them), or ids of files"
    )
    parser.add_argument("--all", action="store_true", help="every network")
    parser.add_argument(
        "--backend",
        choices=_FORMS,
        help="layout and kernels of a network's file (default: tf); one with an id comes as published",
    )
    parser.add_argument("--weights", metavar="SET", help="weights set (default: imagenet)")
    parser.add_argument("--no-top", dest="top", action="store_false", help="the file without the classifier")
    parser.add_argument("--from", dest="from_file", metavar="FILE", help="take a file you have: same checks")
    parser.add_argument(
        "--require-checksum",
        action="store_true",
        help="refuse files of which nobody published a cryptographic digest",
    )
    parser.add_argument(
        "--no-origin",
        dest="origin",
        action="store_false",
        help="never take the authors' own file where no source of the weights set answers",
    )
    parser.add_argument("--jobs", type=int, default=4, metavar="N", help="files at once (default: 4)")


def _add_cache(commands: _Commands) -> None:
    parser = commands.add_parser(
        "cache", help="look after the fetched files", description="Look after the fetched files."
    )
    parser.set_defaults(module="cache")
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    for name, summary in _CACHE_ACTIONS.items():
        action = _command(actions, name, summary, module="cache")
        if name == "remove":
            action.add_argument("names", nargs="+", metavar="NAME", help="a network, or the id of a file")
        if name in ("remove", "prune"):
            action.add_argument("--dry-run", action="store_true", help="only say what would be removed")
        if name == "prune":
            action.add_argument(
                "--unknown", action="store_true", help="what the registry does not describe as well"
            )
            action.add_argument(
                "--yes", action="store_true", help="do not ask; nobody is asked where there is no terminal"
            )


def _add_registry(commands: _Commands) -> None:
    parser = commands.add_parser(
        "registry",
        help="add networks of your own, check registries and their links",
        description="Add networks of your own, check registries and their links.",
    )
    parser.set_defaults(module="registry_add")
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    for name, (summary, module, add) in _REGISTRY_ACTIONS.items():
        add(_command(actions, name, summary, module=module))


def _add_registry_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE|URL", help="a weights file of a known network, or a whole model"
    )
    parser.add_argument("--name", metavar="NAME", help="what the network is to be called")
    parser.add_argument("--arch", metavar="NAME", help="the network that it holds, where it fits several")
    for axis in ("layout", "kernels"):
        parser.add_argument(f"--{axis}", choices=_FORMS, help=f"{axis} of the file, where it does not tell")
    parser.add_argument(
        "--preprocessing", metavar="RECIPE", help="what its images went through (default: not known)"
    )
    parser.add_argument(
        "--classes", metavar="FILE", help="one class a line in the order of its outputs, or JSON; or imagenet"
    )
    parser.add_argument("--title", metavar="TEXT", help="its name in print (default: NAME)")
    parser.add_argument("--licence", metavar="TEXT", help="of the weights (default: not stated)")
    parser.add_argument("--input-size", type=int, metavar="PIXELS", help="side of its images")
    parser.add_argument(
        "--weights-only", action="store_true", help="of a whole model, as those of the network it holds"
    )
    parser.add_argument(
        "--replace", action="store_true", help="in the place of your own network of that name"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be written, write nothing")


def _add_registry_remove(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a network of your own")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")


def _add_registry_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names",
        nargs="*",
        metavar="FILE|NAME",
        help="a registry file (default: all that are read); with --online, networks or ids of files",
    )
    parser.add_argument(
        "--online", action="store_true", help="ask every link whether it still leads to a file"
    )


def _add_registry_pin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks or ids of files (default: all)")
    parser.add_argument("--output", metavar="FILE", help="where to write it (default: print it)")
    parser.add_argument(
        "--by", metavar="TEXT", help="who ran `zoo prove --save` here: what it found is written, too"
    )


def _registry_action(name: str) -> Parser | None:
    """Return the parser of one of the commands within ``registry``."""
    for action in _build("registry")[1].choices["registry"]._actions:
        if isinstance(action, argparse._SubParsersAction):
            return cast("_Commands", action).choices.get(name)
    return None


_REGISTRY_ACTIONS = {
    "add": ("add a network of your own to your registry", "registry_add", _add_registry_add),
    "remove": ("remove a network of your own from your registry", "registry_add", _add_registry_remove),
    "check": ("check a registry, or with --online its links", "registry_check", _add_registry_check),
    "pin": ("print what was first seen as an overlay that holds to it", "registry_pin", _add_registry_pin),
}
"""What each does, the module of it, and what draws up its arguments."""


def _add_mirror(commands: _Commands) -> None:
    parser = _command(
        commands, "mirror", "write published files as a tree that any web server can serve", module="mirror"
    )
    parser.add_argument("place", metavar="DIR", help="a folder, or a bucket (s3://..., gs://...)")
    parser.add_argument(
        "names", nargs="*", default=[], metavar="NAME", help="networks or ids of files (default: all)"
    )
    parser.add_argument("--check", action="store_true", help="hash again every file of the mirror")


def _add_trust(commands: _Commands) -> None:
    parser = _command(
        commands, "trust", "show which files are held to and were refused, or accept one", module="trust"
    )
    parser.add_argument("name", metavar="NAME", help="a network, or the id of a file")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--accept", metavar="SHA256", help="hold to this file from now on")
    choice.add_argument("--forget", action="store_true", help="hold to whatever comes next")


def _add_convert(commands: _Commands) -> None:
    parser = _command(
        commands, "convert", "convert a weights file between layouts and kernels", module="convert"
    )
    _add_forms(parser)
    parser.add_argument(
        "source",
        metavar="OLD",
        help="a Keras weights file or a folder of them, by path or URL, or a network's name to fetch it",
    )
    parser.add_argument(
        "target",
        nargs="?",
        metavar="NEW",
        help="default: OLD_tf.h5 or OLD_th.h5, beside OLD; for a folder, a folder; by path or URL",
    )
    parser.add_argument(
        "--to", choices=targets(), help="who is to read the new file (default: who wrote the old one)"
    )
    parser.add_argument("--arch", metavar="NAME", help="the network the file holds (default: recognised)")
    _add_told(parser)
    parser.add_argument(
        "--order",
        metavar="LAYER,LAYER,...",
        help="all layers with weights in the network's order, where a file of Keras 3 does not tell it",
    )
    parser.add_argument(
        "--as-published",
        action="store_true",
        help="with --to keras3: leave a network's Scale layers apart (default: as zoo.load draws it)",
    )
    parser.add_argument(
        "--hard-sigmoid",
        choices=("keep", "scale"),
        default="keep",
        help="for Keras 3, whose hard_sigmoid is another: scale the gates' arrays by 1.2 (default: keep)",
    )
    _add_writing(parser)


def _add_forms(parser: argparse.ArgumentParser) -> None:
    """Let the user say what the old file is and what the new one is to be."""
    direction = parser.add_mutually_exclusive_group()
    for name in _DIRECTIONS:
        direction.add_argument(
            f"--{name}", dest="direction", action="store_const", const=name, help="layout and kernels both"
        )
    for end, meaning in (("from", "of the old file; found out where not given"), ("to", "of the new file")):
        for axis in ("layout", "kernels"):
            parser.add_argument(f"--{end}-{axis}", choices=_FORMS, help=f"{axis} {meaning}")


def _add_writing(parser: argparse.ArgumentParser) -> None:
    """Let the user say how new files are written."""
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="read NEW back and compare it with OLD before it gets its name (default: below 1 GiB)",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="files at a time (default: one for each processor)"
    )
    _add_cluster(parser, "of a folder, what converts its files: ")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, write nothing")
    parser.add_argument("--force", action="store_true", help="replace NEW if it exists")


def _add_cluster(parser: argparse.ArgumentParser, what: str) -> None:
    """Let the user say what the work over many files is shared out to."""
    parser.add_argument(
        "--cluster",
        metavar="ENGINE",
        help=f"{what}local:N, N processes here; dask://HOST:PORT or tls://HOST:PORT, a Dask scheduler",
    )


def _add_upgrade(commands: _Commands) -> None:
    parser = _command(
        commands,
        "upgrade",
        "write a whole model of Keras 1 or 2 as a .keras file that gives the same outputs today",
        module="upgrade",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="OLD.h5 [NEW.keras], OLD.json (.yaml) WEIGHTS.h5 [NEW.keras], or FOLDER NEWFOLDER; default:"
        " OLD.keras, beside OLD; each by path or URL",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="say layer by layer what would be done, or cannot be",
    )
    _add_model_facts(parser)
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="read NEW back and compare its arrays with OLD's (default: below 1 GiB)",
    )
    parser.add_argument(
        "--prove",
        action="store_true",
        help="build NEW with Keras, and compare it with what tf-keras computes with OLD where that can be",
    )
    parser.add_argument("--force", action="store_true", help="replace NEW if it exists")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="of a folder, files at a time (default: one for each processor)"
    )
    _add_cluster(parser, "of a folder, what upgrades its files: ")


def _add_model_facts(parser: argparse.ArgumentParser) -> None:
    """Let the user say what an old model is where its files do not, and what is the user's own in it."""
    parser.add_argument(
        "--data-format",
        choices=("channels_last",),
        help="maps that were channels first come in and go out channels last (default: as they were)",
    )
    parser.add_argument("--keras-version", metavar="X.Y.Z", help="who wrote the model, where no file says it")
    parser.add_argument(
        "--backend", choices=("theano", "tensorflow"), help="on what it ran, whatever the files say"
    )
    parser.add_argument(
        "--custom",
        action="append",
        default=[],
        metavar="[NAME=]MODULE:CLASS",
        help="a class or function of your own that the model has, or what takes the place of its layer NAME;"
        " the module is imported, and Keras",
    )
    parser.add_argument(
        "--lambda",
        action="append",
        default=[],
        dest="lambdas",
        metavar="LAYER=EXPRESSION",
        help="what a Lambda layer computes, where its code is not recognised: an expression of x, such as"
        " 'K.abs(x[0] - x[1])', or the name of one, such as abs_difference",
    )


def _add_diff(commands: _Commands) -> None:
    parser = _command(
        commands,
        "diff",
        "compare two weights files as if they were in one form; 1 if they differ, 2 if that cannot be told",
        module="diff",
    )
    parser.add_argument("first", metavar="A")
    parser.add_argument("second", metavar="B")
    for axis in ("layout", "kernels"):
        said = f"{axis} of A and B, where no record tells it"
        parser.add_argument(f"--from-{axis}", choices=_FORMS, help=said)
    parser.add_argument("--arch", metavar="NAME", help="the network that A and B hold; else recognised")
    _add_told(parser)
    for axis in ("layout", "kernels"):
        parser.add_argument(f"--second-from-{axis}", choices=_FORMS, help=f"{axis} of B, where it differs")
    parser.add_argument("--second-arch", metavar="NAME", help="the network that B holds, if another")
    parser.add_argument("--second-keras-version", metavar="X.Y.Z", help="who wrote B, if another did")


def _add_prove(commands: _Commands) -> None:
    parser = _command(
        commands,
        "prove",
        "compare a weights file with its authors' own; 1 if they differ, 2 if that cannot be told",
        module="prove",
    )
    parser.add_argument("file", metavar="ID|FILE", help="a published file, or one of yours")
    parser.add_argument(
        "--origin", metavar="ID|FILE", help="the authors' file (default: the one that the registry names)"
    )
    parser.add_argument("--from-kernels", choices=_FORMS, help="kernels of a file of yours; else found out")
    parser.add_argument("--save", action="store_true", help="keep the result in the cache")


def _add_told(parser: argparse.ArgumentParser) -> None:
    """Add what a user can tell of a file where it does not say it itself."""
    parser.add_argument(
        "--flatten",
        action="append",
        default=[],
        metavar="LAYER=CxHxW",
        help="the feature map before a dense layer; LAYER=none where there is none; "
        "'*=none': before none of which nothing else tells",
    )
    _add_kinds(parser)


def _add_kinds(parser: argparse.ArgumentParser) -> None:
    """Add what a user can tell of the layers where the file does not."""
    parser.add_argument(
        "--layer",
        action="append",
        default=[],
        dest="layers",
        metavar="NAME=KIND",
        help="the kind of a layer (for example LSTM), where the file does not tell it",
    )
    parser.add_argument("--keras-version", metavar="X.Y.Z", help="who wrote the file, where it does not say")


def _add_inspect(commands: _Commands) -> None:
    parser = _command(commands, "inspect", "say what a weights file is and what it holds", module="inspect")
    parser.add_argument("file", metavar="FILE")
    _add_kinds(parser)


def _add_predict(commands: _Commands) -> None:
    parser = _command(commands, "predict", "name what images show", module="predict")
    parser.add_argument(
        "source",
        metavar="NAME|RUN|MODEL",
        help="a network's name, the folder of a run or its model.keras, or a whole model of your own",
    )
    parser.add_argument("pictures", nargs="+", metavar="PICTURE", help="an image, or a folder of them")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="classes to name (default: 5)")
    parser.add_argument(
        "--weights", default="imagenet", metavar="SET|FILE", help="of a network (default: imagenet)"
    )


def _add_whole_model(parser: argparse.ArgumentParser) -> None:
    """Let the user say what a model in a file does not tell."""
    parser.add_argument(
        "--classes",
        metavar="FILE",
        help="of a whole model: one class a line in the order of its outputs, or JSON",
    )
    parser.add_argument(
        "--preprocessing",
        metavar="NAME",
        help="of a whole model: a recipe of the registry, or none (default: what it holds inside)",
    )
    _add_fit(parser, "of a whole model: ")


def _add_fit(parser: argparse.ArgumentParser, of_what: str = "") -> None:
    """Let the user say what becomes of images of another shape, in the words of fine-tuning."""
    from zoo.finetuning.options import OPTIONS

    fit = OPTIONS["fit"].argument
    if fit is not None:
        replace(fit, help=f"{of_what}{fit.help}").add_to(parser, "fit")


def _add_finetune(commands: _Commands) -> None:
    parser = _command(
        commands, "finetune", "teach a network classes of your own, from images", module="finetune"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a network's name; `zoo list` shows them")
    parser.add_argument(
        "data", nargs="?", metavar="PICTURES", help="a folder with a folder per class, or a CSV file"
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    from zoo.finetuning.arguments import FUSED  # only whose command it is pays for the tables
    from zoo.finetuning.options import OPTIONS
    from zoo.finetuning.schedule import STRATEGIES

    parser.add_argument(
        "--strategy", default="auto", choices=(*STRATEGIES, "auto"), help="default: by the number of images"
    )
    for name, how in _FINETUNE.items():
        parser.add_argument(name, **how)
    _add_hosts(parser)
    for strategy in STRATEGIES.values():
        for name, argument in strategy.options.items():
            argument.add_to(parser, name)
    for name, option in OPTIONS.items():
        if option.argument is not None and option.argument is not FUSED:  # which comes with the network's
            option.argument.add_to(parser, name)
    _add_network_options(parser)


def _add_hosts(parser: argparse.ArgumentParser) -> None:
    several = parser.add_argument_group("training on several hosts, by the same command on each")
    several.add_argument("--hosts", action="store_true", help="Slurm says which there are: start with srun")
    several.add_argument("--coordinator", metavar="HOST:PORT", help="without Slurm: where process 0 listens,")
    several.add_argument("--process", type=int, metavar="I", help="which one this is, from 0,")
    several.add_argument("--processes", type=int, metavar="N", help="and how many there are")


def _add_features(commands: _Commands) -> None:
    parser = _command(commands, "features", "write the bottleneck features of images", module="features")
    _add_name(parser)
    parser.add_argument("data", metavar="PICTURES", help="a folder with a folder per class, or a CSV file")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE.npz|FOLDER/",
        help="features, labels, files, classes; one with features is replaced. A folder: files of a few"
        " hundred images each, of which none is computed twice",
    )
    parser.add_argument(
        "--format", choices=("npz", "parquet"), help="of the files in a folder (default: npz)"
    )
    _add_cluster(parser, "for a folder, what computes: ")
    _add_network_options(parser)


_FINETUNE: Mapping[str, Mapping[str, Any]] = {
    "--train": {"metavar": "PICTURES", "help": "to train on, instead of dividing IMAGES"},
    "--valid": {"metavar": "PICTURES", "help": "to validate with, beside --train"},
    "--validation-share": {"type": float, "default": 0.2, "metavar": "SHARE", "help": "default: 0.2"},
    "--dropout": {"type": float, "default": 0.0, "metavar": "RATE", "help": "before the classifier"},
}
"""What ``zoo finetune`` takes besides the options that every strategy takes, and those of one alone."""


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    from zoo.finetuning.arguments import FUSED

    parser.add_argument(
        "--input-size", type=int, metavar="PIXELS", help="side of the images (default: as published)"
    )
    parser.add_argument(
        "--weights",
        default="imagenet",
        metavar="SET|FILE",
        help="default: imagenet; none: random; a file by path or URL",
    )
    parser.add_argument("--devices", metavar="all|N", help="train on several (default: one)")
    FUSED.add_to(parser, "fused")


def _add_demo(commands: _Commands) -> None:
    parser = _command(
        commands, "demo", "do the main job end to end, offline, on practice values", module="demo"
    )
    parser.add_argument("name", nargs="?", default="densenet161", metavar="NAME")


def _add_doctor(commands: _Commands) -> None:
    _command(commands, "doctor", "say what there is on this machine, and what is broken", module="doctor")


def _add_completion(commands: _Commands) -> None:
    parser = _command(
        commands, "completion", "print what makes a shell complete what is typed", module="completion"
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which shell")


def _command(commands: _Commands, name: str, summary: str, *, module: str) -> Parser:
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.set_defaults(module=module, command=name)
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Let the user say how to be told; that means the same for every command."""
    common = parser.add_argument_group("options of every command")
    common.add_argument("--json", action="store_true", help="print one JSON document, also of a failure")
    how_much = common.add_mutually_exclusive_group()
    how_much.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes; errors stay")
    how_much.add_argument(
        "-v", "--verbose", action="store_true", help="also what was asked of whom, what was chosen, how long"
    )


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a network's name; `zoo list` shows them")


_COMMANDS = {
    "list": _add_list,
    "show": _add_show,
    "fetch": _add_fetch,
    "convert": _add_convert,
    "upgrade": _add_upgrade,
    "diff": _add_diff,
    "prove": _add_prove,
    "inspect": _add_inspect,
    "cache": _add_cache,
    "trust": _add_trust,
    "registry": _add_registry,
    "mirror": _add_mirror,
    "predict": _add_predict,
    "finetune": _add_finetune,
    "features": _add_features,
    "demo": _add_demo,
    "doctor": _add_doctor,
    "completion": _add_completion,
}

_OPTIONS = {
    "features": _add_fit,
    "finetune": _add_training,
    "list": _add_choosing,
    "predict": _add_whole_model,
}
"""What draws up options that take modules to be imported; the list of commands needs none of them."""

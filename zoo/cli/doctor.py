"""``zoo doctor``: what there is on this machine, and what of it is broken."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import disk_usage
from typing import Any

from converters.errors import counted
from converters.limits import Limits
from converters.version import VERSION
from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.tables import wrapped
from zoo.download.asking import TransferLimits
from zoo.download.sources import Mirror
from zoo.errors import ArgumentError, CacheError, RegistryError, ZooError
from zoo.extras import EXTRAS, how_to_install
from zoo.registry import VARIABLE, Layer, layers, load_registry, overlays_from_environment
from zoo.registry.families import brought, family_of
from zoo.registry.strict_yaml import read_yaml
from zoo.storage.cache import Cache, is_offline
from zoo.variables import default_home, path_variable

LIBRARIES = ("numpy", "h5py", "requests", "filelock", "PyYAML", "rich")
BACKENDS = ("tensorflow", "jax", "torch")
"""What Keras can run on."""

EXTRAS_FOR: Mapping[str, str] = {
    "dask": "`--cluster` with a Dask scheduler",
    "demo": "`zoo demo`",
    "drive": "checking the CRC-32C that Google Drive states",
    "finetune": "reading images, the strategy svm, reports of runs",
    "jax": "`zoo finetune` on several hosts",
    "mirror": "buckets (s3://)",
    "parquet": "`zoo features --format parquet`",
    "tf-keras": "`zoo upgrade --prove` against the old model",
}
"""What each extra is for."""

_PATIENCE = 300.0
"""Seconds for the import of a framework: on a slow disk the first one takes minutes."""

_WIDTH = 80


class Whole(str):
    """A line that is to be pasted, and therefore not wrapped."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found of one thing.

    Attributes:
        facts: What it is; JSON.
        lines: The same for a person.
        problems: What is broken, and what to do.
    """

    facts: Any
    lines: Sequence[str] = ()
    problems: Sequence[ZooError] = field(default=())


def run(arguments: argparse.Namespace) -> int:
    """Say what there is; fail if something is broken."""
    found = {name: look() for name, look in CHECKS.items()}
    problems = [(name, one) for name, finding in found.items() for one in finding.problems]
    if arguments.json:
        facts = {name: finding.facts for name, finding in found.items()}
        broken = [{"what": name, **output.error_object(problem)} for name, problem in problems]
        output.print_json({"healthy": not problems, **facts, "problems": broken})
    else:
        _print(found)
    for name, problem in problems:
        output.say(f"zoo: {name}: {problem}")
    return EXIT_FAILED if problems else EXIT_DONE


def _print(found: Mapping[str, Finding]) -> None:
    room = min(output.width() or _WIDTH, _WIDTH) - max(map(len, found)) - 2
    told = {}
    for name, finding in found.items():
        lines = [part for line in finding.lines for part in _wrapped(line, room)]
        if finding.problems:
            lines.append("broken: see below")
        if lines:
            told[name] = "\n".join(lines)
    output.print_facts(told)


def _wrapped(line: str, room: int) -> Sequence[str]:
    return [line] if isinstance(line, Whole) else wrapped(line, room)


def versions() -> Finding:
    """Return which version of this program runs on what."""
    facts = {
        "zoo": VERSION,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    told = f"{VERSION}, Python {facts['python']}, {facts['platform']}"
    return Finding(facts=facts | {"prefix": sys.prefix}, lines=[told])


def libraries() -> Finding:
    """Return the versions of the libraries that everything needs."""
    found = {name: installed(name) for name in LIBRARIES}
    missing = [name for name, number in found.items() if number is None]
    problems = [ArgumentError(f"{name} is missing: pip install {name}") for name in missing]
    told = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    return Finding(facts=found, lines=[told], problems=problems)


def installed(name: str) -> str | None:
    """Return the version of a library; ``None`` if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


_ASK = """
import json, keras
try:
    devices = keras.distribution.list_devices()
except Exception:
    devices = []
found = {"version": keras.__version__, "backend": keras.backend.backend(), "devices": devices}
print("\\n" + json.dumps(found))
"""


def keras(python: str = sys.executable) -> Finding:
    """Return which Keras runs on what, and the devices that it sees: asked of a process that may crash.

    Args:
        python: The interpreter.
    """
    backends = {name: installed(name) for name in BACKENDS}
    told = ", ".join(f"{name} {number}" if number else f"no {name}" for name, number in backends.items())
    try:
        found = _asked([python, "-c", _ASK])
    except ZooError as error:
        return Finding(facts={"backends": backends}, lines=[told], problems=[error])
    devices = ", ".join(map(str, found["devices"])) or "not told by this backend"
    line = f"{found['version']} on {found['backend']} ({told}); devices: {devices}"
    return Finding(facts={**found, "backends": backends}, lines=[line])


def _asked(command: Sequence[str]) -> dict[str, Any]:
    """Return the JSON in the last line that a process prints.

    Raises:
        ZooError: It failed; the last line that it said of it.
    """
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"} | os.environ
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            env=quiet,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ZooError(f"Keras cannot be imported: {error}") from error
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer
    said = [line for line in done.stderr.splitlines() if line.strip()]
    ended = f"its process ended with {done.returncode}"
    raise ZooError(f"Keras cannot be imported: {said[-1] if said else ended}; install its backend again")


def cache() -> Finding:
    """Return where the cache is, what it holds and how much room there is."""
    home = default_home()
    try:
        fault = unwritable(home)
        count, held = held_in(home)
        free = disk_usage(_existing(home)).free
        shared = Cache.from_environment()
    except OSError as error:
        fault = f"{home}: cannot be read: {error.strerror}"
        return Finding(facts={"home": str(home)}, lines=[Whole(home)], problems=[CacheError(fault)])
    facts = {
        "home": str(home),
        "files": count,
        "bytes": held,
        "free_bytes": free,
        "shared": str(shared.shared) if shared.shared else None,
    }
    lines = [
        Whole(home),
        f"{counted(count, 'file')}, {output.megabytes(held)}; {output.megabytes(free)} free",
    ]
    problems = [CacheError(text) for text in (fault, shared.problem) if text]
    return Finding(facts=facts, lines=lines, problems=problems)


def _existing(path: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def unwritable(home: Path) -> str | None:
    """Return why no file can be written into a folder, or made with it; ``None`` if one can."""
    there = _existing(home)
    try:
        if there == home:
            with tempfile.TemporaryFile(dir=home):
                return None
        if not there.is_dir():
            return f"{there}: is no folder, so that {home} cannot be made; ZOO_HOME names the folder to use"
    except OSError as error:
        return f"{home}: cannot be written: {error.strerror}; ZOO_HOME names the folder to use"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there}: {home.name} cannot be made in it; ZOO_HOME names the folder to use"
    return None


def held_in(folder: Path) -> tuple[int, int]:
    """Return how many files there are below a folder, and their bytes."""
    sizes = [(Path(root) / name).lstat().st_size for root, _, names in os.walk(folder) for name in names]
    return len(sizes), sum(sizes)


def registry() -> Finding:
    """Return how much the registry knows, and what each overlay says."""
    try:
        chosen = layers()
        known = load_registry().architectures
        said = [_layer(layer) for layer in chosen]
    except (RegistryError, ArgumentError) as error:
        return Finding(facts={}, problems=[error])
    networks, files = len(known), sum(len(network.weights) for network in known.values())
    facts = {
        "path": said[0]["path"],
        "architectures": networks,
        "files": files,
        "overlays": {one["path"]: one["counts"] for one in said if one["origin"] == VARIABLE},
        "layers": [{key: one[key] for key in _LAYER_FACTS} | one["counts"] for one in said],
    }
    lines = [Whole(said[0]["path"]), _counts_in_words(networks, files, "weights file")]
    families, problems = _plugged_families()
    for one in said[1:]:
        lines += [Whole(one["path"]), _layer_in_words(one)]
    lines += [f"family {one['family']}, of the plug-in {one['package']}" for one in families]
    return Finding(facts=facts | {"families": families}, lines=lines, problems=problems)


def _plugged_families() -> tuple[list[dict[str, str]], list[ZooError]]:
    """Return which families plug-ins bring, and what is wrong with those that cannot be imported."""
    problems: list[ZooError] = []
    for name in brought():
        try:
            family_of(name)
        except RegistryError as error:
            problems.append(error)
    found = ((name, entry) for name, entries in brought().items() for entry in entries)
    return [{"family": name, "package": entry.package} for name, entry in found], problems


_LAYER_FACTS = ("path", "origin", "package")

_LAYER: Mapping[str, str] = {
    "plug-in": "the plug-in {package}: {counts}",
    "own": "your own, lays over: {counts}",
    VARIABLE: "lays over: {counts}",
}
"""What is said of a layer, by its origin."""


def _layer_in_words(one: Mapping[str, Any]) -> str:
    counts = _counts_in_words(one["counts"]["architectures"], one["counts"]["files"], "file")
    return _LAYER[one["origin"]].format(package=one["package"], counts=counts)


def _counts_in_words(networks: int, files: int, what: str) -> str:
    return f"{counted(networks, 'architecture')}, {counted(files, what)}"


def _layer(layer: Layer) -> dict[str, Any]:
    counts = _counts(read_yaml(layer.path, layer.label))
    return {"path": str(layer.path), "origin": layer.origin, "package": layer.package, "counts": counts}


def _counts(raw: Mapping[str, Any]) -> dict[str, int]:
    """Return how many architectures an overlay has something to say of, and how many files."""
    networks = raw.get("architectures") or {}
    files = sum(len(network.get("weights") or ()) for network in networks.values())
    return {"architectures": len(networks), "files": files}


def _one_or_none(name: str) -> None:
    if os.environ[name] not in ("", "0", "1"):
        raise ArgumentError(f"{name}={os.environ[name]!r}: counts as 1; write 1 or 0")


SETTINGS: Mapping[str, Callable[[], object]] = {
    "ZOO_HOME": lambda: path_variable("ZOO_HOME"),
    "ZOO_SHARED": lambda: path_variable("ZOO_SHARED"),
    "ZOO_MIRROR": Mirror.from_environment,
    "ZOO_OFFLINE": lambda: _one_or_none("ZOO_OFFLINE"),
    "ZOO_PLUGINS": lambda: _one_or_none("ZOO_PLUGINS"),
    "ZOO_QUIET": lambda: _one_or_none("ZOO_QUIET"),
    "ZOO_REGISTRY": overlays_from_environment,
    "ZOO_RETRY_SECONDS": TransferLimits.from_environment,
    "ZOO_LIMITS": Limits.from_environment,
}
"""Every variable that counts, and what finds out whether its value is one that it may have."""


def settings() -> Finding:
    """Return what is set of the variables of this program, and which of it is wrong."""
    stated = {name: value for name, value in sorted(os.environ.items()) if name.startswith("ZOO_")}
    problems = [error for name in stated for error in _mistakes(name)]
    shown = {name: re.sub(r"//[^/@]*@", "//...@", value) for name, value in stated.items()}
    network = "forbidden (ZOO_OFFLINE)" if is_offline() else "allowed"
    mirror = "asked first" if shown.get("ZOO_MIRROR") else "none"
    lines = [f"network: {network}; mirror: {mirror}"]
    lines += [Whole(f"{name}={value}") for name, value in shown.items()] or ["no ZOO_ variable is set"]
    return Finding(facts=shown, lines=lines, problems=problems)


def _mistakes(name: str) -> Iterable[ZooError]:
    if name not in SETTINGS:
        yield ArgumentError(f"{name}: there is no such setting; there is {', '.join(SETTINGS)}")
        return
    try:
        SETTINGS[name]()
    except ZooError as error:
        yield error


def extras() -> Finding:
    """Return which extras are missing, and what each would be for."""
    missing = {name: missing_of(name) for name in EXTRAS}
    lacking = [name for name, without in missing.items() if without]
    lines: list[str] = []
    if lacking:
        lines.append("missing: " + "; ".join(f"{name}, for {EXTRAS_FOR[name]}" for name in lacking))
        wanted = dict.fromkeys(requirement for name in lacking for requirement in EXTRAS[name])
        lines.append(Whole(" ".join(["pip install", *(f"'{requirement}'" for requirement in wanted)])))
    facts = {
        name: {"for": EXTRAS_FOR[name], "missing": without, "install": how_to_install(name)}
        for name, without in missing.items()
    }
    return Finding(facts=facts, lines=lines or ["none is missing"])


def missing_of(extra: str) -> list[str]:
    """Return which libraries of an extra are not installed."""
    names = (re.split(r"[^\w.-]", requirement)[0] for requirement in EXTRAS[extra])
    return [name for name in names if installed(name) is None]


CHECKS: Mapping[str, Callable[[], Finding]] = {
    "zoo": versions,
    "libraries": libraries,
    "Keras": keras,
    "cache": cache,
    "registry": registry,
    "settings": settings,
    "extras": extras,
}
"""What is looked at, in the order in which it is shown."""

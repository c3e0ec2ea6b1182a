"""Features of many small pictures by two workers: what each process holds, and what a kill costs.

    python -m benchmarks.clusters [PICTURES]

Prints the memory of the process that shares out and of each worker while it lasts, kills a worker in the
middle, stops everything, and shows that the second run takes what the first has done.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

_NETWORK, _SIDE = "mobilenet_0.25", 32
_EVERY = 0.5  # seconds
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


def main(pictures: int) -> None:
    """Draw the pictures, run twice, print the figures as JSON."""
    with tempfile.TemporaryDirectory(prefix="zoo-clusters-") as folder:
        photos, out = Path(folder, "photos"), Path(folder, "features")
        _draw(photos, pictures)
        first = _run(photos, out, until=pictures // 512 // 2)
        second = _run(photos, out, until=None)
    print(json.dumps({"pictures": pictures, "stopped in the middle": first, "resumed": second}, indent=1))


def _draw(photos: Path, count: int) -> None:
    drawn = np.random.default_rng(0)
    for number in range(count):
        folder = photos / f"class{number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = drawn.integers(0, 256, (24, 24, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06d}.png", compress_level=0)


def _run(photos: Path, out: Path, *, until: int | None) -> dict[str, object]:
    """Compute features; kill a worker when half of so many files are there, and all when all of them are."""
    options = ["--weights", "none", "--input-size", str(_SIDE), "--cluster", "local:2", "--json"]
    command = [sys.executable, "-m", "zoo", "features", _NETWORK, str(photos), "--out", f"{out}/", *options]
    start, killed = time.monotonic(), 0
    memory: dict[int, dict[int, int]] = defaultdict(dict)
    settings = {"stdout": subprocess.PIPE, "env": {**os.environ, **_QUIET}, "preexec_fn": _heed}
    with subprocess.Popen(command, **settings) as process:
        while process.poll() is None:
            time.sleep(_EVERY)
            done = len(list(out.glob("shard-*"))) if out.is_dir() else 0
            for one in _below(process.pid):
                memory[one][done] = _resident(one) or memory[one].get(done, 0)
            if until is not None and not killed and done >= until // 2:
                killed = max(memory, key=lambda one: memory[one].get(done, 0))
                os.kill(killed, signal.SIGKILL)
            if until is not None and done >= until:
                process.send_signal(signal.SIGINT)
        told = process.communicate()[0]
    report = json.loads(told) if process.returncode == 0 else {}
    return {
        "seconds": round(time.monotonic() - start, 1),
        "exit code": process.returncode,
        "a worker killed": bool(killed),
        "files": len(list(out.glob("shard-*.npz"))),
        "rows": report.get("rows"),
        "taken": report.get("taken"),
        "MB of each process, by files that are there": [
            _course(course) for course in memory.values() if max(course.values()) > 50 << 20
        ],
    }


def _heed() -> None:
    """Let Ctrl-C be heard, which what runs in the background of a shell ignores."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _course(by_files: dict[int, int]) -> dict[int, int]:
    """Return what a process held at about eight points of its life, in MB."""
    files = sorted(by_files)
    return {done: by_files[done] >> 20 for done in files[:: max(1, len(files) // 8)]}


def _below(root: int) -> list[int]:
    """Return a process and all that it started, directly or not."""
    parents: dict[int, list[int]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.read_text().rpartition(")")[2].split()[1])].append(int(stat.parent.name))
        except OSError:  # it has ended
            continue
    found = [root]
    for one in found:
        found += parents[one]
    return found


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)

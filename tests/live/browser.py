# SPDX-License-Identifier: MIT
"""A headless Chromium, spoken to through its own chromedriver in the W3C WebDriver protocol."""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference
KEYS = {"tab": "\ue004", "enter": "\ue007", "home": "\ue011", "left": "\ue012", "right": "\ue014", "escape": "\ue00c",
        "down": "\ue015"}
# As root there is no sandbox, and containers have a small /dev/shm.
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
             "--force-device-scale-factor=1", "--no-first-run", "--disable-extensions", "--disable-background-networking"]


class BrowserError(Exception):
    """The browser or its driver said no."""


def missing():
    """Names of the programs that are not installed."""
    return [name for name in ("chromium", "chromedriver") if not shutil.which(name)]


class Browser:
    """One window; it ends with its `with` block."""

    def __init__(self, width=1280, height=900):
        self.profile = tempfile.mkdtemp(prefix="genscope-browser-")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, text=True, start_new_session=True, env={**os.environ, "HOME": self.profile})
        self.session = None
        try:
            self.root = f"http://127.0.0.1:{self.port()}"
            self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
                "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": [
                    *ARGUMENTS, f"--user-data-dir={self.profile}/profile", f"--window-size={width},{height}"]}}}})["sessionId"]
        except BaseException:
            self.close()
            raise

    def port(self):
        """It chooses one itself, and says so."""
        for line in self.driver.stdout:
            if "was started successfully on port" in line:
                return int(line.rsplit(" ", 1)[1].strip(" .\n"))
        raise BrowserError(f"chromedriver ended with {self.driver.wait()}")

    def call(self, method, path, body=None):
        where = self.root + (f"/session/{self.session}" if self.session else "") + path
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(where, sent, {"Content-Type": "application/json"}, method=method)
        # a machine's proxy is not for its own loopback
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            told = json.load(error)["value"]
            raise BrowserError(f"{told['error']}: {told['message'].splitlines()[0]}") from None

    def open(self, path):
        self.call("POST", "/url", {"url": "file://" + os.path.abspath(path)})

    def script(self, code, *args):
        """What the code of a function returns."""
        return self.call("POST", "/execute/sync", {"script": code, "args": list(args)})

    def until(self, code, what, timeout=60):
        """Waits until the expression is true."""
        end = time.monotonic() + timeout
        while not self.script(f"return Boolean({code})"):
            if time.monotonic() > end:
                raise BrowserError(f"in {timeout} s it did not come to this: {what}")
            time.sleep(0.05)

    def element(self, selector):
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.call("POST", f"/element/{self.element(selector)}/click", {})

    def type(self, selector, text):
        self.call("POST", f"/element/{self.element(selector)}/value", {"text": text})

    def press(self, *keys):
        """Keys for whatever has the focus."""
        actions = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def wheel(self, selector, lines):
        """Turns the wheel over the middle of an element."""
        origin = {ELEMENT: self.element(selector)}
        self.call("POST", "/actions", {"actions": [{"type": "wheel", "id": "wheel", "actions": [
            {"type": "scroll", "x": 0, "y": 0, "deltaX": 0, "deltaY": lines, "duration": 0, "origin": origin}]}]})

    def drag(self, selector, by):
        """Takes hold of the middle of an element and moves sideways."""
        origin = {ELEMENT: self.element(selector)}
        move = {"type": "pointerMove", "duration": 20, "y": 0}
        self.call("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [
            {**move, "x": 0, "origin": origin}, {"type": "pointerDown", "button": 0},
            {**move, "x": by // 2, "origin": origin}, {**move, "x": by, "origin": origin}, {"type": "pointerUp", "button": 0}]}]})

    def resize(self, width, height):
        self.call("POST", "/window/rect", {"width": width, "height": height})

    def console(self):
        """What the page's console was told since the last time."""
        return self.call("POST", "/se/log", {"type": "browser"})

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", "/screenshot")))

    def close(self):
        if self.session:
            try:
                self.call("DELETE", "")
            except (BrowserError, OSError):
                pass
        try:
            os.killpg(self.driver.pid, signal.SIGKILL)  # with what it has started, should that still run
        except ProcessLookupError:
            pass
        self.driver.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

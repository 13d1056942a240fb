#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
make screenshots: pictures of the dashboard in contrib/grafana, of a real scene: three programs (scene/), their exporter, a
Prometheus. They are drawn by Grafana's own libraries, in a headless Chromium, without a Grafana; see page/. What is
empty, or has no name, is told: it is a flaw of the dashboard, or of the scene.
"""
import argparse
import contextlib
import functools
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests" / "live"))

from browser import Browser, BrowserError, missing  # noqa: E402
from procs import Process, Timeout  # noqa: E402
from prometheus import Prometheus, free_port  # noqa: E402

SCRAPE_SECONDS = 2
OVERHEAD_PERCENT = 0  # no limit: small programs on a busy machine soon spend the one percent of the default
SETTLE_SECONDS = 10  # a rate wants two scrapes, and attaching takes its time
WEIGHTS = {"Regular": 400, "Medium": 500}  # of Inter, Grafana's font
WIDTH, THEMES = 1600, ("dark", "light")
DRAWN_TIMEOUT = 60


class Failed(Exception):
    pass


class Files(http.server.SimpleHTTPRequestHandler):
    """The page, what it is made of, and the dashboard."""

    def translate_path(self, path):
        path = urllib.parse.urlsplit(path).path
        if path == "/dashboard.json":
            return str(ROOT / "contrib" / "grafana" / "genscope.json")
        if path.startswith("/public/build/"):  # icons
            path = "/node_modules/@grafana/ui/dist/public/" + path.removeprefix("/public/build/")
        font = re.fullmatch(r"/public/fonts/inter/Inter-(\w+)\.woff2", path)
        if font and font.group(1) in WEIGHTS:
            path = f"/node_modules/@fontsource/inter/files/inter-latin-{WEIGHTS[font.group(1)]}-normal.woff2"
        return super().translate_path(path)

    def log_message(self, *_):
        pass


class Scraper(Prometheus):
    """One that evaluates the alerts, too."""

    def __init__(self, address, folder):
        config, self.port = os.path.join(folder, "prometheus.yml"), free_port()
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
                       "rule_files": [str(ROOT / "contrib" / "prometheus" / "genscope.rules.yml")],
                       "scrape_configs": [{"job_name": "genscope", "static_configs": [{"targets": [address]}]}]}, file)
        Process.__init__(self, ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                                f"--web.listen-address=127.0.0.1:{self.port}"])


@contextlib.contextmanager
def served(folder):
    """The address of a folder's files."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def scene(options, folder):
    """Programs, exporter and Prometheus; the latter."""
    with contextlib.ExitStack() as stack:
        programs = sorted((HERE / "scene").glob("*.py"))
        targets = [stack.enter_context(Process([options.python, program])) for program in programs]
        words = [word for target in targets for word in ("-p", target.pid)]
        words += [word for program in programs for word in ("--label", f"{program.stem}=*/{program.name}*")]
        address = f"127.0.0.1:{free_port()}"
        exporter = stack.enter_context(Process([options.genscope, "export", "--listen", address, "--max-overhead",
                                                OVERHEAD_PERCENT, *words]))
        exporter.await_line(exporter.err_queue, "genscope: metrics at", 20)
        prometheus = stack.enter_context(Scraper(address, folder))
        prometheus.until('count(genscope_targets{status="traced"} > 0)', bool)
        yield prometheus
        for process in (*targets, exporter, prometheus):
            if process.child.poll() is not None:
                raise Failed(process.tell())


def flaws(drawn):
    """What somebody who looks at it would complain of."""
    for variable in drawn["variables"]:
        if not variable["choices"]:
            yield f"variable {variable['name']}: nothing to choose"
    for panel in drawn["panels"]:
        if panel.get("error"):
            yield f"“{panel['title']}”: {panel['error']}"
        elif not panel["series"]:
            yield f"“{panel['title']}”: empty"
        for series in panel["series"] if panel["type"] in ("timeseries", "heatmap") else ():
            if not series["name"].strip() or re.search(r"[{}]", series["name"]):
                yield f"“{panel['title']}”: a series is called “{series['name']}”"
            elif not series["numbers"]:
                yield f"“{panel['title']}”: {series['name']}: no number in it"


def take(browser, url, path):
    """One picture of the whole page; what the page says of it."""
    browser.call("POST", "/url", {"url": url})
    browser.until("window.drawn || window.failed", "the page is drawn", DRAWN_TIMEOUT)
    failed = browser.script("return window.failed")
    if failed:
        raise Failed(f"the page: {failed}")
    time.sleep(2)  # icons, and layouts that look at their own size
    browser.resize(WIDTH, browser.script("return document.documentElement.scrollHeight + outerHeight - innerHeight"))
    time.sleep(1)
    with tempfile.NamedTemporaryFile(suffix=".png") as whole:
        browser.screenshot(whole.name)
        subprocess.run(["pngquant", "--force", "--strip", "--speed", "1", "--output", path, "256", whole.name], check=True)
    return browser.script("return window.drawn")


def pictures(options, prometheus, began):
    with served(options.build) as page, Browser(WIDTH, 1000) as browser:
        for theme in THEMES:
            asked = urllib.parse.urlencode({"prometheus": prometheus.port, "scrape": SCRAPE_SECONDS, "theme": theme,
                                            "from": int(began), "to": int(began) + options.seconds})
            path = os.path.join(options.output, f"dashboard-{theme}.png")
            drawn = take(browser, f"{page}/index.html?{asked}", path)
            print(f"screenshots: {path}: {os.path.getsize(path) >> 10} KiB, {len(drawn['panels'])} panels")
        for line in flaws(drawn):
            print(f"screenshots: {line}")
        for line in browser.console():
            if line["level"] == "SEVERE":
                print(f"screenshots: the page's console: {line['message']}")


def main():
    parser = argparse.ArgumentParser(description="Draw the dashboard of a real scene.")
    parser.add_argument("--genscope", required=True, help="the program that was built")
    parser.add_argument("--python", default=sys.executable, help="which runs the scene's programs")
    parser.add_argument("--build", required=True, help="where page.js and node_modules are")
    parser.add_argument("--output", required=True, help="the pictures' folder")
    parser.add_argument("--seconds", type=int, default=180, help="of the scene")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends with its `with` block
    if missing():
        print(f"screenshots: not installed: {' '.join(missing())}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        try:
            with scene(options, folder) as prometheus:
                time.sleep(SETTLE_SECONDS)
                began = time.time()
                print(f"screenshots: the scene runs for {options.seconds} s", flush=True)
                time.sleep(options.seconds)
                pictures(options, prometheus, began)
        except (Failed, Timeout, BrowserError, OSError, subprocess.CalledProcessError) as error:
            print(f"screenshots: FAILED: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

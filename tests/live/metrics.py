# SPDX-License-Identifier: MIT
"""Pages of metrics: fetched from `genscope export`, read, and asked for samples."""

import re
import time
import urllib.error
import urllib.request

from procs import Timeout, Tool

SAMPLE = re.compile(r'^(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: # .*)?$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Page:
    def __init__(self, text, content_type=""):
        self.text, self.content_type = text, content_type
        self.samples = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                found = SAMPLE.match(line)
                if not found:
                    raise ValueError(f"no sample: {line!r}")
                labels = {key: re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value)
                          for key, value in LABEL.findall(found["labels"] or "")}
                self.samples.append((found["name"], labels, float(found["value"])))

    def all(self, name, **wanted):
        """Values of a name by labels that have (function= by its end) what is wanted."""
        return [value for sample, labels, value in self.samples if sample == name and
                all(labels.get(key, "").endswith(word) if key == "function" else labels.get(key) == word
                    for key, word in wanted.items())]

    def sum(self, name, **wanted):
        return sum(self.all(name, **wanted))

    def has(self, name):
        return any(sample == name for sample, _, _ in self.samples)


class Exporter(Tool):
    """genscope export on a port of its own; `before`: words of a command that starts it."""

    def __init__(self, genscope, *words, before=()):
        super().__init__(genscope, *before, "export", "--listen", "127.0.0.1:0", *words)
        line = self.await_line(self.err_queue, "genscope: metrics at ", 20)
        self.url = line.split(" at ")[1].strip()
        self.attached()

    def get(self, path="/metrics", accept=None):
        request = urllib.request.Request(self.url.replace("/metrics", path), headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode(), answer.headers["Content-Type"]

    def scrape(self, accept=None):
        return Page(*self.get(accept=accept))

    def until(self, what, condition, timeout=60):
        """Scrapes until a page fulfils the condition; that page."""
        deadline = time.monotonic() + timeout
        while True:
            page = self.scrape()
            if condition(page):
                return page
            if time.monotonic() > deadline:
                raise Timeout(f"not within {timeout} s: {what}")
            time.sleep(0.1)

# SPDX-License-Identifier: MIT
"""A real Prometheus that scrapes an exporter each second, and what it answers to PromQL."""

import contextlib
import json
import os
import random
import socket
import time
import urllib.parse
import urllib.request

from procs import Process, Timeout

PORTS = range(20000, 32000)  # below those that the kernel gives to outgoing connections (ip_local_port_range)


def free_port():
    """Free now; whoever asks for it by number may still have it taken away."""
    while True:
        with socket.socket() as one, contextlib.suppress(OSError):
            port = random.choice(PORTS)
            one.bind(("127.0.0.1", port))
            return port


class Prometheus(Process):
    """Its files lie in `folder`."""

    def __init__(self, url, folder):
        config, self.port = os.path.join(folder, "prometheus.yml"), free_port()
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [{
                "job_name": "genscope", "static_configs": [{"targets": [url.split("/")[2]]}]}]}, file)
        super().__init__(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                          "--enable-feature=exemplar-storage", f"--web.listen-address=127.0.0.1:{self.port}"])

    def query(self, text):
        """(labels, value) of each row."""
        words = urllib.parse.urlencode({"query": text})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{words}", timeout=5) as answer:
            return [(row["metric"], float(row["value"][1])) for row in json.load(answer)["data"]["result"]]

    def until(self, text, condition, timeout=30):
        """Asks until the rows fulfil the condition; those rows."""
        deadline = time.monotonic() + timeout
        rows = None
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                rows = self.query(text)
                if condition(rows):
                    return rows
            time.sleep(0.3)
        raise Timeout(f"{text}: {rows}")

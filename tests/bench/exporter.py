# SPDX-License-Identifier: MIT
"""`genscope export` on a port of its own: started, asked for pages, ended; and what it takes meanwhile."""
import ctypes
import os
import gzip
import signal
import subprocess
import time
import urllib.request

from modes import Missing
from target import Lines, wait

# As Prometheus asks.
AS_PROMETHEUS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
                 "Accept-Encoding": "gzip"}
LIBC = ctypes.CDLL(None, use_errno=True)


def processor_seconds(pid):
    """All that a process has used, threads that have ended included."""
    clock = ctypes.c_int()
    error = LIBC.clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise RuntimeError(f"the clock of process {pid}: {os.strerror(error)}")
    return time.clock_gettime(clock.value)


def memory_mib(pid):
    """Resident now, and at most until now."""
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


def samples(page, name):
    """(labels as they are written, value) of a metric's lines."""
    for line in page.splitlines():
        if line.startswith((name + "{", name + " ")):
            labels, _, value = line.removeprefix(name).rpartition(" ")
            yield labels, float(value)


def total(page, name):
    return sum(value for _, value in samples(page, name))


class Exporter:
    """Of these processes only: what else the machine runs is left out."""

    def __init__(self, genscope, pids, *options):
        targets = [word for pid in pids for word in ("-p", str(pid))]
        self.process = subprocess.Popen([genscope, "export", "--listen", "127.0.0.1:0", *targets, *options],
                                        bufsize=0, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.pid, self.lines = self.process.pid, Lines(self.process.stderr)
        try:
            self.url = self.await_line("genscope: metrics at ").split(" at ")[1].strip()
            self.await_line("genscope: attached")
        except BaseException:
            self.kill()
            raise
        self.attached = time.monotonic()

    def await_line(self, beginning):
        said = ""
        while line := self.lines.next():
            if line.startswith(beginning):
                return line
            said += line
        raise Missing(said)

    def answer(self, headers):
        with urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=30) as answer:
            return answer.read()

    def page(self):
        """In the text format, to be read here."""
        return self.answer({}).decode()

    def scrape(self):
        """As Prometheus does: milliseconds until all is there, bytes sent, bytes of the page."""
        start = time.perf_counter()
        body = self.answer(AS_PROMETHEUS)
        taken = time.perf_counter() - start
        return taken * 1e3, len(body), len(gzip.decompress(body))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        wait(self.process)
        if self.process.returncode:
            raise Missing(f"genscope export ended with {self.process.returncode}")

    def kill(self):
        """Where it is not to be measured any more."""
        if self.process.returncode is None:
            self.process.kill()
            wait(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()

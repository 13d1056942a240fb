# SPDX-License-Identifier: MIT
"""The interpreters under test, and where their programs lie: a copy of tests/targets in each root."""

import os
import shutil
import subprocess
import tempfile
import time

TARGETS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "targets")


class Interp:
    def __init__(self, version, kind, path, root=""):
        self.version, self.kind, self.path, self.root = version, kind, path, root
        self.minor = int(version.split(".")[1])
        self.label = f"{version}-{kind}"
        self.host_dir = None

    @property
    def exe(self):
        """The interpreter as the host sees it."""
        return os.path.realpath(self.root + self.path) if not self.root else self.root + self.path

    def inside(self, path):
        """A host path as the target sees it."""
        return path[len(self.root):] if self.root else path

    def command(self, script, *args):
        chroot = ["chroot", self.root] if self.root else []
        return [*chroot, self.path, os.path.join(self.inside(self.host_dir), script), *args]

    def run(self, script, *args, timeout=30):
        return subprocess.run(self.command(script, *args), capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, check=True).stdout

    def scratch(self):
        """A new folder that both sides can write: (host path, path inside)."""
        path = tempfile.mkdtemp(dir=self.host_dir)
        return path, self.inside(path)


def load(path):
    interps, seen = [], {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                interps.append(Interp(*line.rstrip("\n").split("\t")))
    for interp in interps:
        count = seen[interp.label] = seen.get(interp.label, 0) + 1
        if count > 1:
            interp.label += f"-{count}"
    return interps


class Homes:
    """Copies of tests/targets, one in each root; gone when the run is over."""

    def __init__(self, interps):
        self.paths = {}
        for interp in interps:
            if interp.root not in self.paths:
                path = tempfile.mkdtemp(prefix="genscope-tests-", dir=interp.root + "/tmp")
                os.chmod(path, 0o755)
                shutil.copytree(TARGETS, path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
                self.paths[interp.root] = path
            interp.host_dir = self.paths[interp.root]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for path in self.paths.values():
            deadline = time.monotonic() + 3
            while os.path.exists(path) and time.monotonic() < deadline:  # a dying target may still write there
                shutil.rmtree(path, ignore_errors=True)

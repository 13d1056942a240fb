# SPDX-License-Identifier: MIT
"""The programs that are measured, in an interpreter that may live in another root."""
import json
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def interpreters(path):
    """The default builds of a list made by tests/interpreters.sh: (name, path, root or None)."""
    seen = {}
    for line in open(path):
        version, kind, binary, *root = line.rstrip("\n").split("\t")
        if kind != "debug":
            seen.setdefault(f"{version}-{kind}", (binary, root[0] if root else None))
    return [(name, binary, root) for name, (binary, root) in sorted(seen.items())]


class Target:
    """A script of this folder, started; it says `ready` and waits for a line."""

    def __init__(self, binary, root, script, *args):
        path = os.path.join(HERE, script)
        self.command = [binary]
        if root:
            copy = os.path.join(root, "tmp", f"genscope-{os.getpid()}-{script}")
            shutil.copy(path, copy)
            path = copy[len(root):]
            self.command = ["chroot", root, binary]
        self.process = subprocess.Popen(self.command + [path, *map(str, args)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError("the target did not start")
        self.pid = self.process.pid

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        line = self.process.stdout.readline()
        self.process.wait()
        return json.loads(line)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

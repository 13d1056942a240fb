# SPDX-License-Identifier: MIT
"""The programs that are measured, in an interpreter that may live in another root, and the tools that watch them."""
import json
import os
import select
import shutil
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 120.0    # seconds; nothing that is measured takes so long


def listed(path):
    """A list made by tests/interpreters.sh: (version, kind, path, root or None)."""
    with open(path) as file:
        for line in file:
            version, kind, binary, *root = line.rstrip("\n").split("\t")
            yield version, kind, binary, root[0] if root else None


def interpreters(path, every=False):
    """(name, path, root or None) of one default build of each version, a static one if there is; or of all builds."""
    rows = sorted(listed(path), key=lambda row: (row[0], row[1] == "debug", row[1] != "static"))
    chosen = {}
    for version, kind, binary, root in rows:
        if every:
            place = os.path.basename(root) if root else "host"
            chosen[f"{version}-{kind}-{place}"] = (binary, root)
        elif kind != "debug":
            chosen.setdefault(version, (binary, root))
    return [(name, *where) for name, where in chosen.items()]


class Lines:
    """Lines of a pipe, waited for only so long. An empty one is the pipe's end."""

    def __init__(self, file):
        self.file, self.kept = file, b""

    def next(self, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while b"\n" not in self.kept:
            ready, _, _ = select.select([self.file], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise RuntimeError("no answer in time")
            got = os.read(self.file.fileno(), 65536)
            if not got:
                break
            self.kept += got
        line, newline, self.kept = self.kept.partition(b"\n")
        return (line + newline).decode()


def wait(process, seconds=PATIENCE):
    """What a child used, once it has ended; it is killed when it does not."""
    handle = os.pidfd_open(process.pid)
    if not select.select([handle], [], [], seconds)[0]:
        process.kill()
    os.close(handle)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()
    return usage


class Target:
    """A script of this folder, started; it says `ready` and waits for a line."""

    def __init__(self, binary, root, script, *args):
        path = os.path.join(HERE, script)
        self.binary, self.root = binary, root
        self.command = [binary]
        if root:
            copy = os.path.join(root, "tmp", f"genscope-{os.getpid()}-{script}")
            shutil.copy(path, copy)
            path = copy[len(root):]
            self.command = ["chroot", root, binary]
        self.process = subprocess.Popen(self.command + [path, *map(str, args)], bufsize=0,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid, self.lines = self.process.pid, Lines(self.process.stdout)
        try:
            if self.lines.next().strip() != "ready":
                raise RuntimeError(f"{script} did not start in {binary}")
        except RuntimeError:
            self.kill()
            raise
        finally:
            if root:
                os.unlink(copy)

    def go(self, command=""):
        self.process.stdin.write(command.encode() + b"\n")

    def answer(self):
        """What it says of itself; it runs on."""
        line = self.lines.next()
        if not line:
            raise RuntimeError("the target died")
        return json.loads(line)

    def round(self, command="plain"):
        self.go(command)
        return self.answer()

    def result(self):
        """Its answer, and its end."""
        answer = self.answer()
        wait(self.process)
        return answer

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        wait(self.process)

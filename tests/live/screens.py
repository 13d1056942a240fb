# SPDX-License-Identifier: MIT
"""A terminal of a test: tmux on a socket of its own, with one command in it, and what its screen shows."""

import itertools
import os
import shlex
import shutil
import subprocess
import time

from harness import Failure, Skip, check
from procs import LIVE, Timeout

NUMBERS = itertools.count()
PATIENCE_S = 60  # with whatever has to come
TITLES = ("LIVE", "CRE", "RUN", "SUSP", "CLO", "TRANS/S", "RUN P99", "OLDEST", "KIND", "FUNCTION", "WHERE")
WIDE = {"CREATED": "CRE", "RUNNING": "RUN", "SUSPENDED": "SUSP", "CLOSED": "CLO"}


class Screen:
    """Runs a command between two looks at the terminal's modes; `before`, `after` and `status` are its files."""

    def __init__(self, folder, argv, width=80, height=24, env=None, errors=None):
        if not shutil.which("tmux"):
            raise Skip("tmux is not installed")
        self.folder = folder
        self.socket = os.path.join(folder, f"tmux-{next(NUMBERS)}")  # goes with the folder
        self.environment = {**os.environ, "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh", **(env or {})}
        command = shlex.join(str(word) for word in argv) + (f" 2> {shlex.quote(errors)}" if errors else "")
        script = (f"cd {shlex.quote(folder)}; echo earlier; stty -a > before; set -m; {command}; echo $? > status.new; "
                  "stty -a > after; mv status.new status; exec sleep 1000")
        LIVE.add(self)
        self.tmux("-f", "/dev/null", "-u", "new-session", "-d", "-x", str(width), "-y", str(height),
                  f"exec sh -c {shlex.quote(script)}")

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-S", self.socket, *words], capture_output=True, text=True, check=False,
                              timeout=PATIENCE_S, env=self.environment)
        if done.returncode:
            raise Failure(f"tmux {words}: {done.stderr.strip()}")
        return done.stdout

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def lines(self):
        return self.tmux("capture-pane", "-p").splitlines()

    def text(self):
        return "\n".join(self.lines())

    def modes(self):
        """Is the alternate screen on, is the cursor seen?"""
        return self.tmux("display", "-p", "#{alternate_on}#{cursor_flag}").strip()

    def until(self, what, fn, timeout=PATIENCE_S):
        """Look until fn(lines) is true; what it returns."""
        deadline = time.monotonic() + timeout
        while True:
            lines = self.lines()
            found = fn(lines)
            if found:
                return found
            if time.monotonic() > deadline:
                raise Timeout(f"{what}: not within {timeout} s on this screen:\n" + "\n".join(lines).rstrip())
            time.sleep(0.05)

    def shows(self, text, timeout=PATIENCE_S):
        return self.until(f"'{text}'", lambda lines: any(text in line for line in lines), timeout)

    def table(self):
        """Once there is one: its rows."""
        return self.until("a table", rows_of)

    def until_cell(self, function, title, expected):
        def fits(lines):
            row = next((row for row in rows_of(lines) if row["FUNCTION"] == function), {})
            return row.get(title) == expected  # the column may be another one until a key has done its work
        self.until(f"{title} of {function} is {expected}", fits)

    def pid(self):
        """Of the command."""
        shell = self.tmux("display", "-p", "#{pane_pid}").strip()
        found = subprocess.run(["pgrep", "-P", shell, "-x", "genscope"], capture_output=True, text=True, check=False)
        check(found.stdout.strip(), "the command does not run")
        return int(found.stdout.split()[0])

    def signal(self, number):
        os.kill(self.pid(), number)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def ended(self, timeout=PATIENCE_S):
        """Wait for the command's end; its status."""
        path = os.path.join(self.folder, "status")
        self.until("the command ends", lambda lines: os.path.exists(path), timeout)
        return int(self.read("status"))

    def must_be_as_before(self):
        """The terminal is what it was, and shows what it showed."""
        after, before = self.read("after"), self.read("before")
        size = slice(after.find(";") + 1, None)  # the first line begins with the speed, then the size
        check(without_size(before) == without_size(after), f"modes of the terminal: {before}\nand then: {after[size]}")
        check(self.modes() == "01", f"alternate screen, cursor: {self.modes()}")
        self.shows("earlier")

    def kill(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, check=False, env=self.environment)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()
        LIVE.discard(self)


def without_size(modes):
    return [part for part in modes.replace("\n", ";").split(";") if "rows" not in part and "columns" not in part]


def titles_of(line):
    """Title -> where it begins and ends."""
    found, at = {}, 0
    for word in line.replace("RUN P99", "RUN_P99").split():
        begin = line.index(word.replace("_", " "), at)
        at = begin + len(word)
        found[WIDE.get(word, word.replace("_", " "))] = (begin, at)
    return found


def rows_of(lines):
    # The page of help explains LIVE at the begin of a line, too; only the table has FUNCTION on that line.
    head = next((at for at, line in enumerate(lines) if line.lstrip().startswith("LIVE ") and "FUNCTION" in line), None)
    if head is None:
        return []
    titles, rows = titles_of(lines[head]), []
    for line in lines[head + 1:-1]:
        if not line.strip():
            break
        row, end = {}, 0
        for title, (begin, stop) in titles.items():
            if title in ("KIND", "FUNCTION", "WHERE"):
                row[title] = line[begin:].split()[0] if line[begin:].strip() else ""
            else:
                row[title] = line[end:stop].strip()
            end = stop
        rows.append(row)
    return rows

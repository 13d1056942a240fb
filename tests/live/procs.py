# SPDX-License-Identifier: MIT
"""Processes of a test: the target, the tool. Each has a hard timeout and ends with its `with` block."""

import os
import queue
import signal
import subprocess
import threading
import time

READER_S = 30  # after the end of a process only a child of its own may still hold the pipe


class Timeout(Exception):
    pass


LIVE = set()


def kill_all():
    """For a run that is told to end at once."""
    for process in list(LIVE):
        process.kill()


class Process:
    """A child in its own process group, its output lines read by threads."""

    def __init__(self, argv, env=None, stdout=subprocess.PIPE):
        self.argv = [str(word) for word in argv]
        self.out, self.err = [], []
        self.out_queue, self.err_queue = queue.Queue(), queue.Queue()
        self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE,
                                      text=True, errors="replace", start_new_session=True,
                                      env={**os.environ, **(env or {})})
        LIVE.add(self)
        self.readers = []
        for pipe, lines, events in ((self.child.stdout, self.out, self.out_queue),
                                    (self.child.stderr, self.err, self.err_queue)):
            if pipe is not None:
                thread = threading.Thread(target=self.read, args=(pipe, lines, events), daemon=True)
                thread.start()
                self.readers.append(thread)

    @staticmethod
    def read(pipe, lines, events):
        for line in pipe:
            lines.append(line)
            events.put(line)
        events.put(None)

    @property
    def pid(self):
        return self.child.pid

    def await_line(self, events, prefix, timeout):
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = events.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise Timeout(f"no line {prefix!r} within {timeout} s from {self.tell()}") from None
            if line is None:
                raise Timeout(f"ended without a line {prefix!r}: {self.tell()}")
            if line.startswith(prefix):
                return line

    def tell(self):
        text = "".join(self.err)[-1500:] or "(nothing on stderr)"
        return f"{' '.join(self.argv[:6])} (status {self.child.poll()}): {text.strip()}"

    def say(self, text="go\n"):
        try:
            self.child.stdin.write(text)
            self.child.stdin.flush()
        except BrokenPipeError:
            pass

    def finish(self, timeout):
        """Wait for the end; its status."""
        try:
            status = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Timeout(f"still running after {timeout} s: {self.tell()}") from None
        for reader in self.readers:
            reader.join(READER_S)
        return status

    def signal(self, number):
        self.child.send_signal(number)

    def stderr(self):
        return "".join(self.err)

    def __enter__(self):
        return self

    def kill(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def __exit__(self, *exc):
        self.kill()
        self.child.wait()
        LIVE.discard(self)
        try:
            self.child.stdin.close()
        except BrokenPipeError:  # say() to a child that had ended: its text is still in the buffer
            pass


class Target(Process):
    """A Python program that stops at its barrier."""

    def __init__(self, interp, script, *args, env=None):
        super().__init__(interp.command(script, *args), env)

    def ready(self, timeout=60):
        self.target_pid = int(self.await_line(self.out_queue, "ready ", timeout).split()[1])
        return self.target_pid


class Tool(Process):
    """genscope itself."""

    def __init__(self, genscope, *args, **kwargs):
        super().__init__([genscope, *args], **kwargs)

    def attached(self, timeout=60):
        return self.await_line(self.err_queue, "genscope: attached", timeout)

    def seeded(self, timeout=60):
        """With -v: what is older than the run has been read, too."""
        return self.await_line(self.err_queue, "genscope: seeded", timeout)

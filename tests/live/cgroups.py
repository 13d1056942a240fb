# SPDX-License-Identifier: MIT
"""Cgroups of a test's own, each as good as a machine of its own for --cgroup."""

import contextlib
import os
import signal
import time

ROOTS = "/sys/fs/cgroup", "/sys/fs/cgroup/unified"


def hierarchy():
    """Where cgroup2 is mounted, None: nowhere."""
    return next((path for path in ROOTS if os.path.exists(path + "/cgroup.procs")
                 and os.path.exists(path + "/cgroup.controllers")), None)


@contextlib.contextmanager
def made(root, purpose):
    """The path of a new one; what is left in it at the end is killed."""
    group = os.path.join(root, f"genscope-{purpose}-{os.getpid()}-{time.monotonic_ns()}")
    os.mkdir(group)
    try:
        yield group
    finally:
        with contextlib.suppress(OSError), open(group + "/cgroup.procs", encoding="utf-8") as left:
            for pid in left.read().split():
                os.kill(int(pid), signal.SIGKILL)
        for _ in range(50):
            with contextlib.suppress(OSError):
                os.rmdir(group)
                break
            time.sleep(0.1)


def enter(group, pid):
    with open(group + "/cgroup.procs", "w", encoding="utf-8") as file:
        file.write(str(pid))


def inside(group, command):
    """The command, started in that cgroup: in it before it is an interpreter."""
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', group, *command]

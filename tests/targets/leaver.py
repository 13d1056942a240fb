# SPDX-License-Identifier: MIT
"""What is alive at the end of a process: leaver.py TRUTH_FILE HOW.

HOW: exit (the interpreter closes what it can), inside (sys.exit in a generator), hard (os._exit), daemon (a thread
runs a generator when the process ends).
"""

import os
import sys
import threading
import time

import scope


def leftover(out):
    try:
        yield 1
    finally:
        os.write(out, b"x")


def plain():
    yield 1
    yield 2


def exits():
    yield 1
    sys.exit(0)


def endless():
    while True:
        yield time.sleep(0.001)


def keep(number):
    """Module globals: they live until the interpreter takes the module apart."""
    out = os.open(PATH + ".closed", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
    for i in range(number):
        globals()[f"kept_{i}"] = leftover(out)
        next(globals()[f"kept_{i}"])


PATH, HOW = sys.argv[1:]
scope.barrier()
keep(3)
alive = plain()
next(alive)
if HOW in ("exit", "inside"):
    scope.expect("leftover", births=3, closed=3, via_finalize=3)
else:
    scope.expect("leftover", births=3, closed=0, freed=0)
scope.expect("plain", births=1, via_create=1)
scope.rec.write(PATH)
if HOW == "hard":
    os._exit(0)
if HOW == "inside":
    g = exits()
    next(g)
    next(g)
if HOW == "daemon":
    threading.Thread(target=lambda: list(endless()), daemon=True).start()
    time.sleep(0.05)
    os._exit(0)

# SPDX-License-Identifier: MIT
"""Sub-interpreters with objects of their own, each run by a thread that stands in a running generator."""

import os
import sys
import threading

import subinterpreters

NUMBER = 2
SCRIPT = """
import sys
sys.path[:] = {path!r}
import gc, os, threading
import parked_coros, parked_gens, parked_truth

def stands(number):
    yield number
    serve({down}, {up})

def serve(down, up):
    buffer = b""
    while True:
        while b"\\n" not in buffer:
            got = os.read(down, 4096)
            if not got:
                return
            buffer += got
        line, _, buffer = buffer.partition(b"\\n")
        path, *limits = line.decode().rsplit(" ", 3)
        parked_truth.tell(path, tuple(map(int, limits)))
        os.write(up, b"told\\n")

parked_gens.build()
gc.collect()
parked_coros.build()
if {number}:
    parked_truth.hide()
gc.disable()
gen = parked_truth.keep("sub-interpreter", stands({number}))
next(gen)
os.write({up}, b"up\\n")
next(gen, None)
"""

subs = []


def start(number, create, run):
    down, up = os.pipe(), os.pipe()
    text = SCRIPT.format(path=sys.path, down=down[0], up=up[1], number=number)
    ident = create()
    problems = []
    threading.Thread(target=lambda: problems.append(run(ident, text)), name=f"sub-{number}", daemon=True).start()
    subs.append((down[1], up[0]))
    answer = os.read(up[0], 4096)
    assert answer == b"up\n", (answer, problems)


def build():
    create, run, _ = subinterpreters.api()
    for number in range(NUMBER):
        start(number, create, run)


def tell(path, limits):
    """Each writes its own truth, to path.1, path.2 …"""
    for number, (down, up) in enumerate(subs, 1):
        os.write(down, f"{path}.{number} {' '.join(map(str, limits))}\n".encode())
        answer = os.read(up, 4096)
        assert answer == b"told\n", answer

# SPDX-License-Identifier: MIT
"""A great many generators alive at once: many.py TRUTH_FILE NUMBER.

Every 20000 of them it says `so-far TRANSITIONS`, and waits for a line on standard input; `end` at the end.
"""

import gc
import os
import sys

import scope

CHUNK = 20_000


def crowd():
    yield 1


def pause(transitions):
    print("so-far", transitions, flush=True)
    sys.stdin.readline()


def in_chunks(number):
    return [range(begin, min(begin + CHUNK, number)) for begin in range(0, number, CHUNK)]


def main(path, number):
    gc.disable()
    scope.barrier()
    number = int(number)
    alive = []
    for chunk in in_chunks(number):
        alive += [crowd() for _ in chunk]
        pause(len(alive))
    for chunk in in_chunks(number):
        for i in chunk:
            next(alive[i])
        pause(number + 2 * chunk.stop)
    for chunk in reversed(in_chunks(number)):
        del alive[chunk.start:]
        pause(5 * number - 2 * chunk.start)
    scope.expect("crowd", births=number, closed=number, freed=number, via_yield=number, via_create=number)
    scope.rec.write(path)
    print("end", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])

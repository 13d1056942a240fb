# SPDX-License-Identifier: MIT
"""A great many generators alive at once: many.py TRUTH_FILE NUMBER."""

import gc
import os
import sys

import scope


def crowd():
    yield 1


def main(path, number):
    gc.disable()
    scope.barrier()
    number = int(number)
    alive = [crowd() for _ in range(number)]
    for g in alive:
        next(g)
    alive.clear()
    del g
    scope.expect("crowd", births=number, closed=number, freed=number, via_yield=number, via_create=number)
    scope.rec.write(path)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])

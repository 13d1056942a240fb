# SPDX-License-Identifier: MIT
"""Objects of every state, kind and shape, and what `inspect` says of them: parked.py [SEED…]

Says `ready PID` when all stand where they will stay. Then, for each line `PATH DEPTH ITEMS STRING` on standard
input, writes the truth to PATH (of sub-interpreters to PATH.1, PATH.2 …) and says `told`. Nothing moves meanwhile.
"""

import gc
import os
import sys
import warnings

import parked_coros
import parked_gens
import parked_random
import parked_subs
import parked_tasks
import parked_threads
import parked_truth
import parked_values


def serve():
    print("ready", os.getpid(), flush=True)
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        path, *limits = line.rstrip("\n").rsplit(" ", 3)
        limits = tuple(map(int, limits))
        parked_subs.tell(path, limits)
        parked_truth.tell(path, limits)
        print("told", flush=True)


def build(seeds):
    """A bit of everything in each generation of the collector, the permanent one too."""
    warnings.simplefilter("ignore")
    gc.disable()
    parked_gens.build()
    gc.collect(0)
    parked_coros.build()
    gc.collect(1)
    parked_truth.hide()
    parked_random.build(seeds)
    gc.collect(0)
    gc.collect(2)
    parked_values.build()
    gc.collect(0)
    gc.collect(1)
    parked_threads.build()
    parked_tasks.build()
    parked_subs.build()
    gc.collect(0)
    parked_gens.build()


def main(seeds):
    build(seeds)
    parked_threads.inside(serve)
    os._exit(0)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])

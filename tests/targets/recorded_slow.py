# SPDX-License-Identifier: MIT
"""Steps of which some are slow, for a recording of them: recorded_slow.py ROUNDS

It says what it did as one line of JSON, and ends at the next line on standard input. The truth has, of each step that
may be a slow one, [function, least, most]: nanoseconds that were measured inside of it and around it. It may lose the
processor in any step.
"""

import gc
import json
import sys
import time
import warnings

import scope

HELD_NS = 80_000_000

now = time.perf_counter_ns
steps = []


class Pause:
    def __await__(self):
        yield


def numbers(n):
    for i in range(n):
        yield i


async def forgotten():
    await Pause()


async def child():
    await Pause()
    await Pause()


async def parent():
    await child()


async def blocking(told):
    begun = now()
    while now() < begun + HELD_NS:
        pass
    told.append(now() - begun)
    await Pause()


def step(generator, names, told=None):
    """One of them; whether there was one more."""
    going_on = True
    begun = now()
    try:
        generator.send(None)
    except StopIteration:
        going_on = False
    took = now() - begun
    for name in names:
        steps.append((name, told.pop() if told else 0, took))
    return going_on


def drive(generator, names, told=None):
    while step(generator, names, told):
        pass


def work(rounds):
    for _ in range(rounds):
        drive(numbers(10), ["numbers"])
        drive(parent(), ["parent", "child"])
        forgotten()  # and dropped
    for _ in range(3):
        told = []
        drive(blocking(told), ["blocking"], told)
        gc.collect()
    return {"numbers": 11 * rounds, "parent": 3 * rounds, "child": 3 * rounds, "blocking": 6}


def main(rounds):
    scope.barrier()
    run = work(rounds)
    print(json.dumps({"run": run, "steps": steps}), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    gc.disable()
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]))

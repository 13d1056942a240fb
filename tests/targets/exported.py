# SPDX-License-Identifier: MIT
"""Work of known numbers, then a pause in which the rest is alive: exported.py [ROUNDS]

It says what it did as one line of JSON, and ends at the next line on standard input.
"""

import gc
import json
import sys
import time
import warnings

import scope

SLOW_S = 0.05
# Steps of that length: at least by the clock inside, at most by the clock around; 3 and 0 where nobody is interrupted.
SLOW = {"blocking": [0, 0], "parent": [0, 0]}


class Pause:
    def __await__(self):
        yield


def numbers(n):
    for i in range(n):
        yield i


async def child():
    await Pause()
    await Pause()


async def parent():
    await child()


async def forgotten():
    await Pause()


async def blocking():
    begin = now = time.perf_counter()
    while now < begin + 0.08:
        now = time.perf_counter()
    SLOW["blocking"][0] += now >= begin + SLOW_S
    await Pause()


async def ticks():
    while True:
        await Pause()
        yield 1


def clocked(coroutine):
    """One step, by the clock around it: what is not over the limit here is not over it for anybody. False: the last one."""
    begin = time.perf_counter()
    try:
        coroutine.send(None)
    except StopIteration:
        return False
    finally:
        SLOW[coroutine.__qualname__][1] += time.perf_counter() - begin >= SLOW_S
    return True


def drive(coroutine):
    """To its end."""
    while clocked(coroutine):
        pass


def work(rounds):
    """What was done, in numbers, and what is alive after it for as long as the caller keeps it."""
    SLOW.update(blocking=[0, 0], parent=[0, 0])
    collections = []
    gc.callbacks.append(lambda phase, info: collections.append(phase) if phase == "stop" else None)
    for _ in range(rounds):
        list(numbers(10))
        drive(parent())
        forgotten()  # and dropped
    for _ in range(3):
        drive(blocking())
        gc.collect()
    waiting = [parent() for _ in range(5)]
    for coroutine in waiting:
        clocked(coroutine)
    fresh = [numbers(1) for _ in range(4)]
    agen = ticks()
    step = agen.asend(None)
    step.send(None)
    return {
        "run": {"numbers": 11 * rounds, "parent": 3 * rounds + 5, "child": 3 * rounds + 5, "blocking": 6},
        "suspended": {"numbers": 10 * rounds, "parent": 2 * rounds, "child": 2 * rounds, "blocking": 3},
        "start_delay": {"numbers": rounds, "parent": rounds + 5, "child": rounds + 5, "blocking": 3},
        "lifetime": {"numbers": rounds, "parent": rounds, "child": rounds, "blocking": 3, "forgotten": rounds},
        "objects": {"numbers": {"created": 4}, "parent": {"suspended": 5}, "child": {"suspended": 5},
                    "ticks": {"running": 1}},
        "never_awaited": {"forgotten": rounds, "parent": 0},
        "slow": SLOW,
        "collections": len(collections),
    }, (waiting, fresh, agen, step)


def before():
    yield


def main(rounds):
    early = before()  # once this is known, its process has been read: whatever comes now is seen
    next(early)
    scope.barrier()
    truth, kept = work(rounds)
    print(json.dumps(truth), flush=True)
    sys.stdin.readline()
    del kept, early


if __name__ == "__main__":
    gc.disable()
    warnings.simplefilter("ignore")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)

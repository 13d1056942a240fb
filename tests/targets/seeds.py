# SPDX-License-Identifier: MIT
"""Objects that are older than the tracer, in every state; then others come and go: seeds.py TRUTH_FILE.

At the first barrier it has written what inspect says of each. Then objects come and go until a line comes; at the second
barrier everything rests again.
"""

import inspect
import json
import sys
import threading

import scope

EACH = 40


def count(n):
    for i in range(n):
        yield i


async def asleep(inner):
    await inner


class Once:
    def __await__(self):
        yield


def stepped(g):
    next(g)
    return g


def awaiting():
    coroutine = asleep(Once())
    coroutine.send(None)
    return coroutine


def exhausted():
    g = count(0)
    list(g)
    return g


def churn(enough, old):
    """Each of the old ones is stepped at least once."""
    mine = []
    while True:
        mine.append(stepped(count(3)))
        if len(mine) > 20:
            mine.clear()
        for g in old:
            next(g)
        if enough.is_set():
            return


def state(obj):
    return inspect.getcoroutinestate(obj) if inspect.iscoroutine(obj) else inspect.getgeneratorstate(obj)


def main(path):
    old = {"created": [count(3) for _ in range(EACH)], "suspended": [stepped(count(3)) for _ in range(EACH)],
           "closed": [exhausted() for _ in range(EACH)], "coroutine": [awaiting() for _ in range(EACH)],
           "busy": [stepped(count(1 << 60)) for _ in range(EACH)]}
    with open(path, "w", encoding="utf-8") as truth:
        json.dump({group: [[id(obj), state(obj)] for obj in objects] for group, objects in old.items()}, truth)
    scope.barrier()
    enough = threading.Event()
    busy = old["busy"]
    threads = [threading.Thread(target=churn, args=(enough, busy[i::2])) for i in range(2)]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    enough.set()
    for thread in threads:
        thread.join()
    del old["closed"]
    for g in old["created"]:
        next(g)
    scope.barrier()


if __name__ == "__main__":
    main(*sys.argv[1:])

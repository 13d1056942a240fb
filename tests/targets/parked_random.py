# SPDX-License-Identifier: MIT
"""The random programs of cases_random.py, stopped at random and left there."""

import linecache
import random

import cases_random
from parked_truth import keep

STEPS = 6


def group(obj):
    return keep("random", obj)


def steps(rng, obj):
    """Resume, throw into or close a generator or a coroutine at random; it may end, or raise."""
    for _ in range(rng.randint(0, STEPS)):
        what = rng.randint(0, 19)
        try:
            if what < 17:
                obj.send(None)
            elif what < 19:
                obj.throw(rng.choice((KeyError, ValueError, IndexError, OSError))())
            else:
                obj.close()
        except (StopIteration, Exception):
            pass


def agen_steps(rng, obj):
    """The same for an async generator: each of its awaitables is driven to its end, or left half-way."""
    for _ in range(rng.randint(0, STEPS)):
        make = rng.choice((lambda: obj.asend(None),) * 6 + (lambda: obj.athrow(KeyError()), obj.aclose))
        try:
            awaitable = make()
            for _ in range(rng.choice((0, 1, 1, 1, 2, 5))):
                awaitable.send(None)
        except (StopIteration, StopAsyncIteration, Exception):
            pass
        if rng.randint(0, 1):
            keep("random", awaitable)


def shut(obj):
    try:
        obj.close()
    except Exception:
        pass


def hurl(obj, exc):
    try:
        obj.throw(exc)
    except Exception:
        pass


def run(seed):
    """Twenty-five top-level objects of one program, and whatever they create."""
    name, text = f"<parked-{seed}>", cases_random.program(seed)
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    rng = random.Random(seed)
    # Half of the inner objects live only as long as the program has them.
    space = {"track": lambda obj: group(obj) if rng.randint(0, 1) else obj, "pause": cases_random.pause,
             "shut": shut, "hurl": hurl}
    exec(compile(text, name, "exec"), space)
    for number in range(cases_random.COUNT):
        for _ in range(2):
            steps(rng, group(space[f"g{number}"]()))
            steps(rng, group(space[f"c{number}"]()))
        steps(rng, group(space[f"m{number}"]()))
        agen_steps(rng, group(space[f"a{number}"]()))


def build(seeds):
    for seed in seeds:
        run(seed)

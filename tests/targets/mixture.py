# SPDX-License-Identifier: MIT
"""Something for every filter: mixture.py MODE TRUTH_FILE."""

import gc
import sys
import time

import cases_gen
import scope
from scope import raises, track

SLOW, LONG = 0.02, 0.02


def alpha(n):
    for i in range(n):
        yield i


def alphabet(n):
    yield from track(alpha(n))


async def beta():
    return 1


async def gamma(n):
    for i in range(n):
        yield i


async def reads(n):
    return [x async for x in track(gamma(n))]


class Box:
    def items(self):
        yield 1
        yield 2


def slow_steps(n):
    """Every resume but the last takes its time."""
    for _ in range(n):
        time.sleep(SLOW)
        yield 1


def long_waits(n):
    for _ in range(n):
        yield 1


def main(mode, path):
    rec = scope.setup(mode)
    rec.case = "mixture"
    gc.disable()
    scope.barrier()
    rec.start()
    assert sum(track(alpha(10))) == 45
    assert list(track(alphabet(4))) == [0, 1, 2, 3]
    raises(StopIteration, track(beta()).send, None)
    assert raises(StopIteration, track(reads(3)).send, None).value == [0, 1, 2]
    assert list(track(Box().items())) == [1, 2]
    assert list(track(cases_gen.count(3))) == [0, 1, 2]
    for _ in track(slow_steps(3)):
        pass
    for _ in track(long_waits(4)):
        time.sleep(LONG)
    rec.stop()
    rec.write(path)


if __name__ == "__main__":
    main(*sys.argv[1:])

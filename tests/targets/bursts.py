# SPDX-License-Identifier: MIT
"""A coroutine whose steps are driven from C and few, and a generator in each of them that a loop drives and that is
hot: bursts.py SECONDS of processor time. It says how many steps and items that were, as one line of JSON, and ends
at the next line on standard input."""

import json
import sys
import time

import scope

ITEMS = 100000  # a few milliseconds of them


class Pause:
    def __await__(self):
        yield


def numbers(n):
    i = 0
    while i < n:
        yield i
        i += 1


async def burst(end):
    items = 0
    while time.process_time() < end:
        for _ in numbers(ITEMS):
            items += 1
        await Pause()
    return items


def drive(coroutine):
    steps = 0
    try:
        while True:
            steps += 1
            coroutine.send(None)
    except StopIteration as stop:
        return steps, stop.value


def main():
    scope.barrier()
    steps, items = drive(burst(time.process_time() + float(sys.argv[1])))
    print(json.dumps({"steps": steps, "items": items}), flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""A target that is hot from its first line on: generators and awaits without a pause, until a line comes on standard
input; then what it counted: hot.py [LOG]

LOG gets [nanoseconds of the monotonic clock, of its own processor time] of each round.
"""

import json
import select
import sys
import time

import scope


def numbers(n):
    for i in range(n):
        yield i


class Ready:
    def __await__(self):
        yield 1


async def inner(value):
    await Ready()
    return value


async def outer(value):
    return await inner(value) + 1


def drive(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def heat():
    """(rounds, how many were wrong, the log), when a line has come, which is left for the caller."""
    kept = numbers(10)  # older than every spell of probes but the first
    next(kept)
    rounds = wrong = 0
    log = []
    while not select.select([sys.stdin], [], [], 0)[0]:
        wrong += sum(numbers(200)) != 19900
        wrong += drive(outer(rounds)) != rounds + 1
        rounds += 1
        log.append([time.monotonic_ns(), time.process_time_ns()])
    wrong += list(kept) != list(range(1, 10))
    return rounds, wrong, log


def main(log_path=None):
    scope.barrier()
    rounds, wrong, log = heat()
    if log_path:
        with open(log_path, "w", encoding="utf-8") as file:
            json.dump(log, file)
    print("result", rounds, wrong, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

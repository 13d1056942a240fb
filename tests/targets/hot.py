# SPDX-License-Identifier: MIT
"""A target that is hot from its first line on: generators and awaits without a pause, for so many seconds of processor
time; then what it counted: hot.py SECONDS."""

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


def main():
    scope.barrier()
    kept = numbers(10)  # older than every spell of probes but the first
    next(kept)
    rounds = wrong = 0
    end = time.process_time() + float(sys.argv[1])
    while time.process_time() < end:
        wrong += sum(numbers(200)) != 19900
        wrong += drive(outer(rounds)) != rounds + 1
        rounds += 1
    wrong += list(kept) != list(range(1, 10))
    print("result", rounds, wrong, flush=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Generators without end, until a line comes on standard input; then the result, checked: spin.py."""

import select
import sys
import time

import scope


def numbers(n):
    for i in range(n):
        yield i


async def add(x, y):
    return x + y


def total(n):
    result = 0
    for x in numbers(n):
        try:
            add(result, x).send(None)
        except StopIteration as stop:
            result = stop.value
    return result


def main():
    scope.barrier()
    print("running", flush=True)
    rounds = wrong = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        wrong += total(10) != 45
        rounds += 1
        time.sleep(0.005)  # far from what fills a tracer's buffer while that is kept from running
    print("result", rounds, wrong, flush=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""hotsteps.py TRUTH: tasks whose generators are too hot to be watched, and a coroutine that blocks the loop now and then,
until a line comes on standard input.

TRUTH gets [when it started, [[begin, end] of each time it blocked]], nanoseconds of the monotonic clock.
"""

import asyncio
import json
import select
import sys
import time

import scope

BLOCK_S, PAUSE_S = 0.08, 0.15


def numbers():
    yield from range(2000)


async def inner():
    for _ in numbers():
        pass


async def request():
    for _ in range(3):
        await inner()
    await asyncio.sleep(0.01)


async def busy():
    while True:
        await asyncio.gather(*(request() for _ in range(3)))


async def block(blocks):
    begin = time.monotonic_ns()
    while time.monotonic_ns() < begin + BLOCK_S * 1e9:
        pass
    blocks.append([begin, time.monotonic_ns()])


async def main(path, started):
    background, blocks = asyncio.create_task(busy()), []
    while not select.select([sys.stdin], [], [], 0)[0]:
        await asyncio.sleep(PAUSE_S)
        await block(blocks)
    background.cancel()
    with open(path, "w", encoding="utf-8") as file:
        json.dump([started, blocks], file)


if __name__ == "__main__":
    scope.barrier()
    asyncio.run(main(sys.argv[1], time.monotonic_ns()))

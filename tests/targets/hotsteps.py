# SPDX-License-Identifier: MIT
"""hotsteps.py TRUTH BLOCKS: tasks whose generators are too hot to be watched, and a coroutine that blocks the loop now and then.

TRUTH gets [begin, end] of each time it blocked, nanoseconds of the monotonic clock.
"""

import asyncio
import json
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


async def main(path, count):
    background, blocks = asyncio.create_task(busy()), []
    for _ in range(count):
        await asyncio.sleep(PAUSE_S)
        await block(blocks)
    background.cancel()
    with open(path, "w", encoding="utf-8") as file:
        json.dump(blocks, file)


if __name__ == "__main__":
    scope.barrier()
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

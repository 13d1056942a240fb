# SPDX-License-Identifier: MIT
"""An asyncio program of known numbers for the page of report --html: over 100 000 steps, and a function whose name
would break out of the page if it could."""

import asyncio
import gc

import scope

TASKS, ROUNDS, ROWS, TICKS = 20, 100, 40, 3


def rows(count):
    for number in range(count):
        yield number


async def leaf():
    await asyncio.sleep(0)
    return sum(rows(ROWS))


async def middle():
    return await leaf()


async def ticks(count):
    for number in range(count):
        await asyncio.sleep(0.001)
        yield number


def evil():
    yield 1


evil.__code__ = evil.__code__.replace(co_qualname="</script><b>evil", co_filename="/srv/<!--<script>.py")


async def work():
    for _ in range(ROUNDS):
        await middle()
    async for _ in ticks(TICKS):
        pass
    for _ in evil():
        pass


async def main():
    await asyncio.gather(*(work() for _ in range(TASKS)))
    gc.collect()


if __name__ == "__main__":
    scope.barrier()
    asyncio.run(main())

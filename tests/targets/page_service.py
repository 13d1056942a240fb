# SPDX-License-Identifier: MIT
"""An asyncio program of known numbers for the page of report --html: over 100 000 steps, and a function whose name
would break out of the page if it could. It waits twice for a line on standard input: so much fits into no ring."""

import asyncio
import gc
import sys

import scope

TASKS, ROUNDS, ROWS, TICKS = 20, 100, 40, 3
PAUSES = (33, 66)  # rounds


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
        await asyncio.sleep(0.02)  # of all that is waited for a part that can be seen
        yield number


def evil():
    yield 1


evil.__code__ = evil.__code__.replace(co_qualname="</script><b>evil", co_filename="/srv/<!--<script>.py")


async def work(task):
    for number in range(ROUNDS):
        if task == 0 and number in PAUSES:
            print("rounds", number, flush=True)
            sys.stdin.readline()
        await middle()
    async for _ in ticks(TICKS):
        pass
    for _ in evil():
        pass


async def main():
    await asyncio.gather(*[work(task) for task in range(TASKS)])
    gc.collect()


if __name__ == "__main__":
    scope.barrier()
    asyncio.run(main())

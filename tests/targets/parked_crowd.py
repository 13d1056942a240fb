# SPDX-License-Identifier: MIT
"""A great many tasks that wait, in a few shapes: parked_crowd.py NUMBER."""

import asyncio
import sys

import scope


async def request(number):
    return await query(number % 4)


async def query(depth):
    if depth:
        return await query(depth - 1)
    await asyncio.sleep(36000)


async def waits_for(event):
    await event.wait()


async def main(number):
    event, tasks = asyncio.Event(), []
    for at in range(number):
        tasks.append(asyncio.create_task(waits_for(event) if at % 5 == 0 else request(at)))
    one = asyncio.create_task(request(0), name="the one")
    await asyncio.sleep(0)
    await asyncio.get_running_loop().run_in_executor(None, scope.barrier)
    del one


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

# SPDX-License-Identifier: MIT
"""Tasks that wait for each other, for comparison with `python -m asyncio ps`: parked_family.py"""

import asyncio

import scope
from parked_tasks import awaits, consumes, gathers, in_group, in_nested_groups, in_timeout, sleeper, waits_for_any

DEPTH = 12
CROWD = 30


async def main():
    base = asyncio.create_task(sleeper(2), name="base")
    tasks = [base]
    coros = {"first": awaits(base), "second": awaits(awaits(base)), "timeout": in_timeout(), "group": in_group(),
             "groups": in_nested_groups(), "gather": gathers(), "deep": sleeper(DEPTH), "any": waits_for_any(),
             "wait_for": asyncio.wait_for(sleeper(1), 36000), "queue": consumes(asyncio.Queue()),
             "shield": awaits(asyncio.shield(base)), "event": asyncio.Event().wait()}
    for name, coro in coros.items():
        tasks.append(asyncio.create_task(coro, name=name))
    for number in range(CROWD):
        tasks.append(asyncio.create_task(awaits(sleeper(number % 3))))
    await asyncio.sleep(0.2)
    await asyncio.get_running_loop().run_in_executor(None, scope.barrier)


if __name__ == "__main__":
    asyncio.run(main())

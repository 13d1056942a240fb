# SPDX-License-Identifier: MIT
"""A target that is many processes which do next to nothing: idle.py COUNT.

Each is forked off, as a server's workers are, and has an event loop with 50 parked tasks, of two coroutines each, and one that
wakes once a second. Prints "ready" when all are there; for each line their pids as JSON. They end with the parent.
"""
import asyncio
import json
import os
import sys

PARKED = 50


async def parked(event):
    await event.wait()


async def heartbeat():
    while True:
        await asyncio.sleep(1)


async def host(alive, begun):
    asyncio.get_running_loop().add_reader(alive, os._exit, 0)     # its other end is the parent's: closed when it dies
    event = asyncio.Event()
    tasks = [asyncio.create_task(parked(event)) for _ in range(PARKED)]
    await asyncio.sleep(0)
    os.write(begun, b".")
    os.close(begun)
    await asyncio.gather(heartbeat(), *tasks)


def main():
    alive, alive_here = os.pipe()
    begun_here, begun = os.pipe()
    pids = []
    for _ in range(int(sys.argv[1])):
        pid = os.fork()
        if not pid:
            os.close(alive_here)
            os.close(begun_here)
            asyncio.run(host(alive, begun))
        pids.append(pid)
    os.close(begun)
    here = 0
    while got := os.read(begun_here, 4096):
        here += len(got)
    if here == len(pids):
        print("ready", flush=True)
    while sys.stdin.readline():
        print(json.dumps(pids), flush=True)


main()

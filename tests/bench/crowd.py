# SPDX-License-Identifier: MIT
"""A target with a crowd of objects: crowd.py tasks|generators|work COUNT [SECONDS].

tasks: COUNT parked asyncio tasks, each a chain of three coroutines. generators: COUNT of them, every other one
suspended. work: COUNT parked tasks, and after the line on standard input SECONDS of computing and of tasks
that wake one another; prints how much was done as JSON.
"""
import asyncio
import json
import sys
import time


async def leaf(event):
    await event.wait()


async def middle(event):
    await leaf(event)


async def outermost(event):
    await middle(event)


def number():
    yield 1


async def worker(turns):
    while True:
        for _ in range(200):
            for _ in number():
                pass
        turns.append(None)
        await asyncio.sleep(0)


async def parked(count, seconds):
    event = asyncio.Event()
    tasks = [asyncio.create_task(outermost(event)) for _ in range(count)]
    await asyncio.sleep(0)
    print("ready", flush=True)
    sys.stdin.readline()
    turns, start = [], time.perf_counter()
    workers = [asyncio.create_task(worker(turns)) for _ in range(10)]
    await asyncio.sleep(seconds)
    print(json.dumps({"turns": len(turns), "seconds": time.perf_counter() - start}), flush=True)
    for task in tasks + workers:
        task.cancel()


def main():
    mode, count = sys.argv[1], int(sys.argv[2])
    if mode == "generators":
        crowd = [number() for _ in range(count)]
        for generator in crowd[::2]:
            next(generator)
        print("ready", flush=True)
        sys.stdin.readline()
    else:
        asyncio.run(parked(count, float(sys.argv[3]) if mode == "work" else 0))


main()

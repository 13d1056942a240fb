# SPDX-License-Identifier: MIT
"""Threads that create and drop objects as fast as they can, and others that stay: parked_churn.py FILE MODE STABLE.

FILE gets what an observer may see: the functions with their lines, the addresses of what stays. MODE: churn;
collect (another thread collects garbage all the time); still (no thread). For each line on standard input the
threads' counters are written.
"""

import asyncio
import gc
import json
import os
import sys
import threading
import warnings

THREADS = 8


def stays(number):
    held = number
    yield held
    yield number


def count(n):
    for i in range(n):
        yield i


def link(depth):
    if depth:
        yield from link(depth - 1)
    yield depth


async def chain(depth):
    if depth:
        return await chain(depth - 1)
    return depth


async def numbers(n):
    for i in range(n):
        yield i


async def consume(n):
    total = 0
    async for i in numbers(n):
        total += i
    return total


async def sleeps():
    await asyncio.sleep(0)


async def spawns():
    await asyncio.gather(*[asyncio.create_task(sleeps()) for _ in range(20)])


def some_work(kept):
    for x in count(3):
        kept.append(count(x))
    next(kept[-1])
    gen = link(4)
    next(gen)
    kept.append(gen)
    for coro in (chain(3), consume(3)):
        try:
            coro.send(None)
        except StopIteration:
            pass
    kept.append(chain(1))
    kept.append(numbers(2))
    cycle = [count(1)]
    cycle.append(cycle)
    if len(kept) > 200:
        del kept[:180]


def worker(counters, index):
    kept = []
    while True:
        some_work(kept)
        counters[index] += 1


def spawner(counters, index):
    """The same through asyncio."""
    loop = asyncio.new_event_loop()
    while True:
        loop.run_until_complete(spawns())
        counters[index] += 1


def collector(counters, index):
    while True:
        gc.collect()
        counters[index] += 1


def lines_of(function):
    code = function.__code__
    lines = {line for _, _, line in code.co_lines() if line is not None}
    return {"first": code.co_firstlineno, "lines": sorted(lines | {code.co_firstlineno})}


def tell(path, stable):
    functions = {}
    for function in (stays, count, link, chain, numbers, consume, sleeps, spawns):
        functions[function.__qualname__] = lines_of(function)
    with open(path, "w", encoding="ascii") as out:
        out.write(json.dumps({"file": __file__, "functions": functions, "stable": [hex(id(gen)) for gen in stable]}))


def main(path, mode, number):
    warnings.simplefilter("ignore")
    os.nice(19)  # the observer is not to wait for a core
    sys.setswitchinterval(0.005)
    stable = [stays(at) for at in range(int(number))]
    for gen in stable[::2]:
        next(gen)
    gc.collect()
    tell(path, stable)
    jobs = {"still": [], "churn": [worker] * (THREADS - 1) + [spawner],
            "collect": [worker] * (THREADS - 2) + [spawner, collector]}[mode]
    counters = [0] * len(jobs)
    for index, job in enumerate(jobs):
        threading.Thread(target=job, args=(counters, index), daemon=True).start()
    print("ready", os.getpid(), flush=True)
    for _ in sys.stdin:
        print("counters", *counters, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])

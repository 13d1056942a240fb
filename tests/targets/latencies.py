# SPDX-License-Identifier: MIT
"""Steps and waits whose numbers and lengths are known: latencies.py CASE TRUTH_FILE [ARG]

The truth is {function: {metric: count}} where it is about numbers, {function: {metric: [ns, …]}} where it is about
lengths, as measured by the program itself inside its functions.
"""

import asyncio
import gc
import json
import os
import sys
import time
import warnings

import scope

MS = 1_000_000
METRICS = ("run", "suspended", "start", "lifetime")
truth = {}


def expect(function, *counts):
    """So many more of each metric."""
    for metric, count in zip(METRICS, counts):
        row = truth.setdefault(function, dict.fromkeys(METRICS, 0))
        row[metric] += count


def measured(function, metric, ns):
    truth.setdefault(function, {}).setdefault(metric, []).append(ns)


# --- numbers ---

class Pause:
    def __await__(self):
        yield


def numbers(n):
    for i in range(n):
        yield i


async def chain(depth):
    if depth:
        await chain(depth - 1)
    else:
        await Pause()


async def ticks(n):
    for i in range(n):
        await Pause()
        yield i


async def reader(n):
    async for _ in ticks(n):
        pass


async def failing():
    await Pause()
    raise LookupError


def guarded():
    try:
        yield
    finally:
        pass


async def unused():
    pass


def drive(coro):
    """To its end; how often it was resumed."""
    steps = 0
    try:
        while True:
            steps += 1
            coro.send(None)
    except (StopIteration, LookupError):
        return steps


DEEP = 10


def count_generators(created, suspended):
    for _ in range(7):
        list(numbers(4))
    expect("numbers", 7 * 5, 7 * 4, 7, 7)
    for gen in (created, suspended):
        for _ in gen:
            pass
        expect("numbers", 4, 3)  # since when it waited at first, nobody knows
    for _ in range(6):
        gen = guarded()
        next(gen)
        gen.close()
    expect("guarded", 6 * 2, 6, 6, 6)


def count_coroutines(begun):
    assert drive(begun) == 1
    expect("chain", DEEP + 1)
    expect("Pause.__await__", 1)
    for _ in range(3):
        assert drive(chain(DEEP)) == 2
    links = 3 * (DEEP + 1)
    expect("chain", 2 * links, links, links, links)
    expect("Pause.__await__", 3 * 2, 3, 3, 3)
    for _ in range(4):
        assert drive(failing()) == 2
    for function in ("failing", "Pause.__await__"):
        expect(function, 4 * 2, 4, 4, 4)
    for _ in range(5):
        unused()
    expect("unused", 0, 0, 0, 5)


def count_async_generators():
    for _ in range(5):
        assert drive(reader(4)) == 5
    for function in ("reader", "ticks"):  # the latter runs on through its pauses
        expect(function, 5 * 5, 5 * 4, 5, 5)
    expect("Pause.__await__", 20 * 2, 20, 20, 20)


def counts():
    created, suspended, begun = numbers(3), numbers(5), chain(DEEP)
    next(suspended), next(suspended)
    begun.send(None)
    scope.barrier()
    count_generators(created, suspended)
    count_coroutines(begun)
    count_async_generators()


# --- lengths ---

def spin(ns):
    end = time.perf_counter_ns() + ns
    while time.perf_counter_ns() < end:
        pass


# The middle of each is well inside a bucket, and a rank more or less is another length for no percentile asked for.
LENGTHS = [MS * 12 // 10, MS * 22 // 10, MS * 22 // 10, MS * 22 // 10, MS * 33 // 10]


def spinner(steps):
    for i in range(steps):
        begun = time.perf_counter_ns()
        spin(LENGTHS[i % len(LENGTHS)])
        measured("spinner", "run", time.perf_counter_ns() - begun)
        yield
    measured("spinner", "run", 0)  # the step that finds the end


async def inner():
    begun = time.perf_counter_ns()
    spin(MS * 22 // 10)
    took = time.perf_counter_ns() - begun
    measured("inner", "run", took)
    measured("inner", "self", took)
    return took


async def outer(born):
    begun = time.perf_counter_ns()
    measured("outer", "start", begun - born)
    spin(MS)
    took = await inner()
    spin(MS // 2)
    ended = time.perf_counter_ns()
    measured("outer", "run", ended - begun)
    measured("outer", "self", ended - begun - took)
    measured("outer", "lifetime", ended - born)


async def sleeper(times):
    for _ in range(times):
        begun = time.perf_counter_ns()
        await asyncio.sleep(0.015)
        measured("sleeper", "suspended", time.perf_counter_ns() - begun)


def lengths():
    scope.barrier()
    for _ in spinner(25):
        pass
    for _ in range(15):
        born = time.perf_counter_ns()
        coro = outer(born)
        spin(MS)
        drive(coro)
    asyncio.run(sleeper(8))


# --- outermost steps ---

TASKS, ROUNDS = 10, 20


async def below(depth):
    if depth:
        await below(depth - 1)
    else:
        await Pause()


async def task(depth):
    for _ in range(ROUNDS):
        await below(depth - 1)


async def broken(depth):
    await below(depth - 1)
    raise LookupError


async def main(depth):
    await asyncio.gather(*[task(depth) for _ in range(TASKS)])
    await asyncio.gather(*[broken(depth) for _ in range(TASKS)], return_exceptions=True)


def steps(depth):
    loop = asyncio.new_event_loop()
    scope.barrier()
    loop.run_until_complete(main(int(depth)))
    expect("task", TASKS * (ROUNDS + 1), TASKS * ROUNDS)
    expect("broken", TASKS * 2, TASKS)
    expect("main", 3, 2)
    list(numbers(4))  # nothing else runs here
    expect("numbers", 5, 4)


async def waiting(depth, future):
    if depth:
        await waiting(depth - 1, future)
    else:
        await future


async def cancelled():
    try:
        await waiting(4, asyncio.get_running_loop().create_future())
    except asyncio.CancelledError:
        await asyncio.sleep(0)


async def cancelling():
    tasks = [asyncio.ensure_future(cancelled()) for _ in range(TASKS)]
    await asyncio.sleep(0)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks)


def cancels():
    loop = asyncio.new_event_loop()
    scope.barrier()
    loop.run_until_complete(cancelling())
    expect("cancelled", TASKS * 3, TASKS * 2)
    expect("cancelling", 3, 2)


# --- others ---

def spread():
    """A generator's step every few milliseconds, for a second."""
    scope.barrier()
    end = time.monotonic() + 1
    while time.monotonic() < end:
        list(numbers(4))
        drive(failing())
        time.sleep(0.005)
        for function, row in (("numbers", (5, 4, 1, 1)), ("failing", (2, 1, 1, 1)), ("Pause.__await__", (2, 1, 1, 1))):
            expect(function, *row)


def killed():
    """It dies in the middle of a step."""
    scope.barrier()
    for _ in numbers(4):
        pass
    expect("numbers", 5, 4, 1, 1)
    write(sys.argv[2])

    def dying():
        yield
        os.kill(os.getpid(), 9)

    list(dying())


def write(path):
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(truth))  # dump() would write by generators of its own


# --- tasks ---

class Job(asyncio.Task):
    """A task of a class of one's own."""


async def turns(n):
    for _ in range(n):
        await asyncio.sleep(0)


def by_hand(n):
    """Steps of a coroutine that no task drives: in nobody's row."""
    coroutine = chain(2)
    for _ in range(n):
        try:
            coroutine.send(None)
        except StopIteration:
            coroutine = chain(2)


async def employer():
    loop = asyncio.get_running_loop()
    started = [asyncio.create_task(turns(3), name="alpha"), asyncio.create_task(turns(5), name="\u03b2 \U0001f40d"),
               asyncio.create_task(turns(7)), asyncio.create_task(turns(11)), asyncio.create_task(turns(2), name="alpha"),
               Job(turns(13), loop=loop, name="job")]
    by_hand(9)
    await asyncio.wait(started)
    for task, n in zip(started, (3, 5, 7, 11, 2, 13)):
        expect(task.get_name(), n + 1, n, 1, 1)


def tasks():
    scope.barrier()
    asyncio.run(employer())


CASES = {"tasks": tasks, "counts": counts, "lengths": lengths, "steps": steps, "cancels": cancels, "spread": spread, "killed": killed}

if __name__ == "__main__":
    gc.disable()
    warnings.simplefilter("ignore")
    CASES[sys.argv[1]](*sys.argv[3:])
    write(sys.argv[2])
    sys.stdout.flush()
    os._exit(0)  # nothing of the interpreter's own end is measured

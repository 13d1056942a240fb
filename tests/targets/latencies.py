# SPDX-License-Identifier: MIT
"""Steps and waits whose numbers and lengths are known: latencies.py CASE TRUTH_FILE [ARG]

The truth is {function: {metric: count}} where it is about numbers, {function: {metric: [[least, most], …]}} where it is
about lengths: nanoseconds that the program itself measured inside of each, between what begins and what ends it, and
around it. It may lose the processor anywhere: what is measured inside is never more, what is around never less.
"""

import asyncio
import gc
import json
import os
import select
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


def measured(function, metric, least, most):
    truth.setdefault(function, {}).setdefault(metric, []).append((least, most))


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


now = time.perf_counter_ns


def spinner(steps, told):
    """Of each step: what is inside of it; of each wait: what is around it."""
    for i in range(steps):
        begun = now()
        spin(LENGTHS[i % len(LENGTHS)])
        left = now()
        told.append(left - begun)
        yield
        measured("spinner", "suspended", told.pop(), now() - left)
    told.append(0)  # the step that finds the end


def spins(steps):
    """And from outside it is the other way round."""
    told, left = [], None
    gen = spinner(steps, told)
    for _ in range(steps + 1):
        begun = now()
        if left is not None:
            told.append(begun - left)
        next(gen, None)
        left = now()
        measured("spinner", "run", told.pop(), left - begun)


async def inner(told):
    begun = now()
    spin(MS * 22 // 10)
    told.append(now() - begun)


async def outer(told):
    begun = now()
    spin(MS)
    before = now()
    await inner(told)
    after = now()
    spin(MS // 2)
    told += [begun, before, after, now()]


def chains():
    told = []
    before = now()
    coro = outer(told)
    born = now()
    spin(MS)
    sent = now()
    drive(coro)
    done = now()
    del coro
    gone = now()
    took, begun, inner_before, inner_after, ended = told
    around = inner_after - inner_before
    for metric in ("run", "self"):
        measured("inner", metric, took, around)
    measured("outer", "run", ended - begun, done - sent)
    measured("outer", "self", ended - begun - around, done - sent - took)
    measured("outer", "start", sent - born, begun - before)
    measured("outer", "lifetime", ended - born, gone - before)


async def sleeper(times):
    loop = asyncio.get_running_loop()
    for _ in range(times):
        told, future = [], loop.create_future()

        def wake(told=told, future=future):
            told.append(now())
            future.set_result(None)

        loop.call_soon(lambda told=told: told.append(now()))  # when the step has ended
        loop.call_later(0.015, wake)
        begun = now()
        await future
        measured("sleeper", "suspended", told[1] - told[0], now() - begun)


def lengths():
    scope.barrier()
    spins(25)
    for _ in range(15):
        chains()
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

def asked():
    """Is there a line on standard input?"""
    return select.select([sys.stdin], [], [], 0)[0]


def spread():
    """A generator's step every few milliseconds, until somebody has seen enough."""
    scope.barrier()
    while not asked():
        list(numbers(4))
        drive(failing())
        time.sleep(0.005)
        for function, row in (("numbers", (5, 4, 1, 1)), ("failing", (2, 1, 1, 1)), ("Pause.__await__", (2, 1, 1, 1))):
            expect(function, *row)


def rounds():
    """The same, and of each round it says since when it ran."""
    scope.barrier()
    while not asked():
        begun = now()
        list(numbers(100))
        expect("numbers", 101, 100, 1, 1)
        print("round", begun, flush=True)
        time.sleep(0.002)


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


CASES = {"tasks": tasks, "counts": counts, "lengths": lengths, "steps": steps, "cancels": cancels, "spread": spread,
         "rounds": rounds, "killed": killed}

if __name__ == "__main__":
    gc.disable()
    warnings.simplefilter("ignore")
    CASES[sys.argv[1]](*sys.argv[3:])
    write(sys.argv[2])
    sys.stdout.flush()
    os._exit(0)  # nothing of the interpreter's own end is measured

# SPDX-License-Identifier: MIT
"""Threads."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

from cases_coro import waits
from cases_gen import count, link
from scope import case, raises, track


def in_thread(fn, *args):
    """fn(*args) in a thread of its own; its result, or its exception here."""
    box = []

    def body():
        try:
            box.append((fn(*args), None))
        except BaseException as error:
            box.append((None, error))
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    result, error = box.pop()
    if error is not None:
        raise error
    return result


@case
def handed_over():
    """Started here, resumed there, ended elsewhere."""
    g = track(count(3))
    assert next(g) == 0
    assert in_thread(next, g) == 1
    assert in_thread(next, g) == 2
    raises(StopIteration, next, g)


@case
def handed_over_coroutine():
    c = track(waits(3))
    c.send(None)
    for _ in range(2):
        in_thread(c.send, None)
    raises(StopIteration, c.send, None)


@case
def handed_over_chain():
    g = track(link(3, 4))
    assert next(g) == 0
    assert [in_thread(next, g) for _ in range(3)] == [1, 2, 3]


@case
def freed_elsewhere():
    box = [track(count(2))]
    next(box[0])
    in_thread(box.clear)


@case
def running_elsewhere():
    """Another thread asks a generator that is running."""
    started, asked = threading.Event(), threading.Event()

    def gen():
        started.set()
        asked.wait(20)
        yield 1
    g = track(gen())
    thread = threading.Thread(target=next, args=(g,))
    thread.start()
    started.wait(20)
    raises(ValueError, next, g)
    raises(ValueError, g.send, None)
    asked.set()
    thread.join()
    raises(StopIteration, next, g)


@case
def threads_64():
    """Every thread has generators of its own, and they run at the same time."""
    gate = threading.Barrier(64)

    def work(number):
        gate.wait(30)
        assert sum(track(count(20), f"{number}-a")) == 190
        g = track(count(20), f"{number}-b")
        for x in g:
            assert x < 20
        c = track(waits_on(5, number), f"{number}-c")
        for _ in range(5):
            c.send(None)
        raises(StopIteration, c.send, None)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def waits_on(n, number):
    for i in range(n):
        await Once()


class Once:
    def __await__(self):
        return iter([None])


@case
def executor():
    async def main():
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            g = track(count(4), "g")
            got = [await loop.run_in_executor(pool, next, g) for _ in range(4)]
        return got
    # main itself is not tracked: whether it must wait depends on the speed of the pool.
    assert asyncio.run(main()) == [0, 1, 2, 3]


@case
def loops_in_threads():
    async def tick(n):
        for _ in range(n):
            await asyncio.sleep(0)
        return n

    def work(number):
        assert asyncio.run(track(tick(number + 1), f"loop-{number}")) == number + 1
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@case
def contexts():
    """contextvars.Context.run between the driver and the generator."""
    context = contextvars.copy_context()
    g = track(count(2))
    assert context.run(next, g) == 0
    assert context.run(next, g) == 1

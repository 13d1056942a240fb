# SPDX-License-Identifier: MIT
"""asyncio tasks that wait for everything asyncio has, on a loop in a thread, and on a loop that has stopped."""

import asyncio
import sys
import threading

import parked_truth
from parked_coros import loops_over, slow
from parked_threads import Stop
from parked_truth import keep

LONG = 36000


class MyTask(asyncio.Task):
    pass


class MyFuture(asyncio.Future):
    pass


async def sleeper(depth=0):
    if depth:
        return await keep("tasks", sleeper(depth - 1))
    await asyncio.sleep(LONG)


async def awaits(awaitable):
    return await awaitable


async def with_lock(lock):
    async with lock:
        await asyncio.sleep(LONG)


async def in_timeout():
    async with asyncio.timeout(LONG):
        await sleeper(1)


async def in_group():
    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper(1), name="in group one")
        group.create_task(sleeper(2), name="in group two")


async def in_nested_groups():
    async with asyncio.TaskGroup() as group:
        group.create_task(in_group(), name="outer group")


async def gathers():
    first = asyncio.create_task(sleeper(1), name="gathered")
    await asyncio.gather(first, sleeper(), asyncio.gather(sleeper(2), sleeper(2)))


async def takes_first():
    for future in asyncio.as_completed([sleeper(), sleeper()]):
        await future


async def waits_for_any():
    await asyncio.wait([asyncio.create_task(sleeper(), name=f"any of {number}") for number in range(2)])


async def produces(queue):
    while True:
        yield await queue.get()


async def consumes(queue):
    async for item in keep("tasks", produces(queue)):
        await awaits(item)


async def at_barrier(barrier):
    await barrier.wait()


async def on_condition(condition):
    async with condition:
        await condition.wait()


async def works():
    return 1


async def fails():
    raise KeyError("failed")


def live_tasks(loop):
    """[(coroutine, name)] of what goes on waiting."""
    lock, full, empty = asyncio.Lock(), asyncio.Queue(1), asyncio.Queue()
    full.put_nowait(1)
    feed = asyncio.Queue()
    feed.put_nowait(ByFuture(loop))
    condition = asyncio.Condition()
    base = loop.create_task(sleeper(2), name="base")
    quoted = loop.create_task(sleeper(), name="it's \"base\"\n")
    out = [(with_lock(lock), f"lock {number}") for number in range(3)]
    out += [(sleeper(depth), f"sleeper {depth}") for depth in (0, 1, 5, 40)]
    out += [(full.put(2), "putter"), (empty.get(), "getter"), (empty.join(), "joiner or not"),
            (asyncio.Event().wait(), "event"), (at_barrier(asyncio.Barrier(2)), "barrier"),
            (awaits(asyncio.Semaphore(0).acquire()), "semaphore"), (on_condition(condition), "condition 1"),
            (on_condition(condition), "condition 2"), (awaits(base), "waits for base"),
            (awaits(awaits(base)), "waits for base, too"), (awaits(quoted), "waits for quoted"),
            (awaits(loop.create_future()), "future"),
            (awaits(MyFuture(loop=loop)), "future of its own"), (awaits(asyncio.shield(base)), "shield"),
            (asyncio.wait_for(sleeper(1), LONG), "wait_for"), (in_timeout(), "timeout"), (in_group(), "group"),
            (in_nested_groups(), "groups"), (gathers(), "gathers"), (takes_first(), "as_completed"),
            (waits_for_any(), "wait"), (consumes(feed), "consumes"),
            (awaits(asyncio.to_thread(hold_thread)), "to_thread"),
            (loops_over(produces(asyncio.Queue())), "async for"), (sleeper(), "n\xe4me \u4e2d\U0001f40d 'q\" \\\n"),
            (sleeper(), "x" * 200), (sleeper(), "")]
    return out


class ByFuture:
    """Awaitable in Python, over a future of asyncio."""

    def __init__(self, loop):
        self.future = loop.create_future()

    def __await__(self):
        return (yield from self.future)


never = threading.Lock()
never.acquire()


def hold_thread():
    never.acquire()


async def populate(loop):
    for coro, name in live_tasks(loop):
        keep("tasks", loop.create_task(keep("tasks", coro), name=name))
    for depth in range(3):
        keep("tasks", loop.create_task(keep("tasks", sleeper(depth))))  # names of asyncio's own
    keep("tasks", MyTask(keep("tasks", sleeper(1)), loop=loop, name="my task"))
    if sys.version_info >= (3, 12):
        keep("tasks", asyncio.Task(keep("tasks", sleeper(1)), loop=loop, eager_start=True, name="eager"))
    renamed = keep("tasks", loop.create_task(sleeper(), name="old name"))
    renamed.set_name("new name")
    cancelled = keep("tasks", loop.create_task(keep("tasks", sleeper(1)), name="cancelled"))
    failed = keep("tasks", loop.create_task(keep("tasks", fails()), name="failed"))
    keep("tasks", loop.create_task(keep("tasks", works()), name="done"))
    await asyncio.sleep(0)
    cancelled.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert failed.exception() and cancelled.cancelled()


def live():
    """The loop runs on in its thread, and has nothing to do."""
    loop = asyncio.new_event_loop()
    parked_truth.loops.append(loop)
    threading.Thread(target=loop.run_forever, name="loop", daemon=True).start()
    asyncio.run_coroutine_threadsafe(populate(loop), loop).result()


async def some_steps():
    for _ in range(3):
        await asyncio.sleep(0)


def stopped():
    """A loop between two runs: futures are done, and those who wait for them have not been told."""
    loop = asyncio.new_event_loop()
    parked_truth.loops.append(loop)
    futures = [loop.create_future() for _ in range(4)]
    for number, future in enumerate(futures):
        keep("stopped", loop.create_task(keep("stopped", awaits(future)), name=f"waits {number}"))
    quick = keep("stopped", loop.create_task(keep("stopped", awaits(futures[1])), name="quick"))
    keep("stopped", loop.create_task(keep("stopped", awaits(quick)), name="waits for quick"))
    keep("stopped", loop.create_task(keep("stopped", loops_over(keep("stopped", slow(3)))), name="broken")).cancel()
    dead = keep("stopped", loop.create_task(awaits(futures[0]), name="dead"))
    keep("stopped", loop.create_task(keep("stopped", awaits(dead)), name="waits for dead"))
    keep("stopped", loop.create_task(keep("stopped", awaits(Spinner())), name="yields nothing"))
    loop.run_until_complete(some_steps())
    futures[1].set_result(5)
    futures[2].set_exception(KeyError("x"))
    futures[3].cancel()
    dead.cancel()
    keep("stopped", loop.create_task(keep("stopped", sleeper(1)), name="not begun"))


class Spinner:
    """Yields None for ever: runs at every turn of the loop."""

    def __await__(self):
        while True:
            yield


async def works_in(inner):
    """A task that runs, and holds its loop."""
    async for item in inner:
        return item


async def blocks(stop):
    await awaits(keep("busy", stands_in(stop)))
    yield 1


async def stands_in(stop):
    stop()


def busy():
    loop, stop = asyncio.new_event_loop(), Stop()
    parked_truth.loops.append(loop)
    keep("busy", loop.create_task(keep("busy", works_in(keep("busy", blocks(stop)))), name="busy"))
    keep("busy", loop.create_task(keep("busy", sleeper(1)), name="never its turn"))
    threading.Thread(target=loop.run_forever, name="busy loop", daemon=True).start()
    stop.arrived.acquire()


def build():
    stopped()
    live()
    busy()

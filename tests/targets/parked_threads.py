# SPDX-License-Identifier: MIT
"""Running objects: each shape in a thread of its own that blocks inside; and one in which the main thread waits."""

import threading

from parked_coros import first, over_another, pause, wait_for
from parked_truth import keep, stays


def running(obj):
    return keep("running", obj)


class Stop:
    """Where a thread arrives and stays."""

    def __init__(self):
        self.arrived, self.never = threading.Semaphore(0), threading.Lock()
        self.never.acquire()

    def __call__(self):
        stays()
        self.arrived.release()
        self.never.acquire()


def runs(stop):
    yield "before"
    got = stop()
    yield got


def starts(stop):
    stop()
    yield 1


def hands_on(inner):
    yield from inner


def loops(inner):
    total = 0
    for item in inner:
        total += 1
        yield item


def catches(stop):
    try:
        yield 1
    except KeyError:
        stop()
    finally:
        stop()


async def runs_coro(stop):
    await pause()
    stop()


async def runs_agen(stop):
    yield 1
    stop()
    yield 2


async def awaits_then_runs(stop):
    await pause()
    stop()
    yield 1


async def drives(gen):
    inside = "a coroutine that runs a generator"
    return list(gen), inside


def drives_coro(obj):
    obj.send(None)
    yield "never"


def after(obj, steps=1):
    running(obj)
    for _ in range(steps):
        next(obj) if hasattr(obj, "__next__") else obj.send(None)
    return obj


def shapes(stop):
    """Calls that end in stop(), one for each thread."""
    by_next, by_send = after(runs(stop)), after(runs(stop))
    yielding, looping = after(hands_on(running(runs(stop)))), running(loops(running(runs(stop))))
    deep = running(starts(stop))
    for _ in range(5):
        deep = running(hands_on(deep))
    thrown, closed = after(hands_on(running(catches(stop)))), after(hands_on(running(catches(stop))))
    waiting = after(wait_for(running(runs_coro(stop))))
    agen = running(runs_agen(stop))
    advance(agen)
    inside = after(first(running(awaits_then_runs(stop))))
    doubled = running(over_another(running(over_another(running(awaits_then_runs(stop))))))
    begun = doubled.asend(None)
    begun.send(None)
    tower = running(drives_coro(running(drives(running(loops(running(starts(stop))))))))
    return [lambda: next(by_next), lambda: by_send.send(5), lambda: next(yielding), lambda: max(looping),
            lambda: sorted(deep), lambda: thrown.throw(KeyError()), closed.close, lambda: waiting.send(None),
            lambda: agen.asend(None).send(None), lambda: inside.send(None), lambda: begun.send(None),
            lambda: next(tower), lambda: list(x for x in running(starts(stop)))]


def advance(agen):
    try:
        agen.asend(None).send(None)
    except StopIteration:
        pass


def name_thread(name):
    """The name the kernel knows; before 3.14 Python does not tell it."""
    try:
        import ctypes
        ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)  # PR_SET_NAME
    except (ImportError, OSError, AttributeError):
        pass


def named(number, call):
    def body():
        name_thread(f"parked-{number}")
        call()
    return threading.Thread(target=body, name=f"parked-{number}", daemon=True)


def build():
    """Started threads, all arrived."""
    stop = Stop()
    calls = shapes(stop)
    for number, call in enumerate(calls):
        named(number, call).start()
    for _ in calls:
        stop.arrived.acquire()
    twice()


def twice():
    """Threads that run one after the other through the same Stop: nobody is left running."""
    gen = running(hands_on(running(hands_on(iter("ab")))))
    thread = threading.Thread(target=next, args=(gen,))
    thread.start()
    thread.join()


# The main thread

def waits_here(serve):
    place = "the main thread"
    yield serve()
    yield place


async def waits_around(gen):
    yield next(gen)


def inside(serve):
    """Run serve() inside a generator inside an async generator inside a coroutine inside a generator."""
    gen = keep("main", waits_here(serve))
    agen = keep("main", waits_around(gen))
    coro = keep("main", first(agen))
    return next(keep("main", drives_main(coro)))


def drives_main(coro):
    try:
        coro.send(None)
    except StopIteration as stop:
        yield stop.value

# SPDX-License-Identifier: MIT
"""Steps that hold their thread, and objects that are left lying about: slowness.py CASE TRUTH_FILE [ARG]

The truth is what the program itself knows: its own clock (CLOCK_MONOTONIC, as genscope's) inside and around each step,
and its own lines, found by the marks in its source.
"""

import asyncio
import gc
import inspect
import json
import os
import sys
import time
import warnings

import scope

MS = 1_000_000
truth = {"steps": [], "suspects": [], "pid": os.getpid()}
clock = time.perf_counter_ns


def mark(function, word):
    """The line of a function that ends with `# word`."""
    lines, first = inspect.getsourcelines(function)
    found = [first + i for i, line in enumerate(lines) if line.rstrip().endswith("# " + word)]
    assert len(found) == 1, (function, word, found)
    return found[0]


def place(function, word):
    return [function.__qualname__, mark(function, word)]


def spin(ms):
    """Busy for so long, by the thread's own clock; when that was."""
    begun, end = clock(), time.thread_time_ns() + ms * MS
    while time.thread_time_ns() < end:
        pass
    return begun, clock()


class Pause:
    def __await__(self):
        yield  # pause


class Wait:
    """The same without a generator."""

    def __await__(self):
        return iter((None,))


PAUSED = place(Pause.__await__, "pause")
inside = []  # of the step under way: when its parts that take time began and ended
kept = set()  # what took a step: it would take another one when it is dropped


def busy(ms):
    inside.append(spin(ms))


def timed(function, *args):
    begun = clock()
    function(*args)
    inside.append((begun, clock()))


def record(case, begun, ended, parts, **more):
    """A step that was under way for at least as long as from the first to the last of its parts."""
    parts = list(parts) or [(begun, begun)]
    truth["steps"].append({"case": case, "around": [begun, ended], "inside": [parts[0][0], parts[-1][1]],
                           "parts": parts, **more})


def step(coro, case, chain, inner=(), resume=None):
    """One resume, which ends as the truth says: `chain` where it stands then, `inner` what was slow inside."""
    kept.add(coro)
    inside.clear()
    begun = clock()
    try:
        (resume or coro.send)(None)
    except (StopIteration, LookupError):
        pass
    record(case, begun, clock(), inside, chain=chain, inner=list(inner))


def write(path):
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(truth))  # dump() would write by generators of its own


# --- steps ---

async def outermost(ms):
    while True:
        busy(ms)
        await Pause()  # outermost


async def ending(ms):
    busy(ms)
    return ms  # ending


async def over_ending(ms):
    while True:
        await ending(ms)
        await Wait()  # after ending


async def leaf(ms):
    while True:
        busy(ms)
        await Wait()  # leaf


async def middle(ms):
    await leaf(ms)  # middle


async def over_leaf(ms):
    await middle(ms)  # over leaf


async def returning(ms):
    busy(ms)


async def raising(ms):
    busy(ms)
    raise LookupError  # raising


def cases(ms):
    """What each coroutine's step looks like. What is slow inside is known where nothing but it runs inside."""
    leaves = [place(over_leaf, "over leaf"), place(middle, "middle"), place(leaf, "leaf")]
    return [(outermost(ms), "outermost", [place(outermost, "outermost"), PAUSED], []),
            (over_ending(ms), "over_ending", [place(over_ending, "after ending")], [place(ending, "ending")]),
            (over_leaf(ms), "over_leaf", leaves, leaves[:0:-1])]


def steps():
    """Of 30 ms, and of 3 ms: only the former are over a limit of 20 ms."""
    slow, fast = cases(30), cases(3)
    scope.barrier()
    for _ in range(7):
        for coro, case, chain, inner in slow + fast:
            step(coro, case, chain, inner)
        step(returning(30), "returning", [["returning", mark_of_return()]])
        step(raising(30), "raising", [place(raising, "raising")])


def mark_of_return():
    lines, first = inspect.getsourcelines(returning)
    return first + len(lines) - 1


# --- other kinds ---

def generator():
    while True:
        busy(30)
        yield  # generator


async def ticks():
    """Waits for long, and holds its thread for 30 ms of that."""
    while True:
        await Wait()  # tick waits
        busy(30)
        yield


async def idle():
    """Waits for long, and does nothing."""
    while True:
        await Wait()  # idle waits
        yield


async def reader(agen):
    async for _ in agen:  # reads
        await Wait()  # reader


def kinds():
    gen, read, quiet = generator(), reader(ticks()), reader(idle())
    yields, between = [place(generator, "generator")], [place(reader, "reader")]
    ticking = [place(reader, "reads"), place(ticks, "tick waits")]
    idling = [place(reader, "reads"), place(idle, "idle waits")]
    scope.barrier()
    for _ in range(5):
        step(gen, "generator", yields, resume=lambda _: next(gen))
        step(read, "waiting", ticking)  # where the async generator awaits
        step(quiet, "waiting", idling)
        time.sleep(0.05)
        step(read, "reader", between, [["ticks", None]])
        step(quiet, "quiet", between)


# --- why ---

async def collecting(heaps):
    while heaps:
        heaps.pop()
        busy(1)
        timed(gc.collect)
        await Pause()


async def importing(names):
    for name in names:
        busy(1)
        timed(__import__, name)
        await Pause()


async def sleeping(times):
    for _ in range(times):
        busy(1)
        timed(time.sleep, 0.2)
        await Pause()


gone = []  # when those below went, in the collection under way


class Cleared:
    """Goes with the list that holds it."""

    def __del__(self):
        gone.append(clock())


class Finalized(Cleared):
    """The collector calls its finalizer before it clears anything. What is made there, it has not found: that goes when
    the lists are cleared, in either order."""

    def __init__(self, *lists):
        self.lists = lists

    def __del__(self):
        gone.append(clock())
        for each in self.lists:
            each.append(Cleared())


def garbage(count):
    lists = [[] for _ in range(count)]
    for each in lists:
        each.append(each)
    lists[0].append(Finalized(lists[0], lists[-1]))
    return lists


def write_modules(folder):
    sys.path.insert(0, folder)
    os.mkdir(os.path.join(folder, "slow_package"))
    spinning = "import time\nend = time.perf_counter_ns() + {} * 1000000\nwhile time.perf_counter_ns() < end: pass\n"
    for name, text in (("slow_module", spinning.format(60)), ("slow_package/__init__", "import slow_package.part"),
                       ("slow_package/part", spinning.format(60))):
        with open(os.path.join(folder, name + ".py"), "w", encoding="utf-8") as file:
            file.write(text)


def reasons():
    write_modules(os.path.dirname(sys.argv[2]))
    heaps = [garbage(1), garbage(400_000), garbage(1)]  # the last goes first, beside the one that takes long
    collector, importer, sleeper = collecting(heaps), importing(["slow_module", "slow_package"]), sleeping(2)
    collections = []

    def watch(phase, info):
        if phase == "start":
            gone.clear()
        else:
            collections.append({"generation": info["generation"], "collected": info["collected"],
                                "gone": list(gone)})

    scope.barrier()
    gc.callbacks.append(watch)
    for _ in range(len(heaps)):
        step(collector, "collecting", None)
        truth["steps"][-1]["collection"] = collections.pop()
        assert not collections
    gc.callbacks.clear()
    for _ in range(2):
        step(importer, "importing", None)
    for _ in range(2):
        step(sleeper, "sleeping", None)


# --- steps that do not end ---

async def stuck():
    inside.append((clock(), sys.stdin.readline() and clock()))  # stuck
    await Pause()  # free again


async def over_stuck():
    await stuck()  # over stuck


def running(early=""):
    """It holds its thread until it is told to go on; with `early`, from before the tracer comes."""
    coro = over_stuck()
    truth["stuck"] = [place(over_stuck, "over stuck"), place(stuck, "stuck")]
    if early:
        print("ready", os.getpid(), flush=True)
    else:
        scope.barrier()
    step(coro, "stuck", [place(over_stuck, "over stuck"), place(stuck, "free again"), PAUSED])


# --- suspects ---

def suspect(kind, function, made_in, word, **more):
    truth["suspects"].append({"type": kind, "qualname": function.__qualname__, "created": place(made_in, word), **more})


async def lonely():
    pass


async def closed():
    pass


async def items():
    yield 1  # item
    yield 2


class Holder:
    pass


def drop_coroutines():
    for _ in range(3):
        lonely()  # plain drop
        suspect("never_awaited", lonely, drop_coroutines, "plain drop")
    for _ in range(2):
        holder = Holder()
        holder.self = holder
        holder.coro = lonely()  # in a cycle
        suspect("never_awaited", lonely, drop_coroutines, "in a cycle")
    del holder
    gc.collect()
    for _ in range(2):
        closed().close()
    try:
        closed().throw(LookupError)
    except LookupError:
        pass
    try:
        closed().send(None)
    except StopIteration:
        pass


async def breaks_out():
    async for _ in items():  # breaks out
        break


async def closes():
    agen = items()
    async for _ in agen:
        break
    await agen.aclose()
    unused = items()
    await unused.aclose()
    del unused
    async for _ in items():
        pass


async def drop_async_generators():
    await closes()
    for _ in range(3):
        await breaks_out()
        suspect("unclosed", items, breaks_out, "breaks out", line=mark(items, "item"))
        gc.collect()
        await asyncio.sleep(0.01)


def drop_without_a_loop():
    for _ in range(2):
        agen = items()  # without a loop
        try:
            agen.asend(None).send(None)
        except StopIteration:
            pass
        suspect("unclosed", items, drop_without_a_loop, "without a loop", line=mark(items, "item"))
        del agen


def suspects():
    loop = asyncio.new_event_loop()
    scope.barrier()
    drop_coroutines()
    drop_without_a_loop()
    loop.run_until_complete(drop_async_generators())
    loop.run_until_complete(loop.shutdown_asyncgens())


# --- what is parked ---

async def waits(future):
    await future  # waits


async def over_waits(future):
    await waits(future)  # over waits


async def over_async_generator(agen):
    async for _ in agen:  # over agen
        pass


async def agen_waits(future):
    await waits(future)  # agen waits
    yield


def yields():
    yield  # yields


def park(loop, older):
    new = loop.create_future
    objects = [over_waits(new()), waits(new()), over_async_generator(agen_waits(new())), yields()]  # park
    for each in objects:
        each.send(None)
    chains = [[place(over_waits, "over waits"), place(waits, "waits")], [place(waits, "waits")],
              [place(over_async_generator, "over agen"), place(agen_waits, "agen waits"), place(waits, "waits")],
              [place(yields, "yields")]]
    truth["suspects"] += [{"type": "parked", "qualname": chain[0][0], "chain": chain, "older": older,
                           "created": None if older else place(park, "park")} for chain in chains]
    return objects


def parked():
    loop = asyncio.new_event_loop()
    older = park(loop, True)
    never = waits(loop.create_future())  # created, not suspended
    scope.barrier()
    younger = park(loop, False)
    sys.stdin.readline()
    write(sys.argv[2])
    del older, younger
    never.close()


def crowd(count):
    """So many objects: half of them alone, the others in chains of two."""
    count = int(count)
    objects = [waits(Wait()) for _ in range(count // 2)] + [over_waits(Wait()) for _ in range(count // 4)]
    for each in objects:
        each.send(None)
    scope.barrier()
    sys.stdin.readline()


# --- a server ---

clocks = {}  # moments of the request under way


async def handle(number):
    clocks["begun"] = clock()
    note = number * 7
    if number % 5 == 0:
        busy(30)
    clocks["waits"] = clock()
    await asyncio.sleep(0.002)
    clocks["goes on"] = clock()
    return note


async def serve(count):
    """Each step is between two moments of the others: nothing else runs here."""
    for number in range(count):
        inside.clear()
        before = clock()
        await asyncio.create_task(handle(number), name=f"request-{number}")
        after = clock()
        record("serve", clocks["served"], clocks["begun"], ())
        record("request", before, clocks["goes on"], inside, number=number)
        record("answer", clocks["waits"], after, (), number=number)
        clocks["served"] = clocks["goes on"]


def server(count="60"):
    scope.barrier()
    clocks["served"] = clock()
    asyncio.run(serve(int(count)))
    record("serve", clocks["served"], clock(), ())


CASES = {case.__name__: case for case in (steps, kinds, reasons, running, suspects, parked, crowd, server)}

if __name__ == "__main__":
    gc.disable()
    warnings.simplefilter("ignore")
    CASES[sys.argv[1]](*sys.argv[3:])
    write(sys.argv[2])
    sys.stdout.flush()
    os._exit(0)  # nothing of the interpreter's own end is told

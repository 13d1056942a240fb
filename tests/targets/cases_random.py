# SPDX-License-Identifier: MIT
"""Random programs: functions that yield, await, throw and close at random, driven at random, from a seed.

A program is source text, one statement a line, so that the truth has lines to tell. Functions are layered: one
calls only those with a greater number, so every program ends.
"""

import linecache
import random
import types

import scope
from scope import track

SEEDS = 20
ERRORS = ("KeyError", "ValueError", "IndexError")


@types.coroutine
def pause():
    return (yield "pause")


class Writer:
    """Source text with indentation, and a budget of statements."""

    def __init__(self, rng):
        self.rng, self.lines, self.budget = rng, [], 0

    def put(self, depth, text):
        self.lines.append("    " * depth + text)

    def function(self, head, statements, number, count):
        self.put(0, head)
        self.budget = self.rng.randint(3, 9)
        self.block(1, statements, number, count)
        self.put(1, self.rng.choice(["pass", "pass", "total = 1", "raise KeyError(1)"]))

    def block(self, depth, statements, number, count):
        for _ in range(self.rng.randint(1, 3)):
            self.budget -= 1
            statement = self.rng.choice(statements if self.budget > 0 and depth < 4 else statements[:2])
            statement(self, depth, number, count)

    def callee(self, number, count):
        return self.rng.randint(number + 1, count - 1)


# Statements. Each puts at least one line.

def nothing(w, depth, number, count):
    w.put(depth, f"total = {w.rng.randint(0, 99)}")


def yields(w, depth, number, count):
    w.put(depth, w.rng.choice(["yield 1", "got = yield 2", "total = (yield 3)"]))


def loops(body):
    def loop(w, depth, number, count):
        w.put(depth, f"for i{depth} in range({w.rng.randint(0, 3)}):")
        w.block(depth + 1, body(), number, count)
    return loop


def tries(body):
    def attempt(w, depth, number, count):
        w.put(depth, "try:")
        w.block(depth + 1, body(), number, count)
        how = w.rng.randint(0, 2)
        if how != 1:
            w.put(depth, f"except {w.rng.choice(ERRORS)}:")
            w.block(depth + 1, body(), number, count)
        if how != 0:
            w.put(depth, "finally:")
            w.put(depth + 1, "total = 0")
    return attempt


def raises(w, depth, number, count):
    w.put(depth, f"if {w.rng.randint(0, 2)} == 0:")
    w.put(depth + 1, f"raise {w.rng.choice(ERRORS)}({w.rng.randint(0, 9)})")


def returns(w, depth, number, count):
    w.put(depth, f"if {w.rng.randint(0, 3)} == 0:")
    w.put(depth + 1, "return")


def calls(templates):
    def call(w, depth, number, count):
        if number + 1 >= count:
            nothing(w, depth, number, count)
            return
        text = w.rng.choice(templates).replace("CALLEE", str(w.callee(number, count)))
        for line in text.replace("ERROR", w.rng.choice(ERRORS)).split("\n"):
            w.put(depth, line)
    return call


GEN_CALLS = calls(["yield from track(gCALLEE())", "got = yield from track(gCALLEE())",
                   "for x in track(gCALLEE()):\n    yield x", "total = list(track(gCALLEE()))",
                   "for x in track(gCALLEE()):\n    break", "h = track(gCALLEE())\nnext(h, None)\nshut(h)",
                   "h = track(gCALLEE())\nnext(h, None)\nhurl(h, ERROR())", "h = track(gCALLEE())\nshut(h)",
                   "h = track(gCALLEE())\nnext(h, None)\nnext(h, None)", "total = [x for x in track(gCALLEE())]"])
CORO_CALLS = calls(["await track(cCALLEE())", "got = await track(cCALLEE())", "total = list(track(g2()))",
                    "h = track(cCALLEE())\nshut(h)"])
AWAITS = calls(["await track(pause())", "got = await track(pause())"])
AGEN_CALLS = calls(["async for x in track(aCALLEE()):\n    yield x", "await track(pause())",
                    "async for x in track(aCALLEE()):\n    break", "total = [x async for x in track(aCALLEE())]"])
MAIN_CALLS = calls(["async for x in track(aCALLEE()):\n    total = x", "await track(pause())",
                    "h = track(aCALLEE())\nawait anext(h, None)\nawait h.aclose()",
                    "h = track(aCALLEE())\nawait h.asend(None)\nawait h.athrow(ERROR())",
                    "h = track(aCALLEE())\nawait anext(h, None)\nawait anext(h, None)",
                    "total = {x async for x in track(aCALLEE())}", "await track(aCALLEE()).aclose()"])


def gen_body():
    return [yields, nothing, yields, GEN_CALLS, GEN_CALLS, loops(gen_body), tries(gen_body), raises, returns]


def coro_body():
    return [AWAITS, nothing, CORO_CALLS, CORO_CALLS, loops(coro_body), tries(coro_body), raises, returns]


def agen_body():
    return [yields, nothing, AGEN_CALLS, AGEN_CALLS, loops(agen_body), tries(agen_body), raises, returns]


def main_body():
    return [MAIN_CALLS, nothing, MAIN_CALLS, loops(main_body), tries(main_body)]


COUNT = 5


def program(seed):
    writer = Writer(random.Random(seed))
    for number in range(COUNT):
        writer.function(f"def g{number}():", gen_body(), number, COUNT)
        writer.put(1, "yield 0")
        writer.function(f"async def c{number}():", coro_body(), number, COUNT)
        writer.function(f"async def a{number}():", agen_body(), number, COUNT)
        writer.put(1, "yield 0")
        writer.function(f"async def m{number}():", main_body(), number, COUNT)
    return "\n".join(writer.lines) + "\n"


def hurl(obj, exc):
    """throw(), whatever comes of it."""
    try:
        scope.throw(obj, exc)
    except Exception:
        pass


def shut(obj):
    try:
        scope.close(obj)
    except Exception:
        pass


def step(obj):
    """One resume; false when it is over."""
    try:
        obj.send(None)
    except (StopIteration, Exception):
        return False
    return True


def drive(rng, obj):
    """Random steps on a generator or a coroutine."""
    for _ in range(rng.randint(0, 12)):
        what = rng.randint(0, 9)
        if what < 7:
            step(obj)
        elif what < 9:
            hurl(obj, rng.choice((KeyError, ValueError, IndexError))(1))
        else:
            shut(obj)


def finish(obj):
    """To the end: throwing into async generators that wait is a matter of its own."""
    while step(obj):
        pass


def run(seed):
    name = f"<random-{seed}>"
    text = program(seed)
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    space = {"track": track, "pause": pause, "shut": shut, "hurl": hurl}
    exec(compile(text, name, "exec"), space)
    rng = random.Random(seed)
    for number in range(COUNT):
        for _ in range(2):
            drive(rng, track(space[f"g{number}"]()))
            drive(rng, track(space[f"c{number}"]()))
        finish(track(space[f"m{number}"]()))


def make(seed):
    def body():
        run(seed)
    body.__name__ = f"random_{seed:02}"
    body.__doc__ = f"The random program of seed {seed}."
    scope.case(body)


for _seed in range(SEEDS):
    make(_seed)

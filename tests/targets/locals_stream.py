# SPDX-License-Identifier: MIT
"""Locals as inspect has them around every transition: locals_stream.py TRUTH_FILE CASE…

Each line of the truth is one transition: the object's address, where it goes, and its variables. What they
hold is changed at once afterwards: who reads it later than at the transition itself reads something else.
"""

import inspect
import json
import sys
import types

import parked_repr
import scope

DEPTH, ITEMS, STRING = 2, 16, 128
truth = []


def locals_of(obj):
    """inspect.getgeneratorlocals, getcoroutinelocals; getasyncgenlocals came with 3.12 only, and does the same."""
    if isinstance(obj, types.GeneratorType):
        return inspect.getgeneratorlocals(obj)
    if isinstance(obj, types.CoroutineType):
        return inspect.getcoroutinelocals(obj)
    return obj.ag_frame.f_locals


class Thing:
    class Inner:
        pass


class Stubborn(int):
    def __repr__(self):
        return "no repr of a subclass is known from outside"


@types.coroutine
def pause(value):
    got = yield value
    return got


def note(obj, to):
    """What the variables of an object that does not run hold now."""
    values = locals_of(obj)
    truth.append({"gen": f"{id(obj):#x}", "qualname": obj.__qualname__, "to": to,
                  "locals": {name: parked_repr.show(value, DEPTH, ITEMS, STRING) for name, value in values.items()}})


def drive(obj, change=None):
    """Step by step to its end; change() between two steps."""
    note(obj, "CREATED")
    step = obj.__next__ if isinstance(obj, types.GeneratorType) else lambda: obj.send(None)
    while True:
        note(obj, "RUNNING")
        try:
            step()
        except StopIteration:
            return
        note(obj, "SUSPENDED")
        if change:
            change()


def scalars():
    def values():
        none, dots, yes, no = None, ..., True, False
        yield 1
        zero, small, negative, digits, huge = 0, 7, -1, 2**30, -10**100
        yield 2
        real, tiny, inf, nan, z = 1.5, -0.0, float("inf"), float("nan"), complex(1, -2.5)
        yield 3
        del none, small
        yield 4
    drive(values())


def strings():
    def values():
        ascii, latin, two, four = "plain 'quoted'", "caf\xe9\n", "snow \u2603", "\U0001f600 \u00e9"
        yield
        raw, empty, nothing = b"\x00'\"\xff", "", b""
        surrogate, control, both = "\ud800", "\x7f\x1b\u200b", "'\""
        yield
    drive(values())


def containers():
    def values():
        items, pair, one, none = [1, "a", None], (1.5, b"x"), (1,), []
        table, nested = {"a": 1, 2: [3, 4], (5,): {"k": "v"}}, [[1], (2, 3), {"x": 4}, {5}]
        numbers, frozen = {1, 2, 3}, frozenset("a")
        yield
        items.append("more")
        del table["a"]
        yield
    drive(values())


def changed_at_once():
    """What is shown was true for a moment only."""
    box, table = [], {}

    def values(box, table):
        for i in range(100):
            text = f"step {i}"
            box[:] = [i, text]
            table["i"] = (i,)
            yield
    drive(values(box, table), lambda: (box.clear(), table.clear(), box.append("late"), table.update(late="late")))


def cells():
    shared, unset = 1, None

    def values(argument, *rest, key=5, **more):
        nonlocal shared
        inner = [argument]

        def uses():
            return inner, argument, later
        shared += 1
        yield uses
        later = "now"
        inner.append(shared)
        yield
        del later
        yield
    drive(values("first", 2, 3, other=4))
    del unset


def classes():
    def values():
        thing, inner, number = Thing(), Thing.Inner(), Stubborn(3)
        module, function, kind, method = sys, values, dict, [].append
        yield
        space = types.SimpleNamespace(a=1)
        mapping = vars(space)
        yield
    drive(values())


def attributes():
    """Dictionaries of objects keep their keys apart."""
    class Point:
        def __init__(self):
            self.x, self.y, self.z = 1, "two", [3]

    def values():
        point, other = Point(), Point()
        fields, others = vars(point), vars(other)
        yield
        del point.y
        point.y = "again"
        yield
        point.more = 4
        yield
    drive(values())


def coroutines():
    async def inner(depth):
        local = ["at", depth]
        if depth:
            await inner(depth - 1)
        await pause(depth)
        local.append("after")
        await pause(depth)

    async def outer(name):
        count = 0
        for count in range(3):
            await pause(name * count)
        return count
    drive(outer("ab"))
    drive(inner(0))


def comprehensions():
    def values(data):
        total = [x for x in data]
        x = "mine"
        pairs = {k: v for k, v in zip("ab", data)}
        yield [y for y in pairs]
        yield {x for x in total}
    drive(values([1, 2]))


def many_names():
    def values():
        a1 = a2 = a3 = a4 = a5 = a6 = a7 = a8 = 1
        b1 = b2 = b3 = b4 = b5 = b6 = b7 = b8 = 2
        yield
    drive(values())


def async_generators():
    async def values(n):
        for i in range(n):
            held = {"i": i}
            yield i
            held["after"] = True

    def drive_async(obj):
        note(obj, "CREATED")
        while True:
            step = obj.__anext__()
            note(obj, "RUNNING")
            try:
                step.send(None)
            except StopIteration:
                note(obj, "SUSPENDED")
            except StopAsyncIteration:
                return
    drive_async(values(3))


CASES = {fn.__name__: fn for fn in (scalars, strings, containers, changed_at_once, cells, classes, attributes, coroutines,
                                    comprehensions, many_names, async_generators)}


def hot(rounds):
    """Many steps of two functions, for sampling."""
    def often(n):
        for i in range(n):
            yield i

    def seldom():
        yield 1
    for _ in often(rounds):
        pass
    for _ in range(10):
        for _ in seldom():
            pass


def limits():
    """More than a stream shows of anything."""
    def wide():
        password, api_key, my_token_2 = "hunter2", ["k"], {"t": 1}
        text, raw, number = "x" * 5000, b"y" * 5000, 10**200
        items, deep = list(range(1000)), [[[1]]]
        numbers, table = set(range(1000)), {i: str(i) for i in range(1000)}
        wide_text = "\U0001f600" * 2000
        yield
    for _ in wide():
        pass

    def long_items():
        items, table = list(range(1000)), {i: str(i) for i in range(1000)}
        yield
    for _ in long_items():
        pass

    def long_texts():
        text, wide_text = "x" * 5000, "\U0001f600" * 2000
        yield
    for _ in long_texts():
        pass
    names = ", ".join(f"n{i}" for i in range(100))
    space = {}
    exec(f"def crowd():\n    {names} = range(100)\n    yield\n", space)
    for _ in space["crowd"]():
        pass

    def heavy():
        t01 = t02 = t03 = t04 = t05 = t06 = t07 = t08 = t09 = t10 = "\U0001f600" * 1024
        yield
    for _ in heavy():
        pass


def run(path, names):
    scope.barrier()
    for name in names:
        CASES[name]()
    with open(path, "w", encoding="utf-8") as out:
        for record in truth:
            out.write(json.dumps(record) + "\n")


def main():
    if sys.argv[1] == "--list":
        print("\n".join(CASES))
    elif sys.argv[1] == "limits":
        scope.barrier()
        limits()
    elif sys.argv[1] == "hot":
        scope.barrier()
        hot(int(sys.argv[2]))
    else:
        run(sys.argv[1], sys.argv[2:])


if __name__ == "__main__":
    main()

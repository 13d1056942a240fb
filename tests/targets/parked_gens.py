# SPDX-License-Identifier: MIT
"""Generators in every state and shape; build() leaves them where they stand."""

import contextlib
import functools
import itertools
import types

from parked_truth import keep


def group(obj):
    return keep("generators", obj)


def started(gen, steps=1):
    """Kept, and resumed so many times."""
    group(gen)
    for _ in range(steps):
        next(gen)
    return gen


def count(n):
    for i in range(n):
        yield i


def swallow(exc, call, *args):
    try:
        call(*args)
    except exc:
        pass


def failing():
    yield 1
    raise KeyError("out")


def guarded(log):
    try:
        yield "in"
    except ValueError:
        yield "handled"
        yield "handled again"
    finally:
        log.append("finally")


def many_lines(a,
               b=2,
               *rest,
               key=None):
    x = (a +
         (yield
          1) +
         (yield 2))
    y = [
        x,
        (yield
         3),
    ]
    return y


def link(depth):
    if depth:
        yield from group(link(depth - 1))
    yield "deep"
    yield "deeper"


def delegate(iterable):
    got = yield from iterable
    return got


class Counter:
    """An iterator written in Python."""

    def __init__(self):
        self.at = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.at += 1
        return self.at

    def method(self, x):
        yield self
        yield x

    @classmethod
    def on_class(cls):
        yield cls

    @staticmethod
    def static():
        yield 1

    class Inner:
        def method(self):
            yield __class__


class FromGenerator:
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        yield from group(count(self.n))
        yield "end"


def decorate(function):
    @functools.wraps(function)
    def wrapper(*args):
        yield from group(function(*args))
    return wrapper


@decorate
@decorate
def decorated(x):
    yield x


def nested_with():
    with contextlib.suppress(KeyError), \
            contextlib.nullcontext(5) as five:
        for i in range(3):
            while True:
                try:
                    yield five
                except KeyError:
                    yield i
                    raise
                finally:
                    five = 6


def loop_in_loop():
    for i in range(10):
        for j in (yield i) or ():
            yield j


def own_reference():
    me = yield 1
    yield me


@types.coroutine
def coroutine_like():
    got = yield 1
    return got


def states():
    group(count(3))
    started(count(3))
    started(count(3), 3)
    for steps in range(2):
        started(count(3), steps).close()
    for obj in (group(count(0)), group(count(3))):
        list(obj)
    broken = started(failing())
    swallow(KeyError, next, broken)
    unstarted = group(count(1))
    swallow(ValueError, unstarted.throw, ValueError())


def handlers():
    log = []
    group(guarded(log))
    started(guarded(log))
    handled = started(guarded(log))
    handled.throw(ValueError())
    again = started(guarded(log))
    again.throw(ValueError())
    next(again)
    started(guarded(log)).close()
    dead = started(guarded(log))
    swallow(TypeError, dead.throw, TypeError())
    inside = started(nested_with(), 2)
    assert next(inside) == 6
    assert started(nested_with()).throw(KeyError) == 0


def places():
    for sends in range(4):
        obj = started(many_lines(1, 2, 3, 4, key="k"), min(sends, 1))
        for number in range(sends - 1):
            obj.send(number)
    obj = started(loop_in_loop())
    obj.send("abc")
    next(obj)
    started(lambda_generator())
    group((x for x in range(3)))
    started(x * y for x in range(1, 3) for y in range(2) if x)
    started((yielded for yielded in group(count(3))), 2)
    box = Counter()
    group(box.method(1))
    started(box.method("x"), 2)
    started(Counter.on_class())
    started(Counter.static())
    started(Counter.Inner().method())
    started(decorated("x"))
    group(decorated("y"))
    started(coroutine_like())


def lambda_generator():
    return (lambda first=1: (yield first) + (yield 2))()


def delegating():
    outer = started(link(12))
    started(link(3), 2)
    group(link(2))
    assert next(outer) == "deeper"
    for iterable in (range(3), [1, 2], (1, 2), {1: 2}, iter([1, 2]), Counter(), map(str, group(count(3))), "text",
                     zip([1], [2]), itertools.count(), FromGenerator(2), group(count(2)),
                     itertools.chain(group(count(2)), group(count(1))), iter(Counter().__next__, 9)):
        started(delegate(iterable))
    shared = group(count(9))
    started(delegate(shared))
    started(delegate(shared))  # two that wait for one
    closed_inner = group(count(1))
    outer = started(delegate(closed_inner))
    closed_inner.close()
    finished = started(delegate(count(1)))
    swallow(StopIteration, next, finished)
    cycle = started(own_reference())
    cycle.send(cycle)
    sent = started(delegate(group(own_reference())))
    sent.send(sent)


def generated_source():
    """Code that no file holds: odd names, a great first line, many variables, long jumps."""
    space = {}
    text = "\n" * 70000 + "def far():\n    x = 1\n" + "\n" * 40000 + "    yield x\n    y = 2\n    yield y\n"
    exec(compile(text, "<far é 文 \U0001f40d \"quoted\" \\ \n\t>", "exec"), space)
    group(space["far"]())
    started(space["far"]())
    started(space["far"](), 2)
    names = [f"v{number}" for number in range(400)]
    text = f"def wide({', '.join(names[:200])}):\n"
    text += "".join([f"    {name} = {number}\n" for number, name in enumerate(names[200:])])
    text += "    yield 1\n"
    exec(compile(text, "wide.py", "exec"), space)
    group(space["wide"](*range(200)))
    started(space["wide"](*range(200)))
    text = "def größe_名():\n    ναι = yield 1\n    yield ναι\n"
    exec(compile(text, "größe.py", "exec"), space)
    started(space["größe_名"]())
    loops = "    for i in range(9):\n        if i:\n            pass\n" * 300
    text = "def back():\n" + loops + "    yield 1; yield 2\n"
    exec(compile(text, "", "exec"), space)
    started(space["back"](), 2)


def build():
    states()
    handlers()
    places()
    delegating()
    generated_source()

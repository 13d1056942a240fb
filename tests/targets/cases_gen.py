# SPDX-License-Identifier: MIT
"""Generators: every way in and every way out."""

import contextlib

from scope import case, close, raises, throw, track


def count(n):
    for i in range(n):
        yield i


def guarded(log):
    try:
        yield 1
        yield 2
    finally:
        log.append("finally")


def stubborn():
    try:
        yield 1
    except GeneratorExit:
        yield 2


def catcher():
    while True:
        try:
            yield "ready"
        except ValueError:
            yield "caught"


def two_lines():
    x = yield 1
    yield x
    return 3


def decorate(fn):
    return fn


@decorate
def decorated():
    yield 1


@case
def for_loop():
    """FOR_ITER, the specialised one too (the loop runs often enough)."""
    total = 0
    for x in track(count(200)):
        total += x
    assert total == 19900


@case
def for_break():
    """A loop that is left half way frees the generator."""
    for x in track(count(5)):
        if x == 2:
            break


@case
def nested_for():
    for i in track(count(3)):
        for j in track(count(3)):
            assert i < 3 and j < 3


@case
def next_calls():
    g = track(two_lines())
    assert next(g) == 1
    assert next(g) is None
    assert raises(StopIteration, next, g).value == 3
    raises(StopIteration, next, g)
    assert next(g, "end") == "end"


@case
def send_calls():
    g = track(two_lines())
    raises(TypeError, lambda: g.send(1))
    assert g.send(None) == 1
    assert g.send(7) == 7
    raises(StopIteration, lambda: g.send(8))
    raises(StopIteration, lambda: g.send(9))


@case
def dunder_next():
    g = track(count(2))
    assert g.__next__() == 0
    assert next(g) == 1


@case
def throw_handled():
    g = track(catcher())
    next(g)
    assert throw(g, ValueError()) == "caught"
    assert next(g) == "ready"
    assert throw(g, ValueError()) == "caught"


@case
def throw_unhandled():
    g = track(catcher())
    next(g)
    raises(KeyError, throw, g, KeyError())
    raises(KeyError, throw, g, KeyError())


@case
def throw_created():
    g = track(catcher())
    raises(KeyError, throw, g, KeyError())
    raises(StopIteration, next, g)


@case
def throw_exit():
    """throw(GeneratorExit) is not close()."""
    g = track(two_lines())
    next(g)
    raises(GeneratorExit, throw, g, GeneratorExit())


@case
def close_created():
    g = track(count(3))
    close(g)
    close(g)
    raises(StopIteration, next, g)


@case
def close_suspended():
    g = track(two_lines())
    next(g)
    close(g)
    close(g)


@case
def close_in_loop():
    g = track(count(3))
    next(g)
    next(g)
    close(g)


@case
def close_finally():
    log = []
    g = track(guarded(log))
    next(g)
    close(g)
    assert log == ["finally"]


@case
def close_ignored():
    """A generator that yields in answer to GeneratorExit."""
    g = track(stubborn())
    next(g)
    raises(RuntimeError, close, g)
    raises(StopIteration, next, g)


@case
def close_returns():
    def gen():
        try:
            yield 1
        except GeneratorExit:
            return 5
    g = track(gen())
    next(g)
    close(g)


@case
def close_raises():
    def gen():
        try:
            yield 1
        finally:
            raise LookupError
    g = track(gen())
    next(g)
    raises(LookupError, close, g)


@case
def close_finished():
    g = track(count(1))
    assert list(g) == [0]
    close(g)


@case
def raise_first():
    def gen():
        raise LookupError
        yield
    g = track(gen())
    raises(LookupError, next, g)
    raises(StopIteration, next, g)


@case
def raise_later():
    def gen(d):
        yield 1
        yield d["missing"]
    g = track(gen({}))
    for _ in range(1):
        assert next(g) == 1
    raises(KeyError, next, g)


@case
def raise_in_for():
    def gen():
        yield 1
        yield 1 / 0
    try:
        for _ in track(gen()):
            pass
    except ZeroDivisionError:
        return
    raise AssertionError


@case
def raise_stopiteration():
    """StopIteration inside becomes RuntimeError."""
    def gen():
        yield 1
        raise StopIteration(2)
    g = track(gen())
    next(g)
    raises(RuntimeError, next, g)


@case
def return_value():
    def gen():
        yield 1
        return "value"
    g = track(gen())
    next(g)
    assert raises(StopIteration, next, g).value == "value"


@case
def never_yields():
    def gen():
        return 1
        yield
    g = track(gen())
    assert raises(StopIteration, next, g).value == 1


@case
def decorated_def():
    assert list(track(decorated())) == [1]


@case
def genexpr():
    assert sum(track(x * x for x in range(5))) == 30
    assert list(track(y for y in track(count(4)) if y % 2)) == [1, 3]


@case
def genexpr_any():
    """any() stops early: the generator dies suspended."""
    assert any(track(x == 2 for x in range(10)))


@case
def c_iteration():
    assert list(track(count(4))) == [0, 1, 2, 3]
    assert sum(track(count(4))) == 6
    assert tuple(track(count(2))) == (0, 1)
    assert [*track(count(2)), *track(count(1))] == [0, 1, 0]
    assert max(track(count(3))) == 2
    assert "".join(track(str(i) for i in range(3))) == "012"


@case
def unpacking():
    a, b = track(count(2))
    first, *rest = track(count(3))
    assert (a, b, first, rest) == (0, 1, 0, [1, 2])
    assert 2 in track(count(5))


@case
def comprehension():
    assert [x for x in track(count(3))] == [0, 1, 2]
    assert {x for x in track(count(3))} == {0, 1, 2}
    assert {x: 1 for x in track(count(3))} == {0: 1, 1: 1, 2: 1}


def leaf(n):
    got = []
    for i in range(n):
        got.append((yield i))
    return got


def link(depth, n):
    if depth == 0:
        return (yield from track(leaf(n)))
    result = yield from track(link(depth - 1, n))
    return result + [depth]


@case
def yield_from_chain():
    """Five deep, driven by for and by send, return values through all."""
    g = track(link(5, 3))
    assert next(g) == 0
    assert g.send("a") == 1
    assert g.send("b") == 2
    assert raises(StopIteration, lambda: g.send("c")).value == ["a", "b", "c", 1, 2, 3, 4, 5]
    assert [x for x in track(link(5, 40))] == list(range(40))


@case
def yield_from_throw():
    """An exception thrown through five yield froms, handled by nobody."""
    g = track(link(5, 3))
    next(g)
    raises(KeyError, throw, g, KeyError())


def mender(depth):
    if depth == 0:
        yield 1
        yield 2
        return "inner"
    try:
        return (yield from track(mender(depth - 1)))
    except KeyError:
        yield "mended"
        return "outer"


@case
def yield_from_throw_mended():
    """Handled at the second level from below: the outer ones never notice."""
    g = track(mender(5))
    next(g)
    assert throw(g, KeyError()) == "mended"
    assert raises(StopIteration, next, g).value == "outer"


def swallow():
    try:
        yield 1
    except KeyError:
        return "swallowed"


def keep(inner):
    value = yield from inner
    yield value


@case
def yield_from_throw_returns():
    """The inner one answers throw() by returning: the outer goes on."""
    g = track(keep(track(swallow())))
    next(g)
    assert throw(g, KeyError()) == "swallowed"
    raises(StopIteration, next, g)


@case
def yield_from_close():
    g = track(link(5, 3))
    next(g)
    close(g)
    g = track(link(2, 3))
    close(g)


@case
def yield_from_close_finally():
    log = []
    g = track(keep(track(keep(track(guarded(log))))))
    next(g)
    close(g)
    assert log == ["finally"]


@case
def yield_from_close_ignored():
    g = track(keep(track(stubborn())))
    next(g)
    raises(RuntimeError, close, g)


@case
def yield_from_exit_thrown():
    """throw(GeneratorExit) through a yield from closes the inner one."""
    log = []
    g = track(keep(track(guarded(log))))
    next(g)
    raises(GeneratorExit, throw, g, GeneratorExit())
    assert log == ["finally"]


@case
def yield_from_iterator():
    """yield from something that is no generator: throw and close have nothing to delegate to."""
    g = track(keep([1, 2, 3]))
    assert next(g) == 1
    raises(KeyError, throw, g, KeyError())
    g = track(keep([1, 2, 3]))
    next(g)
    close(g)


@case
def already_executing():
    """A generator that asks for its own next value."""
    def gen():
        raises(ValueError, next, me[0])
        yield 1
        raises(ValueError, me[0].send, None)
        raises(ValueError, me[0].close)
        raises(ValueError, me[0].throw, KeyError())
    me = []
    me.append(track(gen()))
    assert next(me[0]) == 1
    raises(StopIteration, next, me[0])


@contextlib.contextmanager
def managed(log):
    log.append("enter")
    try:
        yield "value"
    finally:
        log.append("exit")


def tracked_manager(log):
    manager = managed(log)
    track(manager.gen)
    return manager


@case
def context_manager():
    log = []
    with tracked_manager(log) as value:
        assert value == "value"
    try:
        with tracked_manager(log):
            raise LookupError
    except LookupError:
        pass
    assert log == ["enter", "exit"] * 2


class Tree:
    def __init__(self, depth):
        self.sides = (Tree(depth - 1), Tree(depth - 1)) if depth else ()
        self.depth = depth

    def walk(self):
        for side in self.sides:
            yield from track(side.walk())
        yield self.depth


@case
def tree_walk():
    assert sum(1 for _ in track(Tree(4).walk())) == 31


def deep(n):
    if n:
        yield from track(deep(n - 1))
    yield n


@case
def recursion_200():
    assert [x for x in track(deep(200))] == list(range(201))


def flatten(items):
    for item in items:
        if isinstance(item, list):
            for x in track(flatten(item)):
                yield x
        else:
            yield item


@case
def recursion_for():
    assert list(track(flatten([1, [2, [3, [4]], 5], []]))) == [1, 2, 3, 4, 5]

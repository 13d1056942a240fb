# SPDX-License-Identifier: MIT
"""Generators whose variables hold values of every kind; build() leaves them suspended."""

import collections
import enum
import sys
import types

from parked_truth import keep


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    pass


class Number(int):
    pass


class Mapping(dict):
    pass


class Point:
    """Instances share their keys: split tables, inline values from 3.11 on."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    class Inner:
        __slots__ = ("a",)


Odd = type("Odd name é", (), {})
Moved = type("Moved", (), {"__module__": "some.where", "__qualname__": "Else.Moved"})
Triple = collections.namedtuple("Triple", "a b c")


def holding(value):
    """A generator with one variable."""
    gen = hold(value)
    next(gen)
    return keep("values", gen)


def hold(value):
    yield value


INTS = [0, 1, -1, 255, 256, 257, -5, -6, 2**15, 2**29, 2**30 - 1, 2**30, -2**30, 2**31, 2**32 + 1, 2**60 - 1, 2**60,
        -2**60,
        2**63 - 1, -2**63, 2**64, 10**18, 10**19, 10**100, -10**100, 2**400 + 3, 10**127, 10**127 - 1, -10**126]
LONG_INTS = [10**128, -10**127, 3**1000, -7**900, 10**4299, 10**4300, -2**20000]
FLOATS = [0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 1e16, 1e15, 123456789012345680.0, 1e-4, 1e-5, 9.999e-5, 1e22, 1e23, 5e-324,
          2.2250738585072014e-308, 1.7976931348623157e308, float("nan"), float("inf"), float("-inf"),
          0.30000000000000004,
          100.0, 1e100, 12345.678, 2.5e-10]
COMPLEX = [0j, 1 + 2j, -0.0 - 0j, complex(-0.0, 1), complex(0, -0.0), complex(float("nan"), float("-inf")), 1e300j,
           1.5 + 0j]
STRINGS = ["", "plain", "it's", 'say "hi"', "it's \"both\"", "back\\slash", "\n\t\r\0\x01\x1f\x7f", "\x80\x9f\xa0\xad",
           "caf\xe9",
           "\xff\xfe", "\u0378 unassigned", "\u4e2d\u6587", "\u2028\u2029\u200b\ufeff", "\ud800 lone \udfff",
           "\U0001f40d",
           "\U0001f40d\xe9\u4e2d'", "\U000e0001\U0010ffff", "\ue000 private", "e\u0301", "\u0416", "\t", "'", '"', "\\",
           "x" * 128, "\xe9" * 128, "\u4e2d" * 128, "\U0001f40d" * 128, "\u3000 \u1680", "\U0001fae8\U0001f9ff\u1c80"]
LONG_STRINGS = ["x" * 129, "\xe9" * 200, "\u4e2d" * 129, "\U0001f40d" * 1000, "a\n" * 100, "y" * 100000]
BYTES = [b"", b"plain", b"it's", b'say "hi"', b"it's \"both\"", bytes(range(128)), bytes(range(128, 256)),
         b"\\\n\t\r\0"]
LONG_BYTES = [bytes(200), b"z" * 129]


def containers():
    shared = [1]
    return [[], (), {}, set(), frozenset(), [1], (1,), {1}, frozenset([1]), {1: 2}, [1, "a", None, 2.5, b"b"],
            (1, (2,)),
            {"a": [1], 2: (3,), None: {4}}, {frozenset({1})}, [[], (), {}], [True, ...], list(range(16)),
            tuple(range(16)),
            dict.fromkeys(range(16)), set(range(16)), {"z", "y", "\xe9"}, frozenset("abcdef"), [shared, shared],
            {(1, 2): "pair"}, [Color.RED], {"o": Text("x")}, (Number(1), Mapping(a=1)), {Level.HIGH: object}]


def past_limits():
    deep = [1, [2, [3, [4, [5]]]]]
    loop = [1]
    loop.append(loop)
    around = {}
    around["self"] = around
    return [list(range(17)), tuple(range(100)), set(range(40)), frozenset(range(17)),
            dict.fromkeys("abcdefghijklmnopqrst"),
            deep, ((((1,),),),), {"a": {"b": {"c": {"d": 1}}}}, [[[]]], [[[[]]]], loop, around, ["x" * 500],
            {"k" * 200: 1},
            [list(range(20)), 1], [10**200]]


def holes():
    """Tables with deleted entries, grown and shrunk."""
    gone = {number: str(number) for number in range(30)}
    for number in range(0, 30, 2):
        del gone[number]
    few = set(range(1000))
    for number in range(5, 1000):
        few.discard(number)
    mixed = {"text": 1}
    mixed[5] = 2
    emptied = {1: 2}
    del emptied[1]
    return [gone, few, mixed, emptied, dict(a=1, b=2), dict([("x", 1)])]


def attributes():
    points = [Point(1, 2), Point("x", [3])]
    points[1].z = 5
    late = Point(0, 1)
    del late.x
    late.x = "moved to the end"
    return [point.__dict__ for point in points] + [late.__dict__, vars(Point(None, ())), Point]


def instances():
    module = types.ModuleType("module")
    return [Point(1, 2), Point.Inner(), Odd(), Moved(), Triple(1, 2, 3), Color.RED, Level.HIGH, Text("text"), Number(7),
            Mapping(a=1), object(), Point, int, type, len, hold, Point(1, 2).__init__, module, range(3), slice(1, 2),
            bytearray(b"x"), memoryview(b"x"), collections.deque([1]), collections.OrderedDict(a=1),
            collections.defaultdict(int), KeyError("x"), NotImplemented, iter([]), {}.keys(), lambda: 0, sys,
            types.SimpleNamespace(a=1), staticmethod(len), property(), super(Point, Point(1, 2)), hold.__code__]


# Variables and where they live

def arguments(a, b=2, /, c=3, *args, d, e=5, **kwargs):
    local = a
    yield local


def unbound(flag):
    if flag:
        never = 1
    before = "bound"
    yield 1
    after = "later"
    del before
    yield 2
    before = "again"
    yield after, never


def nested(outer):
    cell, unset = "cell", None
    del unset

    def inner(argument):
        nonlocal unset
        mine = argument

        def innermost():
            yield cell, mine, outer
        yield innermost
        yield innermost, cell, outer
        unset = 1
        yield unset

    def reader():
        return cell, argument_cell, unset
    argument_cell = inner
    return inner, reader


def cell_argument(captured, plain):
    def use():
        return captured
    captured = captured + 1
    yield use
    del captured
    yield plain


def comprehension_names(x):
    squares = [x * y for y in range(3)]
    x = {y: [z for z in range(y)] for y in squares}
    yield x
    yield squares


async def hidden_names(awaitable):
    """Suspended inside a comprehension that hides x, which is a cell of this function."""
    x = "of the function"

    def use():
        return x
    got = [await x for x in awaitable]
    return got, use


class Step:
    def __await__(self):
        yield


def secrets():
    password, passwd, db_password, token, access_token = "p1", "p2", "p3", 4, b"p5"
    secret, api_key, apikey, authorization, cookie, credentials = "s1", ["s2"], {"s": 3}, None, ("s4",), Point(1, 2)
    harmless, passenger, tok = "shown", "shown", "shown"
    yield (password, passwd, db_password, token, access_token, secret, api_key, apikey, authorization, cookie,
           credentials, harmless, passenger, tok)


def tell_apart(*values):
    class_name, self, _, __x, é = values[0], values, 1, 2, 3
    yield class_name, self, _, __x, é


def variables():
    for gen in (arguments(1, 2, 3, 4, 5, d=6, kw="w"), arguments(1, d=2), unbound(False), cell_argument(1, 2),
                comprehension_names(2), secrets(), tell_apart(1, "two")):
        next(keep("variables", gen))
    for gen in (arguments(1, d=2), unbound(True), cell_argument(1, 2), secrets()):
        keep("variables", gen)
    for steps, gen in ((2, unbound(True)), (2, unbound(False)), (2, cell_argument(1, 2)), (2, comprehension_names(3))):
        for _ in range(steps):
            next(keep("variables", gen))
    inner, reader = nested("from outside")
    for steps in range(4):
        gen = keep("variables", inner(reader))
        for _ in range(steps):
            got = next(gen)
        if steps == 1:
            keep("variables", got())
            next(keep("variables", got()))
    # 3.13.0 dies of reading f_locals here: framelocalsproxy_getval() takes what the comprehension holds for a cell.
    if sys.version_info[:3] != (3, 13, 0):
        keep("variables", hidden_names([Step(), Step()])).send(None)


def build():
    for values in (INTS, LONG_INTS, FLOATS, COMPLEX, STRINGS, LONG_STRINGS, BYTES, LONG_BYTES, [None, ..., True, False],
                   containers(), past_limits(), holes(), attributes(), instances()):
        for value in values:
            holding(value)
    variables()

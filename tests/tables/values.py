#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Objects as CPython keeps them in memory, and what repr() says of them: tests/unit/value_images.h.

values.py dump              the objects of the interpreter that runs it, as JSON
values.py table PYTHON...   the header, from one interpreter of each version; a PYTHON with blanks is a command
                            ("chroot ROOT /usr/bin/python3.14"). Addresses differ from run to run.

The bytes are read with ctypes, at the addresses the objects point to; what is expected is repr() itself, cut as
user/python/value.h says, object.__repr__() for all other types, and inspect for the locals of generators.
"""
import collections
import ctypes
import functools
import inspect
import json
import math
import random
import subprocess
import sys
import textwrap
import types
from itertools import islice

MINOR = sys.version_info[1]
TYPES = [type(None), type(...), bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, types.CellType]

# Where what the capture follows lies: the same numbers as user/python/layouts.c and memory_layouts.c name sources for.
TYPE_NAME, TYPE_FLAGS, TYPE_DICT = 24, 168, 264
TYPE_QUALNAME = 864 if MINOR == 11 else 880 if MINOR == 15 else 872
TUPLE_ITEMS = 32 if MINOR >= 14 else 24
DICT_KEYS, DICT_VALUES = 32, 40
SET_MASK, SET_TABLE = 32, 40
GEN_FRAME = 80 if MINOR == 11 else 72
FRAME_LOCALS = 80 if MINOR >= 14 else 72
CODE_COUNT = 76 if MINOR == 11 else 72
CODE_NAMES, CODE_KINDS = 96, 104
ITEMS = 17  # what is shown of a container, and one more
REFERENCE_TAG = 3 if MINOR >= 14 else 0

pieces = {}
kept = []


def read(address, size):
    return ctypes.string_at(address, size)


def word(address, size=8):
    return int.from_bytes(read(address, size), "little")


def take(address, size):
    if size:
        pieces[address] = read(address, size) + pieces.pop(address, b"")[size:]


def take_type(cls):
    address = id(cls)
    if address + 8 in pieces:
        return
    for at in (8, TYPE_NAME, TYPE_FLAGS, TYPE_DICT):
        take(address + at, 8)
    name = word(address + TYPE_NAME)
    take(name, len(ctypes.string_at(name)) + 1)
    if word(address + TYPE_FLAGS) >> 9 & 1:
        take(address + TYPE_QUALNAME, 8)
        take_object(cls.__qualname__)
        # Its dict by address: the mappingproxy has it behind its head.
        proxy = vars(cls)
        take_object(ctypes.cast(word(id(proxy) + 16), ctypes.py_object).value, values=("__module__",))
    take_type(type(cls))


def take_dict(o, values):
    address = id(o)
    take(address, 48)
    keys, split = word(address + DICT_KEYS), word(address + DICT_VALUES)
    start = keys + 32 + (1 << word(keys + 9, 1))
    take(keys, 32)
    entries = word(keys + 24)
    take(start, (entries if values else min(entries, ITEMS)) * (16 if word(keys + 10, 1) else 24))
    if split and MINOR < 13:
        prefix = word(split - 1, 1)
        take(split - prefix, prefix + 8 * word(keys + 24))
    elif split:
        take(split, 8 + 9 * word(split, 1))
    for key, value in islice(o.items(), ITEMS if values is None else None):
        take_object(key)
        if values is None or key in values:
            take_object(value)
        if values and key in values:
            return  # nobody looks further


def take_object(o, values=None):
    kind, address = type(o), id(o)
    if address in pieces and len(pieces[address]) > 16:
        return
    kept.append(o)
    take(address, 17 if kind not in TYPES else 16)
    if kind in (int, bool, float, complex, str, bytes):
        take(address, o.__sizeof__())
    elif kind in (list, tuple):
        items = address + TUPLE_ITEMS if kind is tuple else word(address + 24)
        take(address, 32)
        take(items, 8 * min(len(o), ITEMS))
        for item in o[:ITEMS]:
            take_object(item)
    elif kind in (set, frozenset):
        take(address, 48)
        take(word(address + SET_TABLE), 16 * (word(address + SET_MASK) + 1))
        for item in islice(o, ITEMS):
            take_object(item)
    elif kind is dict:
        take_dict(o, values)
    elif kind is types.CellType:
        take(address, 24)
        try:
            take_object(o.cell_contents)
        except ValueError:
            pass
    elif kind not in TYPES:
        take_type(kind)


def shown(o, limits, inside=frozenset()):
    """The repr, and whether it was cut."""
    depth, items, string = limits
    kind = type(o)
    if kind is int:
        try:
            text = repr(o)
        except ValueError:
            return f"<int of {o.bit_length()} bits>", True
        return (text[:string] + "…", True) if len(text) > string else (text, False)
    if kind in (str, bytes):
        text = repr(o[:string])
        return (text[:-1] + "…" + text[-1], True) if len(o) > string else (text, False)
    if kind not in (list, tuple, set, frozenset, dict):
        return (repr(o) if kind in TYPES[:-1] else object.__repr__(o)), False
    if not o:
        return repr(o), False
    first, last, again = {list: ("[", "]", "[...]"), tuple: ("(", ")", "(...)"), set: ("{", "}", "set(...)"),
                          frozenset: ("frozenset({", "})", "frozenset(...)"), dict: ("{", "}", "{...}")}[kind]
    if id(o) in inside:
        return again, False
    if not depth:
        return first + "…" + last, True
    out, cut, below = [], False, (depth - 1, items, string)
    for index, item in enumerate(o.items() if kind is dict else o):
        if index == items:
            out.append("…")
            cut = True
            break
        parts = [shown(part, below, inside | {id(o)}) for part in (item if kind is dict else (item,))]
        out.append(": ".join(text for text, _ in parts))
        cut = cut or any(was_cut for _, was_cut in parts)
    if kind is tuple and len(o) == 1 and items:
        last = ",)"
    return first + ", ".join(out) + last, cut


class Plain:
    class Inner:
        pass

    def __init__(self, a, b):
        self.first, self.second, self.third = a, b, 3


class Text(str):
    pass


class Foreign:
    pass


Foreign.__module__, Foreign.__qualname__ = "mödule", "Ünï.☃\ud800"


class Odd:
    pass


Odd.__module__ = 5


class Native:
    pass


Native.__module__ = "builtins"


def legacy_strings():
    """3.11: made from wchar_t, not compact; each as it is born and after somebody has looked at it."""
    make = ctypes.pythonapi.PyUnicode_FromUnicode
    make.restype, make.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_ssize_t]
    for text in ("legacy", "légacy\n", "☃'\"", "\U0001f600"):
        for looked in (False, True):
            address = make(None, len(text))
            wide = word(address + 40)
            ctypes.memmove(wide, (ctypes.c_wchar * len(text))(*text), 4 * len(text))
            if looked:
                hash(ctypes.cast(address, ctypes.py_object).value)
            take(address, 80)
            take(wide, 4 * len(text))
            take(word(address + 72) if looked else wide, len(text) * (word(address + 32, 1) >> 2 & 7 or 4))
            yield address, text


def numbers(rng):
    yield from (None, ..., True, False, 0, 1, -1, 255, -5, 257, 2**30 - 1, 2**30, -(2**30), 2**60 - 1, -(2**60), 2**63,
                10**9, 10**18 - 1, 10**18, -(10**40), 3**200, 7**360)
    yield from (0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 1e15, 1e16, 9999999999999998.0, 123456789012345.6, 1e-4, 1e-5, 5e-324,
                2**-44, 2.0**-1022, 1.7976931348623157e308, 1e22, 1e23, math.inf, -math.inf, math.nan, 100.0, 12.5e-7)
    yield from (1j, -1j, 0j, complex(-0.0, 1), complex(0.0, -0.0), complex(-0.0, -0.0), 1 + 2j, 1e16 - 2.5e-9j,
                complex(math.nan, math.nan), complex(math.inf, -math.inf), complex(0, math.inf), complex(-1, math.nan))
    for _ in range(12):
        yield rng.uniform(-1, 1) * 10.0 ** rng.randrange(-300, 300)
    for exponent in rng.sample(range(-1074, 1024), 12):
        yield 2.0**exponent


def texts():
    yield from ("", "plain", "it's", 'say "x"', "both ' and \"", "tab\tnew\nret\rback\\", "\0\x01\x1b\x7f", "caf\xe9",
                "\x80\xa0\xad\xff", "☃ \u2028\u200b\ufeff", "\u0378\u0870\u0c5d\u088f\u0897", "a\ud800b\udfff",
                "\U0001f600\U000e0001\U0010ffff", "\U00032000\U0001fae8'", "x" * 128, "x" * 129, "\xe9" * 200, "☃" * 129 + "'",
                "\U0001f600" * 130 + '"')
    yield from (b"", b"bytes", b"it's", b"both ' and \"", bytes(range(32)) + bytes(range(126, 160)), b"y" * 128, b"y" * 129)


def containers():
    yield from ([], [1], [1, "a", None], (), (1,), (1, 2), ((),), [[], [[]]], [[[1]]], [[[[]]]], list(range(16)),
                list(range(17)), tuple(range(100)), set(), {1}, frozenset(), frozenset({"a"}), [frozenset({(1, 2)})], {}, {"a": 1},
                {"a": {"b": {"c": 1}}}, {1: "x", (1, 2): [3], None: ...}, {"k%d" % at: at for at in range(20)})
    yield {"a": 1, 2: "two", "c": b"3"}
    some = {at: str(at) for at in range(12)}
    for at in (0, 5, 11):
        del some[at]
    yield some
    dummies = set(range(40))
    for at in range(37):
        dummies.discard(at)
    yield dummies
    yield dict.fromkeys(["one", "two"])
    yield {at: None for at in range(100)}
    loop = [1]
    loop.append(loop)
    yield loop
    around = {}
    around["self"] = (around, [around])
    yield around


def split_dicts():
    for case in range(4):
        plain = Plain(case, "b")
        if case == 1:
            del plain.second
        elif case == 2:
            del plain.first
            plain.first = "again"
        elif case == 3:
            del plain.third
            plain.fourth = 4
        kept.append(plain)
        yield vars(plain)


def objects():
    made = type("Made", (), {})
    named = collections.namedtuple("Named", "a b")
    yield from (object(), Plain(1, 2), Plain.Inner(), Foreign(), Odd(), Native(), made(), named(1, 2), Text("s"), Plain, int, len,
                collections.deque(), functools.partial(int), range(3), NotImplemented, bytearray(b"x"), [object(), Plain(1, 2)])


def generators():
    outer, unbound = "outer", None

    def plain(a, b=2, *rest, key="k", **more):
        x = [a, b]
        gone = 1
        del gone
        yield x
        late = 2
        yield late

    def closures(parameter):
        local = 5
        later = None
        del later

        def inner():
            return parameter, local, later, outer, unbound

        yield outer
        later = 6
        yield later

    def holder(cell):
        yield cell

    del unbound
    for generator, steps in ((plain(1), 0), (plain(1, 3, 4, other=5), 1), (plain(1), 2), (closures(7), 0), (closures(7), 1),
                             (closures(8), 2), (holder(types.CellType(1)), 1)):
        for _ in range(steps):
            next(generator)
        yield generator


def take_locals(generator):
    code = generator.gi_code
    frame = id(generator) + GEN_FRAME
    take(id(code) + CODE_COUNT, 4)
    take(id(code) + CODE_NAMES, 16)
    for at in (CODE_NAMES, CODE_KINDS):
        take_object(ctypes.cast(word(id(code) + at), ctypes.py_object).value)
    count = word(id(code) + CODE_COUNT, 4)
    take(frame + FRAME_LOCALS, 8 * count)
    for at in range(count):
        value = word(frame + FRAME_LOCALS + 8 * at) & ~REFERENCE_TAG
        if value:
            take_object(ctypes.cast(value, ctypes.py_object).value)
    values = inspect.getgeneratorlocals(generator)
    text = "".join(f"{name}: {shown(value, (2, 16, 128))[0]}\n" for name, value in values.items())
    return [generator.__name__, id(code), frame, text]


def dump():
    rng, cases, default = random.Random(311), [], (2, 16, 128)

    def case(o, limits=default):
        take_object(o)
        cases.append([id(o), *limits, *reversed(shown(o, limits))])

    for cls in TYPES:
        take_type(cls)
    for o in [*numbers(rng), *texts(), *containers(), *split_dicts(), *objects()]:
        case(o)
    for limits in ((0, 16, 128), (1, 16, 128), (3, 2, 3), (64, 1, 0), (2, 0, 5)):
        for o in ([[["deep"]], 2, 3], ("abc",), {"key": {"x": (1, 2, 3)}}, {7}, "four", b"five", 12345, -12345, frozenset({5}), [], ""):
            case(o, limits)
    if MINOR in (11, 14):
        for o in (10**4300 - 1, -(10**4300), 10**4300, 1 << 15000):
            case(o, (2, 16, 4400))
    if MINOR == 11:
        for address, text in legacy_strings():
            cases.append([address, *default, False, repr(text)])
    locals_ = []
    for generator in generators():
        kept.append(generator)
        locals_.append(take_locals(generator))
    json.dump({"version": sys.version.split()[0], "hex": sys.hexversion, "types": [id(cls) for cls in TYPES],
               "pieces": [[address, pieces[address].hex()] for address in pieces], "cases": cases,
               "locals": locals_}, sys.stdout)


def merged(parts):
    """Neighbours become one piece; where memory was used again, what came later counts."""
    painted, out = {}, []
    for address, text in parts:
        painted.update(enumerate(bytes.fromhex(text), address))
    for address in sorted(painted):
        if out and address == out[-1][0] + len(out[-1][1]):
            out[-1][1].append(painted[address])
        else:
            out.append([address, bytearray([painted[address]])])
    return out


def literal(text):
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "?": "\\?"}
    lines = textwrap.wrap(text, 96, drop_whitespace=False, replace_whitespace=False, expand_tabs=False) or [""]
    return "\n\t\t".join('"%s"' % "".join(escapes.get(c, c) for c in line) for line in lines)


def version_text(answer):
    name = "_".join(answer["version"].split(".")[:2])
    out = [f"/* CPython {answer['version']} */", f"static const struct image_piece pieces_{name}[] = {{"]
    for address, data in merged(answer["pieces"]):
        text = literal(data.hex())
        out.append(f"\t{{ {address:#x}," + ("\n\t\t" if len(text) > 60 else " ") + f"{text} }},")
    out += ["};", f"static const struct image_case cases_{name}[] = {{"]
    for address, depth, items, string, cut, text in answer["cases"]:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        out.append(f"\t{{ {address:#x}, {{ {depth}, {items}, {string} }}, {str(cut).lower()}, {literal(text)} }},")
    out += ["};", f"static const struct image_locals locals_{name}[] = {{"]
    for function, code, frame, text in answer["locals"]:
        out.append(f'\t{{ "{function}", {code:#x}, {frame:#x},\n\t\t{literal(text)} }},')
    return "\n".join([*out, "};", ""])


HEAD = """\
/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_VALUE_IMAGES_H
#define GENSCOPE_TESTS_VALUE_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/value.h"

/*
 * Made by tests/tables/values.py: objects as they lay in the memory of CPythons, what their repr() said
 * (cut at limits), and what inspect said of the locals of generators.
 */
struct image_piece {
	uint64_t address;
	const char *hex;
};

struct image_case {
	uint64_t address;
	struct value_limits limits;
	bool truncated;
	const char *repr;
};

struct image_locals {
	const char *function;
	uint64_t code, frame;
	const char *text; /* "name: repr\\n" each */
};

struct python_image {
	const char *version;
	uint32_t version_hex;
	uint64_t types[VALUE_TYPE_COUNT];
	const struct image_piece *pieces;
	size_t piece_count;
	const struct image_case *cases;
	size_t case_count;
	const struct image_locals *locals;
	size_t locals_count;
};

/* clang-format off */
"""


def table(pythons):
    answers = [json.loads(subprocess.check_output([*python.split(), "-Wignore", "-c", open(__file__).read(), "dump"]))
               for python in pythons]
    out = HEAD + "\n".join(version_text(answer) for answer in answers)
    out += "\nstatic const struct python_image images[] = {\n"
    for answer in answers:
        name = "_".join(answer["version"].split(".")[:2])
        addresses = ", ".join(f"{address:#x}" for address in answer["types"])
        counted = ", ".join(f"{what}_{name}, sizeof({what}_{name}) / sizeof({what}_{name}[0])"
                            for what in ("pieces", "cases", "locals"))
        out += f'\t{{ "{answer["version"]}", {answer["hex"]:#x},\n\t\t{{ 0, {addresses} }},\n\t\t{counted} }},\n'
    return out + "};\n/* clang-format on */\n\n#endif\n"


def main(arguments):
    if arguments == ["dump"]:
        dump()
    elif len(arguments) > 1 and arguments[0] == "table":
        sys.stdout.write(table(arguments[1:]))
    else:
        sys.exit(__doc__)


main(sys.argv[1:])

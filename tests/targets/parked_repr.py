# SPDX-License-Identifier: MIT
"""Values as contract.md shows them: Python's own repr() within the limits, by class and address otherwise."""

import sys

CUT = "\u2026"
PLAIN = (type(None), type(...), bool, float, complex)
BRACKETS = {list: "[]", tuple: "()", set: "{}", frozenset: "{}", dict: "{}"}

sys.set_int_max_str_digits(0)


DIGITS = 4300  # repr() of an int with more raises ValueError unless sys.set_int_max_str_digits() says otherwise


class Limits:
    def __init__(self, depth, items, string):
        self.depth, self.items, self.string, self.cut = depth, items, string, False
        self.open = []


def class_of(value):
    """module.Class, as object.__repr__ has it."""
    return object.__repr__(value)[1:].rpartition(" object at ")[0]


def show(value, depth, items, string):
    limits = Limits(depth, items, string)
    out = {"type": class_of(value), "repr": text(value, limits)}
    if limits.cut:
        out["truncated"] = True
    return out


def text(value, limits):
    kind = type(value)
    if kind in PLAIN:
        return repr(value)
    if kind is int:
        return number(value, limits)
    if kind is str or kind is bytes:
        return string(value, limits)
    if kind in BRACKETS:
        return container(value, limits)
    return object.__repr__(value)


def number(value, limits):
    digits = repr(value)
    if len(digits.lstrip("-")) > DIGITS:
        limits.cut = True
        return f"<int of {value.bit_length()} bits>"
    if len(digits) <= limits.string:
        return digits
    limits.cut = True
    return digits[:limits.string] + CUT


def string(value, limits):
    if len(value) <= limits.string:
        return repr(value)
    limits.cut = True
    shown = repr(value[:limits.string])
    return shown[:-1] + CUT + shown[-1]


def container(value, limits):
    left, right = BRACKETS[type(value)]
    if not value:
        return repr(value)
    for outer in limits.open:
        if outer is value:
            return f"{left}...{right}"
    if len(limits.open) >= limits.depth:
        limits.cut = True
        body = CUT
    else:
        limits.open.append(value)
        body = ", ".join(parts(value, limits))
        limits.open.pop()
        if type(value) is tuple and len(value) == 1 and limits.items:
            body += ","
    return f"frozenset({{{body}}})" if type(value) is frozenset else left + body + right


def parts(value, limits):
    out = []
    for item in value:
        if len(out) == limits.items:
            limits.cut = True
            out.append(CUT)
            break
        shown = text(item, limits)
        out.append(shown + ": " + text(value[item], limits) if type(value) is dict else shown)
    return out

# SPDX-License-Identifier: MIT
"""Holds the numbers of the tables, "NAME VALUE" lines on standard input, against the interpreter that runs this.

check.py puts this file and the live_*.py behind it together and runs them with -c inside each interpreter: they read
its own memory with ctypes and compare with what Python says of the same objects.
"""

import ctypes
import sys

VERSION = sys.version_info[:2]
MASK = (1 << 64) - 1
numbers = {}
failures = []
checks = 0

for _line in sys.stdin:
    _name, _value = _line.rsplit(" ", 1)
    numbers[_name] = int(_value)


def check(what, got, expected):
    global checks
    checks += 1
    if got != expected:
        failures.append(f"{what}: read {got!r}, Python says {expected!r}")


def u64(address):
    return ctypes.c_uint64.from_address(address).value


def i64(address):
    return ctypes.c_int64.from_address(address).value


def i32(address):
    return ctypes.c_int32.from_address(address).value


def u32(address):
    return ctypes.c_uint32.from_address(address).value


def u8(address):
    return ctypes.c_uint8.from_address(address).value


def text(address):
    return ctypes.string_at(address).decode()


def field(thing, name):
    """The pointer in that field of an object."""
    return u64(id(thing) + numbers[name])


def untagged(reference):
    return reference & ~numbers["values.stackref_tag"] & MASK


def signed(number, bits):
    return number - (1 << bits) if number >> (bits - 1) else number

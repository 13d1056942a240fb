# SPDX-License-Identifier: MIT
"""What every target program shares: the barrier, the recorder, the registry of cases.

A target says `ready PID`, waits for a line on standard input (the tracer attaches meanwhile), runs, and
writes the truth to a file.
"""

import os
import sys

import recorder as _recorder

CASES = {}
rec = _recorder.Recorder("plain")


def case(fn):
    """Register a test case. Its doc string says what it shows; a `since` attribute is the oldest 3.x it runs on."""
    CASES[fn.__name__] = fn
    return fn


def setup(mode):
    rec.mode, rec.full = mode, mode == "mon"
    return rec


def track(obj, key=None, born=True):
    return rec.track(obj, key, born)


def close(obj):
    """obj.close(), and a look at what the interpreter closed without running it."""
    return rec.help(lambda: obj.close(), obj, None)


def throw(obj, exc):
    """obj.throw(exc), and the same look."""
    return rec.help(lambda: obj.throw(exc), obj, exc)


def hint(obj, cause):
    rec.hint(obj, cause)


def expect(qualname, **counts):
    """What the program itself knows of all objects of one function: births=, resumes=, suspends=, closed=, freed=."""
    rec.expects.append({"qualname": qualname, "pid": os.getpid(), **counts})


def raises(exc, fn, *args):
    """fn(*args) must raise exc; returns the exception."""
    try:
        fn(*args)
    except exc as caught:
        return caught
    raise AssertionError(f"{exc.__name__} was not raised")


def barrier():
    """Wait until the tracer is there; not where it was there first."""
    if os.environ.get("GENSCOPE_NO_BARRIER"):
        return
    rec.mark()
    print("ready", os.getpid(), flush=True)
    if not sys.stdin.readline():
        sys.exit("the driver went away")

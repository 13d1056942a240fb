# SPDX-License-Identifier: MIT
"""What tests are made of: results, failures, and one traced run from barrier to summary."""

import json
import os
import shutil
import time

import compare
from procs import Target, Timeout, Tool
from stream import Stream


class Failure(Exception):
    """A test failed; the text says what differs."""


class Skip(Exception):
    """A test cannot run here; the text says what is missing."""


class Result:
    def __init__(self, where, name, status, detail=""):
        self.where, self.name, self.status, self.detail = where, name, status, detail
        self.seconds = None


class Run:
    """One traced run: the stream, what the target wrote, how both ended."""

    def __init__(self, stream, folder):
        self.stream, self.folder = stream, folder

    def truth(self, name="truth"):
        return compare.load_truth(os.path.join(self.folder, name))

    def must_be_sound(self, complete=True):
        problems = self.stream.check(complete)
        if problems:
            raise Failure("\n".join(problems))


class Context:
    """What every test gets."""

    def __init__(self, genscope, wanted, interps, everything=False):
        self.genscope, self.wanted, self.interps, self.everything = genscope, wanted, interps, everything

    @property
    def one(self):
        """The interpreter for tests that need only one: the first that is no debug build and has no other root."""
        plain = [interp for interp in self.interps if interp.kind != "debug" and not interp.root]
        return (plain or self.interps)[0]

    def fastest(self, version):
        """One interpreter of a version, no debug build if it can be helped."""
        same = [interp for interp in self.interps if interp.version == version]
        return min(same, key=lambda interp: (interp.kind == "debug", interp.kind))


def check(condition, text):
    if not condition:
        raise Failure(text)


def equal(what, expected, got):
    check(expected == got, f"{what}: expected {expected!r}, got {got!r}")


def guard(where, name, fn):
    """fn() as a Result."""
    started = time.monotonic()
    result = attempt(where, name, fn)
    result.seconds = time.monotonic() - started
    return result


def attempt(where, name, fn):
    try:
        fn()
    except Skip as skip:
        return Result(where, name, "SKIP", str(skip))
    except (Failure, Timeout) as failure:
        return Result(where, name, "FAIL", str(failure))
    except Exception as error:  # a bug of the test is a failure, not the end of the run
        return Result(where, name, "FAIL", f"{type(error).__name__}: {error}")
    return Result(where, name, "ok")


def ended(process, timeout, what, expected=0):
    status = process.finish(timeout)
    if status != expected:
        raise Failure(f"{what} ended with {status}, expected {expected}: {process.tell()}")


def trace(ctx, interp, script, args=(), options=("-p", "{pid}"), timeout=60, folder=None):
    """Start the target, attach to it, let it go, wait for both. {out} in args is the folder as the target sees it."""
    host, inside = folder or interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(interp, script, *(str(arg).replace("{out}", inside) for arg in args)) as target:
        pid = target.ready()
        words = [word.replace("{pid}", str(pid)) for word in options]
        with Tool(ctx.genscope, "trace", *words, "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            ended(target, timeout, "the target")
            ended(tool, timeout, "genscope")
    return Run(load_stream(out), host)


def load_stream(path):
    """A stream whose lines have all their fields: the comparison need not look."""
    stream = Stream.load(path)
    bad = next(stream.bad_fields(), None)
    check(bad is None, f"a transition's field {bad}")
    return stream


def lines_so_far(path):
    """The whole lines of a file that is still being written."""
    with open(path, "rb") as file:
        text = file.read()
    return text[:text.rfind(b"\n") + 1].splitlines()


def until(what, condition, timeout=60, pause=0.1):
    """Asks again and again, until it is so: `what` says what is waited for."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise Timeout(f"not within {timeout} s: {what}")
        time.sleep(pause)


def load_lines(path):
    """What was written as JSON Lines."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def discard(run):
    """Big streams are not kept until the end of the whole run."""
    shutil.rmtree(run.folder, ignore_errors=True)

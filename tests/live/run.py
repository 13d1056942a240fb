#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Live tests of genscope: real interpreters, real probes. Needs root.

    tests/live/run.py --genscope build/genscope --interpreters FILE [-k PATTERN] [-j N] [-v]
    tests/live/run.py --self-test

FILE has lines VERSION<TAB>KIND<TAB>PATH[<TAB>ROOT]. One line a test, at the end the failures once more, the closing
line is `N passed, N failed, N skipped`; any failure is exit status 1; with CI set a skip is a failure.
"""

import argparse
import fnmatch
import os
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import interps  # noqa: E402
import procs  # noqa: E402
import selftest  # noqa: E402
import suites  # noqa: E402


class Tally:
    def __init__(self, verbose):
        self.counts = {"ok": 0, "FAIL": 0, "SKIP": 0}
        self.failures = []
        self.lock = threading.Lock()
        self.verbose, self.strict = verbose, bool(os.environ.get("CI"))

    def add(self, result):
        status = "FAIL" if result.status == "SKIP" and self.strict else result.status
        first, _, rest = result.detail.partition("\n")
        took = f" ({result.seconds:.1f} s)" if self.verbose and result.seconds else ""
        lines = [f"{status:4} {result.where}  {result.name}{took}" + (f": {first}" if first else "")]
        lines += ["       " + line for line in rest.splitlines()]
        with self.lock:
            self.counts[status] += 1
            if status == "FAIL":
                self.failures.append("\n".join(lines))
        self.say("\n".join(lines))

    def say(self, text):
        with self.lock:
            print(text, flush=True)

    def close(self):
        """The failures once more, since often only the end of a long output is kept, and the closing line."""
        for failure in self.failures:
            print(failure)
        c = self.counts
        print(f"{c['ok']} passed, {c['FAIL']} failed, {c['SKIP']} skipped")
        return 1 if c["FAIL"] else 0


def matcher(pattern):
    """-k: part of `INTERPRETER NAME`, or a glob of it."""
    if not pattern:
        return lambda name: True
    if any(char in pattern for char in "*?["):
        return lambda name: fnmatch.fnmatchcase(name, f"*{pattern}*")
    return lambda name: pattern in name


def run_job(tally, job, ctx):
    started, count = time.monotonic(), 0
    try:
        for result in job.results(ctx):
            tally.add(result)
            count += 1
    except Exception as error:
        tally.add(harness.Result(job.where, job.name, "FAIL", f"{type(error).__name__}: {error}"))
    if tally.verbose and count:
        tally.say(f"     {job.where}  {job.name}: {count} tests took {time.monotonic() - started:.1f} s")


def step_aside(args, found):
    """The process that runs the tests is no target of `-x INTERPRETER`: it goes on in a copy of its own interpreter, which is
    another file. (A build with a libpython of its own would need a copy of that, too.)"""
    me = os.path.realpath(sys.executable)
    if me not in {interp.exe for interp in found}:
        return
    copy = os.path.join(os.path.dirname(os.path.abspath(args.genscope)), "python-of-tests")
    shutil.copy(me, copy + ".new")
    os.replace(copy + ".new", copy)
    os.execv(copy, [copy, *sys.argv])


def end_at_once(homes):
    procs.kill_all()
    homes.__exit__()
    os._exit(1)


def run_all(args):
    found = interps.load(args.interpreters)
    step_aside(args, found)
    tally = Tally(args.verbose)
    with interps.Homes(found) as homes:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: end_at_once(homes))
        ctx = harness.Context(os.path.abspath(args.genscope), matcher(args.k), found, args.everything)
        with ThreadPoolExecutor(args.j) as pool:
            list(pool.map(lambda chain: [run_job(tally, job, ctx) for job in chain], suites.chains(ctx, found, args.everything)))
    return tally.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genscope", default="build/genscope")
    parser.add_argument("--interpreters", metavar="FILE")
    parser.add_argument("-k", metavar="PATTERN", help="only tests whose `INTERPRETER NAME` matches")
    parser.add_argument("-j", type=int, default=1, metavar="N", help="tests at a time (default 1)")
    parser.add_argument("--everything", action="store_true", help="all tests on all interpreters, not on one of each version")
    parser.add_argument("-v", "--verbose", action="store_true", help="also say how long each group took")
    parser.add_argument("--self-test", action="store_true", help="show that the comparison catches what it must")
    args = parser.parse_args()
    if args.self_test:
        tally = Tally(args.verbose)
        for result in selftest.results():
            tally.add(result)
        return tally.close()
    if not args.interpreters:
        parser.error("--interpreters FILE is needed")
    if os.geteuid() != 0:
        parser.error("live tests need root")
    return run_all(args)


if __name__ == "__main__":
    sys.exit(main())

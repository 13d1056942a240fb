# SPDX-License-Identifier: MIT
"""`ps` on processes that do not stand still: creating, dropping, collecting, dying; and --freeze."""

import json
import random
import re
import signal
import time

import snapshots
from harness import check, ended, equal, guard, until
from procs import Process, Target, Tool
from snapshots import fail_if
from suite_errors import ONE_LINE

STABLE = 10_000
RUNS, RUNS_OF_ONE = 20, 200
COLLECTED_RUNS = 10
UNREADABLE = 0.01  # of the objects, over all runs
BROKEN = 0.25      # of the runs on a process that collects garbage without a pause
HANG = 60          # seconds
CROWD = 400_000    # objects: reading them takes a while
AT_ONCE_S = 0.001  # between looks for a moment that lasts milliseconds


class Churn(Target):
    """The target, what may be seen of it, and what it has done so far."""

    def __init__(self, interp, mode, stable=STABLE):
        self.host, inside = interp.scratch()
        super().__init__(interp, "parked_churn.py", inside + "/allowed", mode, str(stable))
        self.target_pid = self.ready(HANG)
        with open(self.host + "/allowed", encoding="ascii") as allowed:
            told = json.load(allowed)
        self.known = {}
        self.file, self.functions, self.stable = told["file"], told["functions"], set(told["stable"])

    def counters(self):
        self.say("\n")
        return [int(word) for word in self.await_line(self.out_queue, "counters", HANG).split()[1:]]

    def moves_on(self):
        """Every one of its threads."""
        before, deadline = self.counters(), time.monotonic() + HANG
        while time.monotonic() < deadline:
            now = self.counters()
            if all(new > old for new, old in zip(now, before)):
                return
            time.sleep(0.02)
        raise snapshots.Failure(f"a thread of the target stands still: {before}, later {now}")


def implausible(churn, item):
    """What of an object cannot be: its place, or its name. State and links are looked at by snapshots.unsound()."""
    if item["file"] != churn.file:
        return None if item["file"].endswith(".py") or item["file"].startswith("<frozen ") else f"file {item['file']!r}"
    function = churn.functions.get(item["qualname"])
    if function is None:
        return f"there is no function {item['qualname']!r}"
    if item["firstlineno"] != function["first"] or item["name"] != item["qualname"]:
        return f"first line {item['firstlineno']}, name {item['name']!r}"
    if item["line"] is not None and item["line"] not in function["lines"]:
        return f"line {item['line']} of {item['qualname']}"
    return None


def seen(ctx, churn, *options):
    """One snapshot of it: sound, plausible. The stable objects that it lacks."""
    shot = snapshots.take(ctx, churn.target_pid, *options, known=churn.known)
    fail_if([f"invented: {text}: {item}" for item in shot.fresh if (text := implausible(churn, item))])
    churn.known = {key: item for key, item in churn.known.items() if item["gen"] in churn.stable}
    return shot, churn.stable - set(shot.by_gen)


def churning(ctx, interp):
    """Eight threads create and drop objects: nothing invented, nothing stable lost, little unreadable."""
    runs = RUNS_OF_ONE if ctx.everything and interp is ctx.one else RUNS
    unreadable = objects = changing = 0
    lost = []
    with Churn(interp, "churn") as churn:
        for number in range(runs):
            options = ("--locals",) if number % 4 == 3 else ()
            shot, missing = seen(ctx, churn, *options)
            if missing:
                lost.append(f"run {number}: {len(missing)} of {STABLE} stable objects are missing: {shot.summary}")
            unreadable += shot.summary["unreadable"]
            objects += shot.summary["objects"]
            changing += shot.summary["objects"] != STABLE
        churn.moves_on()
    fail_if(lost)
    check(changing > runs / 2, f"only {changing} of {runs} snapshots saw anything but the stable objects")
    check(unreadable <= UNREADABLE * objects, f"{unreadable} unreadable of {objects} in {runs} runs")


def collecting(ctx, interp):
    """A thread collects garbage without a pause: the lists move all the time. What is lost is said."""
    lost, broken = [], 0
    with Churn(interp, "collect") as churn:
        for number in range(COLLECTED_RUNS):
            shot, missing = seen(ctx, churn)
            broken += shot.summary["broken_lists"] > 0
            if missing and not shot.summary["broken_lists"]:
                lost.append(f"run {number}: {len(missing)} of {STABLE} stable objects are missing, and nothing said: "
                            f"{shot.summary}")
        churn.moves_on()
    fail_if(lost)
    check(broken <= BROKEN * COLLECTED_RUNS, f"{broken} of {COLLECTED_RUNS} runs left a list before its end")


def freezing(ctx, interp):
    """--freeze: one moment, everything readable; afterwards every thread runs on."""
    with Churn(interp, "churn") as churn:
        for number in range(2):
            shot, missing = seen(ctx, churn, "--freeze", "--locals")
            check(not missing, f"run {number}: {len(missing)} stable objects are missing: {shot.summary}")
            equal(f"run {number}: unreadable", 0, shot.summary["unreadable"])
            check((shot.summary["frozen_ns"] or 0) > 0, f"frozen_ns is {shot.summary['frozen_ns']}")
            churn.moves_on()


def stopped(pid):
    """Are all its threads stopped (T), or in a tracing stop (t)?"""
    try:
        states = list(snapshots.thread_states(pid))
    except FileNotFoundError:
        return False
    return bool(states) and all(state in "tT" for state, _, _ in states)


def tracer_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
        return int(re.search(r"^TracerPid:\s*(\d+)$", status.read(), re.MULTILINE)[1])


def hold_frozen(tool, pid):
    """Stops genscope at a moment at which it holds every thread of the target: that lasts, however long. False: it
    had let go of them before anybody looked."""
    while True:
        until("the target to be frozen", lambda: snapshots.state_of(tool.pid) in "ZX" or tracer_of(pid) == tool.pid, pause=AT_ONCE_S)
        tool.signal(signal.SIGSTOP)
        until("genscope to stop", lambda: snapshots.state_of(tool.pid) in "TZX", pause=AT_ONCE_S)
        if snapshots.state_of(tool.pid) != "T" or tracer_of(pid) != tool.pid:
            return False
        if stopped(pid):
            return True
        tool.signal(signal.SIGCONT)  # it has not stopped them all yet
        time.sleep(0.005)


def killed_once(ctx, churn, number):
    """Kills genscope while the target is frozen; False: it was not caught at it."""
    with Tool(ctx.genscope, "ps", "--freeze", "--json", "-o", "/dev/null", "-p", churn.target_pid) as tool:
        caught = hold_frozen(tool, churn.target_pid)
        if caught:
            tool.signal(number)
        tool.signal(signal.SIGCONT)
        status = tool.finish(HANG)
    killed = caught and number == signal.SIGKILL
    check(status == (-signal.SIGKILL if killed else 0), f"genscope ended with {status}: {tool.stderr()}")
    until("the target to run on after genscope has gone",
          lambda: not any(state in "tT" for state, _, _ in snapshots.thread_states(churn.target_pid)))
    churn.moves_on()
    return caught


def killed_frozen(ctx, interp):
    """genscope is killed while the target is frozen: the target runs on."""
    with Churn(interp, "churn", CROWD) as churn:
        for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
            check(any(killed_once(ctx, churn, number) for _ in range(10)),
                  "the target was not seen stopped: the test cannot fail")


def target_stopped(ctx, interp):
    """Of a process that is stopped already, with and without --freeze; it stays so."""
    with Churn(interp, "churn") as churn:
        churn.signal(signal.SIGSTOP)
        until("SIGSTOP to stop the target", lambda: stopped(churn.target_pid))
        for options in ((), ("--freeze",)):
            shot, missing = seen(ctx, churn, *options)
            check(not missing, f"{len(missing)} stable objects are missing: {shot.summary}")
            # it runs for a moment after it was let go of, to stop again
            until(f"the target to be stopped after ps {' '.join(options)}", lambda: stopped(churn.target_pid))
        churn.signal(signal.SIGCONT)
        churn.moves_on()


def dying(ctx, interp):
    """The target is killed while it is read: status 0 or 3, and never more than a line of complaint."""
    rng = random.Random(3)
    statuses = []
    for number in range(9):
        options = ("--freeze",) if number % 3 == 2 else ("--locals",) if number % 3 else ()
        with Churn(interp, "churn", 20_000) as churn:
            with Tool(ctx.genscope, "ps", "--json", "-p", churn.target_pid, *options) as tool:
                time.sleep(rng.uniform(0, 0.06))
                churn.signal(signal.SIGKILL)
                statuses.append(tool.finish(HANG))
        text = tool.stderr()
        check(statuses[-1] in (0, 3), f"run {number}: status {statuses[-1]}: {text}")
        check(not text or statuses[-1] and ONE_LINE.fullmatch(text), f"run {number}: {text!r}")
        if statuses[-1] == 0:
            shots = snapshots.parse("".join(tool.out))
            fail_if([f"run {number}: {text}" for item in shots[0].objects if (text := implausible(churn, item))])
    check(3 in statuses, f"the target was never gone in time: {statuses}")


def starting(ctx, interp):
    """A process that has only just begun: nothing to see yet, or something; never a crash."""
    rng = random.Random(5)
    for number in range(8):
        with Process(interp.command("brief.py", "0.3")) as target:
            time.sleep(rng.uniform(0, 0.05))
            done = snapshots.run(ctx, "--json", "-p", target.pid)
            ended(target, HANG, "the target")
        check(done.returncode in (0, 3), f"attempt {number}: status {done.returncode}: {done.stderr[:300]}")
        if done.returncode:
            check(ONE_LINE.fullmatch(done.stderr), f"attempt {number}: {done.stderr!r}")
        else:
            snapshots.parse(done.stdout)


OF_EACH_VERSION = {"churning": churning, "collecting": collecting, "freezing": freezing}
OF_ONE = {"killed_frozen": killed_frozen, "target_stopped": target_stopped, "dying": dying, "starting": starting}


def run(ctx, interp):
    tests = {}
    same = ctx.one if interp.version == ctx.one.version else ctx.fastest(interp.version)
    if interp is same:
        tests.update(OF_EACH_VERSION)
    if interp is ctx.one:
        tests.update(OF_ONE)
    for name, test in tests.items():
        if ctx.wanted(f"{interp.label} ps_races.{name}"):
            yield guard(interp.label, f"ps_races.{name}", lambda: test(ctx, interp))

# SPDX-License-Identifier: MIT
"""genscope top in a terminal: what it shows against what the program says of itself, keys, sizes, and every way to end."""

import contextlib
import json
import os
import signal
import subprocess
import time

from harness import Failure, check, ended, equal, guard
from procs import Target, Tool
from screens import PATIENCE_S, Screen, rows_of

COLUMNS = {"CRE": "CREATED", "RUN": "RUNNING", "SUSP": "SUSPENDED", "CLO": "CLOSED"}
READINGS_S = 0.6  # at least three readings of 100 ms


class Crowd(Target):
    """screen.py, and its word on itself."""

    def __init__(self, interp):
        super().__init__(interp, "screen.py")
        self.folder, self.inside = interp.scratch()

    def obey(self, *words):
        self.say(" ".join(map(str, words)) + "\n")
        self.await_line(self.out_queue, "done", PATIENCE_S)

    def truth(self):
        self.obey("tell", self.inside + "/truth")
        with open(os.path.join(self.folder, "truth"), encoding="utf-8") as file:
            return json.load(file)


@contextlib.contextmanager
def watching(ctx, interp, *options, width=80, height=24, **rest):
    """The target, its pid, and a screen whose table is there."""
    with Crowd(interp) as target:
        pid = target.ready(PATIENCE_S)
        argv = [ctx.genscope, "top", "-i", "100ms", *options, "-p", pid]
        with Screen(target.folder, argv, width, height, **rest) as screen:
            screen.table()
            yield target, screen


def must_show(table, truth):
    found = {row["FUNCTION"]: row for row in table}
    for function, told in truth.items():
        check(function in found, f"no row of {function}: {sorted(found)}")
        row, states = found[function], told["states"]
        for title, state in COLUMNS.items():
            if title in row:
                equal(f"{title} of {function}", str(states.get(state, 0)), row[title])
        equal(f"LIVE of {function}", str(sum(states.values()) - states.get("CLOSED", 0)), row["LIVE"])


def must_come(screen, truth):
    """A look may fall into a drawing, or before one."""
    def fits(lines):
        try:
            must_show(rows_of(lines), truth)
        except Failure:
            return False
        return True
    screen.until(f"what the program says: {truth}", fits)


# --- each interpreter ---

def shows(ctx, interp):
    with watching(ctx, interp, width=110) as (target, screen):
        must_come(screen, target.truth())
        target.obey("more", 7)
        screen.until_cell("f", "LIVE", "57")
        must_come(screen, target.truth())
        screen.until("nothing lost, no anomalies", lambda lines: any(
            "lost 0" in text and "anomalies 0" in text for text in lines))
        screen.press("q")
        equal("status", 0, screen.ended())
        screen.must_be_as_before()
        screen.shows("coverage: full")


def looks_into(ctx, interp):
    with watching(ctx, interp, "-f", "[fg]", height=50) as (target, screen):
        truth = target.truth()
        screen.until("f, g", lambda lines: [row["FUNCTION"] for row in rows_of(lines)] == ["f", "g"])
        screen.press("Down", "Enter")  # f has more, so g is the second row
        screen.shows("SUSPENDED AT LINE")
        for line, count in truth["g"]["lines"].items():
            screen.until(f"{count} on line {line}", lambda lines, line=line, count=count: any(
                words[:2] == [line, str(count)] and words[-2:] == ["await", "Gate()"]
                for words in (text.split() for text in lines)))
        screen.press("Escape")
        screen.until("the table", lambda lines: any("FUNCTION" in text for text in lines))
        screen.press("Home", "Enter")
        line, count = next(iter(truth["f"]["lines"].items()))
        screen.until("f", lambda lines: any(text.split()[:2] == [line, str(count)] for text in lines))
        screen.shows("tuple_iterator")
        check("password" not in screen.text(), "locals that nobody asked for")
        screen.press("l")
        screen.shows("password = (redacted)")
        screen.shows("items = [0, 'text']")
        check("hunter2" not in screen.text(), "a secret")
        screen.press("q")
        equal("status", 0, screen.ended())
        screen.must_be_as_before()


# --- once ---

def rates(ctx):
    """Bursts are seen in the readings they fall into, and exactly in the totals."""
    with watching(ctx, ctx.one, "-i", "1s", width=110) as (target, screen):
        bursts = 0

        def moves(lines):
            """A burst is on the screen for one reading only, which may pass between two looks: then the next one is."""
            nonlocal bursts
            row = next((row for row in rows_of(lines) if row["FUNCTION"] == "spin"), None)
            moving = row and row["TRANS/S"] not in ("", "0")
            if not moving:
                target.obey("steps", 500)
                bursts += 1
            return moving and row["RUN P99"] not in ("", "-") and row["OLDEST"][:1] not in ("", ">")
        screen.until("a reading with transitions", moves)
        check(bursts, "something moved before the first burst")
        screen.press("t")
        screen.until_cell("spin", "TRANS", f"{1000 * bursts:,}".replace(",", " "))  # into RUNNING and out of it
        screen.until_cell("f", "TRANS", "0")
        screen.press("t")
        screen.until_cell("spin", "TRANS/S", "0")


def names(screen):
    return [row["FUNCTION"] for row in screen.table()]


def sorts_and_filters(ctx):
    with watching(ctx, ctx.one) as (target, screen):
        order = {"live": ["f", "g", "h", "spin"], "created": ["h", "f", "g", "spin"], "closed": ["h", "f", "g", "spin"]}
        screen.until("by live", lambda lines: names(screen) == order["live"])
        screen.press("s")
        screen.until("by created", lambda lines: names(screen) == order["created"])
        screen.shows("functions by created")
        screen.press("s", "s", "s", "r")
        screen.until("by closed, reversed", lambda lines: names(screen)[-1] == "h")
        screen.press("<", "<", "<", "<")
        screen.until("by live, reversed", lambda lines: names(screen) == ["spin", "h", "g", "f"])
        screen.press("/")
        screen.type("SPI")
        screen.until("a filter that is being typed", lambda lines: names(screen) == ["spin"])
        screen.shows("filter: SPI_")
        screen.press("Enter")
        screen.shows("1 of 4 functions")
        screen.press("Escape")
        screen.until("all again", lambda lines: len(names(screen)) == 4)
        screen.press("h")
        screen.shows("pause what is shown")
        screen.press("x")
        must_come(screen, target.truth())


def pauses(ctx):
    with watching(ctx, ctx.one) as (target, screen):
        screen.press("p")
        screen.shows("PAUSED")
        target.obey("more", 7)
        time.sleep(READINGS_S)
        equal("f, paused", "50", next(row for row in screen.table() if row["FUNCTION"] == "f")["LIVE"])
        screen.press("Space")
        screen.until_cell("f", "LIVE", "57")
        screen.until("it does not say so any more", lambda lines: not any("PAUSED" in text for text in lines))


def resizes(ctx):
    with watching(ctx, ctx.one, width=100, height=30) as (target, screen):
        for width, height in ((80, 24), (132, 50), (60, 10), (81, 25)):
            screen.resize(width, height)
            screen.until(f"all of {width}x{height}", lambda lines, height=height: len(lines) == height and
                         "q quit" in lines[-1] and "genscope top" in lines[0])
            must_come(screen, target.truth())
        screen.resize(40, 8)
        screen.shows("terminal too small: 60×10 or more")
        screen.press("Down", "Enter", "l")
        screen.resize(80, 24)
        screen.shows("SUSPENDED AT LINE")
        screen.press("Escape")
        must_come(screen, target.truth())
        screen.press("q")
        equal("status", 0, screen.ended())
        screen.must_be_as_before()


def ends_by(number):
    def test(ctx):
        with watching(ctx, ctx.one) as (_, screen):
            equal("while it runs", "10", screen.modes())
            screen.signal(number)
            equal("status", 0, screen.ended())
            screen.must_be_as_before()
            screen.shows("coverage: full")
    return test


def dies_of(number):
    def test(ctx):
        with watching(ctx, ctx.one) as (_, screen):
            screen.signal(number)
            equal("status", 128 + number, screen.ended())
            screen.must_be_as_before()
    return test


def ctrl_c(ctx):
    with watching(ctx, ctx.one, "-q") as (target, screen):
        screen.press("C-c")
        equal("status", 0, screen.ended())
        screen.must_be_as_before()
        check("hits" not in screen.text(), f"a summary under -q: {screen.text()}")
        must_live(target)


def must_live(target):
    target.obey("steps", 3)
    target.say("end\n")
    ended(target, PATIENCE_S, "the target")


def target_ends(ctx):
    for page in ("Home", "Enter", "h"):
        with watching(ctx, ctx.one) as (target, screen):
            screen.press(page)
            target.say("end\n")
            equal("status", 0, screen.ended())
            screen.must_be_as_before()
            screen.shows("coverage: full")
            os.unlink(os.path.join(screen.folder, "status"))


def stops_and_goes_on(ctx):
    """Ctrl-Z: the shell has its terminal, `fg` brings the screen back."""
    with Crowd(ctx.one) as target:
        pid = target.ready(PATIENCE_S)
        with Screen(target.folder, ["sh", "-mc", f"{ctx.genscope} top -i 100ms -p {pid}; "
                                    "stty -a > stopped; echo stopped; read line; fg; true"]) as screen:
            screen.table()
            screen.press("C-z")
            screen.shows("stopped")
            equal("while it is stopped", "01", screen.modes())
            equal("modes", screen.read("before"), screen.read("stopped"))
            target.obey("more", 7)
            screen.press("Enter")
            screen.until_cell("f", "LIVE", "57")
            equal("while it runs", "10", screen.modes())
            screen.press("q")
            screen.ended()
            screen.must_be_as_before()


def command(ctx):
    """What a command of ours prints does not reach the screen; where it goes elsewhere it gets there."""
    host, _ = ctx.one.scratch()
    script = os.path.join(ctx.one.host_dir, "spoils.py")
    with open(script, "w", encoding="utf-8") as file:
        file.write("import sys, time\n\ndef numbers():\n    while True:\n        yield 1\n\n"
                   "for number in numbers():\n    print('spoilt', flush=True)\n    sys.stderr.write('spoilt too\\n')\n"
                   "    time.sleep(0.01)\n")
    argv = [ctx.genscope, "top", "-i", "100ms", "--", *ctx.one.command("spoils.py")]
    with Screen(host, argv, width=120) as screen:
        screen.shows("numbers")
        time.sleep(READINGS_S)
        check("spoilt" not in screen.text(), screen.text())
        screen.press("q")
        equal("status", 0, screen.ended())
        screen.must_be_as_before()
        check("spoilt" not in screen.text(), screen.text())


def says_attached(ctx):
    """The line that scripts wait for, before there is a screen; and nothing else until the end."""
    host, _ = ctx.one.scratch()
    errors = os.path.join(host, "errors")
    with watching(ctx, ctx.one, errors=errors) as (_, screen):
        with open(errors, encoding="utf-8") as file:
            check(file.read().startswith("genscope: attached: CPython "), "no `genscope: attached`")
        screen.press("q")
        equal("status", 0, screen.ended())


def overhead(ctx):
    with watching(ctx, ctx.one, "--max-overhead", "50", width=120) as (target, screen):
        screen.shows("probes on 100%")
        must_come(screen, target.truth())


def no_terminal(ctx):
    with Tool(ctx.genscope, "top", "-p", os.getpid()) as tool:
        ended(tool, PATIENCE_S, "top without a terminal", 2)
        equal("lines", 1, len(tool.err))
        check("no terminal" in tool.err[0] and "latency" in tool.err[0], tool.err[0])
        equal("output", [], tool.out)
    host, _ = ctx.one.scratch()
    for number, (name, said) in enumerate((("dumb", "cannot move"), ("no-such-terminal", "nothing is known"))):
        folder = os.path.join(host, str(number))
        os.mkdir(folder)
        with Screen(folder, ["env", f"TERM={name}", ctx.genscope, "top", "-p", os.getpid()]) as screen:
            equal(f"status with TERM={name}", 2, screen.ended())
            screen.shows(said)
            screen.must_be_as_before()


def gone(ctx):
    """A target that cannot be attached is an error before there is a screen."""
    host, _ = ctx.one.scratch()
    with subprocess.Popen(["true"]) as child:
        child.wait()
    with Screen(host, [ctx.genscope, "top", "-p", child.pid]) as screen:
        equal("status", 3, screen.ended())
        screen.shows("no such process")
        screen.must_be_as_before()


WRONG = (("--sort", "colour"), ("-i", "soon"), ("-i", "50ms"), ("--json",), ("-o", "file"), ("--frobnicate",), ("stray",))


def wrong_words(ctx):
    for words in WRONG:
        with Tool(ctx.genscope, "top", "-p", os.getpid(), *words) as tool:
            ended(tool, PATIENCE_S, f"top {' '.join(words)}", 2)
            equal(f"lines of {words}", 1, len(tool.err))
            check(tool.err[0].startswith("genscope"), f"{words}: {tool.err[0]}")


TESTS = {"shows": shows, "looks_into": looks_into}
ONCE = {"rates": rates, "sorts_and_filters": sorts_and_filters, "pauses": pauses, "resizes": resizes,
        "sigterm": ends_by(signal.SIGTERM), "sighup": ends_by(signal.SIGHUP), "ctrl_c": ctrl_c,
        "sigsegv": dies_of(signal.SIGSEGV), "sigquit": dies_of(signal.SIGQUIT), "target_ends": target_ends,
        "stops_and_goes_on": stops_and_goes_on, "command": command, "says_attached": says_attached,
        "overhead": overhead, "no_terminal": no_terminal, "gone": gone, "wrong_words": wrong_words}


def run(ctx, interp):
    for name, test in TESTS.items():
        if ctx.wanted(f"{interp.label} top.{name}"):
            yield guard(interp.label, f"top.{name}", lambda: test(ctx, interp))


def run_once(ctx):
    for name, test in ONCE.items():
        if ctx.wanted(f"{ctx.one.label} top.{name}"):
            yield guard(ctx.one.label, f"top.{name}", lambda: test(ctx))

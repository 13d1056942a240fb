# SPDX-License-Identifier: MIT
"""genscope slow: what it tells, held against the program's own clock, lines and callbacks."""

import collections
import contextlib
import json
import os
import platform
import re
import statistics
import time

from harness import Failure, check, ended, equal, guard, until
from procs import Target, Tool

MS = 1_000_000
OVER = 20 * MS
TRAPS_NS = 300_000  # what the traps of a step, and a look at the clock, may add on a busy machine: of a median
CROWD = 100_000
PATIENCE_S = 60  # with whatever has to come
READ = {"x86_64": "0"}.get(platform.machine(), "63")  # the number of the system call


class Told:
    """What `slow --json` wrote."""

    def __init__(self, path):
        self.lines, self.summary = [], None
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if record["type"] == "summary":
                    self.summary = record
                else:
                    self.lines.append(record)
        check(self.summary, "there is no summary")

    def of(self, kind):
        return [line for line in self.lines if line["type"] == kind]

    def steps(self, running=False):
        return [line for line in self.of("slow") if line["running"] == running]

    def must_be_sound(self):
        s = self.summary
        equal("anomalies", 0, s["anomalies"])
        equal("lost", 0, sum(s["lost"].values()))
        check(s["closes"], f"the counts do not close: {s}")
        for line in self.of("slow"):
            whole(line)


FIELDS = {"ts_ns", "time", "pid", "tid", "gen", "id", "seq", "kind", "name", "qualname", "file", "line", "from", "to",
          "via", "run_ns", "suspended_ns", "parent", "running", "at_least", "begin_ns", "thread", "chain", "inner",
          "inner_left_out", "reasons", "reasons_left_out", "reasons_forgotten", "gc_ns", "import_ns"}


def whole(line):
    check(FIELDS <= set(line), f"a step without {FIELDS - set(line)}")
    equal("the first of the chain", (line["id"], line["qualname"], line["line"]),
          tuple(line["chain"][0][key] for key in ("id", "qualname", "line")))
    equal("begin and length", line["ts_ns"], line["begin_ns"] + line["run_ns"])


@contextlib.contextmanager
def traced(ctx, interp, case, *options, arg=(), early=False):
    """A case of the target under `slow --json`: (target, tool, out, folder), with the target past its barrier."""
    host, inside = interp.scratch()
    out = os.path.join(host, "slow.jsonl")
    with Target(interp, "slowness.py", case, inside + "/truth", *arg) as target:
        pid = target.ready(PATIENCE_S)
        if early:
            wait_until_it_reads(pid)
        with Tool(ctx.genscope, "slow", "-p", pid, "--json", "-o", out, *options) as tool:
            line = tool.attached(PATIENCE_S)
            tool.has_usdt = "has no USDT" not in tool.stderr() + line
            if not early:
                target.say()
            yield target, tool, out, host


def truth_of(host):
    with open(os.path.join(host, "truth"), encoding="utf-8") as file:
        return json.load(file)


def wait_until_it_reads(pid):
    """It is stuck in a read of its standard input."""
    def reads():
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            return file.read().split()[:2] == [READ, "0x0"]
    until(f"process {pid} to read", reads, PATIENCE_S)


def finish(target, tool):
    ended(target, PATIENCE_S, "the target")
    ended(tool, PATIENCE_S, "genscope")


def run_case(ctx, interp, case, *options, arg=()):
    with traced(ctx, interp, case, *options, arg=arg) as (target, tool, out, host):
        finish(target, tool)
        told, truth = Told(out), truth_of(host)
        told.must_be_sound()
        return told, truth, tool


def ours(lines):
    """Those of the target's own file."""
    return [line for line in lines if line["file"].endswith("/slowness.py")]


def places(chain):
    return [[each["qualname"], each["line"]] for each in chain]


def match(told, truth, over=OVER):
    """Pairs of the program's steps and what was told of each: all that were surely over the limit, none under it."""
    lines, pairs = ours(told.steps()), []
    for step in truth["steps"]:
        begun, end = step["around"]
        here = [line for line in lines if begun <= line["begin_ns"] and line["ts_ns"] <= end]
        inside = step["inside"][1] - step["inside"][0]
        if inside >= over:
            equal(f"lines of a step of {step['case']} of {inside / MS:.1f} ms", 1, len(here))
        if end - begun < over:
            equal(f"lines of a step of {step['case']} of at most {(end - begun) / MS:.1f} ms", 0, len(here))
        if here:
            pairs.append((step, here[0]))
            lines.remove(here[0])
    equal("steps that the program does not know", [], [line["qualname"] for line in lines])
    return pairs


def steps_of(truth, *cases):
    return {"steps": [step for step in truth["steps"] if step["case"] in cases]}


# --- each interpreter ---

def steps(ctx, interp):
    told, truth, _ = run_case(ctx, interp, "steps", "--over", "20ms")
    pairs, more = match(told, truth), []
    for step, line in pairs:
        what, run = step["case"], line["run_ns"]
        begun, end = step["around"]
        check(run >= step["inside"][1] - step["inside"][0], f"{what}: {run} ns, less than was measured inside: {step}")
        check(run <= end - begun, f"{what}: {run} ns, more than was measured around it: {step}")
        equal(f"the chain of {what}", step["chain"], places(line["chain"]))
        if step["inner"] and step["inside"][1] - step["inside"][0] >= OVER:
            equal(f"inside {what}", step["inner"], places(line["inner"]))
            for inner in line["inner"]:
                check(inner["run_ns"] <= run, f"{what}: a part is longer than the whole")
                if inner is line["inner"][0]:
                    check(inner["run_ns"] >= step["inside"][1] - step["inside"][0], f"{what}: {inner['run_ns']} inside")
        equal(f"kind of {what}", "coroutine", line["kind"])
        equal(f"process of {what}", truth["pid"], line["pid"])
        more.append((end - begun) - run)
    allowed = max(0.05 * 30 * MS, TRAPS_NS)
    check(statistics.median(more) <= allowed, f"a step is {statistics.median(more)} ns longer by the program's clock")
    ends = {step["case"]: (line["to"], line["via"]) for step, line in pairs}
    equal("ends", {"outermost": ("CORO_SUSPENDED", "await"), "over_ending": ("CORO_SUSPENDED", "await"),
                   "over_leaf": ("CORO_SUSPENDED", "await"), "returning": ("CORO_CLOSED", "return"),
                   "raising": ("CORO_CLOSED", "raise")}, ends)
    numbers = collections.Counter(step["case"] for step, _ in pairs)
    check(min(numbers[case] for case in ends) >= 7, f"steps told: {numbers}")
    for step, line in pairs:
        if line["inner"] and step["case"] == "over_ending":
            equal("how the inner one ended", ["CORO_CLOSED"], [inner["to"] for inner in line["inner"]])


def kinds(ctx, interp):
    told, truth, _ = run_case(ctx, interp, "kinds", "--over", "20ms")
    for step, line in match(told, truth):
        equal(f"the chain of {step['case']}", step["chain"], places(line["chain"]))
        equal(f"kind of {step['case']}", "generator" if step["case"] == "generator" else "coroutine", line["kind"])
        if step["case"] != "reader":
            continue
        equal("inside reader", ["ticks"], [inner["qualname"] for inner in line["inner"]])
        inner = line["inner"][0]
        equal("kind inside", "async_generator", inner["kind"])
        check(inner["run_ns"] <= line["run_ns"], f"the async generator's wait of 50 ms is in its step: {inner}")
        check(inner["run_ns"] >= step["inside"][1] - step["inside"][0], f"inside: {inner}")
    only, truth, _ = run_case(ctx, interp, "kinds", "--over", "20ms", "-k", "generator")
    equal("-k generator", {"generator"}, {line["kind"] for line in ours(only.steps())})
    match(only, steps_of(truth, "generator"))
    # the chain has one of that kind, or a step of one was slow inside: as in all of these that were slow by chance
    only, truth, _ = run_case(ctx, interp, "kinds", "--over", "20ms", "-k", "async_generator")
    match(only, steps_of(truth, "reader", "waiting", "quiet"))


def reasons(ctx, interp):
    told, truth, tool = run_case(ctx, interp, "reasons", "--over", "10ms")
    found = collections.defaultdict(list)
    for step, line in match(told, truth, 10 * MS):
        found[step["case"]].append((step, line))
    for case, least in (("collecting", 1), ("importing", 2), ("sleeping", 2)):
        check(len(found[case]) >= least, f"{len(found[case])} steps of {case} were told")
    if not tool.has_usdt:
        for line in told.of("slow"):
            equal("reasons without USDT", [], line["reasons"])
        return
    for step, line in found["collecting"]:
        check_collection(step, line)
    names = [[reason["name"] for reason in line["reasons"] if reason["type"] == "import"]
             for _, line in found["importing"]]
    equal("imports", [["slow_module"], ["slow_package"]], names)
    for step, line in found["importing"]:
        reason = next(reason for reason in line["reasons"] if reason["type"] == "import")
        check(60 * MS <= reason["ns"] <= line["run_ns"], f"an import that spins for 60 ms: {reason}")
        equal("import_ns", reason["ns"], line["import_ns"])
        within_part(step, line, reason)
    for step, line in found["sleeping"]:
        check(line["run_ns"] >= 200 * MS, f"time.sleep(0.2) in {line['run_ns']} ns")
        sleeps = [reason for reason in line["reasons"] if reason["name"] == "time.sleep"]
        if interp.minor >= 13:  # from then on it is an audit event
            equal("sleeps", [("audit", 1, None)], [(each["type"], each["count"], each["ns"]) for each in sleeps])
            within_part(step, line, sleeps[0])
            check(sleeps[0]["at_ns"] <= line["run_ns"] - 200 * MS, f"when it slept: {sleeps[0]}")


def within_part(step, line, reason):
    """By the program's clock, around what it did for that reason. Returns when it began and ended."""
    begun, end = line["begin_ns"] + reason["at_ns"], line["begin_ns"] + reason["at_ns"] + (reason["ns"] or 0)
    part = step["parts"][1]  # the first spins
    check(part[0] <= begun and end <= part[1], f"{reason['name']}: from {begun} to {end}, not within {part}")
    check(end <= line["ts_ns"], f"outside its step: {reason}")
    return begun, end


def check_collection(step, line):
    """It lies within the program's call of it, and around what the program did inside: its finalizers."""
    own = step["collection"]
    got = [reason for reason in line["reasons"] if reason["type"] == "gc"]
    equal("collections told", [(own["generation"], own["collected"], 1)],
          [(each["generation"], each["collected"], each["count"]) for each in got])
    begun, end = within_part(step, line, got[0])
    first, _, last = own["gone"]  # before anything was cleared, and when the last was
    check(begun <= first and last <= end, f"a collection from {begun} to {end}, with finalizers from {first} to {last}")
    equal("gc_ns", got[0]["ns"], line["gc_ns"])


def running(ctx, interp):
    with traced(ctx, interp, "running", "--over", "20ms") as (target, tool, out, host):
        shown = wait_for(out, lambda line: line["type"] == "slow" and line["running"])
        target.say()
        finish(target, tool)
        told, truth = Told(out), truth_of(host)
    told.must_be_sound()
    (step, line), = match(told, truth)
    stood, begun_to_read = places(shown["chain"]), step["inside"][0]
    if shown["ts_ns"] > begun_to_read:
        equal("where it is stuck", truth["stuck"], stood)
    else:  # it was held up on its way there: the objects on it, at lines before
        equal("what is stuck", [qualname for qualname, _ in truth["stuck"]][:len(stood)], [each[0] for each in stood])
    equal("how often that was told", 1, len(told.steps(running=True)))
    check(shown["run_ns"] >= OVER and not shown["at_least"], f"so far: {shown['run_ns']} ns")
    equal("from", "CORO_RUNNING", shown["from"])
    equal("to", None, shown["to"])
    equal("where it stands then", step["chain"], places(line["chain"]))
    equal("the same step", (shown["id"], shown["begin_ns"]), (line["id"], line["begin_ns"]))
    check(line["run_ns"] >= shown["run_ns"], "it has become shorter")


def hangs(ctx, interp):
    """Attached to a program that hangs: where it does."""
    with traced(ctx, interp, "running", "--over", "20ms", arg=("early",), early=True) as (target, tool, out, host):
        shown = wait_for(out, lambda line: line["type"] == "slow" and line["running"])
        target.say()
        finish(target, tool)
        told, truth = Told(out), truth_of(host)
    told.must_be_sound()
    equal("where it is stuck", truth["stuck"], places(shown["chain"]))
    check(shown["at_least"], "since when is not known")
    equal("process and thread", (truth["pid"], truth["pid"]), (shown["pid"], shown["tid"]))
    equal("how often that was told", 1, len(told.steps(running=True)))


def wait_for(path, wanted, count=1, timeout=PATIENCE_S):
    """The count-th line that is wanted, in a file that is being written."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            with open(path, encoding="utf-8") as file:
                text_so_far = file.read()
            if text_so_far.count("\n") < count:  # a hundred thousand lines are not parsed over and over
                time.sleep(0.1)
                continue
            whole_lines = text_so_far.rpartition("\n")[0].splitlines()
            found = [line for line in map(json.loads, whole_lines) if wanted(line)]
            if len(found) >= count:
                return found[count - 1]
        time.sleep(0.05)
    raise Failure(f"no such line within {timeout} s")


def suspect_key(each):
    return each["type"], each["qualname"], *(each["created"] or (None, None))


def told_key(line):
    created = line["created"]
    return line["type"], line["qualname"], *((created["qualname"], created["line"]) if created else (None, None))


def suspects(ctx, interp):
    told, truth, _ = run_case(ctx, interp, "suspects", "--over", "10s")
    lines = ours(told.of("never_awaited") + told.of("unclosed"))
    equal("suspects", collections.Counter(map(suspect_key, truth["suspects"])), collections.Counter(map(told_key, lines)))
    for line in lines:
        check(line["created"]["file"].endswith("/slowness.py"), f"made in {line['created']}")
    stood = {each["line"] for each in truth["suspects"] if each["type"] == "unclosed"}
    equal("where they stood", stood, {line["line"] for line in told.of("unclosed")})
    equal("those that never began", {None}, {line["line"] for line in told.of("never_awaited")})


def parked(ctx, interp):
    with traced(ctx, interp, "parked", "--over", "10s", "--parked", "300ms") as (target, tool, out, host):
        def is_ours(line):
            return line["type"] == "parked" and line["file"].endswith("/slowness.py")
        wait_for(out, is_ours, 8)
        time.sleep(2.2)  # two more surveys: what is told twice is told then
        target.say()
        finish(target, tool)
        told, truth = Told(out), truth_of(host)
    told.must_be_sound()
    equal("parked", sorted(map(str, ((each["older"], each["chain"]) for each in truth["suspects"]))),
          sorted(map(str, ((line["at_least"], places(line["chain"])) for line in ours(told.of("parked"))))))
    equal("parked, by who made them", collections.Counter(map(suspect_key, truth["suspects"])),
          collections.Counter(map(told_key, ours(told.of("parked")))))
    for line in ours(told.of("parked")):
        check(line["suspended_ns"] >= 300 * MS, f"suspended for {line['suspended_ns']} ns")


# --- once ---

def crowd(ctx):
    with traced(ctx, ctx.one, "crowd", "--parked", "1s", arg=(str(CROWD),)) as (target, tool, out, _):
        wait_for(out, lambda line: line["type"] == "parked", CROWD * 3 // 4, 120)
        memory = peak_memory(tool.pid)
        time.sleep(2.5)
        target.say()
        finish(target, tool)
        told = Told(out)
    told.must_be_sound()
    lines = ours(told.of("parked"))
    equal("parked", {"waits": CROWD // 2, "over_waits": CROWD // 4},
          dict(collections.Counter(line["qualname"] for line in lines)))
    equal("objects", CROWD * 3 // 4, len({line["id"] for line in lines}))
    equal("chains", {1: CROWD // 2, 2: CROWD // 4},
          dict(collections.Counter(len(line["chain"]) for line in lines)))
    first = min(line["ts_ns"] for line in lines)
    print(f"     {CROWD} parked objects: told within {(max(line['ts_ns'] for line in lines) - first) / 1e9:.1f} s, "
          f"genscope held {memory} at most", flush=True)


def peak_memory(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(line.split(None, 1)[1].strip() for line in file if line.startswith("VmHWM"))


def show(ctx, case, *options, arg=()):
    """The text of a case, its target told to go on once it has been written."""
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "slow.txt")
    with Target(ctx.one, "slowness.py", case, inside + "/truth", *arg) as target:
        pid = target.ready(PATIENCE_S)
        with Tool(ctx.genscope, "slow", "-p", pid, "-o", out, *options) as tool:
            tool.attached(PATIENCE_S)
            target.say()
            yield out
            target.say()
            finish(target, tool)
    with open(out, encoding="utf-8") as file:
        yield file.read()


def crowd_in_few_words(ctx):
    steps_of = show(ctx, "crowd", "--parked", "1s", arg=("2000",))
    out = next(steps_of)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with open(out, encoding="utf-8") as file:
            if file.read().count(" more parked: ") >= 2:
                break
        time.sleep(0.1)
    text = next(steps_of)
    blocks = collections.Counter(re.findall(r"^[\d:.]+ parked: coroutine (\w+) of pid", text, re.M))
    equal("blocks", {"waits": 5, "over_waits": 5}, dict(blocks))
    more = {name: int(count) for count, name in re.findall(r"and (\d+) more parked: coroutine (\w+)", text)}
    equal("more", {"waits": 1000 - 5, "over_waits": 500 - 5}, more)
    check("1500 parked" in text, "the summary does not say how many")


def text(ctx):
    told = show(ctx, "steps", "--over", "20ms")
    next(told)
    shown = next(told)
    for word in ("held thread", "at its end", "of that inside", "over_leaf", "slowness.py:", "steps over 20.0 ms",
                 "then it awaited", "then it returned", "then it raised"):
        check(word in shown, f"{word!r} is not in the text:\n{shown[:600]}")
    check("\x1b" not in shown, "colours in a file")


def serve(ctx, *options, over_ms=20, count=60):
    told, truth, _ = run_case(ctx, ctx.one, "server", "--over", f"{over_ms}ms", *options, arg=(str(count),))
    return told, truth


REQUEST = ("request", "answer")  # the steps of one


def slow_requests(told, truth):
    """Every fifth is slow; others may be, on a busy machine: match() knows which."""
    pairs = match(told, steps_of(truth, *REQUEST))
    equal("functions", {"handle"}, {line["qualname"] for _, line in pairs})
    slow = {step["number"] for step, _ in pairs if step["case"] == "request"}
    check(slow >= set(range(0, 60, 5)), f"slow requests: {sorted(slow)}")
    return pairs


def filters(ctx):
    told, truth = serve(ctx)
    match(told, truth)
    check(not serve(ctx, "-f", "nothing*")[0].steps(), "-f that matches nothing")
    slow_requests(*serve(ctx, "-f", "hand*"))
    told, truth = serve(ctx, "-F", "*slowness.py")
    match(told, truth)
    equal("-F", len(told.steps()), len(ours(told.steps())))
    check(not serve(ctx, "-k", "async_generator")[0].steps(), "-k of a kind that is not there")
    few, _ = serve(ctx, "-n", "3", "-f", "handle")
    equal("-n", ["handle"] * 3, [line["qualname"] for line in few.steps()])
    told, truth = serve(ctx, over_ms=10_000)
    match(told, truth, 10_000 * MS)


def locals_of_steps(ctx):
    for step, line in slow_requests(*serve(ctx, "--locals", "-f", "handle")):
        values = {name: value["repr"] for name, value in line["locals"].items()}
        number = step["number"]
        expected = {"number": str(number), "note": str(number * 7)}
        if step["case"] == "answer":  # at its end it has none
            expected = {}
        equal(f"locals of a step of {step['case']}", expected, values)


def command(ctx):
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "slow.jsonl")
    with Tool(ctx.genscope, "slow", "--over", "20ms", "--json", "-o", out, "--",
              *ctx.one.command("slowness.py", "steps", inside + "/truth"), env={"GENSCOPE_NO_BARRIER": "1"}) as tool:
        ended(tool, PATIENCE_S, "genscope")
    told = Told(out)
    told.must_be_sound()
    match(told, truth_of(host))


def duration(ctx):
    with traced(ctx, ctx.one, "running", "-d", "400ms", "--over", "20ms") as (target, tool, out, _):
        ended(tool, PATIENCE_S, "genscope -d 400ms")
        check(Told(out).summary["duration_ns"] >= 400 * MS, "a run of 400 ms")
        target.say()
        ended(target, PATIENCE_S, "the target")


WRONG = (("--over",), ("--over", "soon"), ("--over", "0s"), ("--parked", "late"), ("--parked", "0s"),
         ("-k", "thread"), ("-n", "many"), ("-f", "["), ("--frobnicate",), ("stray",))


def wrong_words(ctx):
    for words in WRONG:
        with Tool(ctx.genscope, "slow", "-p", os.getpid(), *words) as tool:
            ended(tool, PATIENCE_S, f"slow {' '.join(words)}", 2)
            equal(f"lines of {words}", 1, len(tool.err))
            check(tool.err[0].startswith("genscope"), f"{words}: {tool.err[0]}")
            equal(f"output of {words}", [], tool.out)


TESTS = {"steps": steps, "kinds": kinds, "reasons": reasons, "running": running, "hangs": hangs, "suspects": suspects,
         "parked": parked}
ONCE = {"crowd": crowd, "crowd_in_few_words": crowd_in_few_words, "text": text, "filters": filters,
        "locals": locals_of_steps, "command": command, "duration": duration, "wrong_words": wrong_words}


def run(ctx, interp):
    for name, test in TESTS.items():
        if ctx.wanted(f"{interp.label} slow.{name}"):
            yield guard(interp.label, f"slow.{name}", lambda: test(ctx, interp))


def run_once(ctx):
    for name, test in ONCE.items():
        if ctx.wanted(f"{ctx.one.label} slow.{name}"):
            yield guard(ctx.one.label, f"slow.{name}", lambda: test(ctx))

# SPDX-License-Identifier: MIT
"""genscope latency: what it counts and measures, held against the program's own arithmetic and clock."""

import contextlib
import json
import os
import time

from harness import check, ended, equal, guard, lines_so_far, until
from procs import Target, Tool
from stream import short

METRICS = ("run", "self", "suspended", "start", "lifetime")
PERCENTILES = {"p50_ns": 500, "p90_ns": 900, "p99_ns": 990, "p999_ns": 999}  # of a thousand
BUCKET = 0.06  # of a value: as exact as a bucket is
HANG = 60      # seconds


class Table:
    """What `latency --json` wrote: pages of rows by function, and the summary."""

    def __init__(self, path, kind="function"):
        self.rows, self.summary = [], None
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if record["type"] == "summary":
                    self.summary = record
                else:
                    equal("the type of a row", kind, record["type"])
                    self.rows.append(record)
        check(self.summary, "there is no summary")

    def count(self, qualname, metric):
        """Of all pages together, and of all functions of that name."""
        return sum(row[metric]["count"] for row in self.rows if row["qualname"] == qualname and row[metric])

    def row(self, qualname):
        rows = [row for row in self.rows if row["qualname"] == qualname]
        equal(f"rows of {qualname}", 1, len(rows))
        return rows[0]

    def must_be_sound(self, coverage="full"):
        s = self.summary
        equal("anomalies", 0, s["anomalies"])
        equal("lost", 0, sum(s["lost"].values()))
        check(s["closes"], f"the counts do not close: {s}")
        check(s["coverage"].startswith(coverage), f"coverage: {s['coverage']}")
        for row in self.rows:
            for metric in METRICS:
                if row[metric]:
                    sound(row, metric)


def sound(row, metric):
    times, what = row[metric], f"{row['qualname']} {metric}"
    check(times["count"] > 0, f"{what}: a row of nothing")
    check(times["max_ns"] <= times["sum_ns"] <= times["count"] * times["max_ns"], f"{what}: {times}")
    values = [times[name] for name in PERCENTILES]
    check(values == sorted(values) and values[-1] <= times["max_ns"], f"{what}: {times}")


def trace(ctx, interp, case, *options, arg=(), beside=None, enough=None):
    """Run a case of the target under `latency --json`: the table, the truth, and the tool's line. `enough(path)`: of what
    is written so far, for a case without an end."""
    host, inside = interp.scratch()
    out = os.path.join(host, "latency.jsonl")
    kind = options[options.index("--by") + 1] if "--by" in options else "function"
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(Target(interp, "latencies.py", case, inside + "/truth", *arg))
        pid = target.ready()
        tool = stack.enter_context(Tool(ctx.genscope, "latency", "-p", pid, "--json", "-o", out, *options))
        line = tool.attached()
        other = stack.enter_context(beside(pid, host)) if beside else None
        if other:
            other.attached()
        target.say()
        if enough:
            until("enough", lambda: enough(out))
            target.say("end\n")
        ended(target, HANG, "the target", -9 if case == "killed" else 0)
        ended(tool, HANG, "genscope")
        if other:
            ended(other, HANG, "the other genscope")
    with open(os.path.join(host, "truth"), encoding="utf-8") as file:
        return Table(out, kind), json.load(file), line, host


def must_count(table, truth, metrics=METRICS):
    wrong = []
    for function, row in truth.items():
        for metric in metrics:
            expected = row["run" if metric == "self" else metric]
            got = table.count(function, metric)
            if got != expected:
                wrong.append(f"{function}: {got} times {metric}, expected {expected}")
    check(not wrong, "\n".join(wrong))


# --- each interpreter ---

def by_task(ctx, interp):
    table, truth, _, _ = trace(ctx, interp, "tasks", "--by", "task")
    rows = {row["task"]: row for row in table.rows}
    equal("rows, each of another task", len(table.rows), len(rows))
    for name, row in truth.items():
        for metric, expected in row.items():
            got = rows[name][metric]["count"] if rows[name][metric] else 0
            equal(f"{metric} of {name}", expected, got)
    equal("steps that no task drove", [], [row for row in table.rows if row["task"] is None])
    table.must_be_sound()



def counts(ctx, interp):
    table, truth, _, _ = trace(ctx, interp, "counts")
    must_count(table, truth)
    table.must_be_sound()
    kinds = {"numbers": "generator", "chain": "coroutine", "ticks": "async_generator"}
    for function, kind in kinds.items():
        equal(f"the kind of {function}", kind, table.row(function)["kind"])
        check(table.row(function)["file"].endswith("/latencies.py"), f"the file of {function}")


def between(what, bounds, got, slack=0.0):
    least, most = bounds
    check(least * (1 - slack) <= got <= most * (1 + slack),
          f"{what}: {got / 1e6:.4f} ms, of which the program measured {least / 1e6:.4f} to {most / 1e6:.4f} ms")


def rank(values, share):
    """The smallest of them that so many of a thousand do not exceed."""
    return sorted(values)[max(0, -(-len(values) * share // 1000) - 1)]


def by_its_own_clock(table, truth):
    """The n-th of values is between the n-th of their lower and of their upper bounds, whichever belongs to which."""
    for function, row in truth.items():
        for metric, bounds in row.items():
            what, got = f"{function}: {metric}", table.row(function)[metric]
            least, most = zip(*bounds)
            equal(f"{what}: count", len(bounds), got["count"])
            between(f"{what}: sum", (sum(least), sum(most)), got["sum_ns"])
            between(f"{what}: max", (max(least), max(most)), got["max_ns"])
            for name, share in PERCENTILES.items():
                between(f"{what}: {name}", (rank(least, share), rank(most, share)), got[name], BUCKET)
    outer, inner = table.row("outer"), table.row("inner")
    check(outer["run"]["sum_ns"] - inner["run"]["sum_ns"] == outer["self"]["sum_ns"],
          f"self of outer is not its run without inner's: {outer['run']}, {inner['run']}, {outer['self']}")
    equal("self of inner", inner["run"]["sum_ns"], inner["self"]["sum_ns"])


def lengths_of(stream):
    """(qualname, metric) -> all lengths in their order, from the lines of trace."""
    found = {}
    for line in stream:
        event = json.loads(line)
        if event["type"] != "transition":
            continue
        for source, metric in (("RUNNING", "run"), ("SUSPENDED", "suspended")):
            if short(event["from"]) == source and event[metric + "_ns"] is not None:
                found.setdefault((event["qualname"], metric), []).append(event[metric + "_ns"])
    return found


def by_the_other_tracer(table, truth, path):
    """It has as many, and each of its own is as long as the program measured. (What the two measured need not be the
    same: between their looks at the clock, in one trap, the target may wait for a processor.)"""
    with open(path, encoding="utf-8") as stream:
        found = lengths_of(stream)
    for function in ("spinner", "outer", "inner", "sleeper"):
        for metric in ("run", "suspended"):
            values = found.get((function, metric), [])
            equal(f"{function}: {metric} of both tracers", len(values),
                  (table.row(function)[metric] or {"count": 0})["count"])
            for number, bounds in enumerate(truth[function].get(metric, ())):
                between(f"{function}: {metric} {number} as traced", bounds, values[number])


def lengths(ctx, interp):
    def beside(pid, host):
        return Tool(ctx.genscope, "trace", "-p", pid, "--json", "-o", os.path.join(host, "stream.jsonl"))

    table, truth, _, host = trace(ctx, interp, "lengths", beside=beside)
    table.must_be_sound()
    by_its_own_clock(table, truth)
    by_the_other_tracer(table, truth, os.path.join(host, "stream.jsonl"))


def steps(ctx, interp):
    if interp.kind == "debug":
        table, _, _, _ = trace(ctx, interp, "steps", "--steps", arg=("1",))
        check("no steps are seen" in table.summary["coverage"], f"coverage: {table.summary['coverage']}")
        check(table.summary["closes"], "the counts do not close")
        equal("rows", [], table.rows)
        return
    traps = set()
    lacks = "full" if interp.minor < 15 else "steps that throw() begins are not seen"
    for depth in (1, 20):
        table, truth, _, _ = trace(ctx, interp, "steps", "--steps", arg=(str(depth),))
        table.must_be_sound(lacks)
        must_count(table, truth, ("run", "self", "suspended"))
        equal("functions", set(truth), {row["qualname"] for row in table.rows})
        taken = table.summary["hits"] - table.summary["causes"]
        number = sum(row["run"] for row in truth.values())
        equal(f"events at depth {depth}", 2 * number, table.summary["events"])
        traps.add(taken)
        if interp.minor >= 12:
            equal(f"traps at depth {depth}", 2 * number, taken)


def cancels(ctx, interp):
    """A task that is cancelled is thrown into, from its outermost coroutine inwards."""
    table, truth, _, _ = trace(ctx, interp, "cancels", "--steps")
    table.must_be_sound()
    must_count(table, truth, ("run", "self", "suspended"))
    equal("events", table.summary["hits"] - table.summary["causes"],
          table.summary["events"] + table.summary["filtered"])


def has_cancels(interp):
    # gen.throw() of 3.15 sets EXECUTING itself and has another function call the evaluation loop: not followed yet
    return interp.kind != "debug" and interp.minor < 15


def fewer_sites(ctx, interp):
    """What is not asked for costs no probe."""
    sites = {}
    for metric in ("lifetime", "start", "run"):
        table, truth, line, _ = trace(ctx, interp, "counts", "--metric", metric)
        must_count(table, truth, (metric,))
        table.must_be_sound()
        sites[metric] = int(line.split("(")[1].split()[0])
    table, _, line, _ = trace(ctx, interp, "counts")
    everything = int(line.split("(")[1].split()[0])
    check(sites["lifetime"] < sites["run"] < everything, f"sites: {sites}, all {everything}")


# --- once ---

def pages(ctx):
    """A run goes on until three pages have been written."""
    def three(path):
        return sum(b'"qualname":"numbers"' in line for line in lines_so_far(path)) >= 3

    table, truth, _, _ = trace(ctx, ctx.one, "spread", "-i", "200ms", enough=three)
    must_count(table, truth)
    number = sum(row["qualname"] == "numbers" for row in table.rows)
    check(number >= 3, f"{number} pages")
    table.must_be_sound()


def by_file(ctx):
    table, truth, _, _ = trace(ctx, ctx.one, "counts", "--by", "file")
    rows = [row for row in table.rows if row["file"].endswith("/latencies.py")]
    equal("rows of one file", 1, len(rows))
    for metric in ("run", "suspended", "start", "lifetime"):
        equal(metric, sum(row[metric] for row in truth.values()), rows[0][metric]["count"])


def limit(ctx):
    table, truth, _, _ = trace(ctx, ctx.one, "counts", "--limit", "3", "--sort", "count")
    most = sorted((row["run"] for row in truth.values()), reverse=True)
    equal("--limit 3 --sort count", most[:3], [row["run"]["count"] for row in table.rows])


def filtered(ctx):
    table, truth, _, _ = trace(ctx, ctx.one, "counts", "-f", "n*")
    equal("-f", {"numbers"}, {row["qualname"] for row in table.rows})
    must_count(table, {"numbers": truth["numbers"]})
    table, truth, _, _ = trace(ctx, ctx.one, "counts", "-k", "async_generator")
    equal("-k", {"ticks"}, {row["qualname"] for row in table.rows})
    must_count(table, {"ticks": truth["ticks"]})
    table, truth, _, _ = trace(ctx, ctx.one, "lengths", "--min-run", "800us", "-f", "spinner")
    steps = truth["spinner"]["run"]
    surely, perhaps = (sum(bounds[which] >= 800_000 for bounds in steps) for which in (0, 1))
    equal("steps of 800 us and more", len(steps) - 1, surely)  # the one that finds the end may come to that by chance
    between("--min-run", (surely, perhaps), table.count("spinner", "run"))
    equal("suspended under --min-run", 0, table.count("spinner", "suspended"))


def two_targets(ctx):
    """One row for a function, whichever process it ran in."""
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "latency.jsonl")
    with Target(ctx.one, "latencies.py", "counts", inside + "/truth") as first, \
            Target(ctx.one, "latencies.py", "counts", inside + "/truth") as second:
        pids = [target.ready() for target in (first, second)]
        with Tool(ctx.genscope, "latency", "-p", pids[0], "-p", pids[1], "--json", "-o", out) as tool:
            tool.attached()
            for target in (first, second):
                target.say()
                ended(target, HANG, "a target")
            ended(tool, HANG, "genscope")
    with open(os.path.join(host, "truth"), encoding="utf-8") as file:
        truth = json.load(file)
    table = Table(out)
    must_count(table, {function: {metric: 2 * count for metric, count in row.items()}
                       for function, row in truth.items()})
    for function in truth:
        table.row(function)
    table.must_be_sound()


def killed(ctx):
    """A target that dies is the end of the run; what it did so far is told."""
    table, truth, _, _ = trace(ctx, ctx.one, "killed")
    must_count(table, truth)
    equal("a step that never ended", 1, table.count("killed.<locals>.dying", "run"))
    table.must_be_sound()


def command(ctx):
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "latency.jsonl")
    with Tool(ctx.genscope, "latency", "--json", "-o", out, "--", *ctx.one.command("latencies.py", "counts",
              inside + "/truth"), env={"GENSCOPE_NO_BARRIER": "1"}) as tool:
        ended(tool, HANG, "genscope")
    table = Table(out)
    with open(os.path.join(host, "truth"), encoding="utf-8") as file:
        truth = json.load(file)
    # what is older than the barrier is seen as well
    for function in ("guarded", "failing", "reader", "ticks", "unused"):
        must_count(table, {function: truth[function]})
    equal("chains", truth["chain"]["lifetime"] + 11, table.count("chain", "lifetime"))
    equal("numbers", truth["numbers"]["run"] + 2, table.count("numbers", "run"))
    table.must_be_sound()


def text(ctx):
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "latency.txt")
    with Target(ctx.one, "latencies.py", "counts", inside + "/truth") as target:
        pid = target.ready()
        with Tool(ctx.genscope, "latency", "-p", pid, "-o", out, "--histogram") as tool:
            tool.attached()
            target.say()
            ended(target, HANG, "the target")
            ended(tool, HANG, "genscope")
    with open(out, encoding="utf-8") as lines:
        shown = lines.read()
    for word in ("numbers", "chain", "ticks", "P99", "run"):
        check(word in shown, f"{word} is not in the text:\n{shown[:400]}")
    check("\x1b" not in shown, "colours in a file")


def interrupted(ctx):
    """Ctrl-C ends a run with its table, which has all that was until then."""
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "latency.jsonl")
    with Target(ctx.one, "latencies.py", "rounds", inside + "/truth") as target:
        pid = target.ready()
        target.say()
        with Tool(ctx.genscope, "latency", "-p", pid, "--json", "-o", out) as tool:
            tool.attached()
            attached, whole = time.monotonic_ns(), 0
            while whole < 3:
                line = target.await_line(target.out_queue, "round ", HANG)
                whole += int(line.split()[1]) > attached
            tool.signal(2)
            ended(tool, HANG, "genscope after SIGINT")
        target.say()
        ended(target, HANG, "the target")
    with open(os.path.join(host, "truth"), encoding="utf-8") as file:
        every = json.load(file)["numbers"]["run"]
    table = Table(out)
    count = table.count("numbers", "run")
    check(whole * 101 <= count <= every, f"{count} steps, of which {whole * 101} surely, {every} at most")
    table.must_be_sound()


WRONG = (("--by", "thread"), ("--by", "task", "-f", "main"), ("--metric", "walk"), ("--sort", "colour"), ("--limit", "none"),
         ("-i", "soon"), ("-i", "0s"), ("--steps", "--metric", "start"), ("--steps", "--metric", "lifetime"),
         ("--frobnicate",), ("stray",))


def wrong_words(ctx):
    for words in WRONG:
        with Tool(ctx.genscope, "latency", "-p", os.getpid(), *words) as tool:
            ended(tool, HANG, f"latency {' '.join(words)}", 2)
            equal(f"lines of {words}", 1, len(tool.err))
            check(tool.err[0].startswith("genscope"), f"{words}: {tool.err[0]}")
            equal(f"output of {words}", [], tool.out)


TESTS = {"by_task": by_task, "counts": counts, "lengths": lengths, "steps": steps}
ONCE = {"fewer_sites": lambda ctx: fewer_sites(ctx, ctx.one), "pages": pages, "by_file": by_file, "limit": limit,
        "filtered": filtered, "two_targets": two_targets, "killed": killed, "command": command, "text": text,
        "interrupted": interrupted, "wrong_words": wrong_words}


def run(ctx, interp):
    for name, test in TESTS.items():
        if ctx.wanted(f"{interp.label} latency.{name}"):
            yield guard(interp.label, f"latency.{name}", lambda: test(ctx, interp))
    if has_cancels(interp) and ctx.wanted(f"{interp.label} latency.cancels"):
        yield guard(interp.label, "latency.cancels", lambda: cancels(ctx, interp))


def run_once(ctx):
    for name, test in ONCE.items():
        if ctx.wanted(f"{ctx.one.label} latency.{name}"):
            yield guard(ctx.one.label, f"latency.{name}", lambda: test(ctx))

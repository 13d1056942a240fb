# SPDX-License-Identifier: MIT
"""Filters, limits and outputs of trace, on a program with something for each."""

import fnmatch
import os

import cgroups
import compare
from harness import Run, check, ended, equal, guard, load_stream, trace
from procs import Target, Tool
from stream import short
from suite_runs import report

SLOW_NS = LONG_NS = 20_000_000  # mixture.py
SLOW_STEPS, LONG_WAITS = 3, 4


def mixture(ctx, *options):
    return trace(ctx, ctx.one, "mixture.py", ["mon", "{out}/truth"], ("-p", "{pid}", *options))


def by_object(ctx, options, chosen):
    """A filter that takes whole objects: those it lets through are complete, of the others there is nothing."""
    run = mixture(ctx, *options)
    records = run.truth()[0]
    inside = [record for record in records if chosen(record)]
    check(0 < len(inside) < len(records), "the filter would take all or nothing: the test cannot fail")
    strangers = [event for event in run.stream.transitions if not chosen(event)]
    check(not strangers, f"got past the filter: {strangers[:1]}")
    # The parents may be filtered out: their ids are not known to the comparison then.
    for record in inside:
        for event in record["events"]:
            event["parent"] = "?"
    report(compare.compare(inside, run.stream))
    problems = run.stream.check(complete=False)
    check(not problems, "\n".join(problems))
    check(run.stream.summary["filtered"] > 0, "summary: nothing filtered")


def kind(ctx):
    for name in ("generator", "coroutine", "async_generator"):
        by_object(ctx, ("-k", name), lambda item, name=name: item["kind"] == name)
    by_object(ctx, ("-k", "coroutine,async_generator"), lambda item: item["kind"] != "generator")


def function(ctx):
    for glob in ("alpha", "alpha*", "Box.*", "?eta", "[ag]*a"):
        by_object(ctx, ("-f", glob), lambda item, glob=glob: fnmatch.fnmatchcase(item["qualname"], glob))


def file(ctx):
    by_object(ctx, ("-F", "*/cases_gen.py"), lambda item: item["file"].endswith("/cases_gen.py"))
    by_object(ctx, ("-F", "*mixture*"), lambda item: "mixture" in item["file"])


def combined(ctx):
    by_object(ctx, ("-k", "generator", "-f", "*a*", "-F", "*/mixture.py"),
              lambda item: item["kind"] == "generator" and "a" in item["qualname"] and
              item["file"].endswith("/mixture.py"))


def by_time(ctx, option, field, minimum, qualname, number, to):
    run = mixture(ctx, option, "15ms")
    short_ones = [event for event in run.stream.transitions if (event[field] or 0) < 15_000_000]
    check(not short_ones, f"got past {option}: {short_ones[:1]}")
    # those that the program makes last so long, and what kept it from running otherwise is none of them
    mine = [event for event in run.stream.transitions if event["qualname"] == qualname and event[field] >= minimum and
            short(event["to"]) == to]
    equal(f"{option}: events of {qualname}", number, len(mine))
    problems = run.stream.check(complete=False)
    check(not problems, "\n".join(problems))


def min_run(ctx):
    by_time(ctx, "--min-run", "run_ns", SLOW_NS, "slow_steps", SLOW_STEPS, "SUSPENDED")


def min_suspended(ctx):
    by_time(ctx, "--min-suspended", "suspended_ns", LONG_NS, "long_waits", LONG_WAITS, "RUNNING")


def spinning(ctx, *options):
    """The run, on a target that goes on and on."""
    host, _ = ctx.one.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(ctx.one, "spin.py") as target:
        pid = target.ready()
        target.say()
        with Tool(ctx.genscope, "trace", "-p", pid, "--json", "-o", out, *options) as tool:
            tool.attached()
            ended(tool, 60, "genscope")
        target.say()
        ended(target, 60, "the target")
    return Run(load_stream(out), host)


def duration(ctx):
    run = spinning(ctx, "-d", "1s")
    lasted = run.stream.summary["duration_ns"] / 1e9
    check(lasted >= 1, f"-d 1s took {lasted:.2f} s by its summary")
    problems = run.stream.check()
    check(not problems, "\n".join(problems))
    check(run.stream.transitions, "no transition in a second")


def max_events(ctx):
    for number in (1, 10, 1000):
        run = spinning(ctx, "-n", str(number))
        equal(f"-n {number}: transitions", number, len(run.stream.transitions))
        check(run.stream.summary is not None, "there is no summary line")


def two_targets(ctx):
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(ctx.one, "core.py", "mon", inside + "/a", "for_loop") as a, \
            Target(ctx.one, "core.py", "mon", inside + "/b", "next_calls") as b:
        pids = [a.ready(), b.ready()]
        with Tool(ctx.genscope, "trace", "-p", pids[0], "--pid", pids[1], "--json", "-o", out) as tool:
            tool.attached()
            a.say()
            ended(a, 60, "the first target")
            check(tool.child.poll() is None, "genscope ended with its first target")
            b.say()
            ended(b, 60, "the second target")
            ended(tool, 60, "genscope")
    run = Run(load_stream(out), host)
    records = run.truth("a")[0] + run.truth("b")[0]
    report(compare.compare(records, run.stream))
    run.must_be_sound()


def everything(ctx):
    """-a: the target is among all there is."""
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(ctx.one, "core.py", "mon", inside + "/truth", "for_loop") as target:
        target.ready()
        with Tool(ctx.genscope, "trace", "-a", "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            ended(target, 60, "the target")
            tool.signal(2)
            ended(tool, 60, "genscope after SIGINT")
    run = Run(load_stream(out), host)
    report(compare.compare(run.truth()[0], run.stream))


def cgroup(ctx):
    root = cgroups.hierarchy()
    check(root, "no cgroup2 hierarchy")
    with cgroups.made(root, "test") as group:
        in_cgroup(ctx, group)


def in_cgroup(ctx, group):
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(ctx.one, "core.py", "mon", inside + "/truth", "for_loop") as target, \
            Target(ctx.one, "core.py", "mon", inside + "/other", "next_calls") as other:
        pid, stranger = target.ready(), other.ready()
        cgroups.enter(group, pid)
        with Tool(ctx.genscope, "trace", "--cgroup", group, "--json", "-o", out) as tool:
            tool.attached()
            for process in (other, target):
                process.say()
                ended(process, 60, "the target")
            tool.signal(2)
            ended(tool, 60, "genscope")
    run = Run(load_stream(out), host)
    report(compare.compare(run.truth()[0], run.stream))
    check(not [event for event in run.stream.transitions if event["pid"] == stranger], "traced outside of the cgroup")
    run.must_be_sound()


def text(ctx):
    """Without --json: lines for people, with the names and states in them."""
    host, inside = ctx.one.scratch()
    out = os.path.join(host, "stream.txt")
    with Target(ctx.one, "core.py", "plain", inside + "/truth", "decorated_def", "await_chain_10") as target:
        pid = target.ready()
        with Tool(ctx.genscope, "trace", "-p", pid, "-o", out) as tool:
            tool.attached()
            target.say()
            ended(target, 60, "the target")
            ended(tool, 60, "genscope")
    with open(out, encoding="utf-8") as lines:
        shown = lines.read()
    for word in ("decorated", "chain", "GEN_SUSPENDED", "CORO_RUNNING"):
        check(word in shown or short(word) in shown, f"{word} is not in the text:\n{shown[:400]}")
    check("\x1b" not in shown, "colours in a file")


TESTS = {"kind": kind, "function": function, "file": file, "combined": combined, "min_run": min_run,
         "min_suspended": min_suspended, "duration": duration, "max_events": max_events, "two_targets": two_targets,
         "everything": everything, "cgroup": cgroup, "text": text}


def run(ctx):
    for name, test in TESTS.items():
        if ctx.wanted(f"{ctx.one.label} filters.{name}"):
            yield guard(ctx.one.label, f"filters.{name}", lambda: test(ctx))

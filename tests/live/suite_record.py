# SPDX-License-Identifier: MIT
"""record and report: beside a trace of the same process, cut, damaged, and on a disk that is full."""

import collections
import fnmatch
import json
import os
import re
import signal
import subprocess

import viewer
from harness import check, ended, equal, guard, load_stream
from procs import Target, Tool
from stream import Stream, short

TARGET = "loop.py"
WORKERS, ROWS, ROUNDS = 4, 3, 2  # loop.py
WORK = ROUNDS * WORKERS
# (run and self, suspended, start and lifetime) of each function
COUNTS = {"numbers": (WORK * (ROWS + 1), WORK * ROWS, WORK),
          "rows": (WORK * (ROWS + 1), WORK * ROWS, WORK),
          "leaf": (WORK * 2, WORK, WORK),
          "work": (WORK * (ROWS + 2), WORK * (ROWS + 1), WORK),
          "main": (ROUNDS + 1, ROUNDS, 1)}
HANG = 60  # seconds
OVER_NS, HELD_NS = 50_000_000, 80_000_000  # what is slow; how long blocking() holds its thread (recorded_slow.py)
FILES = "*/recorded_slow.py"
METRICS = {"run": 0, "self": 0, "suspended": 1, "start": 2, "lifetime": 2}
ROW = re.compile(r" *(\d+) .* (?:gen|coro|agen) +(\S+) +\S*loop\.py:\d+$")
COMPARED = ("seq", "kind", "name", "qualname", "file", "line", "from", "to", "via", "locals")


def report(ctx, path, *words):
    """(exit status, standard output, lines of standard error)"""
    done = subprocess.run([ctx.genscope, "report", *words, path], capture_output=True, text=True, timeout=HANG,
                          check=False)
    return done.returncode, done.stdout, done.stderr.splitlines()


def lines_of(ctx, path, *words):
    status, out, said = report(ctx, path, "--json", *words)
    check(status == 0 and not said, f"report ended with {status}: {said}")
    return Stream(out.splitlines())


def recorded(ctx, interp, *options, rounds=ROUNDS, beside=None):
    """The path of a recording of the target, and what its recorder said; `beside`: options of a trace of the same."""
    host, _ = interp.scratch()
    path = os.path.join(host, "run.rec")
    with Target(interp, TARGET, str(rounds)) as target:
        pid = target.ready()
        with Tool(ctx.genscope, "record", "-o", path, "-p", pid, *options) as tool:
            tool.attached()
            if beside is None:
                follow(target, tool)
            else:
                with Tool(ctx.genscope, "trace", "--json", "-o", path + ".jsonl", "-p", pid, *beside) as tracer:
                    tracer.attached()
                    follow(target, tool, tracer)
    return path, tool.stderr()


def follow(target, *tools):
    target.say()
    until_the_end(target, *tools)


def until_the_end(target, *tools):
    equal("the target's exit status", 0, target.finish(HANG))
    for tool in tools:
        status = tool.finish(HANG)
        check(status == 0, f"ended with {status}: {tool.tell()}")


def by_object(stream):
    """(address, which of those that had it) -> its transitions, and of their parents the address."""
    gens = {event["id"]: event["gen"] for event in stream.transitions}
    out, lives = {}, {}
    for events in stream.objects().values():
        gen = events[0]["gen"]
        lives[gen] = lives.get(gen, 0) + 1
        out[gen, lives[gen]] = [{**{name: event.get(name) for name in COMPARED}, "parent": gens.get(event["parent"])}
                                for event in events]
    return out


def same(ctx, interp):
    """What is reported later is what a trace of the same process showed at once, variables included."""
    path, _ = recorded(ctx, interp, "--locals", beside=("--locals",))
    told, shown = lines_of(ctx, path), load_stream(path + ".jsonl")
    for stream in (told, shown):
        problems = stream.check()
        check(not problems, "\n".join(problems))
    expected, got = by_object(shown), by_object(told)
    check(len(expected) > 5 * WORK, "hardly an object was seen: the test cannot fail")
    equal("objects", sorted(expected), sorted(got))
    for key, events in expected.items():
        for event, other in zip(events, got[key]):
            differing = {name: (event[name], other[name]) for name in event if event[name] != other[name]}
            check(not differing, f"{event['qualname']} {event['from']}→{event['to']}: traced and recorded {differing}")
        equal(f"transitions of {events[0]['qualname']}", len(events), len(got[key]))
    for name in ("captured", "lost", "sampled_out"):
        equal(f"locals: {name}", shown.summary["locals"][name], told.summary["locals"][name])
    check("hunter2" not in json.dumps(list(got.values())), "a password is shown")
    open_text = report(ctx, path, "--json", "--no-redact")[1]
    check("hunter2" in open_text, "--no-redact shows no password")


def tables(ctx, interp):
    """Counts of every metric are what the program does; the file is the owner's alone; a trace for Perfetto."""
    path, said = recorded(ctx, interp)
    equal("mode of the file", 0o600, os.stat(path).st_mode & 0o777)
    events = lines_of(ctx, path).summary["events"]
    check(f"genscope: {events} events of " in said and path in said, f"the recorder said: {said}")
    for metric, column in METRICS.items():
        status, out, errors = report(ctx, path, "--metric", metric, "-F", "*/loop.py", "--limit", "1000")
        check(status == 0 and not errors, f"report --metric {metric} ended with {status}: {errors}")
        counts = {match[2]: int(match[1]) for match in map(ROW.match, out.splitlines()) if match}
        counts = {name: count for name, count in counts.items() if "<" not in name}
        equal(f"counts of {metric}", {name: numbers[column] for name, numbers in COUNTS.items()}, counts)
    status, out, _ = report(ctx, path, "--perfetto", path + ".json")
    check(status == 0 and f"{events} events of " in out, f"report ended with {status}: {out[-300:]}")
    with open(path + ".json", encoding="utf-8") as file:
        bars = [event for event in json.load(file)["traceEvents"] if event["ph"] == "b"]
    equal("bars of work()", WORK, sum(bar["name"] == "work" for bar in bars))


def cut(ctx, interp):
    """Of a recording that is cut or damaged the beginning is shown; one line says what is wrong, and the status is 1."""
    path, _ = recorded(ctx, interp)
    whole = report(ctx, path, "--json")[1].splitlines()
    with open(path, "rb") as file:
        bytes_ = file.read()
    size, other, lengths = len(bytes_), path + ".cut", []
    for end in (0, 100, 300, size // 3, size // 2, size - 1200, size - 1):
        with open(other, "wb") as file:
            file.write(bytes_[:end])
        lengths.append(prefix(ctx, other, whole, f"cut at {end} of {size}"))
    with open(other, "wb") as file:
        file.write(bytes_[:size // 2] + bytes([bytes_[size // 2] ^ 1]) + bytes_[size // 2 + 1:])
    prefix(ctx, other, whole, "a bit flipped")
    check(lengths == sorted(lengths) and lengths[-1] == len(whole) - 1, f"lines shown: {lengths} of {len(whole)}")


def prefix(ctx, path, whole, what):
    """How many lines before the summary."""
    status, out, said = report(ctx, path, "--json")
    check(status == 1 and len(said) == 1 and said[0].startswith(f"genscope: {path}: it "),
          f"{what}: report ended with {status}: {said}")
    lines = out.splitlines()
    if not lines:
        return 0
    summary = json.loads(lines[-1])
    equal(f"{what}: the last line, and whether it closes", ("summary", False), (summary["type"], summary["closes"]))
    equal(f"{what}: events", len(lines) - 1, summary["events"])
    equal(f"{what}: what is shown", whole[:len(lines) - 1], lines[:-1])
    status, out, said = report(ctx, path)
    check(status == 1 and len(said) == 1 and "the recording is not whole: it " in out, f"{what}: as text: {out[-300:]}")
    return len(lines) - 1


def full(ctx, interp):
    """No room at the start, and no room after a while: one line and status 1, the target is not harmed."""
    with Target(interp, TARGET) as target:
        pid = target.ready()
        with Tool(ctx.genscope, "record", "-o", "/dev/full", "-p", pid) as tool:
            equal("status on /dev/full", 1, tool.finish(HANG))
        equal("what it said", ["genscope: /dev/full: No space left on device: nothing is recorded\n"], tool.err)
        target.say()
        equal("the target's exit status", 0, target.finish(HANG))
    host, _ = interp.scratch()
    path = os.path.join(host, "run.rec")
    with Target(interp, TARGET, "100") as target:
        pid = target.ready()
        with Tool("sh", "-c", 'ulimit -f 300; exec "$@"', "sh", ctx.genscope, "record", "-o", path, "-p", pid) as tool:
            tool.attached()
            target.say()
            equal("the target's exit status", 0, target.finish(HANG))
            equal("status without room", 1, tool.finish(HANG))
    said = [line for line in tool.err if not line.startswith("genscope: attached")]
    check(len(said) == 1 and said[0].startswith(f"genscope: {path}: File too large"), f"it said {said}")
    status, out, _ = report(ctx, path, "--json")
    check(status == 1 and len(out.splitlines()) > 100, f"report shows {len(out.splitlines())} lines, status {status}")


def filters(ctx, interp):
    """Filters of the recorder, its limit, and filters of the reader."""
    path, _ = recorded(ctx, interp, "-F", "*/loop.py", "-k", "coroutine")
    stream = lines_of(ctx, path)
    problems = stream.check(complete=False)
    check(not problems and stream.transitions, "\n".join(problems) or "nothing got through")
    wrong = [event for event in stream.transitions
             if not fnmatch.fnmatch(event["file"], "*/loop.py") or event["kind"] != "coroutine"]
    check(not wrong, f"got past the filter: {wrong[:1]}")
    births = sum(short(event["to"]) == "CREATED" and event["qualname"] == "work" for event in stream.transitions)
    equal("births of work()", WORK, births)
    few = lines_of(ctx, path, "-f", "leaf")
    equal("functions after -f leaf", {"leaf"}, {event["qualname"] for event in few.transitions})
    problems = few.check(complete=False)
    check(not problems, "\n".join(problems))
    path, _ = recorded(ctx, interp, "-n", "10")
    stream = lines_of(ctx, path)
    problems = stream.check(complete=False)
    check(not problems, "\n".join(problems))
    equal("-n 10: transitions", 10, len(stream.transitions))


def least_and_most(truth, over_ns):
    """(by function, how many of its steps surely were that long; how many may have been)"""
    return [collections.Counter(step[0] for step in truth["steps"] if step[which] >= over_ns) for which in (1, 2)]


def between(what, bounds, got):
    least, most = bounds
    check(least <= got <= most, f"{what}: {dict(got)}, surely {dict(least)}, at most {dict(most)}")


def slow(ctx, interp):
    """What `slow` would have told, out of a recording: --slow, and the markers of a trace."""
    rounds, host = 4, interp.scratch()[0]
    path, perfetto = os.path.join(host, "run.rec"), os.path.join(host, "trace.json")
    with Target(interp, "recorded_slow.py", str(rounds)) as target:
        pid = target.ready()
        with Tool(ctx.genscope, "record", "-o", path, "-p", pid) as tool:
            tool.attached()
            target.say("go\n")
            truth = json.loads(target.await_line(target.out_queue, "{", HANG))
            tool.signal(signal.SIGINT)
            ended(tool, HANG, "the recorder")
            target.say("end\n")
            until_the_end(target)
    status, out, said = report(ctx, path, "--slow", "--json", "-F", FILES, "--perfetto", perfetto)
    check(status == 0 and not said, f"report ended with {status}: {said}")
    lines = [json.loads(line) for line in out.splitlines()]
    steps = [line for line in lines if line["type"] == "slow"]
    bounds = least_and_most(truth, OVER_NS)
    equal("steps that are surely slow", {"blocking": 3}, bounds[0])
    between("slow steps", bounds, collections.Counter(line["qualname"] for line in steps))
    check(all(line["run_ns"] >= OVER_NS and not line["running"] for line in steps), f"{steps}")
    between("those of 80 ms", least_and_most(truth, HELD_NS),
            collections.Counter(line["qualname"] for line in steps if line["run_ns"] >= HELD_NS))
    forgotten = [line for line in lines if line["type"] == "never_awaited"]
    equal("never awaited", ["forgotten"] * rounds, [line["qualname"] for line in forgotten])
    equal("who made them", {"work"}, {line["created"]["qualname"] for line in forgotten})
    with open(perfetto, encoding="utf-8") as file:
        marks = [event for event in json.load(file)["traceEvents"] if event.get("name") == "slow step"]
    equal("markers in the trace", len(steps), len(marks))
    opens(perfetto, truth)


def opens(perfetto, truth):
    """chrome://tracing shows the steps that the program counted, nested as it nests them, and arrows from slice to slice."""
    model = viewer.opened(perfetto)
    equal("warnings", [], model["warnings"])
    equal("threads", 1, len(model["threads"]))
    slices = model["threads"][0]["slices"]
    steps = collections.Counter(one["title"] for one in slices)
    equal("steps", truth["run"], {name: steps[name] for name in truth["run"]})
    check(all(one["finished"] for one in slices + model["threads"][0]["objects"]), "something has no end")
    depths = {name: {one["depth"] for one in slices if one["title"] == name} for name in ("parent", "child", "blocking")}
    equal("depths", {"parent": {0}, "child": {1}, "blocking": {0}}, depths)
    long = collections.Counter(one["title"] for one in slices if one["ms"] * 1e6 >= HELD_NS and one["title"] in truth["run"])
    between("slices of 80 ms", least_and_most(truth, HELD_NS), long)
    broken = [arrow for arrow in model["arrows"] if None in (arrow["from"], arrow["to"])]
    check(model["arrows"] and not broken, f"{len(broken)} of {len(model['arrows'])} arrows hang in the air: {broken[:3]}")
    awaits = collections.Counter(arrow["from"] for arrow in model["arrows"] if arrow["title"] == "await")
    equal("from an object's wait to where it goes on", awaits, collections.Counter(
        arrow["to"] for arrow in model["arrows"] if arrow["title"] == "await"))


TESTS = {"same": same, "tables": tables, "cut": cut, "slow": slow}
ONCE = {"full": full, "filters": filters}


def run(ctx, interp):
    for name, test in {**TESTS, **(ONCE if interp is ctx.one else {})}.items():
        if ctx.wanted(f"{interp.label} record.{name}"):
            yield guard(interp.label, f"record.{name}", lambda test=test: test(ctx, interp))

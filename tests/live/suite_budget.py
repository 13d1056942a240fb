# SPDX-License-Identifier: MIT
"""--max-overhead: probes come and go, and what is told in between is true."""

import json
import os

from harness import check, ended, equal, guard, load_lines, load_stream
from procs import Target, Tool

SECONDS = 4       # of the target's processor time
PERCENT = 5       # a second's share is 50 ms of hits: spent at once, earned in a second
CYCLES = 2        # at least so many times do probes come back
BLOCKS = 30
LONGEST_NS = 2_000_000_000  # no step of hotsteps.py takes so long, all of its run does
EXCHANGE_NS = 500_000_000  # more than an exchange of probes takes: what runs meanwhile is not seen


def duties(path):
    return [line["probes"] for line in load_lines(path) if line["type"] == "duty"]


def is_continuous(transitions):
    """Each object's states follow one another: nothing is told of an object across a gap."""
    last = {}
    for event in transitions:
        before = last.get(event["id"])
        if before:
            equal(f"object {event['id']}: from", before["to"], event["from"])
            equal(f"object {event['id']}: seq", before["seq"] + 1, event["seq"])
        last[event["id"]] = event
    return last


def hot(ctx, interp):
    host, _ = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(interp, "hot.py", SECONDS) as target:
        pid = target.ready()
        with Tool(ctx.genscope, "trace", "-p", pid, "--max-overhead", PERCENT, "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            ended(target, 120, "the target")
            ended(tool, 60, "genscope")
        rounds, wrong = (int(word) for word in target.out[-1].split()[1:])
    check(rounds > 0 and wrong == 0, f"the target counted wrong: {target.out[-1]}")
    stream, turns = load_stream(out), duties(out)
    summary = stream.summary
    equal("probes off, on, off …", [bool(i % 2) for i in range(len(turns))], turns)
    check(turns.count(True) >= CYCLES, f"probes came back {turns.count(True)} times")
    check(0 < summary["duty_ratio"] < 0.5, f"duty_ratio {summary['duty_ratio']}")
    equal("anomalies", 0, summary["anomalies"])
    equal("closes", True, summary["closes"])
    check(is_continuous(stream.transitions), "nothing was told at all")
    seen = {event["qualname"] for event in stream.transitions}
    check({"numbers", "inner", "outer"} <= seen, f"told of {seen} only")


def cold(ctx, interp):
    """Within its limit nothing comes off."""
    host, _ = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(interp, "seeds.py", "/dev/null") as target:
        pid = target.ready()
        with Tool(ctx.genscope, "trace", "-p", pid, "--max-overhead", "100%", "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            target.ready()
            tool.signal(2)
            ended(tool, 30, "genscope after SIGINT")
    equal("changes of duty", [], duties(out))
    equal("duty_ratio", 1, load_stream(out).summary["duty_ratio"])


def blocked(ctx, interp):
    """slow: over its budget it goes on with the probes of outermost steps, and none that blocks the loop is missed."""
    host, inside = interp.scratch()
    out = os.path.join(host, "slow.jsonl")
    with Target(interp, "hotsteps.py", inside + "/truth", BLOCKS) as target:
        pid = target.ready()
        with Tool(ctx.genscope, "slow", "-p", pid, "--over", "60ms", "--max-overhead", PERCENT, "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            ended(target, 120, "the target")
            ended(tool, 60, "genscope")
    with open(host + "/truth", encoding="utf-8") as file:
        blocks = json.load(file)
    lines = load_lines(out)
    summary = lines[-1]
    equal("anomalies", 0, summary["anomalies"])
    equal("closes", True, summary["closes"])
    check(summary["outermost_ratio"] > 0.3, f"outermost steps were watched {summary['outermost_ratio']} of the time")
    switches = [line["ts_ns"] for line in lines if line["type"] == "duty"]
    steps = [line for line in lines if line["type"] == "slow" and not line["running"]]
    # what was found running when probes came back is not said to have run since the run began
    long = [line for line in lines if line["type"] == "slow" and line["run_ns"] > LONGEST_NS]
    equal("steps said to take seconds", [], long)
    told = []
    for begin, end in blocks:
        if not is_watched(lines, begin) or any(begin - EXCHANGE_NS < at < end + EXCHANGE_NS for at in switches):
            continue
        here = [line for line in steps if line["begin_ns"] <= begin and end <= line["ts_ns"]]
        equal(f"steps told of the time from {begin} to {end}", 1, len(here))
        told.append([place["qualname"] for place in here[0]["chain"]])
    check(len(told) >= BLOCKS // 3, f"only {len(told)} of {BLOCKS} could be compared: {switches}")
    # out of memory, a moment after the step's end: long before the pause is over, but for a machine that stands still
    check(told.count(["main", "sleep"]) >= len(told) * 2 // 3, f"chains: {told}")


def is_watched(lines, ts_ns):
    """Are there probes then?"""
    before = [line for line in lines if line["type"] == "duty" and line["ts_ns"] <= ts_ns]
    return not before or before[-1]["probes"]


def usage(ctx, interp):
    for word in ("0", "-1", "101", "x", "1x", "nan", ""):
        with Tool(ctx.genscope, "trace", f"--max-overhead={word}", "-p", "1") as tool:
            ended(tool, 10, f"--max-overhead={word}", 2)
            equal("lines", 1, len(tool.err))
            check("--max-overhead" in tool.err[0], tool.err[0])


TESTS = {"hot": hot, "cold": cold, "blocked": blocked}


def run(ctx, interp):
    tests = dict(TESTS) if interp is ctx.fastest(interp.version) else {}
    if interp.version == "3.11":
        tests.pop("blocked", None)  # there each await passes through C: it has no cheaper probes
    if interp is ctx.one:
        tests["usage"] = usage
    for name, test in tests.items():
        if ctx.wanted(f"{interp.label} budget.{name}"):
            yield guard(interp.label, f"budget.{name}", lambda: test(ctx, interp))

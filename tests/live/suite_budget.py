# SPDX-License-Identifier: MIT
"""--max-overhead: probes come and go, and what is told in between is true."""

import bisect
import json
import os

from harness import check, ended, equal, guard, lines_so_far, load_lines, load_stream, until
from procs import Target, Tool

PERCENT = 5       # a second's share is 50 ms of hits: spent at once, earned in a second
CYCLES = 2        # at least so many times do probes come back
FEW = "for_loop", "await_chain_10"
FEW_HITS = 10_000  # half a second's share at 50 us each, many times what a trap costs
AFTER_NS = 10_000_000  # from the last look at the clock to the end of the step
BLOCKS = 30       # at least so many times does the target hold its loop, unseen ones not counted


def duties(path):
    return [line["probes"] for line in load_lines(path) if line["type"] == "duty"]


def is_continuous(stream):
    """Each object's states follow one another: nothing is told of an object across a gap."""
    last = {}
    for event in stream.transitions:
        before = last.get(event["id"])
        if before and not stream.lost:
            equal(f"object {event['id']}: from", before["to"], event["from"])
            equal(f"object {event['id']}: seq", before["seq"] + 1, event["seq"])
        last[event["id"]] = event
    return last


def watched_share(log, lines):
    """Part of the target's processor time in which it had probes; log: of hot.py."""
    changes = [[line["ts_ns"], line["probes"]] for line in lines if line["type"] == "duty"]
    times = [at for at, _ in changes]
    used = {True: 0, False: 0}
    for (begin, before), (end, after) in zip(log, log[1:]):
        index = bisect.bisect(times, (begin + end) // 2)
        used[changes[index - 1][1] if index else True] += after - before
    return used[True] / (used[True] + used[False])


def hot(ctx, interp):
    host, inside = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(interp, "hot.py", inside + "/log") as target:
        pid = target.ready()
        with Tool(ctx.genscope, "trace", "-p", pid, "--max-overhead", PERCENT, "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            until("probes to come back", lambda: sum(b'"probes":true' in line for line in lines_so_far(out)) >= CYCLES)
            target.say()
            ended(target, 120, "the target")
            ended(tool, 60, "genscope")
        rounds, wrong = (int(word) for word in target.out[-1].split()[1:])
    check(rounds > 0 and wrong == 0, f"the target counted wrong: {target.out[-1]}")
    stream, turns = load_stream(out), duties(out)
    summary = stream.summary
    equal("probes off, on, off …", [bool(i % 2) for i in range(len(turns))], turns)
    check(0 < summary["duty_ratio"] < 1, f"duty_ratio {summary['duty_ratio']}")
    with open(host + "/log", encoding="utf-8") as file:
        share = watched_share(json.load(file), load_lines(out))
    check(0 < share < 0.5, f"{share} of the target's work was watched")
    equal("anomalies", 0, summary["anomalies"])
    equal("closes", True, summary["closes"])
    check(is_continuous(stream), "nothing was told at all")
    seen = {event["qualname"] for event in stream.transitions}
    check({"numbers", "inner", "outer"} <= seen, f"told of {seen} only")


def cold(ctx, interp):
    """Within its limit nothing comes off."""
    host, inside = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(interp, "core.py", "plain", inside + "/truth", *FEW) as target:
        pid = target.ready()
        with Tool(ctx.genscope, "trace", "-p", pid, "--max-overhead", "50%", "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            ended(target, 60, "the target")
            ended(tool, 60, "genscope")
    equal("changes of duty", [], duties(out))
    stream = load_stream(out)
    equal("duty_ratio", 1, stream.summary["duty_ratio"])
    check(0 < stream.summary["hits"] < FEW_HITS, f"{stream.summary['hits']} hits: too many to be sure of the account")


def blocked(ctx, interp):
    """slow: over its budget it goes on with the probes of outermost steps, and none that blocks the loop is missed."""
    host, inside = interp.scratch()
    out = os.path.join(host, "slow.jsonl")
    with Target(interp, "hotsteps.py", inside + "/truth") as target:
        pid = target.ready()
        with Tool(ctx.genscope, "slow", "-p", pid, "--over", "60ms", "--max-overhead", PERCENT, "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            until("steps that blocked", lambda: sum(b'"type":"slow"' in line and b'"running":false' in line
                                                    for line in lines_so_far(out)) >= BLOCKS)
            target.say()
            ended(target, 120, "the target")
            ended(tool, 60, "genscope")
    with open(host + "/truth", encoding="utf-8") as file:
        started, blocks = json.load(file)
    lines = load_lines(out)
    summary = lines[-1]
    equal("anomalies", 0, summary["anomalies"])
    equal("closes", True, summary["closes"])
    check(summary["outermost_ratio"] > 0, "there was no time at all in which outermost steps alone were watched")
    # what was found running when probes came back is not said to have run since the run began
    equal("steps from before there were any", [],
          [line for line in lines if line["type"] == "slow" and line["begin_ns"] < started])
    chains = compared(lines, blocks)
    check(len(chains) >= BLOCKS // 3, f"only {len(chains)} of {len(blocks)} could be compared: {lines[-1]}")
    # out of memory, a moment after the step's end: long before the pause is over, but for a machine that stands still
    check(chains.count(["main", "sleep"]) >= len(chains) * 2 // 3, f"chains: {chains}")


def compared(lines, blocks):
    """The chains told of the blocks that lie in no exchange of probes; each must be told once while there are some."""
    exchanges = [(line["ts_ns"] - line["took_ns"], line["ts_ns"]) for line in lines if line["type"] == "duty"]
    steps = [line for line in lines if line["type"] == "slow" and not line["running"]]
    chains = []
    for begin, end in blocks:
        if not is_watched(lines, begin) or any(begin < till and since < end + AFTER_NS for since, till in exchanges):
            continue
        here = [line for line in steps if line["begin_ns"] <= begin and end <= line["ts_ns"]]
        equal(f"steps told of the time from {begin} to {end}", 1, len(here))
        chains.append([place["qualname"] for place in here[0]["chain"]])
    return chains


def is_watched(lines, ts_ns):
    """Are there probes then?"""
    before = [line for line in lines if line["type"] == "duty" and line["ts_ns"] <= ts_ns]
    return not before or before[-1]["probes"]


def usage(ctx, interp):
    for word in ("0", "-1", "101", "x", "1x", "nan", ""):
        with Tool(ctx.genscope, "trace", f"--max-overhead={word}", "-p", "1") as tool:
            ended(tool, 60, f"--max-overhead={word}", 2)
            equal("lines", 1, len(tool.err))
            check("--max-overhead" in tool.err[0], tool.err[0])


TESTS = {"hot": hot, "cold": cold, "blocked": blocked}


def run(ctx, interp):
    tests = dict(TESTS)
    if interp.version == "3.11":
        tests.pop("blocked", None)  # there each await passes through C: it has no cheaper probes
    if interp is ctx.one:
        tests["usage"] = usage
    for name, test in tests.items():
        if ctx.wanted(f"{interp.label} budget.{name}"):
            yield guard(interp.label, f"budget.{name}", lambda: test(ctx, interp))

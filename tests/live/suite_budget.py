# SPDX-License-Identifier: MIT
"""--max-overhead: probes come and go, and what is told in between is true."""

import json
import os

from harness import check, ended, equal, guard, load_stream
from procs import Target, Tool

SECONDS = 4       # of the target's processor time
PERCENT = 5       # a second's share is 50 ms of hits: spent at once, earned in a second
CYCLES = 2        # at least so many times do probes come back


def duties(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line)["probes"] for line in file if line.startswith('{"type":"duty"')]


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


def usage(ctx, interp):
    for word in ("0", "-1", "101", "x", "1x", "nan", ""):
        with Tool(ctx.genscope, "trace", f"--max-overhead={word}", "-p", "1") as tool:
            ended(tool, 10, f"--max-overhead={word}", 2)
            equal("lines", 1, len(tool.err))
            check("--max-overhead" in tool.err[0], tool.err[0])


TESTS = {"hot": hot, "cold": cold}


def run(ctx, interp):
    tests = dict(TESTS) if interp is ctx.fastest(interp.version) else {}
    if interp is ctx.one:
        tests["usage"] = usage
    for name, test in tests.items():
        if ctx.wanted(f"{interp.label} budget.{name}"):
            yield guard(interp.label, f"budget.{name}", lambda: test(ctx, interp))

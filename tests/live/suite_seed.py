# SPDX-License-Identifier: MIT
"""Objects older than the run: known from the start, and the state map agrees with memory at the end."""

import json
import os

from harness import check, ended, equal, guard, load_stream
from procs import Target, Tool


def run_target(ctx, interp, *options):
    host, inside = interp.scratch()
    out = os.path.join(host, "stream.jsonl")
    with Target(interp, "seeds.py", inside + "/truth") as target:
        pid = target.ready()
        with open(os.path.join(host, "truth"), encoding="utf-8") as file:
            truth = json.load(file)
        with Tool(ctx.genscope, "trace", "-v", *(options or ("-p", pid)), "--json", "-o", out) as tool:
            tool.attached()
            target.say()
            tool.seeded()  # while objects come and go
            target.say()
            target.ready()
            tool.signal(2)
            ended(tool, 60, "genscope after SIGINT")
        target.say()
        ended(target, 60, "the target")
    return truth, load_stream(out)


def of(events, group, truth):
    """The events of each object of a group, up to the end of its life."""
    found = {address: [] for address, _ in truth[group]}
    freed = set()
    for event in events:
        address = int(event["gen"], 16)
        if address in found and address not in freed:
            found[address].append(event)
            if event["to"] is None:
                freed.add(address)
    return found


def known(ctx, interp):
    truth, stream = run_target(ctx, interp)
    for group in ("created", "busy"):
        for (address, state), events in zip(truth[group], of(stream.transitions, group, truth).values()):
            check(events, f"{group} {address:#x}: nothing was told of it")
            equal(f"{group} {address:#x}: what it was", state, events[0]["from"])
            equal(f"{group} {address:#x}: the first seq", 1, events[0]["seq"])
            equal(f"{group} {address:#x}: the function", "count", events[0]["qualname"])
    # closed before the run, never touched in it: that they were there is known from memory alone
    for address, events in of(stream.transitions, "closed", truth).items():
        equal(f"closed {address:#x}", [("GEN_CLOSED", None, "free", "count")],
              [(e["from"], e["to"], e["via"], e["qualname"]) for e in events])
    for group in ("suspended", "coroutine"):
        for address, events in of(stream.transitions, group, truth).items():
            check(not events, f"{group} {address:#x} was not touched, but told of: {events[:1]}")
    agrees(truth, stream)


def agrees(truth, stream):
    summary, total = stream.summary, sum(len(group) for group in truth.values())
    problems = stream.check()
    check(not problems, "\n".join(problems[:4]))
    equal("anomalies", 0, summary["anomalies"])
    # whoever changed before it was read is known from a hit: at most those that changed
    quiet = total - len(truth["busy"])
    check(summary["seeded"] >= quiet, f"{summary['seeded']} seeded of at least {quiet}")
    check(summary["reconciled"] >= total - len(truth["closed"]),
          f"{summary['reconciled']} compared of at least {total - len(truth['closed'])}")
    equal("objects on which map and memory disagree", 0, summary["disagreements"])


def by_exe(ctx, interp):
    truth, stream = run_target(ctx, interp, "-x", interp.exe)
    agrees(truth, stream)


TESTS = {"known": known, "exe": by_exe}


def run(ctx, interp):
    for name, test in TESTS.items():
        if ctx.wanted(f"{interp.label} seed.{name}"):
            yield guard(interp.label, f"seed.{name}", lambda: test(ctx, interp))

# SPDX-License-Identifier: MIT
"""Does the comparison catch what it must? A perfect stream must pass, each mutation of it must fail.

The truth is a real one: some cases run under the interpreter that runs this.
"""

import json
import os
import random
import subprocess
import sys
import tempfile

import compare
from harness import Failure, check, guard
from interps import TARGETS
from stream import TIMES, Stream, counts, short
from synth import perfect

CASES = ("nested_for", "next_calls", "send_calls", "throw_handled", "throw_unhandled", "close_finally",
         "close_ignored", "genexpr", "yield_from_chain", "yield_from_throw", "yield_from_throw_mended",
         "yield_from_throw_returns", "yield_from_close_finally", "decorated_def", "raise_later")
TRIES = 60


def real_truth():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "truth")
        subprocess.run([sys.executable, "-B", os.path.join(TARGETS, "core.py"), "mon", path, *CASES], input="go\n",
                       text=True, check=True, capture_output=True, timeout=60)
        return compare.load_truth(path)[0]


def verdict(records, lines, truth=None):
    """All problems the tests would report, as one text."""
    stream = Stream(lines)
    bad = next(stream.bad_fields(), None)
    if bad:
        return bad
    problems = stream.check()
    for texts in compare.compare(records, stream, truth).values():
        problems += texts
    return "\n".join(problems)


# Mutations of one transition: each gets the events and an index, and returns the mutated events, or None if the
# mutation means nothing there.

def dropped(events, at):
    """A missing line, the summary and seq adjusted to hide it."""
    last = at + 1 == len(events) or events[at + 1]["id"] != events[at]["id"]
    del events[at]
    return None if last else events


def dropped_object(events, at):
    gone = events[at]["id"]
    return [event for event in events if event["id"] != gone]


def doubled(events, at):
    return events[:at] + [dict(events[at])] + events[at:]


def swapped(events, at):
    if at + 1 == len(events) or events[at]["id"] != events[at + 1]["id"]:
        return None
    events[at], events[at + 1] = events[at + 1], events[at]
    return events


def wrong_via(events, at):
    other = {"next": "send", "send": "next", "throw": "close", "close": "raise", "yield": "await", "for": "next",
             "yield_from": "await", "return": "raise", "raise": "return", "create": "next", "free": "close"}
    via = other.get(events[at]["via"])
    return edited(events, at, "via", via) if via and not events[at]["flip"] else None


def wrong_line(events, at):
    direct = short(events[at]["from"]) != "RUNNING" and short(events[at]["to"]) == "CLOSED"
    return None if direct else edited(events, at, "line", (events[at]["line"] or 0) + 1)


def wrong_tid(events, at):
    # After the finaliser has run Python code, the thread of the end is not compared.
    unclear = events[at]["flip"] or events[at]["tid"] == 1
    return None if unclear else edited(events, at, "tid", events[at]["tid"] + 1)


def wrong_parent(events, at):
    # Not compared on a throw or close (delegation hides the driver), nor on leaving.
    unclear = short(events[at]["to"]) != "RUNNING" or events[at]["via"] in compare.FLIP
    return None if unclear else edited(events, at, "parent", (events[at]["parent"] or 0) + 1000)


def wrong_from(events, at):
    return edited(events, at, "from", "GEN_CLOSED" if events[at]["from"] != "GEN_CLOSED" else "GEN_CREATED")


def wrong_to(events, at):
    return edited(events, at, "to", "GEN_CREATED" if events[at]["to"] != "GEN_CREATED" else "GEN_RUNNING")


def wrong_kind(events, at):
    return edited(events, at, "kind", "coroutine")


def wrong_name(events, at):
    return edited(events, at, "name", "somebody") if events[at]["seq"] == 1 else None


def wrong_qualname(events, at):
    return edited(events, at, "qualname", "some.body") if events[at]["seq"] == 1 else None


def wrong_pid(events, at):
    return edited(events, at, "pid", 1)


def wrong_gen(events, at):
    return edited(events, at, "gen", "0x10")


def seq_gap(events, at):
    gone = events[at]["id"]
    if events[at]["seq"] == 1:
        return None
    return [{**e, "seq": e["seq"] + 1} if i >= at and e["id"] == gone else e for i, e in enumerate(events)]


def seq_again(events, at):
    return edited(events, at, "seq", events[at]["seq"] - 1) if events[at]["seq"] > 1 else None


def time_backwards(events, at):
    return edited(events, at, "ts_ns", 1) if events[at]["seq"] > 1 else None


def no_times(events, at):
    name = TIMES.get(short(events[at]["from"]))
    return edited(events, at, name, None) if name else None


def long_times(events, at):
    name = TIMES.get(short(events[at]["from"]))
    return edited(events, at, name, 10 ** 12) if name else None


def two_ids(events, at):
    other = next((event["id"] for event in events if event["id"] != events[at]["id"]), None)
    return edited(events, at, "id", other) if other else None


def missing_field(events, at):
    del events[at]["parent"]
    return events


def edited(events, at, name, value):
    events[at] = {**events[at], name: value}
    return events


EVENT_MUTATIONS = (dropped, dropped_object, doubled, swapped, wrong_via, wrong_line, wrong_tid, wrong_parent,
                   wrong_from, wrong_to, wrong_kind, wrong_name, wrong_qualname, wrong_pid, wrong_gen, seq_gap,
                   seq_again, time_backwards, no_times, long_times, two_ids, missing_field)
# With the truth of another run, tids are not compared.
NOT_OTHER_RUN = (wrong_tid,)


def renumber(events):
    """Hide what seq and the summary would give away."""
    seqs = {}
    for index, event in enumerate(events):
        seqs[event["id"]] = seqs.get(event["id"], 0) + 1
        events[index] = {**event, "seq": seqs[event["id"]]}
    return events


def lines_of(events, summary):
    total = len(events)
    return [json.dumps(e) for e in events] + [json.dumps({**summary, "events": total, "hits": total + 3})]


def try_mutation(mutation, records, lines, truth):
    rng = random.Random(mutation.__name__)
    parsed = [json.loads(line) for line in lines]
    events, summary = parsed[:-1], parsed[-1]
    tried = 0
    for _ in range(TRIES):
        at = rng.randrange(len(events))
        mutated = mutation([dict(event) for event in events], at)
        if mutated is None:
            continue
        if mutation in (dropped, swapped, doubled):
            mutated = renumber(mutated)
        tried += 1
        if not verdict(records, lines_of(mutated, summary), truth):
            raise Failure(f"not caught at {at}: {events[at]}")
    check(tried > 0, "never applied")


# Mutations of the rest of the stream.

def with_summary(lines, **changes):
    return lines[:-1] + [json.dumps({**json.loads(lines[-1]), **changes})]


STREAM_MUTATIONS = {
    "summary_missing": lambda lines: lines[:-1],
    "summary_early": lambda lines: [lines[-1], *lines[:-1]],
    "summary_arithmetic": lambda lines: with_summary(lines, hits=7),
    "summary_anomalies": lambda lines: with_summary(lines, anomalies=1),
    "summary_coverage": lambda lines: with_summary(lines, coverage="partial"),
    "summary_field": lambda lines: with_summary(lines, causes=None),
    "summary_lost": lambda lines: with_summary(lines, hits=len(lines) + 3, lost={"ring": 1}),
    "summary_filtered": lambda lines: with_summary(lines, hits=len(lines) + 3, filtered=1),
    "summary_events": lambda lines: with_summary(lines, events=len(lines) - 2, hits=len(lines) + 1),
    "lost_line": lambda lines: ['{"type": "lost", "where": "ring", "count": 1}', *lines],
    "broken_json": lambda lines: [lines[0][:-2], *lines],
    "unknown_type": lambda lines: ['{"type": "wonder"}', *lines],
    "empty": lambda lines: [],
}


def counting(lines):
    """The counts a program expects of one of its functions: right ones pass, each wrong one is caught."""
    stream = Stream(lines)
    mine = [event for event in stream.transitions if event["qualname"] == "count"]
    right = {"qualname": "count", "pid": mine[0]["pid"], **counts(mine)}
    problems = list(compare.counted([right], stream))
    check(not problems, "\n".join(problems))
    for name in counts(mine):
        wrong = {**right, name: right[name] + 1}
        check(list(compare.counted([wrong], stream)), f"a wrong number of {name} is not caught")
    stream.transitions.remove(next(event for event in mine if short(event["to"]) == "SUSPENDED"))
    check(list(compare.counted([{"qualname": "count", "pid": right["pid"]}], stream)), "no conservation")


def results():
    records = real_truth()
    lines = perfect(records)
    by_key = {(r["case"], r["key"]): r for r in records}
    bare = [{**r, "events": [], "freed": False} for r in records]

    def passes(chosen, truth):
        text = verdict(chosen, lines, truth)
        check(not text, text)

    def must_fail(mutate):
        check(verdict(records, mutate(list(lines))), "not caught")

    yield guard("self", "perfect", lambda: passes(records, None))
    yield guard("self", "perfect_other_run", lambda: passes(bare, by_key))
    yield guard("self", "counting", lambda: counting(lines))
    for mutation in EVENT_MUTATIONS:
        yield guard("self", mutation.__name__, lambda: try_mutation(mutation, records, lines, None))
        if mutation not in NOT_OTHER_RUN:
            yield guard("self", mutation.__name__ + "_other_run", lambda: try_mutation(mutation, bare, lines, by_key))
    for name, mutate in STREAM_MUTATIONS.items():
        yield guard("self", name, lambda: must_fail(mutate))

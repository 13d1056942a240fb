# SPDX-License-Identifier: MIT
"""A `genscope trace --json` stream: parsing, and what must hold in every one of them."""

import functools
import itertools
import json
from collections import Counter
from operator import itemgetter

INTO = {"next", "send", "throw", "close", "await", "for", "yield_from", "anext", "asend", "athrow", "aclose",
        "finalize"}
SUSPENDS = {"generator": "yield", "coroutine": "await", "async_generator": "yield"}
PREFIX = {"generator": "GEN_", "coroutine": "CORO_", "async_generator": "AGEN_"}
LEGAL = {(None, "CREATED"): {"create"},
         ("CREATED", "RUNNING"): INTO, ("SUSPENDED", "RUNNING"): INTO,
         ("RUNNING", "SUSPENDED"): {"yield", "await"},
         ("RUNNING", "CLOSED"): {"return", "raise", "close"},
         ("CREATED", "CLOSED"): {"close", "finalize"}, ("SUSPENDED", "CLOSED"): {"close", "finalize"},
         ("CLOSED", None): {"free"}}
TIMES = {"RUNNING": "run_ns", "SUSPENDED": "suspended_ns"}
CONTEXT = ("gc", "import", "audit")
FIELDS = {"ts_ns": int, "time": str, "pid": int, "tid": int, "gen": str, "id": int, "seq": int, "kind": str,
          "name": str, "qualname": str, "file": str, "via": str}
OPTIONAL = ("line", "from", "to", "run_ns", "suspended_ns", "parent")
COUNTS = ("hits", "events", "filtered", "causes", "redundant", "strangers", "anomalies", "stepped_hits", "objects",
          "duration_ns")
MAX_PROBLEMS = 8
CHUNK = 1000  # lines parsed by one call, which makes each key once and not once a line

NEEDED, NEEDED_TYPES = itemgetter(*FIELDS), tuple(FIELDS.values())
CHOICES = itemgetter(*OPTIONAL)
CHOICES_TYPES = tuple((str, type(None)) if name in ("from", "to") else (int, type(None)) for name in OPTIONAL)


def parsed(lines):
    """Their records; None for each where one of them is not what it should be, which its own parse will then tell."""
    try:
        records = json.loads("[" + ",\n".join(lines) + "]")  # a raw line feed is in no JSON string
    except ValueError:
        records = []
    return records if len(records) == len(lines) else [None] * len(lines)


@functools.cache
def short(state):
    """GEN_RUNNING -> RUNNING"""
    return None if state is None else state.split("_", 1)[-1]


def show(event):
    return (f"{short(event['from']) or '-'}→{short(event['to']) or '-'} via {event['via']} line {event.get('line')}")


def plain(event):
    """All fields are there and have their types: what nearly every event is, found out fast."""
    try:
        return tuple(map(type, NEEDED(event))) == NEEDED_TYPES and all(map(isinstance, CHOICES(event), CHOICES_TYPES))
    except KeyError:
        return False


class Stream:
    def __init__(self, lines):
        self.transitions, self.context, self.lost, self.summary = [], [], [], None
        self.problems, self.after_summary = [], 0
        number, lines = 1, iter(lines)
        while chunk := list(itertools.islice(lines, CHUNK)):
            for record, line in zip(parsed(chunk), chunk):
                self.take(number, line, record)
                number += 1

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as lines:
            return cls(lines)

    def take(self, number, line, record):
        try:
            record = json.loads(line) if record is None else record
            kind = record["type"]
        except (ValueError, KeyError, TypeError) as error:
            self.problems.append(f"line {number} is not a JSON object with a type ({error}): {line[:120]!r}")
            return
        self.after_summary += self.summary is not None
        if kind == "transition":
            self.transitions.append(record)
        elif kind in CONTEXT:
            self.context.append(record)
        elif kind == "lost":
            self.lost.append(record)
        elif kind == "summary":
            self.summary = record
        else:
            self.problems.append(f"line {number} has the unknown type {kind!r}")

    def objects(self):
        """id -> its transitions, in the order of the stream."""
        out = {}
        for event in self.transitions:
            out.setdefault(event.get("id"), []).append(event)
        return out

    def check(self, complete=True, coverage="full"):
        """Everything that must hold of any stream; `complete` is false where a filter or limit leaves lines out."""
        problems = list(self.problems)
        problems += [f"field {text}" for text in self.bad_fields()]
        if not problems:
            for key, events in self.objects().items():
                problems += check_object(key, events, complete)
        problems += self.check_summary(complete, coverage)
        extra = len(problems) - MAX_PROBLEMS
        return problems[:MAX_PROBLEMS] + ([f"… and {extra} more"] if extra > 0 else [])

    def bad_fields(self):
        for event in itertools.filterfalse(plain, self.transitions):
            for name, kind in FIELDS.items():
                if not isinstance(event.get(name), kind):
                    yield f"{name!r} is {event.get(name)!r} in {event}"
                    return
            for name in OPTIONAL:
                if name not in event:
                    yield f"{name!r} is missing in {event}"
                    return
                if name not in ("from", "to") and not isinstance(event[name], (int, type(None))):
                    yield f"{name!r} is {event[name]!r} in {event}"
                    return

    def check_summary(self, complete, coverage):
        s = self.summary
        if s is None:
            return ["there is no summary line"]
        if self.after_summary:
            return ["the summary is not the last line"]
        bad = [f"summary: {name!r} is {s.get(name)!r}" for name in COUNTS if not isinstance(s.get(name), int)]
        if not isinstance(s.get("lost"), dict):
            bad.append(f"summary: lost is {s.get('lost')!r}")
        if bad:
            return bad
        lost = sum(s["lost"].values())
        total = s["events"] + s["filtered"] + s["causes"] + s["redundant"] + s["strangers"] + lost
        if s["hits"] != total:
            bad.append(f"arithmetic: hits {s['hits']} != events {s['events']} + filtered {s['filtered']} + causes "
                       f"{s['causes']} + redundant {s['redundant']} + strangers {s['strangers']} + lost {lost}")
        if s["anomalies"]:
            bad.append(f"summary: {s['anomalies']} anomalies")
        if lost or self.lost:
            bad.append(f"summary: lost {s['lost']}, {len(self.lost)} lost lines")
        if not str(s.get("coverage")).startswith(coverage):
            bad.append(f"summary: coverage {s.get('coverage')!r}")
        written = len(self.transitions) + len(self.context)
        if written != s["events"]:
            bad.append(f"summary: events {s['events']}, but {written} lines in the stream")
        if complete and s["filtered"]:
            bad.append(f"summary: {s['filtered']} filtered without a filter")
        return bad


def check_object(key, events, complete):
    """Legal states, unbroken seq, times: of one object."""
    first, problems = events[0], []
    label = f"id {key} {first['gen']} {first['qualname']}"
    if not isinstance(key, int):
        return [f"{label}: the id is no number"]
    previous = None
    for index, event in enumerate(events):
        problems += [f"{label} event {index} ({show(event)}): {text}"
                     for text in check_event(previous, event, complete)]
        previous = event
    return problems[:2]


def check_event(previous, event, complete):
    prefix = PREFIX.get(event["kind"], "?")
    for state in (event["from"], event["to"]):
        if state is not None and not state.startswith(prefix):
            yield f"{event['kind']} in state {state}"
    vias = LEGAL.get((short(event["from"]), short(event["to"])))
    if vias is None:
        yield "illegal transition"
    elif event["via"] not in vias or short(event["to"]) == "SUSPENDED" and event["via"] != SUSPENDS[event["kind"]]:
        yield "illegal via"
    name = TIMES.get(short(event["from"]))
    # Of what was there before the tracer nobody knows since when.
    if name and not nonnegative(event[name]) and (previous is not None or event[name] is not None):
        yield f"{name} is {event[name]} on leaving {event['from']}"
    if previous is not None:
        yield from check_pair(previous, event, complete)


def check_pair(previous, event, complete):
    for name in ("gen", "pid", "kind"):
        if event[name] != previous[name]:
            yield f"{name} was {previous[name]} before"
    if event["ts_ns"] < previous["ts_ns"]:
        yield f"time runs backwards: {previous['ts_ns']} before {event['ts_ns']}"
    if event["seq"] <= previous["seq"]:
        yield f"seq {event['seq']} after {previous['seq']}"
    if not complete:
        return
    if event["seq"] != previous["seq"] + 1:
        yield f"seq jumps from {previous['seq']} to {event['seq']}"
    if event["from"] != previous["to"]:
        yield f"comes from {event['from']}, but was {previous['to']}"
    passed = event["ts_ns"] - previous["ts_ns"]
    # An async generator runs through its awaits: what of that is run time is not for this check to say.
    name = TIMES.get(short(event["from"]))
    if name and event["kind"] != "async_generator" and nonnegative(event[name]) and event[name] > passed + 1000:
        yield f"{name} is {event[name]}, but only {passed} ns passed"


def nonnegative(value):
    return isinstance(value, int) and value >= 0


def counts(events):
    """Conservation numbers of a list of transitions."""
    n = Counter()
    for event in events:
        source, target = short(event["from"]), short(event["to"])
        n["births"] += source is None
        n["resumes"] += target == "RUNNING"
        n["suspends"] += source == "RUNNING" and target == "SUSPENDED"
        n["completions"] += source == "RUNNING" and target == "CLOSED"
        n["closed"] += target == "CLOSED"
        n["freed"] += target is None
        n["via_" + event["via"]] += 1
    return n

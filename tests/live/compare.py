# SPDX-License-Identifier: MIT
"""Hold a stream against the truth a target wrote, object by object and event by event.

Objects are matched by pid, address, name and file; an address that is used again, by order of birth.

One normalisation in every comparison: when throw() or close() reaches an object that waits in a `yield from` or an
`await`, CPython (_gen_throw, gen_close in Objects/genobject.c) marks it RUNNING while it hands the call on to the
inner one, then SUSPENDED again, without executing a single instruction of it. The stream shows that; neither
sys.monitoring nor sys.settrace can. So a pair SUSPENDED→RUNNING via throw/close/…, RUNNING→SUSPENDED on one line is
dropped where the truth says the object was delegating and has no such pair there.

A second one, only where the truth comes from another run (`other_run`): with no instrument active, close() and the
finaliser may close a suspended generator without running it, with one they run it. SUSPENDED→RUNNING via close,
RUNNING→CLOSED via close then may stand for SUSPENDED→CLOSED via close, and the other way round.
"""

import json

from stream import counts, short, show

FLIP = {"throw", "close", "athrow", "aclose", "finalize"}
ENDING = {"close", "finalize"}


def load_truth(path):
    """(records, expects) of a truth file."""
    records, expects = [], []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            item = json.loads(line)
            if "expect" in item:
                expects.append(item["expect"])
            else:
                records.append(item)
    return records, expects


def label(record):
    return f"{record['case']}#{record['key']} {record['gen']} {record['qualname']}"


def match(records, stream):
    """[(truth record, its transitions or None)], by address and order of birth."""
    found = {}
    for events in stream.objects().values():
        first = events[0]
        found.setdefault(identity(first), []).append(events)
    for lists in found.values():
        lists.sort(key=lambda events: events[0]["ts_ns"])
    return [(record, take(found, record)) for record in records]


def identity(item):
    """What a transition and a truth record of one object have in common; an address can live again."""
    return item["pid"], item["gen"], item["qualname"], item["file"]


def take(found, record):
    lists = found.get(identity(record))
    return lists.pop(0) if lists else None


def compare(records, stream, truth=None):
    """Differences, one text per object. `truth` maps (case, key) to a record of another run that has the events."""
    pairs = match(records, stream)
    ids = {(r["case"], r["key"]): events[0]["id"] for r, events in pairs if events}
    differences = {}
    for record, events in pairs:
        source = record if truth is None else truth.get((record["case"], record["key"]))
        text = compare_object(record, source, events, ids, truth is not None)
        if text:
            differences.setdefault(record["case"], []).append(text)
    return differences


def counted(expects, stream):
    """Differences between what the program says of a function (all its objects) and what the stream shows."""
    groups = {}
    for event in stream.transitions:
        groups.setdefault((event["pid"], event["qualname"]), []).append(event)
    for expect in expects:
        name = expect["qualname"]
        got = counts(groups.get((expect["pid"], name), []))
        for what, number in expect.items():
            if what not in ("qualname", "pid", "what") and got[what] != number:
                whose = f"{name} of pid {expect['pid']} {expect.get('what', '')}"
                yield f"{whose}: {what} expected {number}, got {got[what]}"
        # A delegated throw or close resumes and suspends again: the balance holds all the same.
        if got["resumes"] != got["suspends"] + got["completions"]:
            yield (f"{name} of pid {expect['pid']}: {got['resumes']} resumes, but {got['suspends']} suspends and "
                   f"{got['completions']} completions")


def compare_object(record, source, events, ids, other_run):
    if source is None:
        return f"{label(record)}: the other run has no such object"
    expected = source["events"][source["mark"]:]
    if events is None:
        # What was closed before the tracer came need not be known to it when it is freed.
        return f"{label(record)}: not in the stream" if any(event["to"] for event in expected) else None
    for name in ("kind", "name"):
        if events[0][name] != record[name]:
            return f"{label(record)}: {name} expected {record[name]}, got {events[0][name]}"
    variants = [(expected, drop_flips(expected, events))]
    if other_run:
        variants.append(tuple(collapse(side) for side in variants[0]))
    results = [first_difference(want, got if source["freed"] else got[:len(got) - trailing(got, len(want))], ids,
                                not other_run) for want, got in variants]
    if None in results:
        return None
    index, text = results[0]
    return f"{label(record)}: {text}{raw(events, index)}"


def raw(events, index):
    """The stream around a difference, nothing normalised: a wrong via can make an event look like half of a flip."""
    window = range(max(0, index - 1), min(len(events), index + 5))
    return "".join(f"\n  stream {number}: {show(events[number])}" for number in window)


def trailing(got, wanted):
    """How many last events are the end of the process (what was alive when the truth was written is closed, freed)."""
    count = 0
    while len(got) - count > wanted:
        event = got[len(got) - count - 1]
        ending = event["to"] is None or short(event["to"]) == "CLOSED" or \
            short(event["to"]) == "RUNNING" and event["via"] in ENDING
        if not ending:
            break
        count += 1
    return count


def collapse(events):
    out = []
    for event in events:
        last = out[-1] if out else None
        if last and short(event["to"]) == "CLOSED" and event["via"] in ("close", "close|raise") and \
                short(last["to"]) == "RUNNING" and set(last["via"].split("|")) & ENDING and \
                event["line"] == last["line"]:
            out[-1] = {**last, "to": event["to"]}
        else:
            out.append(event)
    return out


def is_flip(first, second):
    return (short(first["from"]) == "SUSPENDED" and short(first["to"]) == "RUNNING" and first["via"] in FLIP and
            short(second["to"]) == "SUSPENDED" and second["line"] == first["line"])


def drop_flips(want, got):
    """got without the delegation pairs that want does not have (see above)."""
    out, index = [], 0
    while index < len(got):
        at = len(out)
        delegating = 0 < at <= len(want) and want[at - 1].get("deleg")
        if delegating and index + 1 < len(got) and is_flip(got[index], got[index + 1]) and \
                not (at + 1 < len(want) and same(want[at], got[index]) and same(want[at + 1], got[index + 1])):
            index += 2
            continue
        out.append(got[index])
        index += 1
    return out


def same(want, got):
    direct = short(want["from"]) in ("CREATED", "SUSPENDED") and short(want["to"]) == "CLOSED"
    return (want["from"] == got["from"] and want["to"] == got["to"] and got["via"] in want["via"].split("|") and
            (want["line"] == got["line"] or direct and got["line"] is None))


def first_difference(want, got, ids, tids):
    """(index, text) of the first event that differs, or None."""
    for index in range(max(len(want), len(got))):
        w = want[index] if index < len(want) else None
        g = got[index] if index < len(got) else None
        if w is None or g is None or not same(w, g):
            before = "; after " + show(want[index - 1]) if index and index <= len(want) else ""
            return index, (f"event {index} of {len(want)}: expected {show(w) if w else 'nothing'}, "
                           f"got {show(g) if g else 'nothing'}{before}")
        text = driver_difference(w, g, ids, tids)
        if text:
            return index, f"event {index} of {len(want)} ({show(w)}): {text}"
    return None


def driver_difference(want, got, ids, tids):
    if tids and want["tid"] not in (None, got["tid"]):
        return f"expected tid {want['tid']}, got {got['tid']}"
    if short(want["to"]) != "RUNNING" or want["parent"] == "?":
        return None
    parent = want["parent"]
    expected = None if parent is None else ids.get(tuple(parent))
    if got["parent"] != expected:
        return f"expected parent {expected} ({parent}), got {got['parent']}"
    return None

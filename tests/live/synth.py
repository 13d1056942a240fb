# SPDX-License-Identifier: MIT
"""A perfect stream, made from a truth: what the self-test mutates."""

import json

from stream import short

CPU_STEP = 1000


def perfect(records):
    """JSON lines a faultless genscope would write for these records (delegation flips included)."""
    ids = {(r["case"], r["key"]): number for number, r in enumerate(records, 1)}
    lines, clock = [], 1_000_000
    for record in records:
        seq, since = 0, {}
        for event in with_flips(record["events"]):
            seq, clock = seq + 1, clock + CPU_STEP
            lines.append(transition(record, event, ids, seq, clock, since.get("ts")))
            since["ts"] = clock
    return [json.dumps(line) for line in lines] + [json.dumps(summary(len(lines)))]


def with_flips(events):
    """Where the truth goes from a delegated wait into RUNNING by throw or close, CPython flips first."""
    out = []
    for event in events:
        last = out[-1] if out else None
        if last and last.get("deleg") and short(event["to"]) == "RUNNING" and \
                event["via"].split("|")[0] in ("throw", "close"):
            back = {**event, "from": event["to"], "to": event["from"], "via": last["via"], "flip": True}
            out += [{**event, "flip": True}, back]
        out.append(event)
    return out


def transition(record, event, ids, seq, clock, since):
    source = short(event["from"])
    parent = event["parent"]
    return {"type": "transition", "ts_ns": clock, "time": "2026-01-01T00:00:00.000000000Z", "pid": record["pid"],
            "tid": event["tid"] or 1, "gen": record["gen"], "id": ids[record["case"], record["key"]], "seq": seq,
            "kind": record["kind"], "name": record["name"], "qualname": record["qualname"], "file": record["file"],
            "line": event["line"], "from": event["from"], "to": event["to"], "via": event["via"].split("|")[0],
            "flip": event.get("flip", False),
            "run_ns": clock - since if source == "RUNNING" else None,
            "suspended_ns": clock - since if source == "SUSPENDED" else None,
            "parent": None if parent in (None, "?") else ids[tuple(parent)]}


def summary(events):
    return {"type": "summary", "hits": events + 3, "events": events, "filtered": 0, "causes": 3, "redundant": 0,
            "strangers": 0, "lost": {"ring": 0, "map_full": 0, "fault": 0}, "anomalies": 0, "stepped_hits": 0,
            "objects": 1, "duration_ns": 5, "coverage": "full"}

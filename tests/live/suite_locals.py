# SPDX-License-Identifier: MIT
"""trace --locals: transition by transition what inspect said at that moment."""

import os

from harness import check, equal, guard, load_lines, trace
from stream import short

TARGET = "locals_stream.py"
ALIVE = ("CREATED", "RUNNING", "SUSPENDED")
SHOWN = 4


def truth_of(run):
    return load_lines(os.path.join(run.folder, "truth"))


def by_object(stream, qualnames):
    """(address, which of those that had it) -> its transitions with a frame, in the order of their births."""
    out, lives = {}, {}
    for events in stream.objects().values():
        if events[0]["qualname"] not in qualnames:
            continue
        gen = events[0]["gen"]
        lives[gen] = lives.get(gen, 0) + 1
        out[gen, lives[gen]] = [event for event in events if short(event["to"]) in ALIVE]
    return out


def truth_by_object(records):
    out, lives = {}, {}
    for record in records:
        gen = record["gen"]
        if record["to"] == "CREATED":
            lives[gen] = lives.get(gen, 0) + 1
        out.setdefault((gen, lives[gen]), []).append(record)
    return out


def differences(expected, got, ordered):
    for name in expected.keys() | got.keys():
        if expected.get(name) != got.get(name):
            yield f"{name}: inspect says {expected.get(name)}, the stream {got.get(name)}"
    if ordered and list(expected) != list(got) and expected.keys() == got.keys():
        yield f"order of names: {list(expected)} != {list(got)}"


def case(ctx, interp, name):
    run = trace(ctx, interp, TARGET, ["{out}/truth", name], ("-p", "{pid}", "--locals"))
    expected = truth_by_object(truth_of(run))
    check(expected, "the case tells nothing")
    qualnames = {record["qualname"] for records in expected.values() for record in records}
    got = by_object(run.stream, qualnames)
    # until 3.12 a frame keeps one dict, whose order is that in which variables were bound when somebody looked
    ordered, problems = interp.minor >= 13, []
    for key, records in expected.items():
        events = got.get(key, [])
        if [record["to"] for record in records] != [short(event["to"]) for event in events]:
            # the last step of an object may be into RUNNING and then its end
            problems.append(f"{records[0]['qualname']} {key}: transitions {[short(e['to']) for e in events]}, "
                            f"expected {[record['to'] for record in records]}")
            continue
        for index, (record, event) in enumerate(zip(records, events)):
            if event["locals"] is None:
                problems.append(f"{record['qualname']} {index} {record['to']}: no locals")
                continue
            problems += [f"{record['qualname']} {index} {record['to']}: {text}"
                         for text in differences(record["locals"], event["locals"], ordered)]
    check(not problems, "\n".join(problems[:SHOWN]) + (f"\n… {len(problems)} in all" if problems[SHOWN:] else ""))
    run.must_be_sound()
    counts = run.stream.summary["locals"]
    equal("lost and sampled out", (0, 0), (counts["lost"], counts["sampled_out"]))
    equal("captured", sum(short(event["to"]) in ALIVE for event in run.stream.transitions), counts["captured"])


def states(ctx, interp):
    """What is closed has no variables, what is freed is nothing."""
    run = trace(ctx, interp, TARGET, ["{out}/truth", "scalars"], ("-p", "{pid}", "--locals"))
    for event in run.stream.transitions:
        expected = {"CLOSED": {}, None: None}.get(short(event["to"]), event["locals"])
        equal(f"locals at {event['to']}", expected, event["locals"])
        check("locals_lost" not in event, "locals were lost")


def off(ctx, interp):
    run = trace(ctx, interp, TARGET, ["{out}/truth", "scalars"])
    check(not any("locals" in event for event in run.stream.transitions), "locals without --locals")
    check("locals" not in run.stream.summary, "locals in the summary without --locals")


def rate(ctx, interp):
    """One transition in N of each function, on the dot."""
    for every in (2, 7, 100):
        run = trace(ctx, interp, TARGET, ["hot", "1000"], ("-p", "{pid}", f"--locals={every}"))
        total = 0
        for name in ("hot.<locals>.often", "hot.<locals>.seldom"):
            alive = [event for event in run.stream.transitions
                     if event["qualname"] == name and short(event["to"]) in ALIVE]
            shown = [event for event in alive if event["locals"] is not None]
            equal(f"{name}: shown of {len(alive)}, one in {every}", -(-len(alive) // every), len(shown))
            check(all(event["locals"] is not None for event in alive[::every]), "the wrong ones were sampled")
            total += len(alive)
        equal("steps: created, and in and out of each", (2 * 1000 + 2) + 10 * 4, total)
        counts = run.stream.summary["locals"]
        equal("sampled out", sum(event["locals"] is None and event["to"] is not None
                                 for event in run.stream.transitions), counts["sampled_out"])


def limits(ctx, interp):
    run = trace(ctx, interp, TARGET, ["limits"], ("-p", "{pid}", "--locals"))
    wide = suspended(run, "limits.<locals>.wide")
    shown = wide["locals"]
    for name in ("password", "api_key", "my_token_2"):
        equal(name, {"type": shown[name]["type"], "redacted": True}, shown[name])
    cut = {"text": "'" + "x" * 128 + "…'", "raw": "b'" + "y" * 128 + "…'", "number": "1" + "0" * 127 + "…",
           "items": "[" + ", ".join(map(str, range(16))) + ", …]", "wide_text": "'" + "\U0001f600" * 128 + "…'",
           "table": "{" + ", ".join(f"{i}: '{i}'" for i in range(16)) + ", …}"}
    for name, text in cut.items():
        equal(name, (text, True), (shown[name]["repr"], shown[name].get("truncated")))
    for name in ("deep", "numbers"):
        equal(f"{name} truncated", True, shown[name].get("truncated"))
    check("\u2026" in shown["numbers"]["repr"] and shown["numbers"]["repr"].count(",") == 16, shown["numbers"])
    crowd = suspended(run, "crowd")
    equal("names", ([f"n{i}" for i in range(16)], True), (list(crowd["locals"]), crowd.get("locals_truncated")))
    check(run.stream.summary["locals"]["truncated"] >= 2, run.stream.summary["locals"])


def suspended(run, qualname):
    return next(event for event in run.stream.transitions
                if event["qualname"] == qualname and short(event["to"]) == "SUSPENDED")


def options(ctx, interp):
    """The other limits, the largest ones; and no redaction."""
    words = ("-p", "{pid}", "--locals", "--no-redact", "--max-items", "64", "--max-string", "1024", "--max-names", "64")
    run = trace(ctx, interp, TARGET, ["limits"], words)
    shown = suspended(run, "limits.<locals>.wide")["locals"]
    equal("password", {"type": "str", "repr": "'hunter2'"}, shown["password"])
    shown = suspended(run, "limits.<locals>.long_items")["locals"]
    equal("items", "[" + ", ".join(map(str, range(64))) + ", …]", shown["items"]["repr"])
    equal("table", "{" + ", ".join(f"{i}: '{i}'" for i in range(64)) + ", …}", shown["table"]["repr"])
    shown = suspended(run, "limits.<locals>.long_texts")["locals"]
    equal("text", "'" + "x" * 1024 + "…'", shown["text"]["repr"])
    equal("wide_text", "'" + "\U0001f600" * 1024 + "…'", shown["wide_text"]["repr"])
    crowd = suspended(run, "crowd")
    equal("names", [f"n{i}" for i in range(64)], list(crowd["locals"]))
    heavy = suspended(run, "limits.<locals>.heavy")
    # ten times 4 KiB are more than a record holds
    texts = [value["repr"] for value in heavy["locals"].values()]
    check(texts and all(text == texts[0] == "'" + "\U0001f600" * 1024 + "'" for text in texts), "a text is wrong")


def refused(ctx, interp):
    for words in (("--max-depth", "3"), ("--max-items", "65"), ("--max-string", "1025"), ("--max-names", "65"),
                  ("--locals=0",), ("--locals=x",)):
        status, text = usage(ctx, *words)
        check(status == 2 and words[0].partition("=")[0] in text and text.count("\n") == 1, f"{words}: {status} {text!r}")


def usage(ctx, *words):
    from procs import Tool
    with Tool(ctx.genscope, "trace", "-p", str(os.getpid()), "--locals", *words) as tool:
        return tool.finish(60), tool.stderr()


TESTS = {"states": states, "off": off, "rate": rate, "limits": limits, "options": options, "refused": refused}


def run(ctx, interp):
    names = interp.run(TARGET, "--list").split()
    for name in names:
        if ctx.wanted(f"{interp.label} locals.{name}"):
            yield guard(interp.label, f"locals.{name}", lambda name=name: case(ctx, interp, name))
    for name, test in TESTS.items():
        if ctx.wanted(f"{interp.label} locals.{name}"):
            yield guard(interp.label, f"locals.{name}", lambda test=test: test(ctx, interp))

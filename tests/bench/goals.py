# SPDX-License-Identifier: MIT
"""What is wanted of genscope, and what was measured. Goals, not tests: nothing fails by them."""


def over(workloads, mode, key):
    """A figure of a mode in every workload where it was measured."""
    got = (figures.get("modes", {}).get(mode, {}).get(key) for figures in workloads.values())
    return [value for value in got if value is not None]


def worst(mode, key):
    return lambda workloads: max(over(workloads, mode, key), default=None)


def least(mode, key):
    return lambda workloads: min(over(workloads, mode, key), default=None)


def echo(mode):
    return lambda workloads: workloads.get("echo", {}).get("modes", {}).get(mode, {}).get("slowdown")


# name, least or most, limit, how it is told, figure, the only version
GOALS = [
    ("hits per transition", "<=", 1.05, ".3f", worst("trace", "hits_per_transition"), None),
    ("stepped hits", "<=", 0, ".1%", worst("trace", "stepped_share"), None),
    ("hit over floor, latency", "<=", 1.25, ".2f", worst("latency", "over_floor"), None),
    ("hit over floor, trace", "<=", 1.5, ".2f", worst("trace", "over_floor"), None),
    ("echo slowdown, trace", "<=", 1.9, ".2f", echo("trace"), "3.14"),
    ("echo slowdown, steps", "<=", 1.2, ".2f", echo("steps"), "3.14"),
    ("echo slowdown, overhead 1", "<=", 1.02, ".3f", echo("overhead1"), "3.14"),
    ("us/event, record", "<=", 0.2, ".2f", worst("record", "tracer_us_per_event"), None),
    ("us/event, trace", "<=", 0.6, ".2f", worst("trace", "tracer_us_per_event"), None),
    ("transitions seen", ">=", 1, ".2%", least("trace", "events_seen"), None),
    ("  by bpftrace, resumes", None, None, ".2%", least("bpftrace", "resumes_seen"), None),
]


def verdict(relation, limit, value):
    if value is None:
        return "missing"
    if relation is None:
        return "-"
    return "met" if (value <= limit if relation == "<=" else value >= limit) else "not met"


def judge(rows):
    """rows: name of an interpreter → its workloads. Of these the worst counts."""
    table = []
    for goal, relation, limit, form, figure, version in GOALS:
        got = {}
        for name, workloads in rows.items():
            value = figure(workloads)
            wanted = relation if not version or name.startswith(version) else None
            got[name] = {"value": value, "text": "missing" if value is None else format(value, form),
                         "verdict": verdict(wanted, limit, value)}
        place = f" on {version}" if version else ""
        table.append({"goal": goal, "wanted": f"{relation} {limit}{place}" if relation else "", "measured": got})
    return table


def report(table):
    if not table or not table[0]["measured"]:
        return
    marks = {"met": " ok", "not met": " NO"}
    print("goal".ljust(28) + "wanted".ljust(18) + "".join(name.rjust(12) for name in table[0]["measured"]))
    for row in table:
        print(row["goal"].ljust(28) + row["wanted"].ljust(18)
              + "".join((got["text"] + marks.get(got["verdict"], "   ")).rjust(12) for got in row["measured"].values()))
    print("(of each interpreter's workloads the worst)", flush=True)

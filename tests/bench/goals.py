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


def hosts(count, key):
    return lambda exporter: exporter.get("hosts", {}).get(count, {}).get(key)


def scrape(load, key):
    return lambda exporter: exporter.get("scrape", {}).get(load, {}).get(key)


def pace(part, clock):
    return lambda exporter: exporter.get("export", {}).get(part, {}).get(clock, {}).get("median")


def slowdown(percent):
    return lambda exporter: (exporter.get("budget", {}).get("budgets", {}).get(percent, {})
                             .get("slowdown_percent", {}).get("median"))


# The same of `genscope export`; and the mode that measures it, instead of a version.
EXPORTER_GOALS = [
    ("50 idle hosts, % of a core", "<=", 0.5, ".2f", hosts("50", "cpu_percent"), "hosts"),
    ("50 idle hosts, RSS MiB", "<=", 64, ".0f", hosts("50", "rss_mib"), "hosts"),
    ("200 idle hosts, % of a core", None, None, ".2f", hosts("200", "cpu_percent"), "hosts"),
    ("200 idle hosts, RSS MiB", "<=", 96, ".0f", hosts("200", "rss_mib"), "hosts"),
    ("scrape, idle, median ms", "<=", 20, ".1f", scrape("idle", "median_ms"), "scrape"),
    ("scrape, busy, max ms", "<=", 100, ".1f", scrape("busy", "max_ms"), "scrape"),
    ("echo pace, steady", ">=", 0.98, ".3f", pace("steady", "seconds"), "export"),
    ("  by processor time", ">=", 0.98, ".3f", pace("steady", "cpu_seconds"), "export"),
    ("echo pace, attach included", None, None, ".3f", pace("from_start", "seconds"), "export"),
    *((f"slowdown %, --max-overhead {percent}", "<=", percent + 1, ".2f", slowdown(str(percent)), "budget")
      for percent in (1, 2, 5)),
]


def verdict(relation, limit, value):
    if value is None:
        return "missing"
    if relation is None:
        return "-"
    return "met" if (value <= limit if relation == "<=" else value >= limit) else "not met"


def measured(goal, figures, relation):
    """What one interpreter's figures say of a goal."""
    _, _, limit, form, figure, _ = goal
    value = figure(figures)
    return {"value": value, "text": "missing" if value is None else format(value, form),
            "verdict": verdict(relation, limit, value)}


def of_costs(rows):
    """rows: name of an interpreter → what was measured on it. Of its workloads the worst counts."""
    table = []
    for goal in GOALS:
        name, relation, limit, _, _, version = goal
        got = {on: measured(goal, row.get("workloads", {}), None if version and not on.startswith(version) else relation)
               for on, row in rows.items()}
        place = f" on {version}" if version else ""
        table.append({"goal": name, "wanted": f"{relation} {limit}{place}" if relation else "", "measured": got})
    return table


def of_exporter(interpreter, exporter):
    """exporter: mode → what was measured with this interpreter. Of modes that were not asked for nothing is wanted."""
    return [{"goal": goal[0], "wanted": f"{goal[1]} {goal[2]}" if goal[1] else "",
             "measured": {interpreter: measured(goal, exporter, goal[1])}} for goal in EXPORTER_GOALS if goal[5] in exporter]


def report(table, remark=None):
    if not table or not table[0]["measured"]:
        return
    marks = {"met": " ok", "not met": " NO"}
    print("goal".ljust(28) + "wanted".ljust(18) + "".join(name.rjust(12) for name in table[0]["measured"]))
    for row in table:
        print(row["goal"].ljust(28) + row["wanted"].ljust(18)
              + "".join((got["text"] + marks.get(got["verdict"], "   ")).rjust(12) for got in row["measured"].values()))
    print(f"({remark})\n" if remark else "", flush=True)

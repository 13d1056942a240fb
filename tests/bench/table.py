# SPDX-License-Identifier: MIT
"""Figures as people read them. A dash: the mode does not tell this; "missing": it was wanted and is not there."""

COLUMNS = ("mode", "slowdown", "spread", "cpu x", "ns/hit", "x floor", "BPF ns", "hits/trans", "stepped", "seen",
           "us/event", "lost", "anomalies", "pairs")
WIDTHS = (12, 10, 20, 9, 8, 8, 7, 11, 8, 8, 9, 7, 10, 6)


def text(value, form):
    return "-" if value is None else format(value, form)


def share(value):
    """Never 100% of what is not all."""
    if value is None or value == 1:
        return text(value, ".0%")
    return f"{value:.2%}"


def cells(name, mode):
    low, high = mode["slowdown_spread"]
    seen = mode["events_seen"] if mode["resumes_seen"] is None else mode["resumes_seen"]
    return (name, f"{mode['slowdown']:.2f}", f"{low:.2f} - {high:.2f}", f"{mode['cpu_slowdown']:.2f}",
            text(mode["ns_per_hit"], ".0f"), text(mode["over_floor"], ".2f"), text(mode["bpf_ns_per_run"], ".0f"),
            text(mode["hits_per_transition"], ".3f"), text(mode["stepped_share"], ".0%"), share(seen),
            text(mode["tracer_us_per_event"], ".2f"), text(mode["lost"], "d"), text(mode["anomalies"], "d"),
            str(mode["pairs"]))


def row(words):
    return "    " + words[0].ljust(WIDTHS[0]) + "".join(word.rjust(width) for word, width in zip(words[1:], WIDTHS[1:]))


def workload(name, figures):
    if "missing" in figures:
        print(f"  {name}: missing: {figures['missing']}", flush=True)
        return
    if figures["transitions"] is None:
        print(f"  {name}: nothing could be measured")
    else:
        per = figures["untraced_s"] / figures["transitions"] * 1e9
        print(f"  {name}: {figures['transitions']} transitions a round, untraced {figures['untraced_s'] * 1e3:.1f} ms, "
              f"{per:.0f} ns for each")
    print(row(COLUMNS))
    for mode, got in figures["modes"].items():
        print(f"    {mode.ljust(WIDTHS[0])}  missing: {got['missing']}" if "missing" in got else row(cells(mode, got)))
    print(flush=True)


def interpreter(name, facts):
    print(f"{name}  CPython {facts['version']}, {facts['sites']} sites, {facts['stepped']} of them single-stepped  "
          f"{facts['path']}")


LEGEND = """\
slowdown     seconds of a watched round over those of the unwatched ones right before and after it: median, extremes
cpu x        the same of the target's processor time, where what else the machine does counts less
ns/hit       of that time, what a trap costs the target; x floor: over that of an empty program at the same sites
BPF ns       of it in the BPF program, by the kernel's clock, which costs some itself
seen         transitions told, of those that arithmetic says there are; of bpftrace: entries of tp_iternext, am_send,
             send, throw and close, of the true resumes
us/event     processor time of the tool for an event told, its start subtracted
"""

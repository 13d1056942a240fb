# SPDX-License-Identifier: MIT
"""Windows of a long-lived target beside `genscope export`: one exporter after the other comes and goes, between windows
without one. Each is compared with the windows right before and right after it, so that drift cancels.
"""
import statistics
import time

from exporter import Exporter, total
from target import Target

WINDOW_SECONDS = 10
STEP_SECONDS = 0.5      # of work while the exporter settles
CLOCKS = ("seconds", "cpu_seconds")


class Wanted:
    """An exporter with these options; its window begins `settle` seconds after its attach."""

    def __init__(self, name, options, settle):
        self.name, self.options, self.settle = name, options, settle


def rates(windows):
    """Work a second, by the wall's clock and by the target's processor time, over windows that follow one another."""
    done = sum(window["done"] for window in windows)
    return {clock: done / sum(window[clock] for window in windows) for clock in CLOCKS}


def traced(genscope, target, wanted):
    """The target works while the exporter starts, until it has settled, and then for a window."""
    target.go(f"{wanted.settle + STEP_SECONDS}")
    with Exporter(genscope, [target.pid], *wanted.options) as exporter:
        first = [target.answer()]
        while time.monotonic() < exporter.attached + wanted.settle:
            first.append(target.round(str(STEP_SECONDS)))
        before = exporter.page()
        window = target.round(str(WINDOW_SECONDS))
        after = exporter.page()
        exporter.end()
    probe_seconds = [total(page, "genscope_probe_seconds_total") for page in (before, after)]
    return {"steady": rates([window]), "from_start": rates([*first, window]),
            "account": (probe_seconds[1] - probe_seconds[0]) / window["cpu_seconds"],
            "duty_ratio": total(after, "genscope_duty_ratio")}


def over(rate, before, after):
    """Of the rates without an exporter right before and after it."""
    return {clock: rate[clock] / statistics.mean((before[clock], after[clock])) for clock in CLOCKS}


def compare(genscope, binary, root, work, wanted, sweeps):
    """All that is wanted, in every sweep, in turned order every other time: name → its samples; and the rates without."""
    samples, target = {one.name: [] for one in wanted}, Target(binary, root, "shifts.py", work)
    try:
        target.round(str(STEP_SECONDS))     # the interpreter specialises its code
        plain = [rates([target.round(str(WINDOW_SECONDS))])]
        for sweep in range(sweeps):
            for one in wanted if sweep % 2 == 0 else wanted[::-1]:
                sample = traced(genscope, target, one)
                plain.append(rates([target.round(str(WINDOW_SECONDS))]))
                for part in ("steady", "from_start"):
                    sample[part] = over(sample[part], *plain[-2:])
                samples[one.name].append(sample)
    finally:
        target.kill()
    return samples, plain


def noise(plain):
    """How far windows without an exporter differ: extremes, of their median."""
    spread = {}
    for clock in CLOCKS:
        values = [rate[clock] for rate in plain]
        spread[clock] = [value / statistics.median(values) for value in (min(values), max(values))]
    return spread


def figures(values):
    return {"median": statistics.median(values), "spread": [min(values), max(values)]}


def told(figures, digits):
    return f"{figures['median']:.{digits}f} ({figures['spread'][0]:.{digits}f} - {figures['spread'][1]:.{digits}f})"


def told_noise(spread, clock):
    return " - ".join(f"{one:.3f}" for one in spread[clock])

# SPDX-License-Identifier: MIT
"""How long a scrape of `export` takes: 200 functions of one service, four histograms each."""
import contextlib
import statistics
import time

from exporter import Exporter, memory_mib, samples, total
from modes import Missing
from target import Target

FUNCTIONS = 220         # more than have series of their own: the rest is "other"
SERIES = 200            # what --max-series is unless told otherwise
PROCESSES = 2           # one a core of a small machine
SCRAPES = 50
PAUSE_SECONDS = 0.1     # between two, or the second would find all in the processor's caches
BUSY_SECONDS = 120      # more than all scrapes take
HISTOGRAMS = ("run", "suspended", "start_delay", "lifetime")


def own_series(page):
    """Functions whose four histograms all have counted something."""
    counted = [{labels for labels, value in samples(page, f"genscope_{name}_seconds_count")
                if value and 'function="other"' not in labels} for name in HISTOGRAMS]
    return len(set.intersection(*counted))


def scrapes(exporter):
    taken, sent, page = [], 0, 0
    for _ in range(SCRAPES):
        time.sleep(PAUSE_SECONDS)
        milliseconds, sent, page = exporter.scrape()
        taken.append(milliseconds)
    duty = total(exporter.page(), "genscope_duty_ratio")
    return {"duty_ratio": duty, "median_ms": statistics.median(taken), "p90_ms": statistics.quantiles(taken, n=10)[-1],
            "max_ms": max(taken), "sent_bytes": sent, "page_bytes": page}


def measure(genscope, binary, root, _pairs):
    with contextlib.ExitStack() as stack:
        targets = []
        for _ in range(PROCESSES):
            targets.append(Target(binary, root, "functions.py", FUNCTIONS))
            stack.callback(targets[-1].kill)
        exporter = stack.enter_context(Exporter(genscope, [target.pid for target in targets], "--label",
                                                "shop=*functions.py*"))
        for target in targets:
            target.round(f"1 {BUSY_SECONDS}")
        exporter.page()
        page = exporter.page()
        if own_series(page) < SERIES:
            raise Missing(f"only {own_series(page)} functions have been counted")
        row = {"functions": own_series(page), "lines": len(page.splitlines()), "idle": scrapes(exporter)}
        for target in targets:
            target.go(f"0 {BUSY_SECONDS}")
        row["busy"] = scrapes(exporter)
        row["rss_mib"], row["peak_mib"] = memory_mib(exporter.pid)
        exporter.end()
    return row


def report(row):
    print(f"  export, {row['functions']} functions".ljust(27), f"x 4 histograms: {row['lines']} lines, "
          f"{row['idle']['page_bytes'] / 1e6:.2f} MB, {row['idle']['sent_bytes'] / 1e3:.0f} kB sent; RSS "
          f"{row['rss_mib']:.0f} MiB, peak {row['peak_mib']:.0f}")
    for load, words in (("idle", "targets idle"), ("busy", f"{PROCESSES} spinning targets")):
        print(f"    {words}".ljust(27), f"{SCRAPES} scrapes: median {row[load]['median_ms']:.1f} ms, "
              f"p90 {row[load]['p90_ms']:.1f}, max {row[load]['max_ms']:.1f}; probes on {100 * row[load]['duty_ratio']:.0f} % of the "
              "time", flush=True)

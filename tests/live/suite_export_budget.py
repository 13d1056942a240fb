# SPDX-License-Identifier: MIT
"""genscope export --max-overhead: what it leaves out, in which order, and what its estimates are worth."""

import json
import time

from harness import check, ended, equal, guard
from metrics import Exporter
from procs import Target

SECONDS = 5   # of processor time: windows of each kind
WAITS = 4     # more than pages in a row that may be left waiting (unseen_read)
STEPS = 0.15  # how far the estimate of a count may be off that is seen most of the time


def watch(exporter, target):
    """Statuses that pages told, until the target has said its truth."""
    seen = set()
    while not target.out_queue.qsize():
        page = exporter.scrape()
        seen |= {status for status in ("traced", "outermost", "paused")
                 if page.sum("genscope_targets", status=status)}
        time.sleep(0.1)
    return seen, json.loads(target.await_line(target.out_queue, "{", 60))


def stages(ctx, interp):
    """First only outermost steps are left: these are few here, and their counts stay nearly right."""
    with Target(interp, "bursts.py", SECONDS) as target:
        pid = target.ready()
        with Exporter(ctx.genscope, "-p", pid, "--max-overhead", "2", "--label", "mine=*bursts.py*") as exporter:
            target.say()
            seen, truth = watch(exporter, target)
            check("outermost" in seen, f"statuses: {seen}")
            page = exporter.until("a duty ratio", lambda page: page.sum("genscope_duty_ratio") < 1)
            check("Estimated" in page.text, "HELP does not say that counts are estimated")
            for _ in range(WAITS):  # what a window has just begun to count waits for the next page, but not for ever
                page = exporter.scrape()
            steps = page.sum("genscope_run_seconds_count", service="mine", function="bursts.py:burst")
            check(abs(steps - truth["steps"]) <= STEPS * truth["steps"],
                  f"{steps} steps, the target made {truth['steps']}; statuses: {seen}")
            items = page.sum("genscope_run_seconds_count", service="mine", function="bursts.py:numbers")
            check(0 < items < 2 * truth["items"], f"{items} items, the target made {truth['items']}")
            for name in ("genscope_anomalies_total", "genscope_events_lost_total"):
                equal(name, 0, page.sum(name))
            target.say()
            ended(target, 60, "the target")
            ended(exporter, 60, "genscope")


# 3.11 drives every loop from C: it has no cheaper stage
def run(ctx, interp):
    if interp is ctx.fastest(interp.version) and interp.version != "3.11" and \
            ctx.wanted(f"{interp.label} export.stages"):
        yield guard(interp.label, "export.stages", lambda: stages(ctx, interp))

# SPDX-License-Identifier: MIT
"""All groups of tests, as jobs that can run side by side."""

import suite_core
import suite_doctor
import suite_errors
import suite_filters
import suite_runs

PER_INTERPRETER = (("core", suite_core.run), ("runs", suite_runs.run), ("doctor", suite_doctor.run))
ONCE = (("filters", suite_filters.run), ("errors", suite_errors.run))


class Job:
    """One group on one interpreter; results(ctx) yields them."""

    def __init__(self, where, name, results):
        self.where, self.name, self.results = where, name, results


def jobs(ctx, interps):
    for interp in interps:
        for name, run in PER_INTERPRETER:
            yield Job(interp.label, name, lambda ctx, run=run, interp=interp: run(ctx, interp))
    for name, run in ONCE:
        yield Job(ctx.one.label, name, run)

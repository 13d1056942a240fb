# SPDX-License-Identifier: MIT
"""All groups of tests, as jobs that can run side by side."""

import suite_budget
import suite_core
import suite_doctor
import suite_errors
import suite_export
import suite_export_budget
import suite_export_targets
import suite_filters
import suite_html
import suite_latency
import suite_locals
import suite_ps
import suite_ps_asyncio
import suite_ps_errors
import suite_ps_races
import suite_record
import suite_runs
import suite_seed
import suite_slow
import suite_top

# What depends on where a build has its stores: on every build.
PER_BUILD = (("core", suite_core.run), ("doctor", suite_doctor.run), ("seed", suite_seed.run))
# What reads memory: on one build of each version, and on a debug build. (Where fields lie in every build is for
# `make layouts`.)
PER_LAYOUT = (("locals", suite_locals.run), ("ps", suite_ps.run), ("ps_asyncio", suite_ps_asyncio.run))
# What depends on how a version behaves.
PER_VERSION = (("latency", suite_latency.run), ("slow", suite_slow.run), ("export", suite_export.run),
               ("stages", suite_export_budget.run))
# What depends on genscope, and little on what it looks at: on the oldest version and on the newest stable one.
PER_END = (("runs", suite_runs.run), ("budget", suite_budget.run), ("record", suite_record.run),
           ("ps_races", suite_ps_races.run), ("top", suite_top.run))
ONCE = (("filters", suite_filters.run), ("errors", suite_errors.run), ("ps_errors", suite_ps_errors.run),
        ("latency_once", suite_latency.run_once), ("slow_once", suite_slow.run_once), ("top_once", suite_top.run_once),
        ("export_once", suite_export.run_once), ("export_targets", suite_export_targets.run),
        ("html", suite_html.run))

PRE_RELEASE = 15  # minor version: what changes until its release is seen by the groups above


class Job:
    """One group on one interpreter; results(ctx) yields them."""

    def __init__(self, where, name, results):
        self.where, self.name, self.results = where, name, results


def representatives(interps):
    """One build of each version, no debug build if it can be helped; and one debug build, of the newest that has one, or none."""
    chosen = {}
    for interp in sorted(interps, key=lambda interp: interp.kind == "debug"):
        chosen.setdefault(interp.version, interp)
    debug = [interp for interp in interps if interp.kind == "debug"]
    return list(chosen.values()), sorted(debug, key=lambda interp: interp.minor)[-1:]


def ends(chosen):
    """The oldest of them, and the newest that is no pre-release."""
    plain = sorted((interp for interp in chosen if interp.kind != "debug"), key=lambda interp: interp.minor)
    stable = [interp for interp in plain if interp.minor < PRE_RELEASE]
    return [plain[0], stable[-1]] if stable else plain[:1]


def chains(ctx, interps, everything):
    """Lists of jobs: what is in one list runs one after the other, the lists may run side by side. `everything`: all
    groups on all interpreters.

    One interpreter is one list: -x sees every process of it, and two tracers coming and going on the same
    processes are a test of their own (errors.two_tracers).
    """
    chosen, debug = (interps, interps) if everything else representatives(interps)
    outer = interps if everything else ends(chosen)
    found = []
    for interp in interps:
        groups = PER_BUILD + (PER_LAYOUT if interp in chosen or interp in debug else ()) + \
            (PER_VERSION if interp in chosen else ()) + (PER_END if interp in outer else ())
        chain = [Job(interp.label, name, lambda ctx, run=run, interp=interp: run(ctx, interp)) for name, run in groups]
        if interp is ctx.one:
            chain += [Job(interp.label, name, run) for name, run in ONCE]
        found.append(chain)
    return sorted(found, key=len, reverse=True)  # the short ones fill what is left at the end

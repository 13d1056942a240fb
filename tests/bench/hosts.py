# SPDX-License-Identifier: MIT
"""What `export` takes beside many processes that do nothing: the machine that it lives on for months."""
import time

from exporter import Exporter, memory_mib, processor_seconds, total
from target import Target

COUNTS = (50, 200)
SETTLE_SECONDS = 15     # until what the start needed is done, also on a busy machine
SPELL_SECONDS = 15      # between two scrapes, as many installations of Prometheus have it
SPELLS = 2


def spell(exporter):
    """Processor seconds of one spell with a scrape in its middle, and those of the scrape among them."""
    before = processor_seconds(exporter.pid)
    time.sleep(SPELL_SECONDS / 2)
    asked = processor_seconds(exporter.pid)
    exporter.scrape()
    answered = processor_seconds(exporter.pid)
    time.sleep(SPELL_SECONDS / 2)
    return processor_seconds(exporter.pid) - before, answered - asked


def measure_count(genscope, binary, root, count):
    target = Target(binary, root, "idle.py", count)
    try:
        with Exporter(genscope, target.round()) as exporter:
            time.sleep(SETTLE_SECONDS)
            hits = total(exporter.page(), "genscope_probe_hits_total")
            spells = [spell(exporter) for _ in range(SPELLS)]
            page = exporter.page()
            now, most = memory_mib(exporter.pid)
            exporter.end()
    finally:
        target.kill()
    seconds = SPELLS * SPELL_SECONDS
    return {"cpu_percent": 100 * sum(used for used, _ in spells) / seconds,
            "cpu_percent_spells": [100 * used / SPELL_SECONDS for used, _ in spells],
            "scrape_cpu_ms": [1e3 * used for _, used in spells],
            "rss_mib": now, "peak_mib": most,
            "targets": total(page, "genscope_targets"), "objects": total(page, "genscope_objects"),
            "hits_per_second": (total(page, "genscope_probe_hits_total") - hits) / seconds}


def measure(genscope, binary, root, _pairs):
    return {str(count): measure_count(genscope, binary, root, count) for count in COUNTS}


def report(row):
    for count, got in row.items():
        print(f"  export, {count} idle hosts".ljust(27),
              f"{got['cpu_percent']:.2f} % of a core ({', '.join(f'{one:.2f}' for one in got['cpu_percent_spells'])} in each "
              f"{SPELL_SECONDS} s; of it a scrape of {max(got['scrape_cpu_ms']):.0f} ms), RSS {got['rss_mib']:.0f} MiB, "
              f"peak {got['peak_mib']:.0f}; {got['targets']:.0f} targets, {got['objects']:.0f} objects, "
              f"{got['hits_per_second']:.0f} hits/s", flush=True)

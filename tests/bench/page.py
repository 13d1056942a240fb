# SPDX-License-Identifier: MIT
"""What report --html takes of a long recording: no target is run for it."""
import os
import subprocess
import tempfile
import time

TRANSITIONS = 10_000_000
MOST_SECONDS, MOST_MIB, MOST_PAGE_MB = 20, 1024, 20  # what is wanted


def measure(genscope, film):
    with tempfile.TemporaryDirectory(prefix="genscope-bench-") as folder:
        recording, page = os.path.join(folder, "film.rec"), os.path.join(folder, "film.html")
        made = subprocess.run([film, recording, str(TRANSITIONS)], capture_output=True, text=True, check=False)
        if made.returncode:
            return {"missing": made.stderr.strip()}
        start = time.monotonic()
        process = subprocess.Popen([genscope, "report", "--html", page, "-o", os.devnull, recording])
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            return {"missing": f"report ended with {process.returncode}"}
        return {"transitions": TRANSITIONS, "seconds": time.monotonic() - start, "rss_mib": usage.ru_maxrss / 1024,
                "cpu_s": usage.ru_utime + usage.ru_stime, "page_mb": os.path.getsize(page) / 1e6}


def report(got):
    if got is None:
        return
    if "missing" in got:
        print(f"report --html: missing: {got['missing']}", flush=True)
        return
    met = got["seconds"] <= MOST_SECONDS and got["rss_mib"] <= MOST_MIB and got["page_mb"] <= MOST_PAGE_MB
    print(f"report --html of {got['transitions']} transitions: {got['seconds']:.1f} s (wanted <= {MOST_SECONDS}), "
          f"{got['rss_mib']:.0f} MiB (<= {MOST_MIB}), a page of {got['page_mb']:.1f} MB (<= {MOST_PAGE_MB})  "
          f"{'ok' if met else 'NO'}\n", flush=True)

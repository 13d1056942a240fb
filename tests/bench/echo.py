# SPDX-License-Identifier: MIT
"""What `export` leaves of an asyncio server's pace, with the budget that it has by default."""
import windows

SETTLE_SECONDS = 5
PARTS = ("steady", "from_start")


def measure(genscope, binary, root, pairs):
    wanted = [windows.Wanted("default", (), SETTLE_SECONDS)]
    samples, plain = windows.compare(genscope, binary, root, "echo", wanted, pairs)
    samples = samples["default"]
    row = {part: {clock: windows.figures([sample[part][clock] for sample in samples]) for clock in windows.CLOCKS}
           for part in PARTS}
    return {**row, "account": windows.figures([sample["account"] for sample in samples]), "noise": windows.noise(plain),
            "requests_per_second": windows.figures([rate["seconds"] for rate in plain]), "samples": samples}


def report(row):
    print("  export, echo server".ljust(27), f"{row['requests_per_second']['median']:.0f} requests/s untraced; its windows of "
          f"{windows.WINDOW_SECONDS} s: {windows.told_noise(row['noise'], 'seconds')} of their median, by "
          f"processor time {windows.told_noise(row['noise'], 'cpu_seconds')}")
    for part, words in zip(PARTS, (f"steady, from {SETTLE_SECONDS} s on", "attach included")):
        print(f"    {words}".ljust(27), f"{windows.told(row[part]['seconds'], 3)} of that pace, by processor time "
              f"{windows.told(row[part]['cpu_seconds'], 3)}", flush=True)

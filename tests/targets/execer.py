# SPDX-License-Identifier: MIT
"""One process, several programs: execer.py MODE TRUTH_FILE STAGES [STAGE].

What lived before an exec is gone after it. STAGES `1true`: it ends as /bin/true.
"""

import gc
import os
import sys

import scope
from cases_coro import chain
from cases_gen import count, guarded, link
from scope import track


def main(mode, path, stages, stage="1"):
    rec = scope.setup(mode)
    gc.disable()
    if stage == "1":
        scope.barrier()
    rec.start()
    rec.case = f"stage{stage}"
    kept = [track(guarded([])), track(link(3, 3)), track(count(3))]
    next(kept[0]), next(kept[1])
    coro = track(chain(3))
    coro.send(None)
    assert [x for x in track(count(20))] == list(range(20))
    rec.stop()
    rec.write(f"{path}.{stage}")
    if stage < stages:
        os.execv(sys.executable, [sys.executable, __file__, mode, path, stages, str(int(stage) + 1)])
    if stages.endswith("true"):
        os.execv("/bin/true", ["/bin/true"])
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])

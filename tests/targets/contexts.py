# SPDX-License-Identifier: MIT
"""What the USDT probes tell: collections, imports, audit events: contexts.py TRUTH_FILE."""

import gc
import json
import os
import sys
import types

import scope

COLLECTIONS, AUDITS, MODULE = 7, 5, "colorsys"


def works():
    for _ in range(COLLECTIONS):
        gc.collect()
        yield 1


def main(path):
    gc.disable()
    assert MODULE not in sys.modules
    scope.barrier()
    assert sum(works()) == COLLECTIONS
    __import__(MODULE)
    assert isinstance(sys.modules[MODULE], types.ModuleType)
    for number in range(AUDITS):
        sys.audit("genscope.test", number)
    with open(path, "w") as out:
        out.write(json.dumps({"collections": COLLECTIONS, "audits": AUDITS, "module": MODULE,
                              "event": "genscope.test"}))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])

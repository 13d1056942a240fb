# SPDX-License-Identifier: MIT
"""Breakpoints left in a process: where its text differs from the file that was mapped."""

import os


def patched(pid):
    """How many bytes of the interpreter's executable mappings differ from their file."""
    count = 0
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            fields = line.split(None, 5)
            if len(fields) < 6 or "x" not in fields[1] or "python" not in os.path.basename(fields[5]):
                continue
            start, end = (int(part, 16) for part in fields[0].split("-"))
            count += differing(pid, fields, start, end, memory)
    return count


def differing(pid, fields, start, end, memory):
    with open(f"/proc/{pid}/map_files/{start:x}-{end:x}", "rb") as file:
        file.seek(int(fields[2], 16))
        on_disk = file.read(end - start)
    memory.seek(start)
    in_memory = memory.read(len(on_disk))
    if in_memory == on_disk:
        return 0
    return sum(a != b for a, b in zip(in_memory, on_disk))

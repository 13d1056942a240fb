# SPDX-License-Identifier: MIT
"""The functions that an interpreter's types name for resuming generators, as places in its files."""
from target import Target

BREAKPOINT = b"\xcc"


class Slot:
    """linked: the address that the file was linked for."""

    def __init__(self, path, offset, linked):
        self.path, self.offset, self.linked = path, offset, linked


def mappings(pid):
    """(low, high, offset, path) of what is mapped from files."""
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            words = line.split(maxsplit=5)
            if len(words) == 6 and words[5].startswith("/"):
                low, high = (int(word, 16) for word in words[0].split("-"))
                yield low, high, int(words[2], 16), words[5].strip()


def place(address, maps):
    low, offset, path = next((low, offset, path) for low, high, offset, path in maps if low <= address < high)
    base = min(low for low, _, _, other in maps if other == path)
    with open(path, "rb") as file:
        fixed = file.read(18)[16] == 2      # ET_EXEC: runs where it was linked for
    return Slot(path, address - low + offset, address if fixed else address - base)


def find(binary, root):
    """One Slot for each function, by asking the interpreter itself."""
    target = Target(binary, root, "addresses.py")
    try:
        addresses = target.round()
        maps = list(mappings(target.pid))
    finally:
        target.kill()
    return [place(address, maps) for address in sorted(set(addresses.values()))]


def planted(slots, pid):
    """Is there a breakpoint at one of them?"""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for low, high, offset, path in mappings(pid):
            for slot in slots:
                if slot.path == path and offset <= slot.offset < offset + high - low:
                    memory.seek(low + slot.offset - offset)
                    if memory.read(1) == BREAKPOINT:
                        return True
    return False

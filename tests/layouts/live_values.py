# SPDX-License-Identifier: MIT
# What values are made of; put behind live.py by check.py.


class Base:
    pass


class Split(Base):
    def __init__(self, one, two):
        self.one, self.two = one, two


def entries(dictionary):
    """(key, value) addresses of a dict, by the tables."""
    keys, split = field(dictionary, "values.dict_keys"), field(dictionary, "values.dict_values")
    kind = u8(keys + numbers["values.keys_kind"])
    count = u64(keys + numbers["values.keys_nentries"])
    at = keys + numbers["values.keys_indices"] + (1 << u8(keys + numbers["values.keys_log2_index_bytes"]))
    for i in range(count):
        if kind == 0:
            key, value = u64(at + 24 * i + 8), u64(at + 24 * i + 16)
        else:
            key, value = u64(at + 16 * i), u64(at + 16 * i + 8)
        if split:
            value = u64(split + numbers["values.values_first"] + 8 * i)
        if key and value:
            yield key, value


def check_dicts():
    things = [object() for _ in range(1000)]
    general, strings = {thing: i for i, thing in enumerate(things)}, {f"k{i}": t for i, t in enumerate(things)}
    split = vars(Split(things[0], things[1]))
    for name, dictionary in (("general", general), ("small", {1: 2}), ("strings", strings), ("split", split),
                             ("empty", {})):
        check(f"dict {name}", list(entries(dictionary)), [(id(k), id(v)) for k, v in dictionary.items()])
    check("dict of instance is split", field(split, "values.dict_values") != 0, True)
    keys = field(strings, "values.dict_keys")
    log2 = u8(keys + numbers["values.keys_log2_size"])
    check("keys_log2_size", [log2 + (log2 > 7)], [u8(keys + numbers["values.keys_log2_index_bytes"])])


def check_sets():
    for things in ({1, 2, 3}, set(), frozenset(range(100, 600)), {object() for _ in range(50)}):
        mask = u64(id(things) + numbers["values.set_mask"])
        table = u64(id(things) + numbers["values.set_table"])
        slots = [u64(table + 16 * i) for i in range(mask + 1)]
        check("set_used", u64(id(things) + numbers["values.set_used"]), len(things))
        check("set_fill", u64(id(things) + numbers["values.set_fill"]), len(things))
        check("set_table", [at for at in slots if at], [id(thing) for thing in things])
    things = set(range(20))
    things.discard(7)
    check("set_fill, one dropped", u64(id(things) + numbers["values.set_fill"]), 20)
    check("set_used, one dropped", u64(id(things) + numbers["values.set_used"]), 19)


def check_numbers():
    for number in (0, 1, -1, 255, 1 << 29, 1 << 30, -(1 << 30), (1 << 60) + 12345, -(3 ** 300), 7 ** 500, True):
        tag = u64(id(number) + numbers["values.long_tag"])
        if numbers["values.long_is_tagged"]:
            count, sign = tag >> 3, 1 - (tag & 3)
        else:
            count, sign = abs(signed(tag, 64)), -1 if tag >> 63 else 1 if tag else 0
        digits = [u32(id(number) + numbers["values.long_digits"] + 4 * i) for i in range(count)]
        check("int", sign * sum(digit << (30 * i) for i, digit in enumerate(digits)), int(number))
    check("float", ctypes.c_double.from_address(id(2.5) + 16).value, 2.5)
    value = complex(2.5, -3.5)
    check("complex", [ctypes.c_double.from_address(id(value) + 16 + 8 * i).value for i in (0, 1)], [2.5, -3.5])


def check_sequences():
    things = [object() for _ in range(5)]
    items = u64(id(things) + 24)
    check("list", [u64(items + 8 * i) for i in range(5)], [id(thing) for thing in things])
    things = tuple(things)
    check("tuple", [u64(id(things) + numbers["values.tuple_items"] + 8 * i) for i in range(5)], [id(t) for t in things])
    cell = (lambda: things).__closure__[0]
    check("cell", u64(id(cell) + 16), id(cell.cell_contents))


def check_types():
    for kind in (int, list, Base, Split, type(iter([])), type(sys.flags)):
        check("type_name", text(field(kind, "values.type_name")).rsplit(".", 1)[-1], kind.__name__)
        check("type_flags", field(kind, "values.type_flags"), kind.__flags__ & MASK)
        check("type_base", field(kind, "values.type_base"), id(kind.__base__) if kind.__base__ else 0)
    for kind in (Base, Split):
        check("heap_type_qualname", field(kind, "values.heap_type_qualname"), id(kind.__qualname__))
        names = {ctypes.cast(key, ctypes.py_object).value for key, _ in
                 entries(ctypes.cast(field(kind, "values.type_dict"), ctypes.py_object).value)}
        check("type_dict", names, set(vars(kind)))


check_dicts()
check_sets()
check_numbers()
check_sequences()
check_types()

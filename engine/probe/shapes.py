"""What a value looks like from outside: its exact type with element types, its size, and a key for "seen before".

Type names are ``module.Qualname``, containers with the types of the elements looked at: ``builtins.list[builtins.int]``,
``builtins.dict[builtins.str, builtins.float]``, a mixture as ``builtins.int|builtins.str`` in sorted order. An empty
container has no brackets. Nothing of the target's own code is called: only exact builtin types are looked into.
"""

import array
import collections

LOOKED_AT = 24
_SEQUENCES = (list, tuple, set, frozenset, collections.deque)
_MAPPINGS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
_SIZED = (*_SEQUENCES, *_MAPPINGS, str, bytes, bytearray, array.array, range, memoryview)
_PLAIN = (int, str, bytes, bool, float, complex, type(None))
ATTRIBUTES = 24


def name_of(kind):
    return "%s.%s" % (kind.__module__, kind.__qualname__)


def type_name(value, depth=2):
    """The exact type of ``value`` in words, looking at up to LOOKED_AT elements and ``depth`` levels."""
    kind = type(value)
    name = name_of(kind)
    if depth and kind in _SEQUENCES and value:
        return "%s[%s]" % (name, _mixture(_some(value), depth))
    if depth and kind in _MAPPINGS and value:
        keys = _some(value)
        return "%s[%s, %s]" % (name, _mixture(keys, depth), _mixture([value[k] for k in keys], depth))
    return name


def _some(values):
    """The first elements, and for sequences some spread over the rest."""
    if type(values) in (list, tuple) and len(values) > LOOKED_AT:
        half, step = LOOKED_AT // 2, max(1, len(values) // (LOOKED_AT // 2))
        return list(values[:half]) + list(values[half::step])[:half] + [values[-1]]
    found = []
    for each in values:
        found.append(each)
        if len(found) == LOOKED_AT:
            break
    return found


def _mixture(values, depth):
    return "|".join(sorted({type_name(each, depth - 1) for each in values}))


def size_of(value):
    """Length of a builtin container, text or array; None for anything else."""
    kind = type(value)
    if kind in _SIZED:
        return len(value)
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return int(value.size)
    if kind.__module__.startswith("pandas.") and kind.__name__ in ("DataFrame", "Series", "Index"):
        return len(value)
    return None


def weight_of(values):
    """How large a call is: summed sizes first, then summed magnitudes of ints. Ordered, cheap, deterministic."""
    total, numbers = 0, 0
    for value in values:
        if type(value) is int:
            numbers += abs(value)
            continue
        size = size_of(value)
        if size is None:
            size = _attributes_size(value)
        total += size
    return (total, numbers)


def _attributes_size(value):
    held = getattr(type(value), "__dict__", None) and _attributes(value)
    return sum(size_of(each) or 0 for each in held.values()) if held else 0


def _attributes(value):
    """Instance attributes, read without running a property or ``__getattr__`` of the target."""
    if type(value).__module__ == "builtins":
        return {}
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return held if type(held) is dict else {}


def attributes(value):
    """Up to ATTRIBUTES instance attributes by name."""
    return dict(list(_attributes(value).items())[:ATTRIBUTES])


def key_of(values):
    """A hashable key equal for equal plain arguments of equal types, or None when some argument is not plain."""
    parts = []
    for value in values:
        part = _plain_key(value)
        if part is None:
            return None
        parts.append(part)
    return tuple(parts)


def _plain_key(value):
    kind = type(value)
    if kind is float:
        return (kind, value.hex())
    if kind in _PLAIN:
        return (kind, value)
    if kind is tuple and len(value) <= 16 and all(type(each) in _PLAIN for each in value):
        return tuple(_plain_key(each) for each in value)
    return None


class Seen:
    """Types and size range met under one name."""

    def __init__(self):
        self.types = collections.Counter()
        self.sizes = None
        self.values = None

    def add(self, value):
        self.types[type_name(value)] += 1
        size = size_of(value)
        if size is not None:
            self.sizes = _wider(self.sizes, size)
        elif type(value) in (int, float) and value == value and abs(value) < 1e300:
            self.values = _wider(self.values, value)

    def outside(self, value):
        """Whether its size, or its value for a number, lies outside of what was seen."""
        size = size_of(value)
        if size is not None:
            return self.sizes is None or not self.sizes[0] <= size <= self.sizes[1]
        if type(value) in (int, float) and value == value and abs(value) < 1e300:
            return self.values is None or not self.values[0] <= value <= self.values[1]
        return False

    def facts(self):
        facts = {"types": dict(self.types.most_common(24))}
        if self.sizes:
            facts["min_size"], facts["max_size"] = self.sizes
        if self.values:
            facts["min_value"], facts["max_value"] = self.values
        return facts


def _wider(span, value):
    return (value, value) if span is None else (min(span[0], value), max(span[1], value))

"""A short digest of results that is the same wherever the results are equal, without ever calling the target's code.

Only plain data is looked into. Floats count to six digits and numbers of all types alike, so that a rewrite that may
change last bits is not accused here: this is the guard against code that answers otherwise while it is being measured.
"""

import itertools
import types

try:
    from _sha1 import sha1
except ImportError:
    from hashlib import sha1

MOST_NODES = 20000
DEEPEST = 12
CONTAINERS = (list, tuple, set, frozenset, dict)


class _Reader:
    def __init__(self):
        self.left = MOST_NODES

    def read(self, value, depth):
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            return "..."
        kind = type(value)
        if value is None or kind is bool:
            return repr(value)
        if kind in (int, float, complex):
            return _number(value)
        if kind in (str, bytes, bytearray):
            return "%s:%s" % (kind.__name__, sha1(_raw(value)).hexdigest())
        if isinstance(value, CONTAINERS):
            return self.container(value, kind, depth)
        return self.thing(value, kind, depth)

    def container(self, value, kind, depth):
        if isinstance(value, dict):
            pairs = itertools.islice(dict.items(value), self.left)
            parts = ["%s=%s" % (self.read(k, depth + 1), self.read(v, depth + 1)) for k, v in pairs]
        else:
            parts = [self.read(each, depth + 1) for each in itertools.islice(_iterate(value), max(0, self.left))]
        if isinstance(value, (set, frozenset)):
            parts.sort()
        return "%s[%s]" % (kind.__name__, ",".join(parts))

    def thing(self, value, kind, depth):
        """An object by its own attributes where they are a plain dict; else only by its type."""
        if kind.__module__.partition(".")[0] == "numpy":
            return self.array(value, depth)
        if isinstance(value, (type, types.FunctionType, types.ModuleType)):
            return getattr(value, "__name__", "") or kind.__name__
        try:
            state = object.__getattribute__(value, "__dict__")
        except Exception:
            return kind.__name__
        return "%s{%s}" % (kind.__name__, self.read(dict(state), depth + 1) if type(state) is dict else "")

    def array(self, value, depth):
        """A numpy scalar like the number it is; an array by its shape only, since last bits may differ."""
        shape = getattr(value, "shape", None)
        if shape == () and hasattr(value, "item"):
            return self.read(value.item(), depth + 1)
        return "array%s" % (shape,)


def _iterate(value):
    for kind in CONTAINERS:
        if isinstance(value, kind):
            return kind.__iter__(value)
    return iter(())


def _raw(value):
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)


def _number(value):
    if type(value) is int and abs(value) > 1 << 60:
        return "int:%s" % sha1(hex(value).encode()).hexdigest()
    return "%.6g" % value if type(value) is not complex else "%.6g,%.6g" % (value.real, value.imag)


def digest(results):
    """Twenty hexadecimal digits for a list of results."""
    text = _Reader().read(list(results), 0)
    return sha1(text.encode("utf-8", "replace")).hexdigest()[:20]

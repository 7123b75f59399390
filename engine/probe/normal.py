"""The canonical normal form of a value, computed inside the target's interpreter as one digest.

Two values get the same digest exactly when the strict comparator calls them equal: exact types (bool, int and float
differ), float bits with -0.0 apart and every NaN equal, iteration order of dicts, objects by ``__dict__`` and
``__slots__``, and which mutable objects are one and the same. Values added to one :class:`Normal` share their memory
of identities, so adding the arguments and then the result shows which results *are* arguments, at any depth.
Identity of immutable values is an implementation detail and is not looked at. Cycles are allowed.

In numeric mode floats are set aside in ``floats`` to be compared with a tolerance, and numpy scalars count as the
Python scalar of their kind; dtype and shape of arrays stay exact. Standard library only, Python 3.8+.
"""

import copyreg
import enum
import hashlib
import struct
import types

from .looks import (
    NAMED,
    attributes,
    content_of,
    is_lazy,
    is_plain_class,
    name_of,
    special_content,
    static_base,
    type_name,
)

MAX_NODES = 400000
MAX_ITEMS = 500
_SCALARS = frozenset((int, str, bytes, bool, type(None), float))
_EXACT = frozenset((int, str, bytes, bool, type(None)))
_TOKEN = object()


class TooLarge(Exception):
    """The value has more nodes than are worth comparing."""


class Normal:
    """One running digest. ``add`` values, then read ``digest()``; ``opaque`` names the types nobody can look into."""

    def __init__(self, roots=(), numeric=False, consume=False, memo=None, keep=None):
        self.roots = tuple(root for root in roots if root)
        self.numeric = numeric
        self.consume = consume
        self.floats = []
        self.opaque = set()
        self.nodes = 0
        self._memo = {} if memo is None else memo
        self._keep = [] if keep is None else keep
        self._hash = hashlib.blake2b(digest_size=16)

    def digest(self):
        return self._hash.hexdigest()

    def add(self, value):
        """Add one value; raises TooLarge after MAX_NODES nodes."""
        stack = [value]
        while stack:
            item = stack.pop()
            if type(item) is tuple and len(item) == 2 and item[0] is _TOKEN:
                self._token(item[1])
                continue
            self.nodes += 1
            if self.nodes > MAX_NODES:
                raise TooLarge()
            self._expand(item, stack)

    def note(self, text):
        """Add a plain word to the digest."""
        self._token(b"w" + text.encode("utf-8", "surrogatepass"))

    def _token(self, data):
        self._hash.update(b"%d:" % len(data))
        self._hash.update(data)

    def _push(self, stack, *items):
        stack.extend(reversed(items))

    def _expand(self, value, stack):
        handler = _HANDLERS.get(type(value))
        if handler is not None:
            handler(self, value, stack)
        else:
            self._other(value, stack)

    # -- scalars

    def _none(self, value, stack):
        self._token(b"z" + repr(value).encode())

    def _int(self, value, stack):
        self._token(b"i%x" % value if value >= 0 else b"j%x" % -value)

    def _float(self, value, stack):
        if self.numeric:
            self.floats.append(value)
            self._token(b"F")
        else:
            self._token(b"f" + _bits(value))

    def _complex(self, value, stack):
        self._token(b"c")
        self._float(value.real, stack)
        self._float(value.imag, stack)

    def _str(self, value, stack):
        self._token(b"s" + self._text(value).encode("utf-8", "surrogatepass"))

    def _text(self, value):
        for root in self.roots:
            if root in value:
                value = value.replace(root, "<tree>")
        return value

    def _bytes(self, value, stack):
        self._token(b"b" + value)

    # -- containers

    def _seen(self, value):
        """True when this mutable object was met before; its number is then its whole normal form."""
        number = self._memo.get(id(value))
        if number is not None:
            self._token(b"@%d" % number)
            return True
        self._remember(value)
        return False

    def _remember(self, value):
        self._memo[id(value)] = len(self._memo)
        self._keep.append(value)

    def _flat(self, value, mark):
        """Many scalars in a row go into the digest as one text, at the speed of repr."""
        kinds = set(map(type, value))
        if not kinds <= (_EXACT if self.numeric else _SCALARS):
            return False
        try:
            text = repr(value)
        except ValueError:  # an int of more digits than the interpreter turns into text
            return False
        self.nodes += len(value) // 16
        self._token(mark + self._text(text).encode("utf-8", "surrogatepass"))
        return True

    def _sequence(self, value, stack, mark):
        if len(value) > 3 and type(value) in (list, tuple) and self._flat(value, b"H" + mark):
            return
        self._token(mark + b"%d" % len(value))
        self._push(stack, *value)

    def _tuple(self, value, stack):
        self._sequence(value, stack, b"t")

    def _list(self, value, stack):
        if not self._seen(value):
            self._sequence(value, stack, b"l")

    def _dict(self, value, stack):
        if not self._seen(value):
            self._pairs(value, stack)

    def _pairs(self, value, stack):
        self._token(b"d%d" % len(value))
        flat = []
        for pair in dict.items(value):
            flat.extend(pair)
        self._push(stack, *flat)

    def _set(self, value, stack):
        if not self._seen(value):
            self._members(value, b"S")

    def _frozenset(self, value, stack):
        self._members(value, b"Z")

    def _members(self, value, mark):
        """Sets have no order that anyone may rely on, so the members are compared as a bag."""
        forms = []
        for member in value:
            part = Normal(self.roots, self.numeric, False, self._memo, self._keep)
            part.nodes = self.nodes
            part.add(member)
            self.nodes = part.nodes
            self.opaque |= part.opaque
            forms.append((part.digest(), part.floats))
        self._token(mark + b"%d" % len(forms))
        for form, floats in sorted(forms):
            self._token(form.encode())
            self.floats.extend(floats)

    def _bytearray(self, value, stack):
        if not self._seen(value):
            self._token(b"B" + bytes(value))

    # -- everything else

    def _other(self, value, stack):
        kind = type(value)
        if isinstance(value, NAMED):
            self._token(b"n" + name_of(value).encode("utf-8", "surrogatepass"))
        elif isinstance(value, enum.Enum):
            self._token(b"e" + ("%s.%s" % (type_name(kind), value.name)).encode())
        elif isinstance(value, types.MethodType):
            self._token(b"m" + name_of(value.__func__).encode())
            self._push(stack, value.__self__)
        elif kind.__module__.partition(".")[0] == "numpy":
            self._numpy(value, stack)
        elif is_lazy(value):
            self._lazy(value, stack)
        else:
            self._object(value, stack)

    def _numpy(self, value, stack):
        if any(base.__name__ == "generic" for base in type(value).__mro__):
            self._numpy_scalar(value, stack)
        elif type(value).__name__ == "ndarray":
            self._array(value, stack)
        else:
            self._object(value, stack)

    def _array(self, value, stack):
        """Arrays share memory by their outermost base: a view of an argument differs from a copy of it."""
        if id(value) in self._memo:
            return self._token(b"@%d" % self._memo[id(value)])
        root = value
        while getattr(root, "base", None) is not None:
            root = root.base
        shared = self._memo.get(id(root))
        self._remember(value)
        if shared is None:
            self._memo.setdefault(id(root), self._memo[id(value)])
            self._keep.append(root)
        self._token(b"A%d" % (-1 if shared is None else shared))
        self._token(("%s%r" % (value.dtype.str, value.shape)).encode())
        return self._array_content(value, stack)

    def _array_content(self, value, stack):
        if value.dtype.hasobject:
            return self._push(stack, *value.ravel().tolist())
        if value.dtype.kind in "fc":
            if self.numeric:
                return self.floats.extend(_reals(value))
            value = value.copy()
            value[value != value] = float("nan")
        return self._token(value.tobytes())

    def _numpy_scalar(self, value, stack):
        if not self.numeric:
            self._token(b"N" + value.dtype.str.encode())
        return self._push(stack, value.item())

    def _lazy(self, value, stack):
        if self._seen(value):
            return
        self._token(b"L" + type_name(type(value)).encode())
        if self.consume and hasattr(type(value), "__next__"):
            self.drain(value, MAX_ITEMS)
        else:
            self._reduced(value, stack)

    def drain(self, iterator, most):
        """Take up to ``most`` items, each looked at the moment it arrives, and say how it ended."""
        for _ in range(most):
            try:
                item = next(iterator)
            except StopIteration as stop:
                self.note("stop")
                return self.add(stop.value)
            except Exception as error:
                self.note("raised " + type_name(type(error)))
                return None
            self.add(item)
        return self.note("more")

    def _object(self, value, stack):
        if not isinstance(value, (tuple, str, bytes, int, float, complex, frozenset)) and self._seen(value):
            return
        self._token(b"o" + type_name(type(value)).encode())
        special = special_content(value)
        if special is not None:
            return self._push(stack, *special)
        self._base_content(value, stack)
        return None

    def _base_content(self, value, stack):
        content, known = content_of(value)
        state = attributes(value)
        looked_into = known or state or is_plain_class(type(value))
        if not looked_into or (not known and static_base(type(value))):
            return self._reduced(value, stack, state)
        return self._push_state(stack, content + [state])

    def _push_state(self, stack, items):
        # Helper containers made here are not part of the value: they go in as fresh content, never by identity.
        flat = []
        for item in items:
            if type(item) is list:
                flat.append((_TOKEN, b"x%d" % len(item)))
                flat.extend(item)
            else:
                flat.append(item)
        self._push(stack, *flat)

    def _reduced(self, value, stack, state=()):
        try:
            registered = copyreg.dispatch_table.get(type(value))
            reduced = registered(value) if registered else value.__reduce_ex__(2)
        except Exception:
            self.opaque.add(type_name(type(value)))
            return self._push_state(stack, [list(state)])
        if isinstance(reduced, str):
            return self._str(reduced, stack)
        parts = [reduced[0], reduced[1]]
        for extra in reduced[2:5]:
            if hasattr(extra, "__next__"):
                extra = [e for e in extra]
                extra = [x for e in extra for x in (e if type(e) is tuple else (e,))]
            parts.append(extra)
        return self._push_state(stack, parts)


def _bits(value):
    return b"nan" if value != value else struct.pack(">d", value)


def _reals(array):
    if array.dtype.kind == "c":
        return [part for item in array.ravel().tolist() for part in (item.real, item.imag)]
    return [float(item) for item in array.ravel().tolist()]


_HANDLERS = {
    type(None): Normal._none,
    bool: Normal._none,
    type(Ellipsis): Normal._none,
    type(NotImplemented): Normal._none,
    int: Normal._int,
    float: Normal._float,
    complex: Normal._complex,
    str: Normal._str,
    bytes: Normal._bytes,
    tuple: Normal._tuple,
    list: Normal._list,
    dict: Normal._dict,
    set: Normal._set,
    frozenset: Normal._frozenset,
    bytearray: Normal._bytearray,
}

"""How to look into a value without asking it: names, attributes, slots, content of builtins below subclasses."""

import collections
import functools
import io
import re
import struct
import types

NAMED = (
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.ModuleType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)
_VIEWS = (type({}.keys()), type({}.values()), type({}.items()))
_HEAP = 1 << 9

_PLAIN = (str, bytes, bytearray, int, float, complex)


def content_of(value):
    """What an instance of a subclass of a builtin holds as that builtin, read without asking the subclass."""
    if isinstance(value, BaseException):
        return [value.args], True
    if isinstance(value, dict):
        flat = [part for pair in dict.items(value) for part in pair]
        return [getattr(value, "default_factory", None), flat], True
    if isinstance(value, (set, frozenset)):
        return [frozenset(value)], True
    if isinstance(value, (tuple, list)):
        base = tuple if isinstance(value, tuple) else list
        return [base(base.__iter__(value))], True
    for base in _PLAIN:
        if isinstance(value, base):
            return [_raw(base, value)], True
    return [], False


def _raw(base, value):
    if base is str:
        return "".join(str.__iter__(value))
    if base is int:
        return int.__add__(value, 0)
    if base is float:
        return struct.unpack(">d", struct.pack(">d", value))[0]
    if base is complex:
        return complex(value.real, value.imag)
    return bytes(base.__iter__(value))


def type_name(kind):
    return "%s.%s" % (getattr(kind, "__module__", "?"), getattr(kind, "__qualname__", repr(kind)))


def name_of(value):
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "?")
    return "%s:%s.%s" % (type(value).__name__, getattr(value, "__module__", ""), name)


def is_lazy(value):
    """An iterator, coroutine or async generator: something that works later, when asked."""
    kind = type(value)
    if isinstance(value, io.IOBase):
        return False
    if isinstance(value, (types.CoroutineType, types.AsyncGeneratorType)):
        return True
    return hasattr(kind, "__next__") and hasattr(kind, "__iter__")


def attributes(value):
    """Names and values of ``__dict__`` (by name) and of every slot of the class and its bases, as a flat list."""
    found = []
    own = getattr(value, "__dict__", None)
    if type(own) is dict:
        for name in sorted(own, key=str):
            found += [name, own[name]]
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            if name in ("__dict__", "__weakref__"):
                continue
            hidden = name.startswith("__") and not name.endswith("__")
            mangled = "_%s%s" % (kind.__name__.lstrip("_"), name) if hidden else name
            try:
                found += [mangled, object.__getattribute__(value, mangled)]
            except AttributeError:
                found.append(mangled + " is not set")
    return found


def is_plain_class(kind):
    return all(base is object or "__slots__" in base.__dict__ or "__dict__" in base.__dict__ for base in kind.__mro__)


def static_base(kind):
    """A base written in C (not a builtin handled above) holds state that no attribute shows."""
    return any(base is not object and not base.__flags__ & _HEAP for base in kind.__mro__)


def special_content(value):
    """Content of types that can neither be pickled nor looked into by attributes."""
    if isinstance(value, re.Match):
        return [value.re.pattern, value.re.flags, value.string, value.regs, value.pos, value.endpos]
    if isinstance(value, (io.StringIO, io.BytesIO)):
        return ["closed"] if value.closed else [value.getvalue(), value.tell()]
    if isinstance(value, io.IOBase):
        return [str(getattr(value, "name", "")), str(getattr(value, "mode", "")), value.closed]
    if isinstance(value, memoryview):
        return [value.format, value.shape, value.tobytes()]
    if isinstance(value, types.MappingProxyType):
        return [part for pair in value.items() for part in pair]
    if isinstance(value, _VIEWS):
        return list(value)
    if isinstance(value, functools.partial):
        return [value.func, value.args, [part for pair in value.keywords.items() for part in pair]]
    if type(value) is collections.deque:
        return [value.maxlen, len(value)] + list(value)
    return None


def preview(value, most=160):
    """A short repr for people; never raises."""
    try:
        text = repr(value)
    except Exception as error:
        text = "<%s whose repr raises %s>" % (type_name(type(value)), type(error).__name__)
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text[: 4 * most])
    return text if len(text) <= most else text[: most - 1] + "\u2026"

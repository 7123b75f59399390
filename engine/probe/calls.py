"""Recorded calls: how arguments are frozen to bytes, thawed into fresh copies, and how a target is found again.

Self-contained, so that a script beside it may import it alone. A frozen call is a pickle of ``(args, kwargs)`` with
three additions: functions that cannot be imported (lambdas, local functions) travel as code, modules as names, and
bare ``object()`` sentinels as the place they live at, so that ``x is MISSING`` still holds after thawing.
"""

import importlib
import io
import json
import marshal
import os
import pickle
import re
import sys
import types

CALL_BYTES = 1 << 20
DEPTH = 3000


class Unfreezable(Exception):
    """These arguments cannot be kept; the message is the reason in words."""


class TooLarge(Unfreezable):
    """More bytes than a call may take."""


def load_calls(path, source=""):
    """The distinct calls of one target, each a dict: ``args``, ``kwargs``, ``count``, ``source``, ``blob``.

    ``source`` is "benchmark" or "test" and narrows the list when given. ``thaw(call["blob"])`` gives another fresh
    copy. Calls that no longer load (a class was renamed, say) are left out.
    """
    prepare(os.path.dirname(os.path.abspath(path)))
    calls = []
    for item in raw_calls(path):
        if source and item["source"] != source:
            continue
        try:
            args, kwargs = thaw(item["blob"])
        except Exception:
            continue
        calls.append(dict(item, args=args, kwargs=kwargs))
    return calls


def raw_calls(path):
    """The stored items as they are, not thawed: ``blob``, ``count``, ``source``, ``size``, ``key``."""
    items = []
    with open(path, "rb") as stream:
        while True:
            try:
                items.append(pickle.load(stream))
            except EOFError:
                return items


def prepare(folder, tree=""):
    """Make importable what was importable while recording: test folders the runner had put on the path.

    They go to the end of ``sys.path``, below ``tree`` (the current directory when empty).
    """
    try:
        with open(os.path.join(folder, "index.json"), encoding="utf-8") as stream:
            paths = json.load(stream).get("paths", [])
    except (OSError, ValueError):
        paths = []
    for path in paths:
        full = os.path.normpath(os.path.join(tree or os.getcwd(), path))
        if full not in sys.path:
            sys.path.append(full)


def resolve(module, qualname):
    """Find a target again: ``(owner, name, function)``.

    ``owner`` is the module or class whose attribute ``name`` (mangled where private) leads to it; ``function`` is the
    plain function under property, staticmethod, classmethod and decorators. Raises LookupError in words.
    """
    owner = importlib.import_module(module)
    parts = qualname.split(".")
    for part in parts[:-1]:
        owner = _own(owner, part)
    name = parts[-1]
    if isinstance(owner, type) and name.startswith("__") and not name.endswith("__"):
        name = "_" + owner.__name__.lstrip("_") + name
    return owner, name, plain(_own(owner, name), qualname)


def _own(owner, name):
    try:
        return vars(owner)[name]
    except (KeyError, TypeError):
        raise LookupError("%s has no attribute %s of its own" % (getattr(owner, "__name__", owner), name)) from None


def plain(value, qualname=""):
    """The function that was written in the source, whatever it has been wrapped in; raises LookupError."""
    for _ in range(50):
        inner = _unwrap(value, qualname)
        if inner is None:
            break
        value = inner
    if not isinstance(value, types.FunctionType):
        raise LookupError("%s is not a Python function any more (%s)" % (qualname, type(value).__name__))
    return value


def _unwrap(value, qualname):
    if isinstance(value, property):
        return value.fget
    for name in ("__func__", "__wrapped__", "func"):
        inner = getattr(value, name, None)
        if callable(inner) or isinstance(inner, (staticmethod, classmethod)):
            return inner
    if isinstance(value, types.FunctionType) and qualname and value.__qualname__ != qualname:
        return _in_closure(value, qualname)
    return None


def _in_closure(function, qualname):
    for cell in function.__closure__ or ():
        try:
            inner = cell.cell_contents
        except ValueError:
            continue
        if isinstance(inner, types.FunctionType) and inner.__qualname__ == qualname:
            return inner
    return None


class _Limited(io.BytesIO):
    """A buffer that refuses to grow past the limit, so that a huge argument costs no more than the limit."""

    def __init__(self, limit):
        io.BytesIO.__init__(self)
        self.limit = limit

    def write(self, data):
        if self.tell() + len(data) > self.limit:
            raise TooLarge("one call's arguments take more than %d bytes" % self.limit)
        return io.BytesIO.write(self, data)


class _Pickler(pickle.Pickler):
    def __init__(self, stream, names):
        pickle.Pickler.__init__(self, stream, 4)
        self.names = names

    def reducer_override(self, value):
        if isinstance(value, types.ModuleType):
            return importlib.import_module, (value.__name__,)
        if isinstance(value, types.FunctionType) and not _importable(value):
            return _function_parts(value)
        if type(value) is object:
            return _codeflash_named, _sentinel(value, self.names)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        """Our own two functions are found here, whatever name this file was loaded under."""
        ours = {"_codeflash_function": _codeflash_function, "_codeflash_named": _codeflash_named}
        return ours.get(name) or pickle.Unpickler.find_class(self, module, name)


def freeze(args, kwargs, names=(), limit=CALL_BYTES):
    """``(args, kwargs)`` as bytes. ``names`` are modules to look for sentinels in. Raises Unfreezable, in words."""
    stream = _Limited(limit)
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEPTH))
    try:
        _Pickler(stream, names).dump((args, kwargs))
    except Unfreezable:
        raise
    except RecursionError:
        raise Unfreezable("an argument is nested too deeply to copy") from None
    except Exception as error:
        raise Unfreezable("an argument cannot be copied: %s" % _short(error)) from None
    finally:
        sys.setrecursionlimit(before)
    return stream.getvalue()


def thaw(blob):
    """A fresh copy: ``(args, kwargs)``. Raises whatever the classes of the arguments raise when rebuilt."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEPTH))
    try:
        return _Unpickler(io.BytesIO(blob)).load()
    finally:
        sys.setrecursionlimit(before)


def _short(error):
    text = re.sub(r" at 0x[0-9a-f]+", "", " ".join(str(error).split()))
    return (text or type(error).__name__)[:160]


def _sentinel(value, names):
    for name in names:
        for key, held in list(getattr(sys.modules.get(name), "__dict__", {}).items()):
            if held is value:
                return name, key
    raise Unfreezable("an argument is a bare object() that no module of the repo names")


def _codeflash_named(module, name):
    """The counterpart of freezing a sentinel: the one object that lives there."""
    return getattr(importlib.import_module(module), name)


def _importable(function):
    found = sys.modules.get(function.__module__)
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function


def _function_parts(function):
    cells = []
    for cell in function.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:
            raise Unfreezable("an argument is a function over a variable that has no value yet") from None
        if content is function:
            raise Unfreezable("an argument is a local function that refers to itself")
        cells.append(content)
    if function.__module__ not in sys.modules:
        raise Unfreezable("an argument is a function of no known module")
    code = marshal.dumps(function.__code__)
    parts = (code, function.__module__, function.__name__, function.__qualname__, function.__defaults__)
    return _codeflash_function, (*parts, function.__kwdefaults__, tuple(cells))


def _codeflash_function(code, module, name, qualname, defaults, kwdefaults, cells):
    """The counterpart of freezing a function that cannot be imported."""
    scope = importlib.import_module(module).__dict__
    closure = tuple(types.CellType(each) for each in cells) or None
    function = types.FunctionType(marshal.loads(code), scope, name, defaults, closure)
    function.__kwdefaults__ = kwdefaults
    function.__qualname__, function.__module__ = qualname, module
    return function

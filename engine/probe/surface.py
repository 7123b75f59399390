"""What importing does: every module of the repo's packages in a process of its own, one JSON line each.

A module's surface is its public names with their kinds and signatures, what it prints and warns about on import, and
which names a star import brings. Standard library only; forks, so it needs a POSIX system.
"""

import ast
import importlib
import inspect
import io
import json
import os
import sys
import types
import typing
import warnings

from .looks import type_name
from .suite import LineFinder


def main(options):
    """Options: ``tree``, ``modules`` (dotted names), ``lines`` or null. The nonce comes on standard input."""
    nonce = sys.stdin.readline().strip()
    sys.stdin = open(os.devnull)
    channel = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    for name in options["modules"]:
        _say(channel, dict(_in_child(name, options), kind="module", module=name, nonce=nonce))
    _say(channel, {"kind": "end", "nonce": nonce})
    return 0


def _say(channel, line):
    os.write(channel, (json.dumps(line) + "\n").encode())


def _in_child(name, options):
    """A fork of this clean interpreter is as fresh as a new process, and much cheaper."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _write_all(writer, json.dumps(_surface(name, options)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    try:
        return json.loads(data.decode())
    except ValueError:
        return {"error": "the process ended while importing"}


def _write_all(writer, data):
    with os.fdopen(writer, "wb") as stream:
        stream.write(data)


def _surface(name, options):
    out, finder = io.StringIO(), LineFinder(options.get("lines"))
    sys.stdout = sys.stderr = out
    with warnings.catch_warnings(record=True) as caught, finder:
        warnings.simplefilter("always")
        try:
            module = importlib.import_module(name)
            facts = _facts(module)
        except BaseException as error:
            return {"error": "%s: %s" % (type(error).__name__, str(error)[:200])}
    texts = ["%s: %s" % (type_name(each.category), each.message) for each in caught]
    facts.update(printed=out.getvalue()[:2000], warned=texts[:20], lines=sorted(finder.seen))
    return facts


def _facts(module):
    names = {each for each in dir(module) if not each.startswith("_")} | set(getattr(module, "__all__", ()))
    borrowed = _borrowed(module)
    public = {}
    for name in sorted(names):
        try:
            public[name] = dict(_kind(getattr(module, name)), own=name not in borrowed)
        except Exception as error:
            public[name] = {"kind": "missing", "is": type(error).__name__, "own": True}
    return {"public": public, "star": _star(module), "hints": _hints(module), "all": _declared(module)}


def _borrowed(module):
    """Names that import statements bind; in a package's __init__ what comes from the package itself is its own."""
    try:
        with open(module.__file__, "rb") as stream:
            tree = ast.parse(stream.read())
    except (OSError, AttributeError, TypeError, SyntaxError, ValueError):
        return set()
    names, top = set(), module.__name__.partition(".")[0]
    for node in _statements(tree.body):
        source = "" if isinstance(node, ast.Import) else (node.module or "")
        inner = isinstance(node, ast.ImportFrom) and (node.level or source.partition(".")[0] == top)
        if not (inner and hasattr(module, "__path__")):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    return names


def _statements(body):
    """Import statements at module level, also below if, try and with."""
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            for part in ("body", "orelse", "finalbody"):
                for found in _statements(getattr(node, part, [])):
                    yield found
            for handler in getattr(node, "handlers", []):
                for found in _statements(handler.body):
                    yield found


def _declared(module):
    names = getattr(module, "__all__", None)
    return None if names is None else [str(name) for name in names]


def _kind(value):
    """What a name is bound to, as far as a reader of the module can tell."""
    if isinstance(value, types.ModuleType):
        return {"kind": "module", "is": value.__name__}
    if isinstance(value, (type, types.FunctionType)):
        found = {"kind": type(value).__name__, "is": type_name(value)}
        return dict(found, signature=_signature(value), members=_members(value))
    if isinstance(value, types.BuiltinFunctionType):
        return {"kind": "builtin", "is": type_name(value)}
    return {"kind": type_name(type(value)), "is": ""}


def _signature(value):
    try:
        signature = inspect.signature(value)
    except (ValueError, TypeError):
        return ""
    bare = [parameter.replace(annotation=inspect.Parameter.empty, default=None if
            parameter.default is not inspect.Parameter.empty else parameter.default)
            for parameter in signature.parameters.values()]
    try:
        return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    except ValueError:
        return str([(each.name, str(each.kind)) for each in bare])


def _members(value):
    if not isinstance(value, type):
        return []
    return sorted(name for name in vars(value) if not name.startswith("_"))


def _star(module):
    scope = {}
    try:
        exec("from %s import *" % module.__name__, scope)
    except Exception as error:
        return ["<%s>" % type(error).__name__]
    return sorted(name for name in scope if name != "__builtins__")


def _hints(module):
    """Functions and classes of this module whose annotations can be evaluated."""
    good = []
    for name, value in sorted(vars(module).items()):
        if isinstance(value, (type, types.FunctionType)) and getattr(value, "__module__", "") == module.__name__:
            try:
                typing.get_type_hints(value)
                good.append(name)
            except Exception:
                continue
    return good

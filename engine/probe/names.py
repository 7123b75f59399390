"""From code objects to targets: which function of the repo a piece of running code belongs to.

A target is a function at module level or in a class. Nested functions, lambdas and comprehensions belong to the
function that holds them; code of a module or class body belongs to ``<module>``. Files are read with the target's own
grammar. Tests, benchmarks and everything outside the tree are nobody's.
"""

import ast
import bisect
import os
import re

MODULE = "<module>"
_TEST_FILE = re.compile(r"^(test_.*|.*_test|tests|conftest|setup|noxfile|fabfile)\.py$")
_TEST_DIR = frozenset(
    "test tests benchmark benchmarks asv_bench docs doc .git .venv venv env node_modules site-packages .tox .nox "
    "build dist __pycache__".split()
)


class Owner:
    """One target: relative posix path, qualified name, line of its ``def``, kind and laziness."""

    __slots__ = ("first", "id", "kind", "last", "lazy", "line", "path", "qualname")

    def __init__(self, path, qualname, first=1, line=1, last=1, kind="function", lazy=False):
        self.path, self.qualname, self.first, self.line, self.last = path, qualname, first, line, last
        self.kind, self.lazy = kind, lazy
        self.id = "%s::%s" % (path, qualname)


class Names:
    """Looks up code objects; every answer is remembered."""

    def __init__(self, tree, roots=(), skip=()):
        self.tree = os.path.realpath(tree) + os.sep
        self.roots = tuple(os.path.normpath(r) for r in roots)
        self.skip = frozenset(os.path.normpath(s) for s in skip)
        self._files = {}
        self._codes = {}

    def of(self, code):
        """The Owner of a code object, or None when it is not the repo's."""
        known = self._codes.get(id(code))
        if known is None:
            known = self._codes[id(code)] = (code, self._find(code))
        return known[1]

    def at(self, filename, line):
        """The Owner of a line of a file, or None."""
        functions = self.file(filename)
        return functions.at(line) if functions else None

    def file(self, filename):
        """The functions of a file that is the repo's own, else None."""
        if filename not in self._files:
            path = self.relative(filename)
            self._files[filename] = File(self.tree, path) if path and self.wanted(path) else None
        return self._files[filename]

    def relative(self, filename):
        """The posix path below the tree, or an empty string."""
        if not filename or filename.startswith("<"):
            return ""
        full = os.path.realpath(filename)
        return full[len(self.tree) :].replace(os.sep, "/") if full.startswith(self.tree) else ""

    def wanted(self, path):
        """Whether a file below the tree is the repo's product, not its tests or tools."""
        parts = path.split("/")
        if _TEST_FILE.match(parts[-1]) or _TEST_DIR.intersection(parts[:-1]):
            return False
        if _below(path, self.skip):
            return False
        return not self.roots or _below(path, self.roots)

    def _find(self, code):
        functions = self.file(code.co_filename)
        return functions.of(code) if functions else None


def _below(path, folders):
    return any(folder == "." or path == folder or path.startswith(folder + "/") for folder in folders)


class File:
    """The functions of one source file, by line."""

    def __init__(self, tree, path):
        self.path = path
        self.module = Owner(path, MODULE)
        self.functions = []
        try:
            with open(os.path.join(tree, path), "rb") as stream:
                self._walk(ast.parse(stream.read()), "")
        except (OSError, SyntaxError, ValueError, RecursionError):
            self.functions = []
        self.functions.sort(key=lambda owner: owner.first)
        self._firsts = [owner.first for owner in self.functions]

    def at(self, line):
        place = bisect.bisect_right(self._firsts, line) - 1
        if place >= 0 and line <= self.functions[place].last:
            return self.functions[place]
        return self.module

    def of(self, code):
        if code.co_name == MODULE:
            return self.module
        return self.at(code.co_firstlineno)

    def _walk(self, node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions.append(self._owner(child, prefix))
            elif isinstance(child, ast.ClassDef):
                self._walk(child, prefix + child.name + ".")
            elif not isinstance(child, ast.expr):
                self._walk(child, prefix)

    def _owner(self, node, prefix):
        first = min([node.lineno] + [d.lineno for d in node.decorator_list])
        static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
        kind = "method" if prefix and not static else "function"
        if isinstance(node, ast.AsyncFunctionDef):
            kind = "coroutine"
        return Owner(self.path, prefix + node.name, first, node.lineno, node.end_lineno, kind, _yields(node))


def _yields(node):
    """Whether the function itself (not one nested in it) is a generator."""
    stack = list(node.body)
    while stack:
        each = stack.pop()
        if isinstance(each, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(each))
    return False

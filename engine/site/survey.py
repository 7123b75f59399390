"""What the rest of a repo does with a file: who imports which names from it, what tests replace, what imports do.

A survey is made once a commit from all Python files. It reads source only; doubt counts as use.
"""

from __future__ import annotations

import ast
import posixpath
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.site import known
from engine.site.known import words
from engine.site.source import SiteError, parse, read_source

_EVALUATES = frozenset({"get_type_hints", "get_annotations", "eval_str", "signature", "singledispatch"})


@dataclass
class File:
    """One file: dotted name, imports as (module, name), attribute names used, text of patch targets."""

    path: str
    module: str
    tree: ast.Module | None
    imported: set[tuple[str, str]] = field(default_factory=set)
    stars: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    patched: set[str] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)
    stored: set[tuple[str, str]] = field(default_factory=set)


class Survey:
    """Answers about one repo at one commit."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.modules = {path: module_name(path, files) for path in files}
        self.files = {path: _read(path, self.modules[path], source) for path, source in sorted(files.items())}
        self.by_module = {file.module: file for file in self.files.values()}
        self._quiet: dict[str, bool] = {}

    def module(self, path: str) -> str:
        """The dotted name of ``path``; empty when it is not part of the survey."""
        return self.modules.get(path, "")

    def patched(self, path: str) -> frozenset[str]:
        """Bare names that some other file replaces by a patch, whatever it patches them on."""
        return frozenset(name for file in self.files.values() if file.path != path for name in file.patched)

    def used_elsewhere(self, path: str, name: str) -> bool:
        """Whether another file imports ``name`` from ``path``, patches it, or may reach it by attribute."""
        module = self.module(path)
        for file in self.files.values():
            if file.path == path:
                continue
            if (module, name) in file.imported or module in file.stars:
                return True
            if name in file.patched or any(text.endswith(f".{name}") for text in file.strings):
                return True
            if name in file.attributes and self._may_hold(file, module, name):
                return True
        return False

    def _may_hold(self, file: File, module: str, name: str) -> bool:
        """Whether ``file`` imports ``module`` at all, so that ``something.name`` could mean it."""
        top, _, last = module.rpartition(".")
        reach = {module, top} | ({last} if not top else set())
        return any(base in reach or f"{base}.{item}" == module for base, item in file.imported)

    def submodules(self, package: str) -> frozenset[str]:
        """Names of the modules and packages directly inside ``package``."""
        prefix = f"{package}."
        inside = [name.removeprefix(prefix) for name in self.by_module if name.startswith(prefix)]
        return frozenset(name.partition(".")[0] for name in inside)

    def star_imported(self, module: str) -> bool:
        return any(module in file.stars for file in self.files.values())

    def evaluators(self) -> tuple[File, ...]:
        """Files that may evaluate annotations at run time."""
        return tuple(
            file
            for file in self.files.values()
            if _EVALUATES & (file.attributes | {name for _, name in file.imported})
        )

    def may_evaluate(self, path: str) -> bool:
        """Whether a file that evaluates annotations is this one, or either of them imports the other."""
        module = self.module(path)
        mine = self.files[path].imported if path in self.files else set()
        for file in self.evaluators():
            theirs = {name for base, item in file.imported for name in (base, f"{base}.{item}")}
            ours = {name for base, item in mine for name in (base, f"{base}.{item}")}
            if (
                file.path == path
                or file.module in ours
                or module in theirs
                or module.partition(".")[0] in theirs
            ):
                return True
        return False

    def quiet(self, module: str) -> bool:
        """Whether importing ``module`` only defines things: of this repo by reading it, else by the known lists."""
        if module not in self._quiet:
            self._quiet[module] = True  # a cycle is quiet if the rest of it is
            self._quiet[module] = self._is_quiet(module)
        return self._quiet[module]

    def _is_quiet(self, module: str) -> bool:
        top = module.partition(".")[0]
        parents = [module.rsplit(".", n)[0] for n in range(1, module.count(".") + 1)]
        if module not in self.by_module and not any(each in self.by_module for each in parents):
            if top in sys.stdlib_module_names:
                return top not in known.QUIET_STDLIB_EXCEPT and not top.startswith("_")
            return top in known.QUIET_PACKAGES
        file = self.by_module.get(module)
        if file is None or file.tree is None:
            return False
        return all(self._quiet_statement(each, file) for each in file.tree.body) and all(
            self.quiet(each) for each in parents if each in self.by_module
        )

    def _quiet_statement(self, node: ast.stmt, file: File) -> bool:
        if isinstance(node, ast.Import):
            return all(self.quiet(alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            return self._quiet_from(node, file)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return all(_quiet_decorator(each) for each in node.decorator_list) and _quiet_defaults(node)
        if isinstance(node, ast.ClassDef):
            return self._quiet_class(node, file)
        if isinstance(node, ast.Assign):
            return all(isinstance(target, ast.Name) for target in node.targets) and quiet_value(node.value)
        if isinstance(node, ast.AnnAssign):
            return isinstance(node.target, ast.Name) and (node.value is None or quiet_value(node.value))
        if isinstance(node, ast.If):
            return _is_type_checking(node.test) and not node.orelse
        return isinstance(node, ast.Pass) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        )

    def _quiet_from(self, node: ast.ImportFrom, file: File) -> bool:
        base = absolute(node, file.module, file.path)
        if base == "__future__":
            return True
        inner = [f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in self.by_module]
        return bool(base) and self.quiet(base) and all(self.quiet(each) for each in inner)

    def _quiet_class(self, node: ast.ClassDef, file: File) -> bool:
        if node.keywords or not all(_quiet_decorator(each) for each in node.decorator_list):
            return False
        if not all(isinstance(base, ast.Name | ast.Attribute) and _quiet_base(base) for base in node.bases):
            return False
        return all(self._quiet_statement(each, file) for each in node.body)


_QUIET_BASES = words(
    "object Exception ValueError TypeError KeyError RuntimeError LookupError OSError IndexError "
    "NamedTuple Protocol TypedDict Enum IntEnum StrEnum ABC Generic dict list"
)


def _quiet_base(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in _QUIET_BASES


def _quiet_decorator(node: ast.expr) -> bool:
    """Decorators of the language and of dataclasses and functools, which register nothing."""
    called = node.func if isinstance(node, ast.Call) else node
    name = (
        called.attr
        if isinstance(called, ast.Attribute)
        else called.id
        if isinstance(called, ast.Name)
        else ""
    )
    return name in {
        "property", "staticmethod", "classmethod", "dataclass", "cached_property", "lru_cache", "cache", "wraps",
        "contextmanager", "asynccontextmanager", "abstractmethod", "overload", "total_ordering", "setter", "final",
    }  # fmt: skip


def _quiet_defaults(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(
        quiet_value(each) for each in [*node.args.defaults, *node.args.kw_defaults] if each is not None
    )


_QUIET_CALLS = words(
    "frozenset set dict list tuple range TypeVar NamedTuple namedtuple field object float int str"
)


def quiet_value(node: ast.expr) -> bool:
    """A value that only builds plain things: displays, constants, names, arithmetic, a few constructors."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            func = each.func
            name = func.id if isinstance(func, ast.Name) else ""
            compiled = isinstance(func, ast.Attribute) and ast.unparse(func) in (
                "re.compile",
                "logging.getLogger",
            )
            if name not in _QUIET_CALLS and not compiled:
                return False
        elif isinstance(each, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom):
            return False
    return True


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def survey(files: Mapping[str, bytes]) -> Survey:
    """Survey the Python files of a repo: posix path relative to its top -> source."""
    return Survey({path: source for path, source in files.items() if path.endswith(".py")})


def module_name(path: str, files: Mapping[str, bytes]) -> str:
    """The dotted name under which ``path`` is imported: from the highest folder that is not a package itself."""
    parts = path.removesuffix(".py").split("/")
    start = len(parts) - 1
    while start > 0 and "/".join([*parts[:start], "__init__.py"]) in files:
        start -= 1
    named = parts[start:]
    return ".".join(named[:-1] if named[-1] == "__init__" and len(named) > 1 else named)


def absolute(node: ast.ImportFrom, module: str, path: str) -> str:
    """The dotted module that a ``from`` import reads, relative ones resolved; empty when they lead outside."""
    if not node.level:
        return node.module or ""
    parts = module.split(".") if module else []
    drop = node.level - (1 if posixpath.basename(path) == "__init__.py" else 0)
    if drop > len(parts):
        return ""
    base = parts[: len(parts) - drop]
    return ".".join([*base, *([node.module] if node.module else [])])


def _read(path: str, module: str, source: bytes) -> File:
    try:
        tree = parse(read_source(source).text, path)
    except SiteError:
        return File(path=path, module=module, tree=None)
    file = File(path=path, module=module, tree=tree)
    for node in ast.walk(tree):
        _note(node, file)
    bound = {name.partition(".")[0] for pair in file.imported for name in pair if name}
    bound |= {name.rpartition(".")[2] for pair in file.imported for name in pair if name}
    bound |= {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.alias)
        for alias in [node]
        if alias.asname
    }
    file.patched.update(attribute for base, attribute in file.stored if base in bound)
    return file


def _note(node: ast.AST, file: File) -> None:
    if isinstance(node, ast.Import):
        file.imported.update((alias.name, "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = absolute(node, file.module, file.path)
        file.imported.update((base, alias.name) for alias in node.names)
        if any(alias.name == "*" for alias in node.names):
            file.stars.add(base)
    elif isinstance(node, ast.Attribute):
        file.attributes.add(node.attr)
        if isinstance(node.ctx, ast.Store | ast.Del) and isinstance(node.value, ast.Name):
            file.stored.add((node.value.id, node.attr))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
        if node.value.replace(".", "").isidentifier() and "." in node.value:
            file.strings.add(node.value)
    elif isinstance(node, ast.Call):
        _note_call(node, file)
    elif isinstance(node, ast.keyword) and node.arg == "eval_str":
        file.attributes.add("eval_str")


_PATCHERS = frozenset({"patch", "object", "setattr", "delattr", "spy", "stub"})


def _note_call(node: ast.Call, file: File) -> None:
    """``mock.patch("a.b.name")``, ``patch.object(mod, "name")``, ``monkeypatch.setattr(mod, "name", ..)``."""
    func = node.func
    name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
    if name not in _PATCHERS:
        return
    for arg in node.args[:2]:
        if isinstance(arg, ast.Constant) and isinstance(arg.value, str):
            last = arg.value.rpartition(".")[2].rpartition(":")[2]
            if last.isidentifier():
                file.patched.add(last)

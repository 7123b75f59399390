"""Exact types of expressions in one function: observed types of parameters, carried forward by the language's rules.

Answers are sets of alternatives (see :mod:`engine.site.kinds`); ``None`` whenever something could be anything else.
"""

from __future__ import annotations

import ast
from functools import cached_property

from engine.facts import Facts
from engine.site import known, roles
from engine.site.kinds import (
    BOOL,
    BYTES,
    CONTAINERS,
    FLOAT,
    INT,
    MUTABLE,
    NONE,
    NUMBERS,
    ONE_ITEM,
    SEQUENCES,
    STR,
    WHOLE,
    Kind,
    Kinds,
    elements,
    immutable,
    join,
    merged,
    names,
    observed,
    only,
    union,
    within,
)
from engine.site.scopes import FUNCTIONS, Scope, Scopes

ROUNDS = 8
NOTHING: Kinds = frozenset()
BOOLS: Kinds = only(BOOL)
PLAIN = {
    int: INT,
    float: FLOAT,
    bool: BOOL,
    str: STR,
    bytes: BYTES,
    type(None): NONE,
    complex: Kind("complex"),
}


class Types:
    """Types of the expressions of ``function`` (a function node or the module)."""

    def __init__(self, scopes: Scopes, function: ast.AST, facts: Facts, patched: frozenset[str]) -> None:
        self.scopes, self.function, self.facts, self.patched = scopes, function, facts, patched
        self._own = scopes.scope(function)
        self._env: dict[tuple[Scope, str], Kinds | None] = {}
        self._memo: dict[int, tuple[ast.expr, Kinds | None]] = {}
        self._solved = False
        self._depth = 0
        self._changes = roles.changes_something(function)
        self._solve()
        self._solved = True

    # names

    def builtin(self, use: ast.expr) -> str:
        """The builtin that ``use`` names, or an empty string: not rebound anywhere it could be seen, not patched."""
        if not isinstance(use, ast.Name) or self.scopes.star_import or use.id in self.patched:
            return ""
        import builtins

        if self.scopes.resolve(use) is not None or not hasattr(builtins, use.id):
            return ""
        return use.id

    def module_of(self, use: ast.expr) -> str:
        """The module that ``use`` names through one unpatched ``import`` at module level; empty when it is not sure."""
        if not isinstance(use, ast.Name) or use.id in self.patched:
            return ""
        owner = self.scopes.resolve(use)
        if owner is None or not owner.is_module:
            return ""
        bound = owner.bindings[use.id]
        if len(bound) != 1 or not isinstance(bound[0], ast.alias):
            return ""
        parent = self.scopes.parents.get(bound[0])
        if not isinstance(parent, ast.Import) or self.scopes.parents.get(parent) is not self.scopes.tree:
            return ""
        alias = bound[0]
        return alias.name if alias.asname or "." not in alias.name else ""

    def imported(self, use: ast.expr) -> str:
        """``module.name`` that a plain name or an attribute of a module stands for; empty when it is not sure."""
        if isinstance(use, ast.Attribute):
            module = self.module_of(use.value) or self._dotted(use.value)
            return f"{module}.{use.attr}" if module and use.attr not in self.patched else ""
        if not isinstance(use, ast.Name) or use.id in self.patched:
            return ""
        owner = self.scopes.resolve(use)
        if owner is None or not owner.is_module or len(owner.bindings[use.id]) != 1:
            return ""
        alias = owner.bindings[use.id][0]
        parent = self.scopes.parents.get(alias)
        if not isinstance(alias, ast.alias) or not isinstance(parent, ast.ImportFrom) or parent.level:
            return ""
        return f"{parent.module}.{alias.name}" if self.scopes.parents.get(parent) is self.scopes.tree else ""

    def _dotted(self, use: ast.expr) -> str:
        """``a.b`` as written, when ``import a.b`` at module level is what ``a`` stands for."""
        words = ast.unparse(use) if isinstance(use, ast.Attribute) else ""
        while isinstance(use, ast.Attribute):
            use = use.value
        owner = self.scopes.resolve(use) if isinstance(use, ast.Name) else None
        if (
            not words
            or owner is None
            or not owner.is_module
            or not isinstance(use, ast.Name)
            or use.id in self.patched
        ):
            return ""
        bound = owner.bindings[use.id]
        plain = all(isinstance(self.scopes.parents.get(b), ast.Import) for b in bound)
        return words if plain and any(isinstance(b, ast.alias) and b.name == words for b in bound) else ""

    def of(self, node: ast.expr) -> Kinds | None:
        """The kinds of ``node``; an empty set only while nothing is known to reach it."""
        held = self._memo.get(id(node))
        if held is not None:
            return held[1]
        method = getattr(self, f"_of_{type(node).__name__}", None)
        if method is None or self._depth > 60:
            return None
        self._depth += 1
        try:
            found: Kinds | None = method(node)
        finally:
            self._depth -= 1
        if self._solved:
            self._memo[id(node)] = (node, found)
        return found

    def name(self, scope: Scope, name: str) -> Kinds | None:
        return self._env.get((scope, name))

    def _solve(self) -> None:
        """Grow from "nothing seen" until no binding adds an alternative; what keeps growing is unknown."""
        scopes = [scope for scope in self._own.walk() if scope is self._own or scope.is_comprehension]
        if not self._own.is_module:
            keys = [(scope, name) for scope in scopes for name in scope.bindings]
            self._env = dict.fromkeys(keys, NOTHING)
            for round_ in range(ROUNDS):
                changed = [key for key in keys if self._grow(key)]
                if not changed:
                    break
                if round_ == ROUNDS - 1:
                    self._env.update(dict.fromkeys(changed))
                    self._settle(keys)
        for key, kinds in list(self._env.items()):
            self._env[key] = kinds or self._seen_local(*key)

    def _settle(self, keys: list[tuple[Scope, str]]) -> None:
        """After giving up on some names, everything that rests on them is unknown too."""
        for _ in range(len(keys) + 1):
            if not any(self._grow(key) for key in keys):
                return

    def _grow(self, key: tuple[Scope, str]) -> bool:
        scope, name = key
        before = self._env[key]
        if before is None:
            return False
        found = union(self._bound(node, scope, name) for node in scope.bindings[name])
        after = merged(join(before, found if found is not None else self._seen_local(scope, name)))
        self._env[key] = after
        return after != before

    def _seen_local(self, scope: Scope, name: str) -> Kinds | None:
        """What recordings saw at the end of calls, for a name with one binding that nothing else explains."""
        if scope is not self._own or len(scope.bindings[name]) != 1:
            return None
        if isinstance(scope.bindings[name][0], ast.arg):
            return None
        return observed(self.facts.locals.get(name))

    def _bound(self, node: ast.AST, scope: Scope, name: str) -> Kinds | None:
        if isinstance(node, ast.arg):
            return self._parameter(node, scope, name)
        if not isinstance(node, ast.Name):
            return None
        if isinstance(node.ctx, ast.Del):
            return NOTHING
        return self._contents(self._stored(node), scope, name)

    def _parameter(self, node: ast.arg, scope: Scope, name: str) -> Kinds | None:
        if scope is not self._own:
            return None
        args = getattr(self.function, "args", None)
        if args is not None and node in (args.vararg, args.kwarg):
            return (
                only(Kind("tuple", (None,))) if node is args.vararg else only(Kind("dict", (only(STR), None)))
            )
        return self._contents(observed(self.facts.arg_types.get(name)), scope, name, given=True)

    def _contents(self, kinds: Kinds | None, scope: Scope, name: str, *, given: bool = False) -> Kinds | None:
        """Element types hold only while nothing unknown is put in through this name."""
        if not kinds or not any(kind.items for kind in kinds):
            return kinds
        uses = [(use, roles.role(self.scopes, use)) for use in self.scopes.uses_of(name, scope)]
        if not given and any(role in (roles.ESCAPE, roles.ALIAS) for _, role in uses):
            return frozenset(_hollow(kind) for kind in kinds)
        added = [self._added(use, kinds) for use, role in uses if role == roles.CHANGE]
        if None in added:
            return frozenset(_hollow(kind) for kind in kinds)
        held = frozenset(_with(kind, [each for each in added if each is not None]) for kind in kinds)
        return held if given or not self._changes else frozenset(_hollow(kind, within=True) for kind in held)

    def _added(self, use: ast.Name, kinds: Kinds) -> tuple[Kinds | None, ...] | None:
        """What a change through ``use`` puts into each slot of the container; None when that is not known."""
        parent = self.scopes.parents.get(use)
        if isinstance(parent, ast.Attribute):
            call = self.scopes.parents.get(parent)
            return self._added_by(parent.attr, call) if isinstance(call, ast.Call) else None
        if (
            not isinstance(parent, ast.Subscript)
            or parent.value is not use
            or isinstance(parent.slice, ast.Slice)
        ):
            return None
        above = self.scopes.parents.get(parent)
        if isinstance(above, ast.Delete):
            return ()
        value = self._put(above, kinds)
        return (self.of(parent.slice), value) if within(kinds, {"dict"}) else (value,)

    def _put(self, statement: ast.AST | None, kinds: Kinds) -> Kinds | None:
        """What ``x[k] = value`` or ``x[k] += value`` stores."""
        if isinstance(statement, ast.Assign):
            return self.of(statement.value)
        if isinstance(statement, ast.AugAssign):
            held = union(kind.items[-1] if kind.items else None for kind in kinds)
            return self._operated(held, statement.op, self.of(statement.value))
        return None

    def _added_by(self, method: str, call: ast.Call) -> tuple[Kinds | None, ...] | None:
        args = call.args
        if method in ("append", "add") and len(args) == 1:
            return (self.of(args[0]),)
        if method == "insert" and len(args) == 2:
            return (self.of(args[1]),)
        if method == "extend" and len(args) == 1:
            return (_tupled(self.iterated(args[0])),)
        if method == "setdefault" and len(args) == 2:
            return (self.of(args[0]), self.of(args[1]))
        return () if method in ("clear", "discard", "pop", "popitem", "remove", "reverse", "sort") else None

    def _stored(self, target: ast.expr) -> Kinds | None:
        """What one store puts under a name, looking at the statement around the target."""
        parent = self.scopes.parents.get(target)
        if isinstance(parent, ast.Tuple | ast.List):
            whole = self._stored(parent)
            return self._unpacked(whole, parent, target)
        if isinstance(parent, ast.Assign):
            return self.of(parent.value)
        if isinstance(parent, ast.AnnAssign):
            return self.of(parent.value) if parent.value is not None else NOTHING
        if isinstance(parent, ast.NamedExpr):
            return self.of(parent.value)
        if isinstance(parent, ast.AugAssign):
            return self._operated(self.of_target(parent.target), parent.op, self.of(parent.value))
        if isinstance(parent, ast.For | ast.comprehension) and not getattr(parent, "is_async", 0):
            return self.iterated(parent.iter)
        if isinstance(parent, ast.withitem):
            return self._opened(parent.context_expr)
        return None

    def of_target(self, target: ast.expr) -> Kinds | None:
        """The kinds already held by the target of an augmented assignment."""
        if isinstance(target, ast.Name):
            return self._of_Name(target)
        return None

    def _unpacked(self, whole: Kinds | None, pattern: ast.Tuple | ast.List, target: ast.expr) -> Kinds | None:
        if whole == NOTHING:
            return NOTHING
        if isinstance(self.scopes.parents.get(target), ast.Starred) or not within(
            whole, CONTAINERS | {"pair"}
        ):
            return None
        at = pattern.elts.index(target)
        if any(isinstance(each, ast.Starred) for each in pattern.elts):
            return None
        found: Kinds | None = NOTHING
        for kind in whole or ():
            exact = kind.name == "pair" and at < len(kind.items)
            found = join(found, kind.items[at] if exact else elements(only(_plain_tuple(kind))))
        return found

    def _opened(self, context: ast.expr) -> Kinds | None:
        return self._file(context) if isinstance(context, ast.Call) and self.opens_file(context) else None

    def _file(self, call: ast.Call) -> Kinds | None:
        """A text or binary file, by the mode written in the call."""
        modes = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
        mode = modes[0].value if modes and isinstance(modes[0], ast.Constant) else "" if not modes else None
        if not isinstance(mode, str) or any(keyword.arg in (None, "buffering") for keyword in call.keywords):
            return None
        if "b" not in mode:
            return only(Kind("_io.TextIOWrapper"))
        return only(Kind("_io.BufferedReader")) if mode in ("rb", "br") and len(call.args) < 3 else None

    def opens_file(self, call: ast.Call) -> bool:
        """Whether ``call`` is the builtin ``open``."""
        return self.builtin(call.func) == "open" or self.imported(call.func) == "io.open"

    # iteration

    def iterated(self, source: ast.expr) -> Kinds | None:
        """What one item of iterating ``source`` is."""
        if isinstance(source, ast.Call):
            name = self.builtin(source.func)
            if name in ("enumerate", "zip") and not any(isinstance(a, ast.Starred) for a in source.args):
                parts = [self.iterated(arg) for arg in source.args]
                parts = [only(INT), *parts[:1]] if name == "enumerate" else parts
                return only(Kind("pair", tuple(parts))) if NOTHING not in parts else NOTHING
            if name in ("reversed", "sorted", "iter") and len(source.args) == 1:
                return self.iterated(source.args[0])
            method = source.func
            if isinstance(method, ast.Attribute) and method.attr == "items" and not source.args:
                return self._pairs(self.of(method.value))
        kinds = self.of(source)
        return NOTHING if kinds == NOTHING else elements(kinds)

    def _pairs(self, kinds: Kinds | None) -> Kinds | None:
        if kinds == NOTHING:
            return NOTHING
        if not within(kinds, {"dict"}):
            return None
        return frozenset(Kind("pair", kind.items) for kind in kinds or ())

    # expressions

    def _of_Constant(self, node: ast.Constant) -> Kinds | None:
        kind = PLAIN.get(type(node.value))
        return only(kind) if kind else None

    def _of_JoinedStr(self, node: ast.JoinedStr) -> Kinds | None:
        return only(STR)

    def _of_NamedExpr(self, node: ast.NamedExpr) -> Kinds | None:
        return self.of(node.value)

    def _of_Name(self, node: ast.Name) -> Kinds | None:
        owner = self.scopes.resolve(node)
        if owner is None:
            return None
        if (owner, node.id) in self._env:
            return self._env[(owner, node.id)]
        return self._global(owner, node.id)

    def _global(self, owner: Scope, name: str) -> Kinds | None:
        """A module constant: one plain assignment of an immutable value, never patched."""
        bound = owner.bindings[name]
        if not owner.is_module or len(bound) != 1 or name in self.patched:
            return None
        parent = self.scopes.parents.get(bound[0])
        if not isinstance(parent, ast.Assign) or self.scopes.parents.get(parent) is not self.scopes.tree:
            return None
        kinds = self.of(parent.value) if isinstance(parent.targets[0], ast.Name) else None
        return kinds if immutable(kinds) else None

    def _of_List(self, node: ast.List) -> Kinds | None:
        return self._display("list", node.elts)

    def _of_Tuple(self, node: ast.Tuple) -> Kinds | None:
        return self._display("tuple", node.elts)

    def _of_Set(self, node: ast.Set) -> Kinds | None:
        return self._display("set", node.elts)

    def _display(self, name: str, elts: list[ast.expr]) -> Kinds | None:
        parts = [self.iterated(e.value) if isinstance(e, ast.Starred) else self.of(e) for e in elts]
        return only(Kind(name, (merged(union(parts)),)))

    def _of_Dict(self, node: ast.Dict) -> Kinds | None:
        if any(key is None for key in node.keys):
            return only(Kind("dict", (None, None)))
        keys = union(self.of(key) for key in node.keys if key is not None)
        return only(Kind("dict", (keys, union(self.of(value) for value in node.values))))

    def _of_ListComp(self, node: ast.ListComp) -> Kinds | None:
        return only(Kind("list", (self.of(node.elt),)))

    def _of_SetComp(self, node: ast.SetComp) -> Kinds | None:
        return only(Kind("set", (self.of(node.elt),)))

    def _of_DictComp(self, node: ast.DictComp) -> Kinds | None:
        return only(Kind("dict", (self.of(node.key), self.of(node.value))))

    def _of_GeneratorExp(self, node: ast.GeneratorExp) -> Kinds | None:
        return only(Kind("iterator", (self.of(node.elt),)))

    def _of_IfExp(self, node: ast.IfExp) -> Kinds | None:
        return join(self.of(node.body), self.of(node.orelse))

    def _of_BoolOp(self, node: ast.BoolOp) -> Kinds | None:
        return union(self.of(value) for value in node.values)

    def _of_UnaryOp(self, node: ast.UnaryOp) -> Kinds | None:
        if isinstance(node.op, ast.Not):
            return BOOLS
        kinds = self.of(node.operand)
        if kinds == NOTHING:
            return NOTHING
        if within(kinds, WHOLE):
            return only(INT)
        return kinds if within(kinds, {"float"}) and not isinstance(node.op, ast.Invert) else None

    def _of_Compare(self, node: ast.Compare) -> Kinds | None:
        if all(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops):
            return BOOLS
        sides = [self.of(each) for each in (node.left, *node.comparators)]
        return (
            BOOLS
            if all(within(side, CONTAINERS | NUMBERS | {"NoneType"}) or side == NOTHING for side in sides)
            else None
        )

    def _of_BinOp(self, node: ast.BinOp) -> Kinds | None:
        power = node.right.value if isinstance(node.right, ast.Constant) else None
        if isinstance(node.op, ast.Pow) and type(power) is int and power >= 0:
            base = self.of(node.left)
            return (
                only(INT)
                if within(base, WHOLE)
                else base
                if within(base, {"float"}) or base == NOTHING
                else None
            )
        return self._operated(self.of(node.left), node.op, self.of(node.right))

    def _operated(self, left: Kinds | None, op: ast.operator, right: Kinds | None) -> Kinds | None:
        if left is None or right is None:
            return None
        if not left or not right:
            return NOTHING
        if within(left, NUMBERS) and within(right, NUMBERS):
            return _arithmetic(names(left), op, names(right))
        if isinstance(op, ast.Add) and names(left) == names(right) and len(names(left)) == 1:
            name = next(iter(names(left)))
            return merged(left | right) if name in SEQUENCES | {"str", "bytes"} else None
        if isinstance(op, ast.Mod) and within(left, {"str"}):
            return only(STR)
        if isinstance(op, ast.Mult) and within(left, SEQUENCES | {"str", "bytes"}) and within(right, WHOLE):
            return left
        return None

    def _of_Subscript(self, node: ast.Subscript) -> Kinds | None:
        kinds = self.of(node.value)
        if kinds == NOTHING:
            return NOTHING
        if isinstance(node.slice, ast.Slice):
            return kinds if within(kinds, SEQUENCES | {"str", "bytes"}) else None
        if within(kinds, {"dict"}):
            return union(kind.items[-1] if kind.items else None for kind in kinds or ())
        if self.of(node.slice) == NOTHING:
            return NOTHING
        if within(kinds, SEQUENCES | {"str", "bytes", "range"}) and within(self.of(node.slice), WHOLE):
            return elements(kinds)
        return None

    def _of_Attribute(self, node: ast.Attribute) -> Kinds | None:
        if self.module_of(node.value) == "math" and node.attr in known.MATH_CONSTANTS:
            return only(FLOAT)
        if isinstance(node.value, ast.Name) and self.plain_attribute(node):
            return observed(self.facts.arg_types.get(f"{node.value.id}.{node.attr}"))
        return None

    def plain_attribute(self, node: ast.Attribute) -> bool:
        """``parameter.attribute`` of an observed class of this file that can only be a stored value."""
        if not isinstance(node.value, ast.Name) or self.scopes.resolve(node.value) is not self._own:
            return False
        bound = self._own.bindings[node.value.id]
        if len(bound) != 1 or not isinstance(bound[0], ast.arg) or node.attr in self._attributes_stored:
            return False
        seen = observed(self.facts.arg_types.get(node.value.id))
        return bool(seen) and all(self._plain_class(kind.name, node.attr) for kind in seen or ())

    @cached_property
    def _attributes_stored(self) -> frozenset[str]:
        nodes = (each for each in ast.walk(self.function) if isinstance(each, ast.Attribute))
        return frozenset(each.attr for each in nodes if not isinstance(each.ctx, ast.Load))

    def _plain_class(self, dotted: str, attribute: str) -> bool:
        name = dotted.rpartition(".")[2]
        bound = self.scopes.module.bindings.get(name, [])
        if len(bound) != 1 or not isinstance(bound[0], ast.ClassDef):
            return False
        node = bound[0]
        if node.keywords or any(not (isinstance(b, ast.Name) and b.id == "object") for b in node.bases):
            return False
        if any("dataclass" not in ast.unparse(each) for each in node.decorator_list):
            return False
        held = self.scopes.scope(node).bindings
        if any(special in held for special in ("__getattr__", "__getattribute__", "__slots__")):
            return False
        return not any(isinstance(each, (*FUNCTIONS, ast.ClassDef)) for each in held.get(attribute, []))

    # calls

    def _of_Call(self, node: ast.Call) -> Kinds | None:
        name = self.builtin(node.func)
        if name:
            return self._builtin_result(name, node)
        listed = known.PURE_FUNCTIONS.get(self.imported(node.func))
        if listed:
            return only(Kind(listed))
        if isinstance(node.func, ast.Attribute):
            return self._method_result(node.func, node)
        return None

    def _builtin_result(self, name: str, node: ast.Call) -> Kinds | None:
        if any(isinstance(arg, ast.Starred) for arg in node.args):
            return None
        simple = {
            **dict.fromkeys(("len", "ord", "hash", "id"), INT),
            **dict.fromkeys(("bool", "isinstance", "issubclass", "all", "any", "callable"), BOOL),
            **dict.fromkeys(("chr", "repr", "ascii", "hex", "oct", "bin"), STR),
            "range": Kind("range"),
        }
        if name in simple:
            return only(simple[name])
        if name in ("int", "float", "str") and len(node.args) <= 1:
            return only(Kind(name))
        if name == "open":
            return self._file(node)
        return self._container_result(name, node)

    def _container_result(self, name: str, node: ast.Call) -> Kinds | None:
        first = node.args[0] if node.args else None
        if name in ("list", "tuple", "set", "frozenset", "sorted"):
            item = self.iterated(first) if first is not None else NOTHING
            return only(Kind("list" if name == "sorted" else name, (_tupled(item),)))
        if name == "dict" and not node.args and not node.keywords:
            return only(Kind("dict", (NOTHING, NOTHING)))
        if first is None:
            return None
        if name == "abs":
            return self._of_UnaryOp(ast.UnaryOp(op=ast.USub(), operand=first))
        if name in ("min", "max") and all(keyword.arg == "key" for keyword in node.keywords):
            return self.iterated(first) if len(node.args) == 1 else union(self.of(arg) for arg in node.args)
        if name == "sum" and len(node.args) == 1:
            item = self.iterated(first)
            if item == NOTHING:
                return only(INT)
            return (
                only(INT) if within(item, WHOLE) else join(only(INT), item) if within(item, NUMBERS) else None
            )
        if name == "round" and len(node.args) == 1:
            return (
                only(INT)
                if within(self.of(first), NUMBERS)
                else NOTHING
                if self.of(first) == NOTHING
                else None
            )
        return None

    def _method_result(self, method: ast.Attribute, node: ast.Call) -> Kinds | None:
        kinds = self.of(method.value)
        if kinds == NOTHING:
            return NOTHING
        if within(kinds, {"str"}):
            return self._str_result(method.attr)
        if within(kinds, {"dict"}) and method.attr in ("keys", "values", "items") and not node.args:
            return frozenset(Kind(f"dict_{method.attr}", kind.items) for kind in kinds or ())
        if within(kinds, {"dict"}) and method.attr == "get" and len(node.args) in (1, 2):
            held = union(kind.items[-1] if kind.items else None for kind in kinds or ())
            return join(held, self.of(node.args[1]) if len(node.args) == 2 else only(NONE))
        if method.attr == "copy" and within(kinds, ONE_ITEM | {"dict"}):
            return kinds
        if method.attr in ("index", "count") and within(kinds, CONTAINERS):
            return only(INT)
        if within(kinds, {"bytes"}) and method.attr == "decode":
            return only(STR)
        if method.attr == "readlines" and not node.args and kinds:
            lines = elements(kinds)
            return only(Kind("list", (lines,))) if lines is not None else None
        return None

    def _str_result(self, method: str) -> Kinds | None:
        if method.startswith(known.BOOL_PREFIXES):
            return BOOLS
        if method == "encode":
            return only(BYTES)
        name = known.STR_RETURNS.get(method)
        if name in ("list", "tuple"):
            return only(Kind(name, (only(STR),)))
        return only(Kind(name)) if name else None


def _arithmetic(left: frozenset[str], op: ast.operator, right: frozenset[str]) -> Kinds | None:
    """Numbers with numbers, as the language defines them. ``int ** int`` may be a float, so it is not told."""
    if isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv | ast.Mod):
        both: set[Kind] = set()
        for a in left:
            for b in right:
                both.add(FLOAT if "float" in (a, b) else INT)
        return frozenset(both)
    if isinstance(op, ast.Div):
        return only(FLOAT)
    if left | right <= WHOLE and isinstance(op, ast.LShift | ast.RShift):
        return only(INT)
    if left | right <= WHOLE and isinstance(op, ast.BitAnd | ast.BitOr | ast.BitXor):
        return only(INT) if left == right == {"int"} else frozenset({INT, BOOL})
    return None


def _hollow(kind: Kind, *, within: bool = False) -> Kind:
    """The same container with unknown elements; ``within`` keeps elements that are not containers themselves."""
    return Kind(kind.name, tuple(_hollow_item(item) if within else None for item in kind.items))


def _hollow_item(item: Kinds | None) -> Kinds | None:
    if item is None:
        return None
    return frozenset(_hollow(kind) if kind.name in MUTABLE else _hollow(kind, within=True) for kind in item)


def _with(kind: Kind, added: list[tuple[Kinds | None, ...]]) -> Kind:
    """The container with more kinds in each slot."""
    items = list(kind.items)
    for each in added:
        for at, more in enumerate(each[: len(items)]):
            items[at] = join(items[at], more)
    return Kind(kind.name, tuple(items))


def _plain_tuple(kind: Kind) -> Kind:
    return Kind("tuple", (union(kind.items),)) if kind.name == "pair" else kind


def _tupled(kinds: Kinds | None) -> Kinds | None:
    """Pairs of ``zip`` and ``enumerate`` as the tuples they are once stored."""
    return None if kinds is None else frozenset(_plain_tuple(kind) for kind in kinds)

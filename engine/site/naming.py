"""What names stand for: builtins that nobody replaced, modules imported once, attributes that can only be values."""

from __future__ import annotations

import ast
import builtins
from functools import cached_property

from engine.facts import Facts
from engine.site.kinds import observed
from engine.site.scopes import FUNCTIONS, Scopes


class Naming:
    """Names as ``function`` (a function node or the module) sees them."""

    def __init__(self, scopes: Scopes, function: ast.AST, facts: Facts, patched: frozenset[str]) -> None:
        self.scopes, self.function, self.facts, self.patched = scopes, function, facts, patched
        self._own = scopes.scope(function)

    def builtin(self, use: ast.expr) -> str:
        """The builtin that ``use`` names, or an empty string: not rebound anywhere it could be seen, not patched."""
        if not isinstance(use, ast.Name) or self.scopes.star_import or use.id in self.patched:
            return ""
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

    def opens_file(self, call: ast.Call) -> bool:
        """Whether ``call`` is the builtin ``open``."""
        return self.builtin(call.func) == "open" or self.imported(call.func) == "io.open"

"""What the recorder left about the targets: where their calls are, their kinds and types, and who else calls them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.verify.trees import functions

_CALLER_LEVELS = 3


@dataclass(frozen=True)
class Subject:
    """One function that can be looked for and called: ``calls`` is the file of frozen calls, None without any."""

    id: str
    module: str
    qualname: str
    kind: str
    calls: Path | None
    args: Mapping[str, Any] = field(default_factory=dict)
    tests: tuple[str, ...] = ()
    why_not: str = ""


class Recordings:
    """The index of a recordings folder, read tolerantly: anything malformed is the same as not recorded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.targets = _read_index(folder)

    def subject(self, target_id: str, module: str) -> Subject:
        """The subject of a target, with or without recorded calls."""
        entry = self.targets.get(target_id, {})
        qualname = target_id.rpartition("::")[2]
        why_not = str(entry.get("unreplayable") or ("" if entry else "it was never called while recording"))
        return Subject(
            id=target_id,
            module=str(entry.get("module") or module),
            qualname=str(entry.get("qualname") or qualname),
            kind=str(entry.get("kind") or ("method" if "." in qualname else "function")),
            calls=None if why_not else self._calls(entry),
            args=_mapping(entry.get("args")),
            tests=tuple(str(test) for test in entry.get("tests") or ()),
            why_not=why_not,
        )

    def _calls(self, entry: Mapping[str, Any]) -> Path | None:
        name = str(entry.get("file") or "")
        path = self.folder / name
        return path if name and Path(name).name == name and path.is_file() else None

    def callers(self, target_id: str, tree: Path) -> Iterator[str]:
        """Ids of replayable targets whose code names this one, the nearest first; same file before others."""
        seen, level = {target_id}, [target_id]
        for _ in range(_CALLER_LEVELS):
            above = [found for each in level for found in self._naming(each, tree) if found not in seen]
            for found in dict.fromkeys(above):
                seen.add(found)
                if not self.targets[found].get("unreplayable") and self._calls(self.targets[found]):
                    yield found
            level = list(dict.fromkeys(above))

    def _naming(self, target_id: str, tree: Path) -> list[str]:
        path, _, qualname = target_id.rpartition("::")
        name = qualname.rpartition(".")[2]
        owner = qualname.rpartition(".")[0].rpartition(".")[2]
        wanted = {owner, name} if name == "__init__" and owner else {name}
        found = [each for each in self.targets if each != target_id and self._mentions(tree, each, wanted)]
        return sorted(found, key=lambda each: (not each.startswith(path + "::"), each))

    def _mentions(self, tree: Path, target_id: str, names: set[str]) -> bool:
        path, _, qualname = target_id.rpartition("::")
        node = _functions_of(tree / path).get(qualname)
        return node is not None and any(_name(child) in names for child in ast.walk(node))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _functions_of(path: Path) -> Mapping[str, ast.AST]:
    try:
        return functions(path.read_bytes().decode("utf-8", "replace"))
    except OSError:
        return {}


def _read_index(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        targets = data["targets"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {str(k): v for k, v in targets.items() if isinstance(v, dict)} if isinstance(targets, dict) else {}

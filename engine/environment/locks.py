"""Exact versions out of lock files, as constraints for the installer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from engine.environment.reading import read_text, read_toml

TOML_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml")
LOCKS = (*TOML_LOCKS, "Pipfile.lock")
OTHER_INPUTS = ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile")


def constraints(tree: Path) -> tuple[str, ...]:
    """``name==version`` for every package that the lock holds in one version only; empty without a lock."""
    for name in TOML_LOCKS:
        if (tree / name).is_file():
            data = read_toml(tree / name)
            return tuple(_single(_packages(data.get("package") or data.get("packages"))))
    return tuple(_single(_pipfile(tree / "Pipfile.lock")))


def digest(tree: Path, *more: Iterable[str] | str) -> str:
    """Changes whenever a file that says what to install changes; ``more`` is mixed in."""
    total = hashlib.sha256()
    for name in (*LOCKS, *OTHER_INPUTS):
        total.update(f"{name}\0{read_text(tree / name) or ''}\0".encode())
    for word in more:
        total.update(("\1".join([word] if isinstance(word, str) else word) + "\0").encode())
    return total.hexdigest()[:32]


def _packages(value: Any) -> Iterator[tuple[str, str]]:
    for item in value if isinstance(value, list) else []:
        if (
            isinstance(item, dict)
            and isinstance(item.get("name"), str)
            and isinstance(item.get("version"), str)
        ):
            source = item.get("source")
            local = isinstance(source, dict) and {"editable", "virtual", "directory", "path"} & source.keys()
            if not local:
                yield item["name"], item["version"]


def _pipfile(path: Path) -> Iterator[tuple[str, str]]:
    try:
        data = json.loads(read_text(path) or "{}")
    except ValueError:
        return
    for group in ("default", "develop"):
        for name, value in (data.get(group) or {}).items() if isinstance(data, dict) else ():
            version = value.get("version") if isinstance(value, dict) else None
            if isinstance(version, str) and version.startswith("=="):
                yield name, version[2:]


def _single(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    found: dict[str, set[str]] = {}
    for name, version in pairs:
        if re.fullmatch(r"[A-Za-z0-9._-]+", name) and re.fullmatch(r"[A-Za-z0-9.!+_-]+", version):
            found.setdefault(name, set()).add(version)
    for name, versions in sorted(found.items()):
        if len(versions) == 1:
            yield f"{name}=={next(iter(versions))}"

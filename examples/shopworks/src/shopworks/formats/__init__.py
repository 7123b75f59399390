"""Formats that order lists can be written in. A format registers itself when its module is imported."""

from __future__ import annotations

from typing import Callable, Dict, List

Writer = Callable[[List[str]], str]
_WRITERS: Dict[str, Writer] = {}


def register(name: str, writer: Writer) -> None:
    """Make ``writer`` known under ``name``."""
    _WRITERS[name] = writer


def available() -> List[str]:
    """The names of all formats."""
    return sorted(_WRITERS)

"""``conventions.md``: what people of the project have laid down. Only people write constraints; agents obey them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from engine.state.grammar import Document, fact, lead, section
from engine.state.reader import read
from engine.state.writer import render

_CONFIG = "Session Configuration"


@dataclass(frozen=True, kw_only=True)
class Conventions(Document):
    """``constraints`` bind every agent of the session; ``guard`` must succeed before anything is kept."""

    NAME: ClassVar[str] = "conventions.md"
    UNTITLED: ClassVar[str] = "Codeflash Session Conventions"

    preface: str = field(default="", metadata=lead())
    run_tag: str = field(default="", metadata=fact("Run tag", under=_CONFIG))
    target: str = field(default="", metadata=fact("Target", under=_CONFIG))
    focus: str = field(default="", metadata=fact("Focus", under=_CONFIG))
    scope: str = field(default="", metadata=fact("Scope", under=_CONFIG))
    constraints: tuple[str, ...] = field(
        default=(), metadata=section("Binding Constraints", "items", "Constraints", "Rules")
    )
    guard: tuple[str, ...] = field(default=(), metadata=section("Guard Command", "code"))
    decisions: tuple[str, ...] = field(default=(), metadata=section("Autonomous Decisions", "items"))
    context: str = field(default="", metadata=section("Project Context", "prose"))


def parse(text: str) -> Conventions:
    """Read ``conventions.md``; never raises."""
    return read(Conventions, text)


__all__ = ["Conventions", "parse", "render"]

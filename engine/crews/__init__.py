"""Who plays the agents. Every crew answers to the same seven roles; the conductor knows no crew by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from engine import events as e
from engine.run import RoleFailed, Run


class Crew(Protocol):
    """Each role is a generator of events on one run."""

    name: str

    def route(self, run: Run) -> Iterator[e.Event]: ...
    def prepare(self, run: Run) -> Iterator[e.Event]: ...
    def validate(self, run: Run) -> Iterator[e.Event]: ...
    def baseline(self, run: Run) -> Iterator[e.Event]: ...
    def scan(self, run: Run) -> Iterator[e.Event]: ...
    def optimize(self, run: Run) -> Iterator[e.Event]: ...
    def review(self, run: Run) -> Iterator[e.Event]: ...


AVAILABLE: dict[str, str] = {
    "builtin": "",
    "claude": "This version plays the builtin crew only; the claude crew needs the Claude Agent SDK.",
    "codex": "This version plays the builtin crew only; the codex crew needs the Codex CLI.",
}
"""Crew name to the reason why it cannot be chosen, or an empty string."""


def choose(name: str) -> Crew:
    """The crew of that name; raises RoleFailed with the reason when it cannot play here."""
    reason = AVAILABLE.get(name, f"There is no crew named {name}.")
    if reason:
        raise RoleFailed(reason, advice="Choose the builtin crew.")
    from engine.crews.builtin import Builtin

    return Builtin()

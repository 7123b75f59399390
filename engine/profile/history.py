"""What is known about how often a rule's proposals are kept: this session's own tries, and accepted team learnings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Tally:
    """``tried`` counts decided experiments, ``kept`` those that were kept."""

    kept: int = 0
    tried: int = 0

    def add(self, *, kept: bool) -> None:
        self.tried += 1
        self.kept += kept


@dataclass(kw_only=True)
class History:
    """``rules`` and ``targets`` are this session's own results, ``team`` accepted learnings by rule id.

    ``skip`` holds keys of proposals that are not to be tried again.
    """

    rules: dict[str, Tally] = field(default_factory=dict)
    targets: dict[str, Tally] = field(default_factory=dict)
    team: dict[str, Tally] = field(default_factory=dict)
    skip: set[str] = field(default_factory=set)

    @classmethod
    def from_learnings(cls, learnings: Iterable[Mapping[str, Any]]) -> History:
        """Accepted notes of the team: ``pattern`` is the rule id, ``outcome`` keep or discard; others are left out."""
        history = cls()
        for each in learnings:
            rule, outcome = each.get("pattern"), each.get("outcome")
            accepted = each.get("state", "accepted") == "accepted"
            if accepted and isinstance(rule, str) and rule and outcome in ("keep", "discard"):
                history.team.setdefault(rule, Tally()).add(kept=outcome == "keep")
        return history

    def note(self, *, rule: str, target_id: str, kept: bool, key: str = "") -> None:
        """Remember one decided experiment."""
        self.rules.setdefault(rule, Tally()).add(kept=kept)
        self.targets.setdefault(target_id, Tally()).add(kept=kept)
        if key:
            self.skip.add(key)

    def p_keep(self, rule: str) -> float:
        """(kept + 1) / (tried + 4), own results and accepted learnings together."""
        own, team = self.rules.get(rule, Tally()), self.team.get(rule, Tally())
        return (own.kept + team.kept + 1) / (own.tried + team.tried + 4)

    def tries(self, target_id: str) -> int:
        """How many experiments this target has had in this session."""
        return self.targets.get(target_id, Tally()).tried

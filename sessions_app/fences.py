"""The proof of a claim that every later write carries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fence:
    """``token`` rises with each claim of the session; a write counts only while owner and token are still the row's."""

    session_id: int
    owner: str
    token: int

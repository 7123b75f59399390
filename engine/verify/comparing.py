"""The strict comparator's verdict on two observations of one input. Pure: digests and numbers in, one word out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]
RELATIVE, ABSOLUTE = 1e-9, 1e-12
SLOWER_TIMES, SLOWER_SECONDS = 10.0, 0.25
UNDECIDED = ("slow", "large", "memory", "unusable")
"""Outcomes of the before-version that leave nothing to compare with."""

WORDS = {
    "died": "the process ends or hangs",
    "slow": "it takes more than ten times as long",
    "outcome": "the kind of outcome differs",
    "value": "the result or the arguments afterwards differ",
    "message": "the exception's arguments differ",
    "effects": "output, warnings, log records or tasks differ",
    "again": "a second call differs after the first result was changed",
    "dropped": "the lazy result behaves differently when dropped after three items",
    "live": "the lazy result behaves differently when its source changes meanwhile",
    "after": "the arguments differ once the lazy result is used up",
    "memory": "it runs out of memory",
    "unusable": "the result cannot be looked at",
    "large": "the result is far larger",
}


def decidable(facts: Facts) -> bool:
    """Whether the before-version said something about this input that can be compared."""
    return facts["outcome"] not in UNDECIDED


def difference(before: Facts, after: Facts | None, tier: str) -> str:
    """The first facet in which they differ, a key of WORDS; empty when they behave alike."""
    if after is None:
        return "died"
    if after["outcome"] in UNDECIDED:
        return str(after["outcome"])
    if before["outcome"] != after["outcome"]:
        return "outcome"
    if before["value"] != after["value"] or not close(before.get("floats", ()), after.get("floats", ())):
        return "value"
    if tier == "exact" and before.get("message") != after.get("message"):
        return "message"
    return next(
        (
            name
            for name in ("effects", "again", "dropped", "live", "after")
            if before.get(name) != after.get(name)
        ),
        "",
    )


def close(before: Sequence[str], after: Sequence[str]) -> bool:
    """Floats set aside by the numeric tier: equal within 1e-9 relative or 1e-12 absolute, NaN in the same places."""
    if len(before) != len(after):
        return False
    return all(
        a == b or _near(float.fromhex(a), float.fromhex(b)) for a, b in zip(before, after, strict=True)
    )


def _near(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def inside(before: Facts, after: Facts | None) -> bool:
    """Whether the input belongs to the observed contract. Deep recursion that failed before does not."""
    return bool(before.get("inside", True)) and before["outcome"] != "raised builtins.RecursionError"


def too_slow(before: Sequence[float], after: Sequence[float]) -> bool:
    """Even the fastest run of the after-version takes ten times the slowest before, by more than a quarter second."""
    return bool(before and after) and min(after) > SLOWER_TIMES * max(before) + SLOWER_SECONDS


def in_words(facet: str, before: Facts, after: Facts | None, tier: str) -> str:
    """Both sides of a difference, from two explained observations."""
    left = before.get("words", {})
    right = (after or {}).get("words", {})
    subject = f"{left.get('input', '?')} [{left.get('done', '')}]"
    if not right:
        return f"{subject}: {WORDS[facet]}; before: {left.get('result', '?')}"
    return f"{subject}: {_point(facet, left, right)}"


def _point(facet: str, left: Mapping[str, str], right: Mapping[str, str]) -> str:
    """The most telling pair of words for this facet."""
    both = [("before", left), ("after", right)]
    if left.get("result") != right.get("result") and facet not in ("effects", "after"):
        return "; ".join(f"{side}: {words.get('result')}" for side, words in both)
    if left.get("type") != right.get("type"):
        return "; ".join(f"{side}: {words.get('type')}" for side, words in both)
    if left.get("arguments") != right.get("arguments"):
        return "; ".join(f"{side}, arguments afterwards: {words.get('arguments')}" for side, words in both)
    if left.get("effects") != right.get("effects"):
        return "; ".join(f"{side}, effects: {words.get('effects')}" for side, words in both)
    if (
        facet == "value"
        and left.get("alone") == right.get("alone")
        and left.get("arguments_alone") == right.get("arguments_alone")
    ):
        return f"both: {left.get('result')}, but which parts are the same object differs"
    return f"{WORDS[facet]}; both: {left.get('result')}"

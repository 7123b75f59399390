"""One table for all four dimensions: a row per (function or module, dimension), best first.

    expected g = 1 / (1 - s + s / k)        s share, k the rule's usual gain
    score      = ln(g) x P(keep) x evidence weight x domain weight / seconds

A row's score is that of its best rule. Shares are rounded to a hundredth, which is as fine as the sampler sees, and
rows whose scores differ by no more than the noise of their shares are a tie: two profiles of one commit rank alike.
A row whose bound is under the noise floor is shown and scores 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.profile.history import History
from engine.profile.imports import ModuleRow
from engine.profile.profile import Profile
from engine.profile.tables import AsyncRow, FunctionRow, MemoryRow
from engine.values import DOMAINS, Target

EVIDENCE_WEIGHT = {"E3": 1.0, "E2": 0.7, "E1": 0.3, "E0": 0.0}
DEEP_WEIGHT = {"cpu": 1.0, "async": 1.0, "memory": 0.5, "structure": 0.5}
UNDER_FLOOR = "bound under the noise floor"
SMALL_PEAK = "peak under 1 MiB: too small to decide"
NO_RULE = "no known rewrite applies"
NO_EVIDENCE = "no test or benchmark reaches it"
LEAST_PEAK_BYTES = 1 << 20
MOST_SHARE = 0.99
SAMPLES = 250
"""As many samples a share rests on at least: its noise is that of so many throws of a coin."""
LEAST_NOISE = 0.01


@dataclass(frozen=True, kw_only=True)
class RulePrior:
    """A rule that proposes something for a target: its usual ``gain`` as a ratio and the cost of one try in seconds.

    ``key`` identifies the proposal among those not to be tried again.
    """

    rule: str
    domain: str
    gain: float
    seconds: float = 20.0
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class _Row:
    target_id: str
    path: str
    qualname: str
    line: int
    domain: str
    own: float | None
    reach: float | None
    note: str = ""


def rank(
    profile: Profile,
    *,
    domain: str,
    rules: Mapping[str, Sequence[RulePrior]],
    history: History,
    floor: float,
) -> list[Target]:
    """The ranked table. ``domain`` is one dimension or "deep" for all; ``floor`` the noise floor as a fraction.

    Rows without a score follow the others, largest share first. Ties go by path, line and rule id.
    """
    rows = [row for each in DOMAINS if domain in (each, "deep", "") for row in _rows(profile, each)]
    weights = {domain: 1.0} if domain in DOMAINS else DEEP_WEIGHT
    targets = [
        _target(
            row,
            _usable(row, rules, history),
            history,
            profile.evidence(row.target_id, row.domain),
            weights,
            floor,
        )
        for row in rows
    ]
    return list(_ties_by_place(sorted(targets, key=_order)))


def _ties_by_place(targets: Sequence[Target]) -> Iterator[Target]:
    """Best first. What cannot be told from the best that is left is a tie with it, and goes by path, line and rule."""
    scored = [(each, *_score_range(each)) for each in targets if each.score > 0]
    while scored:
        least = scored[0][1]
        yield from sorted((each for each, _, most in scored if most >= least), key=_place)
        scored = [row for row in scored if row[2] < least]
    yield from (each for each in targets if each.score <= 0)


def _score_range(target: Target) -> tuple[float, float]:
    """The score with the share at either end of what noise may have made of it."""
    share, gain = target.share, target.expected
    if not share or gain is None or gain <= 1:
        return target.score, target.score
    noise = max(LEAST_NOISE, math.sqrt(share * (1 - share) / SAMPLES))
    removed = (1 - 1 / gain) / share  # of the target, by the rule: gain = 1 / (1 - share x removed)
    unit = target.score / math.log(gain)
    low, high = max(share - noise, 0.0), min(share + noise, MOST_SHARE)
    return -unit * math.log(1 - low * removed), -unit * math.log(1 - high * removed)


def _place(target: Target) -> tuple[str, int, str, str]:
    return target.path, target.line, target.rules[0] if target.rules else "", target.domain


def _order(target: Target) -> tuple[float, float, str, int, str, str]:
    unscored = -(target.share or 0.0) if target.score <= 0 else 0.0
    return (-target.score, unscored, *_place(target))


def _rows(profile: Profile, domain: str) -> Iterator[_Row]:
    if domain == "structure":
        for module in profile.modules:
            yield _row(module, domain, qualname="<module>", line=1)
        return
    tables: Mapping[str, Sequence[FunctionRow | MemoryRow | AsyncRow]]
    tables = {"cpu": profile.functions, "memory": profile.memory, "async": profile.asynchronous}
    for row in tables[domain]:
        small = isinstance(row, MemoryRow) and row.own_bytes < LEAST_PEAK_BYTES
        yield _row(row, domain, qualname=row.qualname, line=row.line, note=SMALL_PEAK if small else "")


def _row(
    row: FunctionRow | MemoryRow | AsyncRow | ModuleRow,
    domain: str,
    *,
    qualname: str,
    line: int,
    note: str = "",
) -> _Row:
    return _Row(
        target_id=row.id,
        path=row.path,
        qualname=qualname,
        line=line,
        domain=domain,
        own=row.share,
        reach=row.reach,
        note=note,
    )


def _usable(row: _Row, rules: Mapping[str, Sequence[RulePrior]], history: History) -> list[RulePrior]:
    """The rules of the row's dimension that were not tried on this code before, one a rule id."""
    found: dict[str, RulePrior] = {}
    for prior in rules.get(row.target_id, ()):
        if prior.domain == row.domain and (not prior.key or prior.key not in history.skip):
            found.setdefault(prior.rule, prior)
    return [found[rule] for rule in sorted(found)]


def _target(
    row: _Row,
    priors: list[RulePrior],
    history: History,
    evidence: str,
    weights: Mapping[str, float],
    floor: float,
) -> Target:
    plain = Target(
        path=row.path,
        qualname=row.qualname,
        line=row.line,
        domain=row.domain,
        share=_rounded(row.own),
        bound=_bound(_rounded(row.own)),
        evidence=evidence,
        note=row.note or ("" if priors else NO_RULE),
    )
    if not priors or row.own is None:
        return plain
    weight = EVIDENCE_WEIGHT.get(evidence, 0.0) * weights.get(row.domain, 0.0)
    scored = [(_score(row, prior, history) * weight, prior) for prior in priors]
    scored.sort(key=lambda each: (-each[0], each[1].rule))
    return _with_rules(plain, row, scored, floor)


def _with_rules(plain: Target, row: _Row, scored: list[tuple[float, RulePrior]], floor: float) -> Target:
    score, best = scored[0]
    share = _share(row)
    bound = _bound(share)
    note = plain.note
    if bound is not None and bound < 1 + floor:
        note = UNDER_FLOOR
    elif not note and plain.evidence == "E0":
        note = NO_EVIDENCE
    return replace(
        plain,
        share=share,
        bound=bound,
        expected=_expected(share, best.gain),
        score=0.0 if note else score,
        rules=tuple(prior.rule for _, prior in scored),
        note=note,
    )


def _score(row: _Row, prior: RulePrior, history: History) -> float:
    g = _expected(_share(row), prior.gain)
    if g is None or g <= 1 or prior.seconds <= 0:
        return 0.0
    return math.log(g) * history.p_keep(prior.rule) / prior.seconds


def _share(row: _Row) -> float | None:
    """What a rewrite can win: of waiting and importing also what lies below, of CPU and memory the row's own."""
    return _rounded(row.reach if row.domain in ("async", "structure") else row.own)


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(min(share, MOST_SHARE), 2)


def _bound(share: float | None) -> float | None:
    return None if share is None else 1 / (1 - share)


def _expected(share: float | None, gain: float) -> float | None:
    return None if share is None or gain <= 0 else 1 / (1 - share + share / gain)

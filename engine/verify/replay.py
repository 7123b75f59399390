"""Layers 2 to 5: the same inputs on both versions, in fresh processes, under two hash seeds.

The before-version runs twice under the first seed: an input on which it differs from itself says nothing and is set
aside. Of the rest, a difference inside the observed contract ends it; one outside ends it for exact changes and is
otherwise told to the reader, with the input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from engine.values import Check
from engine.verify.comparing import WORDS, Facts, decidable, difference, in_words, inside, too_slow
from engine.verify.observing import LAYERS, Observed, Plan, observe
from engine.verify.probing import Place
from engine.verify.trees import ChangedLines

_SLACK_SECONDS, _SLACK_TIMES = 2.0, 10.0
_SHOWN = 3
_TITLES = {
    "recorded": "Recorded inputs replayed",
    "perturbed": "Perturbed inputs",
    "generated": "Generated inputs",
}


@dataclass(frozen=True)
class Difference:
    """One input on which the versions differ; ``facet`` is a key of ``comparing.WORDS``."""

    id: str
    facet: str
    inside: bool

    @property
    def layer(self) -> str:
        return LAYERS[self.id[0]]


@dataclass
class Replayed:
    """What layers 2 to 5 found about one function. ``counts`` are inputs tried and agreed by layer."""

    tried: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    raised: Counter[str] = field(default_factory=Counter)
    returned: int = 0
    unsteady: int = 0
    undecided: int = 0
    opaque: tuple[str, ...] = ()
    lines: frozenset[int] = frozenset()
    reason: str = ""
    counterexample: str = ""
    disclosed: tuple[str, ...] = ()
    why_not: str = ""

    @property
    def fails(self) -> bool:
        return bool(self.reason)

    @property
    def level(self) -> str:
        """E3: recorded and perturbed inputs agree. E2: invented ones do. Never from inputs that only raise."""
        if self.fails or not self.returned:
            return "E0"
        if self.agreed["recorded"] and self.agreed["perturbed"]:
            return "E3"
        return "E2" if self.agreed["generated"] else "E0"


def replay(
    place: Place, plan: Plan, *, before: Path, after: Path, lines: ChangedLines | None = None
) -> Replayed:
    """Observe and compare; stops at the first difference that discards. Raises Cancelled."""
    return _Comparison(place, plan, before, after, lines).run()


class _Comparison:
    def __init__(
        self, place: Place, plan: Plan, before: Path, after: Path, lines: ChangedLines | None
    ) -> None:
        self.place, self.plan, self.before, self.after, self.lines = place, plan, before, after, lines
        self.seeds = (plan.seed % 1_000_003 + 1, plan.seed % 999_983 + 2_000_003)
        self.found = Replayed()
        self.ids: list[str] = []
        self.limits: dict[str, float] = {}
        self.differences: list[Difference] = []

    def run(self) -> Replayed:
        first = self._observe(self.before, 0, only=None)
        if first.broken:
            self.found.why_not = first.broken
            return self.found
        self._decide_inputs(first)
        again, right = self._both(0)
        self._settle(first, again)
        if not self.ids:
            self.found.why_not = (
                self.found.why_not or "no input gives a repeatable outcome that can be compared"
            )
            return self.found
        runs = [(first, right)]
        if self._judge(*runs[0], 0):
            return self.found
        runs.append(self._both(1))
        if self._judge(*runs[1], 1) or self._slower(first, again, runs) or self._left_behind(again, *runs[1]):
            return self.found
        self.found.lines = frozenset(runs[1][1].lines)
        self._agree()
        self._disclose()
        return self.found

    def _observe(self, tree: Path, seed: int, **more: object) -> Observed:
        only = more.pop("only", self.ids)
        return observe(
            self.place,
            self.plan,
            tree=tree,
            hash_seed=self.seeds[seed],
            only=only,  # type: ignore[arg-type]
            limits=self.limits,
            **more,  # type: ignore[arg-type]
        )

    def _both(self, seed: int) -> tuple[Observed, Observed]:
        """Both versions on the same inputs, side by side."""
        with ThreadPoolExecutor(1) as other:
            after = other.submit(
                self._observe, self.after, seed, lines=self.lines if seed else None, hasty=True
            )
            return self._observe(self.before, seed), after.result()

    def _decide_inputs(self, first: Observed) -> None:
        """Keep the inputs whose outcome can be compared."""
        self.ids = [key for key, facts in first.facts.items() if decidable(facts)]
        self.limits = {key: _limit(first.facts[key]) for key in self.ids}
        self.found.undecided = len(first.facts) + len(first.fatal) - len(self.ids)

    def _settle(self, first: Observed, again: Observed) -> None:
        """Keep the inputs whose outcome repeats itself, and count them."""
        steady = [key for key in self.ids if self._repeats(first.facts[key], again.facts.get(key))]
        self.found.unsteady = len(self.ids) - len(steady)
        self.ids = steady
        self._count(first)

    def _repeats(self, facts: Facts, again: Facts | None) -> bool:
        return not difference(facts, again, "exact")

    def _count(self, first: Observed) -> None:
        facts = [first.facts[key] for key in self.ids]
        self.found.tried = Counter(LAYERS[key[0]] for key in self.ids)
        self.found.raised = Counter(str(each["outcome"]) for each in facts if _raises(each))
        self.found.returned = sum(not _raises(first.facts[key]) for key in self.ids if key[0] != "p")
        self.found.opaque = tuple(sorted({name for each in facts for name in each.get("opaque", ())}))
        if first.lost:
            self.found.why_not = f"{first.lost} recorded calls could not be loaded again"

    def _judge(self, left: Observed, right: Observed, seed: int) -> bool:
        """Compare one pair of runs; True when that discards the change."""
        if right.broken or right.lost > left.lost:
            why = right.broken or "recorded arguments can no longer be loaded"
            return self._fail("the changed version cannot be run on the recorded calls", why)
        new = list(self._differences(left, right))
        self.differences += [each for each in new if each.id not in {known.id for known in self.differences}]
        bad = [each for each in new if each.inside or self.plan.tier == "exact"]
        if not bad:
            return False
        shown = sorted(bad, key=lambda each: "rpg".index(each.id[0]))[:_SHOWN]
        words = self._explain(shown, seed)
        return self._fail(_sentence(shown[0], len(bad)), words[0])

    def _differences(self, left: Observed, right: Observed) -> list[Difference]:
        found = []
        for key in self.ids:
            before, after = left.facts.get(key), right.facts.get(key)
            if before is None or not decidable(before) or (after is None and right.stopped):
                continue
            facet = difference(before, after, self.plan.tier)
            if facet:
                found.append(Difference(key, facet, inside(before, after)))
        return found

    def _explain(self, shown: Sequence[Difference], seed: int) -> list[str]:
        """The same run again, up to the last of these inputs, with words for each of them."""
        last = max(self.ids.index(each.id) for each in shown)
        only, ids = self.ids[: last + 1], [each.id for each in shown]
        left, right = (
            self._observe(tree, seed, only=only, explain=ids) for tree in (self.before, self.after)
        )
        return [
            self._name()
            + in_words(each.facet, left.facts.get(each.id, {}), right.facts.get(each.id), self.plan.tier)
            for each in shown
        ]

    def _name(self) -> str:
        return self.plan.subject.qualname

    def _fail(self, reason: str, counterexample: str) -> bool:
        self.found.reason, self.found.counterexample = reason, counterexample
        self.found.agreed = self.found.tried - Counter(each.layer for each in self.differences)
        return True

    def _slower(self, first: Observed, again: Observed, runs: Sequence[tuple[Observed, Observed]]) -> bool:
        for key in self.ids:
            before = _seconds(key, [first, again, runs[1][0]])
            after = _seconds(key, [right for _, right in runs])
            if too_slow(before, after):
                self.differences.append(Difference(key, "slow", True))
                words = self._explain([self.differences[-1]], 1)
                return self._fail(
                    _sentence(self.differences[-1], 1),
                    f"{words[0]} ({min(after):.2f} s, {max(before):.2f} s before)",
                )
        return False

    def _left_behind(self, again: Observed, left: Observed, right: Observed) -> bool:
        """Public module values after all calls, where they are the same in both runs of the before-version."""
        if self.found.unsteady or again.fatal or left.fatal or right.fatal:
            return False
        steady = {name: form for name, form in left.state.items() if again.state.get(name) == form}
        names = [name for name, form in steady.items() if right.state.get(name, form) != form]
        if not names:
            return False
        module = self.plan.subject.module
        return self._fail(
            "module state differs after the same calls", ", ".join(f"{module}.{name}" for name in names[:5])
        )

    def _agree(self) -> None:
        self.found.agreed = self.found.tried - Counter(each.layer for each in self.differences)

    def _disclose(self) -> None:
        """Differences outside the contract, a few of each facet, in words."""
        by_facet: dict[str, list[Difference]] = {}
        for each in self.differences:
            by_facet.setdefault(each.facet, []).append(each)
        shown = [each for group in by_facet.values() for each in group[:_SHOWN]][: 2 * _SHOWN]
        if shown:
            self.found.disclosed = tuple(self._explain(shown, 1))


def _sentence(each: Difference, count: int) -> str:
    where = "inside" if each.inside else "outside"
    more = f", and on {count - 1} more" if count > 1 else ""
    return f"{WORDS[each.facet]} on {_article(each.layer)} input {where} the observed contract{more}"


def _article(layer: str) -> str:
    return f"a {layer}"


def _limit(facts: Facts) -> float:
    """Seconds the other version gets for an input: ten times as long, and some slack for a busy machine."""
    return _SLACK_TIMES * float(facts.get("seconds", 0.0)) + _SLACK_SECONDS


def _raises(facts: Facts) -> bool:
    return str(facts["outcome"]).startswith("raised")


def _seconds(key: str, runs: Sequence[Observed]) -> list[float]:
    return [float(run.facts[key]["seconds"]) for run in runs if "seconds" in run.facts.get(key, {})]


def checks_of(found: Replayed, *, subject: str = "") -> tuple[Check, ...]:
    """Lines of evidence for people. ``subject`` names the caller that was replayed in place of the target."""
    if found.why_not and not found.tried:
        return tuple(
            Check(name=title, state="not_checked", detail=found.why_not) for title in _TITLES.values()
        )
    checks = [_layer_check(found, layer, title, subject) for layer, title in _TITLES.items()]
    return (*checks, _raised_check(found))


def _layer_check(found: Replayed, layer: str, title: str, subject: str) -> Check:
    tried, agreed = found.tried[layer], found.agreed[layer]
    if not tried:
        return Check(name=title, state="not_checked", detail=_why_no_inputs(layer, found))
    failing = found.fails and agreed < tried
    parts = [f"through {subject}"] if subject else []
    if layer == "recorded":
        parts += _asides(found)
    if failing:
        parts.append(found.counterexample)
    elif agreed < tried:
        parts.append(
            f"{tried - agreed} outside the observed contract differ: " + " | ".join(found.disclosed[:_SHOWN])
        )
    state = "fail" if failing else "pass"
    return Check(name=title, state=state, detail="; ".join(parts), tried=tried, agreed=agreed)


def _asides(found: Replayed) -> list[str]:
    parts = []
    if found.unsteady:
        parts.append(f"{found.unsteady} inputs of all layers set aside: not deterministic")
    if found.undecided:
        parts.append(f"{found.undecided} too long or too large to compare")
    if found.opaque:
        parts.append("cannot look into " + ", ".join(found.opaque[:5]))
    return parts


def _why_no_inputs(layer: str, found: Replayed) -> str:
    if layer == "generated":
        return "No argument of it can be invented from annotations and observed types"
    return found.why_not or "No recorded call can be replayed"


def _raised_check(found: Replayed) -> Check:
    total = sum(found.raised.values())
    if not total:
        return Check(name="Raised errors", state="not_checked", detail="No input raised an error")
    kinds = ", ".join(
        name.removeprefix("raised ").removeprefix("builtins.") for name, _ in found.raised.most_common(5)
    )
    wrong = found.fails and "outcome" in found.reason
    return Check(
        name="Raised errors",
        state="fail" if wrong else "pass",
        detail=kinds,
        tried=total,
        agreed=None if found.fails else total,
    )

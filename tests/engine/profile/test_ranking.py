"""The ranked table: its formula by hand, its order, and the rows that are shown but not tried."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from engine.profile import AsyncRow, FunctionRow, History, MemoryRow, ModuleRow, Profile, RulePrior, rank


def function(name: str, share: float, *, reach: float | None = None, **more: object) -> FunctionRow:
    values: dict[str, object] = {"line": 10, "distinct": 3, "tests": ("t.py::test",), **more}
    return FunctionRow(
        id=f"a.py::{name}",
        path="a.py",
        qualname=name,
        share=share,
        reach=share if reach is None else reach,
        **values,
    )


def made(*functions: FunctionRow, **more: object) -> Profile:
    index = {
        f.id: {"distinct": f.distinct, "unreplayable": f.unreplayable, "args": {"x": {}}} for f in functions
    }
    values: dict[str, object] = {
        "commit": "c",
        "workload": "w",
        "source": "test",
        "recordings": Path(),
        "seconds": 1.0,
    }
    return Profile(functions=functions, index=index, **{**values, **more})  # type: ignore[arg-type]


def prior(rule: str = "r", gain: float = 2.0, **more: object) -> RulePrior:
    return RulePrior(**{"rule": rule, "domain": "cpu", "gain": gain, **more})  # type: ignore[arg-type]


def test_the_score_is_the_formula() -> None:
    history = History()
    history.note(rule="r", target_id="x", kept=True)
    history.note(rule="r", target_id="x", kept=False)
    (target,) = rank(
        made(function("f", 0.5)),
        domain="cpu",
        rules={"a.py::f": [prior(seconds=8)]},
        history=history,
        floor=0.02,
    )
    g = 1 / (1 - 0.5 + 0.5 / 2)
    assert target.expected == pytest.approx(g)
    assert target.bound == pytest.approx(2)
    assert target.score == pytest.approx(math.log(g) * (2 / 6) * 1.0 * 1.0 / 8)
    assert (target.rules, target.evidence, target.note) == (("r",), "E3", "")


@pytest.mark.parametrize(
    ("row", "weight", "level"),
    [
        (function("f", 0.5), 1.0, "E3"),
        (function("f", 0.5, unreplayable="generator"), 0.7, "E2"),
        (function("f", 0.5, kind="coroutine"), 0.3, "E1"),
        (function("f", 0.5, distinct=0, tests=()), 0.0, "E0"),
    ],
)
def test_evidence_weighs(row: FunctionRow, weight: float, level: str) -> None:
    (target,) = rank(
        made(row), domain="cpu", rules={"a.py::f": [prior(seconds=1)]}, history=History(), floor=0.02
    )
    assert target.evidence == level
    assert target.score == pytest.approx(math.log(1 / 0.75) * 0.25 * weight)


def test_a_row_under_the_floor_is_shown_and_scores_nothing() -> None:
    (target,) = rank(
        made(function("f", 0.1)), domain="cpu", rules={"a.py::f": [prior()]}, history=History(), floor=0.2
    )
    assert (target.score, target.note, target.rules) == (0.0, "bound under the noise floor", ("r",))
    (target,) = rank(
        made(function("f", 0.1)), domain="cpu", rules={"a.py::f": [prior()]}, history=History(), floor=0.1
    )
    assert target.score > 0


def test_rows_without_a_rule_follow_by_share() -> None:
    found = rank(
        made(function("big", 0.6), function("mid", 0.3), function("small", 0.1)),
        domain="cpu",
        rules={"a.py::small": [prior()]},
        history=History(),
        floor=0.02,
    )
    assert [t.qualname for t in found] == ["small", "big", "mid"]
    assert found[1].note and found[1].expected is None


def test_the_best_rule_comes_first_and_skipped_keys_do_not_count() -> None:
    history = History(skip={"gone"})
    rules = {"a.py::f": [prior("small", 1.1), prior("large", 3.0), prior("tried", 9.0, key="gone")]}
    (target,) = rank(made(function("f", 0.5)), domain="cpu", rules=rules, history=history, floor=0.02)
    assert target.rules == ("large", "small")


def test_what_lies_below_counts_for_waiting_and_importing_alone() -> None:
    profile = replace(deep(), functions=(function("f", 0.01, reach=0.8),))
    rules = {
        "a.py::f": [prior(domain="cpu"), prior(domain="async")],
        "a.py::<module>": [prior(domain="structure")],
    }
    found = rank(profile, domain="deep", rules=rules, history=History(), floor=0.02)
    shares = {t.domain: t.share for t in found if t.rules}
    assert shares == {"cpu": 0.01, "async": 0.5, "structure": 0.5}


DEEP_MEMORY = MemoryRow(
    id="a.py::f",
    qualname="f",
    own_bytes=4 << 20,
    reach_bytes=4 << 20,
    share=0.5,
    reach=0.5,
    calls=1,
    path="a.py",
    line=5,
)
DEEP_ASYNC = AsyncRow(
    id="a.py::f",
    qualname="f",
    share=0.0,
    reach=0.5,
    waiting_share=0.9,
    wait_ns=1e9,
    blocked_ns=0,
    step_ns=1e6,
    cpu_ns=1e6,
    worst_lag_ns=1e6,
    path="a.py",
    line=5,
)
DEEP_MODULE = ModuleRow(
    id="a.py::<module>",
    name="a",
    path="a.py",
    entry="a",
    own_ns=1e6,
    total_ns=2e6,
    entry_ns=2e6,
    share=0.1,
    reach=0.5,
)


def deep() -> Profile:
    """One row in each dimension."""
    return made(
        function("f", 0.5, line=5),
        memory=(DEEP_MEMORY,),
        asynchronous=(DEEP_ASYNC,),
        modules=(DEEP_MODULE,),
    )


def test_deep_weighs_dimensions_and_a_single_one_does_not() -> None:
    rules = {
        "a.py::f": [prior(domain=d, seconds=1) for d in ("cpu", "memory", "async")],
        "a.py::<module>": [prior(domain="structure", seconds=1)],
    }
    found = {t.domain: t for t in rank(deep(), domain="deep", rules=rules, history=History(), floor=0.02)}
    base = math.log(1 / 0.75) * 0.25
    assert found["cpu"].score == pytest.approx(base)
    assert found["memory"].score == pytest.approx(base * 0.5)
    assert found["async"].score == pytest.approx(base * 0.3)
    assert found["structure"].score == pytest.approx(base * 0.3 * 0.5)
    (alone,) = rank(deep(), domain="structure", rules=rules, history=History(), floor=0.02)
    assert alone.score == pytest.approx(base * 0.3)
    assert alone.id == "a.py::<module>"


def test_a_small_peak_is_not_tried() -> None:
    profile = deep()
    small = replace(profile, memory=(replace(profile.memory[0], own_bytes=1000),))
    (target,) = rank(
        small, domain="memory", rules={"a.py::f": [prior(domain="memory")]}, history=History(), floor=0.02
    )
    assert target.score == 0.0 and "1 MiB" in target.note


def test_ties_go_by_path_line_and_rule_whatever_the_order_of_the_input() -> None:
    rows = [function(name, 0.3, line=line) for name, line in (("c", 30), ("a", 10), ("b", 20))]
    rules = {row.id: [prior("z"), prior("y")] for row in rows}
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        found = rank(made(*rows), domain="cpu", rules=rules, history=History(), floor=0.02)
        assert [t.qualname for t in found] == ["a", "b", "c"]
        assert found[0].rules == ("y", "z")


def test_shares_closer_than_the_sampler_sees_rank_alike() -> None:
    one = made(function("a", 0.303, line=1), function("b", 0.298, line=2))
    other = made(function("a", 0.296, line=1), function("b", 0.304, line=2))
    rules = {"a.py::a": [prior()], "a.py::b": [prior()]}
    orders = [
        [t.qualname for t in rank(p, domain="cpu", rules=rules, history=History(), floor=0.02)]
        for p in (one, other)
    ]
    assert orders == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize(
    ("first", "second"),
    [((0.30, 0.32), (0.33, 0.29)), ((0.94, 0.95), (0.96, 0.94)), ((0.02, 0.03), (0.02, 0.01))],
)
def test_two_profiles_that_differ_by_noise_rank_alike(
    first: tuple[float, float], second: tuple[float, float]
) -> None:
    orders = []
    for a, b in (first, second):
        profile = made(function("a", a, line=1), function("b", b, line=2))
        rules = {"a.py::a": [prior()], "a.py::b": [prior()]}
        found = rank(profile, domain="cpu", rules=rules, history=History(), floor=0.001)
        orders.append([t.qualname for t in found])
    assert orders == [["a", "b"], ["a", "b"]]


def test_what_can_be_told_apart_goes_by_its_score_and_not_by_its_place() -> None:
    names = ["a", "b", "c", "d"]
    profile = made(
        *(function(n, s, line=i) for i, (n, s) in enumerate(zip(names, (0.1, 0.31, 0.3, 0.6), strict=True)))
    )
    rules = {f"a.py::{name}": [prior()] for name in names}
    found = rank(profile, domain="cpu", rules=rules, history=History(), floor=0.02)
    assert [t.qualname for t in found] == ["d", "b", "c", "a"]


def test_an_unknown_share_is_unknown_not_zero() -> None:
    (target,) = rank(
        made(FunctionRow(id="a.py::f", path="a.py", qualname="f", line=1)),
        domain="cpu",
        rules={"a.py::f": [prior()]},
        history=History(),
        floor=0.02,
    )
    assert target.share is None and target.bound is None and target.score == 0.0


def test_a_share_of_everything_has_a_finite_bound() -> None:
    (target,) = rank(
        made(function("f", 1.0)),
        domain="cpu",
        rules={"a.py::f": [prior(gain=1000)]},
        history=History(),
        floor=0.02,
    )
    assert target.bound == pytest.approx(100) and math.isfinite(target.score)


def test_history_counts_accepted_learnings_and_own_results() -> None:
    history = History.from_learnings(
        [
            {"pattern": "r", "outcome": "keep", "state": "accepted"},
            {"pattern": "r", "outcome": "discard"},
            {"pattern": "r", "outcome": "keep", "state": "proposed"},
            {"pattern": "", "outcome": "keep"},
            {"outcome": "keep"},
        ]
    )
    assert history.p_keep("r") == pytest.approx(2 / 6)
    history.note(rule="r", target_id="t", kept=True, key="k")
    assert history.p_keep("r") == pytest.approx(3 / 7)
    assert history.p_keep("other") == pytest.approx(1 / 4)
    assert history.tries("t") == 1 and history.skip == {"k"}

"""Original and rewrite agree on at least 300 inputs each, under a strict comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.rules import Case, Rule, catalogue
from tests.engine.rules.helpers import STRATEGIES, function_of, outcome, rewrites

PAIRS = [(rule, case) for rule in catalogue() for case in rule.examples if case.inputs]
TRIES = 300


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.mark.parametrize(
    ("rule", "case"), PAIRS, ids=lambda each: getattr(each, "id", getattr(each, "why", ""))
)
def test_same_behaviour(rule: Rule, case: Case, runner: asyncio.Runner) -> None:
    before, tried = function_of(case.source, case), 0
    after = [function_of(text, case) for text in rewrites(rule, case)]

    @settings(
        max_examples=TRIES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*(STRATEGIES[words] for words in case.inputs)))
    def compare(args: tuple[Any, ...]) -> None:
        nonlocal tried
        tried += 1
        expected = outcome(before, args, runner)
        assert all(outcome(each, args, runner) == expected for each in after)

    compare()
    assert after
    assert tried >= min(TRIES, 100)


def test_every_rule_of_functions_is_compared() -> None:
    compared = {rule.id for rule, _ in PAIRS}
    assert {rule.id for rule in catalogue() if rule.metric != "import"} <= compared

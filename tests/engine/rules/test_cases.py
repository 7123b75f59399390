"""Every rule does its examples, refuses its traps, and has nothing to add to its own work."""

from __future__ import annotations

import pytest

from engine.rules import Case, Rule, catalogue
from tests.engine.rules.helpers import rewrites

EXAMPLES = [(rule, case) for rule in catalogue() for case in rule.examples]
REFUSES = [(rule, case) for rule in catalogue() for case in rule.refuses]


def name(value: Rule | Case) -> str:
    return value.id if isinstance(value, Rule) else value.why


@pytest.mark.parametrize(("rule", "case"), EXAMPLES, ids=name)
def test_example(rule: Rule, case: Case) -> None:
    assert rewrites(rule, case)[:1] == [case.expected]


@pytest.mark.parametrize(("rule", "case"), REFUSES, ids=name)
def test_trap_is_refused(rule: Rule, case: Case) -> None:
    assert rewrites(rule, case) == []


@pytest.mark.parametrize(("rule", "case"), EXAMPLES, ids=name)
def test_nothing_more_after_the_rewrite(rule: Rule, case: Case) -> None:
    assert rewrites(rule, case, case.expected) == []


@pytest.mark.parametrize("rule", catalogue(), ids=name)
def test_traps_come_in_numbers(rule: Rule) -> None:
    assert rule.examples
    assert len(rule.refuses) >= 5
    assert all(case.expected is None for case in rule.refuses)

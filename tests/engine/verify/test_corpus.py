"""The corpus of rewrites: every wrong one is caught by layers 2 to 5, every right one is accepted by them.

The wrong ones all pass the tests they come with: those tests are the calls that were recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.verify.invent import invent
from engine.verify.observing import INVENTED, Plan
from engine.verify.recordings import Recordings
from engine.verify.replay import Replayed, replay
from engine.verify.trees import changed_lines, functions
from tests.engine.verify.house import Case, House, cases, new_house, suite_of

WRONG, RIGHT = cases("wrong"), cases("right")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """All cases in one repo, recorded once."""
    every = WRONG + RIGHT
    shared = {"pkg/__init__.py": "", **{f"tests/test_{case.module}.py": suite_of(case) for case in every}}
    before = shared | {case.path: case.before for case in every}
    after = shared | {case.path: case.after for case in every}
    with new_house(before, after) as made:
        yield made.record()


def replayed(house: House, case: Case) -> Replayed:
    recordings = Recordings(house.recordings)
    subject = recordings.subject(case.row.id, f"pkg.{case.module}")
    assert subject.calls, subject.why_not
    node = functions(case.before)[case.target]
    inputs = invent(
        node, kind=subject.kind, observed=subject.args, recorded=True, seed_number=7, count=INVENTED
    )
    plan = Plan(subject=subject, tier=case.tier, seed=7, invented=inputs)
    lines = changed_lines(before=house.before, after=house.after, path=case.path)
    return replay(house.place, plan, before=house.before, after=house.after, lines=lines)


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_a_wrong_rewrite_is_caught(house: House, case: Case) -> None:
    found = replayed(house, case)
    assert found.fails, f"{case.why}: tried {dict(found.tried)}, {found.why_not}"
    assert case.target in found.counterexample


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_a_right_rewrite_is_accepted(house: House, case: Case) -> None:
    found = replayed(house, case)
    assert not found.fails, f"{found.reason}: {found.counterexample}"
    assert found.level == "E3", (found.why_not, found.tried, found.agreed)


def test_both_versions_of_every_case_pass_their_tests(house: House) -> None:
    assert house.baseline.ok, house.baseline.failures
    after = [Path(house.after / case.path).read_text() for case in WRONG]
    assert len(after) >= 30 and len(RIGHT) >= 10

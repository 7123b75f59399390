"""What a page says about rows that differ: units, folded rows, findings at their line. Read from the rendered page."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest

from engine import events as e
from sessions_app import actions
from tests import story
from tests.pages import builder


def _keep(session: int, number: int, clock: story.Clock, **measured: object) -> list[e.Event]:
    """An experiment that was kept with this measurement."""
    plan = replace(story.PLANS[0], title=f"Change {number}")
    started, *_, kept = (
        event
        for event in story.experiment(session, number, plan, 1.0, 0, clock)
        if isinstance(event, e.ExperimentStarted | e.ExperimentKept)
    )
    assert isinstance(kept, e.ExperimentKept)
    return [started, replace(kept, measurement=replace(kept.measurement, **measured))]


def _row(page: str, number: int) -> str:
    found = re.search(rf'<tr class="keep" id="x{number}".*?</tr>', page, re.DOTALL)
    assert found
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", found[0]))


@pytest.mark.django_db
def test_each_experiment_names_the_unit_of_its_own_numbers(world, sign_in):
    session = actions.launch(user=world.mia, repo=world.repo)
    clock = story.Clock(time.time() - 900)
    events = [*story.opening(session.pk, clock)]
    events += _keep(session.pk, 1, clock, before=868e6, after=781e6)
    events += _keep(session.pk, 2, clock, metric="peak", unit="bytes", before=31.9e6, after=24.7e6)
    events += _keep(session.pk, 3, clock, before=1.36e6, after=11_241)
    builder.tell(session, events)
    page = sign_in(world.mia).get(f"/sessions/{session.pk}/").content.decode()
    assert "868 → 781 ms" in _row(page, 1)
    assert "30.4 → 23.6 MiB" in _row(page, 2)
    assert "1.36 → 0.0112 ms" in _row(page, 3)

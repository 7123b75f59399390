"""Stopping a session in each stage: it ends cancelled within seconds, cleaned up, with nothing half kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessions_app import folders
from sessions_app.models import Session
from tests.conftest import make_repo
from tests.faults.conftest import (
    HOLD,
    House,
    await_said,
    branch_of,
    ended,
    held,
    no_trace,
    said,
)
from tests.tiny import TINY, fingerprint

pytestmark = pytest.mark.django_db(transaction=True)
STOP_SECONDS = 10
"""What people are promised. A process that will not end by itself is killed before that."""


@pytest.fixture
def stopping(house: House, tmp_path: Path) -> House:
    files = {**TINY, "conftest.py": HOLD, "pyproject.toml": TINY["pyproject.toml"].replace("1.0", "1.8")}
    house.source = make_repo(tmp_path / "stopped", files)
    house.repo = house.register(house.source)
    house.worker()
    return house


def stop_at(house: House, kind: str, **body: object) -> Session:
    """Launch, wait for the moment, cancel, and check what holds after every cancelled session."""
    session = house.launch()
    await_said(session, kind, **body)
    house.cancel(session)
    ended(session, "cancelled", STOP_SECONDS)
    no_trace(session, set())
    work = folders.work_of(session.pk)
    assert said(session, "session_ended", outcome="cancelled"), session.end_reason
    assert said(session, "cleaned_up")
    assert not [name for name in ("trees", "scratch", "profile") if (work / name).exists()]
    assert (work / ".codeflash" / "HANDOFF.md").is_file()
    kept = session.experiments.filter(status="keep")
    assert sorted(branch_of(session)) == sorted(kept.values_list("uid", flat=True))
    return session


def test_cancel_in_each_stage(stopping: House) -> None:
    before = fingerprint(stopping.source)
    waiting = stopping.launch()
    stop_at_once(stopping, waiting)
    stop_at(stopping, "agent_started", agent="setup")
    stop_at(stopping, "team_formed")
    with held():
        stop_at(stopping, "setup_finished")
    session = stop_at(stopping, "experiment_advanced", step="benchmark")
    assert not session.experiments.exclude(status__in=("keep", "discard", "crash")).exists(), "still running?"
    session = stop_at(stopping, "agent_started", agent="review")
    assert session.kept == 1 and not session.reviews.exists()
    assert fingerprint(stopping.source) == before


def stop_at_once(house: House, session: Session) -> None:
    """Before, at or right after the claim: whoever wins, it ends cancelled."""
    house.cancel(session)
    ended(session, "cancelled", STOP_SECONDS * 3)

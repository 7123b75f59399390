"""The one table of legal orders: the seven guarantees and the three parallel allowances, one test each."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine import events as e
from engine.order import RAIL, TABLE, OutOfOrder, Stage, advance
from engine.values import Isolation, Measurement, Target

TARGET = Target(path="a.py", qualname="f", line=1, domain="cpu")
STARTED = e.SessionStarted(
    session="1",
    mode="start",
    crew="builtin",
    repo="r",
    base="b",
    base_ref="main",
    branch="codeflash/r-1",
    isolation=Isolation(level="L2"),
)
LANGUAGE = e.LanguageDetected(language="python", files=1, lines=1)
DOMAIN = e.DomainChosen(domain="deep", reason="x")
SETUP = e.SetupFinished(
    manager="plain", python="python", python_version="3.11", lock_digest="d", cached=False, seconds=1.0
)
TEAM = e.TeamFormed(agents=("deep",))
BASELINE = e.BaselineProfiled(commit="b", workload="tests", seconds=1.0, targets=(TARGET,))
BEGUN = e.ExperimentStarted(
    number=1,
    experiment="u",
    target=TARGET,
    agent="deep",
    domain="cpu",
    pattern="p",
    title="t",
    hypothesis="h",
)
KEPT = e.ExperimentKept(
    number=1, commit="c", measurement=Measurement(metric="cpu", unit="ns", outcome="keep")
)
DISCARDED = e.ExperimentDiscarded(number=1, reason_class="noise", reason="within noise")
REPROFILED = e.Reprofiled(commit="c", targets=(), seconds=1.0)
PLATEAU = e.PlateauReached(cause="plateau", message="[complete]")
FILED = e.ReviewFiled(
    verdict="APPROVE", head="c", base="b", summary="s", report_digest="r", results_digest="d", passes=()
)
CLEANED = e.CleanedUp(preserved=(), removed=())
ENDED = e.SessionEnded(outcome="finished", reason="done")
FINDING = e.FindingSent(target="a.py::f", rank=2, text="x")
TO_LOOP = [STARTED, LANGUAGE, DOMAIN, SETUP, TEAM, BASELINE]


def after(*events: e.Event) -> Stage:
    stage = Stage.NEW
    for event in events:
        stage = advance(stage, event)
    return stage


def refuses(stage: Stage, event: e.Event) -> None:
    with pytest.raises(OutOfOrder):
        advance(stage, event)


def test_whole_lifecycle_in_the_order_of_the_method() -> None:
    whole = [*TO_LOOP, BEGUN, KEPT, REPROFILED, BEGUN, DISCARDED, PLATEAU, FILED, CLEANED, ENDED]
    assert after(*whole) is Stage.ENDED


@pytest.mark.parametrize("event", [LANGUAGE, DOMAIN, e.AgentStarted(agent="router", task="x"), BEGUN])
def test_1_the_session_starts_before_any_agent_acts(event: e.Event) -> None:
    refuses(Stage.NEW, event)


def test_2_language_before_domain() -> None:
    refuses(after(STARTED), DOMAIN)
    assert after(STARTED, LANGUAGE, DOMAIN) is Stage.SETUP


@pytest.mark.parametrize("event", [TEAM, BASELINE, BEGUN])
def test_3_setup_before_the_optimizers(event: e.Event) -> None:
    refuses(after(STARTED, LANGUAGE, DOMAIN), event)


def test_4_baseline_before_any_experiment() -> None:
    refuses(after(STARTED, LANGUAGE, DOMAIN, SETUP, TEAM), BEGUN)
    assert after(*TO_LOOP, BEGUN) is Stage.EXPERIMENT


def test_5_reprofile_after_every_keep() -> None:
    kept = after(*TO_LOOP, BEGUN, KEPT)
    refuses(kept, BEGUN)
    refuses(kept, PLATEAU)
    assert advance(kept, REPROFILED) is Stage.LOOP


def test_6_review_after_complete_and_before_clean_up() -> None:
    refuses(after(*TO_LOOP), FILED)
    refuses(after(*TO_LOOP, PLATEAU), CLEANED)
    assert after(*TO_LOOP, PLATEAU, FILED) is Stage.CLEANUP


def test_7_the_end_is_last_and_final() -> None:
    ended = after(*TO_LOOP, PLATEAU, FILED, CLEANED, ENDED)
    assert ended is Stage.ENDED
    for event in (STARTED, ENDED, e.NoteLogged(source="x", text="y")):
        refuses(ended, event)
    refuses(after(*TO_LOOP, PLATEAU, FILED), ENDED)


@pytest.mark.parametrize("stage", [Stage.LOOP, Stage.EXPERIMENT, Stage.REPROFILE])
def test_parallel_work_never_moves_the_stage(stage: Stage) -> None:
    assert advance(stage, FINDING) is stage
    assert advance(stage, e.AgentStarted(agent="cpu", task="in a worktree")) is stage
    assert advance(stage, e.ProposalDropped(rule="r", target="t", reason="x")) is stage


def test_research_has_no_place_before_the_baseline_or_in_the_review() -> None:
    refuses(after(STARTED, LANGUAGE, DOMAIN, SETUP), FINDING)
    refuses(after(*TO_LOOP, PLATEAU), FINDING)


@pytest.mark.parametrize("stage", [s for s in Stage if s not in (Stage.ENDED, Stage.ENDING)])
def test_a_failure_in_any_stage_still_reaches_the_end(stage: Stage) -> None:
    failed = advance(stage, e.StageFailed(stage=str(stage), agent="x", reason="y"))
    if failed is Stage.CLEANUP:
        failed = advance(failed, CLEANED)
    assert advance(failed, ENDED) is Stage.ENDED


def test_an_illegal_pair_changes_nothing() -> None:
    stage = after(*TO_LOOP)
    refuses(stage, STARTED)
    assert advance(stage, BEGUN) is Stage.EXPERIMENT


def test_every_stage_but_new_is_on_the_rail_once() -> None:
    shown = [stage for _, _, stages in RAIL for stage in stages]
    assert sorted(shown) == sorted(set(Stage) - {Stage.NEW})
    assert len(RAIL) == 9


def test_every_kind_of_event_has_a_place() -> None:
    placed = {event for _, event in TABLE}
    assert placed == set(e.KINDS.values())


def test_stages_prints_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "engine", "stages"], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == len(TABLE)

"""Where a session is and how it ended: its stage, its clock, its branch and its measured whole."""

from __future__ import annotations

from engine import events as e
from engine.order import RAIL, TABLE, Stage
from sessions_app.models import Event, ExperimentStatus, Session
from sessions_app.projections.registry import on, text

RAIL_KEY: dict[str, str] = {stage.value: key for key, _, stages in RAIL for stage in stages}


def move_stage(session: Session, row: Event) -> None:
    """To the stage the one table of the order gives, with the time of the change."""
    cls = e.KINDS.get(row.kind)
    if cls is None or (session.stage not in RAIL_KEY and session.stage != Stage.NEW):
        return
    after = TABLE.get((Stage(session.stage), cls))
    if after is None or after == session.stage:
        return
    _time_stage(session, RAIL_KEY.get(session.stage, ""), RAIL_KEY[after], row.at.timestamp())
    session.stage = after.value


def _time_stage(session: Session, old: str, new: str, at: float) -> None:
    if old == new:
        return
    if old:
        session.stage_times.setdefault(old, [at, None])[1] = at
    session.stage_times.setdefault(new, [at, None])[1] = at if new == "end" else None


@on("session_started")
def _session_started(session: Session, row: Event) -> None:
    body = row.body
    session.base, session.head = text(body, "base", 64), text(body, "base", 64)
    session.branch = text(body, "branch", 250)
    session.isolation, session.fingerprint = body.get("isolation") or {}, body.get("fingerprint") or {}


@on("domain_chosen")
def _domain_chosen(session: Session, row: Event) -> None:
    session.chosen_domain = text(row.body, "domain", 12)


@on("setup_finished")
def _setup_finished(session: Session, row: Event) -> None:
    session.setup = row.body


@on("session_measured")
def _session_measured(session: Session, row: Event) -> None:
    session.head = text(row.body, "head", 64) or session.head
    measured = row.body.get("measurement") or {}
    session.speedup = {k: v for k, v in measured.items() if not k.startswith("samples_")}


@on("review_filed")
def _review_filed(session: Session, row: Event) -> None:
    session.verdict = text(row.body, "verdict", 16)
    session.head = text(row.body, "head", 64) or session.head
    session.results_digest = text(row.body, "results_digest", 64)


@on("stage_failed")
def _stage_failed(session: Session, row: Event) -> None:
    stage = text(row.body, "stage", 12)
    session.failed_stage = session.failed_stage or RAIL_KEY.get(stage, stage)
    _cut_short(session, row, "cancelled" if row.body.get("cancelled") else "failed")


@on("session_ended")
def _session_ended(session: Session, row: Event) -> None:
    session.head = text(row.body, "head", 64) or session.head


@on("session_interrupted")
@on("session_cancelled")
@on("session_failed")
def _ended_from_outside(session: Session, row: Event) -> None:
    session.failed_stage = session.failed_stage or RAIL_KEY.get(session.stage, "")
    _cut_short(session, row, "interrupted")


def _cut_short(session: Session, row: Event, reason_class: str) -> None:
    """An experiment that was running when its session stopped has no result of its own: it crashed."""
    session.crashed += session.experiments.filter(status=ExperimentStatus.RUNNING).update(
        status=ExperimentStatus.CRASH,
        reason_class=reason_class,
        reason=text(row.body, "reason", 2000),
        ended=row.at,
        ended_seq=row.seq,
    )

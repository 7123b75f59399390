"""Rows that follow from events: pure functions of (session, event). Replaying a session's events gives them again.

``project`` changes the session row in memory (the caller saves ``PROJECTED``) and writes the rows below it. Handlers
read plain JSON, so an event of an older or newer version projects what it can and never stops the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import F

from engine import events as e
from engine.order import RAIL, TABLE, Stage
from sessions_app import lanes
from sessions_app.models import (
    Event,
    Experiment,
    ExperimentDetail,
    ExperimentStatus,
    Finding,
    Learning,
    Session,
    StateFile,
    Target,
)

Handler = Callable[[Session, Event], None]
Body = dict[str, Any]

PROJECTED = (
    "last_seq",
    "stage",
    "failed_stage",
    "stage_times",
    "chosen_domain",
    "base",
    "head",
    "branch",
    "isolation",
    "fingerprint",
    "setup",
    "metric",
    "unit",
    "baseline",
    "floor",
    "tried",
    "kept",
    "crashed",
    "consecutive",
    "best",
    "speedup",
    "now",
    "agents",
    "verdict",
    "results_digest",
)
"""Columns of the session row that only events change."""
TARGETS_KEPT = 200
RAIL_KEY: dict[str, str] = {stage.value: key for key, _, stages in RAIL for stage in stages}

_handlers: dict[str, list[Handler]] = {}


def register(kind: str, fn: Handler) -> None:
    """Also call ``fn(session, event)`` for each event of ``kind``. Registering the same function twice is once."""
    known = _handlers.setdefault(kind, [])
    if fn not in known:
        known.append(fn)


def project(session: Session, event_row: Event) -> None:
    """Apply one stored event. The session row is changed in memory only; other rows are written."""
    _move_stage(session, event_row)
    for handler in _handlers.get(event_row.kind, ()):
        handler(session, event_row)
    lanes.follow(session, event_row)


def _on(kind: str) -> Callable[[Handler], Handler]:
    def remember(fn: Handler) -> Handler:
        register(kind, fn)
        return fn

    return remember


def _move_stage(session: Session, row: Event) -> None:
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


@_on("session_started")
def _session_started(session: Session, row: Event) -> None:
    body = row.body
    session.base, session.head = text(body, "base", 64), text(body, "base", 64)
    session.branch = text(body, "branch", 250)
    session.isolation, session.fingerprint = body.get("isolation") or {}, body.get("fingerprint") or {}


@_on("domain_chosen")
def _domain_chosen(session: Session, row: Event) -> None:
    session.chosen_domain = text(row.body, "domain", 12)


@_on("setup_finished")
def _setup_finished(session: Session, row: Event) -> None:
    session.setup = row.body


@_on("baseline_profiled")
def _baseline_profiled(session: Session, row: Event) -> None:
    body = row.body
    session.metric, session.unit = text(body, "metric", 8), text(body, "unit", 8)
    session.baseline, session.floor = number(body, "value"), number(body, "floor")
    _replace_targets(session, body)


@_on("reprofiled")
def _reprofiled(session: Session, row: Event) -> None:
    _replace_targets(session, row.body)


@_on("scan_reported")
def _scan_reported(session: Session, row: Event) -> None:
    session.chosen_domain = text(row.body, "domain", 12)
    _replace_targets(session, row.body)


@_on("progress_restored")
def _progress_restored(session: Session, row: Event) -> None:
    session.head = text(row.body, "head", 64) or session.head
    session.consecutive = count(row.body, "consecutive")
    for keep in row.body.get("recovered") or ():
        _recovered(session, row, keep)


def _recovered(session: Session, row: Event, keep: Body) -> None:
    """A commit whose worker died before it could tell of it: a keep of the session that found it."""
    target = keep.get("target") or {}
    experiment, _ = Experiment.objects.update_or_create(
        session=session,
        number=count(keep, "number"),
        defaults={
            **_named(keep, target),
            "domain": text(target, "domain", 12),
            "status": ExperimentStatus.KEEP,
            "commit": text(keep, "commit", 64),
            "reason": "Recovered from its commit",
            "started": row.at,
            "started_seq": row.seq,
            "ended": row.at,
            "ended_seq": row.seq,
        },
    )
    _measured(experiment, keep.get("measurement") or {})
    experiment.save()
    ExperimentDetail.objects.get_or_create(experiment=experiment)
    session.tried += 1
    session.kept += 1


def _named(body: Body, target: Body) -> dict[str, Any]:
    """What an experiment is called and where it is, as its start states it."""
    return {
        "uid": text(body, "experiment", 64),
        "path": text(target, "path", 500),
        "qualname": text(target, "qualname", 300),
        "line": count(target, "line"),
        "agent": text(body, "agent", 20),
        "pattern": text(body, "pattern", 80),
        "title": text(body, "title", 300),
        "hypothesis": text(body, "hypothesis", 20_000),
        "metric": text(body, "metric", 8),
    }


@_on("experiment_started")
def _experiment_started(session: Session, row: Event) -> None:
    body, target = row.body, row.body.get("target") or {}
    experiment, _ = Experiment.objects.update_or_create(
        session=session,
        number=count(body, "number"),
        defaults={
            **_named(body, target),
            "domain": text(body, "domain", 12),
            "author": text(body, "author", 20) or "rule",
            "tier": text(body, "tier", 10),
            "status": ExperimentStatus.RUNNING,
            "started": row.at,
            "started_seq": row.seq,
        },
    )
    ExperimentDetail.objects.get_or_create(experiment=experiment)
    session.tried += 1
    _targets_of(experiment).update(tried=F("tried") + 1)


@_on("experiment_kept")
def _experiment_kept(session: Session, row: Event) -> None:
    experiment = _end_experiment(session, row, ExperimentStatus.KEEP)
    session.kept += 1
    session.consecutive = 0
    session.head = text(row.body, "commit", 64) or session.head
    session.best = number(row.body, "best") if number(row.body, "best") is not None else session.best
    if experiment:
        _targets_of(experiment).update(kept=F("kept") + 1)


@_on("experiment_discarded")
def _experiment_discarded(session: Session, row: Event) -> None:
    _end_experiment(session, row, ExperimentStatus.DISCARD)
    session.consecutive = count(row.body, "consecutive")


@_on("experiment_crashed")
def _experiment_crashed(session: Session, row: Event) -> None:
    _end_experiment(session, row, ExperimentStatus.CRASH)
    session.crashed += 1


@_on("keep_reverted")
def _keep_reverted(session: Session, row: Event) -> None:
    experiment = session.experiments.filter(number=count(row.body, "number")).first()
    session.head = text(row.body, "head", 64) or session.head
    if experiment is None or experiment.reverted:
        return
    experiment.reverted = text(row.body, "reason", 300) or "taken off the branch"
    experiment.save(update_fields=["reverted"])
    session.kept = max(0, session.kept - 1)
    _targets_of(experiment).filter(kept__gt=0).update(kept=F("kept") - 1)


@_on("finding_sent")
def _finding_sent(session: Session, row: Event) -> None:
    body = row.body
    Finding.objects.create(
        session=session,
        seq=row.seq,
        target=text(body, "target", 800),
        rank=count(body, "rank"),
        text=text(body, "text", 100_000),
        proposals=body.get("proposals") or [],
        obligations=body.get("obligations") or [],
        risks=body.get("risks") or [],
    )


@_on("learning_noted")
def _learning_noted(session: Session, row: Event) -> None:
    body = row.body
    # By (session, seq), so that a replay keeps the row, what a person said about it and where it was given.
    Learning.objects.update_or_create(
        session=session,
        seq=row.seq,
        defaults={
            "repo_id": session.repo_id,
            "number": body.get("number"),
            "domain": text(body, "domain", 12),
            "pattern": text(body, "pattern", 80),
            "outcome": text(body, "outcome", 10),
            "claim": text(body, "claim", 20_000),
            "evidence": text(body, "evidence", 20_000),
            "target": text(body, "target", 800),
            "commit": text(body, "commit", 64),
            "ratio": number(body, "ratio"),
            "created": row.at,
        },
    )


@_on("session_measured")
def _session_measured(session: Session, row: Event) -> None:
    session.head = text(row.body, "head", 64) or session.head
    measured = row.body.get("measurement") or {}
    session.speedup = {k: v for k, v in measured.items() if not k.startswith("samples_")}


@_on("review_filed")
def _review_filed(session: Session, row: Event) -> None:
    session.verdict = text(row.body, "verdict", 16)
    session.head = text(row.body, "head", 64) or session.head
    session.results_digest = text(row.body, "results_digest", 64)


@_on("state_file_written")
def _state_file_written(session: Session, row: Event) -> None:
    body, name = row.body, text(row.body, "name", 40)
    before = StateFile.objects.filter(session=session, name=name).values_list("digest", flat=True).first()
    digest = text(body, "digest", 64)
    # A later write of the same text must not look like a change to whoever is about to decide.
    if name == "results.tsv" and digest != before:
        session.results_digest = digest
    StateFile.objects.update_or_create(
        session=session,
        name=name,
        defaults={
            "digest": digest,
            "content": text(body, "content", None),
            "cut": count(body, "cut"),
            "seq": row.seq,
        },
    )


@_on("stage_failed")
def _stage_failed(session: Session, row: Event) -> None:
    stage = text(row.body, "stage", 12)
    session.failed_stage = session.failed_stage or RAIL_KEY.get(stage, stage)
    _cut_short(session, row, "cancelled" if row.body.get("cancelled") else "failed")


@_on("session_ended")
def _session_ended(session: Session, row: Event) -> None:
    session.head = text(row.body, "head", 64) or session.head


@_on("session_interrupted")
@_on("session_cancelled")
@_on("session_failed")
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


def _end_experiment(session: Session, row: Event, status: str) -> Experiment | None:
    body = row.body
    experiment = session.experiments.filter(number=count(body, "number")).first()
    if experiment is None:
        return None
    experiment.status, experiment.ended, experiment.ended_seq = status, row.at, row.seq
    experiment.reason_class = text(body, "reason_class", 20)
    experiment.reason = text(body, "reason", 20_000) or text(body, "error", 20_000)
    experiment.commit = text(body, "commit", 64)
    experiment.evidence, experiment.best = text(body, "evidence", 2), number(body, "best")
    _measured(experiment, body.get("measurement") or {})
    experiment.save()
    _end_detail(experiment, body)
    # The noise of the session's own workload is measured with the first comparison on it.
    floor = number(body.get("end_to_end") or {}, "floor")
    session.floor = session.floor if floor is None else floor
    return experiment


def _measured(experiment: Experiment, found: Body) -> None:
    experiment.metric = text(found, "metric", 8) or experiment.metric
    experiment.unit = text(found, "unit", 8)
    for name in ("before", "after", "ratio", "low", "high", "floor"):
        setattr(experiment, name, number(found, name))


def _end_detail(experiment: Experiment, body: Body) -> None:
    ExperimentDetail.objects.update_or_create(
        experiment=experiment,
        defaults={
            "measurement": body.get("measurement"),
            "end_to_end": body.get("end_to_end"),
            "tests": body.get("tests"),
            "checks": body.get("checks") or [],
            "counterexample": text(body, "counterexample", None),
            "diff": text(body, "diff", None),
            "output": text(body, "output", None),
        },
    )


def _targets_of(experiment: Experiment) -> Any:
    return Target.objects.filter(
        session_id=experiment.session_id,
        path=experiment.path,
        qualname=experiment.qualname,
        domain=experiment.domain,
    )


def _replace_targets(session: Session, body: Body) -> None:
    """The newest ranking takes the place of the one before; counts of tries come from the experiments."""
    Target.objects.filter(session=session).delete()
    tries = _tries(session)
    rows: dict[tuple[str, str, str], Target] = {}
    for rank, each in enumerate((body.get("targets") or [])[:TARGETS_KEPT], start=1):
        row = _target_row(session, each, rank, text(body, "commit", 64))
        key = (row.path, row.qualname, row.domain)
        row.tried, row.kept = tries.get(key, (0, 0))
        rows.setdefault(key, row)
    Target.objects.bulk_create(rows.values())


def _tries(session: Session) -> dict[tuple[str, str, str], tuple[int, int]]:
    found: dict[tuple[str, str, str], tuple[int, int]] = {}
    rows = session.experiments.values_list("path", "qualname", "domain", "status", "reverted")
    for path, qualname, domain, status, reverted in rows:
        tried, kept = found.get((path, qualname, domain), (0, 0))
        counts = status == ExperimentStatus.KEEP and not reverted
        found[(path, qualname, domain)] = (tried + 1, kept + counts)
    return found


def _target_row(session: Session, each: Body, rank: int, commit: str) -> Target:
    return Target(
        session=session,
        rank=rank,
        path=text(each, "path", 500),
        qualname=text(each, "qualname", 300),
        line=count(each, "line"),
        domain=text(each, "domain", 12),
        share=number(each, "share"),
        bound=number(each, "bound"),
        expected=number(each, "expected"),
        score=number(each, "score") or 0.0,
        evidence=text(each, "evidence", 2),
        rules=each.get("rules") or [],
        note=text(each, "note", 300),
        commit=commit,
    )


def text(body: Body, name: str, limit: int | None) -> str:
    """A string field cut to what its column holds; anything that is not a string is empty."""
    value = body.get(name)
    return value[:limit] if isinstance(value, str) else ""


def number(body: Body, name: str) -> float | None:
    """A measured number or None: unknown is never 0."""
    value = body.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def count(body: Body, name: str) -> int:
    """A whole number of things, 0 or more, within what the column holds."""
    value = body.get(name)
    return min(max(value, 0), 2**31 - 1) if isinstance(value, int) else 0

"""Experiments: what was tried, what was measured and why it was kept or not."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from sessions_app.models import Event, Experiment, ExperimentDetail, ExperimentStatus, Session, Target
from sessions_app.projections.registry import Body, count, number, on, text


@on("progress_restored")
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


@on("experiment_started")
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


@on("experiment_kept")
def _experiment_kept(session: Session, row: Event) -> None:
    experiment = _end_experiment(session, row, ExperimentStatus.KEEP)
    session.kept += 1
    session.consecutive = 0
    session.head = text(row.body, "commit", 64) or session.head
    session.best = number(row.body, "best") if number(row.body, "best") is not None else session.best
    if experiment:
        _targets_of(experiment).update(kept=F("kept") + 1)


@on("experiment_discarded")
def _experiment_discarded(session: Session, row: Event) -> None:
    _end_experiment(session, row, ExperimentStatus.DISCARD)
    session.consecutive = count(row.body, "consecutive")


@on("experiment_crashed")
def _experiment_crashed(session: Session, row: Event) -> None:
    _end_experiment(session, row, ExperimentStatus.CRASH)
    session.crashed += 1


@on("keep_reverted")
def _keep_reverted(session: Session, row: Event) -> None:
    experiment = session.experiments.filter(number=count(row.body, "number")).first()
    session.head = text(row.body, "head", 64) or session.head
    if experiment is None or experiment.reverted:
        return
    experiment.reverted = text(row.body, "reason", 300) or "taken off the branch"
    experiment.save(update_fields=["reverted"])
    session.kept = max(0, session.kept - 1)
    _targets_of(experiment).filter(kept__gt=0).update(kept=F("kept") - 1)


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

"""The newest ranking of a session's targets, and the baseline it came with."""

from __future__ import annotations

from sessions_app.models import Event, ExperimentStatus, Session, Target
from sessions_app.projections.registry import Body, count, number, on, text

TARGETS_KEPT = 200


@on("baseline_profiled")
def _baseline_profiled(session: Session, row: Event) -> None:
    body = row.body
    session.metric, session.unit = text(body, "metric", 8), text(body, "unit", 8)
    session.baseline, session.floor = number(body, "value"), number(body, "floor")
    _replace_targets(session, body)


@on("reprofiled")
def _reprofiled(session: Session, row: Event) -> None:
    _replace_targets(session, row.body)


@on("scan_reported")
def _scan_reported(session: Session, row: Event) -> None:
    session.chosen_domain = text(row.body, "domain", 12)
    _replace_targets(session, row.body)


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

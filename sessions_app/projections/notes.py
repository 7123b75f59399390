"""What a session wrote down: findings, learnings and its state files."""

from __future__ import annotations

from sessions_app.models import Event, Finding, Learning, Session, StateFile
from sessions_app.projections.registry import count, number, on, text


@on("finding_sent")
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


@on("learning_noted")
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


@on("state_file_written")
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

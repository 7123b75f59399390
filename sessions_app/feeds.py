"""The event log by pages: newest first, before one seq, by kinds. Never by time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet

from sessions_app.models import Event, Session
from sessions_app.sentences import line
from sessions_app.vocabulary import GROUPS

FEED_SHOWN = 60


def feed(session: Session, choices: Mapping[str, str]) -> dict[str, Any]:
    """The newest events, or those before one seq; one group of kinds when asked."""
    group = choices.get("kind", "") if choices.get("kind", "") in GROUPS else ""
    rows = events_of(session, group)
    before = choices.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 10:
        rows = rows.filter(seq__lt=int(before))
    found = list(rows.order_by("-seq")[: FEED_SHOWN + 1])
    shown = found[:FEED_SHOWN]
    return {
        "events": shown if choices.get("whole") else _folded(shown),
        "group": group,
        "groups": [(key, key.capitalize()) for key in GROUPS],
        "kinds_of": GROUPS,
        "older": shown[-1].seq if len(found) > FEED_SHOWN else None,
        "head_seq": session.last_seq,
    }


def _folded(rows: list[Event]) -> list[Event]:
    """Of consecutive rounds of one experiment's step, only the newest: the log page shows them all."""
    folds = [line(row.kind, row.body).fold for row in rows]
    return [
        row for row, fold, newer in zip(rows, folds, ["", *folds], strict=False) if not fold or fold != newer
    ]


def events_of(session: Session, group: str = "") -> QuerySet[Event]:
    rows: QuerySet[Event] = Event.objects.filter(session=session)
    if group == "problems":
        bad_notes = Q(kind="note_logged", body__level__in=["warning", "error"])
        return rows.filter(Q(kind__in=[k for k in GROUPS["problems"] if k != "note_logged"]) | bad_notes)
    return rows.filter(kind__in=GROUPS[group]) if group else rows

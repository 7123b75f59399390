"""Rebuilding the projected rows of a session from its events, and comparing them with what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction

from sessions_app import models as m
from sessions_app.projections import PROJECTED, project

# Model -> the path from it to its session, and columns that are people's words or chance, not facts of events.
_TABLES: dict[type[models.Model], tuple[str, frozenset[str]]] = {
    m.ExperimentDetail: ("experiment__session", frozenset()),
    m.Experiment: ("session", frozenset()),
    m.Target: ("session", frozenset()),
    m.Finding: ("session", frozenset()),
    m.StateFile: ("session", frozenset()),
    m.Learning: ("session", frozenset({"state", "state_by", "state_at", "state_reason"})),
}
_KEPT_ROWS = (m.Learning,)
"""Rows a person may have spoken about: replayed in place, never deleted."""
_LAUNCHED_WITH = ("branch", "last_seq")


def register_rows(model: type[models.Model], session_path: str) -> None:
    """Another app's projected table. Children before parents: rows are deleted in the order of registration."""
    _TABLES.setdefault(model, (session_path, frozenset()))


def replay(session_id: int, *, keep: bool) -> list[str]:
    """Rebuild one session's projected rows and return the differences found; with ``keep`` false nothing is changed."""
    with transaction.atomic():
        session = m.Session.objects.select_for_update().get(pk=session_id)
        before = _snapshot(session)
        _clear(session)
        for row in session.events.order_by("seq").iterator(chunk_size=500):
            session.last_seq = row.seq
            project(session, row)
        session.save(update_fields=PROJECTED)
        found = list(_differences(before, _snapshot(session)))
        if not keep:
            transaction.set_rollback(True)
    return found


def _clear(session: m.Session) -> None:
    blank = m.Session()
    for name in PROJECTED:
        if name not in _LAUNCHED_WITH:
            setattr(session, name, getattr(blank, name))
    session.last_seq = 0
    for model, (path, _) in _TABLES.items():
        if model not in _KEPT_ROWS:
            model._default_manager.filter(**{path: session}).delete()


def _snapshot(session: m.Session) -> dict[str, str]:
    """Every projected row as text, under a name that does not depend on generated ids."""
    fresh = m.Session.objects.get(pk=session.pk)
    found = {f"session.{name}": _plain(getattr(fresh, name)) for name in PROJECTED}
    for model, (path, free) in _TABLES.items():
        rows = sorted(_plain(_columns(row, free)) for row in model._default_manager.filter(**{path: session}))
        found |= {f"{model.__name__} {i}": row for i, row in enumerate(rows)}
    return found


def _columns(row: models.Model, free: frozenset[str]) -> dict[str, Any]:
    """A row's own values; ids and links to other projected rows are generated anew by a replay."""
    return {
        field.name: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key and field.name not in free and field.related_model not in _TABLES
    }


def _plain(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, sort_keys=True)


def _differences(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, "no row"), after.get(name, "no row")
        if old != new:
            yield f"{name}: stored {old[:200]}, from events {new[:200]}"

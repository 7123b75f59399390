"""Copying every row to another, empty database: how an installation moves from SQLite to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections, models, transaction

BATCH = 500
TARGET = "copy_target"
# Rows that migrating makes anew on the other side.
_MADE_ANEW = {"contenttypes.ContentType", "auth.Permission", "sessions.Session", "admin.LogEntry"}


class CopyRefused(Exception):
    """The copy cannot be made; the message says why and what to do."""


def copy_to(settings_of_target: dict[str, Any]) -> dict[str, int]:
    """Migrate the target, copy all rows with their ids in one transaction, and return how many of each table.

    Raises CopyRefused when the target has rows already or the counts differ afterwards; it is then left empty.
    """
    connections.databases[TARGET] = {**connections["default"].settings_dict, **settings_of_target}
    call_command("migrate", database=TARGET, verbosity=0, interactive=False)
    chosen = list(_in_order())
    filled = [model._meta.label for model in chosen if model._base_manager.using(TARGET).exists()]
    if filled:
        raise CopyRefused(f"The target has rows already ({', '.join(filled[:3])}). Give an empty database.")
    with transaction.atomic(using=TARGET):
        copied = {model._meta.label: _copy(model) for model in chosen}
        _check_links(chosen)
        _set_sequences(chosen)
    return copied


def _in_order() -> Iterator[type[models.Model]]:
    """Every table that holds something of ours, each after those it points to."""
    left = [m for m in apps.get_models(include_auto_created=True) if m._meta.label not in _MADE_ANEW]
    left = [m for m in left if not m._meta.proxy and m._meta.managed]
    while left:
        free = [m for m in left if not (_needs(m) & set(left) - {m})]
        if not free:
            raise CopyRefused("Tables point at each other in a circle; tell the maintainers.")
        yield from free
        left = [m for m in left if m not in free]


def _needs(model: type[models.Model]) -> set[Any]:
    return {field.related_model for field in model._meta.concrete_fields if field.is_relation}


def _copy(model: type[models.Model]) -> int:
    """Rows in order of their ids; links are checked when all tables are there."""
    total = 0
    rows = model._base_manager.using("default").order_by("pk")
    batch: list[models.Model] = []
    for row in rows.iterator(chunk_size=BATCH):
        batch.append(row)
        if len(batch) == BATCH:
            total += _write(model, batch)
            batch = []
    total += _write(model, batch)
    if model._base_manager.using(TARGET).count() != total:
        raise CopyRefused(f"{model._meta.label}: not every row arrived. Nothing was copied; try again.")
    return total


def _write(model: type[models.Model], batch: list[models.Model]) -> int:
    for row in batch:
        row._state.db = TARGET
    model._base_manager.using(TARGET).bulk_create(batch)
    return len(batch)


def _check_links(chosen: list[type[models.Model]]) -> None:
    """Every link must resolve by now, links within one table (a session's parent) included."""
    connections[TARGET].check_constraints([model._meta.db_table for model in chosen])


def _set_sequences(chosen: list[type[models.Model]]) -> None:
    with connections[TARGET].cursor() as cursor:
        for sql in connections[TARGET].ops.sequence_reset_sql(no_style(), chosen):
            cursor.execute(sql)

"""Chores that keep the house in order after a crash. Apps register theirs; the worker and ``doctor`` run them all.

A chore returns sentences about what it repaired or found; an empty list means all is well.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import Error

from sessions_app import queue

Chore = Callable[[], list[str]]
log = logging.getLogger("codeflash.housekeeping")
_chores: dict[str, Chore] = {}


def register(name: str, chore: Chore) -> None:
    """Add a chore under the heading ``doctor`` prints for it."""
    _chores[name] = chore


def run_all() -> dict[str, list[str]]:
    """Run every chore; one that fails says so and does not stop the others."""
    return {name: _run(name, chore) for name, chore in _chores.items()}


def _run(name: str, chore: Chore) -> list[str]:
    try:
        return chore()
    except Error as error:
        log.warning("%s: the database is away: %s", name, error)
        return [f"not checked, the database is away: {error}"]


def _reap() -> list[str]:
    return [f"session {pk} lost its worker and is now interrupted; resume it" for pk in queue.reap()]


register("Sessions of dead workers", _reap)

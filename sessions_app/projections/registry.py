"""Which function follows from which kind of event, and how a field of an event is read into a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessions_app.models import Event, Session

Handler = Callable[[Session, Event], None]
Body = dict[str, Any]

_handlers: dict[str, list[Handler]] = {}


def register(kind: str, fn: Handler) -> None:
    """Also call ``fn(session, event)`` for each event of ``kind``. Registering the same function twice is once."""
    known = _handlers.setdefault(kind, [])
    if fn not in known:
        known.append(fn)


def apply(session: Session, event_row: Event) -> None:
    """Call what was registered for the event's kind, in the order it was registered."""
    for handler in _handlers.get(event_row.kind, ()):
        handler(session, event_row)


def on(kind: str) -> Callable[[Handler], Handler]:
    """Register the decorated function for a kind."""

    def remember(fn: Handler) -> Handler:
        register(kind, fn)
        return fn

    return remember


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

"""One event, one row of HTML: the same for first paint, for a later page of the log and for the socket."""

from __future__ import annotations

from django.template.loader import get_template

from sessions_app.models import Event
from sessions_app.sentences import line

ROW = "events/row.html"


def render_event(event_row: Event) -> str:
    """The ``<li>`` of one stored event. Never raises for what the event holds; all its text is escaped."""
    return get_template(ROW).render({"event": event_row, "line": line(event_row.kind, event_row.body)})

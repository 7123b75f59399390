"""The least a Django view can do with the rows of a page: read the columns it prints and print them in a table.

It checks no rights, reads nothing of a frame around the page, joins nothing it does not print, formats nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.apps import apps
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import path

application = get_asgi_application()


@dataclass(frozen=True)
class Table:
    """The newest ``rows`` of a model; only those of the session that is asked about when ``of_session``."""

    model: str
    rows: int
    columns: tuple[str, ...]
    of_session: bool = False


_SESSION = ("pk", "title", "status", "repo__name", "best", "kept", "tried", "verdict", "created", "ended")
_TRY = (
    "number",
    "title",
    "status",
    "qualname",
    "path",
    "before",
    "after",
    "ratio",
    "low",
    "high",
    "reason_class",
)
SESSIONS = Table("sessions_app.Session", 25, _SESSION)
TRIES = Table("sessions_app.Experiment", 16, _TRY, of_session=True)
EVENTS = Table("sessions_app.Event", 60, ("seq", "kind", "at", "body"), of_session=True)
TARGETS = Table(
    "sessions_app.Target", 12, ("rank", "path", "qualname", "share", "score", "tried"), of_session=True
)
_REVIEW = ("session_id", "session__title", "session__repo__name", "verdict", "filed", "summary", "head")
_LEARNING = ("claim", "evidence", "state", "domain", "repo__name", "session_id", "session__title", "created")
_DETAIL = ("experiment__title", "experiment__hypothesis", "diff", "output", "checks", "tests", "measurement")
TABLES: Mapping[str, tuple[Table, ...]] = {
    "sessions": (SESSIONS,),
    "session": (TRIES, TARGETS, EVENTS),
    "experiments": (TRIES,),
    "chart": (Table("sessions_app.Experiment", 21, _TRY, of_session=True),),
    "experiment": (Table("sessions_app.ExperimentDetail", 1, _DETAIL),),
    "home": (
        Table("reviews_app.Review", 8, _REVIEW),
        Table("sessions_app.Session", 13, _SESSION),
    ),
    "reviews": (Table("reviews_app.Review", 11, _REVIEW),),
    "learnings": (Table("sessions_app.Learning", 20, _LEARNING),),
}
TEMPLATE = Template(
    "<!doctype html><title>Rows</title>{% for rows in tables %}<table>{% for row in rows %}"
    "<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table>{% endfor %}"
)


def rows_of(table: Table, session_id: int) -> list[tuple[object, ...]]:
    rows = apps.get_model(table.model)._default_manager.order_by("-pk")
    rows = rows.filter(session_id=session_id) if table.of_session else rows
    return list(rows.values_list(*table.columns)[: table.rows])


def bare(request: HttpRequest, name: str, session_id: int) -> HttpResponse:
    tables = [rows_of(table, session_id) for table in TABLES[name]]
    return HttpResponse(TEMPLATE.render(Context({"tables": tables})))


urlpatterns = [path("<slug:name>/<int:session_id>/", bare)]

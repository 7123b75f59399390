"""Files people take away: experiments and sessions as CSV and JSON, state files as they were written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render

from sessions_app.access import get_session
from sessions_app.prose import prose
from sessions_app.views.requests import person
from sessions_app.views.session_list import filtered

EXPERIMENT_COLUMNS = (
    "number", "status", "reason_class", "reason", "reverted", "path", "qualname", "domain", "agent", "pattern",
    "title", "metric", "unit", "before", "after", "ratio", "low", "high", "floor", "best", "evidence", "commit",
    "started", "ended",
)  # fmt: skip
SESSION_COLUMNS = (
    "id", "repo__name", "title", "mode", "domain", "chosen_domain", "crew", "status", "base", "head", "branch",
    "tried", "kept", "crashed", "best", "verdict", "created", "started", "ended",
)  # fmt: skip
ROWS = 10_000


def cell(value: Any) -> Any:
    """A cell no spreadsheet takes for a formula; unknown is empty, never 0."""
    if value is None:
        return ""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        return f"'{value}"
    return value


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], name: str) -> HttpResponse:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return _attached(HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8"), name)


def _attached(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _table(columns: Sequence[str], rows: Any, fmt: str, name: str) -> HttpResponse:
    if fmt == "csv":
        return _csv(columns, rows.values_list(*columns)[:ROWS], f"{name}.csv")
    if fmt == "json":
        response = JsonResponse(list(rows.values(*columns)[:ROWS]), safe=False)
        return _attached(response, f"{name}.json")
    raise Http404("Exports are csv or json.")


def experiments(request: HttpRequest, pk: int, fmt: str) -> HttpResponse:
    found = get_session(person(request), pk)
    return _table(EXPERIMENT_COLUMNS, found.experiments.order_by("number"), fmt, f"session-{pk}-experiments")


def session_rows(request: HttpRequest, fmt: str) -> HttpResponse:
    """The sessions of the current filters."""
    return _table(SESSION_COLUMNS, filtered(request), fmt, "sessions")


def state_file(request: HttpRequest, session_pk: int, name: str) -> HttpResponse:
    """A file of ``.codeflash/`` as its session last wrote it; ``?download`` answers the bare text."""
    found = get_session(person(request), session_pk)
    file = get_object_or_404(found.state_files, name=name)
    if "download" in request.GET:
        return _attached(
            HttpResponse(file.content, content_type="text/plain; charset=utf-8"), _safe_name(name)
        )
    table = _rows(file.content) if name.endswith(".tsv") else None
    context = {
        "session": found,
        "file": file,
        "table": table,
        "prose": prose(file.content) if name.endswith(".md") else None,
        "section": "sessions",
        "current_repo": found.repo,
        "others": found.state_files.order_by("name").values_list("name", flat=True),
    }
    return render(request, "sessions/state_file.html", context)


def _safe_name(name: str) -> str:
    return "".join(c for c in name if c.isalnum() or c in "._-")[:80] or "file"


def _rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()[:2000]]

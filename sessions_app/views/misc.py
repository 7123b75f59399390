"""Workers, the small-screen menu and the pattern page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sessions_app import vocabulary
from sessions_app.models import Session, Worker
from sessions_app.shell import seen_workers
from sessions_app.views.requests import person

COLOURS = """
bg surface sunken hover selected line line-strong control text text-2 text-3 accent accent-hover on-accent
accent-text accent-soft focus ok-text ok-soft ok-line ok-solid run-text run-soft run-line run-solid warn-text
warn-soft warn-line warn-solid bad-text bad-soft bad-line bad-solid mute-soft add-bg add-mark del-bg del-mark hit
syn-kw syn-str syn-num syn-fn syn-com chart-best chart-keep chart-drop chart-fail chart-b chart-c chart-d
""".split()  # noqa: SIM905
EXAMPLES = (
    (
        "Keep",
        {"ratio": 1.111, "low": 1.094, "high": 1.128, "floor": 0.012},
        True,
        "clear of 1× and of the noise strip",
    ),
    (
        "Within noise",
        {"ratio": 1.003, "low": 0.994, "high": 1.012, "floor": 0.012},
        False,
        "hollow, touches the strip",
    ),
    ("Slower", {"ratio": 0.973, "low": 0.962, "high": 0.984, "floor": 0.012}, False, "left of 1×"),
    (
        "Off the scale",
        {"ratio": 0.741, "low": 0.73, "high": 0.75, "floor": 0.012},
        False,
        "arrow at the edge",
    ),
    (
        "Not measured",
        {"ratio": None, "low": None, "high": None, "floor": 0.012},
        False,
        "axis only, never a dot at 0",
    ),
)


def workers(request: HttpRequest) -> HttpResponse:
    """Workers and what their hosts can do. Sessions are named only when the person may see them."""
    alive = set(seen_workers().values_list("pk", flat=True))
    rows = [{"worker": w, "alive": w.pk in alive} for w in Worker.objects.order_by("-seen")[:50]]
    held = Session.objects.visible_to(person(request)).held().select_related("repo")
    queued = (
        Session.objects.visible_to(person(request))
        .filter(status="queued")
        .select_related("repo")
        .order_by("-priority", "pk")
    )
    context = {"section": "workers", "rows": rows, "held": list(held), "queued": list(queued[:50])}
    return render(request, "pages/workers.html", context)


def more(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/more.html", {"section": "more"})


def patterns(request: HttpRequest) -> HttpResponse:
    """Every token and component once; the tests take its picture."""
    tables = {name: list(table) for name, table in vocabulary.TABLES.items()}
    context = {"colours": COLOURS, "examples": EXAMPLES, "agents": list(vocabulary.AGENT_ICONS)[:9], "tables": tables,
               "spark": [1.17, 1.2, 1.34, 1.4, 1.49, 1.64, 1.75, 1.79, 1.83]}  # fmt: skip
    return render(request, "pages/patterns.html", context)

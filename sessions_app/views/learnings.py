"""What sessions found out: search by words, facets, and a person's word on each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from engine.values import DOMAINS
from sessions_app import actions
from sessions_app.access import allows, get_learning, roles_of
from sessions_app.forms import LearningStateForm
from sessions_app.models import Learning, LearningState, LearningUse, Repo
from sessions_app.prose import hits
from sessions_app.views.requests import choice, page_of, person, whole
from sessions_app.vocabulary import mark

PAGE = 20
WORDS = 8
FACETS = ("repo_id", "state", "domain")
Tally = Counter[tuple[Any, ...]]
"""The values of FACETS -> how many learnings have them."""


def search(request: HttpRequest) -> HttpResponse:
    terms = [word.lower() for word in request.GET.get("q", "")[:200].split()[:WORDS]]
    everything = Learning.objects.visible_to(person(request))
    matching = _matching(everything, terms)
    every = _tally(everything)
    tally = _tally(matching) if terms else every
    asked = _asked(request)
    context = {
        "section": "learnings",
        "page": _page(request, _chosen(matching, asked), terms, _sum(tally, asked)),
        "q": request.GET.get("q", "")[:200],
        "facets": _facets(request, tally),
        "total": every.total(),
        "proposed": _sum(every, {"state": ["proposed"]}),
        "any_filter": any(request.GET.get(k) for k in ("state", "repo", "domain")),
        "without_filters": tally.total(),
        "sort": request.GET.get("sort", "newest"),
        "states": [(s, mark("learning", s).word) for s in LearningState.values],
    }
    return render(request, "learnings/search.html", context)


def _page(request: HttpRequest, rows: QuerySet[Learning], terms: list[str], count: int) -> Page[Any]:
    """The page's rows with what each may be asked by this person; ``count`` is how many rows there are."""
    # Counted in a question of its own for each row that is shown: a join would count for every learning there is.
    uses = LearningUse.objects.filter(learning=OuterRef("pk")).order_by().values("learning")
    rows = rows.annotate(used=Coalesce(Subquery(uses.annotate(n=Count("pk")).values("n")), 0))
    rows = rows.select_related("repo", "state_by").order_by(*_order(request))
    page, roles = page_of(request, rows, PAGE, count), roles_of(request.user)
    for row in page:
        role = roles.get(row.repo.team_id)
        row.claim_html, row.evidence_html = hits(row.claim, terms), hits(row.evidence, terms)
        row.may_confirm = allows(role, "confirm_learning")
        row.may_change = allows(role, "set_learning_state")
    return page


def _tally(rows: QuerySet[Learning]) -> Tally:
    """How many there are of each state, repo and domain together: every count of the page is a sum of these."""
    counted = rows.order_by().values_list(*FACETS).annotate(n=Count("pk"))
    return Counter({(repo, state, domain): n for repo, state, domain, n in counted})


def _sum(tally: Tally, asked: Mapping[str, Sequence[Any]]) -> int:
    """How many of a tally have, in each facet that is asked for, one of the asked values."""
    places = [(FACETS.index(name), values) for name, values in asked.items() if values]
    return sum(n for key, n in tally.items() if all(key[at] in values for at, values in places))


def _matching(rows: QuerySet[Learning], terms: list[str]) -> QuerySet[Learning]:
    for term in terms:
        rows = rows.filter(
            Q(claim__icontains=term)
            | Q(evidence__icontains=term)
            | Q(pattern__icontains=term)
            | Q(target__icontains=term)
        )
    return rows


def _asked(request: HttpRequest) -> dict[str, list[Any]]:
    """Column -> the values a person ticked; none ticked stands for all."""
    return {
        "state": [s for s in request.GET.getlist("state") if s in LearningState.values],
        "repo_id": [n for n in (whole(v) for v in request.GET.getlist("repo")) if n],
        "domain": [d for d in request.GET.getlist("domain") if d in DOMAINS],
    }


def _chosen(rows: QuerySet[Learning], asked: Mapping[str, Sequence[Any]]) -> QuerySet[Learning]:
    return rows.filter(**{f"{name}__in": values for name, values in asked.items() if values})


def _order(request: HttpRequest) -> list[str]:
    return ["-used", "-pk"] if choice(request, "sort", ("used", "newest")) == "used" else ["-pk"]


def _facets(request: HttpRequest, tally: Tally) -> list[dict[str, Any]]:
    names = dict(Repo.objects.visible_to(person(request)).values_list("pk", "name"))
    groups = (
        ("state", "State", {s: mark("learning", s).word for s in LearningState.values}),
        ("repo", "Repo", {str(pk): name for pk, name in names.items()}),
        ("domain", "Domain", {d: d for d in DOMAINS}),
    )
    found = []
    for name, label, options in groups:
        counts = _by(tally, "repo_id" if name == "repo" else name)
        asked = request.GET.getlist(name)
        shown = [
            (key, word, counts.get(key, 0), key in asked)
            for key, word in options.items()
            if name != "repo" or counts.get(key) or key in asked
        ]
        found.append({"name": name, "label": label, "options": shown})
    return found


def _by(tally: Tally, column: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for key, n in tally.items():
        found[str(key[FACETS.index(column)])] += n
    return found


@require_POST
def set_state(request: HttpRequest, pk: int) -> HttpResponse:
    learning = get_learning(person(request), pk)
    form = LearningStateForm(request.POST)
    if not form.is_valid():
        messages.error(
            request,
            "Choose proposed, confirmed, contradicted or retired, and a reason of at most 300 characters.",
        )
        return redirect(_back(request))
    try:
        actions.set_learning_state(user=person(request), learning=learning, **form.cleaned_data)
        messages.success(request, f"This learning is now {form.cleaned_data['state']}.")
    except (PermissionDenied, actions.Refused) as error:
        messages.error(request, str(error))
    return redirect(_back(request))


def _back(request: HttpRequest) -> str:
    """Where the person came from, when that is a page of this site."""
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith("/")
    return back if safe else "learnings"

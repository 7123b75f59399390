"""Checks a person sees before launching, and what will happen. Cheap reads only: the session itself checks the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from engine import workspace
from sessions_app import actions, words
from sessions_app.models import Learning, Repo, Session, Status, Worker
from sessions_app.shell import seen_workers


@dataclass(frozen=True)
class Line:
    """One check; ``state`` is pass, warning, fail or not_checked."""

    name: str
    state: str
    detail: str


@dataclass(frozen=True)
class Preflight:
    checks: list[Line]
    facts: list[tuple[str, str]]
    learnings: list[Learning]
    given: int

    @property
    def failed(self) -> int:
        return sum(line.state == "fail" for line in self.checks)


def preflight(repo: Repo, *, base_ref: str = "") -> Preflight:
    """Everything the launch page prints beside its form. Never raises for the state of the repo."""
    given = Learning.objects.given_to(repo)
    return Preflight(
        checks=[*_source(repo, base_ref), _tests(repo), _room(), _workers(), _isolation(repo)],
        facts=_facts(repo),
        learnings=list(given[:2]),
        given=min(given.count(), settings.LIMITS.LEARNINGS_GIVEN),
    )


def _source(repo: Repo, base_ref: str) -> list[Line]:
    if "://" in repo.source or repo.source.startswith("git@"):
        return [Line("Repo can be cloned", "not_checked", "The address is asked when the session starts")]
    try:
        state = workspace.describe_source(repo.source, allowed_roots=settings.ALLOWED_ROOTS)
    except workspace.WorkspaceError as error:
        return [Line("Repo can be cloned", "fail", str(error))]
    where = state.branch or ("detached head" if state.detached else "no branch")
    found = [Line("Repo can be cloned", "pass", f"{where} at {words.short(state.head)}")]
    if state.dirty:
        found.append(
            Line("Working tree is clean", "warning", "Uncommitted changes are not part of the session")
        )
    if base_ref:
        found.append(Line("Base ref exists", "not_checked", "Looked up when the session starts"))
    return found


def _tests(repo: Repo) -> Line:
    last = repo.sessions.exclude(setup={}).newest().first()
    ran = last.events.filter(kind="tests_ran").order_by("seq").first() if last else None
    run: dict[str, Any] = (ran.body.get("run") or {}) if ran else {}
    if not run:
        return Line(
            "Tests pass on the base", "not_checked", "The session runs them first and stops if they fail"
        )
    failed = run.get("failed", 0) + run.get("errors", 0)
    said = f"{words.plural(run.get('passed', 0), 'test')} passed, {failed} failed in session {last.pk if last else ''}"
    return Line("Tests pass on the base", "warning" if failed else "pass", said)


def _room() -> Line:
    free, floor = actions.free_bytes(), settings.LIMITS.DISK_FLOOR_BYTES
    said = f"{words.quantity(free, 'bytes')} free, the floor is {words.quantity(floor, 'bytes')}"
    return Line("Room on the disk", "pass" if free >= floor else "fail", said)


def _workers() -> Line:
    alive = list(seen_workers())
    if not alive:
        return Line(
            "A worker is running",
            "warning",
            "None was seen in the last 2 minutes; the session waits until one starts",
        )
    places = sum(worker.places for worker in alive)
    busy = Session.objects.held().count()
    return Line("A worker is running", "pass", f"{busy} of {words.plural(places, 'place')} busy")


def _isolation(repo: Repo) -> Line:
    worker: Worker | None = seen_workers().first()
    level = (worker.isolation or {}).get("level", "") if worker else ""
    if not level:
        return Line("Code runs walled in", "not_checked", "The worker says which level it reaches")
    mechanism = (worker.isolation or {}).get("mechanism", "") if worker else ""
    if level == "L0":
        allowed = repo.open_isolation_by_id is not None
        said = "Not isolated: tests run with the worker's own rights"
        more = "" if allowed else ". An admin must allow it for this repo first"
        return Line("Code runs walled in", "warning" if allowed else "fail", said + more)
    return Line(
        "Code runs walled in", "pass", f"Level {level}, {mechanism}" if mechanism else f"Level {level}"
    )


def _facts(repo: Repo) -> list[tuple[str, str]]:
    waiting = Session.objects.filter(status=Status.QUEUED, repo__team=repo.team_id).count()
    usual = repo.sessions.filter(status=Status.FINISHED, started__isnull=False, ended__isnull=False).newest()[
        :6
    ]
    times = sorted((s.ended - s.started).total_seconds() for s in usual if s.ended and s.started)
    return [
        (
            "Place in the queue",
            "Next" if not waiting else f"After {words.plural(waiting, 'waiting session')}",
        ),
        ("Branch", f"codeflash/{repo.slug}-…"),
        ("Your repository", "Not touched until you approve"),
        ("Usual time here", _usual(times)),
        ("Review", "6 passes, then a reviewer of the team"),
    ]


def _usual(times: list[float]) -> str:
    """From the shortest to the longest, in seconds and sorted; one word where both read the same."""
    ends = [words.duration(seconds) for seconds in (times[:1] + times[-1:])]
    return " to ".join(dict.fromkeys(ends)) or "No finished session yet"

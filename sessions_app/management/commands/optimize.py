"""``manage.py optimize PATH``: the whole thing from a terminal, through the same actions as the pages."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.models.functions import Now
from rich.console import Console

from engine.brief import CREWS, DOMAIN_CHOICES
from sessions_app import actions, first_run, terminal
from sessions_app.models import ENDED, Repo, Session, Status, Team, Worker
from sessions_app.worker import WorkerLoop

VERBS = ("start", "resume", "status", "scan", "review")
FAILED = 1


class Command(BaseCommand):
    help = "Optimize one repository. Exit status 0 only for a session that finished."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", help="a git repository on this machine, or its https or ssh address")
        parser.add_argument("verb", nargs="?", choices=VERBS, default="start")
        parser.add_argument("--domain", choices=[each for each in DOMAIN_CHOICES if each], default="")
        parser.add_argument("--crew", choices=CREWS, default="builtin")
        parser.add_argument("--goal", default="", help="what matters, in your words")
        parser.add_argument("--branch", default="", help="with review: the branch to review")
        parser.add_argument("--base", default="", help="start from this branch, tag or commit")
        parser.add_argument(
            "--limit", action="append", default=[], metavar="NAME=NUMBER", help="e.g. experiments=10"
        )
        parser.add_argument("--follow", action="store_true", help="print what happens as it happens")
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        call_command("migrate", verbosity=0, interactive=False)
        team, user = first_run.ensure_home()
        try:
            session = self._session(team, user, options)
        except actions.Refused as error:
            raise CommandError(str(error)) from error
        if options["verb"] != "status":
            session = self._run(user, session, options)
        self._print_end(session, options)
        if session.status != Status.FINISHED:
            sys.exit(FAILED)

    def _session(self, team: Team, user: User, options: dict[str, Any]) -> Session:
        repo = actions.register_repo(user=user, team=team, source=options["path"])
        if options["verb"] in ("status", "resume"):
            latest = _latest(repo, options["verb"])
            return latest if options["verb"] == "status" else actions.resume(user=user, session=latest)
        return actions.launch(
            user=user,
            repo=repo,
            mode=options["verb"],
            domain=options["domain"],
            crew=options["crew"],
            goal=options["goal"],
            base_ref=options["base"],
            review_branch=options["branch"],
            limits=_limits(options["limit"]),
        )

    def _run(self, user: User, session: Session, options: dict[str, Any]) -> Session:
        """Drive it to its end, with a worker of our own when none is running."""
        console = Console(stderr=options["json"], soft_wrap=True)
        worker = None if _somebody_works() else WorkerLoop(only=session.pk)
        thread = threading.Thread(target=worker.run) if worker is not None else None
        wishes = _Wishes(user, session, worker)
        with wishes, terminal.Follower(session.pk, console=console, show=options["follow"]) as follower:
            if thread is not None:
                thread.start()
            try:
                return _until_end(follower, wishes, thread)
            finally:
                if worker is not None and thread is not None:
                    worker.stop()
                    thread.join()

    def _print_end(self, session: Session, options: dict[str, Any]) -> None:
        found = terminal.summary(session)
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=1))
            return
        self.stdout.write(
            f"Session {session.pk}, {session.title}: {session.status}. {session.end_reason}".strip()
        )
        self.stdout.write(f"{session.tried} tried, {session.kept} kept; {_speedup_words(found['speedup'])}.")
        if session.kept:
            self.stdout.write(
                f"Branch {session.branch} at {session.head[:10]}; verdict {session.verdict or 'none'}."
            )


class _Wishes:
    """Ctrl-C cancels the session and waits for its end; a second one stops waiting."""

    def __init__(self, user: User, session: Session, worker: WorkerLoop | None) -> None:
        self._user, self._session, self._worker = user, session, worker
        self.count, self._told = 0, False

    def __enter__(self) -> _Wishes:
        self._before = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, *_: object) -> None:
        self.count += 1

    def tell(self) -> None:
        """Outside the signal handler: pass the wish on once."""
        if self.count and not self._told:
            self._told = True
            actions.request_cancel(user=self._user, session=self._session)


def _until_end(follower: terminal.Follower, wishes: _Wishes, thread: threading.Thread | None) -> Session:
    while True:
        wishes.tell()
        session = follower.look()
        if session.status in ENDED or wishes.count > 1:
            return session
        if thread is not None and not thread.is_alive():
            session.refresh_from_db()
            if session.status in ENDED:
                return session
            raise CommandError(
                "The worker of this command ended before the session did; see its messages above."
            )
        with contextlib.suppress(InterruptedError):
            time.sleep(terminal.LOOK_SECONDS)


def _somebody_works() -> bool:
    """Whether a worker has shown itself within three heartbeats of database time."""
    recent = timedelta(seconds=3 * settings.LIMITS.HEARTBEAT_SECONDS)
    found = Worker.objects.filter(seen__gt=Now() - recent).exists()
    connection.close()
    return found


def _latest(repo: Repo, verb: str) -> Session:
    rows = repo.sessions.newest().select_related("repo__team")
    found: Session | None = (rows if verb == "status" else rows.filter(status__in=ENDED)).first()
    if found is None:
        raise actions.LaunchRefused("No session of this repository is there yet. Start one first.")
    return found


def _limits(given: list[str]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for each in given:
        name, _, value = each.partition("=")
        try:
            limits[name] = float(value)
        except ValueError:
            raise CommandError(f"--limit takes NAME=NUMBER, not {each!r}.") from None
    return limits


def _speedup_words(found: dict[str, Any] | None) -> str:
    if not found or found.get("ratio") is None:
        return "session speedup not measured"
    return f"session speedup {found['ratio']:.2f}× ({found['low']:.2f} to {found['high']:.2f})"

"""``manage.py work``: one worker that claims sessions and drives them until it is stopped."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sessions_app.worker import WorkerLoop


class Command(BaseCommand):
    help = "Claim queued sessions and run them. Ctrl-C or SIGTERM stops cleanly: running sessions can be resumed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--places", type=int, default=1, help="sessions at once (default 1)")
        parser.add_argument("--session", type=int, default=None, help="run only this session, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        loop = WorkerLoop(places=max(1, options["places"]), only=options["session"])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: loop.stop())
        loop.run()

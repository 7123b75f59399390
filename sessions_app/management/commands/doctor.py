"""``manage.py doctor``: say what is in effect and repair what a crash left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from sessions_app import checkup

SIGN = {True: "ok  ", False: "look", None: "    "}


class Command(BaseCommand):
    help = "Print what is in effect (database, wake-up, isolation, tools) and repair what a crash left."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--strict", action="store_true", help="fail when anything is left to look at")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            bad = self._print("In effect", checkup.in_effect()) + self._print("After a crash", checkup.mend())
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be used: {error}. Run manage.py migrate first."
            ) from error
        if options["strict"] and bad:
            raise CommandError(f"{bad} lines want a look.")

    def _print(self, title: str, facts: Iterable[checkup.Fact]) -> int:
        self.stdout.write(f"{title}:")
        bad = 0
        for fact in facts:
            bad += fact.good is False
            self.stdout.write(f"  {SIGN[fact.good]} {fact.name}: {fact.words}")
        return bad

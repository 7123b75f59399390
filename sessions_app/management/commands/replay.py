"""``manage.py replay``: rebuild the projected rows of sessions from their events, or check that they are equal."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_app.models import Session
from sessions_app.replaying import replay


class Command(BaseCommand):
    help = "Rebuild what is shown of sessions from their events. --check changes nothing and fails on a difference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sessions", nargs="*", type=int, help="session numbers (default: all)")
        parser.add_argument("--check", action="store_true", help="only compare")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = options["sessions"] or list(Session.objects.order_by("pk").values_list("pk", flat=True))
        different = sum(self._one(pk, check=options["check"]) for pk in chosen)
        verb = "checked" if options["check"] else "rebuilt"
        self.stdout.write(f"{len(chosen)} sessions {verb}, {different} differed.")
        if options["check"] and different:
            raise CommandError("Run manage.py replay without --check to rebuild them.")

    def _one(self, pk: int, *, check: bool) -> bool:
        try:
            found = replay(pk, keep=not check)
        except Session.DoesNotExist:
            raise CommandError(f"There is no session {pk}.") from None
        for line in found:
            self.stdout.write(f"session {pk}: {line}")
        return bool(found)

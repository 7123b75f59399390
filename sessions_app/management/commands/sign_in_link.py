"""``manage.py sign_in_link``: one more one-time address, for whoever closed the first one."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from sessions_app import first_run


class Command(BaseCommand):
    help = "Print a one-time sign-in address for a user (default: the administrator of this machine)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", nargs="?", default="")
        parser.add_argument("--port", type=int, default=int(os.environ.get("CODEFLASH_PORT", "8000")))

    def handle(self, *args: Any, **options: Any) -> None:
        user = _user(options["user"])
        secret = first_run.sign_in_secret(user)
        self.stdout.write(f"http://127.0.0.1:{options['port']}/sign-in/{secret}/")


def _user(name: str) -> User:
    if not name:
        return first_run.ensure_home()[1]
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active user called {name!r}.")
    return user

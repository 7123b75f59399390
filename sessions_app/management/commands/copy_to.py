"""``manage.py copy_to HOST|USER|NAME|PORT``: copy this installation's rows into an empty PostgreSQL database."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from sessions_app.copying import CopyRefused, copy_to
from sessions_app.models import Session


class Command(BaseCommand):
    help = "Copy every row to an empty PostgreSQL database. Stop the worker first; the password comes from PGPASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", help="host|user|name|port, as CODEFLASH_POSTGRES takes it")

    def handle(self, *args: Any, **options: Any) -> None:
        if Session.objects.held().exists():
            raise CommandError("A session is running. Stop the worker first, so that the copy is whole.")
        host, user, name, port = [*options["target"].split("|"), "", "", ""][:4]
        where = {"HOST": host, "USER": user, "NAME": name, "PORT": port}
        engine = "django.db.backends.postgresql"
        password = os.environ.get("PGPASSWORD", "")
        try:
            copied = copy_to({**where, "ENGINE": engine, "PASSWORD": password, "OPTIONS": {}})
        except (CopyRefused, DatabaseError) as error:
            raise CommandError(str(error)) from error
        for label, count in copied.items():
            self.stdout.write(f"{count:8} {label}")
        self.stdout.write(f"Copied. Start with CODEFLASH_POSTGRES='{options['target']}' from now on.")

"""``manage.py up``: everything on this machine with one command, and one address to open."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from engine.brief import DOMAIN_CHOICES
from sessions_app import first_run, supervise
from sessions_app.actions import Refused

ANSWER_SECONDS = 90.0


class Command(BaseCommand):
    help = "Start the web server and a worker, and print one sign-in address. Ctrl-C stops both."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--repo", default="", help="register this path or address and launch a session on it"
        )
        parser.add_argument(
            "--domain", choices=[each for each in DOMAIN_CHOICES if each], default="", help="of that session"
        )
        parser.add_argument(
            "--experiments", type=int, default=None, help="at most so many in that session (default 60)"
        )
        parser.add_argument("--places", type=int, default=1, help="sessions at once (default 1)")

    def handle(self, *args: Any, **options: Any) -> None:
        port = options["port"]
        _check_free(port)
        settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.DATA_DIR.chmod(0o700)
        call_command("migrate", verbosity=0, interactive=False)
        user = self._prepare(options)
        children = [supervise.web(port), supervise.worker(port, max(1, options["places"]))]
        supervisor = supervise.Supervisor(children)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        threading.Thread(target=self._announce, args=(supervisor, port, user), daemon=True).start()
        supervisor.run()
        self.stdout.write("Stopped. Running sessions can be resumed.")

    def _prepare(self, options: dict[str, Any]) -> User:
        team, user = first_run.ensure_home()
        source = options["repo"]
        most = {} if options["experiments"] is None else {"experiments": options["experiments"]}
        try:
            session = (
                first_run.launch_source(team, user, source, domain=options["domain"], limits=most)
                if source
                else first_run.launch_sample(team, user, domain=options["domain"], limits=most)
            )
        except Refused as error:
            if source:
                raise CommandError(str(error)) from error
            self.stderr.write(f"The sample session was not launched: {error}")
            return user
        if session is not None:
            self.stdout.write(f"Session {session.pk} is queued: {session.title}.")
        return user

    def _announce(self, supervisor: supervise.Supervisor, port: int, user: User) -> None:
        """Print the address once the server answers, so that whoever clicks it is not too early."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while not supervisor.stopping and time.monotonic() < deadline:
            if _answers(port):
                secret = first_run.sign_in_secret(user)
                self.stdout.write(
                    f"Open http://127.0.0.1:{port}/sign-in/{secret}/  (works once; Ctrl-C stops)"
                )
                self.stdout.flush()
                return
            time.sleep(0.1)
        if not supervisor.stopping:
            self.stderr.write(
                f"The server has not answered within {ANSWER_SECONDS:.0f} s; its messages are above."
            )


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OverflowError:
            raise CommandError(f"{port} is not a port; take a number from 1024 to 65535.") from None
        except OSError as error:
            raise CommandError(
                f"Port {port} cannot be used ({error.strerror}). Choose another one: make run PORT={port + 1}"
            ) from None


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/sign-in/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

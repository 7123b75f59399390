"""What the benchmarks share: a data folder of their own, the real web server, its CPU seconds, one printed table."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCRUBBED = (
    "CODEFLASH_SQLITE",
    "CODEFLASH_POSTGRES",
    "CODEFLASH_DEBUG",
    "CODEFLASH_PUBLIC",
    "GUNICORN_CMD_ARGS",
)
START_SECONDS = 90.0
TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def arena(**env: str) -> Iterator[Path]:
    """A new data folder that this process and its children use; everything in it is gone afterwards.

    ``env`` holds more CODEFLASH_ variables. Call it before anything reads Django's settings.
    """
    # Asked to end, we still stop our servers and remove our files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="codeflash-bench-"))
    for name in SCRUBBED:
        os.environ.pop(name, None)
    os.environ.update(DJANGO_SETTINGS_MODULE="config.settings", CODEFLASH_DATA_DIR=str(folder), **env)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def set_up_django(*, migrate: bool = False) -> None:
    """Load the apps in this process; with ``migrate`` make the tables first."""
    import django

    django.setup()
    if migrate:
        from django.core.management import call_command

        call_command("migrate", verbosity=0, interactive=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """The product's web server, or another application beside it, as a process group of its own."""

    def __init__(self, application: str = "", *, env: Mapping[str, str] | None = None) -> None:
        from sessions_app import supervise

        self.port = free_port()
        child = supervise.web(self.port)
        argv = [*child.argv[:-1], application or child.argv[-1]]
        self._process = subprocess.Popen(
            argv, cwd=ROOT, env={**child.env, **(env or {})}, start_new_session=True
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        def answers() -> bool:
            if self._process.poll() is not None:
                raise SystemExit("The web server ended at its start; its words are above.")
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", "/sign-in/")
                return connection.getresponse().status < 500
            return False

        until(answers, START_SECONDS, "an answer of the web server")

    @property
    def cpu_seconds(self) -> float:
        return group_cpu(self._process.pid)

    def stop(self) -> None:
        for number, seconds in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                return

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def group_cpu(group: int) -> float:
    """User plus system seconds of every process in a process group, as the kernel counts them."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = stat.read_text(errors="replace").rpartition(")")[2].split()
            total += (int(words[11]) + int(words[12])) if int(words[2]) == group else 0
    return total / TICKS


def cookie_of(user: Any, port: int) -> str:
    """A signed-in browser's Cookie header for the server on ``port``."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return f"codeflash_{port}={store.session_key}"


def copy_database(path: Path) -> None:
    """This process's SQLite database as it stands, in a new file."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])


def people(count: int) -> tuple[Any, list[Any]]:
    """A team and ``count`` members of it; the first is its administrator."""
    from django.contrib.auth.models import User

    from sessions_app.models import Membership, Team

    team = Team.objects.create(name="Bench", slug="bench", max_running=1000)
    users = [User.objects.create_user(f"person-{n}", password=None) for n in range(count)]
    for user in users:
        Membership.objects.create(team=team, user=user, role="member" if user is not users[0] else "admin")
    return team, users


def until(check: Callable[[], object], seconds: float, what: str) -> None:
    """Poll until ``check`` is true; SystemExit with a sentence when it is not in time."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise SystemExit(f"There was no {what} within {seconds:.0f} s.")
        time.sleep(0.05)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0..1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def parser(description: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    made.add_argument("--json", action="store_true", help="print one JSON object in place of the table")
    return made


def show(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print ``title``, ``rows`` (dicts with the same keys) and ``notes``; the machine is part of what is said."""
    result = {**result, "machine": machine()}
    if as_json:
        print(json.dumps(result, indent=1))
        return
    print(f"\n{result['title']}\n")
    _print_rows(result["rows"])
    for note in [*result.get("notes", ()), result["machine"]]:
        print(note)


def _print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    cells = [list(rows[0]), *([_word(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    for number, line in enumerate(cells):
        first, *rest = (
            text.ljust(w) if i == 0 else text.rjust(w)
            for i, (text, w) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *rest]).rstrip())
        if number == 0:
            print("  ".join("-" * w for w in widths))
    print()


def _word(value: Any) -> str:
    if value is None:
        return "-"
    return (
        f"{value:,.2f}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def machine() -> str:
    """What the figures were made on: they only mean something beside each other."""
    load = os.getloadavg()[0]
    version = ".".join(map(str, sys.version_info[:3]))
    return f"{os.cpu_count()} CPUs, load {load:.1f} at the end, Python {version}, {sys.platform}"

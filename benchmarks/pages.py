"""Server CPU of the list pages with 500 sessions and 10,000 experiments, beside a bare view of the same rows.

    python -m benchmarks.pages [--sessions 500] [--calls 60] [--rounds 3]

CPU is user plus system time of the server's whole process group; one signed-in keep-alive client, warmed up. For each
page three servers are asked in turns: the product on all the data, a bare Django view that prints the same number of
rows of the same tables, and the product on a twentieth of the data. A page of the product checks rights and has a
frame around it (navigation, counts, latest repos); the bare one has neither.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import harness

WARM_UP = 5
LESS = 20
REPOS = 10
PAGES: Mapping[str, str] = {
    "sessions": "/sessions/",
    "sessions, searched": "/sessions/?q=shop",
    "session": "/sessions/{pk}/",
    "experiments of a session": "/sessions/{pk}/panel/experiments/",
    "chart of a session": "/sessions/{pk}/panel/chart/",
    "experiment": "/sessions/{pk}/experiments/7/",
    "home": "/",
    "reviews": "/reviews/",
    "learnings": "/learnings/",
}
"""Name -> address; the first word of a name is the bare view beside it, but for the panels."""
BARE = {
    "experiments of a session": "experiments",
    "chart of a session": "chart",
    "sessions, searched": "sessions",
}


@dataclass
class Client:
    """One keep-alive connection with a cookie; ``cpu`` is what the server spent on some calls of one address."""

    server: harness.Server
    cookie: str

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)

    def get(self, address: str) -> bytes:
        """The body; SystemExit for anything but a page."""
        headers = {"Cookie": self.cookie, "Accept-Encoding": "gzip"}
        try:
            self._connection.request("GET", address, headers=headers)
            answer = self._connection.getresponse()
        except (ConnectionError, http.client.HTTPException):
            # The server lets go of a connection that was idle while the others were asked.
            self._connection.close()
            self._connection.request("GET", address, headers=headers)
            answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{address} answered {answer.status}; the benchmark needs a page there.")
        return body

    def cpu(self, address: str, calls: int) -> float:
        """Server CPU milliseconds per call."""
        before = self.server.cpu_seconds
        for _ in range(calls):
            self.get(address)
        return (self.server.cpu_seconds - before) / calls * 1000


def queries(user: Any, pk: int) -> dict[str, int]:
    """How many questions each page asks the database of this process."""
    from django.db import connection
    from django.test import Client as TestClient
    from django.test.utils import CaptureQueriesContext

    client = TestClient(SERVER_NAME="127.0.0.1")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    found = {}
    for name, address in PAGES.items():
        with CaptureQueriesContext(connection) as asked:
            client.get(address.format(pk=pk))
        found[name] = len(asked)
    return found


def fill(sessions: int, small: Path) -> tuple[str, int, dict[str, int], dict[str, int]]:
    """Fill this process's database, with a copy in ``small`` after a twentieth.

    Returns the key of a signed-in browser, a session that is in both, and the questions per page with little and
    with all data.
    """
    from benchmarks.filling import Copier, first_session
    from sessions_app.models import Repo

    team, users = harness.people(1)
    repos = [
        Repo.objects.create(team=team, name=f"bench/shop-{n}", source=f"/nowhere/{n}") for n in range(REPOS)
    ]
    first = first_session(users[0], repos[0])
    copier = Copier(first, repos, users[0])
    copier.fill(max(2, sessions // LESS))
    cookie = harness.cookie_of(users[0], 0).partition("=")[2]
    few = queries(users[0], first.pk)
    harness.copy_database(small)
    copier.fill(sessions)
    return cookie, first.pk, few, queries(users[0], first.pk)


def measure(clients: Mapping[str, Client], name: str, pk: int, calls: int, rounds: int) -> dict[str, float]:
    """Middle CPU milliseconds per call of one page on each server, asked in turns."""
    bare = f"/{BARE.get(name, name)}/{pk}/"
    address = {key: bare if key == "bare" else PAGES[name].format(pk=pk) for key in clients}
    for key, client in clients.items():
        for _ in range(WARM_UP):
            client.get(address[key])
    found: dict[str, list[float]] = {key: [] for key in clients}
    for _ in range(rounds):
        for key, client in clients.items():
            found[key].append(client.cpu(address[key], calls))
    return {key: harness.middle(values) for key, values in found.items()}


def row(name: str, ms: Mapping[str, float], size: int, few: int, all_of_them: int) -> dict[str, Any]:
    def ratio(key: str) -> float | None:
        return ms["all"] / ms[key] if ms[key] else None

    return {
        "page": name,
        "CPU ms": ms["all"],
        "bare ms": ms["bare"],
        "÷ bare": ratio("bare"),
        "÷ with 1/20": ratio("few"),
        "queries": all_of_them,
        "with 1/20": few,
        "kB": size // 1000,
    }


def run(options: Any, folder: Path) -> list[dict[str, Any]]:
    small = folder / "few.sqlite3"
    key, pk, few, everything = fill(options.sessions, small)
    with (
        harness.Server() as all_data,
        harness.Server(
            "benchmarks.bare:application", env={"DJANGO_SETTINGS_MODULE": "benchmarks.bare_settings"}
        ) as bare,
        harness.Server(env={"CODEFLASH_SQLITE": str(small)}) as less,
    ):
        servers = {"all": all_data, "bare": bare, "few": less}
        clients = {name: Client(server, f"codeflash_{server.port}={key}") for name, server in servers.items()}
        return [
            _one(clients, name, pk, options, few[name], everything[name]) for name in _asked(options.pages)
        ]


def _one(
    clients: Mapping[str, Client], name: str, pk: int, options: Any, few: int, everything: int
) -> dict[str, Any]:
    ms = measure(clients, name, pk, options.calls, options.rounds)
    return row(name, ms, len(clients["all"].get(PAGES[name].format(pk=pk))), few, everything)


def _asked(names: Sequence[str]) -> list[str]:
    return [name for name in PAGES if not names or name.split()[0].strip(",") in names]


def main() -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("--sessions", type=int, default=500, help="each has 21 experiments")
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", nargs="*", default=[], help="first words of page names; all when left out")
    options = parser.parse_args()
    with harness.arena() as folder:
        harness.set_up_django(migrate=True)
        rows = run(options, folder)
    title = f"{options.sessions} sessions × 21 experiments; server CPU per call, middle of {options.rounds} rounds"
    notes = [
        "÷ with 1/20: growth over twenty times the data, goal at most 1.30 with the same number of queries"
    ]
    harness.show({"title": title, "rows": rows, "notes": notes}, as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How long a stored event takes to reach every watcher, beside a bare broadcast that stores nothing.

    python -m benchmarks.stream [--watchers 200] [--rate 50] [--seconds 8] [--rounds 3]

The product: its real server on a database of its own, one producer process that records one event a transaction under
a real claim. The bare one: a ``websockets`` server that sends the same frames as they come in, without a database, web
framework, sign-in or numbering. Same clients, same rate, in turns. The product's clock starts when the commit returned,
the bare one's when the frame is written to the server's socket; both stop when a client has parsed the frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks import harness

SOCKETS_PER_PERSON = 20
READY_SECONDS = 60.0
DRAIN_SECONDS = 30.0
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Load:
    watchers: int
    rate: float
    seconds: float

    @property
    def events(self) -> int:
        return max(1, round(self.rate * self.seconds))


@dataclass(frozen=True)
class Seen:
    """One round: milliseconds of each delivery, deliveries that are missing or came twice, the server's CPU seconds."""

    latencies: list[float]
    lost: int
    doubled: int
    cpu: float
    rate: float

    @property
    def p95(self) -> float:
        return harness.percentile(self.latencies, 0.95)


@dataclass(frozen=True)
class Door:
    """Where one watcher connects and the headers it brings."""

    address: str
    origin: str | None = None
    cookie: str = ""


def paced(load: Load, write: Callable[[int], float]) -> list[float]:
    """Call ``write`` with 1, 2, ... at the load's rate; the moments it returned. A late one does not slow the next."""
    began = time.monotonic()
    moments = []
    for number in range(1, load.events + 1):
        time.sleep(max(0.0, began + number / load.rate - time.monotonic()))
        moments.append(write(number))
    return moments


def produce_stored(pipe: Connection, load: Load, session_id: int, owner: str, token: int) -> None:
    """In a process of its own: one event, one transaction."""
    harness.set_up_django()
    from engine import events as e
    from sessions_app import recording
    from sessions_app.fences import Fence

    fence = Fence(session_id, owner, token)

    def write(number: int) -> float:
        recording.record(fence, [e.NoteLogged(source="bench", text=f"event {number}", at=time.time())])
        return time.monotonic()

    pipe.recv()
    pipe.send(paced(load, write))


def produce_bare(pipe: Connection, load: Load, address: str, html: str) -> None:
    """In a process of its own: the same frames, straight to the bare server."""
    with socket.socket(socket.AF_UNIX) as out:
        out.connect(address)

        def write(number: int) -> float:
            item = {
                "seq": number,
                "kind": "note_logged",
                "html": html,
                "at": "2026-01-05T10:00:00.000001+00:00",
            }
            frame = json.dumps([item], ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            began = time.monotonic()
            out.sendall(frame)
            return began

        pipe.recv()
        pipe.send(paced(load, write))


def serve_bare(port: int, address: str) -> None:
    """In a process of its own: whatever line comes in through the socket file goes to every client."""
    os.setpgid(0, 0)
    uvloop.run(_serve_bare(port, address))


async def _serve_bare(port: int, address: str) -> None:
    async def greet(client: ServerConnection) -> None:
        await client.send('[{"kind":"hello"}]')
        await client.wait_closed()

    async def pass_on(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            broadcast(server.connections, line.decode())

    async with serve(greet, "127.0.0.1", port, compression=None) as server:
        inlet = await asyncio.start_unix_server(pass_on, address, limit=1 << 20)
        async with inlet:
            await inlet.serve_forever()


async def watch(doors: Sequence[Door], load: Load, go: Callable[[], None]) -> list[list[tuple[int, float]]]:
    """Connect all watchers, start the producer, and note every (number, moment) of each until the last number."""
    async with AsyncExitStack() as stack:
        clients = [await _greeted(stack, door) for door in doors]
        go()
        limit = load.seconds + DRAIN_SECONDS
        return list(await asyncio.gather(*(_listen(each, load.events, limit) for each in clients)))


async def _greeted(stack: AsyncExitStack, door: Door) -> ClientConnection:
    headers = {"Cookie": door.cookie} if door.cookie else {}
    opening = connect(
        door.address,
        origin=door.origin,
        additional_headers=headers,
        proxy=None,
        compression=None,
        open_timeout=READY_SECONDS,
    )
    client = await stack.enter_async_context(opening)
    await asyncio.wait_for(client.recv(), READY_SECONDS)
    return client


async def _listen(client: ClientConnection, last: int, limit: float) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            while not found or found[-1][0] < last:
                items = json.loads(await client.recv())
                now = time.monotonic()
                found += [(item["seq"], now) for item in items if "seq" in item]
    return found


def round_of(
    doors: Sequence[Door], load: Load, producer: Callable[[Connection], Any], cpu: Callable[[], float]
) -> Seen:
    """One round against a server that runs; ``producer`` makes the process that writes when it is told to."""
    ours, theirs = SPAWN.Pipe()
    process = producer(theirs)
    process.start()
    try:
        before = cpu()
        heard = uvloop.run(watch(doors, load, lambda: ours.send("go")))
        if not ours.poll(DRAIN_SECONDS):
            raise SystemExit("The producer did not end in time; its words are above.")
        return _judge(heard, ours.recv(), cpu() - before)
    finally:
        process.join(5)
        process.kill()


def _judge(heard: Sequence[Sequence[tuple[int, float]]], written: Sequence[float], cpu: float) -> Seen:
    every = range(1, len(written) + 1)
    lost = sum(len(set(every) - {seq for seq, _ in each}) for each in heard)
    doubled = sum(len(each) - len({seq for seq, _ in each}) for each in heard)
    latencies = [(at - written[seq - 1]) * 1000 for each in heard for seq, at in each]
    if not latencies:
        raise SystemExit("No watcher received anything.")
    took = written[-1] - written[0]
    return Seen(latencies, lost, doubled, cpu, (len(written) - 1) / took if took else 0.0)


def product_round(load: Load, users: Sequence[Any], repo: Any) -> Seen:
    from sessions_app import actions, processes, queue

    session = actions.launch(user=users[0], repo=repo)
    fence = queue.claim(str(processes.me()), only=session.pk)
    assert fence is not None, "the session could not be claimed"
    with harness.Server() as server:
        cookies = [harness.cookie_of(user, server.port) for user in users]
        address = f"ws://127.0.0.1:{server.port}/ws/sessions/{session.pk}/?after=0"
        origin = f"http://127.0.0.1:{server.port}"
        doors = [Door(address, origin, cookies[n // SOCKETS_PER_PERSON]) for n in range(load.watchers)]
        words = (load, session.pk, fence.owner, fence.token)
        seen = round_of(
            doors,
            load,
            lambda pipe: SPAWN.Process(target=produce_stored, args=(pipe, *words)),
            lambda: server.cpu_seconds,
        )
    queue.release(fence, status="cancelled", reason="the round is over")
    return seen


def bare_round(load: Load, folder: Path, html: str) -> Seen:
    port, address = harness.free_port(), str(folder / "inlet")
    Path(address).unlink(missing_ok=True)
    server = SPAWN.Process(target=serve_bare, args=(port, address))
    server.start()
    try:
        harness.until(Path(address).exists, READY_SECONDS, "bare server")
        doors = [Door(f"ws://127.0.0.1:{port}/")] * load.watchers
        pid = server.pid or 0
        return round_of(
            doors,
            load,
            lambda pipe: SPAWN.Process(target=produce_bare, args=(pipe, load, address, html)),
            lambda: harness.group_cpu(pid),
        )
    finally:
        server.kill()
        server.join()


def row_html(session: Any) -> str:
    """What the product sends for one note, so that the bare frames are as long."""
    from django.utils import timezone

    from sessions_app.models import Event
    from sessions_app.rendering import render_event

    body = {"source": "bench", "text": "event 100", "level": "info"}
    return render_event(Event(session=session, seq=100, kind="note_logged", at=timezone.now(), body=body))


def rounds(load: Load, count: int, folder: Path) -> Iterator[tuple[Seen, Seen]]:
    """(product, bare), one after the other, ``count`` times."""
    from sessions_app.models import Repo, Session

    needed = -(-load.watchers // SOCKETS_PER_PERSON)
    team, users = harness.people(needed)
    repo = Repo.objects.create(team=team, name="bench/stream", source=str(folder), max_running=count)
    html = row_html(Session(pk=1, repo=repo))
    for _ in range(count):
        yield product_round(load, users, repo), bare_round(load, folder, html)


def table(pairs: Sequence[tuple[Seen, Seen]], load: Load) -> dict[str, Any]:
    rows = [
        _row("product: commit to client", [p for p, _ in pairs]),
        _row("bare broadcast, no database", [b for _, b in pairs]),
    ]
    ratios = [product.p95 / bare.p95 for product, bare in pairs]
    cpu = [product.cpu / bare.cpu for product, bare in pairs if bare.cpu]
    said = ", ".join(f"{each:.2f}" for each in ratios)
    notes = [f"p95, product ÷ bare: {harness.middle(ratios):.2f} (rounds: {said})"]
    notes += [f"server CPU, product ÷ bare: {harness.middle(cpu):.2f}"] if cpu else []
    title = f"{load.watchers} watchers × {load.rate:g} events/s for {load.seconds:g} s, {len(pairs)} rounds in turns"
    lost = sum(p.lost + p.doubled for p, _ in pairs)
    return {
        "title": title,
        "rows": rows,
        "notes": notes,
        "p95_ratio": harness.middle(ratios),
        "lost_or_doubled": lost,
    }


def _row(name: str, seen: Sequence[Seen]) -> dict[str, Any]:
    together = [value for each in seen for value in each.latencies]
    return {
        "server": name,
        **{f"p{round(share * 100)} ms": harness.percentile(together, share) for share in (0.5, 0.95, 0.99)},
        "deliveries": len(together),
        "lost": sum(each.lost for each in seen),
        "doubled": sum(each.doubled for each in seen),
        "events/s": harness.middle([each.rate for each in seen]),
        "server CPU s/round": harness.middle([each.cpu for each in seen]),
    }


def main() -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--rate", type=float, default=50.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load = Load(options.watchers, options.rate, options.seconds)
    with harness.arena() as folder:
        harness.set_up_django(migrate=True)
        result = table(list(rounds(load, options.rounds, folder)), load)
    harness.show(result, as_json=options.json)
    return 1 if result["lost_or_doubled"] else 0


if __name__ == "__main__":
    raise SystemExit(main())

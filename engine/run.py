"""What one session carries from step to step: the brief, the walls, the workspace, what was found and what was tried.

Only the conductor's thread yields events. Blocking work runs in a helper thread through :meth:`Run.during`, which
yields what that work (and the researcher) says meanwhile, so there is one writer and one total order.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine import events as e
from engine.brief import Brief
from engine.values import Isolation, Measurement, Target, TestRun

if TYPE_CHECKING:
    from engine.agents.proposing import Candidate
    from engine.environment import Environment
    from engine.measure import Floor, Gauge, Workload
    from engine.profile import History, Profile
    from engine.sandbox import Sandbox
    from engine.site import Survey
    from engine.verify import Evidence
    from engine.workspace import Workspace

T = TypeVar("T")


class Cancelled(Exception):
    """A person (or the worker) asked the session to stop."""


class RoleFailed(Exception):
    """A role cannot go on. ``advice`` says what to do; ``output`` is the tail of what a program said."""

    def __init__(self, reason: str, *, advice: str = "", output: str = "") -> None:
        super().__init__(reason)
        self.reason, self.advice, self.output = reason, advice, output


class CancelToken:
    """Set once from a signal handler; whoever blocks registers how to be woken."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._wake: list[Callable[[], None]] = []

    def set(self) -> None:
        self._event.set()
        for wake in self._wake:
            wake()

    def on_set(self, wake: Callable[[], None]) -> None:
        self._wake.append(wake)
        if self.is_set():
            wake()

    def is_set(self) -> bool:
        return self._event.is_set()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One experiment as the engine remembers it: enough for results.tsv, the hand-off, the plateau and the review."""

    number: int
    uid: str
    target: Target
    agent: str
    pattern: str
    title: str
    hypothesis: str
    tier: str
    metric: str
    status: str
    reason: str = ""
    reason_class: str = ""
    commit: str = ""
    measurement: Measurement | None = None
    evidence: str = ""
    skip_key: str = ""
    recordings: str = ""
    finished: float = 0.0
    reverted: str = ""
    restored: bool = False


@dataclass(kw_only=True)
class Run:
    """One engine run. Fields are filled in lifecycle order; a field is read only after its stage."""

    brief: Brief
    cancel: CancelToken
    isolation: Isolation
    sandbox: Sandbox
    workspace: Workspace
    gauge: Gauge | None = None
    environment: Environment | None = None
    language: str = ""
    domain: str = ""
    baseline_tests: TestRun | None = None
    profile: Profile | None = None
    base_profile: Profile | None = None
    history: History | None = None
    targets: list[Target] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    floors: dict[tuple[str, str], Floor] = field(default_factory=dict)
    session_workload: Workload | None = None
    session_measurement: Measurement | None = None
    best: float | None = None
    consecutive: int = 0
    number_from: int = 0
    stopped: str = ""
    unclear: list[Candidate] = field(default_factory=list)
    tried_keys: set[str] = field(default_factory=set)
    dropped: int = 0
    findings: dict[str, e.FindingSent] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    without: list[dict[str, object]] = field(default_factory=list)
    again: dict[int, Measurement] = field(default_factory=dict)
    review_evidence: dict[str, Evidence] = field(default_factory=dict)
    surveys: dict[str, Survey] = field(default_factory=dict)
    survey_lock: threading.Lock = field(default_factory=threading.Lock)
    started: float = field(default_factory=time.monotonic)
    inbox: queue.SimpleQueue[e.Event | None] = field(default_factory=queue.SimpleQueue)
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, thread_name_prefix="role"))

    @property
    def work(self) -> Path:
        return Path(self.brief.work)

    @property
    def state_folder(self) -> Path:
        return self.work / ".codeflash"

    @property
    def recordings(self) -> Path:
        assert self.profile is not None
        return Path(self.profile.recordings)

    @property
    def kept(self) -> list[Attempt]:
        """Experiments whose commit is still on the branch, oldest first."""
        return [a for a in self.attempts if a.status == "keep" and not a.reverted]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def seed(self, *parts: object) -> int:
        """A coin that depends on the base commit and the parts alone, so that two runs decide alike."""
        text = "\0".join([self.workspace.base, *map(str, parts)])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")

    def say(self, event: e.Event) -> None:
        """From any thread: hand an event to the conductor, which yields it at its next look."""
        self.inbox.put(event)

    def check_cancel(self) -> None:
        if self.cancel.is_set():
            raise Cancelled

    def drain(self) -> Iterator[e.Event]:
        """What helpers have said and nobody has yielded yet."""
        while True:
            try:
                event = self.inbox.get_nowait()
            except queue.Empty:
                return
            if event is not None:
                yield event

    def discard_inbox(self) -> None:
        """After a failure the helpers' words no longer have a place in the order."""
        for _ in self.drain():
            pass

    def during(self, work: Callable[[], T]) -> Generator[e.Event, None, T]:
        """Run blocking ``work`` beside us; yield what is said meanwhile; give back its result or raise its error."""
        self.check_cancel()
        future: Future[T] = self.pool.submit(work)
        future.add_done_callback(lambda _: self.inbox.put(None))
        while not future.done():
            try:
                event = self.inbox.get(timeout=1.0)
            except queue.Empty:
                continue
            if event is not None:
                yield event
        yield from self.drain()
        self.check_cancel()
        return future.result()

    @property
    def next_number(self) -> int:
        """Experiments are numbered on across resumes."""
        return self.number_from + sum(not a.restored for a in self.attempts) + 1

    def remember(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        if attempt.skip_key:
            self.tried_keys.add(attempt.skip_key)

    def mark_reverted(self, number: int, reason: str) -> None:
        self.attempts = [replace(a, reverted=reason) if a.number == number else a for a in self.attempts]


def stamp(event: e.Event) -> e.Event:
    """The event with the time it left the engine, unless it already has one."""
    return event if event.at is not None else replace(event, at=round(time.time(), 3))

"""The queue under any order of claims, writes, renewals, deaths and wishes: a model beside the real tables.

Every step is done on the database and on a few plain records; after each step the rows must be what the records say.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine import events as e
from sessions_app import actions, processes, queue, recording
from sessions_app.models import HELD, Event, Repo, Session
from sessions_app.queue import Fence

ENDED = ("finished", "failed", "cancelled", "interrupted")
END_KINDS = {"session_ended", *(f"session_{status}" for status in ENDED)}
HERE = processes.me()
ALIVE, DEAD = str(HERE), str(processes.Owner(HERE.boot, HERE.space, HERE.pid, "1"))
ELSEWHERE = [str(processes.Owner(HERE.boot, "elsewhere", pid, "1")) for pid in (1, 2)]
WORKERS = [ALIVE, DEAD, *ELSEWHERE]
LIMITS, TEAM_LIMIT, MOST = (1, 2), 2, 8
WHICH = st.integers(0, 99)
SHIFT = st.sampled_from([0, 0, 0, -1, 1])


@dataclass
class Item:
    """What one session must be: ``overdue`` says by how much its lease has run out."""

    pk: int
    repo: int
    priority: int
    status: str = "queued"
    fence: Fence | None = None
    token: int = 0
    events: int = 0
    wish: bool = False
    overdue: str = ""
    ends: int = 0

    @property
    def held(self) -> bool:
        return self.fence is not None

    @property
    def gone(self) -> bool:
        """Whether the reaper must end it now."""
        if self.fence is None:
            return False
        by = {ALIVE: self.overdue == "stuck", DEAD: True}
        return by.get(self.fence.owner, bool(self.overdue))

    def end(self, status: str) -> None:
        self.status = "cancelled" if status == "interrupted" and self.wish else status
        self.fence, self.overdue, self.events, self.ends = None, "", self.events + 1, self.ends + 1


@dataclass
class Model:
    items: dict[int, Item] = field(default_factory=dict)
    fences: list[Fence] = field(default_factory=list)

    def holding(self, fence: Fence) -> Item | None:
        item = self.items[fence.session_id]
        return item if item.fence == fence else None

    def next_up(self) -> Item | None:
        """Highest priority, then oldest, of those whose repo and team have room."""
        held = [each.repo for each in self.items.values() if each.held]
        room = [
            each
            for each in self.items.values()
            if each.status == "queued"
            and held.count(each.repo) < LIMITS[each.repo]
            and len(held) < TEAM_LIMIT
        ]
        return min(room, key=lambda each: (-each.priority, each.pk), default=None)


class QueueMachine(RuleBasedStateMachine):
    """Four workers: one lives here, one died here, two are elsewhere and go by their lease."""

    world: ClassVar[Any]
    repos: ClassVar[tuple[Repo, Repo]]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.point = transaction.savepoint()

    def teardown(self) -> None:
        try:
            self._drain()
        finally:
            transaction.savepoint_rollback(self.point)

    def _drain(self) -> None:
        """Whatever happened, every session still comes to one end."""
        for item in self.model.items.values():
            self._let_run_out(item, "stuck")
        self.reap()
        while (fence := self._claim(ALIVE)) is not None:
            self._finish(fence, "finished")
        self.rows_are_what_the_model_says()
        assert all((item.status in ENDED, item.ends) == (True, 1) for item in self.model.items.values())

    # -- people

    @precondition(lambda self: len(self.model.items) < MOST)
    @rule(repo=st.integers(0, 1), priority=st.sampled_from([0, 0, 5]))
    def launch(self, repo: int, priority: int) -> None:
        session = actions.launch(user=self.world.alice, repo=self.repos[repo])
        Session.objects.filter(pk=session.pk).update(priority=priority)
        self.model.items[session.pk] = Item(session.pk, repo, priority)

    @precondition(lambda self: self.model.items)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        item = self._item(which)
        actions.request_cancel(user=self.world.alice, session=Session.objects.get(pk=item.pk))
        if item.status in ENDED or item.wish:
            return
        item.wish = True
        if item.held:
            item.status, item.events = "stopping", item.events + 1
        else:
            item.end("cancelled")

    # -- workers

    @rule(worker=st.sampled_from(WORKERS))
    def claim(self, worker: str) -> None:
        self._claim(worker)

    def _claim(self, worker: str) -> Fence | None:
        expected = self.model.next_up()
        fence = queue.claim(worker)
        assert (fence.session_id if fence else None) == (expected.pk if expected else None)
        if fence is not None and expected is not None:
            expected.token += 1
            assert fence == Fence(expected.pk, worker, expected.token)
            expected.status, expected.fence = "preparing", fence
            self.model.fences.append(fence)
        return fence

    @precondition(lambda self: self.model.fences)
    @rule(which=WHICH, shift=SHIFT)
    def write(self, which: int, shift: int) -> None:
        """With the claim that holds, a write counts; with any other token or an ended claim it is refused."""
        fence = self._fence(which, shift)
        if self._record(fence, e.NoteLogged(source="engine", text="at work")):
            item = self.model.items[fence.session_id]
            item.events += 1
            item.status = "running" if item.status == "preparing" else item.status

    @precondition(lambda self: self.model.fences)
    @rule(which=WHICH, outcome=st.sampled_from(["finished", "failed", "cancelled"]))
    def finish(self, which: int, outcome: str) -> None:
        self._finish(self._fence(which), outcome)

    @precondition(lambda self: self.model.fences)
    @rule(which=WHICH, shift=SHIFT, status=st.sampled_from(["interrupted", "failed"]))
    def release(self, which: int, shift: int, status: str) -> None:
        fence = self._fence(which, shift)
        item = self.model.holding(fence)
        assert queue.release(fence, status=status, reason="over") == (item is not None)  # type: ignore[arg-type]
        if item is not None:
            item.end(status)

    @precondition(lambda self: self.model.items)
    @rule(worker=st.sampled_from(WORKERS), some=st.sets(st.integers(0, MOST - 1)))
    def renew(self, worker: str, some: set[int]) -> None:
        """Asked for any sessions, only its own are extended, and it hears which those are."""
        asked = [item for at, item in enumerate(self.model.items.values()) if at in some]
        beat = queue.renew(worker, [item.pk for item in asked])
        mine = [item for item in self.model.items.values() if item.fence and item.fence.owner == worker]
        assert beat.mine == {item.fence for item in mine}
        assert beat.cancelled == {item.pk for item in mine if item.wish}
        for item in asked:
            item.overdue = "" if item in mine else item.overdue

    # -- time and the reaper

    @precondition(lambda self: any(item.held for item in self.model.items.values()))
    @rule(which=WHICH, how=st.sampled_from(["late", "stuck"]))
    def run_out(self, which: int, how: str) -> None:
        """The lease of a held session ends without a renewal."""
        held = [item for item in self.model.items.values() if item.held]
        self._let_run_out(held[which % len(held)], how)

    @rule()
    def reap(self) -> None:
        gone = {item.pk for item in self.model.items.values() if item.gone}
        assert set(queue.reap()) == gone
        for pk in gone:
            self.model.items[pk].end("interrupted")

    # -- what always holds

    @invariant()
    def rows_are_what_the_model_says(self) -> None:
        rows = Session.objects.filter(repo__in=self.repos).values_list(
            "pk", "status", "owner", "token", "last_seq"
        )
        assert {row[0]: row[1:] for row in rows} == {
            item.pk: (item.status, item.fence.owner if item.fence else "", item.token, item.events)
            for item in self.model.items.values()
        }

    @invariant()
    def what_is_held_has_a_slot_and_a_lease_and_what_is_not_has_neither(self) -> None:
        rows = Session.objects.filter(repo__in=self.repos).values_list("pk", "slot", "lease_until")
        now = timezone.now()
        for pk, slot, lease in rows:
            item = self.model.items[pk]
            assert (slot is not None, lease is not None) == (item.held, item.held)
            assert (lease is not None and lease < now) == bool(item.overdue)

    @invariant()
    def no_repo_and_no_team_runs_more_than_it_may(self) -> None:
        held = Session.objects.filter(repo__in=self.repos, status__in=HELD).values_list(
            "repo", "slot", "lease_until"
        )
        slots = [(repo, slot) for repo, slot, lease in held if lease is not None]
        assert len(set(slots)) == len(held) <= TEAM_LIMIT
        for repo, most in zip(self.repos, LIMITS, strict=True):
            assert {slot for pk, slot in slots if pk == repo.pk} <= set(range(most))

    @invariant()
    def every_log_is_whole_and_has_at_most_one_end(self) -> None:
        logs: dict[int, list[str]] = {pk: [] for pk in self.model.items}
        rows = Event.objects.filter(session__in=list(logs)).order_by("session", "seq")
        for pk, seq, kind in rows.values_list("session", "seq", "kind"):
            logs[pk].append(kind)
            assert seq == len(logs[pk])
        for pk, kinds in logs.items():
            item = self.model.items[pk]
            ends = [kind for kind in kinds if kind in END_KINDS]
            assert (len(kinds), len(ends), kinds[-1:]) == (item.events, item.ends, ends or kinds[-1:])

    # -- helpers

    def _item(self, which: int) -> Item:
        return list(self.model.items.values())[which % len(self.model.items)]

    def _fence(self, which: int, shift: int = 0) -> Fence:
        """A claim that was made, or one of an earlier or later token that never was."""
        fence = self.model.fences[which % len(self.model.fences)]
        return replace(fence, token=fence.token + shift)

    def _record(self, fence: Fence, event: e.Event) -> bool:
        try:
            recording.record(fence, [event])
        except recording.Fenced:
            assert self.model.holding(fence) is None
            return False
        assert self.model.holding(fence) is not None, "a stale claim wrote"
        return True

    def _finish(self, fence: Fence, outcome: str) -> None:
        item = self.model.items[fence.session_id]
        if self._record(fence, e.SessionEnded(outcome=outcome, reason="over")):
            item.end("interrupted" if outcome == "cancelled" else outcome)

    def _let_run_out(self, item: Item, how: str) -> None:
        if item.held:
            seconds = 86_400 if how == "stuck" else 60
            Session.objects.filter(pk=item.pk).update(
                lease_until=timezone.now() - dt.timedelta(seconds=seconds)
            )
            item.overdue = how


def test_no_order_of_events_breaks_the_queue(world) -> None:
    world.alpha.max_running = TEAM_LIMIT
    world.alpha.save()
    second = Repo.objects.create(team=world.alpha, name="second", source="/elsewhere")
    for repo, most in zip((world.repo, second), LIMITS, strict=True):
        repo.max_running = most
        repo.save()

    class Here(QueueMachine):
        repos = (world.repo, second)

    Here.world = world
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=80,
            stateful_step_count=40,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

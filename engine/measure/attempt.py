"""One gate or comparison while it runs: what is measured next, and when to stop."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from engine.measure.desk import Desk, least_pairs
from engine.measure.gate import PLANS, STAGE
from engine.measure.guard import related_answer
from engine.measure.jobs import Tuning
from engine.measure.judge import peaks_promise, walk
from engine.measure.model import Arm, MeasureError, Process, ProcessFailed, TooLong, Workload
from engine.measure.record import Couple, Record
from engine.measure.runner import PEAK_RUNS, Draw, draw, quads

T = TypeVar("T")
OnRound = Callable[[int, int], None]
RELATED_FIRST, RELATED_MORE = 10, 20


class Attempt:
    """One gate or comparison while it runs. Every method takes a record and gives back a longer one."""

    def __init__(
        self, desk: Desk, a: Arm, b: Arm, workload: Workload, budget: float, on_round: OnRound | None
    ) -> None:
        self._desk, self._a, self._b, self._workload = desk, a, b, workload
        self._budget, self._on_round, self._spent, self._rounds = budget, on_round, 0.0, 0
        self._tuning: Tuning | None = None

    def gate(self, record: Record, guard: Workload | None) -> Record:
        """Measure until the rule has its answer, then the related benchmark if there is something to keep."""
        return self._noting_failure(
            record, self._peak_stages if record.metric == "peak" else self._stages, guard
        )

    def compare(self, record: Record, pairs: int) -> Record:
        """Measure a fixed number of pairs, or three runs a side for peak memory."""
        if record.metric == "peak":
            return self._noting_failure(record, lambda begun, _: self._peaks(begun), None)
        return self._noting_failure(record, lambda begun, _: self._stage(begun, pairs), None)

    def _noting_failure(
        self, record: Record, stages: Callable[[Record, Workload | None], Record], guard: Workload | None
    ) -> Record:
        try:
            begun = self._begin(record)
            return begun if begun.needs is not None else stages(begun, guard)
        except TooLong as error:
            return replace(record, needs=error.seconds)
        except ProcessFailed as error:
            return replace(record, failure=(error.arm, error.reason))
        except MeasureError as error:
            return replace(record, failure=("A", str(error)))

    def _stages(self, record: Record, guard: Workload | None) -> Record:
        while self._wants_more(record):
            record = self._stage(record, self._next_size(record))
        outcome = walk(record)
        kept = outcome is not None and outcome.verdict == "keep"
        return self._related(record, guard) if kept and guard is not None else record

    def _peak_stages(self, record: Record, guard: Workload | None) -> Record:
        """Memory first; the time guard only when memory is worth it."""
        record = self._peaks(record)
        if not peaks_promise(record):
            return record
        record = self._stage(record, STAGE)
        return self._related(record, guard) if guard is not None else record

    # ---- stages

    def _begin(self, record: Record) -> Record:
        """Calibrated, both trees warm, B looked at; ``needs`` is set when the pairs do not fit the budget."""
        desk = self._desk
        with desk.exclusive():
            tuning = desk.ready(self._a, self._workload)
            desk.runner.kit.warm(self._b.tree)
            self._tuning = self._twice(lambda: desk.runner.survey(self._b, self._workload, tuning))
        needs = 2 * least_pairs(self._workload) * tuning.seconds
        told = replace(
            record,
            inputs=tuning.inputs,
            loops=tuning.loops,
            values=tuning.values,
            per_pass=tuning.per_pass,
            keep_first=tuning.keep_first,
            used=tuning.used,
            recorded=tuning.recorded,
        )
        return replace(told, needs=needs) if needs > self._budget else told

    def _wants_more(self, record: Record) -> bool:
        outcome = walk(record)
        if outcome is None:
            return True
        if outcome.verdict != "more":
            return False
        assert self._tuning is not None
        extension = outcome.pairs >= 2 * STAGE
        return not extension or self._spent + 2 * outcome.more * self._tuning.seconds <= self._budget

    def _next_size(self, record: Record) -> int:
        return next(size for size in PLANS[record.metric].sizes if size > len(record.couples))

    def _stage(self, record: Record, size: int) -> Record:
        """Measure up to ``size`` pairs in all, in quads, under the lock; then let others in."""
        desk, tuning = self._desk, self._tuning
        assert tuning is not None
        source = desk.coins(self._workload.id, "stage", size)
        with desk.exclusive():
            started = time.monotonic()
            couples = list(record.couples)
            for order in quads(source, size - len(couples)):
                couples.append(self._couple(order, self._workload, tuning, source))
                self._tell(len(couples), size)
        self._spent += time.monotonic() - started
        return replace(record, couples=tuple(couples))

    def _couple(
        self, order: tuple[str, str], workload: Workload, tuning: Tuning, source: random.Random
    ) -> Couple:
        """Two neighbouring processes with the same coins; repeated once, both, when either fails."""
        coins = draw(source)
        arms = {"A": self._a, "B": self._b}

        def once() -> Couple:
            ran: dict[str, Process] = {
                name: self._desk.runner.process(arms[name], name, workload, tuning, coins) for name in order
            }
            return Couple("".join(order), ran["A"], ran["B"])

        return self._twice(once)

    def _twice(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except ProcessFailed:
            return work()

    def _tell(self, done: int, size: int) -> None:
        if self._on_round is not None and done % 2 == 0:
            self._on_round(done // 2, size // 2)

    def _related(self, record: Record, guard: Workload) -> Record:
        """Ten pairs of the related benchmark, twenty more when they look slower. What cannot run is no evidence."""
        desk = self._desk
        try:
            with desk.exclusive():
                tuning = desk.runner.survey(self._b, guard, desk.ready(self._a, guard))
            couples: tuple[Couple, ...] = ()
            for more in (RELATED_FIRST, RELATED_MORE):
                couples = (*couples, *self._related_pairs(guard, tuning, more))
                if related_answer(couples, record.clock, record.delta) != "more":
                    break
        except ProcessFailed as error:
            if error.arm == "B":
                raise
            return record
        except MeasureError:
            return record
        return replace(record, related=couples, related_label=guard.label or guard.id)

    def _related_pairs(self, guard: Workload, tuning: Tuning, pairs: int) -> list[Couple]:
        source = self._desk.coins(guard.id, "related", pairs)
        with self._desk.exclusive():
            return [self._couple(order, guard, tuning, source) for order in quads(source, pairs)]

    def _peaks(self, record: Record) -> Record:
        """Three runs a side, interleaved, real and traced apart."""
        source = self._desk.coins(self._workload.id, "peak")
        with self._desk.exclusive():
            found = {kind: self._peak_runs(kind == "traced", source) for kind in ("rss", "traced")}
        return replace(record, peaks={kind: runs for kind, runs in found.items() if all(runs)})

    def _peak_runs(self, traced: bool, source: random.Random) -> tuple[tuple[int, ...], tuple[int, ...]]:
        runs: dict[str, list[int]] = {"A": [], "B": []}
        for order in quads(source, PEAK_RUNS):
            coins = draw(source)
            for name in order:
                value = self._twice(partial(self._peak, name, traced, coins))
                runs[name] += [] if value is None else [value]
        return tuple(runs["A"]), tuple(runs["B"])

    def _peak(self, name: str, traced: bool, coins: Draw) -> int | None:
        assert self._tuning is not None
        arm = self._a if name == "A" else self._b
        return self._desk.runner.peak(arm, name, self._workload, self._tuning, traced=traced, coins=coins)

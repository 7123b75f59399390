"""The gauge of one session: reading, floor, pre-screen, gate and comparison, each behind the host's measuring lock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.environment import Environment
from engine.fingerprint import fingerprint
from engine.measure import gate, judge, raw
from engine.measure.attempt import Attempt, OnRound
from engine.measure.desk import Desk, key_of
from engine.measure.lock import OnWait, never
from engine.measure.model import Arm, Cancelled, Floor, MeasureError, Process, Reading, Workload
from engine.measure.record import Record
from engine.measure.runner import draw, load_now
from engine.measure.stats import median, quantile
from engine.sandbox import Sandbox
from engine.values import Measurement

MOVED = 1.5
LEAST_LOAD = 1.0
PRESCREEN_ROUNDS = 7
READING_PROCESSES = 4
ANEW_LEVEL = 0.99
LOOP_COUNT = 100_000


class Gauge:
    """Measures for one session. ``seed`` decides every coin; ``raw_dir`` takes the raw files; ``holder`` is shown to
    whoever waits for the lock. ``budget_seconds`` is what one experiment may take: inputs are cut to fit it at
    calibration. ``patience_seconds`` is how long a noisy machine is waited for. ``cancelled`` is asked while waiting.

    Do not call from inside ``working(lock)``: the gauge takes the lock itself.
    """

    def __init__(
        self,
        *,
        sandbox: Sandbox,
        environment: Environment,
        lock: Path,
        seed: int,
        raw_dir: Path,
        holder: str = "",
        on_wait: OnWait | None = None,
        budget_seconds: float = 180.0,
        patience_seconds: float = 120.0,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        self._seed, self._raw_dir, self._patience = seed, raw_dir, patience_seconds
        self._environment, self._sandbox = environment, sandbox
        self._desk = Desk(
            sandbox=sandbox,
            environment=environment,
            lock=lock,
            seed=seed,
            root=raw_dir,
            holder=holder,
            on_wait=on_wait,
            budget=budget_seconds,
            cancelled=cancelled,
        )
        self._floors: dict[tuple[object, ...], Floor] = {}

    # ---- the doors

    def floor(self, arm: Arm, workload: Workload) -> Floor:
        """How far ``arm`` differs from itself on this workload: 40 processes, once more when the machine is noisy.

        ``failure`` is set, and nothing raised, when the workload cannot be run or does not fit the budget.
        """
        try:
            found = self._one_floor(arm, workload)
            if found.delta > gate.NOISY_FLOOR:
                self._wait_for_quiet()
                again = self._one_floor(arm, workload)
                found = replace(again, noisy=again.delta > gate.NOISY_FLOOR)
        except MeasureError as error:
            return Floor(delta=gate.LEAST_FLOOR, load=load_now(), failure=str(error))
        self._floors[key_of(workload)] = found
        return found

    def reading(self, arm: Arm, workload: Workload) -> Reading:
        """What ``arm`` costs on this workload, from a few processes: a first number to show, never one to decide by."""
        try:
            processes, _ = self._alone(arm, workload, READING_PROCESSES)
        except MeasureError as error:
            return Reading(failure=str(error))
        return Reading(value=_value_of(processes, workload))

    def newest_floor(self, workload: Workload) -> Floor | None:
        """The floor measured last on this workload, None before there is one."""
        return self._floors.get(key_of(workload))

    def moved(self, floor: Floor) -> bool:
        """Whether the machine is no longer as it was at the floor: load or a fixed loop changed 1.5 times."""
        load = load_now()
        if load is not None and floor.load is not None:
            now, then = max(load, LEAST_LOAD), max(floor.load, LEAST_LOAD)
            if max(now / then, then / now) > MOVED:
                return True
        if floor.loop is None:
            return False
        loop = fixed_loop()
        return max(loop / floor.loop, floor.loop / loop) > MOVED

    def prescreen(self, a: Arm, b: Arm, workload: Workload) -> tuple[float, float] | None:
        """Median and upper quartile of 7 quick interleaved ratios, A over B; None when they cannot be had."""
        try:
            with self._desk.exclusive():
                tuning = self._desk.ready(a, workload)
                self._desk.runner.kit.warm(b.tree)
                tuning = self._desk.runner.survey(b, workload, tuning)
                coins = draw(self._desk.coins(workload, "prescreen"))
                ratios = self._desk.runner.prescreen(a, b, workload, tuning, PRESCREEN_ROUNDS, coins)
        except MeasureError:
            return None
        return median(ratios), quantile(ratios, 0.75)

    def gate(
        self,
        a: Arm,
        b: Arm,
        workload: Workload,
        floor: Floor,
        *,
        budget_seconds: float,
        on_round: OnRound | None = None,
        guard: Workload | None = None,
    ) -> Measurement:
        """Decide whether B is faster than A (or leaner). ``on_round`` gets (quads done, quads planned so far).

        ``guard`` is a related benchmark that must not get slower. Raises Cancelled; a crash or a budget that is too
        small is an outcome.
        """
        floor = self._current(a, workload, floor)
        record = self._open("gate", a, b, workload, floor.delta, noisy=floor.noisy)
        attempt = Attempt(self._desk, a, b, workload, budget_seconds, on_round)
        return self._close(attempt.gate(record, guard))

    def compare(
        self,
        a: Arm,
        b: Arm,
        workload: Workload,
        pairs: int = 40,
        level: float = 0.99,
        *,
        floor: Floor | None = None,
    ) -> Measurement:
        """B against A on ``pairs`` fresh pairs, nothing decided: outcome ``measured``, ``crash`` or ``unclear``.

        Without ``floor`` the newest of this workload is used; at level 0.99 it is always measured anew.
        """
        floor = floor or self._floor_for_comparing(a, workload, level)
        record = self._open("compare", a, b, workload, floor.delta, noisy=floor.noisy, level=level)
        attempt = Attempt(self._desk, a, b, workload, float("inf"), None)
        return self._close(attempt.compare(record, pairs))

    def _floor_for_comparing(self, a: Arm, workload: Workload, level: float) -> Floor:
        newest = self._floors.get(key_of(workload))
        stale = newest is None or level >= ANEW_LEVEL or self.moved(newest)
        return self.floor(a, workload) if newest is None or stale else newest

    # ---- what the doors share

    def _one_floor(self, arm: Arm, workload: Workload) -> Floor:
        processes, seconds = self._alone(arm, workload, gate.FLOOR_PROCESSES)
        return _floor_of(processes, workload, seconds)

    def _alone(self, arm: Arm, workload: Workload, count: int) -> tuple[list[Process], float]:
        """``count`` processes of one version, two to a draw as in a pair, and the seconds one takes."""
        with self._desk.exclusive():
            tuning = self._desk.ready(arm, workload)
            source, started = self._desk.coins(workload.id, "floor"), time.monotonic()
            processes: list[Process] = []
            for _ in range(count // 2):
                coins = draw(source)
                processes += [self._desk.runner.process(arm, "A", workload, tuning, coins) for _ in range(2)]
                self._desk.check_budget(workload, (time.monotonic() - started) / len(processes))
            seconds = (time.monotonic() - started) / len(processes)
        self._desk.timed(workload, tuning, seconds)
        return processes, seconds

    def _current(self, a: Arm, workload: Workload, floor: Floor) -> Floor:
        """The newest floor there is; measured anew when the machine has changed since."""
        newest = self._floors.get(key_of(workload), floor)
        return self.floor(a, workload) if not newest.failure and self.moved(newest) else newest

    def _wait_for_quiet(self) -> None:
        """Up to two minutes, the lock let go, until the load has fallen by a third."""
        start, deadline = load_now(), time.monotonic() + self._patience
        while time.monotonic() < deadline:
            if self._desk.cancelled():
                raise Cancelled("cancelled while waiting for a quieter machine")
            now = load_now()
            if start is None or now is None or now < max(LEAST_LOAD, start / MOVED):
                return
            time.sleep(min(1.0, self._patience))

    def _open(
        self,
        purpose: str,
        a: Arm,
        b: Arm,
        workload: Workload,
        delta: float,
        *,
        noisy: bool,
        level: float = 0.95,
    ) -> Record:
        return Record(
            purpose=purpose,
            metric=workload.metric,
            kind=workload.kind,
            workload=workload.id,
            label=workload.label,
            delta=delta,
            level=level,
            noisy=noisy,
            seed=self._seed,
            commits=(a.commit, b.commit),
            fingerprint=self._fingerprint(),
        )

    def _fingerprint(self) -> dict[str, str]:
        return {
            **fingerprint(),
            "python": self._environment.python_version,
            "lock": self._environment.lock_digest,
            "isolation": self._sandbox.isolation.level,
        }

    def _close(self, record: Record) -> Measurement:
        name = raw.write(record, self._raw_dir)
        return replace(judge.judge(record), raw=name)


def _floor_of(processes: list[Process], workload: Workload, seconds: float) -> Floor:
    clock = _clock_of(workload)
    medians = [p.per_unit(clock) for p in processes]
    loads = [p.load for p in processes if p.load is not None]
    return Floor(
        delta=round(gate.floor_of([p.score(clock) for p in processes], by_least=clock == "cpu"), 6),
        processes=tuple(float(f"{m:.6g}") for m in medians),
        load=round(median(loads), 2) if loads else None,
        value=_value_of(processes, workload),
        seconds=seconds,
        loop=fixed_loop(),
    )


def _clock_of(workload: Workload) -> str:
    return "wall" if workload.metric == "wall" else "cpu"


def _value_of(processes: list[Process], workload: Workload) -> float | None:
    """ns per unit, or bytes at the highest for the peak metric."""
    if workload.metric == "peak":
        peaks = [p.peak for p in processes if p.peak is not None]
        return median(peaks) if peaks else None
    return median([p.per_unit(_clock_of(workload)) for p in processes])


def fixed_loop() -> int:
    """CPU ns of a fixed loop, least of three: how fast this machine is just now."""
    best = 0
    for _ in range(3):
        start, total = time.thread_time_ns(), 0
        for number in range(LOOP_COUNT):
            total += number
        spent = max(1, time.thread_time_ns() - start)
        best = min(best, spent) if best else spent
    return best

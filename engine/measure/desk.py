"""What every measurement of one session shares: the runner, the lock, the coins and the calibrations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from engine.environment import Environment
from engine.measure import gate
from engine.measure.jobs import Tuning
from engine.measure.lock import OnWait, measuring
from engine.measure.model import Arm, TooLong, Workload
from engine.measure.runner import Runner, coin
from engine.sandbox import Sandbox

OVERRUN = 1.5
START_SECONDS = {"calls": 0.15, "tests": 0.5, "import": 0.15, "command": 0.1}


class Desk:
    """``exclusive()`` is the host's measuring lock; ``ready()`` is only called by whoever holds it."""

    def __init__(
        self,
        *,
        sandbox: Sandbox,
        environment: Environment,
        lock: Path,
        seed: int,
        root: Path,
        holder: str,
        on_wait: OnWait | None,
        budget: float,
        cancelled: Callable[[], bool],
    ) -> None:
        self._lock, self._seed, self._holder, self._budget = lock, seed, holder, budget
        self.on_wait, self.cancelled = on_wait, cancelled
        self.runner = Runner(sandbox=sandbox, environment=environment, root=root, order=self._order)
        self._tunings: dict[tuple[object, ...], Tuning] = {}
        self._turns = 0

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        with measuring(self._lock, holder=self._holder, on_wait=self.on_wait, cancelled=self.cancelled):
            yield

    def coins(self, *words: object) -> random.Random:
        """A fresh source for one stage; the same sequence of measurements gets the same coins."""
        self._turns += 1
        return coin(self._seed, self._turns, *words)

    def _order(self, workload: Workload) -> int:
        return coin(self._seed, "order", workload.id).randrange(1 << 32)

    def ready(self, a: Arm, workload: Workload) -> Tuning:
        """Bytecode in place and the workload calibrated on A, once for the same inputs."""
        self.runner.kit.prepare()
        self.runner.kit.warm(a.tree)
        key = key_of(workload)
        if key not in self._tunings:
            processes = 2 * least_pairs(workload)
            most = max(1e6, (self._budget / processes - START_SECONDS[workload.kind]) / 3 * 1e9)
            tuning = self.runner.calibrate(a, workload, most_ns=most, processes=processes)
            self.timed(workload, tuning, _estimate(tuning, workload))
        return self._tunings[key]

    def check_budget(self, workload: Workload, seconds: float) -> None:
        """TooLong when processes of ``seconds`` each are far from fitting: it would be known only at the end."""
        needs = 2 * least_pairs(workload) * seconds
        if needs > OVERRUN * self._budget:
            raise TooLong(needs)

    def timed(self, workload: Workload, tuning: Tuning, seconds: float) -> None:
        """Remember what one process really takes."""
        self._tunings[key_of(workload)] = replace(tuning, seconds=seconds)


def key_of(workload: Workload) -> tuple[object, ...]:
    """What a calibration holds for: the same inputs on the same metric. A new recording is a new input."""
    mark: object = None
    if workload.recordings is not None:
        try:
            facts = (workload.recordings / "index.json").stat()
            mark = (str(workload.recordings), facts.st_mtime_ns, facts.st_size)
        except OSError:
            mark = str(workload.recordings)
    return (
        workload.kind,
        workload.id,
        workload.target,
        workload.metric,
        workload.module,
        workload.args,
        mark,
    )


def least_pairs(workload: Workload) -> int:
    """The pairs a keep costs at least, which must fit the budget."""
    if workload.metric == "peak":
        return gate.STAGE
    return 2 * gate.STAGE if gate.PLANS[workload.metric].staged else 4 * gate.STAGE


def _estimate(tuning: Tuning, workload: Workload) -> float:
    """Seconds a process will take, before any has run: its start, and the values with a first and a last pass."""
    if tuning.process_ns:
        return START_SECONDS[workload.kind] + tuning.process_ns / 1e9
    return START_SECONDS[workload.kind] + (tuning.loops * tuning.values + 2) * tuning.pass_ns / 1e9

"""Runs measuring processes: always fresh ones, always through the sandbox, one at a time."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.environment import Environment
from engine.measure.jobs import IMPORT_TUNING, Tuning, answer_of, job_of, process_of, tuning_of
from engine.measure.kit import Kit
from engine.measure.model import Arm, Cancelled, Process, ProcessFailed, TooLong, Workload
from engine.sandbox import Completed, Limits, Sandbox

MOST_PADDING = 4096
MOST_SEED = 4294967295
PEAK_RUNS = 3
GIVE_UP_FACTOR, GIVE_UP_SECONDS = 20.0, 20.0
CALIBRATION_SECONDS = 300.0


@dataclass(frozen=True)
class Draw:
    """The coins of one pair, shared by its two processes."""

    hash_seed: int
    padding: int

    def env(self) -> dict[str, str]:
        return {"PYTHONHASHSEED": str(self.hash_seed), "X": "x" * self.padding}


def coin(seed: int, *words: object) -> random.Random:
    """A random source that depends on the seed and the words alone."""
    text = "\0".join(map(str, (seed, *words)))
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))  # noqa: S311


def draw(source: random.Random) -> Draw:
    return Draw(source.randint(0, MOST_SEED), source.randint(0, MOST_PADDING))


def quads(source: random.Random, pairs: int) -> list[tuple[str, str]]:
    """Run order of ``pairs`` pairs: quads of ABBA or BAAB by coin, a pair being two neighbours."""
    order: list[tuple[str, str]] = []
    while len(order) < pairs:
        first: tuple[str, str] = ("A", "B") if source.random() < 0.5 else ("B", "A")
        order += [first, (first[1], first[0])]
    return order[:pairs]


class Runner:
    """Everything between a workload and its processes. ``order`` is the seed of the calls' order."""

    def __init__(
        self,
        *,
        sandbox: Sandbox,
        environment: Environment,
        root: Path,
        order: Callable[[Workload], int],
    ) -> None:
        self._sandbox, self._environment, self._order = sandbox, environment, order
        self.kit = Kit(sandbox=sandbox, environment=environment, root=root)
        self._started = time.monotonic()
        self._turn = 0

    def calibrate(self, arm: Arm, workload: Workload, *, most_ns: float, processes: int) -> Tuning:
        """Choose loops, values and inputs on A; TooLong when not even the smallest input fits ``most_ns`` a pass."""
        if workload.kind == "import":
            return IMPORT_TUNING
        found = self._ask(
            arm, "A", workload, {"mode": "calibrate", "most_ns": int(most_ns)}, CALIBRATION_SECONDS
        )
        if "needs" in found:
            raise TooLong(max(1.0, float(found["needs"])) * 2e-9 * processes)
        return tuning_of(found, "A")

    def survey(self, arm: Arm, workload: Workload, tuning: Tuning) -> Tuning:
        """What B adds to the plan: arguments it changes, state it keeps. ProcessFailed when its inputs differ."""
        if workload.kind == "import":
            return tuning
        found = self._ask(arm, "B", workload, {**tuning.told(), "mode": "survey"}, CALIBRATION_SECONDS)
        if str(found.get("inputs", "")) != tuning.inputs:
            raise ProcessFailed("B", "the recorded calls cannot be replayed on the changed code")
        more = dict(tuning.more)
        more["fresh"] = sorted({*_ints(more.get("fresh")), *_ints(found.get("fresh"))})
        more["lazy"] = bool(more.get("lazy")) or bool(found.get("lazy"))
        return replace(tuning, more=more, stateful=tuning.stateful or bool(found.get("stateful")))

    def process(self, arm: Arm, name: str, workload: Workload, tuning: Tuning, coins: Draw) -> Process:
        """One fresh process of one version; ProcessFailed, or Cancelled."""
        if workload.kind == "import":
            done, found = self._import(arm, name, workload, coins)
        else:
            seconds = GIVE_UP_SECONDS + GIVE_UP_FACTOR * tuning.seconds
            done, found = self._run(
                arm, name, workload, {**tuning.told(), "mode": "measure"}, seconds, coins.env()
            )
        made = process_of(found, done, arm=name, values=tuning.values, scale=tuning.scale)
        return replace(
            made,
            at=round(time.monotonic() - self._started - done.wall_seconds, 3),
            load=load_now(),
            hash_seed=coins.hash_seed,
            padding=coins.padding,
        )

    def peak(
        self, arm: Arm, name: str, workload: Workload, tuning: Tuning, *, traced: bool, coins: Draw
    ) -> int | None:
        """Bytes at the highest, really (RSS) or as traced; None where it cannot be read (a command's trace)."""
        if workload.kind == "import" or (workload.kind == "command" and traced):
            return None
        told = {**tuning.told(), "mode": "peak", "traced": traced}
        seconds = 4 * GIVE_UP_SECONDS + GIVE_UP_FACTOR * tuning.seconds
        _, found = self._run(arm, name, workload, told, seconds, coins.env())
        value = found.get("traced" if traced else "peak")
        if not isinstance(value, int) or value <= 0:
            raise ProcessFailed(name, "the process reported no peak memory")
        return value

    def prescreen(
        self, a: Arm, b: Arm, workload: Workload, tuning: Tuning, rounds: int, coins: Draw
    ) -> list[float]:
        """Ratios of interleaved values of two long-lived processes, A over B."""
        jobs = [self._told(arm, workload, {**tuning.told(), "mode": "serve"}) for arm in (a, b)]
        nonce = jobs[0]["nonce"]
        arms = [
            {"env": self._environment.python_env(arm.tree), "job": job}
            for arm, job in zip((a, b), jobs, strict=True)
        ]
        done = self._start(
            "pair", [a, b], workload, {"nonce": nonce, "arms": arms, "rounds": rounds}, 120, coins.env()
        )
        pairs = answer_of(done, "B", nonce).get("pairs")
        if not isinstance(pairs, list) or not all(_good_pair(pair) for pair in pairs) or not pairs:
            raise ProcessFailed("B", "the pre-screen gave no numbers")
        return [pair[0] / pair[1] for pair in pairs]

    def _ask(
        self, arm: Arm, name: str, workload: Workload, told: Mapping[str, Any], seconds: float
    ) -> dict[str, Any]:
        return self._run(arm, name, workload, told, seconds, {"PYTHONHASHSEED": "0"})[1]

    def _run(
        self,
        arm: Arm,
        name: str,
        workload: Workload,
        told: Mapping[str, Any],
        seconds: float,
        env: Mapping[str, str],
    ) -> tuple[Completed, dict[str, Any]]:
        job = self._told(arm, workload, told)
        done = self._start(
            "main", [arm], workload, job, seconds, {**self._environment.python_env(arm.tree), **env}
        )
        return done, answer_of(done, name, job["nonce"])

    def _told(self, arm: Arm, workload: Workload, told: Mapping[str, Any]) -> dict[str, Any]:
        job = job_of(workload, arm, self._environment, self._order(workload))
        return {**job, **told, "nonce": os.urandom(12).hex()}

    def _start(
        self,
        script: str,
        arms: Sequence[Arm],
        workload: Workload,
        job: Mapping[str, Any],
        seconds: float,
        env: Mapping[str, str],
    ) -> Completed:
        import json

        return self._spawn(script, arms, workload, (json.dumps(job) + "\n").encode(), seconds, env)

    def _import(
        self, arm: Arm, name: str, workload: Workload, coins: Draw
    ) -> tuple[Completed, dict[str, Any]]:
        nonce = os.urandom(12).hex()
        line = f"{nonce} {workload.module} - -\n".encode()
        env = {**self._environment.python_env(arm.tree), **coins.env()}
        done = self._spawn("import", [arm], workload, line, 120, env)
        return done, answer_of(done, name, nonce)

    def _spawn(
        self,
        script: str,
        arms: Sequence[Arm],
        workload: Workload,
        stdin: bytes,
        seconds: float,
        env: Mapping[str, str],
    ) -> Completed:
        kit = self.kit.prepare()
        recordings = [workload.recordings] if workload.recordings is not None else []
        done = self._sandbox.run(
            [str(self._environment.python), str(kit / f"{script}.pyc")],
            cwd=arms[0].tree,
            readable=[*self._environment.readable, kit, *(arm.tree for arm in arms), *recordings],
            env=dict(env),
            limits=Limits(wall_seconds=seconds, output_bytes=1 << 20),
            stdin=stdin,
        )
        if done.cancelled:
            raise Cancelled("cancelled while measuring")
        return done


def load_now() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _good_pair(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(v, int) and v > 0 for v in pair)


def _ints(values: object) -> list[int]:
    return [v for v in values if isinstance(v, int)] if isinstance(values, list) else []

"""A machine without a clock: processes whose level drifts, values that are delayed, and the gate run on them.

A level is exp of the absolute value of a first-order autoregression with lag-1 correlation 0.7: a machine is slowed
down, never sped up. Every value takes an exponential delay of 4%
on average, and one in ten another 50%.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from engine.measure import gate
from engine.measure.gate import Pair, Plan, Score
from engine.measure.runner import quads

LAG = 0.7
DELAY, SPIKE, SPIKE_SHARE = 0.04, 0.5, 0.1
VALUES = 15


@dataclass
class Machine:
    """``spread`` is the standard deviation of the autoregression."""

    coin: random.Random
    spread: float
    level: float = 0.0

    def score(self, cost: float) -> Score:
        """One process: the level moves on, then its values are taken."""
        self.level = LAG * self.level + math.sqrt(1 - LAG * LAG) * self.coin.gauss(0, self.spread)
        base, draw = cost * math.exp(abs(self.level)), self.coin.random
        values = sorted(
            base * (1 - DELAY * math.log(1 - draw()) + (SPIKE if draw() < SPIKE_SHARE else 0.0))
            for _ in range(VALUES)
        )
        return Score(values[0], values[VALUES // 2])

    def pair(self, order: tuple[str, str], gain: float) -> Pair:
        ran = {name: self.score(gain if name == "A" else 1.0) for name in order}
        return ran["A"], ran["B"]


def experiment(seed: int, *, spread: float, gain: float, plan: Plan = gate.PLANS["cpu"]) -> str:
    """Floor, then the stages: the verdict of one simulated experiment whose B is ``gain`` times faster."""
    coin = random.Random(seed)
    machine = Machine(coin, spread, coin.gauss(0, spread))
    delta = gate.floor_of(
        [machine.score(gain) for _ in range(gate.FLOOR_PROCESSES)], by_least=plan.floor_by_least
    )
    pairs: list[Pair] = []
    for size in plan.sizes:
        pairs += [machine.pair(order, gain) for order in quads(coin, size - len(pairs))]
        verdict = gate.decide(pairs, plan=plan, delta=delta).verdict
        if verdict != "more":
            break
    return verdict


def keeps(count: int, *, spread: float, gain: float, first: int = 0) -> int:
    return sum(experiment(first + seed, spread=spread, gain=gain) == "keep" for seed in range(count))

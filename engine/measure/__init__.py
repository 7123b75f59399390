"""Honest A/B measurement: is B faster than A, by how much, and how sure is that?

    gauge = Gauge(sandbox=..., environment=..., lock=Path(...), seed=1, raw_dir=Path(...), holder="#41")
    floor = gauge.floor(a, workload)
    measured = gauge.gate(a, b, workload, floor, budget_seconds=180)

``decide`` is the pure keep rule; ``replay`` decides again from a raw file; ``measuring`` and ``working`` are the
host's lock.
"""

from __future__ import annotations

from engine.measure.gate import PLANS, Outcome, decide
from engine.measure.gauge import Gauge
from engine.measure.judge import replay
from engine.measure.lock import holder_of, measuring, working
from engine.measure.model import Arm, Cancelled, Floor, MeasureError, Reading, Workload
from engine.measure.stats import benjamini_hochberg, combined

__all__ = [
    "PLANS",
    "Arm",
    "Cancelled",
    "Floor",
    "Gauge",
    "MeasureError",
    "Outcome",
    "Reading",
    "Workload",
    "benjamini_hochberg",
    "combined",
    "decide",
    "holder_of",
    "measuring",
    "replay",
    "working",
]

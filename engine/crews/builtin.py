"""The builtin crew: our own agents, offline, without a key."""

from __future__ import annotations

from collections.abc import Iterator

from engine import events as e
from engine.agents import deep, review, router, scan, setup
from engine.run import Run


class Builtin:
    name = "builtin"

    def route(self, run: Run) -> Iterator[e.Event]:
        return router.route(run)

    def prepare(self, run: Run) -> Iterator[e.Event]:
        return setup.prepare(run)

    def validate(self, run: Run) -> Iterator[e.Event]:
        return setup.validate(run)

    def baseline(self, run: Run) -> Iterator[e.Event]:
        return scan.baseline(run)

    def scan(self, run: Run) -> Iterator[e.Event]:
        return scan.report(run)

    def optimize(self, run: Run) -> Iterator[e.Event]:
        return deep.optimize(run)

    def review(self, run: Run) -> Iterator[e.Event]:
        return review.review(run)

"""Plays all scenarios of one mechanism under the user who starts it; prints JSON: name -> failure or empty."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

from engine.sandbox import probe

from . import scenarios


def main(mechanism: str, folder: str) -> None:
    held, checks = probe.try_mechanism(mechanism)
    needed = bool(probe.NEEDED.get(mechanism))
    results = {"probe": "" if held or not needed else "; ".join(checks)}
    for scenario in scenarios.OF[mechanism]:
        try:
            scenarios.play(mechanism, scenario, Path(folder))
            results[scenario.__name__] = ""
        except Exception:
            results[scenario.__name__] = traceback.format_exc()
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])

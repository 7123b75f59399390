"""``python -m engine.measure.replay FILE``: decide again from a raw file and print the decision as one JSON object."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from engine.measure.judge import replay

LEFT_OUT = ("samples_before", "samples_after")


def main(argv: list[str]) -> int:
    if len(argv) != 1:
        print("usage: python -m engine.measure.replay RAW.json.gz", file=sys.stderr)
        return 2
    try:
        found = asdict(replay(Path(argv[0])))
    except ValueError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    print(json.dumps({name: value for name, value in found.items() if name not in LEFT_OUT}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

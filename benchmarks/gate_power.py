"""How often does the gate find a gain that is really there? A does 5, 10 or 20% more of the same work than B.

    python -m benchmarks.gate_power --gates 300 --out power.jsonl

Goal where the noise floor is at most 3%: at least 89% found at 10%, at least 99% at 20%. The async kind waits instead
of working, so its extra share is waiting time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from benchmarks.gate_aa import UNITS, arguments, busy, laboratory, store, stored

SHARES = (0.05, 0.10, 0.20)
GOALS = {0.10: 0.89, 0.20: 0.99}
QUIET_FLOOR = 0.03


def summary(rows: Sequence[dict[str, object]]) -> str:
    lines = [f"{'share':>6} {'floor':<7} {'gates':>6} {'found':>6} {'rate':>7}  goal"]
    for share in SHARES:
        for quiet in (True, False):
            chosen = [
                r for r in rows if r["share"] == share and (float(str(r["floor"])) <= QUIET_FLOOR) is quiet
            ]
            if chosen:
                lines.append(_line(share, quiet, chosen))
    return "\n".join(lines)


def _line(share: float, quiet: bool, rows: Sequence[dict[str, object]]) -> str:
    found = sum(row["outcome"] == "keep" for row in rows)
    rate, goal = found / len(rows), GOALS.get(share) if quiet else None
    verdict = "" if goal is None else f"{goal:.0%} {'reached' if rate >= goal else 'missed'}"
    floor = "<= 3%" if quiet else "> 3%"
    return f"{share:>6.0%} {floor:<7} {len(rows):>6} {found:>6} {rate:>7.1%}  {verdict}"


def main() -> int:
    told = arguments(__doc__ or "", 300)
    rows = stored(told.out)
    with laboratory() as lab, busy(told.load):
        while len(rows) < told.gates:
            turn, kind = divmod(len(rows), len(told.kinds))
            share, name = SHARES[turn % len(SHARES)], told.kinds[kind]
            before = round(UNITS * (1 + share))
            row = lab.gate(name, before=before, after=UNITS, seed=told.seed * 1_000_000 + len(rows))
            row |= {"share": share, "busy": told.load, "cores": os.cpu_count()}
            store(told.out, row)
            rows.append(row)
            print(
                f"{len(rows):>5} {name:<8} {share:>4.0%} {row['outcome']:<8} {row['ratio']} {row['reason']}",
                flush=True,
            )
    print(summary(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The price list and the delivery zones."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Sequence


def price_list(rows: List[Sequence[object]]) -> str:
    """The rows as text for the print shop: cells joined by semicolons, one row a line."""
    lines = []
    for row in rows:
        lines.append(";".join(str(cell) for cell in row))
    return "\n".join(lines)


def zone_surcharges(name: str) -> Dict[str, int]:
    """Highest surcharge in cents of each delivery zone, from the table ``name`` of the carrier."""
    highest: Dict[str, int] = {}
    with open(Path(__file__).with_name("data") / (name + ".csv"), encoding="utf-8") as table:
        for line in table.readlines():
            _, zone, cents = line.rstrip("\n").rsplit(";", 2)
            if int(cents) > highest.get(zone, -1):
                highest[zone] = int(cents)
    return highest


def has_negative(cells: List[str]) -> bool:
    """Whether a column of numbers has a negative one. Every cell is read, so a broken one is always reported."""
    return any([int(cell) < 0 for cell in cells])

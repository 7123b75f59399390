"""Last year's orders go into one SQLite file a month."""

from __future__ import annotations

import sqlite3
import zlib
from multiprocessing.pool import ThreadPool
from typing import List, Tuple


def save_archive(path: str, orders: List[Tuple[str, int]]) -> int:
    """Write ``(order, cents)`` rows; gives how many the file holds now."""
    base = sqlite3.connect(path)
    try:
        base.execute("CREATE TABLE IF NOT EXISTS orders (name TEXT PRIMARY KEY, cents INTEGER)")
        base.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?)", orders)
        base.commit()
        return int(base.execute("SELECT count(*) FROM orders").fetchone()[0])
    finally:
        base.close()


def load_archive(lines: List[str]) -> List[Tuple[str, int]]:
    """Rows of the text form ``order;cents`` that came before the SQLite files."""
    rows = []
    for line in lines:
        name, _, cents = line.partition(";")
        rows.append((name, int(cents)))
    return rows


def pack_months(months: List[bytes]) -> List[bytes]:
    """Compress the exports of several months, two at a time; done once a year."""
    with ThreadPool(2) as pool:
        return pool.map(zlib.compress, months)

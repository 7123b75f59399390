"""Scales, label printers and loading bays. The drivers are old and block."""

from __future__ import annotations

import asyncio
import time
from threading import Lock
from typing import Dict, List


def print_label(order: str) -> str:
    """Send one label to the printer and wait for its answer. Stands for the vendor's driver."""
    time.sleep(0.003)
    return "label " + order


async def dispatch(order: str) -> str:
    """Label one parcel and hand it to the carrier."""
    label = print_label(order)
    await asyncio.sleep(0.001)
    return label + " handed over"


async def wait_for_scale(grams: List[int], tolerance: int) -> int:
    """The weight of a parcel, once two readings in a row agree within ``tolerance``."""
    last = grams[0]
    for reading in grams[1:]:
        if abs(reading - last) <= tolerance:
            return reading
        last = reading
        time.sleep(0.002)
    return last


async def take_bay(bays: Dict[str, int], truck: str, lock: Lock) -> int:
    """The next free bay for a truck. The gate needs a moment, and nobody may move meanwhile."""
    with lock:
        number = bays.get("next", 1)
        time.sleep(0.002)
        bays["next"] = number + 1
        bays[truck] = number
    return number


def checksum(data: bytes) -> int:
    """The carrier's check digit sum."""
    total = 0
    for position, value in enumerate(data):
        total = (total + value * (position % 7 + 1)) % 9973
    return total


async def stamp(data: bytes) -> str:
    """Label data with its checksum behind it."""
    return data.decode("ascii") + "/" + str(checksum(data))

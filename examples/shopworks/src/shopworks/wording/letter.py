"""The letter in the parcel."""

from __future__ import annotations


def greeting(name: str, formal: bool = True) -> str:
    """The first line."""
    cleaned = " ".join(name.split())
    return ("Dear " if formal else "Hello ") + (cleaned or "customer") + ","

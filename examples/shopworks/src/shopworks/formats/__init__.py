"""Formats that order lists can be written in. A format adds itself when its module is imported."""

from __future__ import annotations

from typing import Callable, Dict, List

WRITERS: Dict[str, Callable[[List[str]], str]] = {}

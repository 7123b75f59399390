"""Order lists for other people."""

from __future__ import annotations

from typing import List

from shopworks import formats
from shopworks.formats import page


def choices() -> List[str]:
    """The formats a user can choose from."""
    return formats.available()


def preview(orders: List[str]) -> str:
    """The first ten orders as a page."""
    return page.as_page(orders[:10])

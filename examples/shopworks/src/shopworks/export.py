"""Order lists for other people."""

from __future__ import annotations

from typing import List

from shopworks.formats import page


def preview(orders: List[str]) -> str:
    """The first ten orders as a page."""
    return page.as_page(orders[:10])

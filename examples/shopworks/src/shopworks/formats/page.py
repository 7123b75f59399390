"""Order lists as a web page."""

from __future__ import annotations

from html import escape
from typing import List

from shopworks.formats import WRITERS


def as_page(orders: List[str]) -> str:
    """A bare HTML list."""
    return "<ul>" + "".join(["<li>" + escape(order) + "</li>" for order in orders]) + "</ul>"


WRITERS["page"] = as_page

"""Product feeds of other shops. The callers own the connections; here the answers are read."""

from __future__ import annotations

from http.client import HTTPResponse
from typing import List, Optional


def content_length(response: HTTPResponse) -> Optional[int]:
    """The size that the other side has announced, if it has."""
    announced = response.getheader("Content-Length")
    return int(announced) if announced and announced.isdigit() else None


def body_lines(response: HTTPResponse) -> List[str]:
    """The lines of a feed, without the empty ones."""
    text = response.read().decode("utf-8")
    return [line for line in text.splitlines() if line]

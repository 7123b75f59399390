"""Product feeds of other shops. The callers own the connections; here the answers are read."""

from __future__ import annotations

from http.client import HTTPResponse
from typing import Optional


def content_length(response: HTTPResponse) -> Optional[int]:
    """The size that the other side has announced, if it has."""
    announced = response.getheader("Content-Length")
    return int(announced) if announced and announced.isdigit() else None

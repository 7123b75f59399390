"""Make text fit to be stored: bounded, without control characters, with one kind of line end.

Every function here is idempotent (cleaning clean text changes nothing), linear in its input, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LINE_LIMIT = 1_000
PROSE_LIMIT = 16_000
EMPTY = "None."
"""What an empty section says, so that a reader sees that nothing was forgotten."""

_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_UNFIT = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f\ud800-\udfff]")
_FENCE = re.compile(r"^ {0,3}(`{3,12}|~{3,12})(?![`~])(.*)$")


def printable(text: str) -> str:
    """Line ends become ``\\n``; byte order marks go; control characters and lone surrogates become U+FFFD."""
    return _UNFIT.sub("\ufffd", _BREAKS.sub("\n", text.replace("\ufeff", "")))


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters; what is left out is counted at the end."""
    if len(text) <= limit:
        return text
    mark = f" [cut {len(text) - limit + 40} characters]"
    return text[: limit - 40].rstrip() + mark


def one_line(text: str, limit: int = LINE_LIMIT) -> str:
    """A value that fits one line: runs of white space become one space; dashes alone mean empty."""
    joined = cut(" ".join(printable(text).split()), limit)
    return "" if joined == EMPTY or not joined.strip("-") else joined


def prose(text: str, limit: int = PROSE_LIMIT) -> str:
    """Several lines: no trailing blanks, no blank lines at the ends, every code fence closed."""
    joined = _tidy(printable(text))
    if len(joined) > limit:
        joined = _tidy(cut(joined, limit - 40))
    return "" if joined == EMPTY else joined


def _tidy(text: str) -> str:
    return "\n".join(close_fence(trim(line.rstrip() for line in text.split("\n"))))


def trim(lines: Iterable[str]) -> list[str]:
    """The lines without blank ones at either end."""
    kept = list(lines)
    start, stop = 0, len(kept)
    while start < stop and not kept[start].strip():
        start += 1
    while stop > start and not kept[stop - 1].strip():
        stop -= 1
    return kept[start:stop]


def fenced(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Each line with True when it belongs to a code block, the fences themselves included."""
    open_with = ""
    for line in lines:
        inside = bool(open_with)
        open_with = next_fence(open_with, line)
        yield line, inside or bool(open_with)


def next_fence(open_with: str, line: str) -> str:
    """The fence that is open after ``line`` ("" for none), given the one open before it."""
    found = _FENCE.match(line)
    if found is None:
        return open_with
    mark, rest = found.group(1), found.group(2)
    if not open_with:
        return "" if mark[0] == "`" and "`" in rest else mark
    closes = mark[0] == open_with[0] and len(mark) >= len(open_with) and not rest.strip()
    return "" if closes else open_with


def close_fence(lines: list[str]) -> list[str]:
    """The lines, with a closing fence added when the last code block was left open."""
    open_with = ""
    for line in lines:
        open_with = next_fence(open_with, line)
    return [*lines, open_with] if open_with else lines

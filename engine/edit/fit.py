"""Lines that an edit made too long are broken at brackets, as their file does it."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Sequence

from engine.edit.change import Edit
from engine.site.source import Source

_OPEN, _CLOSE = "([{", ")]}"


def fit(source: Source, data: bytes, edits: Sequence[Edit], limit: int) -> bytes:
    """``data`` with each edited line longer than ``limit`` broken once at its widest bracket, where it has one."""
    newline = source.newline
    lines = data.decode("utf-8").split(newline)
    touched = _touched(source.data, data, edits, newline)
    for number in sorted(touched, reverse=True):
        if number < len(lines) and len(lines[number]) > limit:
            lines[number : number + 1] = broken(lines[number], limit)
    return newline.join(lines).encode("utf-8")


def _touched(old: bytes, new: bytes, edits: Sequence[Edit], newline: str) -> set[int]:
    """Numbers, from 0, of the lines of ``new`` that hold a changed byte."""
    found: set[int] = set()
    shift = 0
    for edit in edits:
        text = edit.text.encode("utf-8")
        start = edit.start + shift
        first = new[:start].count(newline.encode())
        found.update(range(first, first + text.count(newline.encode()) + 1))
        shift += len(text) - (edit.end - edit.start)
    return found


def broken(line: str, limit: int) -> list[str]:
    """The line in three parts, the content of its widest bracket in the middle; the line itself if that is no help."""
    pair = _widest(line)
    if pair is None:
        return [line]
    start, end = pair
    indent = line[: len(line) - len(line.lstrip())]
    step = "\t" if "\t" in indent else "    "
    parts = [line[: start + 1], f"{indent}{step}{line[start + 1 : end].strip()}", f"{indent}{line[end:]}"]
    return parts if max(len(part) for part in parts) <= limit else [line]


def _widest(line: str) -> tuple[int, int] | None:
    """The outermost bracket pair with the most between; None when the line cannot be read on its own."""
    opened: list[int] = []
    pairs: list[tuple[int, int]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            if token.type == tokenize.COMMENT:
                return None
            if token.type == tokenize.OP and token.string in _OPEN:
                opened.append(token.start[1])
            elif token.type == tokenize.OP and token.string in _CLOSE and opened:
                first = opened.pop()
                if not opened:
                    pairs.append((first, token.start[1]))
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return None
    shift = len(line) - len(line.lstrip())
    wide = max(pairs, key=lambda pair: pair[1] - pair[0], default=None)
    return (wide[0] + shift, wide[1] + shift) if wide and wide[1] - wide[0] > 1 else None

"""One source file as bytes and positions: encoding, byte order mark, line starts, comments, spans of nodes.

``ast`` counts columns in UTF-8 bytes of the decoded text, so all offsets here are offsets into :attr:`Source.data`,
the text as UTF-8 without a byte order mark. Line endings are kept as they are.
"""

from __future__ import annotations

import ast
import codecs
import io
import re
import tokenize
from dataclasses import dataclass, field
from functools import cached_property

NEWLINE = re.compile(rb"\r\n|\r|\n")


class SiteError(ValueError):
    """A file or function that cannot be read as a site; the message says why."""


@dataclass(frozen=True)
class Source:
    """A decoded file. ``data`` is its text as UTF-8, ``starts`` the offset of each line in it."""

    text: str
    encoding: str
    bom: bool
    data: bytes = field(repr=False)
    starts: tuple[int, ...] = field(repr=False)

    def at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Start and end offset of a node that has a position."""
        start = self.at(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        end = self.at(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        return start, end

    def segment(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.data[start:end].decode("utf-8")

    def line_start(self, offset: int) -> int:
        """Start of the line that holds ``offset``."""
        low, high = 0, len(self.starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.starts[middle] <= offset else (low, middle)
        return self.starts[low]

    def line_end(self, offset: int) -> int:
        """Offset just after the newline of the line that holds ``offset``, or the end of the file."""
        found = NEWLINE.search(self.data, offset)
        return found.end() if found else len(self.data)

    @property
    def newline(self) -> str:
        found = NEWLINE.search(self.data)
        return found.group().decode() if found else "\n"

    @cached_property
    def comments(self) -> tuple[tuple[int, int], ...]:
        """Spans of the comments, in order."""
        plain = self.text.replace("\r\n", "\n").replace("\r", "\n")
        found = []
        try:
            for token in tokenize.generate_tokens(io.StringIO(plain).readline):
                if token.type == tokenize.COMMENT:
                    before = token.line[: token.start[1]].encode()
                    start = self.at(token.start[0], len(before))
                    found.append((start, start + len(token.string.encode())))
        except (tokenize.TokenError, SyntaxError, IndexError) as error:
            raise SiteError(f"its comments cannot be read: {error}") from error
        return tuple(found)

    def encode(self, data: bytes) -> bytes:
        """``data`` in the file's own encoding, with its mark; UnicodeEncodeError when it has no such letter."""
        if self.encoding == "utf-8":
            return (codecs.BOM_UTF8 if self.bom else b"") + data
        return data.decode("utf-8").encode(self.encoding)


def read_source(raw: bytes) -> Source:
    """Decode ``raw`` as Python would; raises SiteError when it cannot be."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except SyntaxError as error:
        raise SiteError(f"its encoding cannot be read: {error}") from error
    bom = encoding == "utf-8-sig"
    name = "utf-8" if bom else encoding
    try:
        text = (raw[3:] if bom else raw).decode(name)
        data = text.encode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError, LookupError) as error:
        raise SiteError(f"it is not text in {name}: {error}") from error
    if "\0" in text:
        raise SiteError("it holds a null byte")
    starts = (0, *(found.end() for found in NEWLINE.finditer(data)))
    return Source(text=text, encoding=name, bom=bom, data=data, starts=starts)


def parse(text: str, name: str = "<site>") -> ast.Module:
    """Parse decoded text; raises SiteError for what this interpreter cannot read."""
    try:
        return ast.parse(text, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SiteError(f"this Python cannot read it: {error}") from error

"""Unified diffs as rows a template can print: line numbers, sign, highlighted text and the changed part of a line.

The text is untrusted: highlighting escapes everything. Beyond the cap the rest is counted, not shown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from pygments.lexer import Lexer
from pygments.lexers import PythonLexer, TextLexer, get_lexer_for_filename
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound
from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

HIGHLIGHT_LINES = 5000
LINE_CHARS = 2000
LONG_ROWS = 400
_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Token.Keyword, "k"),
    (Token.Operator.Word, "ow"),
    (Token.Literal.String, "s"),
    (Token.Literal.Number, "m"),
    (Token.Name.Function, "nf"),
    (Token.Name.Class, "nc"),
    (Token.Name.Decorator, "nd"),
    (Token.Comment, "c"),
)


@dataclass
class Row:
    """One printed line. ``kind`` is add, del, same or hunk; numbers are None on the side that has no such line.

    ``notes`` are what a page wants printed under it, such as findings.
    """

    kind: str
    html: SafeString
    before: int | None = None
    after: int | None = None
    notes: list[Any] = field(default_factory=list)

    @property
    def sign(self) -> str:
        return {"add": "+", "del": "−"}.get(self.kind, "")


@dataclass
class File:
    """The change of one file; ``notes`` are what a page wants printed before its lines."""

    path: str
    added: int = 0
    removed: int = 0
    rows: list[Row] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Names this very change of this file: it is another one as soon as a line differs."""
        text = "\n".join([self.path, *(f"{row.sign}{row.html}" for row in self.rows)])
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]

    @property
    def is_long(self) -> bool:
        return len(self.rows) > LONG_ROWS


@dataclass
class Diff:
    """``plain`` holds the raw text when it is not a readable diff; ``hidden`` lines were beyond the cap."""

    files: list[File] = field(default_factory=list)
    hidden: int = 0
    plain: str = ""

    @property
    def added(self) -> int:
        return sum(f.added for f in self.files)

    @property
    def removed(self) -> int:
        return sum(f.removed for f in self.files)


def read(text: str, *, cap: int | None = None) -> Diff:
    """Parse and highlight a unified diff; what cannot be parsed comes back as plain text."""
    limit = settings.LIMITS.DIFF_LINES if cap is None else cap
    lines = text.splitlines(keepends=True)
    hidden = max(0, len(lines) - limit)
    if hidden:
        return Diff(plain=_cut_lines(lines[:limit]), hidden=hidden)
    try:
        patch = PatchSet.from_string(text)
    except (UnidiffParseError, ValueError, IndexError):
        return Diff(plain=_cut_lines(lines))
    if text.strip() and not patch:
        return Diff(plain=_cut_lines(lines))
    colour = len(lines) <= HIGHLIGHT_LINES
    return Diff(files=[_file(each, colour) for each in patch])


def _cut_lines(lines: Iterable[str]) -> str:
    return "\n".join(line.rstrip("\r\n")[:LINE_CHARS] for line in lines)


def _file(patched: object, colour: bool) -> File:
    found = File(str(patched.path), int(patched.added), int(patched.removed))  # type: ignore[attr-defined]
    lexer = _lexer(found.path) if colour else None
    for hunk in patched:  # type: ignore[attr-defined]
        where = f"@@ {hunk.section_header}" if hunk.section_header else f"@@ lines from {hunk.source_start}"
        found.rows.append(Row("hunk", SafeString(escape(where))))
        found.rows.extend(_hunk(list(hunk), lexer))
    return found


def _lexer(path: str) -> Lexer | None:
    if path.endswith((".py", ".pyi")):
        python: Lexer = PythonLexer(stripnl=False, ensurenl=False)
        return python
    try:
        lexer: Lexer = get_lexer_for_filename(PurePosixPath(path).name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
    return None if isinstance(lexer, TextLexer) else lexer


def _hunk(lines: list[object], lexer: Lexer | None) -> Iterator[Row]:
    marks = _word_marks(lines)
    for i, line in enumerate(lines):
        value = str(line.value).rstrip("\r\n")[:LINE_CHARS]  # type: ignore[attr-defined]
        kind = "add" if line.is_added else "del" if line.is_removed else "same"  # type: ignore[attr-defined]
        if str(line.line_type) == "\\":  # type: ignore[attr-defined]
            continue
        html = _paint(value, lexer, marks.get(i))
        yield Row(kind, html, line.source_line_no, line.target_line_no)  # type: ignore[attr-defined]


def _word_marks(lines: list[object]) -> dict[int, tuple[int, int]]:
    """The changed middle of paired lines: a run of removed lines followed by as many added ones."""
    kinds = "".join("+" if l.is_added else "-" if l.is_removed else " " for l in lines)  # type: ignore[attr-defined]  # noqa: E741
    found: dict[int, tuple[int, int]] = {}
    for match in re.finditer(r"(-+)(\++)", kinds):
        if len(match[1]) != len(match[2]):
            continue
        for offset in range(len(match[1])):
            old, new = match.start(1) + offset, match.start(2) + offset
            first, second = str(lines[old].value).rstrip("\n"), str(lines[new].value).rstrip("\n")  # type: ignore[attr-defined]
            span = _changed(first, second)
            if span is not None:
                found[old], found[new] = span
    return found


def _changed(first: str, second: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The differing middle of two similar lines, as (start, end) in each; None when they share too little."""
    if max(len(first), len(second)) > 400 or SequenceMatcher(None, first, second).quick_ratio() < 0.5:
        return None
    start = next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    end = 0
    while end < min(len(first), len(second)) - start and first[-1 - end] == second[-1 - end]:
        end += 1
    start, end = _whole_words(first, second, start, end)
    return (start, len(first) - end), (start, len(second) - end)


def _whole_words(first: str, second: str, start: int, end: int) -> tuple[int, int]:
    """The same middle, widened so that it cuts no word: ``sum(sold)`` and ``sold_total``, not their ends."""
    while (
        start and _in_word(first[start - 1]) and any(_in_word(s[start : start + 1]) for s in (first, second))
    ):
        start -= 1
    while end and _in_word(first[-end]) and any(_in_word(s[-end - 1 : -end]) for s in (first, second)):
        end -= 1
    return start, end


def _in_word(text: str) -> bool:
    return text.isalnum() or text == "_"


def _paint(value: str, lexer: Lexer | None, mark: tuple[int, int] | None) -> SafeString:
    tokens = _tokens(value, lexer)
    if mark is None or mark[0] >= mark[1]:
        return SafeString("".join(_span(text, css) for text, css in tokens))
    parts, at = [], 0
    for text, css in tokens:
        for piece, inside in _cut(text, at, mark):
            painted = _span(piece, css)
            parts.append(format_html("<mark>{}</mark>", painted) if inside else painted)
        at += len(text)
    return SafeString("".join(parts).replace("</mark><mark>", ""))


def _tokens(value: str, lexer: Lexer | None) -> Iterable[tuple[str, str]]:
    if lexer is None:
        return [(value, "")]
    return [(text, _css(kind)) for kind, text in lexer.get_tokens(value)]


def _cut(text: str, at: int, mark: tuple[int, int]) -> Iterator[tuple[str, bool]]:
    start, end = (min(max(edge - at, 0), len(text)) for edge in mark)
    for piece, inside in ((text[:start], False), (text[start:end], True), (text[end:], False)):
        if piece:
            yield piece, inside


def _css(kind: _TokenType) -> str:
    return next((css for parent, css in _CLASSES if kind[: len(parent)] == parent), "")


def _span(text: str, css: str) -> SafeString:
    return format_html('<span class="{}">{}</span>', css, text) if css else SafeString(escape(text))

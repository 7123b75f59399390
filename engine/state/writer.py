"""Write a record as Markdown, strictly: every section in its order, none left out, nothing able to pose as another.

A line of prose that would read as structure gets one backslash in front; the reader takes exactly one away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from engine.state.grammar import Document, Record, Slot, labels, slots, write_value
from engine.state.outline import heading
from engine.state.text import EMPTY, fenced

_FACT = re.compile(r"^(?:[-*+] +)?\*\*([^*]{1,80}?):?\*\*:? *(.*)$")
_PIPE = re.compile(r"\\*\|")
_EMPTY_CELL = "-"


def as_fact(line: str) -> tuple[str, str] | None:
    """Label and value when the line is ``- **Label:** value``, with or without the bullet."""
    found = _FACT.match(line)
    return (found.group(1).strip(), found.group(2).strip()) if found else None


def is_structure(line: str, known: frozenset[str]) -> bool:
    """Whether a line of prose would be read as a heading or as a fact labelled with one of ``known``."""
    found = as_fact(line)
    return heading(line) is not None or (found is not None and found[0].lower() in known)


def escape(text: str, known: frozenset[str]) -> list[str]:
    return [
        "\\" + line if not in_code and is_structure(line.lstrip("\\"), known) else line
        for line, in_code in fenced(text.split("\n"))
    ]


def unescape(lines: Iterable[str], known: frozenset[str]) -> list[str]:
    return [
        line[1:] if not in_code and line[:1] == "\\" and is_structure(line.lstrip("\\"), known) else line
        for line, in_code in fenced(lines)
    ]


def render(document: Document) -> str:
    """The file's whole text, one newline at its end."""
    return "\n".join(_record(document, level=1)).rstrip("\n") + "\n"


def _record(record: Record, *, level: int) -> Iterator[str]:
    declared = slots(type(record))
    own = [slot for slot in declared if slot.kind == "fact" and not slot.under]
    yield "#" * level + " " + next((str(getattr(record, s.name)) for s in declared if s.kind == "title"), "")
    yield from _block(_facts(record, own))
    text = next(str(getattr(record, slot.name)) for slot in declared if slot.kind == "lead")
    yield from _block(escape(text, labels(type(record))) if text else [])
    extra = {each.where: each.text for each in getattr(record, "extra", ())}
    for name, lines in _sections(record, level):
        yield from _section(name, lines, extra.get(name, ""), level + 1)
    for slot in declared:
        if slot.kind == "rest":
            yield from _entries(getattr(record, slot.name), level + 1)
    yield from _block(extra.get("#", "").split("\n") if "#" in extra else [])


def _block(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _section(name: str, lines: list[str], extra: str, level: int) -> Iterator[str]:
    yield from ("", "#" * level + " " + name)
    yield from _block(lines)
    yield from _block(extra.split("\n") if extra else [])
    if not lines and not extra:
        yield from ("", EMPTY)


def _sections(record: Record, level: int) -> Iterator[tuple[str, list[str]]]:
    """Each section once, in the order its first field was declared, with its lines."""
    under: dict[str, list[Slot]] = {}
    for slot in slots(type(record)):
        name = slot.under if slot.kind == "fact" else slot.label
        if name and (slot.kind != "fact" or slot.under):
            under.setdefault(name, []).append(slot)
    for name, group in under.items():
        facts = [slot for slot in group if slot.kind == "fact"]
        yield name, _facts(record, facts) if facts else _body(group[0], getattr(record, group[0].name), level)


def _facts(record: Record, group: Iterable[Slot]) -> list[str]:
    written = ((slot, write_value(slot, getattr(record, slot.name))) for slot in group)
    return [f"- **{slot.label}:** {value}" for slot, value in written if value]


def _body(slot: Slot, value: Any, level: int) -> list[str]:
    if slot.kind == "prose":
        return escape(value, frozenset()) if value else []
    if slot.kind == "items":
        return [f"- {item}" for item in value]
    if slot.kind == "code":
        return _code(value)
    if slot.kind == "table":
        return table(slot, value)
    if slot.kind == "record":
        return list(_record(value, level=level + 1))[2:]
    return _entries(value, level + 2)[1:]


def _entries(records: Iterable[Record], level: int) -> list[str]:
    return [line for record in records for line in ("", *_record(record, level=level))]


def _code(lines: tuple[str, ...]) -> list[str]:
    if not lines:
        return []
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, *lines, fence]


def table(slot: Slot, rows: Iterable[Record]) -> list[str]:
    """A pipe table; the columns are the facts of the slot's record."""
    assert slot.record is not None
    columns = [each for each in slots(slot.record) if each.kind == "fact"]
    written = [_cells(write_value(c, getattr(row, c.name)) for c in columns) for row in rows]
    head = [_cells(c.label for c in columns), "|" + " --- |" * len(columns)]
    return [*head, *written] if written else []


def _cells(values: Iterable[str]) -> str:
    return "|" + "".join(f" {_PIPE.sub(_escape_pipe, value) or _EMPTY_CELL} |" for value in values)


def _escape_pipe(found: re.Match[str]) -> str:
    return "\\" + found.group(0)

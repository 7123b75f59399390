"""Read Markdown into a record, tolerantly: never raises, keeps what it does not understand and notes the line.

A line that is no part of the grammar goes to the lead prose of its record, or to ``extra`` of the document under the
section it was found in; a heading that is not known goes to ``extra`` with all that stands below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

from engine.state.grammar import (
    ENTRY_LIMIT,
    Document,
    Extra,
    Note,
    Record,
    Slot,
    StateError,
    labels,
    read_value,
    slots,
)
from engine.state.outline import Node, outline
from engine.state.text import EMPTY, cut, fenced, next_fence, printable, prose, trim
from engine.state.writer import as_fact, unescape

D = TypeVar("D", bound=Document)
Lines = list[tuple[int, str]]

_ITEM = re.compile(r"^(?:[-*+]|\d{1,4}[.)]) +(.*)$")
_BAR = re.compile(r"(?<!\\)\|")
_ESCAPED_BAR = re.compile(r"\\+\|")


@dataclass
class _Reading:
    """What one document gathers while it is read: notes, and lines kept by section."""

    notes: list[Note] = field(default_factory=list)
    kept: dict[str, list[str]] = field(default_factory=dict)

    def note(self, line: int, what: str, expected: str) -> None:
        if len(self.notes) < ENTRY_LIMIT:
            self.notes.append(Note(line, cut(what, 160), cut(expected, 300)))

    def keep(self, where: str, lines: Iterable[str]) -> None:
        self.kept.setdefault(where, []).extend(lines)

    def extra(self) -> tuple[Extra, ...]:
        texts = ((where, prose("\n".join(lines), limit=2**31)) for where, lines in self.kept.items())
        return tuple(Extra(where, text) for where, text in sorted(texts) if text)


def read(cls: type[D], text: str) -> D:
    """The document in ``text``. Longer texts than ``cls.LIMIT`` characters are cut, and a note says so."""
    reading = _Reading()
    if len(text) > cls.LIMIT:
        reading.note(
            1, f"the file is longer than {cls.LIMIT} characters; the rest was not read", "a shorter file"
        )
    root = outline(printable(text[: cls.LIMIT]))
    if not root.line:
        reading.note(1, "no heading at the top", f"# {cls.UNTITLED}")
    values = _values(cls, root, reading, top=True)
    return cls(**values, extra=reading.extra(), notes=tuple(sorted(reading.notes, key=lambda n: n.line)))


def _values(cls: type[Record], node: Node, reading: _Reading, *, top: bool) -> dict[str, Any]:
    declared = slots(cls)
    values, loose = _facts([s for s in declared if s.kind == "fact" and not s.under], node.body, reading)
    values.update({slot.name: node.title for slot in declared if slot.kind == "title" and node.title})
    unknown, kept = _children(cls, node, values, reading)
    if top:
        for where, lines in kept.items():
            reading.keep(where, lines)
        expected = _known_titles(cls)
        for child in unknown:
            reading.note(child.line, f"unknown section {child.title!r}; kept", expected)
            reading.keep("#", ["", *child.verbatim(2)])
    else:
        words = [*chain(*kept.values()), *chain(*(["", *child.verbatim(child.level)] for child in unknown))]
        loose = [*loose, *((node.line, line) for line in words)]
    _lead(cls, declared, values, loose)
    return values


def _lead(cls: type[Record], declared: Sequence[Slot], values: dict[str, Any], loose: Lines) -> None:
    name = next(slot.name for slot in declared if slot.kind == "lead")
    values[name] = "\n".join(unescape((line for _, line in loose), labels(cls)))


def _known_titles(cls: type[Record]) -> str:
    names = dict.fromkeys(s.under if s.kind == "fact" else s.label for s in slots(cls))
    return "one of " + ", ".join(f"## {name}" for name in names if name)


def _facts(group: Sequence[Slot], lines: Lines, reading: _Reading) -> tuple[dict[str, Any], Lines]:
    """The facts of ``group`` found in ``lines``, and the lines that were none of them."""
    known = {name: slot for slot in group for name in slot.names()}
    values: dict[str, Any] = {}
    loose: Lines = []
    for (number, line), (_, in_code) in zip(lines, fenced(text for _, text in lines), strict=True):
        found = None if in_code else as_fact(line)
        slot = known.get(found[0].lower()) if found else None
        if found is None or slot is None or not _take(slot, found[1], values, number, reading):
            loose.append((number, line))
    return values, loose


def _take(slot: Slot, text: str, values: dict[str, Any], number: int, reading: _Reading) -> bool:
    """Store one fact; False when it is a second one or not readable, so that the line is kept instead."""
    if text in ("", "-", EMPTY):
        return True
    if slot.name in values:
        reading.note(number, f"a second {slot.label}; the first one counts", f"one line **{slot.label}:**")
        return False
    try:
        values[slot.name] = read_value(slot, text)
    except ValueError as error:
        reading.note(number, f"{slot.label} is {text!r}; kept as text", f"{slot.label}: {error}")
        return False
    return True


def _children(
    cls: type[Record], node: Node, values: dict[str, Any], reading: _Reading
) -> tuple[list[Node], dict[str, list[str]]]:
    """Read the known sections and the entries below ``node``; gives the other children, and lines kept by section."""
    sections, rest = _sections(cls), next((slot for slot in slots(cls) if slot.kind == "rest"), None)
    kept: dict[str, list[str]] = {}
    unknown: list[Node] = []
    for child in node.children:
        group, aside = _known(sections, child.title)
        if group is not None and _name(group[0]) not in kept:
            found, lines = _section(group, child, reading)
            kept[_name(group[0])] = [*aside, *lines]
            values.update(found)
        elif rest is not None and len(values.get(rest.name, ())) < ENTRY_LIMIT:
            values.setdefault(rest.name, []).append(_record(rest, child, reading))
        else:
            unknown.append(child)
    for name in dict.fromkeys(_name(group[0]) for group in sections.values()):
        if name not in kept:
            reading.note(node.line or 1, f"section {name!r} is missing", f"a heading {name!r}")
    return unknown, kept


def _known(sections: dict[str, list[Slot]], title: str) -> tuple[list[Slot] | None, list[str]]:
    """The section of this title, also when it ends in a colon or in words in brackets; those are kept as a line."""
    exact = sections.get(title.lower())
    bare, bracket, aside = title.rstrip(": ").partition(" (")
    if exact is not None or bare.lower() not in sections:
        return exact, []
    return sections[bare.lower()], ["(" + aside, ""] if bracket else []


def _name(slot: Slot) -> str:
    return slot.under if slot.kind == "fact" else slot.label


def _sections(cls: type[Record]) -> dict[str, list[Slot]]:
    """Lower-case section titles with the slots that stand there; aliases lead to the same list."""
    groups: dict[str, list[Slot]] = {}
    for slot in slots(cls):
        if slot.kind == "fact" and slot.under:
            groups.setdefault(slot.under.lower(), []).append(slot)
        elif slot.label and slot.kind != "fact":
            group = groups.setdefault(slot.label.lower(), [])
            group.append(slot)
            groups.update({alias.lower(): group for alias in slot.aliases})
    return groups


def _section(group: list[Slot], node: Node, reading: _Reading) -> tuple[dict[str, Any], list[str]]:
    """What one known section holds, and the lines of it that are not part of its form."""
    slot = group[0]
    if slot.kind == "record":
        return {slot.name: _record(slot, node, reading)}, []
    if slot.kind == "fact":
        values, loose = _facts(group, node.body, reading)
    else:
        value, loose = _body(slot, node, reading)
        values = {slot.name: value}
    return values, _leftover(slot, node, loose, reading)


def _leftover(slot: Slot, node: Node, loose: Lines, reading: _Reading) -> list[str]:
    lines = trim(line for _, line in loose if line.strip() != EMPTY)
    if lines:
        first = next(
            (number for number, line in loose if line.strip() not in ("", EMPTY) and number), node.line
        )
        reading.note(first, f"text in {_name(slot)!r} that is not part of its form; kept", _form(slot))
    for child in node.children[ENTRY_LIMIT:] if slot.kind == "entries" else node.children:
        reading.note(child.line, f"unknown heading {child.title!r} in {_name(slot)!r}; kept", _form(slot))
        lines += ["", *child.verbatim(node.level + 1)]
    return lines


def _form(slot: Slot) -> str:
    forms = {
        "fact": "lines `- **Label:** value` with the labels of this section",
        "items": "lines `- text`",
        "code": "one fenced code block",
        "prose": "prose without headings",
        "entries": "one heading per entry",
    }
    if slot.kind == "table" and slot.record is not None:
        return "one table with the columns " + ", ".join(s.label for s in slots(slot.record) if s.label)
    return forms.get(slot.kind, slot.kind)


def _body(slot: Slot, node: Node, reading: _Reading) -> tuple[Any, Lines]:
    if slot.kind == "prose":
        return "\n".join(unescape((line for _, line in node.body), frozenset())), []
    if slot.kind == "items":
        return _items(node.body)
    if slot.kind == "code":
        return _code(node.body)
    if slot.kind == "table":
        return _tables(slot, node.body, reading)
    taken = node.children[:ENTRY_LIMIT]
    return [_record(slot, child, reading) for child in taken], node.body


def _record(slot: Slot, node: Node, reading: _Reading) -> Record:
    assert slot.record is not None
    return slot.record(**_values(slot.record, node, reading, top=False))


def _items(lines: Lines) -> tuple[list[str], Lines]:
    items: list[str] = []
    loose: Lines = []
    for (number, line), (_, in_code) in zip(lines, fenced(text for _, text in lines), strict=True):
        found = None if in_code else _ITEM.match(line)
        if found is None:
            loose.append((number, line))
        else:
            items.append(found.group(1))
    return items, loose


def _code(lines: Lines) -> tuple[list[str], Lines]:
    """The first code block without its fences, and every other line."""
    marks = [in_code for _, in_code in fenced(text for _, text in lines)]
    if True not in marks:
        return [], lines
    start = marks.index(True)
    stop = start + 1 + _length([text for _, text in lines[start:]])
    inner = [text for _, text in lines[start + 1 : stop - 1]]
    return (inner, lines[:start] + lines[stop:]) if any(inner) else ([], lines)


def _length(lines: list[str]) -> int:
    """How many lines after the first belong to the code block that the first one opens."""
    open_with = next_fence("", lines[0])
    for count, line in enumerate(lines[1:], start=1):
        open_with = next_fence(open_with, line)
        if not open_with:
            return count
    return len(lines)


def _tables(slot: Slot, lines: Lines, reading: _Reading) -> tuple[list[Record], Lines]:
    rows: list[Record] = []
    loose: Lines = []
    run: Lines = []
    for number, line in [*lines, (0, "")]:
        if line.lstrip().startswith("|"):
            run.append((number, line))
            continue
        taken, left = _table(slot, run, reading) if run else ([], [])
        rows.extend(taken)
        loose.extend([*left, (number, line)])
        run = []
    return rows, loose


def _table(slot: Slot, run: Lines, reading: _Reading) -> tuple[list[Record], Lines]:
    """Rows of one table whose header uses only our columns; else the whole run is kept as it is."""
    assert slot.record is not None
    known = {name: each for each in slots(slot.record) if each.kind == "fact" for name in each.names()}
    header = [known.get(cell.lower()) for cell in _cells(run[0][1])]
    names = [each.name for each in header if each]
    if len(run) < 2 or not _is_rule(run[1][1]) or None in header or len(set(names)) < len(names):
        return [], run
    rows: list[Record] = []
    loose: Lines = []
    for number, line in _data_lines(run):
        values = _row([each for each in header if each], _cells(line), number, reading)
        if values is None or len(rows) >= 20_000:
            loose.append((number, line))
        else:
            rows.append(slot.record(**values))
    return rows, [(0, ""), *loose] if loose else []


def _data_lines(run: Lines) -> Lines:
    """The rows below the header and its rule; the same pair again further down is not a row."""
    head = _cells(run[0][1])
    again = {at for at in range(2, len(run) - 1) if _is_rule(run[at + 1][1]) and _cells(run[at][1]) == head}
    return [each for at, each in enumerate(run) if at >= 2 and at not in again and at - 1 not in again]


def _is_rule(line: str) -> bool:
    return "-" in line and set(line.strip()) <= set("|-: ")


def _row(header: list[Slot], cells: list[str], number: int, reading: _Reading) -> dict[str, Any] | None:
    values: dict[str, Any] = {}
    if len(cells) > len(header):
        reading.note(number, "a row with more cells than columns; kept as text", f"{len(header)} cells")
        return None
    fine = [_take(slot, cell, values, number, reading) for slot, cell in zip(header, cells, strict=False)]
    return values if all(fine) else None


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    parts = _BAR.split(inner)
    kept = parts[:-1] if not parts[-1].strip() else parts
    return [_ESCAPED_BAR.sub(lambda found: found.group(0)[1:], cell.strip()) for cell in kept]


__all__ = ["StateError", "read"]

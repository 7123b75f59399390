"""The one shape of all Markdown state files: a record is a heading, facts, lead prose and sections.

A file's grammar is the declaration of its dataclass: each field says with :func:`fact`, :func:`lead`,
:func:`section` and so on where it stands. The reader and the writer both follow that declaration, so they cannot
disagree. A record cleans its own values when it is made; what it holds is what the file can carry.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args, get_type_hints

from engine.state.text import PROSE_LIMIT, cut, one_line, printable, prose, trim

Kind = Literal["title", "fact", "lead", "prose", "items", "code", "table", "entries", "record", "rest"]
ENTRY_LIMIT = 500
_LONG_RUN = re.compile("`{12,}")
_NUMBER = re.compile(r"^[+-]?\d{1,18}(\.\d{0,18})?([eE][+-]?\d{1,3})?$")


class StateError(ValueError):
    """A value that no state file may hold; the message says which field and what it takes."""


@dataclass(frozen=True)
class Note:
    """Something a reader did not understand or left out. ``line`` counts from 1."""

    line: int
    what: str
    expected: str


@dataclass(frozen=True)
class Extra:
    """Text kept as it was found: at the end of section ``where``, or whole unknown sections when ``where`` is "#"."""

    where: str
    text: str


@dataclass(frozen=True)
class Slot:
    """One declared field of a record: its place in the file and how its value is written."""

    name: str
    kind: Kind
    label: str = ""
    under: str = ""
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    record: type[Record] | None = None
    shape: Literal["str", "int", "float", "bool", "list"] = "str"
    default: str = ""

    def names(self) -> frozenset[str]:
        return frozenset(name.lower() for name in (self.label, *self.aliases))


def title() -> dict[str, Any]:
    """The field that is the heading's own text."""
    return {"slot": {"kind": "title"}}


def lead() -> dict[str, Any]:
    """The prose below the facts. Exactly one field of each record."""
    return {"slot": {"kind": "lead"}}


def fact(
    label: str,
    *aliases: str,
    under: str = "",
    choices: Sequence[str] = (),
    words: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """``- **label:** value``, or a column of that name where the record is a table row.

    ``under`` names the section it stands in; ``choices`` are the only words it takes; ``words`` maps other people's
    words (lower case) to ours.
    """
    slot = {"kind": "fact", "label": label, "aliases": aliases, "under": under}
    return {"slot": {**slot, "choices": tuple(choices), "words": words or {}}}


def section(label: str, kind: Kind, *aliases: str, record: type[Record] | None = None) -> dict[str, Any]:
    """A heading one level down that holds prose, items, code, a table, entries or one record."""
    return {"slot": {"kind": kind, "label": label, "aliases": aliases, "record": record}}


def rest(record: type[Record]) -> dict[str, Any]:
    """Every other heading one level down is one entry."""
    return {"slot": {"kind": "rest", "record": record}}


@dataclass(frozen=True, kw_only=True)
class Record:
    """Base of everything a Markdown state file holds. Subclasses are frozen, keyword-only dataclasses."""

    UNTITLED: ClassVar[str] = "Untitled"

    def __post_init__(self) -> None:
        for slot in slots(type(self)):
            object.__setattr__(self, slot.name, _clean(self, slot, getattr(self, slot.name)))


@dataclass(frozen=True, kw_only=True)
class Document(Record):
    """Base of the whole files. ``extra`` keeps what the grammar does not know, ``notes`` says what that was."""

    NAME: ClassVar[str] = ""
    LIMIT: ClassVar[int] = 256_000

    heading: str = field(default="", metadata=title())
    extra: tuple[Extra, ...] = ()
    notes: tuple[Note, ...] = field(default=(), compare=False)


_SLOTS: dict[type[Record], tuple[Slot, ...]] = {}
_LABELS: dict[type[Record], frozenset[str]] = {}


def slots(cls: type[Record]) -> tuple[Slot, ...]:
    """The declared fields of ``cls`` in the order they are written."""
    if cls not in _SLOTS:
        hints = get_type_hints(cls)
        declared = [f for f in fields(cls) if "slot" in f.metadata]
        _SLOTS[cls] = tuple(
            Slot(name=f.name, shape=_shape(hints[f.name]), default=_default(f.default), **f.metadata["slot"])
            for f in declared
        )
    return _SLOTS[cls]


def labels(cls: type[Record]) -> frozenset[str]:
    """The lower-case labels of the facts that stand right below the heading of ``cls``."""
    if cls not in _LABELS:
        own = (slot for slot in slots(cls) if slot.kind == "fact" and not slot.under)
        _LABELS[cls] = frozenset(name for slot in own for name in slot.names())
    return _LABELS[cls]


def _default(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _shape(hint: Any) -> Any:
    kinds = get_args(hint) or (hint,)
    if Ellipsis in kinds:
        return "list"
    return next((word for word, kind in _SHAPES if kind in kinds), "str")


_SHAPES: tuple[tuple[str, type], ...] = (("bool", bool), ("int", int), ("float", float))


def _clean(record: Record, slot: Slot, value: Any) -> Any:
    if slot.kind == "fact":
        return _clean_fact(slot, value)
    if slot.kind == "title":
        return one_line(str(value)) or record.UNTITLED
    if slot.kind in ("lead", "prose"):
        return prose(value)
    if slot.kind == "items":
        return tuple(line for line in map(one_line, value) if line)
    if slot.kind == "code":
        return _clean_code(value)
    return value if slot.kind == "record" else tuple(value)


def _clean_code(lines: Sequence[str]) -> tuple[str, ...]:
    text = _LONG_RUN.sub("`" * 11, printable(cut("\n".join(lines), PROSE_LIMIT)))
    return tuple(trim(line.rstrip() for line in text.split("\n")))


def _clean_fact(slot: Slot, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if slot.shape == "float":
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if slot.shape == "list":
        return tuple(word for word in (one_line(v.replace(",", ";").replace("`", "")) for v in value) if word)
    if slot.shape == "str":
        return _chosen(slot, one_line(value) or slot.default)
    return value


def _chosen(slot: Slot, value: str) -> str:
    if slot.choices and value and value not in slot.choices:
        raise StateError(f"{slot.label} takes one of {', '.join(slot.choices)}, not {cut(value, 80)!r}")
    return value


def write_value(slot: Slot, value: Any) -> str:
    """A fact's value as text; "" for a value that is not there."""
    if value is None or value == "" or value == ():
        return ""
    if slot.shape == "bool":
        return "yes" if value else "no"
    if slot.shape == "float":
        return f"{value:.6g}"
    return ", ".join(value) if slot.shape == "list" else str(value)


def read_value(slot: Slot, text: str) -> Any:
    """The value of a fact; raises ValueError with what was expected when the text is not one."""
    if slot.shape in ("int", "float"):
        return _number(slot, text)
    if slot.shape == "bool":
        return _word(
            text.lower(), {"yes": True, "no": False, "true": True, "false": False, "✓": True}, "yes or no"
        )
    if slot.shape == "list":
        return tuple(word.strip() for word in text.split(",") if word.strip())
    if not slot.choices:
        return text
    known = {word.lower(): word for word in slot.choices}
    spaced = {word.replace("_", " "): known[word] for word in known}
    return _word(text.lower(), {**slot.words, **spaced, **known}, "one of " + ", ".join(slot.choices))


def _word(text: str, known: Mapping[str, Any], expected: str) -> Any:
    if text not in known:
        raise ValueError(expected)
    return known[text]


def _number(slot: Slot, text: str) -> float | int:
    """Plain numbers; also ``1.42x``, ``1.42×``, ``12 %`` and ``1,234`` as people write them."""
    bare = text.replace(",", "").strip()
    percent = bare.endswith("%")
    bare = bare.rstrip("%x×").strip()
    if not _NUMBER.match(bare) or (slot.shape == "int" and (percent or not bare.lstrip("+-").isdigit())):
        raise ValueError("a whole number" if slot.shape == "int" else "a number")
    return int(bare) if slot.shape == "int" else float(bare) / (100 if percent else 1)

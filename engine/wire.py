"""How facts travel: the base of all kinds, and the way to and from one JSON line.

Unknown kinds read back as :class:`Unknown` with everything they held, so that nothing is ever dropped.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all facts. ``kind`` is the snake case class name and never changes once published."""

    kind: ClassVar[str] = "event"
    at: float | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        KINDS[cls.kind] = cls


KINDS: dict[str, type[Event]] = {}


@dataclass(frozen=True, kw_only=True)
class Unknown(Event):
    """A kind this version does not know, kept raw."""

    raw_kind: str
    body: dict[str, Any]


class MalformedEvent(ValueError):
    """A line that is not a JSON object with a string ``kind`` and the fields its kind needs."""


def to_dict(event: Event) -> dict[str, Any]:
    """The event as plain JSON types, ``kind`` first."""
    if isinstance(event, Unknown):
        return {"kind": event.raw_kind, "at": event.at, **event.body}
    return {"kind": event.kind, **asdict(event)}


def to_json(event: Event) -> str:
    """One line without a newline in it. NaN and infinity are refused (ValueError): unknown is None."""
    return json.dumps(to_dict(event), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_dict(data: Mapping[str, Any]) -> Event:
    """Read an event back; raises MalformedEvent when a known kind lacks a field or has a wrong shape."""
    kind = data.get("kind")
    if not isinstance(kind, str) or not kind:
        raise MalformedEvent("an event needs a string 'kind'")
    cls = KINDS.get(kind)
    if cls is None or cls is Unknown:
        body = {k: v for k, v in data.items() if k not in ("kind", "at")}
        return Unknown(raw_kind=kind, body=body, at=data.get("at"))
    try:
        built = build(cls, {k: v for k, v in data.items() if k != "kind"})
    except (TypeError, ValueError, AttributeError) as error:
        raise MalformedEvent(f"{kind}: {error}") from error
    return built


def from_json(line: str) -> Event:
    """Parse one line; raises MalformedEvent for anything that is not one JSON object."""
    try:
        data = json.loads(line)
    except ValueError as error:
        raise MalformedEvent(f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise MalformedEvent("not a JSON object")
    return from_dict(data)


def build(cls: type[T], data: Mapping[str, Any]) -> T:
    """A dataclass from plain JSON types, those inside it too; TypeError or ValueError when a field does not fit."""
    hints = get_type_hints(cls)
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    return cls(**{k: _value(hints[k], v) for k, v in data.items() if k in known})


def _value(hint: Any, value: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return (
            None if value is None else _value(next(a for a in get_args(hint) if a is not type(None)), value)
        )
    if is_dataclass(hint) and isinstance(hint, type):
        return build(hint, value)
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], each) for each in value)
    if hint is Path:
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (str, int, float, bool) and (not isinstance(value, hint) or (hint is int and value is True)):
        raise TypeError(f"expected {hint.__name__}, got {type(value).__name__}")
    return value

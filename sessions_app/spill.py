"""Events over the size cap: what does not fit goes to a file of the session, and the event says how much was cut."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings

_STEPS = (64_000, 16_000, 4_000, 1_000, 200, 40)


def size(body: Any) -> int:
    """Bytes of the body as it is stored."""
    return len(_encode(body))


def to_file(body: dict[str, Any], *, session_id: int, seq: int, cap: int) -> dict[str, Any]:
    """Write the whole body to the session's folder and return it cut to ``cap`` bytes with a ``spilled`` note."""
    whole = _encode(body)
    path = settings.DATA_DIR / "sessions" / str(session_id) / "spilled" / f"{seq}.json"
    note = {"bytes": len(whole), "file": _write(path, whole)}
    return {**fit(body, cap - 200), "spilled": note}


def fit(body: dict[str, Any], cap: int) -> dict[str, Any]:
    """The body with its longest texts and lists cut until it fits ``cap`` bytes; the same input cuts the same way."""
    if size(body) <= cap:
        return body
    for limit in _STEPS:
        smaller: dict[str, Any] = _cut(body, limit)
        if size(smaller) <= cap:
            return smaller
    return {k: v for k, v in list(body.items())[:50] if isinstance(v, int | float | bool) or v is None}


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str) and len(value) > limit:
        return f"{value[:limit]} … {len(value) - limit} characters cut"
    if isinstance(value, list):
        return [_cut(each, limit) for each in value[:limit]]
    if isinstance(value, dict):
        return {k[:200]: _cut(v, limit) for k, v in list(value.items())[:limit]}
    return value


def _write(path: Path, whole: bytes) -> str:
    """The file's name, or empty when the disk did not take it: a full disk must not stop the log."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(whole)
    except OSError:
        return ""
    return path.name


def _encode(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

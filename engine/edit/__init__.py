"""Edits by byte span on the source, each checked against the tree that was meant.

A rule builds a :class:`Change`; :func:`apply` turns the proposal into the new file or refuses with a reason.
"""

from __future__ import annotations

from engine.edit.apply import apply
from engine.edit.change import Change, Edit, EditRefused, Intended
from engine.edit.paths import editable

__all__ = ["Change", "Edit", "EditRefused", "Intended", "apply", "editable"]

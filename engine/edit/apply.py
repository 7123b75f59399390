"""Apply a proposal: splice, then prove that the file reads back as intended and nothing else moved."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from engine.edit import public
from engine.edit.change import Edit, EditRefused, Intended
from engine.edit.fit import fit
from engine.edit.paths import editable
from engine.site import Site, SiteError
from engine.site.source import parse


class Applicable(Protocol):
    """What :func:`apply` needs of a proposal."""

    @property
    def edits(self) -> tuple[Edit, ...]: ...

    @property
    def intended(self) -> Intended: ...


def apply(site: Site, proposal: Applicable) -> bytes:
    """The new text of the file, in its own encoding.

    Raises EditRefused when the path is not editable, a comment would be lost, edits overlap, the result does not read
    back as the intended tree, does not compile, changes a public name or cannot be written in the file's encoding.
    """
    if not editable(site.path):
        raise EditRefused(f"{site.path} is a test, benchmark or configuration file")
    edits = _ordered(proposal.edits, site)
    data = splice(site.source.data, edits)
    _reads_back(data, proposal.intended.tree)
    data = _fitted(site, data, edits, proposal.intended.tree)
    _compiles(data, site)
    changed = public.lost(site.tree, proposal.intended.tree, proposal.intended.hidden)
    if changed:
        raise EditRefused(f"it would change the public name {changed[0]}")
    try:
        return site.source.encode(data)
    except UnicodeEncodeError as error:
        raise EditRefused(f"the new text cannot be written in {site.source.encoding}") from error


def splice(data: bytes, edits: Sequence[Edit]) -> bytes:
    """``data`` with ordered, disjoint edits; every byte outside their spans is copied."""
    parts, at = [], 0
    for edit in edits:
        parts += [data[at : edit.start], edit.text.encode("utf-8")]
        at = edit.end
    return b"".join([*parts, data[at:]])


def _ordered(edits: Sequence[Edit], site: Site) -> list[Edit]:
    if not edits:
        raise EditRefused("it changes nothing")
    found = sorted(edits, key=lambda edit: (edit.start, edit.end))
    for first, second in pairwise(found):
        if first.end > second.start:
            raise EditRefused("two of its edits overlap")
    for edit in found:
        for start, end in site.source.comments:
            if edit.start < end and start < edit.end:
                raise EditRefused("a comment would be lost")
    return found


def _reads_back(data: bytes, intended: ast.Module) -> None:
    try:
        found = parse(data.decode("utf-8"))
    except SiteError as error:
        raise EditRefused(f"the result cannot be read: {error}") from error
    if ast.dump(found) != ast.dump(intended):
        raise EditRefused("the result reads back as another program than intended")


def _fitted(site: Site, data: bytes, edits: Sequence[Edit], intended: ast.Module) -> bytes:
    """Break lines that became too long, if the program stays the same one."""
    shorter = fit(site.source, data, edits, site.line_limit)
    if shorter == data:
        return data
    try:
        _reads_back(shorter, intended)
    except EditRefused:
        return data
    return shorter


def _compiles(data: bytes, site: Site) -> None:
    """Compiles here, and reads as the target's own, possibly older, Python."""
    text = data.decode("utf-8")
    try:
        compile(text, site.path, "exec", dont_inherit=True)
        if site.facts.python >= (3, 7):
            ast.parse(text, feature_version=site.facts.python)
    except (SyntaxError, ValueError) as error:
        raise EditRefused(f"the result does not compile: {error}") from error

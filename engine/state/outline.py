"""Read a Markdown text as a tree of headings. Code blocks are opaque: a ``#`` inside one is no heading.

Only ATX headings in the first column count. The first level-one heading names the document; later ones are read as
level two, so that a file holding several sessions keeps all its sections within reach.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from engine.state.text import close_fence, fenced, trim

_HEADING = re.compile(r"^(#{1,6})(?:[ \t]+(.*))?$")


@dataclass
class Node:
    """A heading with the lines below it. ``line`` counts from 1; the root has level 1 and may lack a title."""

    level: int
    title: str = ""
    line: int = 1
    body: list[tuple[int, str]] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    def verbatim(self, level: int) -> list[str]:
        """Its own lines again, the heading at ``level``; children keep their levels below that."""
        body = trim(text for _, text in self.body)
        lines = [f"{'#' * level} {self.title}".rstrip(), *body]
        for child in self.children:
            lines += ["", *child.verbatim(max(child.level, level + 1))]
        return lines


def heading(line: str) -> tuple[int, str] | None:
    """Level and title when the line is a heading, else None."""
    found = _HEADING.match(line)
    return (len(found.group(1)), (found.group(2) or "").strip()) if found else None


def outline(text: str) -> Node:
    """The tree of ``text`` (already printable). Lines before the first heading belong to the root."""
    root = Node(level=1, line=0)
    path = [root]
    for number, (line, in_code) in enumerate(fenced(close_fence(text.split("\n"))), start=1):
        found = None if in_code else heading(line)
        if found is None:
            path[-1].body.append((number, line.rstrip()))
        else:
            _place(root, path, Node(level=found[0], title=found[1], line=number))
    return root


def _place(root: Node, path: list[Node], node: Node) -> None:
    if node.level == 1 and not root.line and not root.children:
        root.title, root.line = node.title, node.line
        return
    node.level = max(node.level, 2)
    while path[-1].level >= node.level:
        path.pop()
    path[-1].children.append(node)
    path.append(node)

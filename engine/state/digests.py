"""What a decision is bound to: the sha256 of a file's canonical bytes.

Canonical means UTF-8 without a byte order mark, LF line ends and exactly one newline at the end; every other
character counts, also those that a parser would not understand.
"""

from __future__ import annotations

import hashlib


def canonical(text: str) -> bytes:
    """The bytes of ``text`` that do not depend on the editor or the system it passed through."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    return (plain + "\n").encode("utf-8", errors="replace")


def digest(text: str) -> str:
    """64 hex digits of any state file's text."""
    return hashlib.sha256(canonical(text)).hexdigest()


def report_digest(text: str) -> str:
    """The digest of a ``review-report.md``."""
    return digest(text)


def results_digest(text: str) -> str:
    """The digest of a ``results.tsv``."""
    return digest(text)

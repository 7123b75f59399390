"""The eight files of ``.codeflash/``: one module each that parses and writes it, tolerant in and strict out.

``parse(text)`` never raises and keeps what it does not know; ``render(document)`` writes the one strict form, and
``parse(render(document)) == document``. ``folder`` is the only door to the disk. The grammar of each file, with an
example, is in ``docs/state-files.md``. Standard library only.
"""

from engine.state.digests import digest, report_digest, results_digest
from engine.state.folder import LIMITS, PRESERVED, Reading, read_folder, write_file
from engine.state.grammar import Extra, Note, StateError

__all__ = [
    "LIMITS",
    "PRESERVED",
    "Extra",
    "Note",
    "Reading",
    "StateError",
    "digest",
    "read_folder",
    "report_digest",
    "results_digest",
    "write_file",
]

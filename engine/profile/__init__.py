"""Where the time, the memory, the waiting and the import cost go, and which function to try first.

``profile`` runs the profilers of ``engine.probe`` on a tree through the sandbox; ``rank`` makes one table of all four
dimensions from a :class:`Profile`, the rules that apply, and the :class:`History` of tries.
"""

from __future__ import annotations

from engine.profile.history import History, Tally
from engine.profile.imports import ModuleRow
from engine.profile.profile import Profile, profile
from engine.profile.ranking import RulePrior, rank
from engine.profile.tables import AsyncRow, AwaitSite, FunctionRow, MemoryRow

__all__ = [
    "AsyncRow",
    "AwaitSite",
    "FunctionRow",
    "History",
    "MemoryRow",
    "ModuleRow",
    "Profile",
    "RulePrior",
    "Tally",
    "profile",
    "rank",
]

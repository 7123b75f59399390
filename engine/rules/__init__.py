"""The catalogue of rewrite rules: one small module a rule, found by walking this package.

The engine's loop knows no rule by name; it asks :func:`proposals` about a site.
"""

from __future__ import annotations

from engine.rules.shape import Case, Proposal, Rule, catalogue, proposals

__all__ = ["Case", "Proposal", "Rule", "catalogue", "proposals"]

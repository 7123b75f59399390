"""Words on paper. ``slug`` is both a module and its one function, for old callers."""

from shopworks.wording.slug import slug

__all__ = ["slug"]

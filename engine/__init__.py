"""The optimization engine: plain Python, no Django. Run it alone with ``python -m engine run BRIEF.json``."""

__version__ = "0.1.0"

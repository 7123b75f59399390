"""The structure specialist: import time and module structure."""

AGENT, DOMAINS = "structure", ("structure",)

"""The memory specialist: peak allocation of single functions."""

AGENT, DOMAINS = "memory", ("memory",)

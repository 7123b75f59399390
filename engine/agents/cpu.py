"""The CPU specialist: run time, containers and algorithms of single functions."""

AGENT, DOMAINS = "cpu", ("cpu",)

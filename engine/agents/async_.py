"""The async specialist: waiting in a row and blocking calls in coroutines."""

AGENT, DOMAINS = "async", ("async",)

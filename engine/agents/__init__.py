"""The builtin crew's agents: each is a generator of events on one run."""

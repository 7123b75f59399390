"""Programs that run inside the sandbox, before and instead of the target's: standard library only."""

"""Programs that run inside the sandbox to finish an environment: standard library only."""

"""The only module that starts a process of the target repo: limits, isolation, environment, whole-tree kill.

    isolation = probe_isolation()
    sandbox = Sandbox(isolation, scratch=session_folder / "sandbox")
    done = sandbox.run(["python", "-c", "print(1)"], cwd=tree, writable=[tree])

Levels. L2 boxed: bubblewrap with its own process, network, ipc, file and (as a normal user) user namespaces.
L1 guarded: landlock, seccomp, no_new_privs and a kill loop, where possible inside process and network namespaces.
L0 open: limits and the kill loop only. What is in effect is found by trying to break out, see ``probe``.
"""

from __future__ import annotations

from engine.sandbox.limits import Completed, Limits
from engine.sandbox.probe import probe_isolation, repair_hint
from engine.sandbox.run import Sandbox, SandboxError

__all__ = ["Completed", "Limits", "Sandbox", "SandboxError", "probe_isolation", "repair_hint"]

"""Calls of the repo's own functions, as they start and as they return.

On 3.12+ through ``sys.monitoring`` with everything else switched off at its first event, so that other code runs at
full speed; before that through a profile hook. Resuming a generator or coroutine is not a call. Both backends tell
``on_call(owner, code, frame)`` and ``on_return(owner, code, frame, value)``; an answer of True means "no more of this
code until the next :meth:`again`".
"""

import opcode
import os
import sys
import threading

_LAZY_FLAGS = 0x20 | 0x80 | 0x200  # generator, coroutine, asynchronous generator
_RETURNS = frozenset(opcode.opmap[name] for name in ("RETURN_VALUE",) if name in opcode.opmap)
_RESUME = opcode.opmap.get("RESUME", -1)


def watch(names, on_call, on_return):
    """The best backend of this interpreter."""
    kind = Monitoring if hasattr(sys, "monitoring") else Hook
    return kind(Targets(names), on_call, on_return)


class Targets:
    """Which code objects are a target's own body, remembered by identity."""

    def __init__(self, names):
        self.names = names
        self.known = {}

    def get(self, code):
        """The Owner whose body ``code`` is, or None."""
        found = self.known.get(id(code))
        if found is None:
            found = self.known[id(code)] = (code, self._find(code))
        return found[1]

    def _find(self, code):
        owner = self.names.of(code)
        if owner is None or code.co_firstlineno != owner.first:
            return None
        return owner if code.co_name == owner.qualname.rpartition(".")[2] else None


class Monitoring:
    """sys.monitoring, tool 4 (or 3): one of the two that no other tool claims by convention."""

    def __init__(self, targets, on_call, on_return):
        self.targets, self.on_call, self.on_return = targets, on_call, on_return
        self.tool, self.on = None, False

    def start(self):
        mon = sys.monitoring
        if self.tool is None:
            self.tool = self._claim(mon)
            mon.register_callback(self.tool, mon.events.PY_START, self._called)
            mon.register_callback(self.tool, mon.events.PY_RETURN, self._returned)
            os.register_at_fork(after_in_child=self.stop)
        mon.set_events(self.tool, mon.events.PY_START | mon.events.PY_RETURN)
        self.on = True

    @staticmethod
    def _claim(mon):
        for tool in (4, 3):
            if mon.get_tool(tool) is None:
                mon.use_tool_id(tool, "codeflash")
                return tool
        raise RuntimeError("both free monitoring tools are taken by the program under test")

    def stop(self):
        if self.on:
            sys.monitoring.set_events(self.tool, 0)
            self.on = False

    rest = stop

    def again(self):
        if self.on:
            sys.monitoring.restart_events()

    def _called(self, code, offset):
        owner = self.targets.get(code)
        if owner is None or self.on_call(owner, code, sys._getframe(1)):
            return sys.monitoring.DISABLE
        return None

    def _returned(self, code, offset, value):
        owner = self.targets.get(code)
        if owner is None or self.on_return(owner, code, sys._getframe(1), value):
            return sys.monitoring.DISABLE
        return None


class Hook:
    """A profile hook for every thread."""

    def __init__(self, targets, on_call, on_return):
        self.targets, self.on_call, self.on_return = targets, on_call, on_return
        self.off_calls, self.off_returns = set(), set()
        self.on = False

    def start(self):
        self.on = True
        threading.setprofile(self._event)
        sys.setprofile(self._event)

    def stop(self):
        sys.setprofile(None)
        threading.setprofile(None)
        self.on = False

    def rest(self):
        """From any thread: each thread takes its hook off at its next event."""
        threading.setprofile(None)
        self.on = False

    def again(self):
        self.off_calls.clear()
        self.off_returns.clear()
        if self.on:
            sys.setprofile(self._event)

    def _event(self, frame, event, value):
        if not self.on:
            sys.setprofile(None)
        elif event == "call":
            self._called(frame)
        elif event == "return":
            self._returned(frame, value)

    def _called(self, frame):
        code = frame.f_code
        owner = self.targets.get(code)
        if owner is None or id(code) in self.off_calls or not _starts(code, frame):
            return
        if self.on_call(owner, code, frame):
            self.off_calls.add(id(code))

    def _returned(self, frame, value):
        code = frame.f_code
        owner = self.targets.get(code)
        if owner is None or id(code) in self.off_returns or not _returns(code, frame):
            return
        if self.on_return(owner, code, frame, value):
            self.off_returns.add(id(code))


def _starts(code, frame):
    """Whether this call event is a first entry, not a resumption after a yield or an await."""
    if not code.co_flags & _LAZY_FLAGS or frame.f_lasti < 0:
        return True
    at = code.co_code[frame.f_lasti : frame.f_lasti + 2]
    return len(at) == 2 and at[0] == _RESUME and at[1] == 0


def _returns(code, frame):
    """Whether this return event carries a value: an exception also ends a frame, a yield also leaves it."""
    return 0 <= frame.f_lasti < len(code.co_code) and code.co_code[frame.f_lasti] in _RETURNS

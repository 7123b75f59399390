"""One input, looked at from every side: what came back, what happened to the arguments, what left the function.

Everything becomes a digest of the normal form, so that a line stays small; ``explain`` says the same in words.
"""

import inspect
import sys
import types

from .looks import attributes, is_lazy, preview, type_name
from .normal import MAX_ITEMS, Normal, TooLarge
from .world import REAL_CLOCK, TooLong, run_coroutine

_PLAIN = (int, float, complex, str, bytes, bool, type(None))
_DROP_AFTER = 3
MAX_FLOATS = 20000


class Trial:
    """``make()`` gives fresh inputs each time. ``look()`` returns the facts of one line, raising nothing of the target."""

    def __init__(self, world, function, make, job, limit, lines):
        self.world, self.function, self.make, self.job = world, function, make, job
        self.limit, self.lines = limit, lines
        self.roots = (job.tree,)
        self.numeric = job.tier == "numeric"

    def look(self):
        self.world.begin()
        args, kwargs, _, inside = self.make()
        facts = {"inside": bool(inside)}
        started = REAL_CLOCK()
        try:
            outcome = self.call(args, kwargs)
            facts["seconds"] = REAL_CLOCK() - started
            facts.update(self.facts(outcome, args, kwargs))
            facts.update(self.more(outcome))
        except TooLong:
            facts.update(outcome="slow", seconds=REAL_CLOCK() - started)
        except TooLarge:
            facts.update(outcome="large")
        except MemoryError:
            facts.update(outcome="memory")
        return facts

    def call(self, args, kwargs):
        """("returned", value), ("raised", error) or ("lazy", iterator)."""
        try:
            value = self.world.limited(lambda: self._traced(args, kwargs), self.limit)
        except (TooLong, MemoryError):
            raise
        except BaseException as error:
            return "raised", error
        return ("lazy" if is_lazy(value) else "returned"), value

    def _traced(self, args, kwargs):
        if not self.job.lines:
            return self._finish(self.function(*args, **kwargs))
        with Tracer(self.job.lines, self.lines):
            return self._finish(self.function(*args, **kwargs))

    def _finish(self, value):
        """A coroutine function is its result under a fresh loop, an async generator its items."""
        if isinstance(value, types.CoroutineType) and inspect.iscoroutinefunction(self.function):
            return run_coroutine(self.world, value)
        if isinstance(value, types.AsyncGeneratorType):
            return run_coroutine(self.world, _collect(value))
        return value

    def form(self, consume=True):
        return Normal(self.roots, self.numeric, consume)

    def facts(self, outcome, args, kwargs):
        """The facets that are compared: outcome, value (with the arguments afterwards), message, effects."""
        what, value = outcome
        form = self.form()
        form.add(args)
        form.add(kwargs)
        facts = {"outcome": what}
        if what == "lazy":
            facts["outcome"] = "lazy " + type_name(type(value))
            self.world.limited(lambda: self._traced_drain(form, value), self.limit)
            after = self.form()
            after.add(args)
            facts["after"] = after.digest()
        elif what == "raised":
            facts["outcome"] = "raised " + type_name(type(value))
            message = self.form()
            message.add(value.args)
            message.add(attributes(value))
            facts["message"] = message.digest()
        else:
            form.add(value)
        facts.update(value=form.digest(), effects=self.effects())
        if form.floats:
            facts["floats"] = _hex(form.floats)
        if form.opaque:
            facts["opaque"] = sorted(form.opaque)
        return facts

    def _traced_drain(self, form, value):
        if not self.job.lines:
            return form.drain(value, MAX_ITEMS)
        with Tracer(self.job.lines, self.lines):
            return form.drain(value, MAX_ITEMS)

    def effects(self):
        form = self.form()
        form.add(list(self.world.effects))
        return form.digest()

    def more(self, outcome):
        """Second looks: a call after the first result was changed; a lazy result dropped, or its source changed."""
        what, value = outcome
        if what == "lazy":
            return {"dropped": self.dropped(), "live": self.live()}
        if what == "returned" and type(value) not in _PLAIN and spoil(value):
            return {"again": self.again()}
        return {}

    def again(self):
        return self._second(lambda form, value, args: form.add(value))

    def dropped(self):
        """Three items are taken, then the rest is given up."""

        def use(form, value, args):
            form.drain(value, _DROP_AFTER)
            if hasattr(value, "close"):
                value.close()

        return self._second(use)

    def live(self):
        """One item is taken, the arguments are changed, then the rest follows."""

        def use(form, value, args):
            form.drain(value, 1)
            for argument in args:
                spoil(argument)
            form.drain(value, 50)

        return self._second(use)

    def _second(self, use):
        self.world.begin()
        args, kwargs = self.make()[:2]
        what, value = self.call(args, kwargs)
        form = self.form()
        if what == "raised":
            form.note(type_name(type(value)))
        else:
            self.world.limited(lambda: use(form, value, args), self.limit)
        form.add(args)
        form.add(kwargs)
        return form.digest() + self.effects()

    # -- in words

    def explain(self):
        facts = self.look()
        self.world.begin()
        args, kwargs, word, _ = self.make()
        words = {"input": show_call(args, kwargs), "done": word}
        facts["words"] = words
        try:
            what, value = self.call(args, kwargs)
        except (TooLong, MemoryError) as error:
            words["result"] = "stopped: " + type(error).__name__
            return facts
        words["result"] = self._show(what, value)
        words["type"] = type_name(type(value))
        words["arguments"] = show_call(args, kwargs)
        words["effects"] = preview(self.world.effects, 400)
        words["alone"] = self._alone(what, value)
        words["arguments_alone"] = self._alone("returned", args)
        return facts

    def _show(self, what, value):
        if what == "raised":
            return "raised %s: %s" % (type(value).__name__, preview(str(value), 200))
        if what == "lazy":
            items = []
            try:
                self.world.limited(lambda: items.extend(item for _, item in zip(range(6), value)), self.limit)
            except BaseException as error:
                items.append(error)
            return "%s over %s" % (type_name(type(value)), preview(items, 300))
        return preview(value, 300)

    def _alone(self, what, value):
        if what != "returned":
            return ""
        form = self.form(consume=False)
        try:
            form.add(value)
        except TooLarge:
            return ""
        return form.digest()


async def _collect(source):
    items = []
    try:
        async for item in source:
            items.append(item)
            if len(items) >= MAX_ITEMS:
                break
    except Exception as error:
        items.append(("raised", type_name(type(error))))
    return items


def show_call(args, kwargs):
    parts = [preview(value) for value in args] + ["%s=%s" % (name, preview(value)) for name, value in kwargs.items()]
    text = ", ".join(parts)
    return "(%s)" % (text if len(text) <= 600 else text[:599] + "\u2026")


def spoil(value, depth=0):
    """Change a mutable value, and what it contains one level in; True when something could be changed."""
    done = False
    if depth < 2 and isinstance(value, (list, tuple)):
        for item in list(value)[:20]:
            done = spoil(item, depth + 1) or done
    if depth < 2 and type(value) is dict:
        for item in list(value.values())[:20]:
            done = spoil(item, depth + 1) or done
    change = _SPOILERS.get(type(value))
    if change is None:
        return done
    change(value)
    return True


_SPOILERS = {
    list: lambda value: value.append(value[-1] if value else 0),
    dict: lambda value: value.update({"spoiled": 0}),
    set: lambda value: value.add("spoiled"),
    bytearray: lambda value: value.append(0),
}


def _hex(floats):
    if len(floats) > MAX_FLOATS:
        raise TooLarge()
    return [number.hex() for number in floats]


class Tracer:
    """Which of the wanted lines run. The function's own frames only; it stops itself once all were seen."""

    def __init__(self, wanted, seen):
        self.path, self.lines = wanted["path"], frozenset(wanted["lines"])
        self.seen = seen
        self.missing = self.lines - seen

    def __enter__(self):
        self.before = sys.gettrace()
        if self.missing:
            sys.settrace(self._enter)

    def __exit__(self, *_):
        sys.settrace(self.before)

    def _enter(self, frame, event, arg):
        if not self.missing or not frame.f_code.co_filename.endswith(self.path):
            return None
        return self._line

    def _line(self, frame, event, arg):
        if event == "line" and frame.f_lineno in self.missing:
            self.seen.add(frame.f_lineno)
            self.missing = self.missing - {frame.f_lineno}
        return self._line

"""The recorder: real calls of the repo's functions, kept as pickles, with facts about their types and sizes.

Of each target at most 200 distinct calls are kept, always the smallest and the largest, 1 MB a call, 16 MB a target,
copied when the call starts (arguments may be changed by it). Output: ``index.json`` and one ``tNNNN.calls`` a target.
"""

import collections
import hashlib
import json
import os
import pickle
import random
import sys
import time

from . import calls, shapes, watch, workload
from .names import Names

DISTINCT = 200
TARGET_BYTES = 16 << 20
TOTAL_BYTES = 512 << 20
FULL_LOOKS = 400
BUDGET = 8 << 20  # of work on one target, in bytes frozen: counted and not timed, so that two runs keep the same calls
CALL_WORK, LOOK_WORK = 64, 1024
SECONDS = 4.0  # for what is slow to freeze although it is small
QUOTA = 20000
THIN_QUOTA = 1000
THIN_AFTER = 200000
TYPE_LOOKS = 300
KINDS = 200
TESTS = 50
MODULE = "<module>"


class Store:
    """The kept calls of one target from one source."""

    def __init__(self, name, limit):
        self.limit, self.bytes, self.fresh = limit, 0, 0
        self.items = {}
        self.low = self.high = None
        self.chance = random.Random(name)

    def count(self, key):
        """Count a call already kept; False when it is not."""
        item = self.items.get(key)
        if item is None:
            return False
        item["count"] += 1
        return True

    def add(self, key, blob, weight):
        """Keep a new call if there is room, if it is the smallest or largest, or by an even chance."""
        self.fresh += 1
        low, high = self._below(weight), self._above(weight)
        if len(self.items) >= self.limit or self.bytes + len(blob) > TARGET_BYTES:
            if not (low or high) and self.chance.randrange(self.fresh) >= self.limit:
                return
            kept = {key for key, gone in ((self.low, low), (self.high, high)) if not gone and key is not None}
            if not self._make_room(len(blob), kept):
                return
        self.items[key] = {"blob": blob, "count": 1, "size": list(weight)}
        self.bytes += len(blob)
        self.low, self.high = key if low else self.low, key if high else self.high

    def is_extreme(self, weight):
        return self._below(weight) or self._above(weight)

    def _below(self, weight):
        return self.low is None or weight < tuple(self.items[self.low]["size"])

    def _above(self, weight):
        return self.high is None or weight > tuple(self.items[self.high]["size"])

    def _make_room(self, size, kept):
        """Let go of calls by chance until there is room; False when there cannot be."""
        if sum(len(self.items[key]["blob"]) for key in kept) + size > TARGET_BYTES:
            return False
        others = [key for key in self.items if key not in kept]
        while len(self.items) >= self.limit or self.bytes + size > TARGET_BYTES:
            if not others:
                return False
            gone = others.pop(self.chance.randrange(len(others)))
            self.bytes -= len(self.items.pop(gone)["blob"])
        return True


class Entry:
    """What is known about one target."""

    def __init__(self, owner, code, frame):
        self.owner, self.code = owner, code
        self.module = frame.f_globals.get("__name__") or ""
        self.calls, self.looks, self.stride, self.quota = 0, 0, 1, QUOTA
        self.work, self.spent = 0, 0.0
        self.generation, self.types_left = -1, TYPE_LOOKS
        self.args, self.locals = {}, {}
        self.returns, self.returned, self.returned_stride = shapes.Seen(), 0, TYPE_LOOKS
        self.returned_kinds, self.marked, self.frames = set(), False, set()
        self.tests, self.stores = {}, {}
        self.reasons, self.lost = collections.Counter(), 0
        self.seen, self.kinds = set(), set()

    def due(self, values, weight, store):
        """Whether this call is worth a full look: early, of types not met before, extreme, or one of a thinning few."""
        kinds = tuple(map(type, values))
        if kinds not in self.kinds and len(self.kinds) < KINDS:
            self.kinds.add(kinds)
            self.types_left = max(self.types_left, 1)
            self.marked = True
            return True
        if self.spent > SECONDS:
            return False
        if self.looks < FULL_LOOKS and self.work < BUDGET:
            return True
        if store.is_extreme(weight) and (self.work < 4 * BUDGET or _grown(weight, store)):
            return True
        if self.calls % self.stride or self.work > BUDGET:
            return False
        self.stride *= 2
        return True

    def wider(self, named):
        """Whether some argument is smaller or larger than any seen under its name."""
        return any(name not in self.args or self.args[name].outside(value) for name, value in named.items())


def _grown(weight, store):
    return store.high is not None and weight[0] > 1.2 * store.items[store.high]["size"][0]


class Recorder:
    name = "record"
    whole = True

    def __init__(self, options):
        self.options = options
        self.names = Names(options["tree"], options["roots"], options["skip"])
        self.watch = watch.watch(self.names, self.called, self.returned)
        self.entries, self.generation, self.busy, self.bytes = {}, 0, False, 0
        self.test, self.source = "", ""
        self.limit = DISTINCT // 2 if len(options["phases"]) > 1 else DISTINCT

    def begin(self, test, source):
        self.test, self.source = test, source
        self.generation += 1
        self.watch.start()
        self.watch.again()

    def end(self):
        self.watch.stop()

    def rest(self):
        self.watch.rest()

    def reached(self):
        return bool(self.entries)

    def called(self, owner, code, frame):
        if self.busy:
            return False
        self.busy = True
        try:
            return self._called(owner, code, frame)
        except Exception as error:
            if owner.id in self.entries:
                self.entries[owner.id].reasons["the recorder failed: %r" % error] += 1
            return True
        finally:
            self.busy = False

    def _called(self, owner, code, frame):
        entry = self.entries.get(owner.id)
        if entry is None:
            entry = self.entries[owner.id] = Entry(owner, code, frame)
        if entry.code is not code and entry.code != code:
            entry.code = self._live(entry, code)
            if entry.code is not code:
                return True
        if entry.generation != self.generation:
            entry.generation = self.generation
            entry.quota = QUOTA if entry.calls < THIN_AFTER else THIN_QUOTA
            if len(entry.tests) < TESTS:
                entry.tests[self.test] = self.source
        entry.calls += 1
        entry.quota -= 1
        entry.work += CALL_WORK
        started = time.perf_counter()
        self._look(entry, *arguments(code, frame))
        if entry.marked:
            entry.marked = False
            entry.frames.add(id(frame))
        entry.spent += time.perf_counter() - started
        return entry.quota <= 0

    def _live(self, entry, code):
        """Two bodies share one name (a setter, a redefinition): the one that resolving the name leads to counts."""
        try:
            live = calls.resolve(entry.module, entry.owner.qualname)[2].__code__
        except Exception:
            return entry.code
        if live is code:
            self.entries[entry.owner.id] = entry
            entry.stores.clear()
            entry.args.clear()
            entry.calls = 0
        return code if live is code else entry.code

    def _look(self, entry, args, kwargs, named):
        values = list(args) + [kwargs[k] for k in sorted(kwargs)]
        store = entry.stores.get(self.source)
        if store is None:
            store = entry.stores[self.source] = Store(entry.owner.id, self.limit)
        weight = shapes.weight_of(values)
        wider = entry.wider(named)
        if not entry.due(values, weight, store) and not wider:
            return
        entry.looks += 1
        entry.work += LOOK_WORK
        if wider or entry.types_left > 0:
            entry.types_left -= 1
            self._facts(entry, named)
        key = shapes.key_of(values)
        key = None if key is None else (key, tuple(sorted(kwargs)))
        if key is not None and store.count(key):
            return
        self._keep(entry, store, key, args, kwargs, weight)

    def _keep(self, entry, store, key, args, kwargs, weight):
        try:
            blob = calls.freeze(args, kwargs, (entry.module,))
        except calls.Unfreezable as error:
            entry.lost += 1
            entry.reasons[str(error)] += 1
            return
        entry.work += len(blob)
        digest = hashlib.blake2b(blob, digest_size=16).digest()
        key = digest if key is None else key
        if len(entry.seen) < 20000:
            entry.seen.add(hash(key))
        if store.count(key) or self.bytes > TOTAL_BYTES:
            return
        before = store.bytes
        store.add(key, blob, weight)
        self.bytes += store.bytes - before

    def _facts(self, entry, named):
        for name, value in named.items():
            entry.args.setdefault(name, shapes.Seen()).add(value)
            if entry.looks <= TYPE_LOOKS // 4:
                for attribute, held in shapes.attributes(value).items():
                    entry.args.setdefault("%s.%s" % (name, attribute), shapes.Seen()).add(held)

    def returned(self, owner, code, frame, value):
        entry = self.entries.get(owner.id)
        if self.busy or entry is None or entry.code != code:
            return False
        self.busy = True
        try:
            self._returned(entry, code, frame, value)
        except Exception as error:
            entry.reasons["the recorder failed: %r" % error] += 1
        finally:
            self.busy = False
        return entry.quota <= 0

    def _returned(self, entry, code, frame, value):
        """Results and locals of the first returns, of calls whose arguments were of new types, and of a thinning few."""
        entry.returned += 1
        marked = id(frame) in entry.frames
        entry.frames.discard(id(frame))
        if entry.returned >= entry.returned_stride:
            entry.returned_stride *= 2
            marked = True
        if entry.returned <= TYPE_LOOKS or marked or type(value) not in entry.returned_kinds:
            entry.returned_kinds.add(type(value))
            entry.returns.add(value)
        if entry.returned <= TYPE_LOOKS // 4 or marked:
            self._locals(entry, code, frame)

    def _locals(self, entry, code, frame):
        given = code.co_argcount + code.co_kwonlyargcount
        held = frame.f_locals
        for name in code.co_varnames[given:] + code.co_cellvars:
            if name in held:
                entry.locals.setdefault(name, shapes.Seen()).add(held[name])

    def result(self):
        self.watch.stop()
        return write(self)


def arguments(code, frame):
    """``(args, kwargs, by name)`` of a frame that has just been entered."""
    held, names = frame.f_locals, code.co_varnames
    plain, keyword = code.co_argcount, code.co_kwonlyargcount
    named = {name: held[name] for name in names[: plain + keyword] if name in held}
    args = [held[name] for name in names[:plain]]
    kwargs = {name: held[name] for name in names[plain : plain + keyword]}
    at = plain + keyword
    if code.co_flags & 0x04:
        args += held[names[at]]
        named[names[at]] = held[names[at]]
        at += 1
    if code.co_flags & 0x08:
        kwargs.update(held[names[at]])
        named[names[at]] = held[names[at]]
    return tuple(args), kwargs, named


def write(recorder):
    """Write the recordings and ``index.json``; the report gets only the counts."""
    folder = recorder.options["out"]
    targets = {}
    for number, key in enumerate(sorted(recorder.entries), 1):
        entry = recorder.entries[key]
        file = "t%04d.calls" % number
        kept = _dump(os.path.join(folder, file), entry)
        targets[key] = describe(entry, file, kept)
    index = {"targets": targets, "paths": _paths(recorder.options["tree"]), "python": list(sys.version_info[:3])}
    with open(os.path.join(folder, "index.json"), "w", encoding="utf-8") as stream:
        json.dump(index, stream, indent=1, sort_keys=True)
    return {"targets": len(targets), "bytes": recorder.bytes}


def _dump(path, entry):
    kept = 0
    with open(path, "wb") as stream:
        for source in sorted(entry.stores):
            items = entry.stores[source].items.values()
            for item in sorted(items, key=lambda each: (-each["count"], each["size"])):
                pickle.dump(dict(item, source=source), stream, 4)
                kept += 1
    return kept


def describe(entry, file, kept):
    """One target's row of the index."""
    owner = entry.owner
    looked = entry.looks - entry.lost
    reason = "" if kept else _reason(entry)
    return {
        "file": file, "module": entry.module, "qualname": owner.qualname, "path": owner.path, "line": owner.line,
        "calls": entry.calls, "distinct": kept, "kind": owner.kind, "lazy": owner.lazy, "unreplayable": reason,
        "repeat_rate": round(1 - len(entry.seen) / looked, 4) if looked > 1 else None,
        "args": {name: seen.facts() for name, seen in sorted(entry.args.items())},
        "locals": {name: seen.facts() for name, seen in sorted(entry.locals.items())},
        "returns": entry.returns.facts(), "lost": entry.lost,
        "tests": [test for test, source in entry.tests.items() if source == "test"],
        "benchmarks": [test for test, source in entry.tests.items() if source == "benchmark"],
    }


def _reason(entry):
    if entry.reasons:
        return entry.reasons.most_common(1)[0][0]
    return "none of its calls could be kept"


def _paths(tree):
    """What is importable below the tree beside the tree itself."""
    top, found = os.path.realpath(tree), []
    for each in sys.path:
        full = os.path.realpath(each) if each else top
        if full.startswith(top + os.sep) and os.path.isdir(full):
            found.append(os.path.relpath(full, top))
    return list(dict.fromkeys(found))


def main(options):
    workload.main(Recorder(options), options)

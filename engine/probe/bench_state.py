"""What the target's modules keep between calls, put back so that every pass starts as the first one did.

A cache filled in one pass would answer the next one for free, which no real program sees when its inputs differ.
Looked at: globals, class attributes, mutable defaults, closures and function attributes of the repo's own modules, the
lists, dicts, sets and objects reachable from there, and ``functools`` caches.
"""

import collections
import sys
import types

MOST_PLACES = 20000
LONGEST = 100000
BOXES = (collections.OrderedDict, dict, list, set, collections.deque)


class Snapshot:
    """Taken once, before the first pass. ``changed()`` compares, ``restore()`` puts back."""

    def __init__(self, tree):
        self.modules = [m for m in list(sys.modules.values()) if _inside(m, tree)]
        self.names = set(m.__name__ for m in self.modules)
        self.seen, self.boxes, self.classes, self.caches, self.cells, self.slots = set(), [], [], [], [], []
        waiting = collections.deque(m.__dict__ for m in self.modules)
        self.scopes = set(id(m.__dict__) for m in self.modules)
        while waiting and len(self.seen) < MOST_PLACES:
            self._look(waiting.popleft(), waiting)

    def _look(self, value, waiting):
        if id(value) in self.seen:
            return
        self.seen.add(id(value))
        if isinstance(value, BOXES):
            self._box(value, waiting)
        elif isinstance(value, type):
            if value.__module__ in self.names:
                self.classes.append((value, _attributes(value)))
                waiting.extend(_attributes(value).values())
        elif isinstance(value, (staticmethod, classmethod)):
            waiting.append(value.__func__)
        elif isinstance(value, property):
            waiting.extend(f for f in (value.fget, value.fset) if f is not None)
        elif isinstance(value, types.FunctionType):
            self._function(value, waiting)
        elif hasattr(type(value), "cache_clear") and hasattr(type(value), "cache_info"):
            self._cache(value, waiting)
        elif type(value).__module__ in self.names:
            self._thing(value, waiting)

    def _box(self, value, waiting):
        base = _base(value)
        if base.__len__(value) > LONGEST:
            return
        kept = _content(value, base)
        self.boxes.append((value, kept))
        inner = [v for k, v in kept if not _private(k)] if id(value) in self.scopes else kept
        if isinstance(value, dict) and id(value) not in self.scopes:
            inner = [v for _, v in kept]
        waiting.extend(v for v in inner if not isinstance(v, (int, float, str, bytes, types.ModuleType)))

    def _function(self, value, waiting):
        if value.__module__ not in self.names:
            return
        waiting.append(value.__dict__)
        waiting.extend(value.__defaults__ or ())
        waiting.extend((value.__kwdefaults__ or {}).values())
        for cell in value.__closure__ or ():
            try:
                self.cells.append((cell, cell.cell_contents))
            except ValueError:
                continue
            waiting.append(cell.cell_contents)

    def _cache(self, value, waiting):
        self.caches.append((value, value.cache_info().currsize))
        inner = getattr(value, "__wrapped__", None)
        if inner is not None:
            waiting.append(inner)

    def _thing(self, value, waiting):
        state = getattr(value, "__dict__", None)
        if type(state) is dict:
            waiting.append(state)

    def changed(self):
        return (
            any(not _same_box(box, kept) for box, kept in self.boxes)
            or any(cache.cache_info().currsize != size for cache, size in self.caches)
            or any(not _same_cell(cell, kept) for cell, kept in self.cells)
            or any(not _same_names(_attributes(cls), kept) for cls, kept in self.classes)
        )

    def restore(self):
        for box, kept in self.boxes:
            if not _same_box(box, kept):
                _put_back(box, kept, id(box) in self.scopes)
        for cache, size in self.caches:
            if cache.cache_info().currsize != size:
                cache.cache_clear()
        for cell, kept in self.cells:
            if not _same_cell(cell, kept):
                cell.cell_contents = kept
        for cls, kept in self.classes:
            if not _same_names(_attributes(cls), kept):
                _put_class_back(cls, kept)


def _inside(module, tree):
    path = getattr(module, "__file__", None)
    return isinstance(module, types.ModuleType) and isinstance(path, str) and path.startswith(tree + "/")


def _private(name):
    return isinstance(name, str) and name.startswith("__")


def _attributes(cls):
    return {k: v for k, v in vars(cls).items() if not _private(k) and k != "_abc_impl"}


def _base(box):
    """The plain type whose own methods are used, whatever a subclass of the target makes of them."""
    return next(base for base in BOXES if isinstance(box, base))


def _content(box, base):
    return list(base.items(box)) if isinstance(box, dict) else list(base.__iter__(box))


def _same_box(box, kept):
    base = _base(box)
    if base.__len__(box) != len(kept):
        return False
    if isinstance(box, dict):
        return all(a is c and b is d for (a, b), (c, d) in zip(base.items(box), kept))
    return all(a is b for a, b in zip(base.__iter__(box), kept))


def _same_cell(cell, kept):
    try:
        return cell.cell_contents is kept
    except ValueError:
        return False


def _same_names(now, kept):
    return len(now) == len(kept) and all(kept.get(k, now) is v for k, v in now.items())


def _put_back(box, kept, scope):
    base = _base(box)
    if scope:
        wanted = dict(kept)
        for name in [n for n in box if n not in wanted]:
            del box[name]
        box.update(wanted)
        return
    base.clear(box)
    (base.update if hasattr(base, "update") else base.extend)(box, kept)


def _put_class_back(cls, kept):
    now = _attributes(cls)
    for name in now:
        if name not in kept:
            delattr(cls, name)
    for name, value in kept.items():
        if now.get(name, cls) is not value:
            setattr(cls, name, value)

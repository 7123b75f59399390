"""Recorded calls, changed a little: the inputs between what was seen and what breaks.

Every variant is a pure function of the seed, its number and the recorded calls, so that both versions of a function
meet the same ones. Values are changed inside a fresh copy of a recorded call. Standard library only, Python 3.8+.
"""

import random

_DIGITS = "\u0663\u00b2\u00bd\u2167\uff15"
_SPACES = "\u00a0\u2003\u0085\x1c\u3000\t"
_CASES = "\u00df\u0130\u01c5\u03c2"
_BIG = (2**31, -(2**31), 2**53 + 1, 2**63, -(2**63), 10**20)
_DEPTH = 3
_GROWN = 2000


class _OddList(list):
    """A list by inheritance."""


class _OddStr(str):
    """A string by inheritance."""


class _OddInt(int):
    """A whole number by inheritance."""


class _OddDict(dict):
    """A dict that invents what it lacks."""

    def __missing__(self, key):
        return 0


def perturb(number, seed, fresh, sizes, kind):
    """One variant as (args, kwargs, what was done). ``fresh(i)`` gives a new copy of recorded call i."""
    rng = random.Random("%s:%d" % (seed, number))
    args, kwargs = fresh(_pick_base(rng, sizes))
    other_args, other_kwargs = fresh(_pick_base(rng, sizes))
    pool = _Pool(args, kwargs, other_args, other_kwargs)
    words = []
    for _ in range(1 if rng.random() < 0.7 else 2):
        args, word = _change(rng, args, kwargs, pool, kind)
        words.append(word)
    return args, kwargs, ", ".join(words)


def _pick_base(rng, sizes):
    """Small calls more often: they are cheap, and edges are near."""
    pair = rng.randrange(len(sizes)), rng.randrange(len(sizes))
    return min(pair, key=lambda i: (sizes[i], i))


class _Pool:
    """Values met elsewhere: in other arguments, and in the same place of another call."""

    def __init__(self, args, kwargs, other_args, other_kwargs):
        self.same_call = list(args) + [kwargs[name] for name in sorted(kwargs)]
        self.other_args, self.other_kwargs = other_args, other_kwargs

    def elsewhere(self, key):
        if isinstance(key, int):
            return [self.other_args[key]] if key < len(self.other_args) else []
        return [self.other_kwargs[key]] if key in self.other_kwargs else []

    def atoms(self):
        found = []
        for value in self.same_call:
            if isinstance(value, (list, tuple)):
                found += value[:5]
            elif isinstance(value, dict):
                found += list(value)[:5]
            elif value is not None:
                found.append(value)
        return found


def _change(rng, args, kwargs, pool, kind):
    keys = list(range(1 if kind == "method" and len(args) + len(kwargs) > 1 and rng.random() < 0.85 else 0, len(args)))
    keys += sorted(kwargs)
    if not keys:
        return args, "unchanged"
    key = rng.choice(keys)
    whole = args[key] if isinstance(key, int) else kwargs[key]
    others = pool.elsewhere(key)
    if others and rng.random() < 0.15:
        new, word = others[0], "taken from another call"
    elif rng.random() < 0.08:
        new, word = _foreign(rng, whole)
    elif rng.random() < 0.1 and len(pool.same_call) > 1:
        new, word = _alike(rng, whole, pool), "the same object as another argument"
    else:
        new, word = _inner(rng, whole, pool, 0)
    word = "%s %s" % ("argument %d" % (key + 1) if isinstance(key, int) else key, word)
    if isinstance(key, int):
        return args[:key] + (new,) + args[key + 1 :], word
    kwargs[key] = new
    return args, word


def _alike(rng, whole, pool):
    same = [value for value in pool.same_call if type(value) is type(whole) and value is not whole]
    return rng.choice(same) if same else whole


def _inner(rng, value, pool, depth):
    """Change the value itself or, half of the time, something inside it."""
    if depth < _DEPTH and rng.random() < 0.5:
        if isinstance(value, (list, tuple)) and value:
            return _inside_sequence(rng, value, pool, depth)
        if type(value) is dict and value:
            key = rng.choice(list(value))
            value[key], word = _inner(rng, value[key], pool, depth + 1)
            return value, "value %s" % word
    if type(value) in _CHANGES:
        return _CHANGES[type(value)](rng, value, pool)
    return _inside_object(rng, value, pool, depth)


def _inside_sequence(rng, value, pool, depth):
    at = rng.randrange(len(value))
    new, word = _inner(rng, value[at], pool, depth + 1)
    if isinstance(value, list):
        value[at] = new
        return value, "item %s" % word
    items = list(value)
    items[at] = new
    if type(value) is tuple:
        return tuple(items), "item %s" % word
    if hasattr(value, "_make"):
        return value._make(items), "item %s" % word
    return value, "unchanged"


def _inside_object(rng, value, pool, depth):
    own = getattr(value, "__dict__", None)
    if type(own) is not dict or not own or depth >= _DEPTH or isinstance(value, type):
        return value, "unchanged"
    name = rng.choice(sorted(own))
    own[name], word = _inner(rng, own[name], pool, depth + 1)
    return value, "attribute %s %s" % (name, word)


def _foreign(rng, value):
    """Something the parameter was not made for."""
    options = [(None, "None"), (object, "a class"), ("text", "a string"), (7, "a number"), ([], "an empty list"),
               ((), "an empty tuple"), ({}, "an empty dict"), (1.5, "a float")]
    if type(value) is list:
        options += [(value + [[]], "one with an unhashable item")] * 2 + [(_OddList(value), "a subclass of list")] * 2
        options += [(tuple(value), "a tuple"), (iter(value), "an iterator"), (value + [None], "one with None inside")] * 2
    elif type(value) is str:
        options += [(_OddStr(value), "a subclass of str")] * 3 + [(value.encode("utf-8", "replace"), "bytes")] * 2
    elif type(value) in (int, bool):
        options += [(_OddInt(value), "a subclass of int"), (str(value), "digits")] * 2
    elif type(value) is dict:
        options += [(_OddDict(value), "a dict with __missing__")] * 3
    elif type(value) is tuple:
        options += [(list(value), "a list"), (iter(value), "an iterator")] * 2
    new, word = rng.choice(options)
    return new, "replaced by " + word


# -- changes by type: each takes (rng, value, pool) and returns (new value, word)


def _sequence(rng, value, pool):
    kind = type(value)
    items = list(value)
    new, word = rng.choice(_SEQUENCE)(rng, items, pool)
    if kind is list and rng.random() < 0.3:
        value[:] = new  # the same list object, so that sharing with others is kept
        return value, word
    return kind(new), word


def _emptied(rng, items, pool):
    return [], "emptied"


def _one(rng, items, pool):
    return ([rng.choice(items)] if items else []), "cut to one item"


def _two(rng, items, pool):
    return ([rng.choice(items), rng.choice(items)] if items else []), "cut to two items"


def _doubled(rng, items, pool):
    return items + items, "doubled"


def _duplicate(rng, items, pool):
    at = rng.randrange(len(items) + 1)
    return items[:at] + ([rng.choice(items)] if items else []) + items[at:], "with one item twice"


def _shuffled(rng, items, pool):
    rng.shuffle(items)
    return items, "shuffled"


def _reversed(rng, items, pool):
    return items[::-1], "reversed"


def _sorted(rng, items, pool):
    try:
        return sorted(items), "sorted"
    except Exception:
        return items[::-1], "reversed"


def _dropped(rng, items, pool):
    if items:
        items.pop(rng.randrange(len(items)))
    return items, "with one item less"


def _borrowed(rng, items, pool):
    atoms = pool.atoms()
    if atoms:
        items.insert(rng.randrange(len(items) + 1), rng.choice(atoms))
    return items, "with an item of another argument"


def _repeated(rng, items, pool):
    return ([rng.choice(items)] * rng.choice((3, 10)) if items else []), "one item many times"


def _grown(rng, items, pool):
    return (items * 10)[:_GROWN] if len(items) < _GROWN else items, "ten times as long"


def _twins(rng, items, pool):
    """Equal and yet different: 1, True and 1.0; 0.0 and -0.0; NaN."""
    twins = rng.choice(([1, True, 1.0], [0, False, -0.0, 0.0], [float("nan")] * 2, [float("nan"), 1.0]))
    numbers = all(type(item) in (int, float, bool) for item in items)
    if not numbers:
        return items[:1] * 2 + items, "with the first item three times"
    for twin in twins:
        items.insert(rng.randrange(len(items) + 1), twin)
    return items, "with equal numbers of different types"


_SEQUENCE = (_emptied, _one, _two, _doubled, _duplicate, _shuffled, _reversed, _sorted, _dropped, _borrowed, _repeated,
             _grown, _twins, _duplicate)


def _text(rng, value, pool):
    options = (
        ("", "emptied"),
        (value[:1], "cut to one character"),
        (value + value, "doubled"),
        (value[::-1], "reversed"),
        (value.upper(), "in capitals"),
        (value.lower(), "in small letters"),
        (value + rng.choice(_DIGITS), "with an unusual digit"),
        (rng.choice(_SPACES) + value + rng.choice(_SPACES), "with odd spaces"),
        (value + "\n", "with a newline at the end"),
        (value + rng.choice(_CASES), "with an unusual letter"),
        (" " + value + " ", "between spaces"),
        (value.replace(value[:1], "") if value else "0", "without its first character"),
        (value[: len(value) // 2], "cut in half"),
        ("".join(rng.sample(value, len(value))), "shuffled"),
        (rng.choice([a for a in pool.atoms() if type(a) is str] or [value]), "replaced by another text"),
        (value[: len(value) // 2] + rng.choice("0aA_-.,:;/'\"\\(\n\x00") + value[len(value) // 2 :], "with one more character"),
    )
    return rng.choice(options)


def _bytes(rng, value, pool):
    options = ((value[:0], "emptied"), (value[:1], "cut to one byte"), (value + value, "doubled"), (value[::-1], "reversed"),
               (value + b"\x00\xff", "with odd bytes"), (value + b"\n", "with a newline at the end"),
               (value[: len(value) // 2], "cut in half"))
    return rng.choice(options)


def _int(rng, value, pool):
    options = [0, 1, -1, 2, -value, value + 1, value - 1, value * 10, value // 2, bool(value), float(min(abs(value), 2**1000))]
    options += [rng.choice(_BIG), rng.randrange(-10, 11)]
    options += [a for a in pool.atoms() if type(a) is int][:3]
    sized = [len(a) + d for a in pool.same_call if isinstance(a, (list, tuple, str, bytes, dict)) for d in (-1, 0, 1)]
    new = rng.choice(options + sized)
    return new, "set to %r" % (new,)


def _float(rng, value, pool):
    options = (0.0, -0.0, -value, float("nan"), float("inf"), float("-inf"), 1e308, 5e-324, value + 1, value / 3, 0.1,
               1, True, value * 1.0000000000000002, rng.uniform(-10, 10))
    new = rng.choice(options)
    return new, "set to %r" % (new,)


def _bool(rng, value, pool):
    new = rng.choice((not value, not value, int(value), float(value)))
    return new, "set to %r" % (new,)


def _dict(rng, value, pool):
    items = list(value.items())
    how = rng.randrange(8)
    if how == 0:
        return {}, "emptied"
    if how == 1:
        return dict(items[:1]), "cut to one entry"
    if how == 2:
        rng.shuffle(items)
        return dict(items), "in another order"
    if how == 3 and items:
        value.pop(rng.choice(items)[0])
        return value, "without one key"
    if how == 4 and items:
        value[rng.choice(items)[0]] = rng.choice(items)[1]
        return value, "with two values the same object"
    if how == 5 and items:
        old, item = rng.choice(items)
        new, _ = _CHANGES[type(old)](rng, old, pool) if type(old) in _CHANGES else (old, "")
        value[new if _hashable(new) else old] = item
        return value, "with one more key"
    if how == 6:
        atoms = [atom for atom in pool.atoms() if _hashable(atom)]
        if atoms and items:
            value[rng.choice(atoms)] = rng.choice(items)[1]
        return value, "with a key of another argument"
    return dict(reversed(items)), "reversed"


def _set(rng, value, pool):
    members = sorted(value, key=repr)
    how = rng.randrange(4)
    if how == 0:
        return type(value)(), "emptied"
    if how == 1:
        return type(value)(members[:1]), "cut to one member"
    atoms = [atom for atom in pool.atoms() if _hashable(atom)]
    if how == 2 and atoms:
        return type(value)(members + [rng.choice(atoms)]), "with a member of another argument"
    return type(value)(members[1:]), "with one member less"


def _none(rng, value, pool):
    return None, "unchanged"


def _hashable(value):
    try:
        hash(value)
    except Exception:
        return False
    return True


_CHANGES = {list: _sequence, tuple: _sequence, str: _text, bytes: _bytes, int: _int, float: _float, bool: _bool,
            dict: _dict, set: _set, frozenset: _set, type(None): _none}

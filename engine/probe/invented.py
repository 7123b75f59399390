"""Invented values as they travel from the engine into the sandbox: tagged JSON, so that NaN, bytes and keys survive.

``["i", "12"]``, ``["f", "0x1p0"]``, ``["s", text]``, ``["b", hex]``, ``["n"]``, ``["t"|"l"|"S"|"Z", items]``,
``["d", [[key, value], ...]]``, ``["B", true]``, ``["c", real, imag]``. Nothing here is ever executed.
"""


def decode(form):
    """A fresh value; raises ValueError for a tag nobody knows."""
    tag = form[0]
    if tag == "n":
        return None
    if tag == "B":
        return bool(form[1])
    if tag == "s":
        return form[1]
    if tag == "f" and form[1] == "nan":
        return _NAN
    if tag in _PLAIN:
        return _PLAIN[tag](form[1])
    if tag in _MANY:
        return _MANY[tag](decode(each) for each in form[1])
    if tag == "d":
        return {decode(key): decode(value) for key, value in form[1]}
    if tag == "c":
        return complex(float.fromhex(form[1]), float.fromhex(form[2]))
    raise ValueError("unknown tag %r" % (tag,))


_PLAIN = {"i": lambda text: int(text, 16), "f": float.fromhex, "b": bytes.fromhex, "y": lambda h: bytearray(bytes.fromhex(h))}
_NAN = float("nan")  # one object for all: whoever compares by identity first will find it
_MANY = {"l": list, "t": tuple, "S": set, "Z": frozenset}

"""Traps of one subject: what looks unchanged may be changed by another name for it, or by an object of foreign type."""

from __future__ import annotations

OTHER_NAMES = {
    "chained assignment makes an alias": """
        def f(xs):
            a = b = [1, 2]
            out = 0
            while out < len(a) * 2:
                b.append(out)
                out += 1
            return a
    """,
    "an alias through a condition": """
        def f(xs, n):
            a = [1, 2]
            b = a if n else []
            i = 0
            while i < len(a) * 2:
                b.append(i)
                i += 1
            return a
    """,
    "an alias inside a container": """
        def f(xs):
            a = [1, 2]
            box = [a]
            i = 0
            while i < len(a) * 2:
                box[0].append(i)
                i += 1
            return a
    """,
    "an alias kept by an unknown object": """
        def f(xs, keeper):
            a = [1, 2]
            keeper.extend(a)
            i = 0
            while i < len(a) * 2:
                keeper.grow()
                i += 1
            return a
    """,
    "a nested function changes the list": """
        def f(xs):
            a = [1, 2]
            def grow():
                a.append(1)
            i = 0
            while i < len(a) * 2:
                grow()
                i += 1
            return a
    """,
    "a row is an element of the matrix": """
        def f(rows, n):
            row = rows[0]
            i = 0
            while i < len(rows[0]) * n:
                row.append(i)
                i += 1
            return rows
    """,
    "a loop variable is an element of the list": """
        def f(rows, n):
            for row in rows:
                for other in rows:
                    other.append(len(row) * n)
            return rows
    """,
    "augmented assignment changes the list itself": """
        def f(xs, ys):
            i = 0
            ys = xs
            while i < len(xs) * 2:
                ys += [i]
                i += 1
            return xs
    """,
    "a view of a changing dict": """
        def f(xs):
            held = {}
            keys = held.keys()
            total = 0
            for x in xs:
                held[x] = x
                total += len(keys) * 2
            return total
    """,
    "an operator of a foreign object may change anything": """
        def f(objs, xs):
            total = 0
            for thing in objs:
                total = thing + total
                total += len(xs) * 2
            return total
    """,
    "iterating a foreign object may change anything": """
        def f(xs, it):
            total = 0
            for thing in it:
                total += len(xs) * 2
            return total
    """,
    "hashing a foreign object may change anything": """
        def f(xs, objs):
            held = {}
            for thing in objs:
                held[thing] = len(xs) * 2
            return held
    """,
    "a context manager may change anything": """
        def f(xs, lock):
            total = 0
            for x in range(3):
                with lock:
                    total += len(xs) * 2
            return total
    """,
}

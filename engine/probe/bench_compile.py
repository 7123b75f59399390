"""Compiles source files to bytecode with the target's interpreter; runs none of them.

Standard input: one JSON list of ``[source path, path to name in tracebacks, output path]``. Files that do not compile
are left out. Each output is 16 header bytes (this interpreter's magic number, then zeros) and the marshalled code.
"""

import importlib.util
import json
import marshal
import sys


def main():
    for source, label, output in json.load(sys.stdin):
        try:
            with open(source, "rb") as stream:
                code = compile(stream.read(), label, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, OSError, RecursionError, MemoryError):
            continue
        with open(output, "wb") as stream:
            stream.write(importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code))


if __name__ == "__main__":
    main()

"""Imports modules one after another for ``python -X importtime imports.py NAME...``; loads nothing else itself.

Each import that fails is told on the standard output as ``failed<TAB>name<TAB>reason``; the times themselves are
printed by the interpreter on the standard error.
"""

import os
import sys


def main(names):
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or os.curdir) != here]
    for name in names:
        try:
            __import__(name)
        except BaseException as error:
            reason = " ".join(("%s: %s" % (type(error).__name__, error)).split())[:200]
            print("failed\t%s\t%s" % (name, reason))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])

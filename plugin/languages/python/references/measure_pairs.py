"""Run the before/after pairs of the domain guides: check that they agree, and measure what they gain.

    python measure_pairs.py check FOLDER ...          # exit 1 and a line for each pair or block that fails
    python measure_pairs.py measure FOLDER ... [--write]   # print (or write figures.md with) the measured table

Standard library only, Python 3.8 or newer. The figures of this folder's guides were made with the second form, once for
each interpreter. Versions run alternately in one process (imports: in fresh processes); the middle of several rounds
counts. They show what size of gain to expect, not a verdict: that is what ab.py is for.
"""

import ast
import asyncio
import contextlib
import gc
import inspect
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc

FENCE = re.compile(r"^```python([^\n]*)\n(.*?)^```$", re.M | re.S)
ROUNDS = 9
IMPORTS = 15
LEAST_NS = 2_000_000


def blocks(path):
    """Every python block of a Markdown file: (line, {option: value}, source)."""
    text = path.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        options = dict(word.split("=", 1) for word in match.group(1).split() if "=" in word)
        found.append((text.count("\n", 0, match.start()) + 1, options, match.group(2)))
    return found


def load(path, line, source):
    """Run one block and give its names."""
    names = {"__name__": "block"}
    code = compile(ast.parse(source), "%s:%d" % (path, line), "exec")
    exec(code, names)  # noqa: S102 - our own examples
    return names


def call(function, arguments):
    """The result of a function or of a coroutine function."""
    result = function(*arguments)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def check(path, line, options, source):
    """Raise AssertionError when before and after differ; plain blocks only have to run."""
    names = load(path, line, source)
    if "pair" not in options:
        return
    if options["metric"] == "import":
        first, second = (imported(names[each], source, measure=False) for each in ("FILES_BEFORE", "FILES_AFTER"))
        assert first == second, "before gives %s, after gives %s" % (first, second)
        return
    for size in sorted({0, 1, 2, int(options["small"]), min(int(options["large"]), 5000)}):
        first, second = (exact(call(names[each], names["make"](size))) for each in ("before", "after"))
        assert first == second, "size %d: before and after differ" % size


def exact(value):
    """Value with exact types all the way down, so that 1 and True differ."""
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [exact(each) for each in value])
    if isinstance(value, dict):
        return ("dict", [(exact(key), exact(each)) for key, each in value.items()])
    return (type(value).__name__, repr(value))


def imported(files, source, *, measure):
    """Import ``app`` made of ``files`` in fresh processes: its probe, or the middle CPU nanoseconds."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            target = pathlib.Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": folder}
        if not measure:
            return fresh(source + "\nimport app\nprint(repr(probe(app)))", environment)
        timed = "import time\nstart = time.process_time_ns()\nimport app\nprint(time.process_time_ns() - start)"
        fresh(timed, environment)
        return statistics.median(int(fresh(timed, environment)) for _ in range(IMPORTS))


def fresh(code, environment):
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().strip()


def gain(names, options, source, size):
    """before / after in the pair's own metric."""
    metric = options["metric"]
    if metric == "import":
        return imported(names["FILES_BEFORE"], source, measure=True) / imported(
            names["FILES_AFTER"], source, measure=True
        )
    measured = {"cpu": timed, "wall": timed, "peak": peak}[metric]
    ratios = []
    for _ in range(3 if metric == "peak" else ROUNDS):
        first = measured(names["before"], names["make"], size, metric)
        second = measured(names["after"], names["make"], size, metric)
        ratios.append(first / max(second, 1))
    return statistics.median(ratios)


def timed(function, make, size, metric):
    """Nanoseconds of one call, the arguments made outside the clock."""
    clock = time.perf_counter_ns if metric == "wall" else time.process_time_ns
    if metric == "wall":
        return on_loop(function, make(size))
    arguments, loops = make(size), 1
    while True:
        start = clock()
        for _ in range(loops):
            function(*arguments)
        spent = clock() - start
        if spent >= LEAST_NS or loops > 1_000_000:
            return spent / loops
        loops *= 4


def on_loop(function, arguments):
    """Wall nanoseconds of one coroutine, the loop made outside the clock."""

    async def once():
        start = time.perf_counter_ns()
        await function(*arguments)
        return time.perf_counter_ns() - start

    return asyncio.run(once())


def peak(function, make, size, _metric):
    """Traced peak bytes of one call."""
    arguments = make(size)
    gc.collect()
    tracemalloc.start()
    function(*arguments)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def table(folder):
    """Rows of one folder: pair, metric, page, gain at the small and at the large size."""
    rows = []
    for path in sorted(folder.glob("*.md")):
        for line, options, source in blocks(path):
            if "pair" not in options:
                continue
            names = load(path, line, source)
            sizes = (options.get("small"), options.get("large"))
            cells = [
                "%s: %s" % (size, shown(gain(names, options, source, int(size)))) if size else "-" for size in sizes
            ]
            if options["metric"] == "import":
                cells = ["-", shown(gain(names, options, source, 0))]
            rows.append((options["pair"], options["metric"], path.name, *cells))
    return rows


def shown(ratio):
    return "%.2fx" % ratio if ratio < 10 else "%.0fx" % ratio


HEAD = """# Measured gains: Python %s

before / after, so above 1 is better; `size: gain` at the small and at the large size of the pair. CPU time, wall time, traced peak or CPU of a fresh import, as the
metric says. Made by `measure_pairs.py` beside this folder on a shared virtual machine; expect the size of a gain, not its second digit. Below 1 is real too: it is why small
inputs are always measured.

"""


def write(folder, rows):
    """Put this interpreter's columns into the folder's figures.md, beside those of others."""
    version = ".".join(platform.python_version_tuple()[:2])
    figures = folder / "figures.md"
    known = read(figures)
    for pair, metric, page, small, large in rows:
        known.setdefault((pair, metric, page), {})[version] = (small, large)
    versions = sorted({v for each in known.values() for v in each}, key=lambda v: tuple(map(int, v.split("."))))
    lines = ["| pair | metric | page | " + " | ".join("%s small | %s large" % (v, v) for v in versions) + " |"]
    lines.append("|---" * (3 + 2 * len(versions)) + "|")
    for key, cells in sorted(known.items(), key=lambda item: (item[0][2], item[0][0])):
        wide = [cell for v in versions for cell in cells.get(v, ("-", "-"))]
        lines.append("| " + " | ".join([*key, *wide]) + " |")
    figures.write_text(HEAD % ", ".join(versions) + "\n".join(lines) + "\n", encoding="utf-8")


def read(figures):
    """The table that is there: {(pair, metric, page): {version: (small, large)}}."""
    known = {}
    with contextlib.suppress(OSError):
        rows = [r.strip("| ").split(" | ") for r in figures.read_text(encoding="utf-8").split("\n") if r.startswith("| ")]
        versions = [cell.split()[0] for cell in rows[0][3::2]]
        for row in rows[1:]:
            known[tuple(row[:3])] = {v: (row[3 + 2 * i], row[4 + 2 * i]) for i, v in enumerate(versions)}
    return known


def main(words):
    verb, folders = (words or [""])[0], [pathlib.Path(word) for word in words[1:] if not word.startswith("-")]
    if verb not in ("check", "measure") or not folders:
        print(__doc__)
        return 2
    if verb == "measure":
        for folder in folders:
            rows = table(folder)
            if "--write" in words:
                write(folder, rows)
            for row in rows:
                print("\t".join(row))
        return 0
    wrong = 0
    for path in sorted(path for folder in folders for path in folder.glob("**/*.md")):
        for line, options, source in blocks(path):
            try:
                check(path, line, options, source)
            except Exception as error:  # a report of all, not only of the first
                wrong += 1
                print("%s:%d: %s: %s" % (path, line, type(error).__name__, error))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

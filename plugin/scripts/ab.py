"""Is the new version really faster? Interleaved fresh processes, a noise floor, replication, one answer.

    ab.py gate    --before TREE --after TREE (--script FILE | --command CMD | --module NAME) [options]
    ab.py compare (the same)              no rule: 40 pairs and the number with its interval
    ab.py gate    --before-command CMD --after-command CMD
    ab.py replay  RAW.json                decide again from what was measured
    ab.py alongside -- CMD ...            run tests or installs while nobody measures

Exit status: 0 keep (or measured, or the command's own for alongside), 1 discard or unclear, 2 wrong call, 3 crash.
A --script defines run(state) and, if it wants, setup(); see references/shared/micro-benchmark.md. A --command is one value
a process, unless it prints a line ``AB {"cpu": [ns, ...], "wall": [ns, ...]}``. Standard library only, Python 3.8 or newer.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import ab_machine
import ab_rule as rule
import ab_words

CHILD = pathlib.Path(__file__).resolve().with_name("ab_child.py")
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SYSTEMROOT", "NODE_PATH")
PEAK_RUNS, FLOOR_PROCESSES, EARLY = 3, 40, 6


class Crash(Exception):
    """A measured process ended badly; the message is for people."""


class Wrong(Exception):
    """A call that cannot be measured; the message says what to change."""


class Bench:
    """Runs single processes of either version. ``scratch`` holds byte code and nothing else."""

    def __init__(self, options, scratch):
        self.options, self.scratch = options, scratch
        self.loops, self.values, self.keep_first = 1, 1, 0

    def calibrate(self):
        if self.options.script and self.options.metric != "import":
            clock = "wall" if self.options.metric == "wall" else "cpu"
            found = self.child("before", ["calibrate", self.options.script, clock, str(int(self.options.fresh))], 0, 0)
            self.loops, self.values, self.keep_first = found["loops"], found["values"], found["keep_first"]

    def process(self, side, seed, padding):
        """One fresh process: {"cpu": [ns], "wall": [ns], "peak": bytes or None}."""
        if self.options.script:
            how = ["script", self.options.script, str(self.loops), str(self.values), str(self.keep_first)]
            return self.child(side, how, seed, padding)
        if self.options.module:
            return self.child(side, ["import", self.options.module, "-"], seed, padding)
        return self.command(side, seed, padding)

    def peak(self, side, traced, seed):
        if not self.options.script:
            return None if traced else self.process(side, seed, 0)["peak"]
        found = self.child(side, ["peak", self.options.script, str(int(traced))], seed, 0)
        return found["traced"] if traced else found["peak"]

    def child(self, side, words, seed, padding):
        out, _spent = self.run(side, [self.options.python, str(CHILD), *words], seed, padding)
        return answer(out) or self.fail(side, "it printed no result")

    def command(self, side, seed, padding):
        text = getattr(self.options, side + "_command") or self.options.command
        out, spent = self.run(side, shlex.split(text), seed, padding)
        found = answer(out)
        return {**found, "peak": found.get("peak") or spent["peak"]} if found else spent

    def environment(self, side, seed, padding):
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        roots = [str(root) for root in self.roots(side)]
        cache = os.path.join(self.scratch, side)
        extra = dict(word.split("=", 1) for word in self.options.env)
        paths = os.pathsep.join([*roots, *filter(None, [extra.pop("PYTHONPATH", "")])])
        return {
            **kept,
            "PYTHONHASHSEED": str(seed),
            "AB_PADDING": "x" * padding,
            "PYTHONPATH": paths,
            "PYTHONPYCACHEPREFIX": cache,
            **extra,
        }

    def roots(self, side):
        tree = getattr(self.options, side)
        if not tree:
            return []
        named = [tree / root for root in self.options.import_root]
        return named or ([tree / "src"] if (tree / "src").is_dir() else []) + [tree]

    def run(self, side, words, seed, padding):
        """(standard output, {"cpu", "wall", "peak"} of the whole process); Crash for another exit status than 0."""
        folder = getattr(self.options, side) or pathlib.Path.cwd()
        started = time.perf_counter_ns()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                running = subprocess.Popen(
                    words, cwd=str(folder), env=self.environment(side, seed, padding), stdout=out, stderr=err,
                    stdin=subprocess.DEVNULL, start_new_session=True,
                )
            except OSError as error:
                raise Wrong("%s cannot be started: %s" % (words[0], error.strerror)) from error
            usage = self.wait(side, running)
            spent = max(time.perf_counter_ns() - started, 1)
            if running.returncode:
                err.seek(0)
                self.fail(side, "exit status %d: %s" % (running.returncode, err.read().decode(errors="replace")[-600:]))
            out.seek(0)
            cpu = max(int((usage.ru_utime + usage.ru_stime) * 1e9), 1) if usage else spent
            peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) if usage else None
            return out.read().decode(errors="replace"), {"cpu": [cpu], "wall": [spent], "peak": peak}

    def wait(self, side, running):
        """Wait for the process; after the time limit it and all it started are killed."""
        limit = time.monotonic() + self.options.timeout
        pause = 0.0005
        while True:
            if not hasattr(os, "wait4"):
                running.wait(timeout=self.options.timeout)
                return None
            pid, status, usage = os.wait4(running.pid, os.WNOHANG)
            if pid:
                running.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                return usage
            if time.monotonic() > limit:
                with contextlib.suppress(OSError):
                    os.killpg(running.pid, signal.SIGKILL)
                os.wait4(running.pid, 0)
                running.returncode = -9
                self.fail(side, "it took longer than %g s; raise --timeout or take a smaller input" % self.options.timeout)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.005)

    def fail(self, side, reason):
        name = "the version before the change" if side == "before" else "the changed version"
        raise Crash("%s failed: %s" % (name, reason.strip()))


def answer(out):
    """The last line ``AB {...}`` of the output as a dictionary; None when there is none."""
    lines = [line[3:] for line in out.splitlines() if line.startswith("AB {")]
    return json.loads(lines[-1]) if lines else None


class Measuring:
    """Pairs in ABBA or BAAB order by a seeded coin; one hash seed and one padding a pair; a crash repeats its pair once."""

    def __init__(self, bench, seed):
        self.bench, self.coin, self.couples, self.order = bench, random.Random(seed), [], []

    def more(self, count):
        for _ in range(count // 2):
            first = ("before", "after") if self.coin.random() < 0.5 else ("after", "before")
            self.pair(first)
            self.pair(first[::-1])

    def pair(self, order):
        seed, padding = self.coin.randrange(1, 2**32), self.coin.randrange(0, 4097)
        try:
            found = {side: self.bench.process(side, seed, padding) for side in order}
        except Crash:
            found = {side: self.bench.process(side, seed, padding) for side in order}
        self.order.append(order[0])
        self.couples.append([found["before"], found["after"]])

    def floor(self, longest):
        """(floor, seconds a process) of the old version against itself; no floor when a process takes over ``longest``."""
        clock, started, scores = ("wall" if self.bench.options.metric == "wall" else "cpu"), time.monotonic(), []
        while len(scores) < FLOOR_PROCESSES:
            seed, padding = self.coin.randrange(1, 2**32), self.coin.randrange(0, 4097)
            scores += [rule.score(self.bench.process("before", seed, padding), clock) for _ in (1, 2)]
            seconds = (time.monotonic() - started) / len(scores)
            if len(scores) == EARLY and seconds > longest:
                return rule.LEAST_FLOOR, seconds
        return rule.floor_of(scores, self.bench.options.metric), seconds


def measure(options):
    """The record of one measurement, as --raw stores it."""
    scratch = tempfile.mkdtemp(prefix="ab-")
    record = {
        "schema": 1, "purpose": options.verb, "metric": options.metric, "level": options.level, "delta": rule.LEAST_FLOOR,
        "workload": workload(options), "seed": options.seed, "couples": [], "loops": 1,
    }
    try:
        with ab_machine.hold(shared=False) as handle:
            _fill(record, options, Bench(options, scratch), handle)
    except Crash as error:
        record["failure"] = str(error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return record


def _fill(record, options, bench, handle):
    record["load"] = ab_machine.load_now()
    bench.calibrate()
    record["loops"] = bench.loops
    measuring = Measuring(bench, options.seed)
    record["couples"], record["order"] = measuring.couples, measuring.order
    if options.metric == "peak":
        record["peaks"] = {name: peaks(bench, name == "traced") for name in ("rss", "traced")}
        if record["purpose"] == "compare" or not _promises(record["peaks"]):
            return
    for side in ("before", "after"):
        bench.process(side, 0, 0)  # byte code is compiled and files are in memory before anything counts
    _floor(record, options, measuring, handle)
    if not record.get("needs"):
        _pairs(record, options, measuring)


def _floor(record, options, measuring, handle):
    """Measured once more, after a wait, when it is above the tenth that tells a noisy machine."""
    if options.floor is not None:
        record["delta"] = max(options.floor, rule.LEAST_FLOOR)
        return
    processes = 160 if options.metric == "wall" and options.verb == "gate" else 80
    record["delta"], seconds = measuring.floor(options.budget / processes)
    if seconds * processes > options.budget:
        record["needs"] = seconds * processes
    elif record["delta"] > rule.NOISY_FLOOR:
        ab_machine.wait_for_quiet(handle, options.patience)
        record["load"] = ab_machine.load_now()
        record["delta"], _seconds = measuring.floor(options.budget / processes)


def _pairs(record, options, measuring):
    if options.metric == "peak":
        measuring.more(rule.STAGE)
    elif record["purpose"] == "compare":
        measuring.more(2 * rule.STAGE)
    else:
        wanted = rule.SIZES[options.metric][0]
        while wanted:
            measuring.more(wanted)
            pairs = rule.pairs_of(measuring.couples, "wall" if options.metric == "wall" else "cpu")
            wanted = rule.decide(pairs, options.metric, record["delta"])["more"]


def peaks(bench, traced):
    """Three peaks of each version, alternating; None where they cannot be read."""
    found = [[], []]
    for number in range(PEAK_RUNS):
        for place, side in enumerate(("before", "after")):
            found[place].append(bench.peak(side, traced, number + 1))
    return found if all(all(side) for side in found) else None


def _promises(found):
    return bool(found["rss"]) and all(rule.saves(*found[name]) for name in ("rss", "traced") if found[name])


def workload(options):
    return options.script or options.module or options.command or options.after_command


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("gate", "compare"))
    parser.add_argument("--before", type=pathlib.Path)
    parser.add_argument("--after", type=pathlib.Path)
    for name in ("--script", "--command", "--module", "--before-command", "--after-command", "--raw"):
        parser.add_argument(name, default="")
    parser.add_argument("--metric", choices=("cpu", "wall", "import", "peak"))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--import-root", action="append", default=[], help="relative to each tree; default src and the root")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--fresh", action="store_true", help="one call a value, its state made anew")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--floor", type=float)
    parser.add_argument("--level", type=float, choices=sorted(rule.STUDENT), default=0.95)
    parser.add_argument("--budget", type=float, default=180, help="seconds for the pairs")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one process")
    parser.add_argument("--patience", type=float, default=120, help="seconds to wait when the machine is noisy")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return checked(parser.parse_args(words))


def checked(options):
    two = bool(options.before_command and options.after_command)
    if sum(map(bool, (options.script, options.command, options.module, two))) != 1:
        raise Wrong("give exactly one of --script, --command, --module, or both --before-command and --after-command")
    if not two and not (options.before and options.after):
        raise Wrong("give the work tree of each version with --before and --after")
    for tree in (options.before, options.after):
        if tree is not None and not tree.is_dir():
            raise Wrong("%s is no folder" % tree)
    options.metric = options.metric or ("import" if options.module else "cpu")
    if (options.metric == "import") != bool(options.module):
        raise Wrong("--module and --metric import belong together")
    if any("=" not in word for word in options.env):
        raise Wrong("--env takes NAME=VALUE")
    if options.script:
        options.script = str(pathlib.Path(options.script).resolve())
        if not os.path.isfile(options.script):
            raise Wrong("%s is no file" % options.script)
    if os.path.basename(options.python) != options.python:  # not resolved: an environment's interpreter is a link
        options.python = os.path.abspath(options.python)
    options.before, options.after = (tree.resolve() if tree else None for tree in (options.before, options.after))
    return options


def show(record, as_json, raw=""):
    found = rule.judge(record)
    if raw:
        pathlib.Path(raw).parent.mkdir(parents=True, exist_ok=True)
        draft = raw + ".part"
        pathlib.Path(draft).write_text(json.dumps(record) + "\n", encoding="utf-8")
        os.replace(draft, raw)
    if as_json:
        print(json.dumps({**found, "workload": record["workload"], "cells": ab_words.cells(found)}))
    else:
        print(ab_words.sentence(found, record))
        print("cells\t" + "\t".join("%s=%s" % item for item in ab_words.cells(found).items()))
    return {"keep": 0, "measured": 0, "crash": 3}.get(found["outcome"], 1)


def main(words):
    try:
        if words[:1] == ["replay"]:
            return replay(words[1:])
        if words[:2] == ["alongside", "--"] and words[2:]:
            with ab_machine.hold(shared=True):
                return subprocess.call(words[2:])
        options = parse(words)
        return show(measure(options), options.json, options.raw)
    except Wrong as error:
        sys.stderr.write("ab: %s\n" % error)
        return 2


def replay(words):
    names = [word for word in words if word != "--json"]
    if len(names) != 1:
        raise Wrong("replay takes one raw file")
    try:
        record = json.loads(pathlib.Path(names[0]).read_text(encoding="utf-8"))
        return show(record, "--json" in words)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Wrong("%s cannot be read as a raw file: %s" % (names[0], error)) from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

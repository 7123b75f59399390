"""Plans what a measuring process replays: which recorded calls, how often, how many passes make a value.

Calibration does this once on A; the survey says what B does differently with the same plan.
"""

import hashlib

MOST_CALLS = 512
PASS_NS = 8000000
COPY_BYTES = 64 << 20
COPIES_A_VALUE, COPIES_A_PROCESS = 512, 8192
VALUE_WALL_NS, PROCESS_WALL_NS = 20000000, 250000000
BIG_BLOB = 1 << 20
PASSES, SHARE = 3, 10
RAISED = (Exception, SystemExit)


def calibrate(calls):
    """Choose what a pass is: which calls, how often, how many passes make a value, how many values a process."""
    usable = calls.usable()
    if not usable:
        return {"error": "none of the recorded calls can be loaded here"}
    find_changes(calls, usable)
    costs, walls = costs_of(calls, usable)
    order = sorted(walls, key=lambda index: (walls[index], index))
    if walls[order[0]] > calls.job["most_ns"]:
        return {"needs": walls[order[0]]}
    plan = repeats_of(calls, order, costs, walls)
    while sum(walls[i] * r for i, r in plan) > calls.job["most_ns"] and len(plan) > 1:
        plan.pop()
    calls.plan = sorted(plan)
    loops, values, wall_ns, whole = fitted(calls, walls)
    if whole > most_process(calls):
        return {"needs": whole // 2}
    return {
        "plan": calls.plan, "loops": loops, "values": values, "pass_ns": wall_ns, "process_ns": whole,
        "fresh": sorted(calls.fresh), "stateful": calls.stateful, "lazy": calls.lazy, "recorded": len(calls.items),
        "used": len(calls.plan), "per_pass": 1 if calls.waits else sum(repeats for _, repeats in calls.plan),
        "keep_first": wall_ns > calls.core.LONG_CALL_NS, "inputs": inputs_of(calls),
    }


def most_process(calls):
    """What a process may take beside its start: a first pass, the values, a last pass."""
    return PASSES * calls.job["most_ns"]


def fitted(calls, walls):
    """Fewer values, then fewer inputs, until a process fits with what it does off the clock: loading arguments anew,
    comparing results. Returns (loops, values, wall ns of a pass, wall ns of a process)."""
    while True:
        loops, pass_ns, wall_ns = loops_of(calls)
        values = values_of(calls, loops, pass_ns, wall_ns)
        each, told = _wall(calls, calls.value, 0, loops), _wall(calls, calls.results, 0)
        room = int((most_process(calls) - 2 * told) // max(1, each))
        values = max(1, min(values, room))
        whole = values * each + 2 * told
        if whole <= most_process(calls) or not _thinned(calls, walls):
            return loops, values, wall_ns, whole


def _wall(calls, run, *args):
    """Wall ns of one run, everything included."""
    start = calls.core.WALL()
    run(*args)
    return calls.core.WALL() - start


def _thinned(calls, walls):
    """Halve the repeats, or where there are none let the dearer half of the inputs go; False when one call is left."""
    if any(repeats > 1 for _, repeats in calls.plan):
        calls.plan = [(index, (repeats + 1) // 2) for index, repeats in calls.plan]
        return True
    cheap = sorted(calls.plan, key=lambda each: (walls[each[0]], each[0]))
    calls.plan = sorted(cheap[: len(cheap) // 2]) or calls.plan
    return len(cheap) > 1


def survey(calls):
    """What B does differently with the same plan: arguments it changes, state it keeps, results it delays."""
    indices = [index for index, _ in calls.plan]
    for index in indices:
        calls.arguments(index)
    find_changes(calls, indices)
    return {"fresh": sorted(calls.fresh), "stateful": calls.stateful, "lazy": calls.lazy, "inputs": inputs_of(calls)}


def inputs_of(calls):
    known = hashlib.sha256()
    for index, repeats in calls.plan:
        known.update(b"%d %d " % (index, repeats))
        known.update(hashlib.sha256(calls.items[index]["blob"]).digest())
    return known.hexdigest()[:32]


def find_changes(calls, indices):
    """Run each call once and see what it leaves changed: its arguments, the modules, or a result still to come."""
    for index in indices:
        blob = calls.items[index]["blob"]
        before = _frozen(calls, index) if len(blob) <= BIG_BLOB else None
        result = _once(calls, index)
        calls.lazy = calls.lazy or hasattr(result, "__next__") or hasattr(result, "__anext__")
        if before is None or _frozen(calls, index) != before:
            calls.fresh.add(index)
            calls.kept.pop(index, None)
    calls.stateful = calls.stateful or calls.snapshot.changed()


def _frozen(calls, index):
    args, kwargs = calls.kept.get(index, (None, None))
    try:
        return calls.parts["calls"].freeze(args, kwargs, limit=COPY_BYTES) if args is not None else None
    except Exception:
        return None


def _once(calls, index):
    args, kwargs = calls.arguments(index)
    try:
        result = calls.function(*args, **kwargs)
        return calls.loop.run_until_complete(result) if hasattr(result, "__await__") and calls.loop else result
    except RAISED:
        return None


def costs_of(calls, indices):
    """Two dicts: least ns of two timed calls (one when it is long), on the metric's clock and on the wall."""
    clock, costs, walls = calls.clock, {}, {}
    for index in indices:
        calls.plan = [(index, 1)]
        timed = [calls.timed(0, 1)]
        if timed[0][1] < 200000000:
            timed.append(calls.timed(1, 1))
        costs[index] = max(1, min(each[clock] for each in timed))
        walls[index] = max(1, min(each[1] for each in timed))
    return costs, walls


def repeats_of(calls, order, costs, walls):
    """Frequencies scaled down so that a pass stays short; every kept call at least once."""
    counts = {index: max(1, int(calls.items[index].get("count") or 1)) for index in order}
    spent = sum(costs[i] * counts[i] for i in order)
    waited = sum(walls[i] * counts[i] for i in order)
    limits = MOST_CALLS / float(sum(counts.values())), PASS_NS / float(spent), 4 * PASS_NS / float(waited)
    scale = min(1.0, *limits)
    return [(index, max(1, int(round(counts[index] * scale)))) for index in order]


def loops_of(calls):
    """Double the passes of a value until it takes 2 ms, or a tenth of the process with what is off the clock.

    Returns (passes, ns of one pass, wall ns of one pass).
    """
    loops, clock = 1, calls.clock
    copies = sum(repeats for index, repeats in calls.plan if index in calls.fresh)
    heavy = sum(len(calls.items[i]["blob"]) * repeats for i, repeats in calls.plan if i in calls.fresh)
    calls.timed(0, 1)
    while True:
        start = calls.core.WALL()
        spent = calls.timed(loops, loops)
        dear = calls.core.WALL() - start > most_process(calls) // SHARE
        enough = spent[clock] >= calls.core.VALUE_NS or spent[1] >= VALUE_WALL_NS or loops >= 1 << 16
        much = 2 * loops * heavy > COPY_BYTES or 2 * loops * copies > COPIES_A_VALUE
        if calls.waits or enough or much or dear:
            return loops, max(1, spent[clock] // loops), max(1, spent[1] // loops)
        loops *= 2


def values_of(calls, loops, pass_ns, wall_ns):
    """About 50 ms of values, less where waiting or copying arguments would make the process long."""
    copies = loops * sum(repeats for index, repeats in calls.plan if index in calls.fresh)
    most = min(PROCESS_WALL_NS // (wall_ns * loops), COPIES_A_PROCESS // copies if copies else calls.core.MOST_VALUES)
    return max(1, min(calls.core.how_many(pass_ns, loops), most))


MODES = {"calibrate": calibrate, "survey": survey}

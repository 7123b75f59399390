"""The keep rule: from what processes measured to an outcome. Pure: no clock, no chance, no files.

A pair is two neighbouring processes, ((least, middle) of the old version, (least, middle) of the new one), times in ns.
The same rule, written a second time, decides in the engine; a test holds both to the same answers. Standard library only,
Python 3.8 or newer.
"""

import math
from statistics import median

STAGE, BLOCKS, WINDOW = 20, 8, 20
GO_ON_P, WITNESS_P, EXTENDED_P = 0.10, 0.005, 0.0025
LEAST_FLOOR, NOISY_FLOOR, WALL_SLACK = 0.02, 0.10, 0.10
PEAK_FACTOR, PEAK_SLACK, PEAK_SHARE, PEAK_BYTES = 1.05, 1 << 20, 0.05, 1 << 20
STUDENT = {0.95: 2.3646, 0.99: 3.4995}
SIZES = {"cpu": (20, 40, 80), "import": (20, 40, 80), "wall": (80,)}


def quantile(values, q):
    """The q-quantile by linear interpolation."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def doubled_ranks(values):
    """Twice the mean rank of each value; whole numbers also for ties."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, start = [0] * len(values), 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in range(start, end + 1):
            ranks[order[place]] = start + end + 2
        start = end + 1
    return ranks


def counts_of_sums(ranks, most):
    """How many subsets of ``ranks`` have each sum up to ``most``."""
    counts = [0] * (most + 1)
    counts[0] = 1
    for rank in ranks:
        for total in range(most, rank - 1, -1):
            counts[total] += counts[total - rank]
    return counts


def signed_rank_p(differences):
    """Exact one-sided signed-rank test that the differences lie above 0: (p, how many were not zero)."""
    kept = [d for d in differences if d != 0.0]
    if not kept:
        return 1.0, 0
    ranks = doubled_ranks([abs(d) for d in kept])
    below = sum(rank for rank, d in zip(ranks, kept) if d < 0)
    return sum(counts_of_sums(ranks, below)) / 2 ** len(kept), len(kept)


def hodges_lehmann(values, level=0.95):
    """Median of the means of all two (also of one with itself), with its exact interval: (estimate, low, high)."""
    n = len(values)
    means = sorted((values[i] + values[j]) / 2 for i in range(n) for j in range(i, n))
    reached, cut = 0, -1
    for c, count in enumerate(counts_of_sums(range(1, n + 1), n * (n + 1) // 2)):
        reached += count
        if reached > (1 - level) / 2 * 2**n:
            break
        cut = c
    cut = max(0, cut)
    return median(means), means[cut], means[-1 - cut]


def differences(pairs):
    """Per pair the log-ratio of the middles, above 0 when the new version is faster."""
    return [math.log(a[1] / b[1]) for a, b in pairs]


def part_ratios(pairs, parts):
    """Log-ratio of the least values in each of so many consecutive parts."""
    cuts = [len(pairs) * i // parts for i in range(parts + 1)]
    return [
        math.log(min(a[0] for a, _ in pairs[x:y]) / min(b[0] for _, b in pairs[x:y])) for x, y in zip(cuts, cuts[1:])
    ]


def decide(pairs, metric, delta):
    """After 20, 40 or 80 pairs: {"verdict": more | keep | discard | unclear, "p", "witnesses", "more"}."""
    n, bar = len(pairs), math.log1p(delta)
    if n not in SIZES[metric]:
        raise ValueError("the gate decides after %s pairs, not after %d" % (SIZES[metric], n))
    if metric != "wall" and n == STAGE:
        p, _ = signed_rank_p(differences(pairs))
        if min(part_ratios(pairs, 2)) > bar or p < GO_ON_P:
            return {"verdict": "more", "p": p, "witnesses": [], "more": STAGE}
        return {"verdict": "discard", "p": p, "witnesses": [], "more": 0}
    p, ranked = signed_rank_p([d - bar for d in differences(pairs)])
    first = metric != "wall" and min(part_ratios(pairs, 4)) > bar
    extended = metric != "wall" and n > 2 * STAGE
    second = ranked >= STAGE and p < (EXTENDED_P if extended else WITNESS_P)
    witnesses = [number for number, seen in ((1, first), (2, second)) if seen]
    if witnesses:
        return {"verdict": "keep", "p": p, "witnesses": witnesses, "more": 0}
    if metric != "wall" and n == 2 * STAGE and headline(pairs, metric, delta)["ratio"] > 1 + delta:
        return {"verdict": "more", "p": p, "witnesses": [], "more": 2 * STAGE}
    return {"verdict": "unclear", "p": p, "witnesses": [], "more": 0}


def headline(pairs, metric, delta, level=0.95):
    """The ratio to show, with its interval: fastest case on CPU, median on wall; the smaller when they disagree."""
    logs = part_ratios(pairs, BLOCKS)
    mean = math.fsum(logs) / BLOCKS
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in logs) / (BLOCKS - 1))
    reach = STUDENT[level] * spread / math.sqrt(BLOCKS)
    fastest = ("fastest case", mean, mean - reach, mean + reach)
    middle = ("median", *hodges_lehmann(differences(pairs), level))
    first, second = (middle, fastest) if metric == "wall" else (fastest, middle)
    apart = abs(fastest[1] - middle[1]) > math.log1p(delta)
    if apart and second[1] < first[1]:
        first, second = second, first
    ratio, low, high = (math.exp(value) for value in first[1:])
    return {"ratio": ratio, "low": low, "high": high, "estimator": first[0], "apart": apart}


def floor_of(scores, metric):
    """How far the old version differs from itself: 75% quantile over windows of 20 neighbours labelled ABBA."""
    if len(scores) < WINDOW:
        raise ValueError("a floor takes at least %d processes, not %d" % (WINDOW, len(scores)))
    seen = []
    for start in range(len(scores) - WINDOW + 1):
        window = scores[start : start + WINDOW]
        first = [s for i, s in enumerate(window) if i % 4 in (0, 3)]
        other = [s for i, s in enumerate(window) if i % 4 in (1, 2)]
        if metric == "wall":
            a, b = (median(s[1] for s in side) for side in (first, other))
        else:
            a, b = (min(s[0] for s in side) for side in (first, other))
        seen.append(abs(math.log(a / b)))
    return max(LEAST_FLOOR, math.exp(quantile(seen, 0.75)) - 1)


def score(process, clock):
    """(least, middle) of one process on one clock."""
    return min(process[clock]), median(process[clock])


def pairs_of(couples, clock):
    return [(score(a, clock), score(b, clock)) for a, b in couples]


def guard(couples, metric, delta):
    """Every reason why a faster version must not be kept; empty when there is none."""
    clock = "wall" if metric == "wall" else "cpu"
    reasons = []
    if hodges_lehmann(differences(pairs_of(couples, clock)))[0] <= -math.log1p(delta):
        reasons.append("the median is slower by more than the noise floor")
    slack = math.log1p(max(delta, WALL_SLACK))
    if clock == "cpu" and hodges_lehmann(differences(pairs_of(couples, "wall")))[0] <= -slack:
        reasons.append("it takes longer on the wall clock")
    tails = [math.log(a["p95"] / b["p95"]) for a, b in couples if a.get("p95") and b.get("p95")]
    if metric == "wall" and len(tails) >= 10 and hodges_lehmann(tails)[0] <= -math.log1p(delta):
        reasons.append("the slowest twentieth of the calls got slower")
    before, after = ([c[side]["peak"] for c in couples if c[side].get("peak")] for side in (0, 1))
    if before and after and median(after) > median(before) * PEAK_FACTOR + PEAK_SLACK:
        reasons.append("peak memory grew from %.1f to %.1f MiB" % (median(before) / 2**20, median(after) / 2**20))
    return reasons


def saves(before, after):
    """Whether the least of ``after`` is 5% and 1 MiB below the least of ``before``."""
    saved = min(before) - min(after)
    return saved >= PEAK_BYTES and saved >= PEAK_SHARE * min(before)


def judge(record):
    """The whole answer from a record as it is stored: outcome, reason, ratio, interval, witnesses, pairs, medians.

    ``record``: {"metric", "purpose": gate | compare, "delta", "level", "couples": [[a, b]], "peaks"?, "failure"?, "needs"?}.
    """
    found = {"outcome": "unclear", "reason": "", "ratio": None, "low": None, "high": None, "p": None, "witnesses": []}
    found.update(metric=record["metric"], floor=record["delta"], pairs=len(record["couples"]), level=record["level"])
    found.update(unit="bytes" if record["metric"] == "peak" else "ns", before=None, after=None, estimator="")
    if record.get("failure"):
        return dict(found, outcome="crash", reason=record["failure"])
    if record.get("needs"):
        return dict(found, reason="needs %d s; give a larger --budget or a smaller input" % math.ceil(record["needs"]))
    if record["metric"] == "peak":
        return judge_peak(record, found)
    if record["purpose"] == "compare":
        return dict(found, outcome="measured", **numbers(record, record["couples"]))
    return judge_gate(record, found)


def judge_gate(record, found):
    metric, delta, couples = record["metric"], record["delta"], record["couples"]
    pairs, outcome = pairs_of(couples, "wall" if metric == "wall" else "cpu"), None
    for size in SIZES[metric]:
        if len(pairs) < size:
            break
        outcome, used = decide(pairs[:size], metric, delta), size
        if outcome["verdict"] != "more":
            break
    if outcome is None:
        return dict(found, reason="too few pairs were measured")
    found.update(numbers(record, couples[:used]), p=outcome["p"], witnesses=outcome["witnesses"], pairs=used)
    if outcome["verdict"] == "keep":
        reasons = guard(couples, metric, delta)
        return dict(found, outcome="discard" if reasons else "keep", reason="; ".join(reasons) and "guard: " + "; ".join(reasons))
    if outcome["verdict"] == "discard":
        return dict(found, outcome="discard", reason="slower" if found["high"] < 1 else "within noise")
    return dict(found, outcome="unclear", reason="within noise")


def judge_peak(record, found):
    peaks = record.get("peaks") or {}
    if not all(peaks.get("rss") or [[]]):
        return dict(found, reason="peak memory could not be read")
    before, after = peaks["rss"]
    found.update(before=min(before), after=min(after), ratio=min(before) / min(after), floor=PEAK_SHARE)
    found.update(low=min(before) / max(after), high=max(before) / min(after), estimator="least of 3 runs a side")
    if record["purpose"] == "compare":
        return dict(found, outcome="measured")
    if not all(saves(*peaks[name]) for name in ("rss", "traced") if peaks.get(name) and all(peaks[name])):
        return dict(found, outcome="discard", reason="within noise: less than 5% or 1 MiB saved")
    if len(record["couples"]) < STAGE:
        return dict(found, reason="too few pairs were measured for the time guard")
    bare = [[dict(process, peak=None) for process in couple] for couple in record["couples"]]
    reasons = guard(bare, "cpu", record["delta"])
    return dict(found, outcome="discard" if reasons else "keep", reason="; ".join(reasons))


def numbers(record, couples):
    """Headline ratio and the medians of both sides, per call."""
    clock = "wall" if record["metric"] == "wall" else "cpu"
    shown = headline(pairs_of(couples, clock), record["metric"], record["delta"], record["level"])
    before, after = (median(median(c[side][clock]) for c in couples) / record.get("loops", 1) for side in (0, 1))
    return {"before": before, "after": after, **{name: shown[name] for name in ("ratio", "low", "high", "estimator")}}

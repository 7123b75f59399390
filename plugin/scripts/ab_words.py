"""What ab.py says: the answer in one line for people, and the measured cells of a results.tsv row. Standard library only."""

import ab_rule as rule

WORDS = {1: "first witness", 2: "second witness"}


def sentence(found, record):
    """The answer for people, in one line."""
    if found["ratio"] is None:
        return "%s: %s" % (found["outcome"], found["reason"])
    seen = "both witnesses" if len(found["witnesses"]) == 2 else ", ".join(WORDS[each] for each in found["witnesses"])
    parts = [
        "%.3fx %s" % (found["ratio"], "less memory" if found["unit"] == "bytes" else "faster"),
        "%d%% interval %.3f to %.3f" % (found["level"] * 100, found["low"], found["high"]),
        "floor %.3fx" % (1 + found["floor"]),
        "%d pairs" % found["pairs"],
        "load %.1f" % record["load"] if record.get("load") is not None else "",
        seen,
        found["estimator"],
        "noisy machine" if found["floor"] > rule.NOISY_FLOOR else "",
    ]
    reason = " (%s)" % found["reason"] if found["reason"] else ""
    return "%s%s: %s; workload %s" % (found["outcome"], reason, ", ".join(filter(None, parts)), record["workload"])


def cells(found):
    """The measured columns of a results.tsv row, in its order."""
    known = found["ratio"] is not None
    return {
        "before": quantity(found["before"], found["unit"]),
        "after": quantity(found["after"], found["unit"]),
        "improvement": "%+.1f%%" % ((1 - found["after"] / found["before"]) * 100) if known else "-",
        "metric": found["metric"],
        "unit": found["unit"],
        "ratio_low": "%.6g" % found["low"] if known else "-",
        "ratio_high": "%.6g" % found["high"] if known else "-",
        "pairs": str(found["pairs"]) if known else "-",
        "noise_floor": "%.3g" % found["floor"],
    }


def quantity(value, unit):
    if value is None:
        return "-"
    scale = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
    if unit == "ns":
        scale = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1, "ns"))
    size, word = next(((size, word) for size, word in scale if value >= size), scale[-1])
    return "%.4g%s" % (value / size, word)

"""
bars - what is to be reached, beside what was measured: a row per bar, ok or short.

A row's figure is None when its section was not run or the server does not say it yet.
"""

import statistics


def ratio(results, case, figure):
    """Segue's median over redis-server's."""
    by_server = results["requests"][case]
    return by_server["segue"][figure] / by_server["redis"][figure]


def worst(results, op, figure, pick):
    return pick(ratio(results, f"{op} pipeline {p}", figure) for p in (16, 64))


def memory_at_512(results):
    sizes = results["memory"]
    return min(sizes, key=lambda payload: abs(int(payload) - 512))


def bytes_over(results):
    return sizes_over(results, memory_at_512(results))


def sizes_over(results, payload):
    return results["memory"][payload]["segue"]["over"]


def total_ratio(results):
    at = results["memory"][memory_at_512(results)]
    return at["segue"]["total"] / at["redis"]["total"]


def mean_room(results):
    """Mean bytes over the payload, less 6 % of the payload."""
    return statistics.mean(row["segue"]["over"] - 0.06 * int(payload)
                           for payload, row in results["memory"].items())


def tail(results):
    """How far the busy p99.9 is into what it may be: 1 is just allowed."""
    f = results["growth"]["segue"]
    return f["busy"] / max(2 * f["quiet"], f["quiet"] + 500)


def counted(results, name):
    return results["growth"]["segue"][name]


def linear(results):
    return min(by["linear"] for by in results["scaling"].values())


def contention(results):
    """Of each round's two, which met the same machine, the ratio; of the ratios, the median."""
    def ratios(by):
        return [two / one for two, one in zip(by["2 workers"]["rounds"]["total_us"],
                                              by["1 worker"]["rounds"]["total_us"])]
    return max(statistics.median(ratios(by)) for by in results["contention"].values())


def packed_bytes(results):
    """Both must do: the larger."""
    sizes = results["compression"]["bytes"]
    return max(sizes["lz4"], sizes["zstd"]) / sizes["redis"]


def packed_cpu(results, pipeline, name):
    by_server = results["compression"]["cases"][f"GET of sessions, pipeline {pipeline}"]
    return by_server[name]["total_us"] / by_server["plain"]["total_us"]


def translated(results, size, steps=1, ops=4):
    return results["translation"][f"json {size} bytes, {steps} x {ops} ops"]


def across(results, case):
    """Throughput of GET by the other version, over that by the one that wrote."""
    by_version = results["views"][case]
    return by_version["other version"]["rate"] / by_version["same version"]["rate"]


# What, the bar, "<=" or ">=", the unit, the figure.
BARS = [
    ("user CPU per GET, pipeline 16 and 64, over redis-server's", 0.25, "<=", "x",
     lambda r: worst(r, "GET", "user_us", max)),
    ("user CPU per SET, likewise", 0.30, "<=", "x", lambda r: worst(r, "SET", "user_us", max)),
    ("throughput GET, pipeline 16 (printed; CPU is the gate)", 2.2, ">=", "x",
     lambda r: ratio(r, "GET pipeline 16", "rate")),
    ("throughput SET, pipeline 16 (printed)", 2.2, ">=", "x",
     lambda r: ratio(r, "SET pipeline 16", "rate")),
    ("throughput GET, pipeline 64 (printed)", 2.8, ">=", "x",
     lambda r: ratio(r, "GET pipeline 64", "rate")),
    ("throughput SET, pipeline 64 (printed)", 2.8, ">=", "x",
     lambda r: ratio(r, "SET pipeline 64", "rate")),
    ("pipeline 1: total CPU per request, GET and SET", 0.9, "<=", "x",
     lambda r: max(ratio(r, f"{op} pipeline 1", "total_us") for op in ("GET", "SET"))),
    ("pipeline 1: user CPU per request", 0.5, "<=", "x",
     lambda r: max(ratio(r, f"{op} pipeline 1", "user_us") for op in ("GET", "SET"))),
    ("resident bytes per key over payload, about 512 bytes (aim 40)", 56, "<=", "B", bytes_over),
    ("resident bytes per key in all, over redis-server's", 0.75, "<=", "x", total_ratio),
    ("mean over payloads of 100 to 2000 bytes, less 6 %", 48, "<=", "B", mean_room),
    ("resident bytes after ten-fold turnover, over fresh", 1.2, "<=", "x",
     lambda r: r["turnover"]["segue"]["ratio"]),
    ("idle connections, resident memory over redis-server's", 0.5, "<=", "x",
     lambda r: r["idle"]["segue"]["resident"] / r["idle"]["redis"]["resident"]),
    ("p99.9 of GET while keys grow, over what it may be", 1.0, "<=", "x", tail),
    ("longest hold of a shard lock", 100, "<=", "us", lambda r: counted(r, "longest_lock_us")),
    ("longest turn of a loop", 2000, "<=", "us", lambda r: counted(r, "longest_turn_us")),
    ("CPU per request, two workers over one, hot keys and many", 1.15, "<=", "x", contention),
    ("throughput to 8 workers on 16 cores, of linear", 0.8, ">=", "x", linear),
    ("sessions with a trained dictionary, bytes over redis-server's", 0.45, "<=", "x",
     packed_bytes),
    ("their total CPU at pipeline 1 (dictionary), over plain GET's", 1.2, "<=", "x",
     lambda r: max(packed_cpu(r, 1, name) for name in ("lz4", "zstd"))),
    ("with LZ4 at pipeline 16, likewise", 1.6, "<=", "x", lambda r: packed_cpu(r, 16, "lz4")),
    ("with zstd at pipeline 16 (printed)", 1.6, "<=", "x", lambda r: packed_cpu(r, 16, "zstd")),
    ("view of JSON, 0.5 KB, 4 ops, over Jansson's time (aim 0.025)", 0.04, "<=", "x",
     lambda r: translated(r, 512)["view_ns"] / translated(r, 512)["library_ns"]),
    ("view of JSON, 16 KB, 4 ops (aim 1)", 0.7, ">=", "GB/s",
     lambda r: translated(r, 16384)["bytes"] / translated(r, 16384)["view_ns"]),
    ("allocations per translation once all is warm", 0, "<=", "",
     lambda r: max(row["allocations"] for row in r["translation"].values())),
    ("GET by the other version, pipeline 1, over the same version's", 0.9, ">=", "x",
     lambda r: across(r, "pipeline 1")),
    ("likewise at pipeline 16, uniform keys", 0.45, ">=", "x", lambda r: across(r, "pipeline 16")),
    ("likewise at pipeline 16, keys by Zipf's law", 0.85, ">=", "x",
     lambda r: across(r, "pipeline 16, Zipf 0.99")),
]


def judge(results):
    """[(what, bar text, figure text, verdict), ...]"""
    rows = []
    for what, bar, sense, unit, get in BARS:
        try:
            figure = get(results)
        except (KeyError, ZeroDivisionError, ValueError):
            figure = None
        text = f"{sense} {bar:g} {unit}"
        if figure is None:
            rows.append((what, text, "", "not measured"))
            continue
        is_met = figure <= bar if sense == "<=" else figure >= bar
        rows.append((what, text, f"{figure:.2f} {unit}", "ok" if is_met else "SHORT"))
    return rows


def show_bars(results, report):
    rows = judge(results)
    results["bars"] = rows
    report.line(f"{'what':<63} {'bar':>9} {'figure':>10}")
    for what, bar, figure, verdict in rows:
        report.line(f"{what:<63} {bar:>9} {figure:>10}  {verdict}")
    verdicts = [row[3] for row in rows]
    report.line(f"\n{verdicts.count('ok')} ok, {verdicts.count('SHORT')} short, "
                f"{verdicts.count('not measured')} not measured")
    if results["scale"] != "full":
        report.line("A small run shows that the suite works; figures to quote come from "
                    "BENCH_SCALE=full on a quiet machine.")

"""plots - which figures of the results become which plots."""

import os

import plot


def by_case(section, *figures):
    return [(case, [(name, tuple(f[figure] for figure in figures))
                    for name, f in by_server.items()])
            for case, by_server in section.items()]


def write_plots(results, directory):
    out = {}
    for section, title in (("requests", "one core"), ("cores", "all cores"),
                           ("sessions", "session traffic")):
        if section in results:
            cases = results[section]
            out[f"throughput-{section}"] = plot.bars(
                f"Throughput, {title}", "requests per second", by_case(cases, "rate"))
            out[f"cpu-{section}"] = plot.bars(
                f"Server CPU per request, {title}: user (dark) and system", "microseconds",
                by_case(cases, "user_us", "system_us"))
    for case, by_server in results.get("requests", {}).items():
        lines = {name: f["percentiles"] for name, f in by_server.items()}
        out["latency-" + case.lower().replace(" ", "-")] = plot.percentiles(
            f"Latency, {case}, closed loop", lines)
    if "memory" in results:
        out["memory"] = plot.bars(
            "Resident bytes per key over key and value", "bytes",
            [(f"{payload} bytes", [(name, (max(f["over"], 0),)) for name, f in row.items()])
             for payload, row in results["memory"].items()])
    if "idle" in results:
        out["idle"] = plot.bars("Resident memory with idle connections", "MiB", [
            ("", [(name, (f["resident"] / 1048576,)) for name, f in results["idle"].items()])])
    for name, svg in out.items():
        with open(os.path.join(directory, name + ".svg"), "w", encoding="utf-8") as file:
            file.write(svg)

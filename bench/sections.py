"""
sections - what `make bench` measures, one function each; it prints a table and returns figures.

Servers that are compared run at the same time, each pinned to the first core, and are loaded in
turns (A B A B ...), so that a change of the machine meets all of them.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time

from servers import REPOSITORY, Counted, Failed, Load, Server, load

TRANSLATE = os.path.join(REPOSITORY, "build", "plain", "segue-translate-bench")


SCALING_CORES = 12 # eight for the server, the rest for the load


class Context:
    """Who is compared, how much, where it is told."""

    def __init__(self, peers, scale, report):
        self.peers, self.scale, self.report = peers, scale, report
        cores = sorted(os.sched_getaffinity(0))
        self.server_core, self.load_cores = {cores[0]}, set(cores[1:]) or {cores[0]}
        self.core_count = len(cores)

    def speaks_resp(self):
        return [peer for peer in self.peers if peer.kind != "memcached"]

    def start(self, peers, **more):
        return {peer.name: Server(peer, cores=self.server_core, **more) for peer in peers}

    def load(self, server, options):
        return load(server, options, self.load_cores)


def median(values):
    return statistics.median(values) if values else 0.0


def spread(values):
    """Half of the distance between the extremes, in percent of the median."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / middle * 100 if middle else 0.0


FIGURES = {
    "rate": lambda r: r["per_second"],
    "user_us": lambda r: r["server"]["user_us"],
    "system_us": lambda r: r["server"]["system_us"],
    "total_us": lambda r: r["server"]["total_us"],
    "p50_us": lambda r: r["latency"]["all"]["p50_us"],
    "p99_us": lambda r: r["latency"]["all"]["p99_us"],
    "p99.9_us": lambda r: r["latency"]["all"]["p99.9_us"],
    "errors": lambda r: r["errors"],
}


def alternate(context, servers, cases, rounds):
    """Every case on every server in turns; {case: {server: {figure: median, ...}}}."""
    taken = {case: {name: [] for name in servers} for case in cases}
    for case, options in cases.items():
        for turn in range(rounds):
            for name, server in servers.items():
                result = context.load(server, options)
                taken[case][name].append(result)
                context.report.progress(
                    f"{case}, round {turn + 1}/{rounds}, {name}: {result['per_second']:.0f}/s, "
                    f"{result['server']['total_us']:.2f} us CPU per request")
    out = {}
    for case, by_server in taken.items():
        out[case] = {}
        for name, results in by_server.items():
            columns = {key: [get(r) for r in results] for key, get in FIGURES.items()}
            out[case][name] = {key: median(values) for key, values in columns.items()}
            out[case][name]["spread"] = {k: round(spread(v), 1) for k, v in columns.items()}
            out[case][name]["rounds"] = columns
            # The curve of the round with the median p99.9.
            ranked = sorted(results, key=FIGURES["p99.9_us"])
            out[case][name]["percentiles"] = \
                ranked[(len(ranked) - 1) // 2]["latency"]["all"]["percentiles_us"]
    return out


def show_cases(context, cases):
    context.report.line(
        f"{'':<22} {'server':<11} {'per second':>11} {'+-%':>4} {'user us':>8} {'total us':>9} "
        f"{'+-%':>4} {'p50 us':>8} {'p99 us':>8} {'p99.9':>8}  errors")
    for case, by_server in cases.items():
        for i, (name, f) in enumerate(by_server.items()):
            context.report.line(
                f"{case if i == 0 else '':<22} {name:<11} {f['rate']:>11.0f} "
                f"{f['spread']['rate']:>4.0f} {f['user_us']:>8.3f} {f['total_us']:>9.3f} "
                f"{f['spread']['total_us']:>4.0f} {f['p50_us']:>8.0f} {f['p99_us']:>8.0f} "
                f"{f['p99.9_us']:>8.0f}  {f['errors']:.0f}")


def fill(context, servers, options):
    for name, server in servers.items():
        context.report.progress(f"filling {name}")
        context.load(server, f"{options} --only-fill")


def requests(context):
    """GET and SET, every server on one core with one worker"""
    scale = context.scale
    servers = context.start(context.peers)
    common = f"--keys {scale['keys']} --value-size 512 --ttl 36000 --connections 50"
    fill(context, servers, f"--workload get {common}")
    cases = {
        f"{op.upper()} pipeline {pipeline}":
            f"--workload {op} --pipeline {pipeline} {common} --seconds {scale['seconds']}"
        for pipeline in (1, 16, 64) for op in ("get", "set")}
    out = alternate(context, servers, cases, scale["rounds"])
    show_cases(context, out)
    return out


def cores(context):
    """GET and SET, every server and the load on all cores"""
    scale, count = context.scale, context.core_count
    servers = {peer.name: Server(peer, threads=count) for peer in context.peers}
    common = f"--keys {scale['keys']} --value-size 512 --ttl 36000 --connections 50"
    fill(context, servers, f"--workload get {common}")
    cases = {f"{op.upper()} pipeline 16":
             f"--workload {op} --pipeline 16 {common} --seconds {scale['seconds']} "
             f"--threads {max(1, count // 2)}"
             for op in ("get", "set")}
    out = alternate(context, servers, cases, scale["rounds"])
    show_cases(context, out)
    return out


def scaling(context):
    """Throughput of Segue to 8 workers: GET and SET, the load on cores of its own"""
    if context.core_count < SCALING_CORES:
        context.report.line(f"not run: it takes {SCALING_CORES} cores, this machine has "
                            f"{context.core_count}")
        return {}
    scale, out = context.scale, {}
    all_cores = sorted(os.sched_getaffinity(0))
    counts = [1, 2, 4, 8]
    load_cores = set(all_cores[8:])
    servers = {count: Server(context.peers[0], cores=set(all_cores[:count]), threads=count)
               for count in counts}
    common = f"--keys {scale['keys']} --value-size 512 --ttl 36000"
    for op in ("get", "set"):
        taken = {count: [] for count in counts}
        for turn in range(scale["rounds"] + 1): # the first one fills
            for count, server in servers.items():
                more = f"--seconds {scale['seconds']}" if turn > 0 else "--only-fill"
                result = load(server, f"--workload {op} --pipeline 64 --connections {count * 16} "
                                      f"--threads {len(load_cores)} {common} {more}", load_cores)
                if turn > 0:
                    taken[count].append(result["per_second"])
                    context.report.progress(f"{op}, round {turn}/{scale['rounds']}, {count} "
                                            f"workers: {taken[count][-1]:.0f}/s")
        rates = {count: median(rounds) for count, rounds in taken.items()}
        out[op.upper()] = {"rates": rates, "linear": rates[8] / (8 * rates[1])}
        context.report.line(f"{op.upper():<4} " + ", ".join(
            f"{count} workers {rate:.0f}/s ({rate / (count * rates[1]):.2f} of linear)"
            for count, rate in rates.items()))
    return out


def settled(server):
    """Resident bytes once they have stopped to change."""
    before = -1
    for _ in range(10):
        now = server.resident()
        if now == before:
            break
        before = now
        time.sleep(0.3)
    return now


def memory(context):
    """Resident bytes per key over key and value, fresh"""
    scale = context.scale
    keys, out = scale["payload_keys"], {}
    context.report.line(f"{'payload':<10} " + " ".join(f"{p.name:>11}" for p in context.peers))
    for payload in scale["payloads"]:
        servers = context.start(context.peers)
        out[payload] = {}
        for name, server in servers.items():
            empty = settled(server)
            # Values follow one another in size as real ones do not; the mean of payloads evens it.
            context.load(server, f"--workload set --only-fill --keys {keys} --ttl 36000 "
                                 f"--value-size {payload}")
            size = (settled(server) - empty) / keys
            out[payload][name] = {"total": size, "over": size - payload - 16}
            server.stop()
        context.report.line(f"{payload:<10} " + " ".join(
            f"{out[payload][p.name]['over']:>11.1f}" for p in context.peers))
    context.report.line(f"{'mean':<10} " + " ".join(
        f"{statistics.mean(out[p][peer.name]['over'] for p in out):>11.1f}"
        for peer in context.peers))
    return out


def turnover(context):
    """Resident bytes after ten-fold turnover by expiry and eviction, beside fresh"""
    keys, out = context.scale["turnover_keys"], {}
    last = f"--workload set --only-fill --keys {keys} --ttl 36000 --value-size 512"
    # The largest values do not fit: some of them are evicted, the others expire.
    limit = ["--maxmemory", str(keys * 1200), "--maxmemory-policy", "allkeys-lru"]
    fresh, worn, empty, refused = {}, {}, {}, {}
    for peer in context.peers:
        options = limit if peer.kind != "memcached" else []
        server = Server(peer, cores=context.server_core, options=options)
        empty[peer.name] = settled(server)
        context.load(server, last)
        fresh[peer.name] = (settled(server) - empty[peer.name]) / keys
        server.stop()
        worn[peer.name] = Server(peer, cores=context.server_core, options=options)
        empty[peer.name] = settled(worn[peer.name])
        refused[peer.name] = 0
    for turn in range(10):
        size = (100, 700, 300, 1500, 512)[turn % 5]
        for name, server in worn.items():
            refused[name] += context.load(
                server, f"--workload set --only-fill --keys {keys} --ttl 1 --value-size {size} "
                        f"--first-key {(turn + 1) * keys}")["errors"]
        time.sleep(1.5)
        context.report.progress(f"turn {turn + 1}/10")
    for name, server in worn.items():
        refused[name] += context.load(server, last)["errors"]
        size = (settled(server) - empty[name]) / keys
        out[name] = {"fresh": fresh[name], "worn": size, "ratio": size / fresh[name],
                     "refused": refused[name]}
        context.report.line(
            f"{name:<11} fresh {fresh[name]:7.1f} bytes per key, after turnover {size:7.1f}: "
            f"{size / fresh[name]:.2f} x; writes refused: {refused[name]}")
    return out


def idle(context):
    """Resident memory of idle connections"""
    scale, out = context.scale, {}
    servers = context.start(context.peers)
    empty = {name: settled(server) for name, server in servers.items()}
    holds = [Load(server, f"--workload idle --keys 1000 --connections {scale['idle']} "
                          f"--seconds {scale['idle_wait'] + 10}", context.load_cores)
             for server in servers.values()]
    context.report.progress(f"{scale['idle']} connections to each rest for {scale['idle_wait']} s")
    time.sleep(scale["idle_wait"] + 5)
    for name, server in servers.items():
        size = server.resident()
        each = (size - empty[name]) / scale["idle"]
        out[name] = {"resident": size, "per_connection": each}
        context.report.line(f"{name:<11} {size / 1024 / 1024:8.1f} MiB resident, {each:8.0f} "
                            "bytes per connection")
    for hold in holds:
        hold.result()
    return out


LONGEST = {"longest_lock_us": "segue_longest_lock_hold_us",
           "longest_turn_us": "segue_longest_turn_us"}


def growth(context):
    """p99.9 of GET in open loop at 30 % of capacity: quiet, and while keys grow, expire, are evicted"""
    scale, out = context.scale, {}
    keys, seconds = scale["growth_keys"], scale["growth_keys"] / scale["growth_rate"]
    for peer in context.speaks_resp():
        base = "--workload get --keys 10000 --connections 50"
        server = Server(peer, cores=context.server_core)
        context.load(server, base + " --only-fill --ttl 36000")
        rate = context.load(server, f"{base} --seconds {scale['seconds']}")["per_second"] * 0.3
        probe = f"{base} --rate {rate:.0f}"
        server.stop()
        quiet, busy, infos, errors = [], [], [], 0
        for turn in range(scale["growth_rounds"]):
            # After a third of the time there is no more room, soon after first keys expire.
            exact = ["--exact-times", "yes"] if peer.kind == "segue" else []
            server = Server(peer, cores=context.server_core, options=exact + [
                "--maxmemory", str(keys * 50 + (16 << 20)), "--maxmemory-policy", "allkeys-lru"])
            context.load(server, base + " --only-fill --ttl 36000")
            server.ask("CONFIG", "RESETSTAT")
            quiet.append(context.load(server, f"{probe} --seconds {min(10, seconds):.0f}")
                         ["latency"]["all"]["p99.9_us"])
            grow = Load(server, f"--workload set --keys {keys} --first-key 1000000 --value-size 100 "
                                f"--rate {scale['growth_rate']} --connections 10 --pipeline 64 "
                                f"--ttl {max(2, seconds * 0.4):.0f} --seconds {seconds:.0f}",
                        context.load_cores)
            result = context.load(server, f"{probe} --seconds {seconds:.0f}")
            busy.append(result["latency"]["all"]["p99.9_us"])
            errors += grow.result()["errors"]
            infos.append(server.info())
            server.stop()
            counted = [f"{name} {infos[-1].get(field, '?')} us" for name, field in LONGEST.items()
                       if peer.kind == "segue"]
            context.report.progress(", ".join(
                [f"{peer.name}: round {turn + 1}/{scale['growth_rounds']}, p99.9 quiet "
                 f"{quiet[-1]:.0f} us, busy {busy[-1]:.0f} us, expired "
                 f"{infos[-1].get('expired_keys')}, evicted {infos[-1].get('evicted_keys')}",
                 *counted]))
        out[peer.name] = {"rate": rate, "quiet": median(quiet), "busy": median(busy),
                          "refused": errors}
        for name, field in LONGEST.items():
            values = [float(info[field]) for info in infos if field in info]
            out[peer.name][name] = max(values) if values else None
        context.report.line(
            f"{peer.name:<11} at {rate:7.0f}/s: p99.9 quiet {median(quiet):7.0f} us, busy "
            f"{median(busy):7.0f} us; writes refused: {errors}")
    return out


def contention(context):
    """CPU per request of Segue: one worker and two, few hot keys and many"""
    scale, out = context.scale, {}
    peer = context.peers[0]
    servers = {f"{count} worker{'s' if count > 1 else ''}": Server(peer, threads=count)
               for count in (1, 2)}
    for keys, more in (("few hot keys", "--keys 100 --zipf 1.2"),
                       ("many keys", f"--keys {scale['keys']}")):
        fill(context, servers, f"--workload get {more}")
        cases = {keys: f"--workload mixed --pipeline 16 {more} --seconds {scale['seconds']}"}
        # More rounds than elsewhere: a ratio near one is to be told from the machine's noise.
        out.update(alternate(context, servers, cases, 2 * scale["rounds"] + 1))
    show_cases(context, out)
    return out


def sessions(context):
    """Session traffic: strings, hashes, two versions (rolled out), large values"""
    scale = context.scale
    seconds = f"--seconds {scale['seconds']}"
    keys = f"--keys {scale['keys']} {seconds}"
    plans = [
        (context.peers, "session", "sessions, uniform", f"{keys}"),
        (context.peers, "session", "sessions, Zipf 0.99", f"{keys} --zipf 0.99"),
        (context.speaks_resp(), "hash", "hash sessions", keys),
        (context.peers[:1], "versions", "rollout 0 to 100 %", keys),
        (context.speaks_resp(), "large", "large values (1 MiB)", f"--keys 50 {seconds}"),
    ]
    out = {}
    for peers, workload, title, more in plans:
        servers = context.start(peers)
        options = f"--workload {workload} {more}"
        fill(context, servers, options)
        out.update(alternate(context, servers, {title: options}, scale["rounds"]))
        for server in servers.values():
            server.stop()
    show_cases(context, out)
    return out


def group_of(server):
    """What INFO says of the first group of keys that are compressed."""
    words = server.info().get("compression0", "").split(",")
    return dict(word.rsplit("=", 1) for word in words if "=" in word)


def wait_packed(server, records):
    """Until a dictionary was trained, and that many values are packed with it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        group = group_of(server)
        if int(group.get("records", 0)) >= records and group.get("dictionaries") == "1":
            return group
        time.sleep(0.2)
    raise Failed(f"{records} values were not packed within a minute: {group}")


def compression(context):
    """Sessions packed with a trained dictionary: resident bytes per key, CPU per GET"""
    scale, out = context.scale, {"bytes": {}, "in_all": {}, "groups": {}}
    keys, first, second = scale["keys"], 4000, scale["keys"] // 5
    segue, redis = context.peers[0], [p for p in context.peers if p.name == "redis"]
    servers = {name: Server(segue, cores=context.server_core,
                            options=["--compression", f"sess:* {name}"])
               for name in ("lz4", "zstd")}
    servers["plain"] = Server(segue, cores=context.server_core)
    for peer in redis:
        servers["redis"] = Server(peer, cores=context.server_core)
    # The first sessions lie there plain until a dictionary is trained from them; the second fill
    # the room that this left. Behind them the process grows by what a session takes.
    write = "--workload documents --only-fill --ttl 36000"
    for name, server in servers.items():
        empty = settled(server)
        context.load(server, f"{write} --keys {first}")
        if name in ("lz4", "zstd"):
            wait_packed(server, first * 9 // 10)
        context.load(server, f"{write} --keys {second - first} --first-key {first}")
        before = settled(server)
        context.load(server, f"{write} --keys {keys - second} --first-key {second}")
        out["bytes"][name] = (settled(server) - before) / (keys - second)
        out["in_all"][name] = (settled(server) - empty) / keys
        if name in ("lz4", "zstd"):
            out["groups"][name] = group_of(server)
            context.report.line(f"{name}: {out['groups'][name]}")
    for name, size in out["bytes"].items():
        context.report.line(f"{name:<11} {size:7.1f} resident bytes per key; with all that a "
                            f"process has once {out['in_all'][name]:7.1f}")
    if redis:
        servers.pop("redis").stop()
    cases = {f"GET of sessions, pipeline {pipeline}":
             f"--workload documents --keys {keys} --connections 50 --pipeline {pipeline} "
             f"--seconds {scale['seconds']}" for pipeline in (1, 16)}
    cases["sessions, 30 % written"] = (f"--workload session --keys {keys} --connections 50 "
                                       f"--seconds {scale['seconds']}")
    out["cases"] = alternate(context, servers, cases, scale["rounds"])
    show_cases(context, out["cases"])
    return out


def instructions(context):
    """User instructions per request of the whole process (callgrind)"""
    count, out = context.scale["instruction_requests"], {}
    cases = {f"{op.upper()} pipeline {pipeline}":
             f"--workload {op} --pipeline {pipeline} --connections 4 --keys 2000"
             for op in ("get", "set") for pipeline in (1, 16, 64)}
    for peer in context.peers:
        try:
            server = Counted(peer)
        except Failed as problem:
            last = str(problem).strip().rpartition("\n")[2]
            context.report.line(f"not counted: {peer.name} does not start in callgrind: {last}")
            continue
        context.load(server, "--workload get --only-fill --keys 2000")
        for case, options in cases.items():
            context.load(server, f"{options} --requests 1000")
            server.zero()
            context.load(server, f"{options} --requests {count}")
            out.setdefault(case, {})[peer.name] = server.count() / count
        server.stop()
        context.report.progress(f"{peer.name} counted")
    names = [peer.name for peer in context.peers if any(peer.name in row for row in out.values())]
    context.report.line(f"{'':<18} " + " ".join(f"{name:>11}" for name in names))
    for case, by_server in out.items():
        context.report.line(f"{case:<18} " + " ".join(f"{by_server[n]:>11.0f}" for n in names))
    return out


def translation(context):
    """Translations alone, beside the same work with a library's tree"""
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as file:
        words = [TRANSLATE, "--rounds", str(context.scale["rounds"] * 2 + 1), "--json", file.name]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{TRANSLATE}: {done.stderr}")
        rows = json.load(file)
    for line in done.stdout.splitlines():
        context.report.line(line)
    return {f"{row['codec']} {row['size']} bytes, {row['steps']} x {row['ops']} ops": row
            for row in rows}


def views(context):
    """GET of sessions by the version that wrote them, and by the other one"""
    scale, out = context.scale, {}
    server = Server(context.peers[0], cores=context.server_core)
    keys = f"--keys {scale['keys']}"
    workloads = {"same version": "documents", "other version": "views"}
    for workload in workloads.values():
        context.load(server, f"--workload {workload} {keys} --only-fill")
    cases = {"pipeline 1": "--pipeline 1", "pipeline 16": "--pipeline 16",
             "pipeline 16, Zipf 0.99": "--pipeline 16 --zipf 0.99"}
    context.report.line(f"{'':<24} {'version':<14} {'per second':>11} {'total us':>9}")
    for case, more in cases.items():
        taken = {name: [] for name in workloads}
        for turn in range(scale["rounds"] + 1):  # the first one warms
            for name, workload in workloads.items():
                result = context.load(
                    server, f"--workload {workload} {keys} {more} --seconds {scale['seconds']}")
                if turn > 0:
                    taken[name].append(result)
        out[case] = {name: {figure: median([FIGURES[figure](r) for r in results])
                            for figure in ("rate", "total_us")}
                     for name, results in taken.items()}
        for i, (name, f) in enumerate(out[case].items()):
            context.report.line(f"{case if i == 0 else '':<24} {name:<14} {f['rate']:>11.0f} "
                                f"{f['total_us']:>9.3f}")
    server.stop()
    return out


SECTIONS = {f.__name__: f for f in (requests, cores, scaling, memory, turnover, idle, growth, contention,
                                    sessions, compression, views, translation, instructions)}

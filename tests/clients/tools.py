"""tools - redis-cli without a terminal and redis-benchmark, as people run them."""

import re
import subprocess

from harness import Server, equal


def run(binary, tally):
    with Server(binary) as server:
        tests = [v for k, v in globals().items() if k.startswith("test_")]
        for test in tests:
            tally.run(test.__doc__, test, server)
    with Server(binary, requirepass="pw") as server:
        tally.run("redis-cli: passwords by -a, --user and -u", passwords, server)


def test_commands(server):
    "redis-cli: commands"
    equal(server.cli("ping"), "PONG")
    equal(server.cli("set", "k", "v"), "OK")
    equal(server.cli("get", "k"), "v")
    equal(server.cli("incr", "n"), "1")
    equal(server.cli("hset", "h", "f", "v", "g", "w"), "2")
    equal(server.cli("-n", "3", "get", "k"), "")
    equal(server.cli("get", "k", options=["--no-raw"]), '"v"')
    equal(server.cli("get", "absent", options=["--no-raw"]), "(nil)")
    equal(server.cli("hgetall", "h", options=["--csv"]), '"f","v","g","w"')
    equal(server.cli("-x", "set", "x", stdin="from stdin"), "OK")
    equal(server.cli("get", "x"), "from stdin")
    equal(server.cli("hget", "k", "f")[:9], "WRONGTYPE")
    server.cli("-e", "hget", "k", "f", status=1)
    equal(server.cli("-r", "3", "incr", "r"), "1\n2\n3")


def test_resp3(server):
    "redis-cli: -3 speaks RESP3"
    server.cli("hset", "h3", "f", "v")
    equal(server.cli("-3", "hgetall", "h3", options=["--no-raw"]), '1# "f" => "v"')
    equal(server.cli("-3", "get", "absent", options=["--no-raw"]), "(nil)")
    assert '"proto" => (integer) 3' in server.cli("-3", "hello", "3", options=["--no-raw"])


def test_stdin(server):
    "redis-cli: commands from standard input, and --pipe"
    equal(server.cli(stdin="set a 1\nincr a\nmulti\nincr a\nget a\nexec\n"),
          "OK\n2\nOK\nQUEUED\nQUEUED\n3\n3")
    mass = "".join(f"*3\r\n$3\r\nSET\r\n$6\r\nm:{i:04d}\r\n$1\r\nv\r\n" for i in range(2000))
    output = server.cli("--pipe", stdin=mass)
    assert "errors: 0, replies: 2000" in output, output


def test_url(server):
    "redis-cli: -u URL with a database"
    equal(server.cli("-u", server.url(db=5), "set", "u", "five"), "OK")
    equal(server.cli("-n", "5", "get", "u"), "five")


def test_scan(server):
    "redis-cli: --scan with a pattern"
    keys = server.cli("--scan", "--pattern", "m:*").split("\n")
    equal(sorted(keys), [f"m:{i:04d}" for i in range(2000)])


def test_bigkeys(server):
    "redis-cli: --bigkeys"
    output = server.cli("--bigkeys")
    assert re.search(r"Biggest string found .*x.* has 10 bytes", output), output
    assert re.search(r"\d hashs? with \d fields", output), output


def test_stat(server):
    "redis-cli: --stat, one tick"
    process = subprocess.Popen(["redis-cli", "-p", str(server.port), "-i", "0.1", "--stat"],
                               stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(3)]
    process.terminate()
    process.wait()
    process.stdout.close()
    assert lines[1].startswith("keys") and re.match(r"\d+ +[\d.]+[KMG] +\d+", lines[2]), lines


def test_latency(server):
    "redis-cli: --latency, a short while"
    output = server.cli("--latency", "-i", "0.2", "--raw")
    assert re.match(r"^\d+(\.\d+)? \d+(\.\d+)? \d+\.\d+ \d+$", output), output


def test_benchmark(server):
    "redis-benchmark: ping, set, get, incr, hset, mset by 16 in a pipeline"
    done = subprocess.run(["redis-benchmark", "-p", str(server.port), "-q", "-n", "2000", "-P", "16",
                           "-r", "1000", "-t", "ping,set,get,incr,hset,mset"],
                          capture_output=True, text=True, timeout=30)
    equal(done.returncode, 0)
    rates = re.findall(r"^(.+): ([\d.]+) requests per second", done.stdout.replace("\r", "\n"), re.M)
    equal([name.split(" ")[0] for name, _ in rates],
          ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "HSET", "MSET"])
    assert "rror" not in done.stdout + done.stderr, done.stdout + done.stderr


def passwords(server):
    equal(server.cli("-a", "pw", "--no-auth-warning", "ping"), "PONG")
    equal(server.cli("--user", "default", "--pass", "pw", "--no-auth-warning", "ping"), "PONG")
    equal(server.cli("-u", server.url("default", "pw"), "--no-auth-warning", "ping"), "PONG")
    assert server.cli("ping").startswith("NOAUTH"), server.cli("ping")
    output = server.cli("-a", "no", "ping")
    assert "NOAUTH" in output, output

"""redispy - python3-redis: strings, hashes, expiry, pipelines, transactions, WATCH, scans."""

import redis

from harness import Server, equal


def run(binary, tally):
    with Server(binary) as server:
        client = redis.Redis.from_url(server.url(db=1, query="?client_name=tests"))
        tests = [v for k, v in globals().items() if k.startswith("test_")]
        for test in tests:
            name = "redis-py: " + test.__doc__
            tally.run(name, test, client)
        client.close()
    with Server(binary, requirepass="pw") as server:
        tally.run("redis-py: password, by URL and as user default; without it refused", passwords, server)


def refused(kind, call, *arguments, text=""):
    try:
        call(*arguments)
    except kind as error:
        assert text in str(error), str(error)
    else:
        raise AssertionError(f"no {kind.__name__}")


def test_connection(client):
    "the connection says who it is"
    equal(client.ping(), True)
    equal(client.client_getname(), "tests")
    equal([c["name"] for c in client.client_list() if c["name"]], ["tests"])
    assert client.client_id() > 0
    equal(client.echo(b"a\0b"), b"a\0b")
    assert client.info("server")["redis_version"]
    assert client.time()[0] > 1_500_000_000


def test_strings(client):
    "strings"
    body = bytes(range(256)) * 300
    equal(client.set("k", body), True)
    equal(client.get("k"), body)
    equal(client.strlen("k"), len(body))
    equal(client.getrange("k", 254, 257), b"\xfe\xff\x00\x01")
    equal(client.set("k", "x", nx=True), None)
    equal(client.set("k", "x", xx=True, get=True), body)
    equal(client.append("k", "yz"), 3)
    equal(client.setrange("k", 5, "!"), 6)
    equal(client.get("k"), b"xyz\0\0!")
    equal(client.getdel("k"), b"xyz\0\0!")
    equal(client.get("k"), None)
    equal(client.incr("n", 41), 41)
    equal(client.incr("n"), 42)
    equal(client.incrbyfloat("n", 0.5), 42.5)
    client.mset({"a": 1, "b": 2})
    equal(client.mget("a", "absent", "b"), [b"1", None, b"2"])
    equal(client.msetnx({"a": 1, "c": 2}), False)
    equal(client.getset("a", "new"), b"1")
    refused(redis.ResponseError, client.incr, "a", text="value is not an integer")


def test_hashes(client):
    "hashes"
    equal(client.hset("h", mapping={"name": "Zoë", "n": 1}), 2)
    equal(client.hincrby("h", "n", 9), 10)
    equal(client.hgetall("h"), {b"name": "Zoë".encode(), b"n": b"10"})
    equal(client.hmget("h", "n", "absent"), [b"10", None])
    equal(client.hsetnx("h", "n", 1), 0)
    equal(sorted(client.hkeys("h")), [b"n", b"name"])
    equal(client.hexists("h", "name"), True)
    equal(client.hlen("h"), 2)
    equal(dict(client.hscan_iter("h")), client.hgetall("h"))
    equal(client.hdel("h", "n", "name"), 2)
    equal(client.exists("h"), 0)
    client.set("k", "x")
    refused(redis.ResponseError, client.hget, "k", "f", text="WRONGTYPE")


def test_expiry(client):
    "expiry"
    client.set("e", "1", ex=100)
    assert 90 < client.ttl("e") <= 100
    equal(client.persist("e"), True)
    equal(client.ttl("e"), -1)
    equal(client.ttl("absent"), -2)
    equal(client.expire("e", 100, nx=True), True)
    equal(client.expire("e", 50, gt=True), False)
    equal(client.getex("e", persist=True), b"1")
    client.set("e", "1", px=30)
    client.psetex("e2", 30, "1")
    import time
    time.sleep(0.06)
    equal(client.exists("e", "e2"), 0)
    client.set("e", "1", keepttl=True)
    client.pexpireat("e", 1)
    equal(client.get("e"), None)


def test_pipelines(client):
    "pipelines, plain and as a transaction"
    with client.pipeline(transaction=False) as pipe:
        for i in range(1000):
            pipe.set(f"p:{i}", i)
        equal(pipe.execute(), [True] * 1000)
    with client.pipeline() as pipe:
        pipe.multi()
        pipe.set("t", 1).incr("t").hset("t2", "f", "v").expire("t2", 100).get("t")
        equal(pipe.execute(), [True, 2, 1, True, b"2"])
    with client.pipeline() as pipe:
        pipe.set("t", "x").incr("t").get("t")
        replies = pipe.execute(raise_on_error=False)
        assert isinstance(replies[1], redis.ResponseError)
        equal([replies[0], replies[2]], [True, b"x"])


def test_watch(client):
    "WATCH: a change in between aborts, redis-py's own retry wins"
    client.set("w", 0)
    with client.pipeline() as pipe:
        pipe.watch("w")
        client.incr("w")
        pipe.multi()
        pipe.set("w", 99)
        refused(redis.WatchError, pipe.execute)
    equal(client.get("w"), b"1")
    tries = []

    def add(pipe):
        value = int(pipe.get("w"))
        if not tries:
            client.incr("w")
        tries.append(value)
        pipe.multi()
        pipe.set("w", value + 10)

    client.transaction(add, "w")
    equal(tries, [1, 2])
    equal(client.get("w"), b"12")


def test_scans(client):
    "scans, keys, rename, copy, type, databases"
    equal({k for k in client.scan_iter("p:*", count=100)}, {f"p:{i}".encode() for i in range(1000)})
    equal(len(list(client.scan_iter(_type="hash"))), 1)
    equal(sorted(client.keys("p:99?")), [f"p:99{i}".encode() for i in range(10)])
    equal(client.rename("p:1", "q"), True)
    refused(redis.ResponseError, client.rename, "p:1", "q", text="no such key")
    equal(client.copy("q", "q2"), True)
    equal(client.type("q2"), b"string")
    equal(client.move("q", 2), True)
    equal(client.exists("q"), 0)
    assert client.randomkey()
    equal(client.unlink("q2", "absent"), 1)
    assert client.dbsize() >= 999
    client.flushdb()
    equal(client.dbsize(), 0)


def test_commands(client):
    "an unknown command and a wrong number of arguments"
    refused(redis.ResponseError, client.execute_command, "NO_SUCH", "a\r\nb", text="unknown command")
    refused(redis.ResponseError, client.execute_command, "GET", text="wrong number of arguments")
    equal(client.ping(), True)


def passwords(server):
    equal(redis.Redis.from_url(server.url(password="pw")).ping(), True)
    equal(redis.Redis.from_url(server.url("default", "pw")).ping(), True)
    refused(redis.AuthenticationError, redis.Redis.from_url(server.url()).ping)
    wrong = redis.Redis.from_url(server.url(password="no"))
    refused(redis.ResponseError, wrong.ping, text="invalid username-password")

"""versions - two versions of an application share sessions: every way in which an unmodified
client says which one it speaks, and what each then reads of the other's writes."""

import json
import os
import subprocess

import redis

from harness import HERE, NODE, PHP, Server, equal, free_port

KEY = "sess:probe"
OLD = {"userId": 7, "userName": "Zoë", "cart": [{"sku": "tea", "cents": 1999}]}
NEW = {"userId": 7, "user_name": "Zoë", "theme": "light", "cart": [{"sku": "tea", "price": 19.99}]}


def prepare(server):
    """The schema and its releases, as an operator types them."""
    schema = open(os.path.join(HERE, "versions.json")).read()
    options = ["-a", "pw", "--no-auth-warning"] if "requirepass" in server.options else []
    equal(server.cli("schema", "put", schema, options=options), "OK")
    equal(server.cli("release", "set", "web@2026.10", "session", "1", options=options), "OK")
    equal(server.cli("release", "set", "web@2026.11", "session", "2", options=options), "OK")


def old_client(server):
    password = server.options.get("requirepass", "")
    return redis.Redis.from_url(server.url(password=password))


def new_client(server):
    return redis.Redis.from_url(server.url("web%402026.11", "x"))


def speaks_new(old, get, set):
    """<get> and <set> of KEY, given as text, speak version 2; <old> speaks version 1."""
    old.delete(KEY)
    old.set(KEY, json.dumps(OLD))
    equal(json.loads(get()), NEW)
    mine = {**NEW, "theme": "dark", "user_name": "Zoë II"}
    set(json.dumps(mine))
    equal(json.loads(old.get(KEY)), {**OLD, "userName": "Zoë II"})
    equal(json.loads(get()), mine)


def client_speaks_new(server, client):
    speaks_new(old_client(server), lambda: client.get(KEY), lambda text: client.set(KEY, text))
    client.close()


def run(binary, tally):
    with Server(binary) as server:
        prepare(server)
        play(server, tally)
        tally.run("php: the user of AUTH names the release", php, server)
        tally.relay("versions", [NODE, os.path.join(HERE, "versions.js"), str(server.port), ""])
    with Server(binary, requirepass="pw") as server:
        prepare(server)
        tally.run("versions, password: the user of the URL", client_speaks_new, server,
                  redis.Redis.from_url(server.url("web%402026.11", "pw")))
        tally.run("versions, password: a release without it is refused", release_needs_password, server)
        tally.relay("versions", [NODE, os.path.join(HERE, "versions.js"), str(server.port), "pw"])
    port = free_port()
    with Server(binary, listener_release=f"{port} web@2026.11") as server:
        prepare(server)
        tally.run("versions: the listener", client_speaks_new, server, redis.Redis(port=port))
    with Server(binary, database_release="2 web@2026.11 0") as server:
        prepare(server)
        tally.run("versions: the database number", client_speaks_new, server,
                  redis.Redis.from_url(server.url(db=2)))


def play(server, tally):
    from_url = redis.Redis.from_url
    tally.run("versions: the user of the URL", client_speaks_new, server, new_client(server))
    tally.run("versions: the client name of the URL", client_speaks_new, server,
              from_url(server.url(query="?client_name=web@2026.11")))
    tests = [v for k, v in globals().items() if k.startswith("test_")]
    for test in tests:
        tally.run("versions: " + test.__doc__, test, server)


def php(server):
    code = ('$r = new Redis(); $r->connect("127.0.0.1", (int)$argv[1]); $r->auth(["web@2026.11", "x"]);'
            'if ($argv[2] === "get") { echo $r->get("%s"); } else { $r->set("%s", $argv[3]); }' % (KEY, KEY))

    def call(*arguments):
        return subprocess.run([PHP, "-r", code, str(server.port), *arguments], text=True, check=True,
                              capture_output=True, timeout=10).stdout

    speaks_new(old_client(server), lambda: call("get"), lambda text: call("set", text))


def release_needs_password(server):
    try:
        redis.Redis.from_url(server.url("web%402026.11", "no")).get(KEY)
    except redis.RedisError as error:
        assert "WRONGPASS" in str(error) or "invalid" in str(error), str(error)
    else:
        raise AssertionError("let in")


def test_cli(server):
    "redis-cli: -u URL with the release as user"
    url = server.url("web%402026.11", "x")
    speaks_new(old_client(server), lambda: server.cli("-u", url, "--no-auth-warning", "get", KEY),
               lambda text: server.cli("-u", url, "--no-auth-warning", "-x", "set", KEY, stdin=text))


def test_use(server):
    "SCHEMA USE"
    client = redis.Redis(port=server.port, single_connection_client=True)
    equal(client.execute_command("SCHEMA", "USE", "session", "2"), b"OK")
    client_speaks_new(server, client)


def test_bytes(server):
    "a reader of the same version gets the same bytes"
    body = b'{ "userName" : "Zo\\u00eb","cart":[ ],"n":1.50,"big":123456789012345678901}'
    old = old_client(server)
    old.delete(KEY)
    old.set(KEY, body)
    equal(old.get(KEY), body)
    new = new_client(server)
    equal(new.get(KEY), body.replace(b'"userName"', b'"user_name"').replace(b"01}", b'01,"theme":"light"}'))
    equal(old.get(KEY), body)


def test_hidden(server):
    "what one version cannot see survives its writes; the gift stays with its item"
    old, new = old_client(server), new_client(server)
    cart = [{"sku": s, "price": 1.5, "gift": "for " + s} for s in ("a", "b", "c")]
    new.set(KEY, json.dumps({"userId": 7, "user_name": "Ann", "theme": "dark", "cart": cart}))
    seen = json.loads(old.get(KEY))
    equal(seen, {"userId": 7, "userName": "Ann", "cart": [{"sku": s, "cents": 150} for s in ("a", "b", "c")]})
    seen["cart"] = [seen["cart"][2], {"sku": "d", "cents": 99}, {**seen["cart"][0], "cents": 300}]
    old.set(KEY, json.dumps(seen))
    equal(json.loads(new.get(KEY)), {"userId": 7, "user_name": "Ann", "theme": "dark", "cart": [
        {"sku": "c", "price": 1.5, "gift": "for c"}, {"sku": "d", "price": 0.99},
        {"sku": "a", "price": 3, "gift": "for a"}]})


def test_hashes(server):
    "a hash with JSON in a field, as Spring and mgcrea keep sessions, and a hash that was JSON"
    old, new = old_client(server), new_client(server)
    old.execute_command("SCHEMA", "PUT", json.dumps({
        "schema": "fields", "keys": ["web:*"], "codec": "hash", "fields": {"data": "json"},
        "identity": ["/user"], "versions": [{"version": 1}, {"version": 2, "steps": [
            {"op": "rename", "path": "/seen", "to": "lastAccessedTime"},
            {"op": "rename", "path": "/data/cart", "to": "basket"},
            {"op": "add", "path": "/theme"}]}]}))
    old.execute_command("SCHEMA", "PUT", json.dumps({
        "schema": "grown", "keys": ["grown:*"], "codec": "json", "fields": {"n": "json"},
        "versions": [{"version": 1}, {"version": 2, "codec": "hash"}]}))
    old.execute_command("RELEASE", "SET", "web@2026.11", "session", 2, "fields", 2, "grown", 2)
    java = b"\xac\xed\x00\x05t\x00\x03ann"
    old.hset("web:1", mapping={"user": "u1", "seen": 5, "attr": java, "data": '{"cart": [1]}'})
    old.expire("web:1", 1000)
    equal(new.hgetall("web:1"), {b"user": b"u1", b"lastAccessedTime": b"5", b"attr": java,
                                 b"data": b'{"basket": [1]}'})
    pipe = new.pipeline(transaction=True)
    pipe.hset("web:1", mapping={"theme": "dark", "data": '{"basket":[1,2]}'})
    pipe.hincrby("web:1", "lastAccessedTime", 1)
    equal(pipe.execute(), [1, 6])
    equal(old.hgetall("web:1"), {b"user": b"u1", b"seen": b"6", b"attr": java,
                                 b"data": b'{"cart":[1,2]}'})
    old.hset("web:1", "seen", 7)
    equal(dict(new.hscan_iter("web:1"))[b"theme"], b"dark")
    assert 990 <= new.ttl("web:1") <= 1000
    old.hset("web:1", "user", "u2")  # another user: nothing hidden is left to them
    equal(new.hget("web:1", "theme"), None)
    old.set("grown:1", '{"name":"Zo\\u00eb","n":1}')
    equal(new.hgetall("grown:1"), {b"name": "Zoë".encode(), b"n": b"1"})
    new.hincrby("grown:1", "n", 1)
    equal(json.loads(old.get("grown:1")), {"name": "Zoë", "n": 2})
    equal([new.type("grown:1"), old.type("grown:1")], [b"hash", b"string"])


def test_identity(server):
    "another user's write takes nothing of the hidden data"
    old, new = old_client(server), new_client(server)
    new.set(KEY, json.dumps({"userId": 7, "theme": "dark"}))
    old.set(KEY, json.dumps({"userId": 8}))
    equal(json.loads(new.get(KEY)), {"userId": 8, "theme": "light"})


def test_before(server):
    "sessions from before the schema are of its first version"
    server.cli("set", "early:1", '{"a":1}')
    steps = [{"op": "rename", "path": "/a", "to": "b"}]
    server.cli("schema", "put", json.dumps({
        "schema": "early", "keys": ["early:*"], "codec": "json",
        "versions": [{"version": 1}, {"version": 2, "steps": steps}]}))
    server.cli("release", "set", "early@2", "early", "2")
    client = redis.Redis.from_url(server.url("early%402", "x"))
    equal(json.loads(client.get("early:1")), {"b": 1})


def test_commands(server):
    "MGET, GETRANGE, STRLEN, APPEND, pipelines and MULTI see the view"
    old, new = old_client(server), new_client(server)
    old.mset({"sess:1": '{"userName":"A"}', "sess:2": '{"userName":"B"}', "other": '{"userName":"C"}'})
    views = [b'{"user_name":"A","theme":"light"}', b'{"user_name":"B","theme":"light"}', b'{"userName":"C"}']
    equal(new.mget("sess:1", "sess:2", "other"), views)
    equal(new.getrange("sess:1", 2, 10), b"user_name")
    equal(new.strlen("sess:1"), len(views[0]))
    with new.pipeline() as pipe:
        pipe.get("sess:1").append("sess:1", " ").get("sess:1")
        equal(pipe.execute(), [views[0], len(views[0]) + 1, views[0] + b" "])
    equal(old.get("sess:1"), b'{"userName":"A"} ')


def test_watch(server):
    "WATCH: another version's read is no change, its write is one"
    old, new = old_client(server), new_client(server)
    old.set(KEY, '{"userName":"A"}')
    with new.pipeline() as pipe:
        pipe.watch(KEY)
        old.get(KEY)
        pipe.multi()
        pipe.set(KEY, '{"user_name":"B","theme":"dark"}')
        equal(pipe.execute(), [True])
    with new.pipeline() as pipe:
        pipe.watch(KEY)
        old.set(KEY, '{"userName":"C"}')
        pipe.multi()
        pipe.set(KEY, '{"user_name":"D"}')
        try:
            pipe.execute()
            raise AssertionError("executed")
        except redis.WatchError:
            pass


def test_expiry(server):
    "the expiry and DEL belong to the key, whoever reads it"
    old, new = old_client(server), new_client(server)
    old.set(KEY, '{"userName":"A"}', ex=100)
    new.get(KEY)
    assert 90 < new.ttl(KEY) <= 100
    new.expire(KEY, 50)
    assert 40 < old.ttl(KEY) <= 50
    new.set(KEY, '{"user_name":"B"}', keepttl=True)
    assert 40 < old.ttl(KEY) <= 50
    equal(old.delete(KEY), 1)
    equal(new.get(KEY), None)


def test_unknown(server):
    "an unknown release of a known application is refused, other names are none"
    for url in (server.url("web%402026.99", "x"), server.url(query="?client_name=web@2026.99")):
        try:
            redis.Redis.from_url(url).ping()
        except redis.RedisError as error:
            assert "NORELEASE" in str(error), str(error)
        else:
            raise AssertionError("let in")
    equal(redis.Redis.from_url(server.url(query="?client_name=worker@host7")).ping(), True)


def test_moved(server):
    "RELEASE SET applies to open connections at their next command"
    server.cli("release", "set", "api@1", "session", "1")
    old = old_client(server)
    client = redis.Redis(port=server.port, username="api@1", password="x", single_connection_client=True)
    old.set(KEY, '{"userName":"A"}')
    equal(json.loads(client.get(KEY)), {"userName": "A"})
    server.cli("release", "set", "api@1", "session", "2")
    equal(json.loads(client.get(KEY)), {"user_name": "A", "theme": "light"})


def test_order(server):
    "SCHEMA USE goes before the user, the user before the client name; RESET forgets"
    old = old_client(server)
    old.set(KEY, '{"userName":"A"}')
    keys = lambda client: sorted(json.loads(client.get(KEY)))  # noqa: E731
    client = redis.Redis(port=server.port, username="web@2026.11", password="x", client_name="web@2026.10",
                         single_connection_client=True)
    equal(keys(client), ["theme", "user_name"])
    client.execute_command("SCHEMA", "USE", "session", "1")
    equal(keys(client), ["userName"])
    client.execute_command("SCHEMA", "USE", "session", "2")
    client.execute_command("RESET")
    equal(keys(client), ["userName"])


def test_status(server):
    "SCHEMA STATUS and EXPLAIN answer"
    assert "session" in server.cli("schema", "status")
    assert server.cli("schema", "explain", KEY, "as", "2") is not None
    equal(server.cli("schema", "list").split("\n").count("session"), 1)

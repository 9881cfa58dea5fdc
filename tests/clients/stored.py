"""stored - processes of two versions share state in what their frameworks write: PHP sessions,
MessagePack as Flask-Session stores it, pickles as Django's cache does."""

import json
import os
import pickle
import random
import subprocess
import sys

import redis

from harness import HERE, PHP, Server, equal

STEPS = [
    {"op": "rename", "path": "/user/name", "to": "full_name"},
    {"op": "scale", "path": "/user/price", "factor": "100", "up_digits": 0, "down_digits": 2},
    {"op": "convert", "path": "/n", "from": "integer", "to": "string"},
    {"op": "each", "path": "/cart", "key": "/sku",
     "steps": [{"op": "add", "path": "/note", "default": ""}]},
    {"op": "add", "path": "/theme", "default": "light"}]


def put(server, name, keys, change=None, **format):
    document = {"schema": name, "keys": keys, **format, "versions": [
        {"version": 1}, {"version": 2, **(change or {}), "steps": STEPS}]}
    equal(server.cli("schema", "put", json.dumps(document)), "OK")


def run(binary, tally):
    with Server(binary) as server:
        put(server, "php", ["php:*", "php_serialize:*"], codec="php")
        put(server, "flask", ["session:*"], codec="msgpack")
        put(server, "django", [":1:*"], codec="pickle")
        put(server, "move", ["move:*"], {"codec": "json"}, codec="php")
        put(server, "rewrite", ["rewrite:*"], {"codec": "msgpack"}, codec="pickle")
        equal(server.cli("release", "set", "web@2", "php", "2", "flask", "2", "django", "2",
                         "move", "2", "rewrite", "2"), "OK")
        tally.relay("php codec", [PHP, os.path.join(HERE, "stored.php"), str(server.port)])
        tally.run("msgpack codec: two processes share a session", msgpack_is_shared, server)
        tally.run("pickle codec: two processes share a session", pickles_are_shared, server)
        tally.run("pickle codec: what is read is what CPython would write", pickles_are_cpythons,
                  server)
        tally.run("from PHP to JSON: PHP and Python share a session", php_and_json, server)
        tally.run("from pickle to MessagePack: two processes share a session", pickle_and_msgpack,
                  server)


def msgpack_is_shared(server):
    import msgpack  # Debian's python3-msgpack
    old = redis.Redis.from_url(server.url())
    state = {"user": {"name": "Zoë", "price": 19.99, "blob": b"\0\xff", 5: None}, "n": 1,
             "cart": [{"sku": "a"}, {"sku": 2}], "when": msgpack.Timestamp(1795393749, 5)}
    bytes_of_old = msgpack.packb(state)
    old.set("session:1", bytes_of_old)
    equal(new_process(server, "str"), str({
        "user": {"full_name": "Zoë", "price": 1999, "blob": b"\0\xff", 5: None}, "n": "1",
        "cart": [{"sku": "a", "note": ""}, {"sku": 2, "note": ""}],
        "when": msgpack.Timestamp(1795393749, 5), "theme": "light"}))
    equal(old.get("session:1"), bytes_of_old)
    new_process(server, "state['theme'] = 'dark'; state['cart'].reverse(); "
                        "state['cart'][0]['note'] = 'gift'; state['n'] = '2'")
    state = msgpack.unpackb(old.get("session:1"), strict_map_key=False)
    equal(state["user"], {"name": "Zoë", "price": 19.99, "blob": b"\0\xff", 5: None})
    equal([state["n"], state["cart"]], [2, [{"sku": 2}, {"sku": "a"}]])
    state["cart"].pop()
    old.set("session:1", msgpack.packb(state))
    equal(eval(new_process(server, "str"), {"Timestamp": msgpack.Timestamp})["cart"],
          [{"sku": 2, "note": "gift"}])


def pickles_are_shared(server):
    old = redis.Redis.from_url(server.url())
    state = {"user": {"name": "Zoë", "price": 19.99, "blob": b"\0\xff", 5: None}, "n": 1,
             "cart": [{"sku": "a"}, {"sku": 2}], "when": (2026, 10**30)}
    old.set(":1:x", pickle.dumps(state))
    new_process(server, "state['theme'] = 'dark'; state['cart'].reverse(); "
                        "state['cart'][0]['note'] = 'gift'; assert state['n'] == '1'; "
                        "assert state['when'] == (2026, 10**30)", ":1:x", "pickle")
    state = pickle.loads(old.get(":1:x"))
    equal(state["user"], {"name": "Zoë", "price": 19.99, "blob": b"\0\xff", 5: None})
    equal([state["n"], state["cart"]], [1, [{"sku": 2}, {"sku": "a"}]])
    state["cart"].pop()
    old.set(":1:x", pickle.dumps(state))
    equal(eval(new_process(server, "str", ":1:x", "pickle"))["cart"], [{"sku": 2, "note": "gift"}])


def any_value(prng, depth=0):
    pool = ["name", "Zoë", "x" * 300, b"abc", b"y" * 300, "\ud800", ("t", 1)]
    edges = [0, 255, 256, 65535, 65536, -1, 2**31 - 1, 2**31, -2**31 - 1, 2**63 - 1, 2**63, -2**63,
             -2**63 - 1, 10**30, -10**30]
    kind = prng.randrange(0, 7 if depth > 4 else 12)
    if kind < 2:
        return prng.choice([None, True, False, 0.0, -0.0, 1.5, 1e300, float("inf")])
    if kind < 4:
        return prng.choice(edges)
    if kind < 7:
        return prng.choice(pool + ["aë\U0001f600"[:prng.randrange(4)], bytes(prng.randrange(300))])
    if kind < 9:
        return [any_value(prng, depth + 1) for _ in range(prng.choice([0, 1, 2, 5]))]
    if kind == 9:
        return tuple(any_value(prng, depth + 1) for _ in range(prng.randrange(5)))
    return {prng.choice([prng.randrange(9), "k%d" % prng.randrange(9), "name", b"q", ("a", 2), None]):
            any_value(prng, depth + 1) for _ in range(prng.choice([0, 1, 2, 5]))}


def pickles_are_cpythons(server):
    old = redis.Redis.from_url(server.url())
    new = redis.Redis.from_url(server.url("web%402", "x"))
    prng = random.Random(7)
    values = [any_value(prng) for _ in range(300)]
    values += [{i: i for i in range(2000)}, list(range(2500)), "x" * 70000, ["q" * 100] * 1000,
               [b"z" * 65536, "y" * 65535] * 2]
    for value in values:
        protocol = prng.randrange(3, 6)
        state = {"user": {"name": value, "more": value if isinstance(value, str) else "name"}}
        expected = {"user": {"full_name": value, "more": state["user"]["more"]}, "theme": "light"}
        stored = pickle.dumps(state, protocol=protocol)
        old.set(":1:any", stored)
        equal(new.get(":1:any"), pickle.dumps(expected, protocol=protocol))
        equal(old.get(":1:any"), stored)


def php_process(server, code):
    """One request of a PHP application of version 1, session handler and all."""
    script = """
        ini_set('session.save_handler', 'redis');
        ini_set('session.save_path', 'tcp://127.0.0.1:%d?prefix=move:');
        ini_set('session.use_cookies', '0');
        ini_set('session.cache_limiter', '');
        session_id('a'); session_start(); %s
        echo json_encode($_SESSION); session_write_close();""" % (server.port, code)
    done = subprocess.run([PHP, "-d", "display_errors=stderr", "-r", script], capture_output=True,
                          text=True, timeout=30)
    equal((done.returncode, done.stderr), (0, ""))
    return json.loads(done.stdout)


def php_and_json(server):
    php_process(server, "$_SESSION['user'] = ['id' => 42, 'name' => 'Zoë', 'price' => 19.99];"
                        "$_SESSION['n'] = 1; $_SESSION['cart'] = [['sku' => 'a'], ['sku' => 2]];"
                        "$_SESSION['empty'] = [];")
    seen = eval(new_process(server, "state['theme'] = 'dark'; state['user']['full_name'] = 'Bob';"
                                    "state['cart'][1]['note'] = 'gift'; state['flash'] = {}",
                            "move:a", "json"))
    equal([seen["user"]["price"], seen["n"], seen["empty"]], [1999, "1", []])
    seen = php_process(server, "$_SESSION['n']++; array_shift($_SESSION['cart']);"
                               "if ($_SESSION['flash'] !== []) { exit(1); }")
    equal(seen["user"], {"id": 42, "name": "Bob", "price": 19.99})
    equal(eval(new_process(server, "", "move:a", "json")),
          {"user": {"id": 42, "full_name": "Bob", "price": 1999}, "n": "2", "empty": [],
           "cart": [{"sku": 2, "note": "gift"}], "theme": "dark", "flash": {}})


def pickle_and_msgpack(server):
    old = redis.Redis.from_url(server.url())
    state = {"user": {"name": "Zoë", "blob": b"\0\xff", 5: None}, "n": 1, "f": 0.1, "cart": []}
    stored = pickle.dumps(state)
    old.set("rewrite:a", stored)
    new_process(server, "str", "rewrite:a", "msgpack")
    equal(old.get("rewrite:a"), stored)
    equal(eval(new_process(server, "state['theme'] = 'dark'", "rewrite:a", "msgpack")),
          {"user": {"full_name": "Zoë", "blob": b"\0\xff", 5: None}, "n": "1", "f": 0.1,
           "cart": [], "theme": "dark"})
    equal(pickle.loads(old.get("rewrite:a")), state)
    state["f"] = 1
    old.set("rewrite:a", pickle.dumps(state))
    seen = eval(new_process(server, "", "rewrite:a", "msgpack"))
    equal([seen["f"], seen["theme"]], [1, "dark"])


def new_process(server, code, key="session:1", codec="msgpack"):
    """One request of version 2: <code> works on the state; what it is then, as text."""
    done = subprocess.run([sys.executable, __file__, server.url("web%402", "x"), code, key, codec],
                          capture_output=True, text=True, timeout=30)
    equal((done.returncode, done.stderr), (0, ""))
    return done.stdout.rstrip("\n")


def new_request(url, code, key, codec):
    import msgpack
    client = redis.Redis.from_url(url)
    loads, dumps = {"pickle": (pickle.loads, pickle.dumps), "json": (json.loads, json.dumps),
                    "msgpack": (lambda b: msgpack.unpackb(b, strict_map_key=False),
                                msgpack.packb)}[codec]
    state = loads(client.get(key))
    before = dumps(state)
    exec(code, {"state": state})
    if dumps(state) != before:
        client.set(key, dumps(state))
    print(state)


if __name__ == "__main__":
    new_request(*sys.argv[1:])

"""stored - processes of two versions share state in what their frameworks write: PHP sessions,
and MessagePack as Flask-Session stores it."""

import json
import os
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


def put(server, name, keys, **format):
    document = {"schema": name, "keys": keys, **format, "versions": [
        {"version": 1}, {"version": 2, "steps": STEPS}]}
    equal(server.cli("schema", "put", json.dumps(document)), "OK")


def run(binary, tally):
    with Server(binary) as server:
        put(server, "php", ["php:*", "php_serialize:*"], codec="php")
        put(server, "flask", ["session:*"], codec="msgpack")
        equal(server.cli("release", "set", "web@2", "php", "2", "flask", "2"), "OK")
        tally.relay("php codec", [PHP, os.path.join(HERE, "stored.php"), str(server.port)])
        tally.run("msgpack codec: two processes share a session", msgpack_is_shared, server)


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


def new_process(server, code):
    """One request of version 2: <code> works on the state; what it is then, as text."""
    done = subprocess.run([sys.executable, __file__, server.url("web%402", "x"), code],
                          capture_output=True, text=True, timeout=30)
    equal((done.returncode, done.stderr), (0, ""))
    return done.stdout.rstrip("\n")


def new_request(url, code):
    import msgpack
    client = redis.Redis.from_url(url)
    state = msgpack.unpackb(client.get("session:1"), strict_map_key=False)
    before = msgpack.packb(state)
    exec(code, {"state": state})
    if msgpack.packb(state) != before:
        client.set("session:1", msgpack.packb(state))
    print(state)


if __name__ == "__main__":
    new_request(*sys.argv[1:])

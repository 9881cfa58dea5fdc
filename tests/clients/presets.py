"""presets - every preset against what its framework stores: bytes as they were seen on the wire
between the real framework and Redis. A version is appended to the preset as a user would do it; the new
one reads the framework's bytes, the old one reads back what it wrote, and helper keys are left alone."""

import hashlib
import json
import pickle
import subprocess

import redis

from harness import Server, equal

ADD = {"op": "add", "path": "/theme", "default": "light"}
LOGIN = "login_web_" + hashlib.sha1(rb"Illuminate\Auth\SessionGuard").hexdigest()
PRINCIPAL = "sessionAttr:org.springframework.session.FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME"


def rename(path, to):
    return {"op": "rename", "path": path, "to": to}


def php(text):
    """serialize() of a string."""
    text = text if isinstance(text, bytes) else text.encode()
    return b's:%d:"%s";' % (len(text), text)


def laravel(user, *more):
    members = [php("_token"), php("a" * 40), php(user), b"i:42;", *map(php, more)]
    return php(b"a:%d:{%s}" % (len(members) // 2, b"".join(members)))


def pickled(state, protocol):
    return pickle.dumps(state, protocol=protocol)


ZOE = {"user_id": 42, "name": "Zoë"}
ZOE_NEW = {"uid": 42, "name": "Zoë", "theme": "light"}
FLASK = b"\xaa_permanent\xc3\xa1n\x01%s\xa4Zo\xc3\xab\xa1l\x92\x01\x81\xa1a\xc0"
DJANGO = ":1:django.contrib.sessions.cache"

# preset, key, what the framework stores, steps, what the new version reads, helper keys
SEEN = [
    ("express-session", "sess:uF3x",
     '{"cookie":{"originalMaxAge":3600000,"expires":"2026-11-23T01:19:56.755Z","httpOnly":true,"path":"/"},'
     '"user":{"id":42,"name":"Zoë"},"cart":[1,2],"views":1}',
     [rename("/user/name", "full_name"), ADD],
     '{"cookie":{"originalMaxAge":3600000,"expires":"2026-11-23T01:19:56.755Z","httpOnly":true,"path":"/"},'
     '"user":{"id":42,"full_name":"Zoë"},"cart":[1,2],"views":1,"theme":"light"}', []),
    ("keyv", "keyv::keyv:a", '{"value":{"name":"Zoë","n":1},"expires":1795396796755}',
     [rename("/name", "full_name")], '{"value":{"full_name":"Zoë","n":1},"expires":1795396796755}',
     ["namespace:keyv"]),
    ("keyv", "keyv:a", '{"value":{"name":"Zoë","raw":":base64:aGk="}}', [rename("/name", "full_name")],
     '{"value":{"full_name":"Zoë","raw":":base64:aGk="}}', []),
    ("php-session", "PHPREDIS_SESSION:9f",
     'user|a:5:{s:2:"id";i:42;s:4:"name";s:4:"Zoë";s:1:"f";d:1.5;s:1:"b";b:1;s:3:"nul";N;}n|i:1;',
     [rename("/user/name", "full_name"), ADD],
     'user|a:5:{s:2:"id";i:42;s:9:"full_name";s:4:"Zoë";s:1:"f";d:1.5;s:1:"b";b:1;s:3:"nul";N;}n|i:1;'
     'theme|s:5:"light";', ["PHPREDIS_SESSION:9f_LOCK"]),
    ("symfony", "sf_s9f",
     '_sf2_attributes|a:2:{s:4:"name";s:4:"Zoë";s:1:"n";i:1;}'
     '_sf2_meta|a:3:{s:1:"u";i:1700000000;s:1:"c";i:1700000000;s:1:"l";i:0;}',
     [rename("/name", "full_name"), ADD],
     '_sf2_attributes|a:3:{s:9:"full_name";s:4:"Zoë";s:1:"n";i:1;s:5:"theme";s:5:"light";}'
     '_sf2_meta|a:3:{s:1:"u";i:1700000000;s:1:"c";i:1700000000;s:1:"l";i:0;}', []),
    ("laravel", "laravel_database_laravel_cache_:" + "x" * 40, laravel("user_id"),
     [rename("/user_id", "uid"), ADD], laravel("uid", "theme", "light"),
     ["laravel_database_laravel_cache_:tag:people:entries", "laravel_database_laravel_cache_:login:timer"]),
    ("laravel", "laravel-database-laravel-cache-" + "x" * 40, laravel("user_id"),
     [rename("/user_id", "uid"), ADD], laravel("uid", "theme", "light"), []),
    ("laravel-json", "laravel-database-laravel-cache-" + "x" * 40,
     php(r'{"_token":"abc","user_id":42,"name":"Zo\u00eb"}'), [rename("/user_id", "uid"), ADD],
     php(r'{"_token":"abc","uid":42,"name":"Zo\u00eb","theme":"light"}'),
     ["laravel-database-laravel-cache-login:timer"]),
    *(("django", DJANGO + "4x7", pickled(ZOE, protocol), [rename("/user_id", "uid"), ADD],
       pickled(ZOE_NEW, protocol), [":1:django.contrib.sessions.cached_db4x7"]) for protocol in (4, 5)),
    ("django-json", DJANGO + "4x7", r'{"user_id": 42, "name": "Zo\u00eb"}', [rename("/user_id", "uid")],
     r'{"uid": 42, "name": "Zo\u00eb"}', [":1:django.contrib.sessions.cached_db4x7"]),
    ("flask-session", "session:Qm9i", b"\x84" + FLASK % b"\xa4name", [rename("/name", "full_name"), ADD],
     b"\x85" + FLASK % b"\xa9full_name" + b"\xa5theme\xa5light", []),
    ("flask-session-json", "session:Qm9i", '{"_permanent":true,"n":1,"name":"Zoë"}', [rename("/n", "count")],
     '{"_permanent":true,"count":1,"name":"Zoë"}', []),
    ("flask-session-pickle", "session:5b0d", pickled({"_permanent": True, **ZOE}, 4),
     [rename("/user_id", "uid"), ADD], pickled({"_permanent": True, **ZOE_NEW}, 4), []),
    ("starsessions", "starsessions.7d1c",
     r'{"n": 1, "name": "Zo\u00eb", "__metadata__": {"lifetime": 0, "created": 1795393749.86, "last_access": 1795393749.9}}',
     [rename("/n", "count")],
     r'{"count": 1, "name": "Zo\u00eb", "__metadata__": {"lifetime": 0, "created": 1795393749.86, "last_access": 1795393749.9}}',
     []),
    ("aiohttp-session", "AIOHTTP_SESSION_7d1c",
     r'{"created": 1795393749, "session": {"n": 1, "name": "Zo\u00eb"}}', [rename("/n", "count")],
     r'{"created": 1795393749, "session": {"count": 1, "name": "Zo\u00eb"}}', []),
    ("rails-json", "2::" + "5e" * 32, '{"n":1,"user_id":42,"flash":{"discard":[],"flashes":{"notice":"hi"}}}',
     [rename("/user_id", "uid"), ADD],
     '{"n":1,"uid":42,"flash":{"discard":[],"flashes":{"notice":"hi"}},"theme":"light"}', []),
]

# preset, key, the member of the session that says whose it is (as JSON), how a session is dumped
OWNERS = [
    ("express-session", "sess:1", {"passport": {"user": 1}}, {"passport": {"user": 2}}, json.dumps),
    ("django", DJANGO + "1", {"_auth_user_id": "1"}, {"_auth_user_id": "2"}, pickle.dumps),
    ("flask-session-json", "session:1", {"_user_id": "1"}, {"_user_id": "2"}, json.dumps),
    ("laravel-json", "laravel-database-laravel-cache-1", {LOGIN: 1}, {LOGIN: 2},
     lambda state: php(json.dumps(state))),
    ("rails-json", "2::1", {"warden.user.user.key": [[1], "$2a$12$x"]},
     {"warden.user.user.key": [[2], "$2a$12$y"]}, json.dumps),
]


def run(binary, tally):
    tally.run("presets: the list, and an unknown name", listed, binary)
    for name in sorted({row[0] for row in SEEN + OWNERS}):
        with Server(binary, preset=name) as server:
            for row in (row for row in SEEN if row[0] == name):
                tally.run(f"preset {name}: {row[1][:40]}", shared, server, *row)
            for row in (row for row in OWNERS if row[0] == name):
                tally.run(f"preset {name}: another user's session", owned, server, *row)
    with Server(binary, preset="spring-session") as server:
        tally.run("preset spring-session", spring, server)
    tally.run("presets: keys of one's own, several presets, a schema that is there", chosen, binary)


def append_version(server, name, steps):
    """Version 2 of a preset, as a user appends it; clients of both versions."""
    document = json.loads(server.cli("schema", "get", name))
    document["versions"] = [{"version": 1}, {"version": 2, "steps": steps}]
    equal(server.cli("schema", "put", json.dumps(document), "force"), "OK")
    equal(server.cli("release", "set", "web@2", name, "2"), "OK")
    return redis.Redis.from_url(server.url()), redis.Redis.from_url(server.url("web%402", "x"))


def shared(server, name, key, stored, steps, seen, helpers):
    stored, seen = (b if isinstance(b, bytes) else b.encode() for b in (stored, seen))
    old, new = append_version(server, name, steps)
    old.set(key, stored)
    equal(new.get(key), seen)
    equal(old.get(key), stored)
    new.set(key, seen)
    equal(new.get(key), seen)
    back = old.get(key)
    if back != stored:  # what is pickled anew shares strings otherwise
        equal(pickle.loads(back), pickle.loads(stored))
    for helper in helpers:  # a session's bytes: nothing but its name says that it is none
        old.set(helper, stored)
        equal(new.get(helper), stored)


def owned(server, name, key, mine, others, dumps):
    old, new = append_version(server, name, [ADD])
    new.set(key, dumps({**mine, "theme": "dark"}))
    old.set(key, dumps({**mine, "n": 1}))
    assert b"dark" in new.get(key)
    old.set(key, dumps(others))
    assert b"dark" not in new.get(key) and b"light" in new.get(key)


def spring(server):
    """A session of RedisIndexedSessionRepository with its JSON serializer."""
    document = json.loads(server.cli("schema", "get", "spring-session"))
    document["fields"] = {"sessionAttr:cart": "json"}
    document["versions"].append({"version": 2, "steps": [
        rename("/sessionAttr:user", "sessionAttr:login"), rename("/sessionAttr:cart/sum", "total"),
        {"op": "add", "path": "/sessionAttr:theme"}]})
    equal(server.cli("schema", "put", json.dumps(document)), "OK")
    equal(server.cli("release", "set", "web@2", "spring-session", "2"), "OK")
    old = redis.Redis.from_url(server.url(), decode_responses=True)
    new = redis.Redis.from_url(server.url("web%402", "x"), decode_responses=True)
    key = "spring:session:sessions:7d1c"
    state = {"creationTime": "1795393749000", "lastAccessedTime": "1795393749000",
             "maxInactiveInterval": "1800", PRINCIPAL: '"zoe"'}
    old.hset(key, mapping={**state, "sessionAttr:user": '"Zoë"', "sessionAttr:cart": '{"sum":5}'})
    equal(new.hgetall(key), {**state, "sessionAttr:login": '"Zoë"', "sessionAttr:cart": '{"total":5}'})
    new.hset(key, mapping={"sessionAttr:theme": '"dark"', "lastAccessedTime": "1795393750000"})
    equal(old.hgetall(key), {**state, "lastAccessedTime": "1795393750000", "sessionAttr:user": '"Zoë"',
                             "sessionAttr:cart": '{"sum":5}'})
    old.hset(key, "sessionAttr:user", '""')  # the same principal: the theme stays
    equal(new.hget(key, "sessionAttr:theme"), '"dark"')
    old.hset(key, PRINCIPAL, '"bob"')
    equal(new.hget(key, "sessionAttr:theme"), None)
    helper = "spring:session:sessions:expires:7d1c"
    old.append(helper, "")
    equal((new.get(helper), new.exists(helper)), ("", 1))
    old.hset("spring:session:sessions:7d1c:idx", "sessionAttr:user", "x")
    equal(new.hgetall("spring:session:sessions:7d1c:idx"), {"sessionAttr:user": "x"})


def listed(binary):
    done = subprocess.run([binary, "--preset", "help"], capture_output=True, text=True, timeout=10)
    names = [line.split()[0] for line in done.stdout.split("\n") if line.startswith("  ") and line[2] != " "]
    equal((done.returncode, set(names)), (0, {row[0] for row in SEEN} | {"spring-session"}))
    equal(len(names), len(set(names)))
    done = subprocess.run([binary, "--port", "0", "--preset", "expres"], capture_output=True, text=True, timeout=10)
    equal(done.returncode, 1)
    assert "preset expres: there is no preset of this name" in done.stderr and "sess:*" in done.stderr


def chosen(binary):
    with Server(binary, "--preset", "laravel shop_cache_:* shop2:*", "--preset", "express-session") as server:
        equal(json.loads(server.cli("schema", "get", "laravel"))["keys"], ["shop_cache_:*", "shop2:*"])
        equal(server.cli("schema", "list").split("\n").count("express-session"), 1)
        equal(server.cli("config", "get", "preset").split("\n")[1:],
              ["laravel shop_cache_:* shop2:*", "express-session"])

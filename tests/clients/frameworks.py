"""frameworks - two versions of an application, each a process of its own, share sessions through their
framework's own session code: Django with django-redis (pickle), Flask-Session (pickle, and MessagePack
as from 0.8 on: Debian has an older one, whose serializer is replaced), Symfony (PHP).

usage: frameworks.py FRAMEWORK URL ID CHANGES    one request: sets members of the session, prints it as JSON
"""

import json
import os
import subprocess
import sys

import redis

from harness import HERE, PHP, Server, equal

ID = "0123456789abcdefghijklmnopqrstuv"  # 32 characters, as Django's are

# framework, preset, key, arguments of the program that is one request of it
FRAMEWORKS = [
    ("django", "django", ":1:django.contrib.sessions.cache" + ID, [sys.executable, __file__, "django"]),
    ("flask-pickle", "flask-session-pickle", "session:" + ID, [sys.executable, __file__, "flask-pickle"]),
    ("flask-msgpack", "flask-session", "session:" + ID, [sys.executable, __file__, "flask-msgpack"]),
    ("symfony", "symfony", "sf_s" + ID, [PHP, os.path.join(HERE, "symfony.php")]),
]
STEPS = [{"op": "rename", "path": "/name", "to": "full_name"},
         {"op": "each", "path": "/cart", "key": "/sku", "steps": [
             {"op": "scale", "path": "/cents", "factor": "0.01"},
             {"op": "rename", "path": "/cents", "to": "price"},
             {"op": "add", "path": "/gift"}]},
         {"op": "add", "path": "/theme", "default": "light"}]


def run(binary, tally):
    for framework, preset, key, program in FRAMEWORKS:
        with Server(binary, preset=preset) as server:
            tally.run(f"{framework}: two versions share a session", shared, server, preset, key, program)


def shared(server, preset, key, program):
    document = json.loads(server.cli("schema", "get", preset))
    document["versions"].append({"version": 2, "steps": STEPS})
    equal(server.cli("schema", "put", json.dumps(document)), "OK")
    equal(server.cli("release", "set", "web@2", preset, "2"), "OK")

    def request(url, changes):
        done = subprocess.run([*program, url, ID, json.dumps(changes)], capture_output=True, text=True,
                              timeout=30)
        equal((done.returncode, done.stderr), (0, ""))
        state = json.loads(done.stdout)
        return {name: state[name] for name in ("name", "full_name", "cart", "theme") if name in state}

    def old(**changes):
        return request(server.url(), changes)

    def new(**changes):
        return request(server.url("web%402", "x"), changes)

    old(name="Zoë", cart=[{"sku": "tea", "cents": 1999}])
    equal(new(), {"full_name": "Zoë", "cart": [{"sku": "tea", "price": 19.99}], "theme": "light"})
    new(theme="dark", cart=[{"sku": "tea", "price": 19.99, "gift": True}])
    equal(old(), {"name": "Zoë", "cart": [{"sku": "tea", "cents": 1999}]})
    old(name="Ann", cart=[{"sku": "mug", "cents": 500}, {"sku": "tea", "cents": 1999}])
    equal(new(), {"full_name": "Ann", "theme": "dark", "cart": [
        {"sku": "mug", "price": 5}, {"sku": "tea", "price": 19.99, "gift": True}]})
    assert redis.Redis(port=server.port).ttl(key) > 0


def django(url, session_id, changes):
    from django.conf import settings
    settings.configure(
        SECRET_KEY="x", SESSION_ENGINE="django.contrib.sessions.backends.cache",
        CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}})
    from django.contrib.sessions.backends.cache import SessionStore
    from django.core.cache import cache
    if not cache.has_key("django.contrib.sessions.cache" + session_id):  # noqa: W601
        cache.set("django.contrib.sessions.cache" + session_id, {}, 3600)
    session = SessionStore(session_id)
    session.update(changes)
    if changes:
        session.save()
    return dict(session.items())


def flask(url, session_id, changes, serializer=None):
    from flask import Flask, session
    from flask_session import Session
    app = Flask("shop")
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=redis.Redis.from_url(url))
    Session(app)
    if serializer is not None:
        app.session_interface.serializer = serializer
    seen = {}

    @app.route("/")
    def index():
        session.update(changes)
        seen.update(session)
        return ""

    client = app.test_client()
    client.set_cookie("localhost", "session", session_id)
    equal(client.get("/").status_code, 200)
    return seen


def msgpack_serializer():
    import msgpack

    class Serializer:
        dumps = staticmethod(msgpack.packb)
        loads = staticmethod(msgpack.unpackb)

    return Serializer


def main(framework, url, session_id, changes):
    changes = json.loads(changes)
    if framework == "django":
        state = django(url, session_id, changes)
    else:
        state = flask(url, session_id, changes, msgpack_serializer() if framework == "flask-msgpack" else None)
    print(json.dumps(state))


if __name__ == "__main__":
    main(*sys.argv[1:])

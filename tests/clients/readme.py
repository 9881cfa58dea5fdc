"""readme - runs the samples of README.md, so that they never rot: fenced blocks marked test=KIND,
in their order, against one server. The port of a sample, 6379, becomes the server's."""

import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from harness import HERE, NODE, PHP, Server, equal, free_port

README = os.path.join(HERE, "..", "..", "README.md")
MODULES = os.path.join(HERE, "..", "node_modules")


def run(binary, tally):
    text = open(README, encoding="utf-8").read()
    blocks = re.findall(r"^```(\w+) test=([\w-]+)\n(.*?)^```$", text, re.M | re.S)
    assert blocks, "README.md has no samples"
    with Server(binary) as server, tempfile.TemporaryDirectory(prefix="segue-readme-") as folder:
        os.mkdir(os.path.join(folder, "node_modules"))
        links = {name: name for name in os.listdir(MODULES)} | {"ioredis": "ioredis6"}
        for name, target in links.items():
            os.symlink(os.path.join(MODULES, target), os.path.join(folder, "node_modules", name))
        for number, (_, kind, code) in enumerate(blocks, 1):
            code = code.replace("6379", str(server.port))
            tally.run(f"README: sample {number}, {kind}", KINDS[kind], code, folder, server)


def output_of(command, folder, **env):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=20,
                          env={**os.environ, **env})
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def write(folder, name, code):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(code)
    return path


def expected(code, mark):
    """What the sample says that it prints: the comments at the end of printing lines."""
    printing = re.compile(r"(print|console\.log|echo)\b")
    return [line.split(mark, 1)[1] for line in code.split("\n") if printing.match(line)]


def shell(code, folder, server):
    """A line "# output" says what the command before it prints."""
    commands, said = [], []
    for line in code.rstrip("\n").split("\n"):
        if line.startswith("# "):
            said[-1] = line[2:]
        elif line.startswith("redis-cli "):
            commands.append(line.replace("redis-cli ", f"redis-cli -p {server.port} ", 1))
            said.append("OK")
        else:
            commands[-1] += "\n" + line
    for command, output in zip(commands, said):
        equal(output_of(["bash", "-c", command], folder).strip(), output)


def express(code, folder, _):
    port = free_port()
    path = write(folder, "app.mjs", code.replace("3000", str(port)))
    process = subprocess.Popen([NODE, path], cwd=folder, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        cookie = {}
        for expected_page in ("view 1", "view 2"):
            equal(visit(port, cookie, process), expected_page)
    finally:
        process.kill()
        process.communicate()


def visit(port, cookie, process):
    deadline = time.monotonic() + 10
    while True:
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=cookie)
            with urllib.request.urlopen(request, timeout=5) as response:
                if response.headers["set-cookie"]:
                    cookie["Cookie"] = response.headers["set-cookie"].split(";")[0]
                return response.read().decode()
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except urllib.error.URLError:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline, "the sample does not listen"
            time.sleep(0.05)


def ioredis(code, folder, _):
    output = output_of([NODE, write(folder, "sample.mjs", code)], folder)
    equal(output.strip().split("\n"), expected(code, " // "))


def python(code, folder, _):
    output = output_of(["/usr/bin/python3", write(folder, "sample.py", code)], folder)
    equal(output.strip().split("\n"), expected(code, "  # "))


FLASK = """
import redis
from flask import Flask, session
from flask_session import Session
app = Flask("shop")
%s
Session(app)
@app.route("/")
def page():
    session["views"] = session.get("views", 0) + 1
    return str(session["views"])
client = app.test_client()
print(client.get("/").text, client.get("/").text)
"""


def flask(code, folder, _):
    output = output_of(["/usr/bin/python3", write(folder, "app.py", FLASK % code)], folder)
    equal(output.strip(), "1 2")


DJANGO = """
from django.contrib.sessions.backends.cache import SessionStore
session = SessionStore()
session["views"] = 1
session.save()
print(SessionStore(session.session_key)["views"])
"""


def django(code, folder, server):
    write(folder, "settings.py", code + "SECRET_KEY = 'x'\n")
    output = output_of(["/usr/bin/python3", write(folder, "use.py", DJANGO)], folder,
                       DJANGO_SETTINGS_MODULE="settings")
    equal(output.strip(), "1")
    assert server.cli("keys", ":1:django.contrib.sessions.cache*")


def php_ini(code, folder, server):
    ini = os.path.join(folder, "ini")
    os.mkdir(ini)
    write(ini, "sample.ini", code)
    page = "session_id('readme'); session_start(); echo $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;"
    for count in ("1", "2"):
        equal(output_of([PHP, "-r", page], folder, PHP_INI_SCAN_DIR=":" + ini), count)
    equal(server.cli("get", "PHPREDIS_SESSION:readme"), "n|i:2;")


def php(code, folder, _):
    output = output_of([PHP, write(folder, "sample.php", code)], folder)
    equal(output.strip().split("\n"), expected(code, " // "))


def env(code, *_):
    for line in code.strip().split("\n"):
        assert re.match(r"^REDIS_[A-Z]+=\S+$", line), line


KINDS = {"shell": shell, "express": express, "ioredis": ioredis, "python": python,
         "flask": flask, "django": django, "php-ini": php_ini, "php": php, "env": env}

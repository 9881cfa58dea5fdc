"""harness - what the Python tests share: servers on free loopback ports, tests by name, and
the relay that runs a test program of another language."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = os.path.join(HERE, "..", "node_modules", ".bin", "node")
PHP = "/usr/bin/php"  # the one that Debian's redis extension belongs to


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server of its own, in a directory of its own, from `with` to the end of it.

    Options are redis-server's, as keywords: Server(binary, requirepass="pw").
    """

    def __init__(self, binary, *arguments, **options):
        self.binary = binary
        self.arguments = list(arguments)
        self.options = options

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="segue-test-")
        self.unixsocket = os.path.join(self.dir, "socket")
        for _ in range(3):  # another process may take the free port first
            self.port = free_port()
            if self._start():
                return self
        log = open(os.path.join(self.dir, "log")).read()
        shutil.rmtree(self.dir)
        raise RuntimeError("the server does not start:\n" + log[-2000:])

    def _start(self):
        command = [self.binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.dir,
                   "--save", "", "--unixsocket", self.unixsocket]
        for name, value in self.options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        command += [a.format(port=self.port) for a in self.arguments]
        with open(os.path.join(self.dir, "log"), "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=self.dir)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as conn:
                    conn.sendall(b"PING\r\n")
                    if conn.recv(100)[:1] in (b"+", b"-"):  # -NOAUTH is an answer, too
                        return True
            except OSError:
                time.sleep(0.02)
        self._stop()
        return False

    def _stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __exit__(self, kind, value, trace):
        died = self.process.poll()
        self._stop()
        log = open(os.path.join(self.dir, "log"), errors="replace").read()
        shutil.rmtree(self.dir)
        if died is not None:
            raise RuntimeError(f"the server ended during the test, status {died}:\n{log[-4000:]}")
        if self.process.returncode != 0:
            raise RuntimeError(f"the server ended with {self.process.returncode}:\n{log[-4000:]}")

    def url(self, user="", password="", db=0, query=""):
        login = f"{user}:{password}@" if user or password else ""
        return f"redis://{login}127.0.0.1:{self.port}/{db}{query}"

    def cli(self, *arguments, options=(), stdin=None, status=0):
        """What redis-cli prints for a command; its exit status must be <status>."""
        done = subprocess.run(["redis-cli", "-p", str(self.port), *options, *arguments],
                              input=stdin, capture_output=True, text=True, timeout=20)
        output = done.stdout.rstrip("\n")
        assert done.returncode == status, f"redis-cli {arguments}: {done.returncode}\n{output}\n{done.stderr}"
        return output


class Tally:
    """Runs tests, prints a line each, counts."""

    def __init__(self):
        self.passed = self.failed = 0

    def ok(self, name):
        self.passed += 1
        print(f"ok   {name}", flush=True)

    def bad(self, name, reason):
        self.failed += 1
        print(f"FAIL {name}", flush=True)
        print("".join(f"     {line}\n" for line in reason.rstrip().split("\n")[-40:]), end="", flush=True)

    def run(self, name, body, *arguments):
        """One test: <body> raises where it fails."""
        try:
            body(*arguments)
            self.ok(name)
        except Exception:
            self.bad(name, traceback.format_exc())

    def run_group(self, name, body, binary):
        """Many tests: <body> tells them itself; what it raises besides is one more failure."""
        try:
            body(binary, self)
        except Exception:
            self.bad(name, traceback.format_exc())

    def relay(self, name, command, seconds=60, **env):
        """A program that prints "ok - name" or "not ok - name" and then the reason."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, text=True, errors="replace",
                                   env={**os.environ, **env}, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=seconds)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            status = f"no end after {seconds} s"
        failed, reason, said = None, [], 0
        for line in output.split("\n") + ["ok - "]:
            if line.startswith(("ok - ", "not ok - ")):
                if failed:
                    self.bad(failed, "\n".join(reason))
                failed, reason = None, []
                said += 1
                if line.startswith("not ok - "):
                    failed = line[len("not ok - "):]
                elif line != "ok - ":
                    self.ok(line[len("ok - "):])
            else:
                reason.append(line)
        if status not in (0, 1) or said == 1 or (status == 1 and "not ok - " not in output):
            self.bad(f"{name}: status {status}", output)


def equal(actual, expected):
    assert actual == expected, f"{actual!r} instead of {expected!r}"

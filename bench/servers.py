"""
servers - what the scripts of the bench share: server processes on free loopback ports, pinned to
cores; the load generator; instructions counted by callgrind. Standard library only.

Every process is stopped by its id and every directory removed, also when a script is interrupted:
call stop_all() at the end, and clean_up_on_signals() at the start.
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOAD = os.path.join(REPOSITORY, "build", "plain", "segue-bench")
SEGUE = os.path.join(REPOSITORY, "build", "plain", "segue-server")
running = []


class Failed(Exception):
    """A server or the load did not do its part."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop_all():
    while running:
        running[-1].stop()


def clean_up_on_signals():
    def on_signal(number, frame):
        del frame
        stop_all()
        print(file=sys.stderr)
        os._exit(128 + number)
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, on_signal)


class Peer:
    """A program to compare: its name, how to start it, what it says it is."""

    def __init__(self, name, command):
        self.name = name
        self.words = shlex.split(command)
        self.words[0] = os.path.abspath(shutil.which(self.words[0]) or self.words[0])
        if not os.access(self.words[0], os.X_OK):
            raise Failed(f"{name}: {self.words[0]} is not there or not executable")
        self.kind, self.version = self.ask_version()

    def ask_version(self):
        try:
            done = subprocess.run([self.words[0], "--version"], capture_output=True, text=True,
                                  timeout=10, check=False)
            version = (done.stdout + done.stderr).strip().split("\n")[0]
        except subprocess.TimeoutExpired:
            version = "unknown version"
        lower = version.lower()
        kinds = [kind for kind in ("segue", "memcached") if lower.startswith(kind)]
        return (kinds[0] if kinds else "redis"), version

    def argv(self, port, directory, threads, connections):
        if any("{port}" in word for word in self.words):
            return [word.format(port=port, dir=directory, threads=threads) for word in self.words]
        if self.kind == "memcached":
            user = ["-u", "root"] if os.getuid() == 0 else []
            return self.words + ["-p", str(port), "-U", "0", "-l", "127.0.0.1", "-c", str(connections),
                                 "-m", "16384", "-t", str(threads)] + user
        argv = self.words + ["--port", str(port), "--bind", "127.0.0.1", "--dir", directory,
                             "--save", "", "--appendonly", "no", "--maxclients", str(connections)]
        if self.kind == "segue":
            argv += ["--threads", str(threads)]
        elif threads > 1:
            argv += ["--io-threads", str(threads), "--io-threads-do-reads", "yes"]
        return argv


class Server:
    """A process of a peer."""

    def __init__(self, peer, cores=None, threads=1, before=(), options=(), patience=20,
                 connections=20000):
        self.peer, self.cores = peer, cores
        self.directory = tempfile.mkdtemp(prefix="segue-bench-")
        self.port = free_port()
        argv = list(before) + peer.argv(
            self.port, self.directory, threads, connections) + list(options)
        self.log = os.path.join(self.directory, "log")
        with open(self.log, "wb") as log:
            # Its own session: an interrupt at the terminal reaches only us, and we stop it.
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.directory,
                                            start_new_session=True, preexec_fn=self.pin)
        running.append(self)
        deadline = time.monotonic() + patience
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    with open(self.log, encoding="utf-8", errors="replace") as log:
                        words = log.read()[-2000:]
                    self.stop()
                    raise Failed(f"{' '.join(argv)}\ndoes not start:\n{words}") from None
                time.sleep(0.05)

    def pin(self):
        if self.cores:
            os.sched_setaffinity(0, self.cores)

    def resident(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                if line.startswith("Rss:"):
                    return int(line.split()[1]) * 1024
        return 0

    def info(self):
        """INFO of a server that speaks RESP, as a dictionary; empty from others."""
        if self.peer.kind == "memcached":
            return {}
        lines = self.ask("INFO", "all").split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def ask(self, *words):
        """The reply (a line or a bulk string) to one request of a server that speaks RESP."""
        out = f"*{len(words)}\r\n" + "".join(f"${len(w.encode())}\r\n{w}\r\n" for w in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as conn:
            conn.sendall(out.encode())
            data = b""
            while b"\r\n" not in data:
                data += conn.recv(65536)
            head, _, rest = data.partition(b"\r\n")
            if head[:1] != b"$":
                return head.decode()
            while len(rest) < int(head[1:]) + 2:
                rest += conn.recv(65536)
        return rest[:-2].decode(errors="replace")

    def stop(self):
        if self in running:
            running.remove(self)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Load:
    """One run of segue-bench in the background; result() waits for it."""

    def __init__(self, server, options, cores=None):
        words = options.split()
        if server.peer.kind == "memcached":
            words += ["--protocol", "memcached"]
        self.argv = [LOAD, "--port", str(server.port), "--pid", str(server.process.pid),
                     "--quiet", "--json", "-"] + words
        self.process = subprocess.Popen(
            self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores) if cores else None)
        running.append(self)

    def result(self, timeout=900):
        out, err = self.process.communicate(timeout=timeout)
        if self in running:
            running.remove(self)
        if self.process.returncode != 0:
            raise Failed(f"{' '.join(self.argv)}\n{err.strip()}{out[-500:]}")
        return json.loads(out)

    def stop(self):
        if self in running:
            running.remove(self)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def load(server, options, cores=None):
    return Load(server, options, cores).result()


class Counted(Server):
    """
    A server under callgrind. Instructions are counted in the functions <within> and what they
    call, or everywhere; count() returns those since the last zero(). User instructions only: what the
    kernel does for it is not seen.
    """

    def __init__(self, peer, within=(), options=()):
        self.output = tempfile.mkdtemp(prefix="segue-callgrind-")
        before = ["valgrind", "-q", "--tool=callgrind",
                  f"--callgrind-out-file={self.output}/out"]
        before += [f"--toggle-collect={function}" for function in within]
        super().__init__(peer, before=before, options=options, patience=120, connections=500)

    def tell(self, word):
        done = subprocess.run(["vgdb", f"--pid={self.process.pid}", word], check=False,
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Failed(f"vgdb {word}: {done.stderr}")

    def zero(self):
        self.tell("zero")

    def count(self):
        self.tell("dump")
        paths = [os.path.join(self.output, name) for name in os.listdir(self.output)]
        newest = max((p for p in paths if not p.endswith("/out")),
                     key=lambda p: int(p.rpartition(".")[2]))
        with open(newest, encoding="ascii", errors="replace") as dump:
            for line in dump:
                if line.startswith(("summary:", "totals:")):
                    return int(line.split()[1])
        raise Failed(f"{newest} has no summary")

    def stop(self):
        super().stop()
        shutil.rmtree(self.output, ignore_errors=True)

"""
wire - what the tests that speak RESP over a socket share: a server process, a connection,
reading and showing replies. Standard library only.

A reply is a Reply(kind, value): kind is the type byte as text ("+", "-", ":", "$", "*", "_", ",",
"#", "(", "=", "!", "%", "~", ">"), value is bytes, int, None or a list (of pairs for a map).
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEFAULT_SERVER = os.path.join(REPOSITORY, "build", "segue-server")


class Reply(NamedTuple):
    kind: str
    value: object


class Incomplete(Exception):
    """The buffer ends inside a reply."""


class Malformed(Exception):
    """The server sent something that is no RESP."""


class Closed(Exception):
    """The server closed the connection."""


class TimedOut(Exception):
    """No reply in time."""


def parse_reply(buf, at):
    """Read one reply at buf[at:]; returns (Reply, index behind it)."""
    end = buf.find(b"\r\n", at)
    if end < 0:
        if len(buf) - at > 65536 and bytes(buf[at:at + 1]) not in (b"+", b"-"):
            raise Malformed(f"no end of line: {bytes(buf[at:at + 40])!r}")
        raise Incomplete
    kind, line, at = chr(buf[at]), bytes(buf[at + 1:end]), end + 2
    if kind in "+-,(":
        if b"\n" in line or b"\r" in line:
            raise Malformed(f"a line break inside {kind}{line!r}")
        return Reply(kind, line), at
    try:
        if kind == ":":
            return Reply(kind, int(line)), at
        if kind == "_":
            return Reply("_", None), at
        if kind == "#":
            return Reply(kind, {b"t": True, b"f": False}[line]), at
        count = int(line)
    except (ValueError, KeyError):
        raise Malformed(f"not a reply: {kind}{line!r}") from None
    if kind in "$=!":
        if count == -1:
            return Reply("$", None), at
        if len(buf) < at + count + 2:
            raise Incomplete
        if buf[at + count:at + count + 2] != b"\r\n":
            raise Malformed(f"a bulk of {count} bytes does not end in CRLF")
        return Reply(kind, bytes(buf[at:at + count])), at + count + 2
    if kind in "*~>":
        if count == -1:
            return Reply("*", None), at
        items = []
        for _ in range(count):
            item, at = parse_reply(buf, at)
            items.append(item)
        return Reply(kind, items), at
    if kind == "%":
        pairs = []
        for _ in range(count):
            key, at = parse_reply(buf, at)
            value, at = parse_reply(buf, at)
            pairs.append((key, value))
        return Reply(kind, pairs), at
    raise Malformed(f"not a reply: {kind}{line!r}")


def quote(data):
    """Bytes as redis-cli shows them."""
    special = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}
    return '"' + "".join(
        special.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in data) + '"'


def show(reply):
    """A reply in the notation of the transcripts, on one line."""
    kind, value = reply
    if kind in "+-":
        return kind + quote(value)[1:-1].replace('\\"', '"')
    if kind == ":":
        return f":{value}"
    if value is None:
        return "nil*" if kind == "*" else "nil"
    if kind == "#":
        return "#t" if value else "#f"
    if kind in ",(":
        return kind + value.decode("latin-1")
    if kind == "$":
        return quote(value)
    if kind == "=":
        return "=" + value[:4].decode("latin-1") + quote(value[4:])
    if kind == "!":
        return "!" + quote(value)
    if kind == "%":
        return "{" + ", ".join(f"{show(k)} => {show(v)}" for k, v in value) + "}"
    inner = " ".join(
        i.kind + quote(i.value) if i.kind in "+-" and b" " in i.value else show(i) for i in value)
    return {"*": "", "~": "~", ">": ">"}[kind] + "[" + inner + "]"


def encode(args):
    """A request as an array of bulk strings."""
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        arg = arg if isinstance(arg, bytes) else str(arg).encode()
        out.append(b"$%d\r\n%b\r\n" % (len(arg), arg))
    return b"".join(out)


class Connection:
    """One client connection. It reads while it writes, so that neither side can block the other."""

    def __init__(self, port, timeout=5.0):
        self.timeout = timeout
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buf = bytearray()
        self.at = 0
        self.ended = False

    def close(self):
        self.socket.close()

    def fill(self, wait):
        """Take in what has arrived, waiting <wait> seconds at most; false when nothing came."""
        if self.ended:
            return False
        if wait and not select.select([self.socket], [], [], wait)[0]:
            return False
        try:
            data = self.socket.recv(262144)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return False
        self.buf += data
        return True

    def send(self, data, cut=False):
        """Send <data>: whole, or with <cut> every byte on its own. A peer that has closed is no
        error here: reading will tell."""
        if cut:
            self.send_cut(data)
            return
        view, deadline = memoryview(data), time.monotonic() + self.timeout
        while view:
            readable, writable, _ = select.select(
                [] if self.ended else [self.socket], [self.socket], [], self.timeout)
            if readable:
                self.fill(0)
            if writable:
                try:
                    view = view[self.socket.send(view):]
                except BlockingIOError:
                    pass
                except OSError:
                    return
            if time.monotonic() > deadline:
                raise TimedOut("the server does not read")

    def send_cut(self, data):
        """Every byte on its own; of long data only the first and last kilobyte, the middle in
        pieces of odd sizes."""
        pieces = []
        if len(data) <= 6144:
            pieces = [data[i:i + 1] for i in range(len(data))]
        else:
            pieces = [data[i:i + 1] for i in range(1024)]
            at, size = 1024, 1
            while at < len(data) - 1024:
                size = size * 2 + 1 if size < 20000 else 7
                pieces.append(data[at:min(at + size, len(data) - 1024)])
                at += len(pieces[-1])
            pieces += [data[i:i + 1] for i in range(at, len(data))]
        for index, piece in enumerate(pieces):
            try:
                if self.socket.send(piece) < len(piece):
                    raise BlockingIOError
            except BlockingIOError:
                self.send(piece)
            except OSError:
                return
            if index % 64 == 63:
                self.fill(0)

    def take(self, timeout=None):
        """The next reply. Raises Closed, TimedOut or Malformed."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            try:
                reply, self.at = parse_reply(self.buf, self.at)
                if self.at > 1 << 16:
                    del self.buf[:self.at]
                    self.at = 0
                return reply
            except Incomplete:
                pass
            left = deadline - time.monotonic()
            if not self.fill(max(left, 0.0001)):
                if self.ended:
                    raise Closed("the connection was closed")
                if left <= 0:
                    raise TimedOut("no reply in time")

    def call(self, *args):
        self.send(encode(args))
        return self.take()

    def expect_end(self, half_close=False):
        """Wait for the server's close; returns the bytes that came before it, or raises TimedOut."""
        if half_close:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        deadline = time.monotonic() + self.timeout
        while not self.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut("the server does not close the connection")
            self.fill(left)
        return bytes(self.buf[self.at:])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process on a free loopback port, in a directory of its own; stopped by its id."""

    def __init__(self, program, options=(), timeout=5.0):
        self.program, self.options, self.timeout = program, list(options), timeout
        self.directory = tempfile.mkdtemp(prefix="wire-")
        self.log = os.path.join(self.directory, "log")
        self.process = None
        self.password = None
        for name, *values in self.options:
            if name == "requirepass":
                self.password = values[0]
        self.start()

    def start(self):
        for _ in range(5):
            self.port, self.second_port = free_port(), free_port()
            argv = [self.program, "--port", str(self.port), "--bind", "127.0.0.1",
                    "--dir", self.directory, "--save", "", "--appendonly", "no",
                    "--enable-debug-command", "yes"]
            for name, *values in self.options:
                argv += ["--" + name] + [
                    v.replace("${port2}", str(self.second_port)) for v in values]
            # The deadlock detector of TSan holds 64 locks; FLUSHALL takes every shard's.
            environment = {"TSAN_OPTIONS": "detect_deadlocks=0", **os.environ}
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log, start_new_session=True,
                                                env=environment)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    conn = Connection(self.port, self.timeout)
                    conn.call("PING")
                    conn.close()
                    return
                except (OSError, Closed, TimedOut):
                    time.sleep(0.01)
            self.kill()
        raise SystemExit(f"{' '.join(argv)}\ndoes not start:\n{self.log_tail()}")

    def connect(self, port=None):
        return Connection(port or self.port, self.timeout)

    def control(self):
        conn = self.connect()
        if self.password:
            conn.call("AUTH", self.password)
        return conn

    def alive(self):
        return self.process.poll() is None

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def log_tail(self, count=30):
        with open(self.log, errors="replace", encoding="utf-8") as log:
            return "".join(log.readlines()[-count:])

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """Ask with SIGTERM; returns the exit status, None when it had to be killed."""
        status = None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
        if status != 0:
            print(f"{self.program} ended with {status}; its last words:\n{self.log_tail(400)}")
        shutil.rmtree(self.directory, ignore_errors=True)
        return status


def find_program(path, purpose):
    found = shutil.which(path)
    if not found:
        sys.exit(f"{path}: not there or not executable ({purpose})")
    return found

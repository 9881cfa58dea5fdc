"""facts - what a figure cannot be read without: the machine, the programs, the load on it."""

import os
import platform
import subprocess
import time

from servers import REPOSITORY


def output_of(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False,
                              cwd=REPOSITORY).stdout.strip()
    except OSError:
        return ""


def field(path, name):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith(name):
                    return line.split("=" if "=" in line else ":", 1)[1].strip().strip('"')
    except OSError:
        pass
    return "unknown"


def machine_facts(peers):
    changed = " with changes" if output_of("git", "status", "--porcelain") else ""
    hypervisor = output_of("systemd-detect-virt") or "unknown"
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{field('/proc/cpuinfo', 'model name')}, "
                     f"{len(os.sched_getaffinity(0))} cores, virtualization {hypervisor}",
        "memory": field("/proc/meminfo", "MemTotal"),
        "system": f"{field('/etc/os-release', 'PRETTY_NAME')}, Linux {platform.release()}",
        "compiler": output_of(os.environ.get("CC", "cc"), "--version").split("\n")[0],
        "commit": (output_of("git", "rev-parse", "--short", "HEAD") or "unknown") + changed,
        "load at the start": "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg()),
        **{peer.name: peer.version for peer in peers},
    }

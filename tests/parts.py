#!/usr/bin/env python3
"""Runs the parts of a make target one after another, whatever the first ones say.

    tests/parts.py NAME=COMMAND...

What a part prints is passed on as it comes. At the end there is a line for each: passed or FAILED, its seconds, and the
processor's seconds that it and all it started have used; below, the last lines of each part that failed. The exit code is
1 when one did.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from collections import deque

LINES_SHOWN = 60


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command):
    """(exit code, the last lines). Who stops this stops the part, with all that it has started."""
    last = deque(maxlen=LINES_SHOWN)

    def stop(number, _):
        os.killpg(process.pid, number)
        process.wait()
        sys.exit(128 + number)

    with subprocess.Popen(
            ["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True) as process:
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        for line in process.stdout:
            last.append(line)
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    return process.returncode, last


def main(parts):
    lines, failed = [], []
    for name, command in (part.split("=", 1) for part in parts):
        print(f"-- {name}: {command}", flush=True)
        began, used = time.monotonic(), cpu_seconds()
        code, last = run(command)
        took, used = time.monotonic() - began, cpu_seconds() - used
        lines.append(f"{'FAILED' if code else 'passed'}  {took:7.0f} s {used:7.0f} s cpu   {name}")
        if code:
            failed.append((name, last))
    print("\n" + "\n".join(lines), flush=True)
    for name, last in failed:
        print(f"\n-- {name} FAILED, its last lines:", flush=True)
        sys.stdout.buffer.writelines(last)
        sys.stdout.buffer.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
